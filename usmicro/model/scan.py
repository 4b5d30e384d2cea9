"""Scan: the contents of a file, and the outlines that a user supplies for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.model.arrays import BoolImage, Frame, LabelImage
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
        cls, frames: ArrayLike, *, spacing: float | Spacing | None = None, name: str = "array"
    ) -> Scan:
        """Make a scan from an array in memory.

        Parameters
        ----------
        frames : array, uint8 or uint16
            One image of shape (rows, columns) or (rows, columns, 3) RGB, or a cine of shape
            (frames, rows, columns) or (frames, rows, columns, 3). uint16 must use the full 16 bits.
        spacing : float or Spacing, optional
            Distance between pixel centres in mm.
        name : str
            Name of the image in tables.

        Raises
        ------
        ImageError
            If the array has another shape or type.
        """
        array = np.asarray(frames)
        if array.dtype not in (np.uint8, np.uint16):
            raise ImageError(
                f"{name}: expected uint8 or uint16 pixels, found {array.dtype}; "
                "scale the image to 0 to 255 first"
            )
        colour = array.ndim >= 3 and array.shape[-1] == 3
        if array.ndim - colour == 2:
            array = array[np.newaxis]
        if array.ndim - colour != 3 or array.size == 0:
            raise ImageError(
                f"{name}: expected one or more grey or RGB frames, "
                f"found an array of shape {np.shape(frames)}"
            )
        if isinstance(spacing, float | int):
            spacing = Spacing(float(spacing), float(spacing), "given")
        return cls(
            name,
            None,
            array.shape[1],
            array.shape[2],
            len(array),
            lambda: iter(array),
            spacing or Spacing(),
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
