"""Loading of DICOM ultrasound files.

The header is read once, the positions of the frames are found and counted, and each frame is
decoded when it is read.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from usmicro.errors import ScanError
from usmicro.loading.dicom.display import decoded_frames, open_pixels
from usmicro.loading.dicom.fragments import (
    UNDEFINED_LENGTH,
    encapsulated_stream,
    inflate,
    is_deflated,
)
from usmicro.loading.dicom.frame_times import frame_times
from usmicro.loading.dicom.frames import declared_frames, find_frames, tissue_frames
from usmicro.loading.dicom.header import (
    body_part_remarks,
    read_device,
    sop_class_of,
    ultrasound_remarks,
)
from usmicro.loading.dicom.pixels import EncodedPixels
from usmicro.loading.dicom.regions import read_geometry
from usmicro.loading.formats import (
    DAMAGED,
    BoundedReader,
    check_frame_count,
    check_image_size,
    scan_errors,
    uid_name,
    warning_texts,
)
from usmicro.model.scan import Scan
from usmicro.model.warnings import Remark, separated
from usmicro.settings import LoadingSettings

if TYPE_CHECKING:
    from usmicro.loading.video.reader import DicomVideo

_KEYWORDS = """
    SOPClassUID Modality Manufacturer ManufacturerModelName TransducerData TransducerType
    BodyPartExamined AnatomicRegionSequence
    SequenceOfUltrasoundRegions PixelSpacing NominalScannedPixelSpacing PixelAspectRatio
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence NumberOfFrames
    FrameTime FrameTimeVector CineRate
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns BitsAllocated
    BitsStored HighBit PixelRepresentation
    WindowCenter WindowWidth VOILUTFunction RescaleSlope RescaleIntercept ModalityLUTSequence
    VOILUTSequence PresentationLUTShape PresentationLUTSequence PixelPresentation
    RedPaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableDescriptor BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData ExtendedOffsetTable ExtendedOffsetTableLengths
"""
"""All attributes that are read; none of them identifies a patient."""
_IMPLICIT, _EXPLICIT, _BIG_ENDIAN, _DEFLATED = (
    f"1.2.840.10008.1.2{ending}" for ending in ("", ".1", ".2", ".1.99")
)
_VIDEO_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
"""Transfer syntaxes of MPEG-2, H.264 and HEVC. The variants with ".1" appended allow a stream in
several fragments."""
_FIRST_PIXEL_TAG = 0x7FE00008
"""Lowest tag of pixel data, that of floating-point numbers; the header ends before it."""


def load_dicom(path: Path, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a DICOM ultrasound file and find its frames.

    The frames are decoded one at a time when they are read. MONOCHROME1 is inverted; palettes and
    YBR become RGB. Modality and VOI look-up tables are applied. Grey values of more than 8 bits
    are rescaled to 16 bits: from the window if there is one, otherwise from 0 to the largest value
    of the bits stored or, with 16 bits stored, of the highest bit used in the file. A window on
    8-bit pixels is not applied, since the analysis needs the values that it clips. What the header
    says about colours and bits is checked against the compressed stream and the pixels.

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
    remarks: list[Remark] = []
    with (
        scan_errors(path, "expected a DICOM image, but it cannot be read") as caught,
        BoundedReader(path) as file,
    ):
        header, syntax, source = _read_header(file, remarks, settings.largest_inflated)
        remarks += ultrasound_remarks(path, header)
        rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
        element, length = _pixel_element(path, source, header)
        check_image_size(path, rows, columns, settings.largest_image)
        count = declared_frames(path, header, remarks, settings.most_frames)
        geometry = read_geometry(header, rows, columns)
        spacing = geometry.spacing
        remarks += [*geometry.remarks, *body_part_remarks(header)]
        device = read_device(header)
        is_video = syntax.removesuffix(".1") in _VIDEO_SYNTAXES
        if is_video:
            if length != UNDEFINED_LENGTH:
                raise ScanError(
                    f"{path}: expected a video in fragments, "
                    f"found pixel data that is not encapsulated; {DAMAGED}"
                )
            video = _open_video(path, source, syntax, (rows, columns), count, settings)
            read, decoder, count = video.read, video.decoder, video.frames
            remarks += [*video.remarks, *warning_texts(caught)]
            if video.aspect and not spacing.known and spacing.aspect is None:
                spacing = replace(spacing, aspect=video.aspect)
        else:
            options = _decoding_options(path, header, **element)
            places = find_frames(path, source, header, syntax, options, length, count, remarks)
            check_frame_count(path, places.count, settings.most_frames)
            places = tissue_frames(path, header, places, remarks)
            count = places.count
            remarks += warning_texts(caught)
    if not is_video:
        pixels = EncodedPixels(
            path,
            header,
            options,
            syntax,
            tuple(places.ranges),
            count,
            settings.largest_inflated,
        )
        remarks += _truncation_notes(pixels, keep_truncated=settings.keep_truncated)
        displayed, decoder, of_pixels = open_pixels(pixels)
        remarks += of_pixels
        read = partial(decoded_frames, displayed, keep_truncated=settings.keep_truncated)
    notes, warnings = separated(remarks)
    return Scan(
        name,
        path,
        rows,
        columns,
        count,
        read,
        spacing,
        geometry.regions,
        decoder,
        notes,
        warnings,
        device,
        frame_times(header, count),
    )


def _open_video(
    path: Path,
    source: BinaryIO,
    syntax: str,
    shape: tuple[int, int],
    declared_frames: int,
    settings: LoadingSettings,
) -> DicomVideo:
    """Open the video stream of a file."""
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
    file: BinaryIO, remarks: list[Remark], largest_inflated: int
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
            stop_when=lambda tag, vr, length: tag >= _FIRST_PIXEL_TAG,
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
        remarks.append(
            f"the file does not give its transfer syntax; it was read as {uid_name(str(syntax))}"
        )
    return header, str(syntax), file


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
        sop_class = sop_class_of(header)
        kind = f" ({uid_name(sop_class)})" if sop_class else ""
        raise ScanError(f"{path}: expected an ultrasound image, found no pixels{kind}; {advice}")
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
