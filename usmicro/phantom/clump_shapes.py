"""Shapes of coarse calcifications: rims, popcorn shapes and irregular clumps.

A shape is a union of discs. The ranges of their sizes and distances were chosen by eye from
descriptions of coarse calcifications; no measurement is recorded.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from usmicro.phantom.scene import Disc, FloatArray, FocusForm

STEP = 0.05
"""Distance in mm between the samples by which the area of a shape is measured."""


def distance_to_discs(discs: tuple[Disc, ...], x: Any, z: Any) -> FloatArray:
    """Return the signed distance in mm of positions from the edge of a union of discs.

    It is negative inside, and exact outside and on the edge. `x` and `z` have the same shape.
    """
    return np.asarray(
        np.minimum.reduce([np.hypot(x - dx, z - dz) - radius for dx, dz, radius in discs])
    )


def random_discs(rng: np.random.Generator, form: FocusForm, diameter: float) -> tuple[Disc, ...]:
    """Draw the discs of a shape, in mm from its centroid.

    Parameters
    ----------
    rng : Generator
    form : str
        rim: one disc, whose edge calcifies; popcorn: lobes around a middle; clump: a chain of
        touching lumps that may be bent.
    diameter : float
        Diameter of the circle with the area of the shape, holes filled, mm.

    Returns
    -------
    tuple of (x, z, radius)
    """
    if form == "rim":
        return ((0.0, 0.0, diameter / 2),)
    if form == "popcorn":
        count = int(rng.integers(4, 7))
        start = rng.uniform(0, 2 * math.pi)
        angles = [start + 2 * math.pi * k / count + rng.normal(0, 0.2) for k in range(count)]
        discs = [(0.0, 0.0, 0.6)]
        discs += [
            (0.75 * math.cos(angle), 0.75 * math.sin(angle), rng.uniform(0.35, 0.6))
            for angle in angles
        ]
    else:
        heading = rng.uniform(-0.6, 0.6)  # mostly across the beam, as tissue is
        x, z, radius = 0.0, 0.0, rng.uniform(0.7, 1.1)
        discs = [(x, z, radius)]
        for _ in range(int(rng.integers(2, 5))):
            following = rng.uniform(0.5, 1.1)
            step = rng.uniform(0.65, 0.9) * (radius + following)
            heading += rng.normal(0, 0.5)
            x, z, radius = x + step * math.cos(heading), z + step * math.sin(heading), following
            discs.append((x, z, radius))
    return _centred(discs, diameter)


def _centred(discs: list[Disc], diameter: float) -> tuple[Disc, ...]:
    """Move discs so that their centroid is the origin, and scale their area to a diameter."""
    reach = max(max(abs(x), abs(z)) + radius for x, z, radius in discs)
    axis = np.linspace(-reach, reach, max(round(2 * reach / STEP), 2))
    x, z = np.meshgrid(axis, axis)
    inside = distance_to_discs(tuple(discs), x, z) < 0
    middle_x, middle_z = float(x[inside].mean()), float(z[inside].mean())
    area = float(inside.sum()) * float(axis[1] - axis[0]) ** 2
    scale = diameter / (2 * math.sqrt(area / math.pi))
    return tuple(
        (scale * (disc_x - middle_x), scale * (disc_z - middle_z), scale * radius)
        for disc_x, disc_z, radius in discs
    )
