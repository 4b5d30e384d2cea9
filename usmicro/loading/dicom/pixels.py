"""Decoding of the stored pixels of a DICOM file, one frame at a time.

pydicom decodes all frames with one plug-in, which is selected and recorded when the file is
loaded. Without a selection pydicom may change the plug-in, and with it the pixels, within a file.

The plug-ins return the stored words: without conversion of colours, and without a sign. What the
words mean is decided in `display`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.dicom.coded_frame import CodedFrame, Family, read_coded_frame
from usmicro.loading.dicom.fragments import ByteRange, inflate, is_deflated
from usmicro.loading.formats import DAMAGED, scan_errors, uid_name, warning_texts
from usmicro.model.arrays import Frame

_PLUGIN_ORDER = ("pydicom", "pyjpegls", "pylibjpeg", "gdcm", "pillow")
"""Order in which the plug-ins of pydicom are tried."""
_LOSSY_JPEG_PLUGIN_ORDER = ("pillow", *_PLUGIN_ORDER)
"""Order for lossy JPEG. Pillow comes first because it is always installed, so the pixels do not
depend on the optional packages."""
_JPEG = "1.2.840.10008.1.2.4."
"""Root of the transfer syntaxes of all JPEG standards."""
_FAMILY_SYNTAXES: dict[Family, tuple[int, ...]] = {
    "JPEG": (50, 51),
    "lossless JPEG": (70, 57),
    "JPEG-LS": (80, 81),
    "JPEG 2000": (90, 91, 92, 93),
    "High-Throughput JPEG 2000": (201, 202, 203),
}
"""Last numbers of the transfer syntaxes of each kind of stream; the decoder of the first decodes
every stream of its kind."""
_OPTIONAL_MODULES: dict[str, tuple[Family, ...]] = {
    "gdcm": ("lossless JPEG",),
    "jpeg_ls": ("JPEG-LS",),
    "openjpeg": ("JPEG 2000", "High-Throughput JPEG 2000"),
}
"""Kinds of streams that need an optional package, by the module that the package installs."""
_RLE = "1.2.840.10008.1.2.5"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_INSTALL_CODECS = 'pip install "usmicro[codecs]"'


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
    def photometric(self) -> str:
        """Photometric interpretation in the header."""
        return str(self.options["photometric_interpretation"])

    @property
    def is_coded(self) -> bool:
        """True if each frame is a JPEG, JPEG-LS or JPEG 2000 stream."""
        return self.syntax.startswith(_JPEG)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """The words of a decoded frame, without any conversion."""

    words: Frame
    """Shape (rows, columns) or (rows, columns, 3); uint8 or uint16. Signed values are in two's
    complement of `word_bits`."""
    word_bits: int
    """Number of bits of a word: BitsAllocated, or the precision of a compressed stream."""
    coded: CodedFrame | None = None
    """Header of the compressed stream."""


def select_plugin(pixels: EncodedPixels) -> tuple[EncodedPixels, StoredFrame, str, list[str]]:
    """Select a plug-in that decodes the first frame; all frames are decoded with it.

    Returns
    -------
    pixels : EncodedPixels
        The same pixels with the plug-in, and with the transfer syntax of the stream if the header
        names another kind of JPEG.
    first : StoredFrame
        The first frame.
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

    data = _first_frame_bytes(pixels)
    pixels, coded, notes = _stream_syntax(pixels, data)
    available = _available_plugins(pixels, coded)
    name = uid_name(pixels.syntax)
    if available == [""]:
        with scan_errors(pixels.path, "the first frame cannot be decoded"):
            first = _decode(pixels, data, 0)
        return pixels, first, f"pydicom {pydicom.__version__}, {name}", notes
    failures: list[str] = []
    for plugin in available:
        selected = replace(pixels, plugin=plugin)
        try:
            with scan_errors(pixels.path, plugin, remedy="") as caught:
                first = _decode(selected, data, 0)
        except ScanError as error:
            failures.append(str(error).removeprefix(f"{pixels.path}: "))
            continue
        notes += warning_texts(caught)
        if failures:
            notes.append(f"decoded by {plugin}, because another plug-in failed ({failures[0]})")
        return selected, first, f"pydicom {pydicom.__version__} with {plugin}, {name}", notes
    raise _decoding_error(pixels, coded, failures)


