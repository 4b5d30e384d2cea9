"""Loading of DICOM ultrasound files.

The header is read once, the positions of the frames are found and counted, and each frame is
decoded when it is read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from usmicro.errors import ScanError
from usmicro.loading.dicom.fragments import (
    UNDEFINED_LENGTH,
    ByteRange,
    encapsulated_frames,
    encapsulated_stream,
    inflate,
    is_deflated,
    native_frames,
)
from usmicro.loading.dicom.pixels import (
    EncodedPixels,
    bit_depth_notes,
    decoded_frames,
    select_plugin,
)
from usmicro.loading.dicom.regions import file_spacing, read_regions
from usmicro.loading.formats import (
    DAMAGED,
    BoundedReader,
    check_frame_count,
    check_image_size,
    scan_errors,
    uid_name,
    warning_texts,
)
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

_KEYWORDS = """
    SOPClassUID Modality SequenceOfUltrasoundRegions PixelSpacing NominalScannedPixelSpacing
    SharedFunctionalGroupsSequence NumberOfFrames SamplesPerPixel PhotometricInterpretation
    PlanarConfiguration Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
    WindowCenter WindowWidth RescaleSlope RescaleIntercept ModalityLUTSequence
    RedPaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableDescriptor BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData ExtendedOffsetTable ExtendedOffsetTableLengths
"""
"""All attributes that are read; none of them identifies a patient."""
_ULTRASOUND_CLASSES = ("1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3")
"""Retired UIDs of ultrasound images and of ultrasound cines; the current UIDs begin with them."""
_ULTRASOUND_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY = "1.2.840.10008.1.3.10"
_IMPLICIT, _EXPLICIT, _BIG_ENDIAN, _DEFLATED = (
    f"1.2.840.10008.1.2{ending}" for ending in ("", ".1", ".2", ".1.99")
)
_VIDEO_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
"""Transfer syntaxes of MPEG-2, H.264 and HEVC. The variants with ".1" appended allow a stream in
several fragments."""
_BEFORE_PIXEL_DATA = 0x7FE00008
"""First tag that is not read with the header: the pixel data and its floating-point variants."""


def load_dicom(path: Path, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a DICOM ultrasound file and find its frames.

    The frames are decoded one at a time when they are read. MONOCHROME1 is inverted; palettes and
    YBR become RGB. Grey values of more than 8 bits are rescaled to 16 bits: from the window if
    there is one, otherwise from 0 to the largest value of the bits stored or, with 16 bits stored,
    of the highest bit used in the file. A window on 8-bit pixels is not applied, since the
    analysis needs the values that it clips.

    Parameters
    ----------
    path : Path
    name : str
        Name of the image in tables.
    settings : LoadingSettings

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is damaged, has no pixels, is too large or is not ultrasound.
    CodecError
        If no installed plug-in of pydicom decodes its transfer syntax.
    """
    notes: list[str] = []
    with (
        scan_errors(path, "expected a DICOM image, but it cannot be read") as caught,
        BoundedReader(path) as file,
    ):
        header, syntax, source = _read_header(file, notes, settings.largest_inflated)
        notes += _ultrasound_notes(path, header)
        rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
        element, length = _pixel_element(path, source, header)
        check_image_size(path, rows, columns, settings.largest_image)
        declared_frames = _declared_frames(path, header, notes, settings.most_frames)
        regions, region_notes = read_regions(header, rows, columns)
        spacing, spacing_notes = file_spacing(header, regions, rows, columns)
        notes += [*region_notes, *spacing_notes]
        is_video = syntax.removesuffix(".1") in _VIDEO_SYNTAXES or syntax in _VIDEO_SYNTAXES
        if is_video:
            if length != UNDEFINED_LENGTH:
                raise ScanError(
                    f"{path}: expected a video in fragments, "
                    f"found pixel data that is not encapsulated; {DAMAGED}"
                )
            read, decoder, video_notes = _open_video(
                path, source, syntax, (rows, columns), declared_frames, settings
            )
            notes += [*video_notes, *warning_texts(caught)]
        else:
            options = _decoding_options(path, header, **element)
            frame_ranges = _frame_ranges(
                path, source, header, syntax, options, length, declared_frames, notes
            )
            notes += warning_texts(caught)
    if not is_video:
        pixels = EncodedPixels(
            path,
            header,
            options,
            syntax,
            tuple(frame_ranges),
            declared_frames,
            settings.largest_inflated,
        )
        notes += _truncation_notes(pixels, keep_truncated=settings.keep_truncated)
        pixels, decoder, plugin_notes = select_plugin(pixels)
        notes += [*plugin_notes, *bit_depth_notes(pixels)]
        read = partial(decoded_frames, pixels, keep_truncated=settings.keep_truncated)
    unique_notes = tuple(dict.fromkeys(notes))
    return Scan(
        name, path, rows, columns, declared_frames, read, spacing, regions, decoder, unique_notes
    )


