"""The pixels of a DICOM file, one frame at a time.

pydicom decodes each frame through one plug-in that is chosen when the file is loaded and recorded: left to itself, pydicom may
change the plug-in, and with it the pixels, within one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.bit_depth import stretch, used_range
from usmicro.loading.dicom.fragments import Stretch, inflated, is_deflated
from usmicro.loading.dicom.jpeg_header import coded_size
from usmicro.loading.formats import decoding, uid_name, warned
from usmicro.model.arrays import Frame

_ORDER = ("pydicom", "pyjpegls", "pylibjpeg", "gdcm", "pillow")
_ORDER_JPEG = ("pillow", *_ORDER)
"""For lossy JPEG: Pillow is always installed, so that the pixels do not depend on the extra."""
_JPEG_BASELINE, _JPEG_EXTENDED = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51))
_REMEDIES = {
    module: tuple(f"1.2.840.10008.1.2.4.{number}" for number in numbers)
    for module, numbers in {
        "gdcm": (57, 70),
        "jpeg_ls": (80, 81),
        "openjpeg": (90, 91, 201, 202, 203),
    }.items()
}
"""Module of the extra that decodes the transfer syntaxes for which nothing else may do."""
_RLE = "1.2.840.10008.1.2.5"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_CODECS = 'pip install "usmicro[codecs]"'


@dataclass(frozen=True)
class Pixels:
    """What it takes to decode the frames of one file."""

    path: Path
    header: Any
    """pydicom.Dataset with the image and palette attributes."""
    options: dict[str, Any]
    """Of pydicom's decoders, for one frame."""
    syntax: str
    places: tuple[list[Stretch], ...]
    """Where the frames lie in the file."""
    promised: int
    largest_inflated: int
    """In MB."""
    plugin: str = ""

    def encoded(self, file: BinaryIO, index: int) -> bytes:
        """Read the bytes of one frame."""
        parts = []
        for offset, length in self.places[index]:
            if self.swapped:  # words, which two frames of odd length share
                before = (offset - self.places[0][0][0]) % 2
                file.seek(offset - before)
                words = np.frombuffer(file.read((before + length + 1) // 2 * 2), dtype=np.uint16)
                parts.append(words.byteswap().tobytes()[before : before + length])
                continue
            file.seek(offset)
            parts.append(file.read(length))
        return b"".join(parts)

    @property
    def swapped(self) -> bool:
        """Whether bytes are stored as big-endian words."""
        return (
            self.syntax == _BIG_ENDIAN
            and self.options["pixel_vr"] == "OW"
            and self.options["bits_allocated"] == 8
        )

    @property
    def bits(self) -> int:
        """Bits stored of a value."""
        return int(self.options["bits_stored"])

    @property
    def grey(self) -> bool:
        """Whether the values are grey levels."""
        return str(self.options["photometric_interpretation"]).startswith("MONOCHROME")


def with_plugin(pixels: Pixels) -> tuple[Pixels, str, list[str]]:
    """Choose the plug-in that decodes the first frame, and with it all frames.

    Returns
    -------
    pixels : Pixels
    decoder : str
        Library, plug-in and transfer syntax, for `Scan.decoder`.
    notes : list of str

    Raises
    ------
    CodecError
        If no installed plug-in knows the transfer syntax.
    ScanError
        If the first frame cannot be decoded.
    """
    import pydicom
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    name = uid_name(pixels.syntax)
    try:
        decoder = get_decoder(UID(pixels.syntax))
    except NotImplementedError:
        raise CodecError(
            f"{pixels.path}: the transfer syntax {name} is not one that pydicom decodes; convert the file"
        ) from None
    if not decoder.is_encapsulated:
        return pixels, f"pydicom {pydicom.__version__}, {name}", []
    order = _ORDER_JPEG if pixels.syntax in (_JPEG_BASELINE, _JPEG_EXTENDED) else _ORDER
    available = sorted(decoder.available_plugins, key=order.index)
    if pixels.syntax in (_JPEG_BASELINE, _JPEG_EXTENDED) and pixels.bits <= 8:
        available = [
            plugin for plugin in available if plugin == "pillow"
        ]  # what it refuses is damaged, and ends the process in GDCM
    with pixels.path.open("rb") as file:
        first = pixels.encoded(file, 0)
    if available:
        _check_stream(pixels, first, 0)
    failures = []
    for plugin in available:
        chosen = replace(pixels, plugin=plugin)
        try:
            with decoding(pixels.path, "the first frame cannot be decoded") as caught:
                _values(chosen, first)
        except ScanError as error:
            failures.append(f"{plugin} ({str(error).removeprefix(f'{pixels.path}: ')})")
            continue
        notes = warned(caught)
        if failures:
            notes.append(f"decoded by {plugin} after {failures[0]} failed")
        return chosen, f"pydicom {pydicom.__version__} with {plugin}, {name}", notes
    tried = f"; tried {'; '.join(failures)}" if failures else ""
    remedy = next(
        (module for module, syntaxes in _REMEDIES.items() if pixels.syntax in syntaxes), None
    )
    if remedy is not None and find_spec(remedy) is None:
        raise CodecError(
            f"{pixels.path}: no installed package decodes {name} ({pixels.syntax}){tried}. Install what does: {_CODECS}"
        )
    if pixels.syntax == _JPEG_EXTENDED and pixels.bits > 8:
        raise CodecError(
            f"{pixels.path}: no package that usmicro may use decodes {pixels.bits}-bit {name}; "
            "decompress the file first, for example with dcmdjpeg of DCMTK"
        )
    raise ScanError(
        f"{pixels.path}: the first frame, {name}, cannot be decoded; the file is damaged{tried}"
    )


def depth_notes(pixels: Pixels) -> list[str]:
    """Say how values of another depth than 8 bits become brightness."""
    notes: list[str] = []
    window = _window(pixels)
    if pixels.options["photometric_interpretation"] == "PALETTE COLOR":
        return notes
    if pixels.bits > 8 or pixels.options["pixel_representation"]:
        if window:
            notes.append(
                f"{pixels.bits}-bit pixels were stretched from the window {window[0]:g} to {window[1]:g}"
            )
        elif pixels.bits < 16 and not pixels.options["pixel_representation"]:
            notes.append(f"{pixels.bits}-bit pixels were stretched to 16 bits")
        else:
            notes.append(
                "16-bit pixels were stretched so that the highest bit used in the file is the top bit"
            )
    elif window and window[1] - window[0] < 0.9 * (2**pixels.bits - 1):
        notes.append(
            f"the window {window[0]:g} to {window[1]:g} is not applied to {pixels.bits}-bit pixels"
        )
    if "ModalityLUTSequence" in pixels.header:
        notes.append("the modality look-up table is not applied")
    return notes


def frames(pixels: Pixels, *, keep_truncated: bool) -> Iterator[Frame]:
    """Yield the frames one at a time.

    Raises
    ------
    ScanError
        If a frame cannot be decoded or, unless `keep_truncated`, after the last frame if the file holds fewer than it promises.
    """
    black_white = _range(pixels)
    for values, photometric in _decoded(pixels):
        yield _frame(pixels, values, photometric, *black_white)
    there = len(pixels.places)
    if there < pixels.promised and not keep_truncated:
        raise ScanError(
            f"{pixels.path}: {there} of {pixels.promised} frames could be read; the file is truncated; copy it again from its source, "
            "or set loading.keep_truncated = true to use the frames that are there"
        )


def _decoded(pixels: Pixels) -> Iterator[tuple[Frame, str]]:
    with pixels.path.open("rb") as file:
        source = inflated(file, pixels.largest_inflated) if is_deflated(file) else file
        for index in range(len(pixels.places)):
            data = pixels.encoded(source, index)
            _check_stream(pixels, data, index)
            with decoding(
                pixels.path,
                f"frame {index + 1} of {pixels.promised} cannot be decoded; the file is damaged",
            ):
                values, photometric = _values(pixels, data)
            yield values, photometric


def _check_stream(pixels: Pixels, data: bytes, index: int) -> None:
    """Refuse a stream of another size than the header's before it is decoded: a small one may unfold to any size."""
    from pydicom.uid import UID

    if pixels.syntax == _RLE or not UID(pixels.syntax).is_encapsulated:
        return
    coded, stated = coded_size(data), (pixels.options["rows"], pixels.options["columns"])
    if coded != stated:
        found = "no JPEG stream" if coded is None else f"{coded[0]} rows x {coded[1]} columns"
        raise ScanError(
            f"{pixels.path}: frame {index + 1} of {pixels.promised} holds {found} where the header says {stated[0]} rows x {stated[1]} "
            "columns; the file is damaged"
        )


def _values(pixels: Pixels, data: bytes) -> tuple[Frame, str]:
    """Decode one frame: stored values and their photometric interpretation, RGB if it was YBR."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(pixels.syntax))
    if decoder.is_encapsulated:
        data = encapsulate([data], has_bot=False)
    options = {**pixels.options, "pixel_vr": "OB"} if pixels.swapped else pixels.options
    values, properties = decoder.as_array(
        data, index=0, decoding_plugin=pixels.plugin, raw=True, **options
    )
    photometric = str(properties["photometric_interpretation"])
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        return _rgb_of_ybr(values), "RGB"
    return values, photometric


def _rgb_of_ybr(values: Frame) -> Frame:
    """RGB of luminance, blue and red chrominance, 8 bit; pydicom's own conversion takes as long as the whole decoding."""
    from usmicro.kernels.colour import rgb_of_ybr

    frame = np.ascontiguousarray(values)
    out = np.empty_like(frame)
    rgb_of_ybr(frame, out)
    return out


def _frame(pixels: Pixels, values: Frame, photometric: str, black: float, white: float) -> Frame:
    if photometric == "PALETTE COLOR":
        return _palette(pixels, values)
    if photometric not in (
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "YBR_RCT",
        "YBR_ICT",
    ):  # the last two are RGB once decoded
        known = (
            f" {photometric}"
            if photometric in ("HSV", "ARGB", "CMYK", "XYB") or photometric.startswith("YBR_")
            else ""
        )
        raise ScanError(
            f"{pixels.path}: the photometric interpretation{known} is not read; convert the file to RGB or MONOCHROME2"
        )
    frame: Frame = stretch(values, black, white)
    with decoding(pixels.path, "expected a number as its rescale slope; the header is damaged"):
        slope = float(pixels.header.get("RescaleSlope") or 1)
    inverted = pixels.grey and (photometric == "MONOCHROME1") != (slope < 0)
    return np.asarray(np.invert(frame)) if inverted else frame


def _palette(pixels: Pixels, values: Frame) -> Frame:
    """Colours of a palette image: 8 bits unless the indices have more."""
    from pydicom.pixels import apply_color_lut

    with decoding(pixels.path, "the colour palette cannot be read; the file is damaged"):
        colours: Frame = apply_color_lut(values, pixels.header)
    if colours.dtype == np.uint16 and pixels.bits <= 8:
        # entries of 16 bits hold the colour in the upper byte; some files have it in the lower one only
        colours = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
    return colours


def _range(pixels: Pixels) -> tuple[float, float]:
    """Values that become black and white, one pair for all frames of a file."""
    signed = bool(pixels.options["pixel_representation"])
    if pixels.options["photometric_interpretation"] == "PALETTE COLOR":
        return 0, 255
    if pixels.bits > 8 and (window := _window(pixels)):
        return window
    if pixels.bits < 16 and not signed:
        return 0, 2**pixels.bits - 1
    return used_range(values for values, _ in _decoded(pixels))


def _window(pixels: Pixels) -> tuple[float, float] | None:
    """Stored values at the ends of the first linear window of a grey image (DICOM PS3.3 C.11.2.1.2.1)."""
    header = pixels.header
    if not pixels.grey:
        return None
    try:
        centre, width = (
            np.atleast_1d(np.asarray(header[key].value, dtype=float))[0]
            for key in ("WindowCenter", "WindowWidth")
        )
        slope, intercept = (
            float(header.get("RescaleSlope") or 1),
            float(header.get("RescaleIntercept") or 0),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not (np.isfinite([centre, width, slope, intercept]).all() and width > 1 and slope != 0):
        return None
    ends = sorted(((centre - 0.5 + side * (width - 1) / 2) - intercept) / slope for side in (-1, 1))
    return float(ends[0]), float(ends[1])
