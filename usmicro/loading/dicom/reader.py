"""DICOM ultrasound to a Scan: the header is read once, its frames are found and counted, and each is decoded by itself."""

from __future__ import annotations

import re
import struct
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from usmicro.errors import ScanError
from usmicro.loading.dicom.fragments import (
    UNDEFINED,
    Stretch,
    encapsulated_frames,
    encapsulated_stream,
    inflated,
    is_deflated,
    native_frames,
)
from usmicro.loading.dicom.pixels import Pixels, depth_notes, frames, with_plugin
from usmicro.loading.dicom.regions import file_spacing, read_regions
from usmicro.loading.formats import (
    Bounded,
    checked_frames,
    checked_size,
    decoding,
    uid_name,
    warned,
)
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

_TAGS = """
    SOPClassUID Modality SequenceOfUltrasoundRegions PixelSpacing NominalScannedPixelSpacing SharedFunctionalGroupsSequence
    NumberOfFrames SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns
    BitsAllocated BitsStored HighBit PixelRepresentation WindowCenter WindowWidth RescaleSlope RescaleIntercept ModalityLUTSequence
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor
    RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData
    ExtendedOffsetTable ExtendedOffsetTableLengths
"""
"""All that is read: nothing that names a patient."""
_ULTRASOUND = ("1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3")
"""Roots of ultrasound (single frame, enhanced volume) and of ultrasound multi-frame; themselves the retired classes."""
_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY = "1.2.840.10008.1.3.10"
_IMPLICIT, _EXPLICIT, _BIG_ENDIAN, _DEFLATED = (
    f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99")
)
_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
"""MPEG-2, H.264 and HEVC; with ".1" behind, in several fragments."""