def _open_video(
    path: Path,
    source: BinaryIO,
    syntax: str,
    shape: tuple[int, int],
    declared_frames: int,
    settings: LoadingSettings,
) -> tuple[Callable[[], Iterator[Frame]], str, list[str]]:
    """Return a function that reads the frames of a video stream, its decoder, and notes."""
    from usmicro.loading.video.reader import open_dicom_video

    fragments, truncated = encapsulated_stream(source)
    return open_dicom_video(
        path, syntax, fragments, shape, declared_frames, settings, truncated=truncated
    )


def _truncation_notes(pixels: EncodedPixels, *, keep_truncated: bool) -> list[str]:
    """Return a note if the file has fewer frames than declared and `keep_truncated` is True.

    Raises
    ------
    ScanError
        If the file has no complete frame.
    """
    count = len(pixels.frame_ranges)
    if count == pixels.declared_frames:
        return []
    found = f"{count} of {pixels.declared_frames} frames could be read; the file is truncated"
    if count == 0:
        raise ScanError(f"{pixels.path}: {found}: copy it again from its source")
    return [found] if keep_truncated else []


def _read_header(
    file: BinaryIO, notes: list[str], largest_inflated: int
) -> tuple[Any, str, BinaryIO]:
    """Read the header of a file.

    Returns
    -------
    header : pydicom.Dataset
    syntax : str
        UID of the transfer syntax.
    source : binary file
        At the first byte of the element with the pixel data, or at the end if there is none.
    """
    from pydicom import dcmread
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    if is_deflated(file):
        source = inflate(file, largest_inflated)
        header = read_dataset(
            source,
            False,
            True,
            stop_when=lambda tag, vr, length: tag >= _BEFORE_PIXEL_DATA,
            specific_tags=[tag_for_keyword(keyword) for keyword in _KEYWORDS.split()],
        )
        header.set_original_encoding(False, True)
        header.file_meta = FileMetaDataset()
        return header, _DEFLATED, source
    header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=_KEYWORDS.split())
    syntax = header.file_meta.get("TransferSyntaxUID")
    if not syntax:
        implicit, little_endian = header.original_encoding
        syntax = _IMPLICIT if implicit else _EXPLICIT if little_endian else _BIG_ENDIAN
        notes.append(
            f"the file does not give its transfer syntax; it was read as {uid_name(str(syntax))}"
        )
    return header, str(syntax), file


def _ultrasound_notes(path: Path, header: Any) -> list[str]:
    """Check the SOP class and the modality of an image; return notes where they are unusual.

    Raises
    ------
    ScanError
        If the image is not ultrasound.
    """
    from pydicom.uid import UID

    sop_class = UID(
        str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    )
    modality = str(header.get("Modality") or "")
    if re.fullmatch("[A-Z]{2,3}", modality):
        shown_modality = modality
    else:  # another text is not repeated: in a damaged header it may be a name
        shown_modality = "not recognised" if modality else "not given"
    class_name = uid_name(sop_class) if sop_class else "no SOP class"
    kind = f"{class_name}, modality {shown_modality}"
    if sop_class.startswith(_DIRECTORY):
        raise ScanError(
            f"{path}: expected an image, found a DICOMDIR, which only lists other files; "
            "give the folder that it is in"
        )
    if sop_class == _ULTRASOUND_VOLUME:
        return ["an ultrasound volume: its slices are read as frames"]
    if any(_is_class(sop_class, root) for root in _ULTRASOUND_CLASSES) or modality == "US":
        return []
    may_be_ultrasound = not sop_class or _is_class(sop_class, _SECONDARY_CAPTURE)
    if may_be_ultrasound and modality in ("", "OT", "SC"):
        has_header = sop_class or modality or "Rows" in header
        return [f"{kind}: assumed to be ultrasound"] if has_header else []
    raise ScanError(f"{path}: expected an ultrasound image, found {kind}; leave it out")


def _is_class(sop_class: str, root: str) -> bool:
    """Return True if a SOP class has the UID `root` or one that begins with it."""
    return sop_class == root or sop_class.startswith(root + ".")


