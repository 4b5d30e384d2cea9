"""Scan: what a file holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from usmicro.arrays import BoolImage, Frame, LabelImage

RegionKind = Literal["tissue", "colour flow", "spectral", "m-mode", "colour bar", "grey bar", "other"]
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
    `promised_frames` is what the header says; `read` yields what is there and raises ScanError where a frame is lost.
    """

    name: str
    """File name, or path below the input folder; what tables call the image."""
    path: Path | None
    rows: int
    columns: int
    promised_frames: int
    read: Callable[[], Iterator[Frame]] = field(repr=False)
    """Opens the file and yields frames: (rows, columns) or (rows, columns, 3) RGB; uint8, or uint16 stretched to the full 16 bits."""
    spacing: Spacing = field(default_factory=Spacing)
    regions: tuple[Region, ...] = ()
    decoder: str = ""
    """Library, and plug-in, that decodes the pixels; with the transfer syntax for DICOM."""
    notes: tuple[str, ...] = ()
    """What a reader of the results must know: a fallback taken, a frame lost, a region that could not be used."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames one at a time; bright is always echogenic (MONOCHROME1 is inverted on reading)."""
        return self.read()


@dataclass(frozen=True, slots=True)
class GivenMasks:
    """Outlines that a user supplies, at the size of the input image; None where the program finds its own."""

    masses: LabelImage | None = None
    """0 none, 1 to n the masses."""
    ducts: LabelImage | None = None
    nonmass: BoolImage | None = None
    sources: tuple[str, ...] = ()
    """Files that they came from."""
