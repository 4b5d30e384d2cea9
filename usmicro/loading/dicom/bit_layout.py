"""Where the bits of a pixel lie in its stored word, and whether its values are signed.

The header says it with BitsStored, HighBit and PixelRepresentation. Each may be wrong, and the bits
that are not used may hold anything: overlays, copies of the sign, or remains in memory.

References
----------
DICOM PS3.5, 8.1.1; PS3.3, C.8.5.6 (the pixels of ultrasound images are unsigned).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import Frame
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_BLACK_MARGIN = 0.02
"""Codes this near black count as black, fraction of the range; above the noise of JPEG in a black
background. Chosen by judgement."""
_LEAST_BLACK = 0.05
"""A level is taken for black only if more than this fraction of the pixels is near it. Screens of
ultrasound systems have more than a third of black pixels. Chosen by judgement."""
_LEAST_CARRIES = 0.05
"""The upper bits that the header leaves unused are taken for a part of the values if more than this
fraction of their steps of one coincides with a wrap of the lower bits. Measured: 0.86 to 1.0 on
breast scans whose 8 bits are declared as 6 or 7, 0.12 on simulated 12 bits declared as 8, at most
0.01 for overlays and random bits: tests/loading/dicom/test_bit_layout.py."""


@dataclass(frozen=True, slots=True)
class BitLayout:
    """Position and meaning of the used bits of a stored word."""

    shift: int
    """Number of unused bits below the value."""
    bits: int
    """Number of bits of the value."""
    is_signed: bool = False
    is_offset: bool = False
    """True for signed values if the lowest possible value is black."""

    def codes(self, words: Frame) -> Frame:
        """Return the bits of the values as unsigned integers, without the unused bits."""
        if self.shift == 0 and self.bits == 8 * words.dtype.itemsize:
            return words
        codes = (words >> self.shift) & ((1 << self.bits) - 1)
        return codes.astype(np.uint8 if self.bits <= 8 else np.uint16)

    def values(self) -> NDArray[np.int64]:
        """Return the value that each code stands for."""
        codes = np.arange(1 << self.bits)
        half = 1 << (self.bits - 1)
        return (codes ^ half) - half if self.is_signed else codes


def find_layout(
    words: Frame, word_bits: int, *, bits_stored: int, high_bit: int, is_signed: bool
) -> tuple[BitLayout, list[Remark]]:
    """Find the used bits from the header and the words of a first frame.

    Parameters
    ----------
    words : array, uint8 or uint16
        Stored words.
    word_bits : int
        Number of bits of a word: BitsAllocated, or the precision of a compressed stream.
    bits_stored, high_bit, is_signed
        What the header says.

    Returns
    -------
    layout : BitLayout
    remarks : list of Remark
    """
    layout, remarks = _position(words, word_bits, bits_stored, high_bit)
    if is_signed:
        layout, sign_remarks = _with_sign(layout, layout.codes(words))
        remarks += sign_remarks
    return layout, remarks


def _position(
    words: Frame, word_bits: int, stored: int, high_bit: int
) -> tuple[BitLayout, list[Remark]]:
    """Return where the bits of the values lie, as unsigned values."""
    if stored > word_bits:
        note = f"the header says {stored} bits, the compressed stream has {word_bits}; read as such"
        return BitLayout(0, word_bits), [note]
    declared = f"the header says {stored} bits of which bit {high_bit} is the highest"
    remarks: list[Remark] = []
    shift = high_bit + 1 - stored
    if stored == word_bits:
        shift = 0
    elif not 0 <= shift <= word_bits - stored:
        shift = 0
        text = f"{declared}, which cannot be; the lowest {stored} bits were read"
        remarks.append(ScanWarning(WarningCode.GREY_LEVELS, text))
    used = int(np.bitwise_or.reduce(words, axis=None))
    if shift and stored // 2 < used.bit_length() <= stored and used & ((1 << shift) - 1):
        return BitLayout(0, stored), [f"{declared}, but the pixels use the lowest {stored}"]
    layout = BitLayout(shift, stored)
    if used & ~(((1 << stored) - 1) << shift) == 0 or _is_sign(words, layout, word_bits):
        return layout, remarks
    if _carries(words, layout) > _LEAST_CARRIES:
        bits = word_bits - shift
        text = f"{declared}, but the pixels use more; {bits} bits were read"
        return BitLayout(shift, bits), [*remarks, ScanWarning(WarningCode.GREY_LEVELS, text)]
    note = "bits of the pixels that are not used hold something else, such as an overlay: ignored"
    return layout, [*remarks, note]


def _is_sign(words: Frame, layout: BitLayout, word_bits: int) -> bool:
    """Return True if the bits above the values are copies of their highest bit."""
    top = word_bits - layout.shift - layout.bits
    upper = words >> (layout.shift + layout.bits)
    sign = (words >> (layout.shift + layout.bits - 1)) & 1
    below = words & ((1 << layout.shift) - 1)
    return bool(top) and bool((upper == sign * ((1 << top) - 1)).all()) and not below.any()


def _carries(words: Frame, layout: BitLayout) -> float:
    """Return how often a step of one in the bits above the value coincides with a wrap of it.

    The result is a fraction of these steps between neighbouring columns. It is near 1 if the bits
    above are the upper part of a larger value.
    """
    upper = (words >> (layout.shift + layout.bits)).astype(np.int32)
    steps = np.diff(upper, axis=1)
    changes = np.diff(layout.codes(words).astype(np.int32), axis=1)
    is_step = abs(steps) == 1
    wraps = is_step & (steps * changes < -(1 << (layout.bits - 1)))
    return int(np.count_nonzero(wraps)) / max(int(np.count_nonzero(is_step)), 1)


def _with_sign(layout: BitLayout, codes: Frame) -> tuple[BitLayout, list[Remark]]:
    """Decide whether values that are declared as signed are signed.

    Ultrasound pixels are unsigned by the standard, and most of a screen is black. So black at the
    lowest signed value, or an empty middle of the range of more than 8 bits, shows signed values.
    """
    bits = layout.bits
    half = 1 << (bits - 1)
    has_negative = bool((codes >= half).any())
    is_middle_empty = not ((codes >= half // 2) & (codes < half + half // 2)).any()
    if bits > 8 and (is_middle_empty or not has_negative):
        return replace(layout, is_signed=True), []
    if not has_negative:
        return layout, []
    margin = round(_BLACK_MARGIN * (1 << bits))
    at_zero = np.count_nonzero(codes <= margin) / codes.size
    at_lowest = np.count_nonzero((codes >= half) & (codes <= half + margin)) / codes.size
    if at_lowest > max(at_zero, _LEAST_BLACK):
        return replace(layout, is_signed=True, is_offset=True), []
    text = "the header says that the pixels are signed; they were read as unsigned"
    if at_zero > _LEAST_BLACK:
        return layout, [f"{text}, because black is 0"]
    return layout, [ScanWarning(WarningCode.GREY_LEVELS, text)]
