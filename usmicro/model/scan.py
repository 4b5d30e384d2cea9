"""Scan: what a file holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.model.arrays import BoolImage, Frame, LabelImage

RegionKind = Literal[
    "tissue", "colour flow", "spectral", "m-mode", "colour bar", "grey bar", "other"
]
SpacingSource = Literal["region", "pixel spacing", "given", "none"]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance between pixel centres, per axis, in mm; None where unknown."""

    x_mm: float | None = None
    y_mm: float | None = None
    source: SpacingSource = "none"

    @property
    def known(self) -> bool:
        """Whether both axes are known."""
        return self.x_mm is not None and self.y_mm is not None


@dataclass(frozen=True, slots=True)
class Region:
    """One rectangle of the screen, from the Sequence of Ultrasound Regions (DICOM PS3.3 C.8.5.5).

    `left`, `top` are the first column and row, `right`, `bottom` one past the last; already cut to the image.
    """

    kind: RegionKind
    left: int
    top: int
    right: int
    bottom: int
    spacing: Spacing = field(default_factory=Spacing)


@dataclass(frozen=True)
class Scan:
    """What a file holds: its frames, read one at a time, and what it says about them.

    `spacing` is that of the whole image where one holds for it; with several tissue regions each region carries its own.
    `declared_frames` is what the header says; `read` yields what is there and raises ScanError where a frame is lost.
    """

    name: str
    """File name, or path below the input folder; what tables call the image."""
    path: Path | None
    rows: int
    columns: int
    declared_frames: int
    read: Callable[[], Iterator[Frame]] = field(repr=False)
    """Opens the file and yields frames: (rows, columns) or (rows, columns, 3) RGB; uint8, or uint16 stretched to the full 16 bits."""
    spacing: Spacing = field(default_factory=Spacing)
    regions: tuple[Region, ...] = ()
    decoder: str = ""
    """Library, and plug-in, that decodes the pixels; with the transfer syntax for DICOM."""
    notes: tuple[str, ...] = ()
    """What a reader of the results must know: a fallback taken, a frame lost, a region that could not be used."""

    @classmethod
    def of_array(
        cls, frames: ArrayLike, *, spacing: float | Spacing | None = None, name: str = "array"
    ) -> Scan:
        """Make a scan of an array in memory.

        Parameters
        ----------
        frames : array, shape (rows, columns), (rows, columns, 3) RGB, (frames, rows, columns) or (frames, rows, columns, 3)
            uint8, or uint16 that uses the full 16 bits.
        spacing : float or Spacing, optional
            mm between pixel centres.

        Raises
        ------
        ImageError
            If the array has another shape or type.
        """
        array = np.asarray(frames)
        if array.dtype not in (np.uint8, np.uint16):
            raise ImageError(
                f"{name}: expected uint8 or uint16 pixels, found {array.dtype}; scale the image to 0 to 255 first"
            )
        colour = array.ndim >= 3 and array.shape[-1] == 3
        if array.ndim - colour == 2:
            array = array[np.newaxis]
        if array.ndim - colour != 3 or array.size == 0:
            raise ImageError(
                f"{name}: expected one or more grey or RGB frames, found an array of shape {np.shape(frames)}"
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
        """Yield the frames one at a time; bright is always echogenic (MONOCHROME1 is inverted on reading)."""
        return self.read()


@dataclass(frozen=True, slots=True)
class UserMasks:
    """Outlines that a user supplies, at the size of the input image; None where the program finds its own."""

    masses: LabelImage | None = None
    """0 none, 1 to n the masses."""
    ducts: LabelImage | None = None
    nonmass: BoolImage | None = None
    sources: tuple[str, ...] = ()
    """Files that they came from."""
    frames: Mapping[int, UserMasks] = field(default_factory=dict)
    """Outlines of single frames, by number from 0, in the place of these."""
    notes: tuple[str, ...] = ()
    """What a reader of the results must know of them."""

    def on_frame(self, number: int) -> UserMasks:
        """The outlines of one frame."""
        return self.frames.get(number, self)
