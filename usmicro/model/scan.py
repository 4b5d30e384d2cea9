"""Scan: the contents of a file, and the outlines that a user supplies for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError, UsageError
from usmicro.model.array_layout import layout_of, pixel_array
from usmicro.model.arrays import BoolImage, Frame, LabelImage
from usmicro.model.pixel_values import DisplayRule
from usmicro.model.warnings import ScanWarning

RegionKind = Literal[
    "tissue", "colour flow", "spectral", "m-mode", "colour bar", "grey bar", "other"
]
SpacingSource = Literal["region", "pixel spacing", "given", "rejected", "none"]


LARGEST_ASPECT = 5.0
"""Largest ratio of the sides of a pixel that is believed. That of anamorphic video is at most 2.
Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance between the centres of neighbouring pixels on each axis, in mm; None if unknown."""

    x_mm: float | None = None
    y_mm: float | None = None
    source: SpacingSource = "none"
    """Where the values come from; "rejected" if there is a spacing, but an impossible one."""
    aspect: float | None = None
    """Height of a pixel over its width if that is known although the spacing is not."""
    of_table: bool = field(default=False, compare=False)
    """True if the user gave the spacing for this image alone, in a table."""

    @property
    def known(self) -> bool:
        """True if the spacing is known on both axes."""
        return self.x_mm is not None and self.y_mm is not None


SpacingLike = float | Sequence[float] | Spacing
"""What a caller may give as spacing: a number of mm for both axes, a pair (between columns, between
rows), or a `Spacing`."""


def spacing_of(given: SpacingLike | None) -> Spacing:
    """Return the spacing that a caller gave.

    Parameters
    ----------
    given : float, pair of float or Spacing
        Distance between pixel centres in mm. One number holds for both axes; a pair is (x, y): the
        distance between columns, then that between rows. DICOM's PixelSpacing has the reverse
        order. An unknown `Spacing`, and None, give an unknown spacing.

    Raises
    ------
    UsageError
        If it is something else, or not positive and finite.
    """
    if given is None or (isinstance(given, Spacing) and given.x_mm is given.y_mm is None):
        return given or Spacing()
    numbers: Any = given
    if isinstance(given, Spacing):
        numbers = (given.x_mm, given.y_mm)
    elif isinstance(given, (int, float, np.number)):
        numbers = (given, given)
    is_pair = isinstance(numbers, (Sequence, np.ndarray)) and np.shape(numbers) == (2,)
    if not is_pair or not all(
        isinstance(number, (int, float, np.number)) and not isinstance(number, bool)
        for number in numbers
    ):
        raise UsageError(
            "spacing: expected a number of mm, a pair (between columns, between rows) or a "
            f"usmicro.Spacing with both, found {given!r}"
        )
    x_mm, y_mm = (float(number) for number in numbers)
    if not (0 < x_mm < math.inf and 0 < y_mm < math.inf):
        raise UsageError(f"spacing: expected a positive spacing in mm, found {given!r}")
    if isinstance(given, Spacing):
        return replace(given, source="given") if given.source == "none" else given
    return Spacing(x_mm, y_mm, "given")


@dataclass(frozen=True, slots=True)
class Region:
    """One rectangle of the screen, from the Sequence of Ultrasound Regions (DICOM PS3.3 C.8.5.5).

    `left` and `top` are the first column and row, `right` and `bottom` are one past the last. All
    lie inside the image.
    """

    kind: RegionKind
    left: int
    top: int
    right: int
    bottom: int
    spacing: Spacing = field(default_factory=Spacing)
    low_priority: bool = False
    """True if other regions are drawn over this one where they overlap (RegionFlags, bit 0)."""
    face_row: float | None = None
    """Row of the image at depth 0 according to the reference pixel; None if the file does not say.
    It may lie outside the region and outside the image."""

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Device:
    """The device that made a scan, from its DICOM header; empty texts if unknown."""

    manufacturer: str = ""
    model: str = ""
    transducer: str = ""


@dataclass(frozen=True)
class Scan:
    """The frames of a file, read one at a time, and what the file says about them.

    `spacing` is the pixel spacing of the whole image. With several tissue regions each region has
    its own. `declared_frames` is the number in the header. `read` yields the frames that are there
    and raises ScanError where one is missing.
    """

    name: str
    """Name of the image in tables: the file name, or the path below the input folder."""
    path: Path | None
    rows: int
    columns: int
    declared_frames: int
    read: Callable[[], Iterator[Frame]] = field(repr=False)
    """Opens the file and yields its frames: grey, shape (rows, columns), or RGB, shape (rows,
    columns, 3); uint8, or uint16 rescaled to the full 16 bits."""
    spacing: Spacing = field(default_factory=Spacing)
    regions: tuple[Region, ...] = ()
    decoder: str = ""
    """Library and plug-in that decode the pixels; for DICOM also the transfer syntax."""
    notes: tuple[str, ...] = ()
    """Fallbacks and other facts that a reader of the results must know."""
    warnings: tuple[ScanWarning, ...] = ()
    """What may be wrong with the results."""
    device: Device = field(default_factory=Device)
    frame_times: tuple[float, ...] = ()
    """Time of each frame since the first in s, as the file gives it; empty if it does not."""

    @classmethod
    def of_array(
        cls,
        frames: ArrayLike,
        *,
        spacing: SpacingLike | None = None,
        name: str = "array",
        cine: bool = True,
    ) -> Scan:
        """Make a scan from an array in memory.

        Parameters
        ----------
        frames : array
            One image of shape (rows, columns) or (rows, columns, 3 or 4), or a cine of shape
            (frames, rows, columns) or (frames, rows, columns, 3 or 4); the last axis is RGB, or RGB
            and alpha. Bright is echogenic. uint8 is used as it is. In floats that all lie from 0
            to 1, 0 is black and 1 is white. Other floats with fractions are grey levels from 0 to
            255. Of other whole numbers from 0 to 65535 the highest bit that the array uses is the
            top bit. Nested lists, Pillow images and tensors are converted. The array must not be
            changed while the scan is used.
        spacing : float, pair of float or Spacing, optional
            Distance between pixel centres in mm; a pair is (between columns, between rows).
        name : str
            Name of the image in tables.
        cine : bool
            True if an array of shape (3 or 4, rows, columns) is a grey cine. It could also be a
            colour image whose channels come first; False refuses it, as `usmicro.analyze` does.

        Raises
        ------
        ImageError
            If the array has another shape or type, an ambiguous shape, or values that have no
            display brightness.
        UsageError
            If the spacing is not positive.
        """
        given_spacing = spacing_of(spacing)
        try:
            array = pixel_array(frames)
            layout = layout_of(array.shape, cine=cine)
            stored = array if layout.is_cine else array[np.newaxis]
            is_ready = array.dtype == np.uint8 and layout.is_plain
            rule = None if is_ready else DisplayRule.of(stored)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from error
        return cls(
            name,
            None,
            layout.rows,
            layout.columns,
            layout.frames,
            lambda: iter(stored) if rule is None else map(rule.frame, stored),
            given_spacing,
            notes=() if rule is None else rule.notes,
        )

    def frames(self) -> Iterator[Frame]:
        """Yield the frames one at a time; bright is always echogenic."""
        return self.read()


@dataclass(frozen=True, slots=True)
class UserMasks:
    """Outlines that a user supplies, at the size of the input image.

    Areas of a part that is None are detected automatically.
    """

    masses: LabelImage | None = None
    """0 outside, 1 to n inside the masses; shape (rows, columns)."""
    ducts: LabelImage | None = None
    """0 outside, 1 to n inside the ducts; shape (rows, columns)."""
    nonmass: BoolImage | None = None
    """True in nonmass areas; shape (rows, columns)."""
    sources: tuple[str, ...] = ()
    """Files that the outlines were read from."""
    frames: Mapping[int, UserMasks] = field(default_factory=dict)
    """Outlines of single frames, by index from 0; they replace these outlines on that frame."""
    notes: tuple[str, ...] = ()
    """Notes for the reader of the results."""
    warnings: tuple[ScanWarning, ...] = ()
    """What may be wrong with the outlines."""

    def on_frame(self, number: int) -> UserMasks:
        """Return the outlines of one frame, given its index."""
        return self.frames.get(number, self)