def load_dicom(path: Path, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a DICOM ultrasound file and find its frames; they are decoded one at a time when they are read.

    MONOCHROME1 is inverted; palettes and every YBR become RGB. Grey of more than 8 bits is stretched to 16 by its window if it has
    one, else from 0 to the largest value of the bits stored or, with 16 bits stored, to the highest bit used in the file. A window
    over 8-bit pixels is not applied: the stages need what it cuts off.

    Parameters
    ----------
    path : Path
    name : str
        What tables call the image.
    settings : LoadingSettings

    Raises
    ------
    ScanError
        If the file is damaged, has no pixels, is too large or is not ultrasound.
    CodecError
        If no installed plug-in of pydicom decodes its transfer syntax.
    """
    notes: list[str] = []
    with (
        decoding(path, "expected a DICOM image, but it cannot be read") as caught,
        Bounded(path) as file,
    ):
        header, syntax, source = _header(file, notes, settings.largest_inflated)
        notes += _ultrasound_notes(path, header)
        rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
        element, length = _pixel_element(path, source, header)
        checked_size(path, rows, columns, settings.largest_image)
        promised = _promised(path, header, notes, settings.most_frames)
        regions, region_notes = read_regions(header, rows, columns)
        spacing, spacing_notes = file_spacing(header, regions, rows, columns)
        notes += [*region_notes, *spacing_notes]
        if syntax in _VIDEO or syntax.removesuffix(".1") in _VIDEO:
            from usmicro.loading.video.reader import read_video

            if length != UNDEFINED:
                raise ScanError(
                    f"{path}: expected a video in fragments, found pixel data that is not encapsulated; the file is damaged"
                )
            fragments, cut = encapsulated_stream(source)
            read, decoder, video_notes = read_video(
                path, syntax, fragments, (rows, columns), promised, settings, cut=cut
            )
            notes += [*video_notes, *warned(caught)]
            return Scan(
                name,
                path,
                rows,
                columns,
                promised,
                read,
                spacing,
                regions,
                decoder,
                tuple(dict.fromkeys(notes)),
            )
        options = _options(path, header, **element)
        places = _places(path, source, header, syntax, options, length, promised, notes)
        notes += warned(caught)
    if len(places) < promised:
        found = f"{len(places)} of {promised} frames could be read; the file is truncated"
        if not places:
            raise ScanError(f"{path}: {found}; copy it again from its source")
        if settings.keep_truncated:
            notes.append(found)
    pixels, decoder, plugin_notes = with_plugin(
        Pixels(path, header, options, syntax, tuple(places), promised, settings.largest_inflated)
    )
    notes += [*plugin_notes, *depth_notes(pixels)]
    read = partial(frames, pixels, keep_truncated=settings.keep_truncated)
    return Scan(
        name,
        path,
        rows,
        columns,
        promised,
        read,
        spacing,
        regions,
        decoder,
        tuple(dict.fromkeys(notes)),
    )


def _header(file: BinaryIO, notes: list[str], largest_inflated: int) -> tuple[Any, str, BinaryIO]:
    """Header, transfer syntax, and a source that stands where the element of the pixel data begins, if there is one."""
    from pydicom import dcmread
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    if is_deflated(file):
        source = inflated(file, largest_inflated)
        tags = [tag_for_keyword(keyword) for keyword in _TAGS.split()]
        header = read_dataset(
            source,
            False,
            True,
            stop_when=lambda tag, vr, length: tag >= 0x7FE00008,
            specific_tags=tags,
        )
        header.set_original_encoding(False, True)
        header.file_meta = FileMetaDataset()
        return header, _DEFLATED, source
    header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=_TAGS.split())
    syntax = header.file_meta.get("TransferSyntaxUID")
    if not syntax:
        implicit, little = header.original_encoding
        syntax = _IMPLICIT if implicit else _EXPLICIT if little else _BIG_ENDIAN
        notes.append(f"the file does not say its transfer syntax; read as {uid_name(str(syntax))}")
    return header, str(syntax), file


def _ultrasound_notes(path: Path, header: Any) -> list[str]:
    """Refuse what is not ultrasound, by its SOP class and modality; note what may not be."""
    from pydicom.uid import UID

    kind = UID(
        str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    )
    modality = str(header.get("Modality") or "")
    named = (
        modality if re.fullmatch("[A-Z]{2,3}", modality) else "unknown" if modality else "not given"
    )  # other texts may be anything
    words = f"{uid_name(kind) if kind else 'no SOP class'}, modality {named}"
    if kind.startswith(_DIRECTORY):
        raise ScanError(
            f"{path}: a DICOMDIR lists other files and has no pixels; give the folder that it lies in"
        )
    if kind == _VOLUME:
        return ["an ultrasound volume: its slices are read as frames"]
    if any(kind == root or kind.startswith(root + ".") for root in _ULTRASOUND) or modality == "US":
        return []
    if (
        not kind or kind == _SECONDARY_CAPTURE or kind.startswith(_SECONDARY_CAPTURE + ".")
    ) and modality in ("", "OT", "SC"):
        return [f"{words}: taken for ultrasound"] if kind or modality or "Rows" in header else []
    raise ScanError(f"{path}: expected an ultrasound image, found {words}; leave it out")


def _pixel_element(path: Path, source: BinaryIO, header: Any) -> tuple[dict[str, str], int]:
    """Keyword and representation of the pixel data, and its length; leaves `source` at its first byte."""
    order = "<" if header.original_encoding[1] else ">"
    head = source.read(8)
    if len(head) < 8:
        found = "the file is truncated or " if "Rows" in header else ""
        raise ScanError(f"{path}: {found}has no pixels; expected an ultrasound image")
    group, number = struct.unpack(order + "HH", head[:4])
    if (group, number) != (0x7FE0, 0x0010):
        raise ScanError(
            f"{path}: expected integer pixel data, found element ({group:04X},{number:04X}); floating-point pixels are not read"
        )
    if head[4:6] not in (b"OB", b"OW", b"UN"):  # implicit, which some files are that say otherwise
        return {"pixel_keyword": "PixelData", "pixel_vr": "OW"}, int(
            struct.unpack(order + "L", head[4:])[0]
        )
    return {"pixel_keyword": "PixelData", "pixel_vr": head[4:6].decode("ascii")}, int(
        struct.unpack(order + "L", source.read(4))[0]
    )


def _promised(path: Path, header: Any, notes: list[str], most: int) -> int:
    value = header.get("NumberOfFrames")
    try:
        promised = 1 if value is None or value == "" else int(value)
    except (TypeError, ValueError):
        raise ScanError(
            f"{path}: expected a number of frames, found a text; the header is damaged"
        ) from None
    if promised < 1:
        notes.append(f"the header says {promised} frames; read as one")
    checked_frames(path, promised, most)
    return max(promised, 1)


def _options(path: Path, header: Any, **element: str) -> dict[str, Any]:
    """What pydicom needs to know to decode one frame."""
    from pydicom.pixels.utils import as_pixel_options

    header.NumberOfFrames = 1
    options: dict[str, Any] = {**as_pixel_options(header), **element}
    options.pop("extended_offsets", None)
    for missing, default in (
        ("pixel_representation", 0),
        ("planar_configuration", 0),
        ("bits_stored", options.get("bits_allocated")),
    ):
        if options.get(missing) is None:
            options[missing] = default
    needed = ("samples_per_pixel", "photometric_interpretation", "bits_allocated")
    for option in (
        *needed[::2],
        "rows",
        "columns",
        "bits_stored",
        "pixel_representation",
        "planar_configuration",
    ):
        if not isinstance(options.get(option, 0), int | None):
            raise ScanError(
                f"{path}: expected a number of {option.replace('_', ' ')}, found a text; the header is damaged"
            )
    if lacking := [option for option in needed if options.get(option) in (None, "")]:
        raise ScanError(
            f"{path}: the header lacks {', '.join(lacking).replace('_', ' ')}; the file is damaged"
        )
    if options["bits_allocated"] not in (8, 16):
        raise ScanError(
            f"{path}: expected 8 or 16 bits a pixel, found {options['bits_allocated']}; convert the image"
        )
    return options


def _places(
    path: Path,
    source: BinaryIO,
    header: Any,
    syntax: str,
    options: dict[str, Any],
    length: int,
    promised: int,
    notes: list[str],
) -> list[list[Stretch]]:
    """Where the frames lie; corrects `options` where the length of the data contradicts them."""
    from pydicom.uid import UID

    samples = options["samples_per_pixel"]
    frame_bytes = options["rows"] * options["columns"] * samples * options["bits_allocated"] // 8
    if UID(syntax).is_encapsulated and length == UNDEFINED:
        extended = (header.get("ExtendedOffsetTable"), header.get("ExtendedOffsetTableLengths"))
        places = encapsulated_frames(source, promised, extended if None not in extended else None)
        surplus = len(places) - promised
    else:
        if UID(syntax).is_encapsulated or length == UNDEFINED:
            raise ScanError(
                f"{path}: the transfer syntax {uid_name(syntax)} does not fit the pixel data, which is "
                f"{'' if length == UNDEFINED else 'not '}encapsulated; the file is damaged"
            )
        if options["photometric_interpretation"] == "YBR_FULL_422":
            if length >= frame_bytes * promised:
                options["photometric_interpretation"] = "YBR_FULL"
                notes.append(
                    "tagged YBR_FULL_422, but the colour is not subsampled; read as YBR_FULL"
                )
            else:
                frame_bytes = frame_bytes * 2 // 3
        places = native_frames(source, length, frame_bytes, promised)
        surplus = length // frame_bytes - promised
    if surplus > 0:
        notes.append(
            f"holds {promised + surplus} frames where the header says {promised}; the first {promised} are read"
        )
    return places[:promised]
