"""What lies where in a simulated breast: exact shapes in mm, before any sound is sent."""

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


@dataclass(frozen=True, slots=True)
class Curve:
    """A smooth depth along the face: nodes in beam space, mm."""

    u: tuple[float, ...]
    d: tuple[float, ...]

    def __call__(self, u: Any) -> FloatArray:
        """Depth at positions along the face; constant outside the nodes."""
        return np.asarray(PchipInterpolator(self.u, self.d)(np.clip(u, self.u[0], self.u[-1])))


@dataclass(frozen=True, slots=True)
class Line:
    """A thin specular reflector: ligament, septum, fascia, muscle striation or short dash."""

    path: Curve
    level_db: tuple[float, ...]
    """Strength at the nodes of the path, dB over the mean envelope of glandular tissue, where the line lies square to the beam."""
    thickness: float
    phase: tuple[float, ...]
    """Phase of the echo at the nodes, radians."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An ellipse with a wavy edge; positions in the picture, mm."""

    x: float
    z: float
    half_width: float
    half_height: float
    tilt: float = 0.0
    """Turn of the ellipse, radians."""
    waves: tuple[tuple[int, float, float], ...] = ()
    """Order, amplitude relative to the radius and phase of each wave of the edge."""

    def distance(self, x: Any, z: Any, reach: float = math.inf) -> FloatArray:
        """Distance from the edge in mm, negative inside; exact on the edge, near enough beside it; `reach` where it is surely more."""
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        widest = max(self.half_width, self.half_height) * (
            1 + sum(amplitude for _, amplitude, _ in self.waves)
        )
        near = (np.abs(x - self.x) < widest + reach) & (np.abs(z - self.z) < widest + reach)
        out = np.full(x.shape, reach)
        x, z = x[near] - self.x, z[near] - self.z
        cosine, sine = np.cos(self.tilt), np.sin(self.tilt)
        across, along = (
            (x * cosine + z * sine) / self.half_width,
            (z * cosine - x * sine) / self.half_height,
        )
        rho, angle = np.hypot(across, along), np.arctan2(along, across)
        edge = np.ones(rho.shape)
        for order, amplitude, phase in self.waves:
            edge += amplitude * np.cos(order * angle + phase)
        spread = np.hypot(self.half_height * np.cos(angle), self.half_width * np.sin(angle))
        out[near] = np.minimum((rho - edge) * self.half_width * self.half_height / spread, reach)
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
    """Standard deviation of the slow variation of the level inside."""
    rim_db: float = 0.0
    """Echo level of a hyperechoic rim over its surroundings."""
    rim: float = 1.0
    """Width of the rim, mm."""
    posterior: PosteriorFeature = "none"
    posterior_db: float = 0.0
    """Loss behind the whole of the mass; negative is enhancement."""
    edge_shadow_db: float = 0.0
    """Loss of the narrow shadows behind the lateral edges."""


@dataclass(frozen=True, slots=True)
class DuctShape:
    """A duct: one or more tubes."""

    paths: tuple[tuple[tuple[float, float, float], ...], ...]
    """Each tube as points (x, z, radius of the lumen) some 0.2 mm apart."""
    level_db: float = -17.0
    wall_db: float = 7.0
    wall: float = 0.25
    """Thickness of the wall, mm."""

    def distance(self, x: Any, z: Any, reach: float = 3.0) -> FloatArray:
        """Distance from the inside of the wall in mm, negative in the lumen; `reach` beyond that distance."""
        points = np.concatenate([np.asarray(path) for path in self.paths])
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        out = np.full(x.shape, reach)
        widest = points[:, 2].max()
        low, high = points[:, :2].min(0) - widest - reach, points[:, :2].max(0) + widest + reach
        near = (x >= low[0]) & (x <= high[0]) & (z >= low[1]) & (z <= high[1])
        if near.any():
            apart, index = cKDTree(points[:, :2]).query(
                np.column_stack([x[near], z[near]]), distance_upper_bound=widest + reach
            )
            radius = np.append(points[:, 2], 0.0)[index]
            out[near] = np.minimum(apart - radius, reach)
        return out


@dataclass(frozen=True, slots=True)
class NonmassShape:
    """A discrete area of altered echotexture without the shape of a mass."""

    outline: Outline
    margin: float = 1.5
    level_db: float = -6.0
    mottle_db: float = 4.0


@dataclass(frozen=True, slots=True)
class FocusShape:
    """An echogenic focus; position in the picture, mm."""

    x: float
    z: float
    diameter: float
    contrast_db: float
    label: Label
    shadow_db: float = 0.0
    """Loss straight behind the focus; 0: no shadow."""
    twinkling: bool = False
    mass: int | None = None
    """Number of the mass it lies in, from 1."""
    duct: int | None = None
    nonmass: bool = False
    cluster: int | None = None

    @property
    def kind(self) -> Kind:
        """Punctate below 0.5 mm."""
        return "coarse" if self.diameter >= 0.5 else "punctate"


@dataclass(frozen=True, slots=True)
class VesselShape:
    """A blood vessel with laminar, pulsatile flow."""

    path: tuple[tuple[float, float], ...]
    """Points (x, z) some 0.2 mm apart, in the direction of the flow."""
    radius: float
    velocity: float
    """Systolic velocity in the middle, cm/s."""
    level_db: float = -14.0
    """Echo level of the lumen, dB over glandular tissue."""


@dataclass(frozen=True, slots=True)
class ColourBox:
    """Where colour Doppler is measured, in beam space, mm; a steered box is a parallelogram."""

    first: float
    """Position of its left edge along the face, at its top."""
    last: float
    top: float
    bottom: float
    steering: float = 0.0
    """Angle of the colour beams to the scan lines, radians, positive to the right; linear only."""

    def lean(self, d: Any) -> Any:
        """How far a colour beam has moved along the face at a depth, mm."""
        return np.tan(self.steering) * (np.asarray(d) - self.top)

    def holds(self, u: Any, d: Any) -> Any:
        """Whether beam-space points lie in the box."""
        straight = np.asarray(u) - self.lean(d)
        return (
            (straight >= self.first)
            & (straight <= self.last)
            & (np.asarray(d) >= self.top)
            & (np.asarray(d) <= self.bottom)
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """A breast, or homogeneous tissue where `fat` is None."""

    skin: float = 1.6
    """Thickness of the skin, mm."""
    fat: Curve | None = None
    """Where the subcutaneous fat ends."""
    muscle: Curve | None = None
    """Where the pectoral muscle begins."""
    attenuation: float = 0.0
    """Loss with depth that time-gain compensation leaves, dB/mm."""
    lobules: tuple[Outline, ...] = ()
    """Fat lobules within the glandular tissue."""
    lines: tuple[Line, ...] = ()
    masses: tuple[MassShape, ...] = ()
    ducts: tuple[DuctShape, ...] = ()
    nonmass: tuple[NonmassShape, ...] = ()
    foci: tuple[FocusShape, ...] = ()
    vessels: tuple[VesselShape, ...] = ()
    box: ColourBox | None = None
    """Where colour is measured; without a box there is none."""

    def with_foci(self, *foci: FocusShape) -> Scene:
        """The same scene with these foci added."""
        return replace(self, foci=(*self.foci, *foci))
