"""Observations: the measurements of foci and masses on one frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.labelling.labels import FocusLabel, label_foci
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import pixels_of
from usmicro.model.findings import (
    Candidates,
    Kind,
    MassSource,
    Orientation,
    Posterior,
    Shadow,
)
from usmicro.model.view import View
from usmicro.posterior.focus_shadow import focus_shadows
from usmicro.posterior.mass_features import posterior_feature
from usmicro.settings import LabelSettings, ShadowSettings

OUTLINE_TOLERANCE = 1.0
"""Largest distance in grid pixels between the outline of a clump and the polygon in the tables.

It is half of a pixel on which the outline is found.
"""
NO_ECHO = "No echo of its own was found; only its colours show it."
"""Reason for which the shadow of a focus without an echo is not assessable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a focus lies on one frame."""

    x_px: float
    """Column in the input image."""
    y_px: float
    """Row in the input image."""
    x_mm: float | None
    """Distance to the right of the middle of the transducer face; None without pixel spacing."""
    depth_mm: float | None
    """Distance from the transducer face along the beam; None without pixel spacing."""
    grid_mm: tuple[float, float]
    """Column and row on the grid times its pixel size, which is an estimate without pixel
    spacing."""
    beam: tuple[float, float]
    """Unit vector (x, y) along the beam, away from the transducer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Measurements of the echo of a focus; docs/outputs.md explains them as columns of foci.csv."""

    diameter_px: float
    diameter_mm: float | None
    contrast: float | None
    false_alarm: float | None
    kind: Kind
    confidence_reason: str
    outline_px: str | None = None
    """Outline of a clump in pixels of the input image, see `Focus.outline_px`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusMeasurement:
    """All measurements of one focus on one frame."""

    frame: int
    """Index of the frame in the scan."""
    position: Position
    diameter: float
    """Diameter in grid pixels; that of a colour cell if only colours show the focus."""
    diameter_mm: float
    """Diameter in mm of the grid, whose pixel size is an estimate without pixel spacing."""
    echo: Echo | None
    """None if only colours show the focus."""
    label: FocusLabel
    distance_to_mass_mm: float | None
    """Distance to the nearest mass, 0 inside; None without a mass or pixel spacing."""
    shadow: Shadow
    shadow_length_mm: float | None
    """Length of the shadow; None without a shadow or pixel spacing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One focus on one frame that shows it."""

    index: int
    """Index of the frame among the frames that are analysed."""
    frame: int
    """Index of the frame in the scan."""
    position: Position
    confidence: float
    measurement: FocusMeasurement | None
    """Measured only where the confidence is higher than on all frames before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MassMeasurement:
    """All measurements of one mass on one frame; lengths are None without pixel spacing."""

    frame: int
    """Index of the frame in the scan."""
    x_px: float
    """Column of the centroid in the input image."""
    y_px: float
    """Row of the centroid in the input image."""
    width_mm: float | None
    """Extent along the grid columns."""
    height_mm: float | None
    """Extent in depth."""
    area_mm2: float | None
    orientation: Orientation
    posterior: Posterior
    confidence: float
    source: MassSource


def measure_shadows(
    view: View, anatomy: Anatomy, candidates: Candidates, settings: ShadowSettings
) -> list[Shadow]:
    """Measure the posterior shadows of candidates on one view."""
    if not len(candidates):
        return []
    return focus_shadows(
        view,
        candidates.x,
        candidates.y,
        candidates.width,
        settings,
        anatomy.masses,
        candidates.height,
    )


def measure_echoes(
    view: View,
    anatomy: Anatomy,
    frame: int,
    candidates: Candidates,
    shadows: Sequence[Shadow],
    reasons: Sequence[str],
    settings: LabelSettings,
) -> list[FocusMeasurement]:
    """Return the measurements of candidates on one view of a frame.

    Parameters
    ----------
    view, anatomy
        View of one frame, and its anatomy on the same grid.
    frame : int
        Index of the frame in the scan.
    candidates : Candidates
    shadows : sequence of Shadow
        One for each candidate.
    reasons : sequence of str
        What decided the confidence of each candidate.
    settings : LabelSettings
    """
    grid = view.grid
    pixel = np.sqrt(grid.step_x * grid.step_y)
    echoes = [
        Echo(
            diameter_px=float(candidates.diameter[i] * pixel),
            diameter_mm=grid.in_mm(float(candidates.diameter[i])),
            contrast=measured(candidates.contrast[i]),
            false_alarm=measured(candidates.false_alarm[i]),
            kind="coarse" if candidates.coarse[i] else "punctate",
            confidence_reason=reasons[i],
            outline_px=_outline_px(view, candidates.outline[i]),
        )
        for i in range(len(candidates))
    ]
    diameters = candidates.diameter
    return _measurements(
        view, anatomy, frame, candidates.x, candidates.y, diameters, echoes, shadows, settings
    )


def measured(value: float) -> float | None:
    """Return a measurement; None for NaN, which stands for one that was not made."""
    return None if math.isnan(value) else float(value)


def _outline_px(view: View, outline: NDArray[np.float32] | None) -> str | None:
    """Return the outline (m, 2) of a clump in pixels of the input image, as text."""
    if outline is None:
        return None
    few = cv2.approxPolyDP(outline[:, None], OUTLINE_TOLERANCE, True)[:, 0].astype(float)
    x, y = view.grid.to_image(few[:, 0], few[:, 1])
    return " ".join(f"{column:.1f},{row:.1f}" for column, row in zip(x, y, strict=True))


def measure_colour_patches(
    view: View,
    anatomy: Anatomy,
    frame: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    diameter: float,
    settings: LabelSettings,
) -> list[FocusMeasurement]:
    """Return the measurements at the heads of colour patches, where no echo shows a focus.

    Parameters
    ----------
    view, anatomy
        View of one frame, and its anatomy on the same grid.
    frame : int
        Index of the frame in the scan.
    x, y : array, shape (n,)
        Grid columns and rows.
    diameter : float
        Diameter of a colour cell in grid pixels.
    settings : LabelSettings
    """
    shadows = [Shadow("not assessable", reason=NO_ECHO)] * len(x)
    diameters = np.full(len(x), diameter)
    return _measurements(view, anatomy, frame, x, y, diameters, [None] * len(x), shadows, settings)


def _measurements(
    view: View,
    anatomy: Anatomy,
    frame: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    diameters: NDArray[np.float64],
    echoes: Sequence[Echo | None],
    shadows: Sequence[Shadow],
    settings: LabelSettings,
) -> list[FocusMeasurement]:
    """Return the measurements at positions; all arrays and sequences have length n."""
    if not len(x):
        return []
    grid = view.grid
    labels = label_foci(view, anatomy, x, y, settings)
    positions = positions_of(view, x, y)
    return [
        FocusMeasurement(
            frame=frame,
            position=position,
            diameter=float(diameter),
            diameter_mm=float(diameter) * grid.pixel_mm,
            echo=echo,
            label=label,
            distance_to_mass_mm=grid.in_mm(label.distance_to_mass),
            shadow=shadow,
            shadow_length_mm=grid.in_mm(shadow.length),
        )
        for position, diameter, echo, label, shadow in zip(
            positions, diameters, echoes, labels, shadows, strict=True
        )
    ]


def positions_of(view: View, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Position]:
    """Return positions in all units, given grid columns and rows, both of shape (n,)."""
    grid, scan_lines = view.grid, view.scan_lines
    x_px, y_px = grid.to_image(x, y)
    depth = scan_lines.depth(x, y)
    beam_x, beam_y = scan_lines.direction(x, y)
    # lists: numbers of an array are slow to take one at a time
    columns = [
        np.asarray(values).tolist()
        for values in (x, y, x_px, y_px, x - scan_lines.middle_x, depth, beam_x, beam_y)
    ]
    return [
        Position(
            x_px=column,
            y_px=row,
            x_mm=grid.in_mm(aside),
            depth_mm=grid.in_mm(deep),
            grid_mm=(grid_x * grid.pixel_mm, grid_y * grid.pixel_mm),
            beam=(along_x, along_y),
        )
        for grid_x, grid_y, column, row, aside, deep, along_x, along_y in zip(*columns, strict=True)
    ]


def measure_mass(
    view: View, anatomy: Anatomy, number: int, frame: int, settings: ShadowSettings
) -> MassMeasurement:
    """Measure one mass on one view of a frame.

    Parameters
    ----------
    view, anatomy
        View of one frame, and its anatomy on the same grid.
    number : int
        Number of the mass in `anatomy.masses`.
    frame : int
        Index of the frame in the scan.
    settings : ShadowSettings
    """
    grid = view.grid
    mass = anatomy.masses == number
    rows, columns = pixels_of(mass)
    width = _extent(columns)
    height = _extent(view.scan_lines.depth(columns, rows))
    x_px, y_px = grid.to_image(*anatomy.mass_centroids[number])
    return MassMeasurement(
        frame=frame,
        x_px=float(x_px),
        y_px=float(y_px),
        width_mm=grid.in_mm(width),
        height_mm=grid.in_mm(height),
        area_mm2=grid.in_mm(grid.in_mm(float(len(rows)))),
        orientation="parallel" if width >= height else "not parallel",
        posterior=posterior_feature(view, mass, settings),
        confidence=anatomy.mass_confidence[number - 1],
        source="given" if "masses" in anatomy.given else "found",
    )


def _extent(values: ArrayLike) -> float:
    """Extent in pixels, from edge to edge, of pixels whose centres are given."""
    return float(np.ptp(np.asarray(values)) + 1)
