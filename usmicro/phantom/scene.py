"""Scene: the exact shapes and positions of all objects in a simulated breast, in mm.

Positions x (to the right) and z (down) are in the image plane, see `scan_conversion`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from usmicro.model.findings import Kind, Label, PosteriorFeature

FloatArray = NDArray[np.float64]
FocusForm = Literal["round", "rim", "popcorn", "clump"]
"""Form of a focus: round or a lump, or the edge of a disc, lobes around a middle, a chain of lumps;
see `usmicro.phantom.clump_shapes`."""
Disc = tuple[float, float, float]
"""Position x, z and radius of a disc, mm."""

COARSE_DIAMETER = 0.5
"""Diameter in mm from which a focus is coarse: the default of the setting `foci.coarse`."""

SHARP_MARGIN = 0.3
"""Transition width in mm below which the margin of a mass is sharp: circumscribed, with a wall that
reflects sound."""

TUBE_STEP = 0.2
"""Distance between the points of the paths of ducts and vessels, mm."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A smooth curve of depth along the transducer face, through nodes in beam space."""

    u: tuple[float, ...]
    """Positions of the nodes along the face, mm."""
    d: tuple[float, ...]
    """Depths of the nodes, mm."""

    def __call__(self, u: Any) -> FloatArray:
        """Return the depth in mm at positions along the face; constant outside the nodes."""
        return np.asarray(PchipInterpolator(self.u, self.d)(np.clip(u, self.u[0], self.u[-1])))


@dataclass(frozen=True, slots=True)
class Line:
    """A thin specular reflector: ligament, septum, fascia, muscle striation or short dash."""

    path: Curve
    level_db: tuple[float, ...]
    """Echo level at the nodes of the path where the line is perpendicular to the beam, dB over the
    mean envelope of glandular tissue."""
    thickness: float
    """Standard deviation of the Gaussian profile across the line, mm."""
    phase: tuple[float, ...]
    """Phase of the echo at the nodes, radians."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An ellipse with a wavy edge."""

    x: float
    """Position of the centre, mm."""
    z: float
    """Depth of the centre, mm."""
    half_width: float
    """Semi-axis across, before the rotation, mm."""
    half_height: float
    """Semi-axis in depth, before the rotation, mm."""
    tilt: float = 0.0
    """Rotation of the ellipse, radians."""
    waves: tuple[tuple[int, float, float], ...] = ()
    """Order, amplitude relative to the radius, and phase in radians of each wave of the edge."""

    def distance(self, x: Any, z: Any, reach: float = math.inf) -> FloatArray:
        """Return the signed distance of positions from the edge in mm, negative inside.

        It is exact on the edge and approximate elsewhere. Distances above `reach` are set to
        `reach`.
        """
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        widest = max(self.half_width, self.half_height) * (
            1 + sum(amplitude for _, amplitude, _ in self.waves)
        )
        near = (np.abs(x - self.x) < widest + reach) & (np.abs(z - self.z) < widest + reach)
        out = np.full(x.shape, reach)
        x, z = x[near] - self.x, z[near] - self.z
        cosine, sine = np.cos(self.tilt), np.sin(self.tilt)
        # coordinates in which the ellipse is the unit circle
        across = (x * cosine + z * sine) / self.half_width
        along = (z * cosine - x * sine) / self.half_height
        radius, angle = np.hypot(across, along), np.arctan2(along, across)
        edge = np.ones(radius.shape)
        for order, amplitude, phase in self.waves:
            edge += amplitude * np.cos(order * angle + phase)
        spread = np.hypot(self.half_height * np.cos(angle), self.half_width * np.sin(angle))
        distance = (radius - edge) * self.half_width * self.half_height / spread
        out[near] = np.minimum(distance, reach)
        return out


@dataclass(frozen=True, slots=True)
class MassShape:
    """A mass."""

    outline: Outline
    content: Literal["solid", "cyst"] = "solid"
    shape: Literal["oval", "irregular"] = "oval"
    margin: float = 0.15
    """Width of the transition at the edge, mm: 0.1 circumscribed, 1 indistinct."""
    level_db: float = -13.0
    """Echo level inside, dB over glandular tissue."""
    mottle_db: float = 1.5
    """Standard deviation of the slow variation of the echo level inside, dB."""
    rim_db: float = 0.0
    """Echo level of a hyperechoic rim, dB over its surroundings."""
    rim: float = 1.0
    """Width of the rim, mm."""
    posterior: PosteriorFeature = "none"
    """Posterior feature."""
    posterior_db: float = 0.0
    """Loss of the echoes behind the whole height of the mass, dB; negative for enhancement."""
    edge_shadow_db: float = 0.0
    """Loss in the narrow shadows behind the lateral edges, dB."""


