"""View: what the stages see of one tissue region of one frame, on a grid of fixed physical size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.scan import Spacing

Geometry = Literal["linear", "sector"]
ColourMap = Literal["velocity", "power", "variance"]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the working grid lies in the input image; its pixels are square in mm.

    A grid pixel's centre (x, y) lies at (left + (x + 0.5) * step_x - 0.5, top + (y + 0.5) * step_y - 0.5) in the input image.
    """

    left: float
    top: float
    step_x: float
    """Input columns a grid column."""
    step_y: float
    """Input rows a grid row."""
    pixel_mm: float
    """Edge of a grid pixel in mm: measured where the spacing is known, else an estimate that only chooses scales."""
    spacing: Spacing = field(default_factory=Spacing)
    """Spacing of the input image here; unknown spacing means that no mm may be reported."""

    def to_image(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Column and row in the input image of a grid position."""
        return self.left + (x + 0.5) * self.step_x - 0.5, self.top + (y + 0.5) * self.step_y - 0.5

    def from_image(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Grid position of a column and row in the input image."""
        return (x + 0.5 - self.left) / self.step_x - 0.5, (y + 0.5 - self.top) / self.step_y - 0.5

    def in_mm(self, pixels: float | None) -> float | None:
        """Length in mm, or None where the spacing is unknown."""
        return pixels * self.pixel_mm if pixels is not None and self.spacing.known else None

    def pixels(self, mm: float) -> float:
        """Length in grid pixels of a length in mm; by the estimated scale where the spacing is unknown."""
        return mm / self.pixel_mm


@dataclass(frozen=True, slots=True)
class ScanLines:
    """Where the scan lines run, in grid pixels.

    Linear: straight down from row `face`. Sector (convex, trapezoid): along rays from the apex, whose transducer face lies `face` from it.
    """

    geometry: Geometry
    face: float
    apex_x: float = 0.0
    apex_y: float = 0.0
    middle_x: float = 0.0
    """Column of the middle of the transducer face."""

    def direction(self, x: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unit vector (x, y) away from the transducer at positions."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if self.geometry == "linear":
            return np.zeros(np.broadcast(x, y).shape), np.ones(np.broadcast(x, y).shape)
        dx, dy = x - self.apex_x, y - self.apex_y
        length = np.maximum(np.hypot(dx, dy), 1e-9)
        return dx / length, dy / length

    def depth(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Distance from the transducer face along the beam, in grid pixels."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if self.geometry == "linear":
            return np.asarray(y - self.face + 0 * x)
        return np.asarray(np.hypot(x - self.apex_x, y - self.apex_y) - self.face)


@dataclass(frozen=True, slots=True)
class ColourBar:
    """The scale burned in beside a colour Doppler image.

    `colours` has shape (n, 3) or, for a variance map, (n, m, 3); uint8 RGB from +1 (towards, first) to -1 (away, last) for
    velocity, from 1 to 0 for power. `baseline` is the index in `colours` of zero velocity.
    """

    kind: ColourMap
    colours: ByteImage
    baseline: float
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in the input image; right and bottom are one past the last."""


@dataclass(frozen=True, slots=True)
class ColourFlow:
    """Colour Doppler data over the B-mode image, on the grid."""

    rgb: ByteImage
    """(rows, columns, 3), nearest neighbour so that no colours mix."""
    mask: BoolImage
    """Pixels that show colour flow, not tint, text or box outline."""
    box: BoolImage
    """Pixels inside the colour box: only there can colour flow be seen."""
    bar: ColourBar | None = None
    power: bool = False
    """Power Doppler: no sign."""
    contaminated: BoolImage | None = None
    """Pixels whose grey level colour has changed, where that is more than `mask`: its blurred rim, and lone coloured pixels."""

    @property
    def hidden(self) -> BoolImage:
        """Pixels that show no echo."""
        return self.mask if self.contaminated is None else self.contaminated


@dataclass(frozen=True)
class View:
    """One tissue region of one frame, ready for the stages; all arrays lie on the grid and have one shape."""

    grey: FloatImage
    """Display grey level, 0 to 255; overlay and colour pixels are filled from their surroundings."""
    tissue: BoolImage
    """Echo data: no border, header, ruler, bar or body mark."""
    graphics: BoolImage
    """Burned-in text, calipers and cursors inside the tissue: no focus is reported there."""
    grid: Grid
    scan_lines: ScanLines
    speckle_size: tuple[float, float]
    """Speckle cell across and along the beam: full width at half maximum of the grey autocovariance, in grid pixels."""
    colour: ColourFlow | None = None
    number: int = 0
    """Which tissue region of the screen this is, from 0."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("tissue", "graphics"):
            assert getattr(self, name).shape == self.grey.shape, f"{name} is not on the grid"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.grey.shape[0], self.grey.shape[1]

    @cached_property
    def usable(self) -> BoolImage:
        """Tissue that shows grey echoes: no overlay, no colour."""
        usable = self.tissue & ~self.graphics
        return usable if self.colour is None else usable & ~self.colour.hidden

    def with_note(self, note: str) -> View:
        """The same view with one more note."""
        return replace(self, notes=(*self.notes, note))