def _first_frame_bytes(pixels: EncodedPixels) -> bytes:
    """Read the encoded bytes of the first frame."""
    with pixels.path.open("rb") as file:
        source = inflate(file, pixels.largest_inflated) if is_deflated(file) else file
        return pixels.frame_bytes(source, 0)


def _stream_syntax(
    pixels: EncodedPixels, data: bytes
) -> tuple[EncodedPixels, CodedFrame | None, list[str]]:
    """Replace the transfer syntax if the first frame is another kind of JPEG stream."""
    coded = read_coded_frame(data) if pixels.is_coded else None
    if coded is None:
        return pixels, None, []
    if _family_of(pixels.syntax) == coded.family:
        return pixels, coded, []
    note = (
        f"the transfer syntax is {uid_name(pixels.syntax)}, but the frames are {coded.family}; "
        "decoded as that"
    )
    syntax = f"{_JPEG}{_FAMILY_SYNTAXES[coded.family][0]}"
    return replace(pixels, syntax=syntax), coded, [note]


def _family_of(syntax: str) -> Family | None:
    """Return the kind of streams of a transfer syntax; None if it is not one of JPEG."""
    number = syntax.removeprefix(_JPEG)
    return next(
        (family for family, numbers in _FAMILY_SYNTAXES.items() if number in map(str, numbers)),
        None,
    )


def _available_plugins(pixels: EncodedPixels, coded: CodedFrame | None) -> list[str]:
    """Return the plug-ins that may decode a file, best first; [""] for uncompressed pixels.

    Raises
    ------
    CodecError
        If pydicom does not know the transfer syntax.
    """
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(UID(pixels.syntax))
    except NotImplementedError:
        raise CodecError(
            f"{pixels.path}: pydicom does not decode the transfer syntax {uid_name(pixels.syntax)};"
            " convert the file to Explicit VR Little Endian"
        ) from None
    if not decoder.is_encapsulated:
        return [""]
    is_lossy_jpeg = coded is not None and coded.family == "JPEG"
    order = _LOSSY_JPEG_PLUGIN_ORDER if is_lossy_jpeg else _PLUGIN_ORDER
    available = sorted(decoder.available_plugins, key=order.index)
    if is_lossy_jpeg and coded is not None and coded.precision <= 8:
        # a stream that Pillow refuses is damaged, and a damaged stream ends the process in GDCM
        available = [plugin for plugin in available if plugin == "pillow"]
    if available:
        _check_coded_frame(pixels, coded, 0)
    return available


def _decoding_error(
    pixels: EncodedPixels, coded: CodedFrame | None, failures: list[str]
) -> CodecError | ScanError:
    """Return the error of a file that no plug-in decodes."""
    name = uid_name(pixels.syntax)
    reasons = f" ({'; '.join(failures)})" if failures else ""
    family = _family_of(pixels.syntax)
    module = next((name for name, kinds in _OPTIONAL_MODULES.items() if family in kinds), None)
    if module is not None and find_spec(module) is None:
        return CodecError(
            f"{pixels.path}: no installed package decodes {name} ({pixels.syntax})"
            f"{reasons}; install one: {_INSTALL_CODECS}"
        )
    if family == "JPEG" and coded is not None and coded.precision > 8:
        return CodecError(
            f"{pixels.path}: no package that usmicro uses decodes {coded.precision}-bit "
            f"{name}; decompress the file first, for example with dcmdjpeg of DCMTK"
        )
    return ScanError(
        f"{pixels.path}: the first frame, {name}, cannot be decoded{reasons}; {DAMAGED}"
    )