@dataclass(frozen=True, slots=True)
class DuctShape:
    """A duct, which consists of one or more tubes."""

    paths: tuple[tuple[tuple[float, float, float], ...], ...]
    """Points (x, z, radius of the lumen) of each tube, in mm, about `TUBE_STEP` apart."""
    level_db: float = -17.0
    """Echo level of the lumen, dB over glandular tissue."""
    wall_db: float = 7.0
    """Echo level of the wall, dB over glandular tissue."""
    wall: float = 0.25
    """Thickness of the wall, mm."""

    def distance(self, x: Any, z: Any, reach: float = 3.0) -> FloatArray:
        """Return the signed distance of positions from the edge of the lumen in mm.

        It is negative in the lumen. Distances above `reach` are set to `reach`.
        """
        points = np.concatenate([np.asarray(path) for path in self.paths])
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        out = np.full(x.shape, reach)
        widest = points[:, 2].max()
        low, high = points[:, :2].min(0) - widest - reach, points[:, :2].max(0) + widest + reach
        near = (x >= low[0]) & (x <= high[0]) & (z >= low[1]) & (z <= high[1])
        if near.any():
            to_point, index = cKDTree(points[:, :2]).query(
                np.column_stack([x[near], z[near]]), distance_upper_bound=widest + reach
            )
            radius = np.append(points[:, 2], 0.0)[index]
            out[near] = np.minimum(to_point - radius, reach)
        return out


@dataclass(frozen=True, slots=True)
class NonmassShape:
    """A discrete area of altered echotexture that is not a mass."""

    outline: Outline
    margin: float = 1.5
    """Width of the transition at the edge, mm."""
    level_db: float = -6.0
    """Mean echo level, dB over glandular tissue."""
    mottle_db: float = 4.0
    """Standard deviation of the variation of the echo level, dB."""


@dataclass(frozen=True, slots=True)
class FocusShape:
    """An echogenic focus."""

    x: float
    """Position of the centre, mm."""
    z: float
    """Depth of the centre, mm."""
    diameter: float
    """Diameter, mm."""
    contrast_db: float
    """Peak of the focus over the local mean envelope, dB."""
    label: Label
    shadow_db: float = 0.0
    """Loss of the echoes directly behind the focus, dB; 0: no shadow."""
    twinkling: bool = False
    mass: int | None = None
    """Number of the mass that contains the focus, from 1."""
    duct: int | None = None
    """Number of the duct that contains the focus, from 1."""
    nonmass: bool = False
    """True in a nonmass area."""
    cluster: int | None = None
    """Number of the cluster of the focus, from 1."""
    form: FocusForm = "round"
    discs: tuple[Disc, ...] = ()
    """Discs that a form other than round consists of, from its centre."""

    @property
    def half_width(self) -> float:
        """Half of the extent across, mm; the larger half if the form is not symmetric."""
        return max((abs(x) + radius for x, _, radius in self.discs), default=self.diameter / 2)

    @property
    def half_height(self) -> float:
        """Half of the extent in depth, mm; the larger half if the form is not symmetric."""
        return max((abs(z) + radius for _, z, radius in self.discs), default=self.diameter / 2)

    @property
    def kind(self) -> Kind:
        """Kind of the focus by its diameter."""
        return "coarse" if self.diameter >= COARSE_DIAMETER else "punctate"


@dataclass(frozen=True, slots=True)
class VesselShape:
    """A blood vessel with laminar, pulsatile flow."""

    path: tuple[tuple[float, float], ...]
    """Points (x, z) in mm, about `TUBE_STEP` apart, in the direction of the flow."""
    radius: float
    """Radius of the lumen, mm."""
    velocity: float
    """Systolic velocity on the axis, cm/s."""
    level_db: float = -14.0
    """Echo level of the lumen, dB over glandular tissue."""


@dataclass(frozen=True, slots=True)
class ColourBox:
    """Area in beam space in which colour Doppler is measured; a parallelogram if steered."""

    first: float
    """Position of the left edge along the face, at the top of the box, mm."""
    last: float
    """Position of the right edge along the face, at the top of the box, mm."""
    top: float
    """Depth of the upper edge, mm."""
    bottom: float
    """Depth of the lower edge, mm."""
    steering: float = 0.0
    """Angle between colour beams and scan lines, radians, positive to the right; linear only."""

    def lateral_shift(self, d: Any) -> Any:
        """Return the lateral displacement in mm of a colour beam between the top and depths `d`."""
        return np.tan(self.steering) * (np.asarray(d) - self.top)

    def contains(self, u: Any, d: Any) -> Any:
        """Return True for points in beam space that are in the box."""
        at_top = np.asarray(u) - self.lateral_shift(d)
        return (
            (at_top >= self.first)
            & (at_top <= self.last)
            & (np.asarray(d) >= self.top)
            & (np.asarray(d) <= self.bottom)
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """A breast, or homogeneous tissue if `fat` is None."""

    skin: float = 1.6
    """Thickness of the skin, mm."""
    fat: Curve | None = None
    """Lower boundary of the subcutaneous fat."""
    muscle: Curve | None = None
    """Upper boundary of the pectoral muscle."""
    attenuation: float = 0.0
    """Loss per depth that time-gain compensation does not correct, dB/mm."""
    lobules: tuple[Outline, ...] = ()
    """Fat lobules in the glandular tissue."""
    lines: tuple[Line, ...] = ()
    """Thin specular reflectors."""
    masses: tuple[MassShape, ...] = ()
    ducts: tuple[DuctShape, ...] = ()
    nonmass: tuple[NonmassShape, ...] = ()
    foci: tuple[FocusShape, ...] = ()
    vessels: tuple[VesselShape, ...] = ()
    box: ColourBox | None = None
    """Colour box; None if the scan has no colour Doppler."""

    def with_foci(self, *foci: FocusShape) -> Scene:
        """Return the scene with these foci added."""
        return replace(self, foci=(*self.foci, *foci))
