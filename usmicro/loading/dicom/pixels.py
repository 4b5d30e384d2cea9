"""Decoding of the pixels of a DICOM file, one frame at a time.

pydicom decodes all frames with one plug-in, which is selected and recorded when the file is
loaded. Without a selection pydicom may change the plug-in, and with it the pixels, within a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.bit_depth import rescale, used_value_range
from usmicro.loading.dicom.fragments import ByteRange, inflate, is_deflated
from usmicro.loading.dicom.jpeg_header import coded_size
from usmicro.loading.formats import DAMAGED, scan_errors, uid_name, warning_texts
from usmicro.model.arrays import Frame

_PLUGIN_ORDER = ("pydicom", "pyjpegls", "pylibjpeg", "gdcm", "pillow")
"""Order in which the plug-ins of pydicom are tried."""
_LOSSY_JPEG_PLUGIN_ORDER = ("pillow", *_PLUGIN_ORDER)
"""Order for lossy JPEG. Pillow comes first because it is always installed, so the pixels do not
depend on the optional packages."""
_JPEG_BASELINE, _JPEG_EXTENDED = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51))
_OPTIONAL_MODULES = {
    module: tuple(f"1.2.840.10008.1.2.4.{number}" for number in numbers)
    for module, numbers in {
        "gdcm": (57, 70),
        "jpeg_ls": (80, 81),
        "openjpeg": (90, 91, 201, 202, 203),
    }.items()
}
"""Transfer syntaxes that need an optional package, by the module of that package."""
_RLE = "1.2.840.10008.1.2.5"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_INSTALL_CODECS = 'pip install "usmicro[codecs]"'
_OTHER_INTERPRETATIONS = ("HSV", "ARGB", "CMYK", "XYB")
"""Photometric interpretations of the DICOM standard that are not read, besides some of YBR."""
_NARROW_WINDOW = 0.9
"""A window on 8-bit pixels gets a note if it is narrower than this fraction of the value range.
Chosen by eye; no measurement is recorded."""


@dataclass(frozen=True)
class EncodedPixels:
    """The pixel data of one file, and the options with which pydicom decodes it."""

    path: Path
    header: Any
    """pydicom.Dataset with the image and palette attributes."""
    options: dict[str, Any]
    """Options of pydicom's decoders for one frame."""
    syntax: str
    """UID of the transfer syntax."""
    frame_ranges: tuple[list[ByteRange], ...]
    """Positions of the frames in the file; in a deflated file, in its inflated data set."""
    declared_frames: int
    """Number of frames in the header."""
    largest_inflated: int
    """Largest accepted size of an inflated data set, MB."""
    plugin: str = ""
    """Plug-in of pydicom that decodes the frames; empty for uncompressed pixels."""

    def frame_bytes(self, file: BinaryIO, index: int) -> bytes:
        """Read the encoded bytes of one frame."""
        parts = []
        for offset, length in self.frame_ranges[index]:
            if self.is_byte_swapped:  # a 16-bit word may contain bytes of two frames
                before = (offset - self.frame_ranges[0][0][0]) % 2
                file.seek(offset - before)
                words = np.frombuffer(file.read((before + length + 1) // 2 * 2), dtype=np.uint16)
                parts.append(words.byteswap().tobytes()[before : before + length])
                continue
            file.seek(offset)
            parts.append(file.read(length))
        return b"".join(parts)

    @property
    def is_byte_swapped(self) -> bool:
        """True if 8-bit pixels are stored in big-endian 16-bit words."""
        return (
            self.syntax == _BIG_ENDIAN
            and self.options["pixel_vr"] == "OW"
            and self.options["bits_allocated"] == 8
        )

    @property
    def bits_stored(self) -> int:
        """Bit depth of the stored values."""
        return int(self.options["bits_stored"])

    @property
    def is_grey(self) -> bool:
        """True if the values are grey levels."""
        return str(self.options["photometric_interpretation"]).startswith("MONOCHROME")


def select_plugin(pixels: EncodedPixels) -> tuple[EncodedPixels, str, list[str]]:
    """Select a plug-in that decodes the first frame; all frames are decoded with it.

    Returns
    -------
    pixels : EncodedPixels
        The same pixels with the plug-in.
    decoder : str
        Library, plug-in and transfer syntax, for `Scan.decoder`.
    notes : list of str

    Raises
    ------
    CodecError
        If no installed plug-in decodes the transfer syntax.
    ScanError
        If the first frame cannot be decoded.
    """
    import pydicom
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    syntax_name = uid_name(pixels.syntax)
    try:
        decoder = get_decoder(UID(pixels.syntax))
    except NotImplementedError:
        raise CodecError(
            f"{pixels.path}: pydicom does not decode the transfer syntax {syntax_name}; "
            "convert the file to Explicit VR Little Endian"
        ) from None
    if not decoder.is_encapsulated:
        return pixels, f"pydicom {pydicom.__version__}, {syntax_name}", []
    is_lossy_jpeg = pixels.syntax in (_JPEG_BASELINE, _JPEG_EXTENDED)
    order = _LOSSY_JPEG_PLUGIN_ORDER if is_lossy_jpeg else _PLUGIN_ORDER
    available = sorted(decoder.available_plugins, key=order.index)
    if is_lossy_jpeg and pixels.bits_stored <= 8:
        # a stream that Pillow refuses is damaged, and a damaged stream ends the process in GDCM
        available = [plugin for plugin in available if plugin == "pillow"]
    with pixels.path.open("rb") as file:
        first = pixels.frame_bytes(file, 0)
    if available:
        _check_coded_size(pixels, first, 0)
    failures = []
    for plugin in available:
        selected = replace(pixels, plugin=plugin)
        try:
            with scan_errors(pixels.path, plugin, remedy="") as caught:
                _decode(selected, first)
        except ScanError as error:
            failures.append(str(error).removeprefix(f"{pixels.path}: "))
            continue
        notes = warning_texts(caught)
        if failures:
            notes.append(f"decoded by {plugin}, because another plug-in failed ({failures[0]})")
        return selected, f"pydicom {pydicom.__version__} with {plugin}, {syntax_name}", notes
    reasons = f" ({'; '.join(failures)})" if failures else ""
    modules = (name for name, syntaxes in _OPTIONAL_MODULES.items() if pixels.syntax in syntaxes)
    module = next(modules, None)
    if module is not None and find_spec(module) is None:
        raise CodecError(
            f"{pixels.path}: no installed package decodes {syntax_name} ({pixels.syntax})"
            f"{reasons}; install one: {_INSTALL_CODECS}"
        )
    if pixels.syntax == _JPEG_EXTENDED and pixels.bits_stored > 8:
        raise CodecError(
            f"{pixels.path}: no package that usmicro uses decodes {pixels.bits_stored}-bit "
            f"{syntax_name}; decompress the file first, for example with dcmdjpeg of DCMTK"
        )
    raise ScanError(
        f"{pixels.path}: the first frame, {syntax_name}, cannot be decoded{reasons}; {DAMAGED}"
    )


def bit_depth_notes(pixels: EncodedPixels) -> list[str]:
    """Return notes on the conversion of stored values to brightness where it is not obvious."""
    notes: list[str] = []
    window = _window(pixels)
    bits, is_signed = pixels.bits_stored, pixels.options["pixel_representation"]
    if pixels.options["photometric_interpretation"] == "PALETTE COLOR":
        return notes
    if bits > 8 or is_signed:
        if window:
            notes.append(
                f"{bits}-bit pixels were rescaled from the window {window[0]:g} to {window[1]:g}"
            )
        elif bits < 16 and not is_signed:
            notes.append(f"{bits}-bit pixels were rescaled to 16 bits")
        else:
            notes.append(
                "16-bit pixels were rescaled so that the highest bit used in the file "
                "is the top bit"
            )
    elif window and window[1] - window[0] < _NARROW_WINDOW * (2**bits - 1):
        notes.append(
            f"the window {window[0]:g} to {window[1]:g} is not applied to {bits}-bit pixels"
        )
    if "ModalityLUTSequence" in pixels.header:
        notes.append("the modality look-up table is not applied")
    return notes


def decoded_frames(pixels: EncodedPixels, *, keep_truncated: bool) -> Iterator[Frame]:
    """Yield the frames one at a time.

    Yields
    ------
    array, shape (rows, columns) or (rows, columns, 3) RGB, uint8 or uint16

    Raises
    ------
    ScanError
        If a frame cannot be decoded. Also after the last frame if the file has fewer frames than
        it declares, unless `keep_truncated`.
    """
    black, white = _black_and_white(pixels)
    for values, photometric in _stored_frames(pixels):
        yield _display_frame(pixels, values, photometric, black, white)
    count = len(pixels.frame_ranges)
    if count < pixels.declared_frames and not keep_truncated:
        raise ScanError(
            f"{pixels.path}: {count} of {pixels.declared_frames} frames could be read; "
            "the file is truncated: copy it again from its source, "
            "or set loading.keep_truncated = true to use the frames that could be read"
        )


def _stored_frames(pixels: EncodedPixels) -> Iterator[tuple[Frame, str]]:
    """Yield the stored values of each frame and their photometric interpretation."""
    with pixels.path.open("rb") as file:
        source = inflate(file, pixels.largest_inflated) if is_deflated(file) else file
        for index in range(len(pixels.frame_ranges)):
            data = pixels.frame_bytes(source, index)
            _check_coded_size(pixels, data, index)
            problem = f"frame {index + 1} of {pixels.declared_frames} cannot be decoded"
            with scan_errors(pixels.path, problem):
                values, photometric = _decode(pixels, data)
            yield values, photometric


def _check_coded_size(pixels: EncodedPixels, data: bytes, index: int) -> None:
    """Refuse a compressed stream whose size differs from that in the header.

    The check comes before decoding, since a small stream may decode to an image of any size.

    Raises
    ------
    ScanError
    """
    from pydicom.uid import UID

    if pixels.syntax == _RLE or not UID(pixels.syntax).is_encapsulated:
        return
    coded, header_size = coded_size(data), (pixels.options["rows"], pixels.options["columns"])
    if coded != header_size:
        found = "no JPEG stream" if coded is None else f"{coded[0]} rows x {coded[1]} columns"
        raise ScanError(
            f"{pixels.path}: frame {index + 1} of {pixels.declared_frames} contains {found}, "
            f"expected {header_size[0]} rows x {header_size[1]} columns as in the header; {DAMAGED}"
        )


def _decode(pixels: EncodedPixels, data: bytes) -> tuple[Frame, str]:
    """Decode one frame.

    Returns
    -------
    values : array, shape (rows, columns) or (rows, columns, 3)
        Stored values; YBR is converted to RGB.
    photometric : str
        Photometric interpretation of the values.
    """
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(pixels.syntax))
    if decoder.is_encapsulated:
        data = encapsulate([data], has_bot=False)
    options = {**pixels.options, "pixel_vr": "OB"} if pixels.is_byte_swapped else pixels.options
    values, properties = decoder.as_array(
        data, index=0, decoding_plugin=pixels.plugin, raw=True, **options
    )
    photometric = str(properties["photometric_interpretation"])
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        return _rgb_of_ybr(values), "RGB"
    return values, photometric


def _rgb_of_ybr(values: Frame) -> Frame:
    """Convert 8-bit luminance, blue and red chrominance to RGB.

    The conversion of pydicom takes as long as all the rest of decoding.
    """
    from usmicro.kernels.colour import rgb_of_ybr

    frame = np.ascontiguousarray(values)
    out = np.empty_like(frame)
    rgb_of_ybr(frame, out)
    return out


def _display_frame(
    pixels: EncodedPixels, values: Frame, photometric: str, black: float, white: float
) -> Frame:
    """Convert the stored values of a frame for display; bright is echogenic.

    `black` and `white` are the stored values at the ends of the display range.
    """
    if photometric == "PALETTE COLOR":
        return _palette_colours(pixels, values)
    # YBR_RCT and YBR_ICT are RGB once decoded
    if photometric not in ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_RCT", "YBR_ICT"):
        # other texts are not repeated: in a damaged header they may be a name
        is_standard = photometric.startswith("YBR_") or photometric in _OTHER_INTERPRETATIONS
        found = f"the photometric interpretation{f' {photometric}' if is_standard else ''}"
        raise ScanError(
            f"{pixels.path}: {found} is not read; convert the file to RGB or MONOCHROME2"
        )
    frame: Frame = rescale(values, black, white)
    with scan_errors(pixels.path, "expected a number as RescaleSlope"):
        slope = float(pixels.header.get("RescaleSlope") or 1)
    inverted = pixels.is_grey and (photometric == "MONOCHROME1") != (slope < 0)
    return np.asarray(np.invert(frame)) if inverted else frame


def _palette_colours(pixels: EncodedPixels, values: Frame) -> Frame:
    """Return the colours of palette indices; uint8 unless the indices have more than 8 bits."""
    from pydicom.pixels import apply_color_lut

    with scan_errors(pixels.path, "the colour palette cannot be read"):
        colours: Frame = apply_color_lut(values, pixels.header)
    if colours.dtype == np.uint16 and pixels.bits_stored <= 8:
        # 16-bit entries have the colour in the upper byte, in some files in the lower byte only
        colours = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
    return colours


def _black_and_white(pixels: EncodedPixels) -> tuple[float, float]:
    """Return the stored values that become black and white in all frames of a file."""
    is_signed = bool(pixels.options["pixel_representation"])
    if pixels.options["photometric_interpretation"] == "PALETTE COLOR":
        return 0, 255
    if pixels.bits_stored > 8 and (window := _window(pixels)):
        return window
    if pixels.bits_stored < 16 and not is_signed:
        return 0, 2**pixels.bits_stored - 1
    return used_value_range(values for values, _ in _stored_frames(pixels))


def _window(pixels: EncodedPixels) -> tuple[float, float] | None:
    """Return the stored values at the ends of the first linear window of a grey image.

    The result is None if there is no valid window.

    References
    ----------
    DICOM PS3.3 C.11.2.1.2.1.
    """
    header = pixels.header
    if not pixels.is_grey:
        return None
    try:
        centre, width = (
            np.atleast_1d(np.asarray(header[key].value, dtype=float))[0]
            for key in ("WindowCenter", "WindowWidth")
        )
        slope = float(header.get("RescaleSlope") or 1)
        intercept = float(header.get("RescaleIntercept") or 0)
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not (np.isfinite([centre, width, slope, intercept]).all() and width > 1 and slope != 0):
        return None
    ends = sorted(((centre - 0.5 + side * (width - 1) / 2) - intercept) / slope for side in (-1, 1))
    return float(ends[0]), float(ends[1])
