"""From the numbers of an array to the 8 or 16 bits of a frame: one rule for all arrays.

It holds for arrays in memory, for array files and for volumes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ImageError
from usmicro.model.arrays import Frame

LARGEST_VALUE = 65535
"""Largest value of a pixel that is a whole number."""
ROUNDING = 0.5
"""Amount by which grey levels with fractions may lie outside 0 to 255, because they were
interpolated."""
REMEDY = "map the image to 0 to 255 first"
"""What to do about values that have no display brightness, for messages."""


def rescale(image: Frame, black: float, white: float) -> Frame:
    """Map values linearly so that `black` becomes 0 and `white` the largest value of the type.

    Values outside the range are clipped.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3), any number type
    black, white : float
        Stored values at the ends of the range; `white` is above `black`.

    Returns
    -------
    array, shape of `image`
        uint8 if the range is at most 255, otherwise uint16.
    """
    dtype = np.uint8 if white - black <= 255 else np.uint16
    top = np.iinfo(dtype).max
    if black == 0 and white == top:
        values = image if image.dtype.kind == "u" else np.clip(image, 0, top)
        return values.astype(dtype)
    scaled = (image.astype(np.float64) - black) * (top / (white - black))
    return np.clip(np.rint(scaled), 0, top).astype(dtype)


def used_value_range(frames: Iterable[Frame]) -> tuple[int, int]:
    """Return the values that become black and white if the bit depth is not known.

    Black is 0, or the lowest value if that is negative. White is the largest value of as many bits
    as the highest value needs, but at least 8. One range serves all frames of a file, so that
    their brightness stays comparable.
    """
    lowest, highest = 0, 0
    for frame in frames:
        lowest, highest = min(lowest, int(frame.min())), max(highest, int(frame.max()))
    return lowest, 2 ** max(8, highest.bit_length()) - 1


@dataclass(frozen=True, slots=True)
class DisplayRule:
    """How the pixels of an array become those of its frames; the same for all of its frames."""

    white: int
    """Value that becomes white; black is 0."""
    dtype: np.dtype[Any]
    """Type of the array."""
    opaque: float | None = None
    """Value of alpha that is opaque; None if there is no alpha or if it is not used."""

    @classmethod
    def of(cls, frames: Iterable[NDArray[Any]]) -> DisplayRule:
        """Find the rule for the frames of an array, which are read once.

        - bool: False is black, True is white.
        - uint8 is used as it is.
        - Floats that all lie from 0 to 1: 0 is black, 1 is white, with 8 bits.
        - Other floats with fractions: grey levels from 0 to 255, which are rounded.
        - Other whole numbers from 0 to 65535, of any type: the highest bit that the array uses is
          the top bit.

        A fourth channel is alpha: colours are shown over black. Alpha with the same value
        everywhere is not used.

        Parameters
        ----------
        frames : iterable of array
            Each of shape (rows, columns) or (rows, columns, 1, 3 or 4).

        Raises
        ------
        ImageError
            If the values are no numbers, not finite, negative or too large.
        """
        values, alphas = _Values(), _Values()
        dtype: np.dtype[Any] = np.dtype(np.uint8)
        for frame in frames:
            dtype = frame.dtype
            if dtype.kind not in "buif":
                raise ImageError(f"expected numbers as pixels, found the type {dtype}")
            colours, alpha = _separated(frame)
            if dtype != np.uint8:
                values.add(colours)
            if alpha is not None:
                alphas.add(alpha)
        white = 255 if dtype == np.uint8 else values.white(dtype)
        opaque = None
        if alphas.lowest < alphas.highest:
            opaque = _opaque_value(dtype, alphas.highest)
        return cls(white, dtype, opaque)

    def frame(self, stored: NDArray[Any]) -> Frame:
        """Return a frame, grey or RGB, uint8 or uint16, from that of the array."""
        colours, alpha = _separated(stored)
        if self.dtype != np.uint8:
            if self.dtype.kind == "f" and self.white > 1:
                colours = np.rint(colours)
            colours = rescale(colours, 0, self.white)
        if alpha is None or self.opaque is None:
            return colours
        visible = np.clip(alpha / self.opaque, 0, 1)[..., np.newaxis]
        return np.asarray(np.rint(colours * visible), dtype=colours.dtype)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the values, for the reader of the results; empty if nothing."""
        if self.dtype in (np.uint8, np.bool_) or self.white == LARGEST_VALUE:
            return ()
        if self.white == 1:
            return ("pixel values from 0 to 1 were multiplied by 255",)
        if self.white == 255:
            return ()
        return (
            f"pixels of the type {self.dtype} are rescaled so that the highest bit used, of "
            f"{self.white.bit_length()}, is the top bit",
        )


@dataclass(slots=True)
class _Values:
    """What is known of the values of an array."""

    lowest: float = math.inf
    highest: float = -math.inf
    fractions: bool = False

    def add(self, values: NDArray[Any]) -> None:
        """Add the values of a frame."""
        if values.dtype.kind == "f":
            wrong = np.count_nonzero(~np.isfinite(values))
            if wrong:
                raise ImageError(
                    f"expected finite pixel values, found {wrong} that are NaN or not finite; "
                    "replace them first"
                )
            self.fractions = self.fractions or not np.array_equal(values, np.rint(values))
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))

    def white(self, dtype: np.dtype[Any]) -> int:
        """Return the value that becomes white.

        Raises
        ------
        ImageError
            If the values have no display brightness.
        """
        if dtype.kind == "b":
            return 1
        found = f"the pixel values range from {self.lowest:g} to {self.highest:g}"
        if dtype.kind == "f" and self.lowest >= 0 and self.highest <= 1:
            return 1
        if self.fractions:
            if self.lowest < -ROUNDING or self.highest > 255 + ROUNDING:
                raise ImageError(
                    f"{found} and have fractions, expected floats from 0 to 1 or grey levels from "
                    f"0 to 255; {REMEDY}"
                )
            return 255
        if self.lowest < 0 or self.highest > LARGEST_VALUE:
            raise ImageError(
                f"{found}, expected 0 to {LARGEST_VALUE}, or floats from 0 to 1; {REMEDY}"
            )
        return used_value_range([np.array(int(self.highest))])[1]


def _separated(stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the grey levels or colours of a stored frame, and its alpha or None."""
    if stored.ndim == 2:
        return stored, None
    if stored.shape[2] == 1:
        return stored[..., 0], None
    return stored[..., :3], stored[..., 3] if stored.shape[2] == 4 else None


def _opaque_value(dtype: np.dtype[Any], highest: float) -> float:
    """Return the value of alpha that is opaque."""
    if dtype.kind == "b" or (dtype.kind == "f" and highest <= 1):
        return 1.0
    if dtype == np.uint16:
        return float(LARGEST_VALUE)
    return 255.0 if highest <= 255 else float(LARGEST_VALUE)


def display_frames(read: Callable[[], Iterator[NDArray[Any]]]) -> Iterator[Frame]:
    """Yield the frames of an array as uint8 or uint16, by the rule of `DisplayRule`.

    Parameters
    ----------
    read : function
        Returns the frames of the array from the first; it is called twice.

    Raises
    ------
    ImageError
        If the values have no display brightness.
    """
    rule = DisplayRule.of(read())
    for stored in read():
        yield rule.frame(stored)
