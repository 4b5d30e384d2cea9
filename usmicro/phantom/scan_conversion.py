"""Where the scan lines run, and how beam space becomes a picture.

Beam space has one row a depth sample and one column a scan line. `u` is the position of a line along the transducer's face in mm
(0 in the middle), `d` the depth along it in mm; `x`, `z` are mm in the picture, (0, 0) where the middle line leaves the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import Geometry
from usmicro.phantom.settings import PhantomSettings

SAMPLE_STEP = 0.05
"""Distance between depth samples, mm: a fifth of the finest axial resolution or less."""
LINE_STEP = 0.10
"""Distance between scan lines at the face, mm."""
MARGIN = 1.5
"""Beam space reaches this much further than the picture on every side, mm: room for tissue motion."""


@dataclass(frozen=True)
class Probe:
    """Geometry of a scan."""

    geometry: Geometry
    width: float
    depth: float
    radius: float
    spacing: float

    @classmethod
    def of(cls, settings: PhantomSettings) -> Probe:
        """The probe that the settings describe."""
        geometry: Geometry = "sector" if settings.geometry == "sector" else "linear"
        return cls(geometry, settings.width, settings.depth, settings.radius, settings.spacing)

    @cached_property
    def u(self) -> FloatImage:
        """Position of every scan line along the face, mm."""
        half = self.width / 2 + MARGIN
        return np.arange(-half, half + LINE_STEP / 2, LINE_STEP, dtype=np.float32)

    @cached_property
    def d(self) -> FloatImage:
        """Depth of every sample, mm."""
        return np.arange(
            -MARGIN, self.depth + MARGIN + SAMPLE_STEP / 2, SAMPLE_STEP, dtype=np.float32
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and lines of beam space."""
        return len(self.d), len(self.u)

    @property
    def half_angle(self) -> float:
        """Half of the opening angle of a sector, radians."""
        return self.width / 2 / self.radius

    def line_spacing(self, d: Any) -> Any:
        """Distance between scan lines at a depth, mm."""
        return (
            LINE_STEP * (1 + np.maximum(d, 0) / self.radius)
            if self.geometry == "sector"
            else LINE_STEP + 0 * np.asarray(d)
        )

    def position(self, u: Any, d: Any) -> tuple[Any, Any]:
        """Position x, z in mm of a beam-space point."""
        if self.geometry == "linear":
            return u + 0 * d, d + 0 * u
        angle, distance = u / self.radius, self.radius + d
        return distance * np.sin(angle), distance * np.cos(angle) - self.radius

    def beam(self, x: Any, z: Any) -> tuple[Any, Any]:
        """Beam-space point u, d in mm of a position."""
        if self.geometry == "linear":
            return x + 0 * z, z + 0 * x
        return np.arctan2(x, z + self.radius) * self.radius, np.hypot(
            x, z + self.radius
        ) - self.radius

    @cached_property
    def origin(self) -> tuple[float, float]:
        """Position x, z in mm of the picture's upper left corner."""
        if self.geometry == "linear":
            return -self.width / 2, 0.0
        return -(self.radius + self.depth) * np.sin(
            min(self.half_angle, np.pi / 2)
        ), self.radius * (np.cos(self.half_angle) - 1)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        x, z = self.origin
        return round((self.depth - z) / self.spacing), round(-2 * x / self.spacing)

    def to_pixels(self, u: Any, d: Any) -> tuple[Any, Any]:
        """Column and row in the picture of a beam-space point; pixel centres are whole numbers."""
        x, z = self.position(u, d)
        return (x - self.origin[0]) / self.spacing - 0.5, (z - self.origin[1]) / self.spacing - 0.5

    @cached_property
    def pixel_beams(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Beam-space position u, d in mm of every pixel of the picture."""
        rows, columns = self.image_shape
        x = self.origin[0] + (np.arange(columns) + 0.5) * self.spacing
        z = self.origin[1] + (np.arange(rows) + 0.5) * self.spacing
        u, d = self.beam(x[None, :], z[:, None])
        return u.astype(np.float32), d.astype(np.float32)

    @cached_property
    def tissue(self) -> BoolImage:
        """Pixels of the picture that scan lines reach."""
        u, d = self.pixel_beams
        return np.asarray((np.abs(u) <= self.width / 2) & (d >= 0) & (d <= self.depth))

    def convert(self, beams: NDArray[Any], *, nearest: bool = False) -> FloatImage:
        """Picture, shape `image_shape`, of a beam-space array; bilinear, or the nearest sample."""
        u, d = self.pixel_beams
        columns, rows = (u - self.u[0]) / LINE_STEP, (d - self.d[0]) / SAMPLE_STEP
        how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return np.asarray(
            cv2.remap(beams.astype(np.float32), columns, rows, how, borderMode=cv2.BORDER_REPLICATE)
        )