def _pixel_element(path: Path, source: BinaryIO, header: Any) -> tuple[dict[str, str], int]:
    """Read the head of the element with the pixel data, up to the first byte of its value.

    Returns
    -------
    element : dict
        Its keyword and value representation, as decoding options of pydicom.
    length : int
        Its declared length, bytes.
    """
    order = "<" if header.original_encoding[1] else ">"
    head = source.read(8)
    if len(head) < 8:
        advice = "leave it out"
        if "Rows" in header:
            advice = f"the file may be truncated: copy it again from its source, or {advice}"
        raise ScanError(f"{path}: expected an ultrasound image, found no pixels; {advice}")
    group, number = struct.unpack(order + "HH", head[:4])
    if (group, number) != (0x7FE0, 0x0010):
        raise ScanError(
            f"{path}: expected integer pixel data, found element ({group:04X},{number:04X}); "
            "convert floating-point pixels to integers"
        )
    if head[4:6] in (b"OB", b"OW", b"UN"):
        representation = head[4:6].decode("ascii")
        length = int(struct.unpack(order + "L", source.read(4))[0])
    else:  # implicit representation, also in some files that are declared as explicit
        representation = "OW"
        length = int(struct.unpack(order + "L", head[4:])[0])
    return {"pixel_keyword": "PixelData", "pixel_vr": representation}, length


def _declared_frames(path: Path, header: Any, notes: list[str], most_frames: int) -> int:
    """Return the number of frames that the header declares, at least 1."""
    value = header.get("NumberOfFrames")
    try:
        declared = 1 if value is None or value == "" else int(value)
    except (TypeError, ValueError):
        raise ScanError(
            f"{path}: expected a number as NumberOfFrames, found a text; {DAMAGED}"
        ) from None
    if declared < 1:
        notes.append(f"the header declares {declared} frames; one frame is read")
    check_frame_count(path, declared, most_frames)
    return max(declared, 1)


def _decoding_options(path: Path, header: Any, **element: str) -> dict[str, Any]:
    """Return the options with which pydicom decodes one frame."""
    from pydicom.pixels.utils import as_pixel_options

    header.NumberOfFrames = 1
    options: dict[str, Any] = {**as_pixel_options(header), **element}
    options.pop("extended_offsets", None)
    defaults = {
        "bits_stored": options.get("bits_allocated"),
        "pixel_representation": 0,
        "planar_configuration": 0,
    }
    for option, default in defaults.items():
        if options.get(option) is None:
            options[option] = default
    required = ("samples_per_pixel", "photometric_interpretation", "bits_allocated")
    for option in ("samples_per_pixel", "bits_allocated", "rows", "columns", *defaults):
        if not isinstance(options.get(option, 0), int | None):
            raise ScanError(
                f"{path}: expected a number as {option.replace('_', ' ')}, found a text; {DAMAGED}"
            )
    if missing := [option for option in required if options.get(option) in (None, "")]:
        names = ", ".join(missing).replace("_", " ")
        raise ScanError(f"{path}: the header lacks {names}; {DAMAGED}")
    if options["bits_allocated"] not in (8, 16):
        raise ScanError(
            f"{path}: expected 8 or 16 bits per pixel, found {options['bits_allocated']}; "
            "convert the image"
        )
    return options


def _frame_ranges(
    path: Path,
    source: BinaryIO,
    header: Any,
    syntax: str,
    options: dict[str, Any],
    length: int,
    declared_frames: int,
    notes: list[str],
) -> list[list[ByteRange]]:
    """Return the byte ranges of each frame.

    Where the length of the data contradicts the header, `options` is corrected and a note added.
    """
    from pydicom.uid import UID

    samples = options["samples_per_pixel"]
    frame_bytes = options["rows"] * options["columns"] * samples * options["bits_allocated"] // 8
    is_encapsulated = length == UNDEFINED_LENGTH
    if UID(syntax).is_encapsulated != is_encapsulated:
        raise ScanError(
            f"{path}: the transfer syntax {uid_name(syntax)} contradicts the pixel data, "
            f"which is {'' if is_encapsulated else 'not '}encapsulated; {DAMAGED}"
        )
    if is_encapsulated:
        tables = (header.get("ExtendedOffsetTable"), header.get("ExtendedOffsetTableLengths"))
        extended_table = tables if None not in tables else None
        frame_ranges = encapsulated_frames(source, declared_frames, extended_table)
        surplus = len(frame_ranges) - declared_frames
    else:
        if options["photometric_interpretation"] == "YBR_FULL_422":
            if length >= frame_bytes * declared_frames:
                options["photometric_interpretation"] = "YBR_FULL"
                notes.append(
                    "declared as YBR_FULL_422, but the colour is not subsampled; read as YBR_FULL"
                )
            else:
                frame_bytes = frame_bytes * 2 // 3
        frame_ranges = native_frames(source, length, frame_bytes, declared_frames)
        surplus = length // frame_bytes - declared_frames
    if surplus > 0:
        notes.append(
            f"the file has {declared_frames + surplus} frames, but the header declares "
            f"{declared_frames}; the first {declared_frames} are read"
        )
    return frame_ranges[:declared_frames]
