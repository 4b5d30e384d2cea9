"""Geometry of the scan lines, and the conversion from beam space to an image.

Beam space has one row per depth sample and one column per scan line. `u` is the position of a scan
line along the transducer face in mm, 0 in the middle; `d` is the depth along the scan line in mm.
`x` (to the right) and `z` (down) are positions in the image plane in mm. Their origin is the point
of the face at which the middle scan line begins.
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
"""Distance between depth samples, mm: half of the finest axial resolution that can be set."""

LINE_STEP = 0.10
"""Distance between scan lines at the face, mm: the finest lateral resolution that can be set."""

MARGIN = 1.5
"""Distance by which beam space extends beyond the image on every side, mm.

It leaves room for the displacement of the tissue, which `usmicro.phantom.simulation` limits.
"""


@dataclass(frozen=True)
class Probe:
    """Transducer, and the image that it makes."""

    geometry: Geometry
    width: float
    """Width of the transducer face, along its arc for a sector, mm."""
    depth: float
    """Depth of the image along the middle scan line, mm."""
    radius: float
    """Radius of the transducer face of a sector, mm."""
    spacing: float
    """Pixel size of the image, mm."""

    @classmethod
    def of(cls, settings: PhantomSettings) -> Probe:
        """Return the probe that the settings describe."""
        geometry: Geometry = "sector" if settings.geometry == "sector" else "linear"
        return cls(geometry, settings.width, settings.depth, settings.radius, settings.spacing)

    @cached_property
    def u(self) -> FloatImage:
        """Position of each scan line along the face, mm."""
        half = self.width / 2 + MARGIN
        return np.arange(-half, half + LINE_STEP / 2, LINE_STEP, dtype=np.float32)

    @cached_property
    def d(self) -> FloatImage:
        """Depth of each sample, mm."""
        deepest = self.depth + MARGIN + SAMPLE_STEP / 2
        return np.arange(-MARGIN, deepest, SAMPLE_STEP, dtype=np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of scan lines."""
        return len(self.d), len(self.u)

    @property
    def half_angle(self) -> float:
        """Half of the opening angle of a sector, radians."""
        return self.width / 2 / self.radius

    def line_spacing(self, d: Any) -> Any:
        """Return the distance between scan lines at depths `d`, mm."""
        if self.geometry == "sector":
            return LINE_STEP * (1 + np.maximum(d, 0) / self.radius)
        return LINE_STEP + 0 * np.asarray(d)

    def position(self, u: Any, d: Any) -> tuple[Any, Any]:
        """Return the positions x, z in mm of points in beam space."""
        if self.geometry == "linear":
            return u + 0 * d, d + 0 * u
        angle, distance = u / self.radius, self.radius + d
        return distance * np.sin(angle), distance * np.cos(angle) - self.radius

    def beam(self, x: Any, z: Any) -> tuple[Any, Any]:
        """Return the points u, d in beam space, mm, of positions."""
        if self.geometry == "linear":
            return x + 0 * z, z + 0 * x
        u = np.arctan2(x, z + self.radius) * self.radius
        d = np.hypot(x, z + self.radius) - self.radius
        return u, d

    @cached_property
    def origin(self) -> tuple[float, float]:
        """Position x, z in mm of the upper left corner of the image."""
        if self.geometry == "linear":
            return -self.width / 2, 0.0
        half_width = (self.radius + self.depth) * np.sin(min(self.half_angle, np.pi / 2))
        return -half_width, self.radius * (np.cos(self.half_angle) - 1)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        x, z = self.origin
        return round((self.depth - z) / self.spacing), round(-2 * x / self.spacing)

    def to_pixels(self, u: Any, d: Any) -> tuple[Any, Any]:
        """Return column and row of points in beam space; pixel centres are whole numbers."""
        x, z = self.position(u, d)
        return (x - self.origin[0]) / self.spacing - 0.5, (z - self.origin[1]) / self.spacing - 0.5

    @cached_property
    def pixel_beams(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points u, d in beam space, mm, of all pixels; each array has the shape of the image."""
        rows, columns = self.image_shape
        x = self.origin[0] + (np.arange(columns) + 0.5) * self.spacing
        z = self.origin[1] + (np.arange(rows) + 0.5) * self.spacing
        u, d = self.beam(x[None, :], z[:, None])
        return u.astype(np.float32), d.astype(np.float32)

    @cached_property
    def tissue(self) -> BoolImage:
        """True at the pixels that scan lines reach; shape of the image."""
        u, d = self.pixel_beams
        return np.asarray((np.abs(u) <= self.width / 2) & (d >= 0) & (d <= self.depth))

    def convert(self, beam_image: NDArray[Any], *, nearest: bool = False) -> FloatImage:
        """Convert an array in beam space to the image.

        Parameters
        ----------
        beam_image : array, shape `shape`
        nearest : bool
            Take the nearest sample; by default the interpolation is bilinear.

        Returns
        -------
        array, shape `image_shape`, float32
        """
        u, d = self.pixel_beams
        columns, rows = (u - self.u[0]) / LINE_STEP, (d - self.d[0]) / SAMPLE_STEP
        method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        samples = beam_image.astype(np.float32)
        return np.asarray(
            cv2.remap(samples, columns, rows, method, borderMode=cv2.BORDER_REPLICATE)
        )
