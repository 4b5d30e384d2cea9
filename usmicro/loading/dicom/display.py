"""Conversion of the stored words of a DICOM file to the frames of a scan.

What the words mean is decided once, from the header, the compressed stream and the first frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from usmicro.errors import ScanError
from usmicro.loading.dicom.bit_layout import BitLayout, find_layout
from usmicro.loading.dicom.coded_frame import ColourClaim
from usmicro.loading.dicom.colour import decide_colour, is_other_order
from usmicro.loading.dicom.grey_levels import GreyLevels, grey_levels, unwindowed_levels
from usmicro.loading.dicom.jp2_boxes import ColourModel
from usmicro.loading.dicom.lookup_tables import palette
from usmicro.loading.dicom.pixels import (
    EncodedPixels,
    StoredFrame,
    select_plugin,
    stored_frames,
)
from usmicro.loading.formats import DAMAGED, scan_errors
from usmicro.model.arrays import Frame
from usmicro.model.pixel_values import used_value_range
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_PALETTE = "PALETTE COLOR"
_MOST_BLANK = 20
"""Number of frames in which one that is not blank is searched. Chosen by judgement."""
_GROUPS_OF_GREY_LEVELS = {
    "FrameVOILUTSequence": "windows",
    "PixelValueTransformationSequence": "rescale slopes",
}
"""Functional groups of enhanced images that hold grey levels, and what they hold."""
_OTHER_INTERPRETATIONS = ("HSV", "ARGB", "CMYK", "XYB")
"""Photometric interpretations of the DICOM standard that are not read, besides some of YBR."""


@dataclass(frozen=True)
class DisplayedPixels:
    """The pixels of one file and how their stored words are displayed."""

    pixels: EncodedPixels
    layout: BitLayout
    components: int
    """1 or 3."""
    levels: GreyLevels | None = None
    """Brightness of each code; None for a palette."""
    colours: Frame | None = None
    """Colours of a palette, shape (codes, 3); None without palette."""
    model: ColourModel = "RGB"
    """Meaning of three components."""
    claims: tuple[ColourClaim, ...] = ()
    """What the stream of the first frame says about its colours."""

    @cached_property
    def table(self) -> Frame | None:
        """Output for each code: grey levels or colours; None if the codes are the output."""
        if self.levels is None:
            return self.colours
        ends = self.levels.ends
        if ends is None:
            values = self.levels.measure
            ends = used_value_range(
                values[self.layout.codes(frame.words)] for frame in stored_frames(self.pixels)
            )
        table = self.levels.table(ends)
        is_identity = table.dtype == np.uint8 and np.array_equal(table, np.arange(256))
        return None if is_identity else table

    def frame(self, stored: StoredFrame) -> Frame:
        """Return a frame for display; bright is echogenic."""
        codes = self.layout.codes(stored.words)
        if self.model_of(stored, codes) == "YCbCr":
            return rgb_of_ybr(codes)
        return codes if self.table is None else np.take(self.table, codes, axis=0)

    def model_of(self, stored: StoredFrame, codes: Frame) -> ColourModel:
        """Return the colour model of a frame, which differs if its stream says something else."""
        if self.components == 1 or stored.coded is None or stored.coded.claims == self.claims:
            return self.model
        upper = _upper_8_bits(codes, self.layout.bits)
        return decide_colour(self.pixels.photometric, stored.coded, upper)[0]


def open_pixels(pixels: EncodedPixels) -> tuple[DisplayedPixels, str, list[Remark]]:
    """Decode the first frame and decide how the pixels are displayed.

    Returns
    -------
    displayed : DisplayedPixels
    decoder : str
        Library, plug-in and transfer syntax, for `Scan.decoder`.
    remarks : list of Remark

    Raises
    ------
    CodecError
        If no installed plug-in decodes the transfer syntax.
    ScanError
        If the first frame cannot be decoded, or its colours or grey levels cannot be read.
    """
    _check_header(pixels)
    pixels, first, decoder, notes = select_plugin(pixels)
    remarks: list[Remark] = [*notes]
    if first.words.min() == first.words.max():  # a blank frame says nothing
        first = next(filter(_is_informative, islice(stored_frames(pixels), _MOST_BLANK)), first)
    pixels, first, order_notes = _with_order(pixels, first)
    remarks += order_notes
    components = 3 if first.words.ndim == 3 else 1
    if components != pixels.options["samples_per_pixel"]:
        remarks.append(
            f"the header says {pixels.options['samples_per_pixel']} components, "
            f"the compressed stream has {components}; read as such"
        )
    layout, layout_remarks = find_layout(
        first.words,
        first.word_bits,
        bits_stored=pixels.options["bits_stored"],
        high_bit=_high_bit(pixels),
        is_signed=components == 1 and _is_declared_as_signed(pixels, first),
    )
    remarks += layout_remarks
    displayed = DisplayedPixels(pixels, layout, components)
    codes = layout.codes(first.words)
    if components == 3:
        displayed, more = _colour(displayed, first, codes)
    elif pixels.photometric == _PALETTE:
        displayed, more = _palette(displayed, first)
    else:
        displayed, more = _grey(displayed, codes)
    return displayed, decoder, [*remarks, *more]


def decoded_frames(displayed: DisplayedPixels, *, keep_truncated: bool) -> Iterator[Frame]:
    """Yield the frames one at a time.

    Yields
    ------
    array, shape (rows, columns) or (rows, columns, 3) RGB, uint8 or uint16

    Raises
    ------
    ScanError
        If a frame cannot be decoded, or grey and colour frames are mixed. Also after the last frame
        if the file has fewer frames than it declares, unless `keep_truncated`.
    """
    pixels = displayed.pixels
    for number, stored in enumerate(stored_frames(pixels), 1):
        components = 3 if stored.words.ndim == 3 else 1
        if components != displayed.components:
            raise ScanError(
                f"{pixels.path}: frame {number} has {components} components, expected "
                f"{displayed.components} as in the first frame; split the file into one with grey "
                "and one with colour frames"
            )
        yield displayed.frame(stored)
    count = len(pixels.frame_ranges)
    if count < pixels.declared_frames and not keep_truncated:
        raise ScanError(
            f"{pixels.path}: {count} of {pixels.declared_frames} frames could be read; "
            "the file is truncated: copy it again from its source, "
            "or set loading.keep_truncated = true to use the frames that could be read"
        )


def rgb_of_ybr(values: Frame) -> Frame:
    """Convert 8-bit luminance, blue and red chrominance to RGB.

    The conversion of pydicom takes as long as all the rest of decoding.
    """
    from usmicro.kernels.colour import rgb_of_ybr as convert

    frame = np.ascontiguousarray(values)
    out = np.empty_like(frame)
    convert(frame, out)
    return out


def _check_header(pixels: EncodedPixels) -> None:
    """Refuse numbers of bits and photometric interpretations that are not read."""
    photometric, options = pixels.photometric, pixels.options
    if photometric not in (*_GREY, *_COLOUR, _PALETTE):
        # other texts are not repeated: in a damaged header they may be a name
        is_standard = photometric.startswith("YBR_") or photometric in _OTHER_INTERPRETATIONS
        found = f"the photometric interpretation{f' {photometric}' if is_standard else ''}"
        raise ScanError(
            f"{pixels.path}: {found} is not read; convert the file to RGB or MONOCHROME2"
        )
    allocated, stored, samples = (
        options[name] for name in ("bits_allocated", "bits_stored", "samples_per_pixel")
    )
    if not 1 <= stored <= allocated:
        raise ScanError(
            f"{pixels.path}: {stored} bits stored cannot be in {allocated} bits allocated; "
            f"{DAMAGED}"
        )
    if samples not in (1, 3):
        raise ScanError(
            f"{pixels.path}: expected 1 or 3 samples per pixel, found {samples}; "
            "convert the file to RGB or MONOCHROME2"
        )


def _is_informative(stored: StoredFrame) -> bool:
    """Return True if a frame is not blank."""
    return bool(stored.words.min() != stored.words.max())


def _is_declared_as_signed(pixels: EncodedPixels, first: StoredFrame) -> bool:
    """Return True if the header or the stream says that the pixels are signed.

    False for a palette: black does not tell the sign of its indices, but its first index does, in
    `_palette`.
    """
    is_signed = first.coded is not None and first.coded.is_signed
    return pixels.photometric != _PALETTE and (
        is_signed or bool(pixels.options["pixel_representation"])
    )


def _with_order(
    pixels: EncodedPixels, first: StoredFrame
) -> tuple[EncodedPixels, StoredFrame, list[str]]:
    """Correct the order of uncompressed colour components if the header contradicts the pixels."""
    planar = pixels.options["planar_configuration"]
    is_plain = not pixels.plugin and pixels.photometric != "YBR_FULL_422"
    if first.words.ndim == 2 or not is_plain or not is_other_order(first.words, planar):
        return pixels, first, []
    orders = ("by pixel", "by plane")
    note = (
        f"the header says that the colours are stored {orders[planar]}, "
        f"but they are stored {orders[1 - planar]}, and were read as such"
    )
    options = {**pixels.options, "planar_configuration": 1 - planar}
    pixels = replace(pixels, options=options)
    return pixels, next(stored_frames(pixels)), [note]


def _high_bit(pixels: EncodedPixels) -> int:
    """Return the number of the highest used bit of a word."""
    with scan_errors(pixels.path, "expected a number as HighBit"):
        value = pixels.header.get("HighBit")
        return int(pixels.options["bits_stored"] - 1 if value in (None, "") else value)


def _colour(
    displayed: DisplayedPixels, first: StoredFrame, codes: Frame
) -> tuple[DisplayedPixels, list[Remark]]:
    """Decide the colour model and the brightness of three components."""
    pixels, bits = displayed.pixels, displayed.layout.bits
    claims = () if first.coded is None else first.coded.claims
    model, remarks = decide_colour(pixels.photometric, first.coded, _upper_8_bits(codes, bits))
    if model == "YCbCr" and bits != 8:
        raise ScanError(
            f"{pixels.path}: luminance and chrominance of {bits} bits are not read; "
            "convert the file to RGB"
        )
    if pixels.options["pixel_representation"]:
        remarks.append("the header says that the colours are signed; they were read as unsigned")
    levels, more = unwindowed_levels(displayed.layout, codes)
    displayed = replace(displayed, levels=levels, model=model, claims=claims)
    return displayed, [*remarks, *more]


def _upper_8_bits(codes: Frame, bits: int) -> Frame:
    """Return codes of any number of bits as 8 bits."""
    upper = codes >> (bits - 8) if bits > 8 else codes << (8 - bits)
    return upper.astype(np.uint8)


def _palette(
    displayed: DisplayedPixels, first: StoredFrame
) -> tuple[DisplayedPixels, list[Remark]]:
    """Return the colours of all palette indices, uint8 unless the indices have more than 8 bits."""
    pixels, layout = displayed.pixels, displayed.layout
    with scan_errors(pixels.path, "the colour palette cannot be read"):
        tables = palette(pixels.header, is_little_endian=pixels.header.original_encoding[1])
    is_signed = bool(pixels.options["pixel_representation"]) and min(t.first for t in tables) < 0
    values = replace(layout, is_signed=is_signed).values()
    colours = np.stack([table(values) for table in tables], axis=-1)
    highest = max(int(table.entries.max()) for table in tables)
    if highest <= 255:  # also 16-bit entries, which in some files have the colour in the lower byte
        colours = colours.astype(np.uint8)
    elif layout.bits <= 8:
        colours = (colours >> 8).astype(np.uint8)
    remarks: list[Remark] = []
    if first.coded is not None and first.coded.family == "JPEG":
        text = "the indices of a colour palette were compressed with losses"
        remarks.append(ScanWarning(WarningCode.COLOUR_UNDECIDED, text))
    return replace(displayed, colours=colours), remarks


def _grey(displayed: DisplayedPixels, codes: Frame) -> tuple[DisplayedPixels, list[Remark]]:
    """Decide the brightness of one component."""
    pixels, photometric = displayed.pixels, displayed.pixels.photometric
    remarks: list[Remark] = []
    if photometric not in _GREY:
        remarks.append(
            f"the header says {photometric}, but pixels have one component; read as grey"
        )
        photometric = "MONOCHROME2"
    with scan_errors(pixels.path, "the grey levels in the header cannot be read"):
        header, differing = _with_functional_groups(pixels.header)
        for name in differing:
            text = f"the {_GROUPS_OF_GREY_LEVELS[name]} that differ between frames are not applied"
            is_applied = displayed.layout.bits > 8  # 8-bit pixels are displayed as they are
            remarks.append(ScanWarning(WarningCode.GREY_LEVELS, text) if is_applied else text)
        levels, more = grey_levels(
            header,
            photometric,
            displayed.layout,
            codes,
            is_little_endian=pixels.header.original_encoding[1],
        )
    return replace(displayed, levels=levels), [*remarks, *more]


def _with_functional_groups(header: Any) -> tuple[Any, list[str]]:
    """Return a header with the windows and slopes that an enhanced image gives for all frames.

    They are those of the shared functional groups, or those of each frame if all frames agree.

    Returns
    -------
    merged : pydicom.Dataset
    differing : list of str
        Names of the functional groups that differ between frames.
    """
    from pydicom.dataset import Dataset

    shared = header.get("SharedFunctionalGroupsSequence")
    frames = header.get("PerFrameFunctionalGroupsSequence") or []
    merged, differing = Dataset(), []
    for name in _GROUPS_OF_GREY_LEVELS:
        if shared and (items := shared[0].get(name)):
            merged.update(items[0])
        each = [items[0] if (items := frame.get(name)) else None for frame in frames]
        if any(item != each[0] for item in each):
            differing.append(name)
        elif each and each[0] is not None:
            merged.update(each[0])
    merged.update(header)
    return merged, differing