def stored_frames(pixels: EncodedPixels) -> Iterator[StoredFrame]:
    """Yield the words of each frame.

    Raises
    ------
    ScanError
        If a frame cannot be decoded.
    """
    with pixels.path.open("rb") as file:
        source = inflate(file, pixels.largest_inflated) if is_deflated(file) else file
        for index in range(len(pixels.frame_ranges)):
            data = pixels.frame_bytes(source, index)
            problem = f"frame {index + 1} of {pixels.declared_frames} cannot be decoded"
            with scan_errors(pixels.path, problem):
                frame = _decode(pixels, data, index)
            yield frame


def _check_coded_frame(pixels: EncodedPixels, coded: CodedFrame | None, index: int) -> None:
    """Refuse a compressed stream that is not the frame that the header describes.

    The check comes before decoding, since a small stream may decode to an image of any size.

    Raises
    ------
    ScanError
    """
    if not pixels.is_coded:
        return
    header_size = (pixels.options["rows"], pixels.options["columns"])
    which = f"{pixels.path}: frame {index + 1} of {pixels.declared_frames}"
    if coded is None or (coded.rows, coded.columns) != header_size:
        found = (
            "no JPEG stream" if coded is None else f"{coded.rows} rows x {coded.columns} columns"
        )
        raise ScanError(
            f"{which} contains {found}, "
            f"expected {header_size[0]} rows x {header_size[1]} columns as in the header; {DAMAGED}"
        )
    problem = coded.problem
    if coded.components not in (1, 3):
        problem = f"it has {coded.components} components, expected 1 or 3"
    elif not 1 <= coded.precision <= 16:
        problem = f"it has {coded.precision} bits, expected 1 to 16"
    if problem:
        raise ScanError(
            f"{which} is a {coded.family} stream that is not read: {problem}; "
            "export the file again uncompressed"
        )


def _decode(pixels: EncodedPixels, data: bytes, index: int) -> StoredFrame:
    """Decode one frame to its stored words."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    coded = read_coded_frame(data) if pixels.is_coded else None
    _check_coded_frame(pixels, coded, index)
    options = _word_options(pixels, coded)
    if pixels.is_coded or pixels.syntax == _RLE:
        data = encapsulate([data if coded is None else coded.stream], has_bot=False)
    values, _ = get_decoder(UID(pixels.syntax)).as_array(
        data, index=0, decoding_plugin=pixels.plugin, raw=True, **options
    )
    word_bits = options["bits_allocated"] if coded is None else coded.precision
    words = values.astype(values.dtype.newbyteorder("="), copy=False)
    words = words.view(f"u{words.dtype.itemsize}")
    if coded is not None and coded.is_signed:
        words = words & np.asarray((1 << word_bits) - 1, words.dtype)
    if coded is not None and coded.order:
        words = words[..., list(coded.order)]
    return StoredFrame(words, word_bits, coded)


def _word_options(pixels: EncodedPixels, coded: CodedFrame | None) -> dict[str, Any]:
    """Return options of pydicom with which every plug-in returns the stored words."""
    options = {**pixels.options, "correct_unused_bits": False, "pixel_representation": 0}
    if pixels.is_byte_swapped:
        options["pixel_vr"] = "OB"
    is_subsampled = not pixels.is_coded and pixels.photometric == "YBR_FULL_422"
    if coded is not None:
        options["samples_per_pixel"] = coded.components
        options["bits_allocated"] = 8 if coded.precision <= 8 else 16
        options["pixel_representation"] = int(coded.is_signed)
    if coded is not None or is_subsampled:
        options["planar_configuration"] = 0  # the order of the stream, whatever the header says
    # the plug-ins take the precision from the stream; another one ends the process in GDCM
    options["bits_stored"] = options["bits_allocated"]
    if not (is_subsampled and pixels.syntax != _RLE):
        is_colour = options["samples_per_pixel"] == 3
        options["photometric_interpretation"] = "RGB" if is_colour else "MONOCHROME2"
    return options
