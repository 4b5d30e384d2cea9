"""View: one tissue region of one frame, prepared for the stages on a grid of square pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.scan import Spacing
from usmicro.model.warnings import ScanWarning

GREY_QUANTILES = (0.01, 0.05, 0.95)
"""Quantiles in `View.grey_quantiles`: the noise floor, and the ends of the range of grey levels.

Chosen by eye; no measurement is recorded.
"""
Geometry = Literal["linear", "sector"]
ColourMap = Literal["velocity", "power", "variance"]


@dataclass(frozen=True, slots=True)
class Grid:
    """Working grid, whose pixels are square in mm, and its place in the input image.

    The centre of grid pixel (x, y) lies at column left + (x + 0.5) * step_x - 0.5 and row
    top + (y + 0.5) * step_y - 0.5 of the input image.
    """

    left: float
    """Left edge of the grid in columns of the input image."""
    top: float
    """Upper edge of the grid in rows of the input image."""
    step_x: float
    """Width of a grid pixel in columns of the input image."""
    step_y: float
    """Height of a grid pixel in rows of the input image."""
    pixel_mm: float
    """Edge of a grid pixel in mm; an estimate, used only to choose scales, if the pixel spacing is
    unknown."""
    spacing: Spacing = field(default_factory=Spacing)
    """Pixel spacing of the input image in this region; if it is unknown, no mm is reported."""

    def to_image(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Convert a grid position to a column and row of the input image."""
        return self.left + (x + 0.5) * self.step_x - 0.5, self.top + (y + 0.5) * self.step_y - 0.5

    @property
    def image_matrix(self) -> NDArray[np.float64]:
        """Affine matrix, shape (2, 3), from grid positions (x, y, 1) to columns and rows."""
        left, top = self.to_image(0.0, 0.0)
        return np.array([[self.step_x, 0.0, left], [0.0, self.step_y, top]])

    def from_image(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Convert a column and row of the input image to a grid position."""
        return (x + 0.5 - self.left) / self.step_x - 0.5, (y + 0.5 - self.top) / self.step_y - 0.5

    def in_mm(self, pixels: float | None) -> float | None:
        """Convert a length in grid pixels to mm; None if the pixel spacing is unknown."""
        return pixels * self.pixel_mm if pixels is not None and self.spacing.known else None

    def pixels(self, mm: float) -> float:
        """Convert a length in mm to grid pixels."""
        return mm / self.pixel_mm


@dataclass(frozen=True, slots=True)
class ScanLines:
    """Geometry of the scan lines; all lengths in grid pixels.

    Linear: scan lines run down the columns. Sector (convex and trapezoid probes): scan lines run
    along rays from an apex.
    """

    geometry: Geometry
    face: float
    """Linear: row of the transducer face. Sector: its distance from the apex."""
    apex_x: float = 0.0
    """Column of the apex of a sector."""
    apex_y: float = 0.0
    """Row of the apex of a sector."""
    middle_x: float = 0.0
    """Column of the middle of the transducer face."""

    def direction(self, x: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the direction of the scan line at positions.

        Parameters
        ----------
        x, y : array_like
            Grid columns and rows.

        Returns
        -------
        x, y : array
            Components of the unit vector away from the transducer.
        """
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if self.geometry == "linear":
            return np.zeros(np.broadcast(x, y).shape), np.ones(np.broadcast(x, y).shape)
        dx, dy = x - self.apex_x, y - self.apex_y
        length = np.maximum(np.hypot(dx, dy), 1e-9)
        return dx / length, dy / length

    def depth(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Return the distance of grid positions from the transducer face, in grid pixels."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if self.geometry == "linear":
            return np.asarray(y - self.face + 0 * x)
        return np.asarray(np.hypot(x - self.apex_x, y - self.apex_y) - self.face)


@dataclass(frozen=True, slots=True)
class ColourBar:
    """Colour scale that is burned in beside a colour Doppler image."""

    kind: ColourMap
    colours: ByteImage
    """Colours in uint8 RGB, shape (n, 3); shape (n, m, 3) for a variance map. The first is
    velocity +1 (towards the transducer) or power 1, the last velocity -1 or power 0."""
    baseline: float
    """Index in `colours` of zero velocity."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in the input image; right and bottom are one past the last column
    and row."""


@dataclass(frozen=True, slots=True)
class ColourFlow:
    """Colour Doppler data of a view; all arrays have the shape of its grid."""

    rgb: ByteImage
    """Colours, shape (rows, columns, 3); resampled by nearest neighbour, so that none mix."""
    mask: BoolImage
    """True where colour flow is shown; False at tint, text and the outline of the box."""
    box: BoolImage
    """True inside the colour box, the only place where colour flow can be shown."""
    bar: ColourBar | None = None
    power: bool = False
    """True for power Doppler, whose colours have no sign."""
    contaminated: BoolImage | None = None
    """True where colour has changed the grey level: in `mask`, at its blurred rim, and in single
    coloured pixels. None if that is `mask` itself."""

    @property
    def hidden(self) -> BoolImage:
        """True where colour hides the echo."""
        return self.mask if self.contaminated is None else self.contaminated


@dataclass(frozen=True)
class View:
    """One tissue region of one frame, prepared for the stages.

    All arrays have the shape of the grid.
    """

    grey: FloatImage
    """Display grey level, 0 to 255; pixels under graphics and colour are inpainted."""
    tissue: BoolImage
    """True where echoes are shown; False at borders, headers, scales and body marks."""
    graphics: BoolImage
    """True under text, calipers and cursors that are burned into the tissue; no focus is reported
    there."""
    grid: Grid
    scan_lines: ScanLines
    speckle_size: tuple[float, float]
    """Speckle size across and along the beam: full width at half maximum of the autocovariance of
    the grey level, in grid pixels."""
    colour: ColourFlow | None = None
    number: int = 0
    """Number of the tissue region on the screen, from 0."""
    notes: tuple[str, ...] = ()
    """Assumptions and fallbacks that a reader of the results must know."""
    warnings: tuple[ScanWarning, ...] = ()
    """What may be wrong with the results of this view."""

    def __post_init__(self) -> None:
        for name in ("tissue", "graphics"):
            assert getattr(self, name).shape == self.grey.shape, f"{name} is not on the grid"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.grey.shape[0], self.grey.shape[1]

    @cached_property
    def usable(self) -> BoolImage:
        """True where tissue shows grey echoes, without graphics or colour."""
        usable = self.tissue & ~self.graphics
        return usable if self.colour is None else usable & ~self.colour.hidden

    @cached_property
    def grey_quantiles(self) -> tuple[float, ...]:
        """The GREY_QUANTILES of the grey levels of the usable pixels, of which there must be one.

        They belong to the whole view, so that all of its foci and masses share them.
        """
        from usmicro.numerics.quantiles import masked_quantiles  # imports the kernels

        return masked_quantiles(self.grey, self.usable, GREY_QUANTILES)
