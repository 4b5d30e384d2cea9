"""Insert simulated foci into real tissue. This module is not a program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import Anatomy
from usmicro.model.view import View

MOST_FOCI = 5
"""Largest number of foci that are inserted into a view; the smallest is 1."""

SHARE_IN_MASS = 0.8
"""Share of the foci that lie in a mass, if the view shows one: about that of the marked foci."""

DIAMETERS_MM = (0.1, 0.9)
"""Range of the diameters of inserted foci, in mm, before the resolution of the scan widens them."""

RISE = (35.0, 140.0)
"""Range of the rise of the grey level at the centre of a focus.

It covers the contrast of nine tenths of the marked foci.
"""

ROUGHNESS = 0.25
"""Standard deviation of the amplitude of a wave by which the grey level of a focus varies across
it. Chosen by eye."""

MARGIN_MM = 1.0
"""Smallest distance between an inserted focus and the edge of the image, in mm."""


def with_inserted_foci(
    view: View, anatomy: Anatomy, random: np.random.Generator
) -> tuple[View, NDArray[np.float64], NDArray[np.float64]]:
    """Add foci to the grey image of a view.

    A focus is an elliptical Gaussian whose widths are those of its own diameter and of the speckle
    together.

    Parameters
    ----------
    view : View
    anatomy : Anatomy
        Its masses attract most of the foci.
    random : Generator

    Returns
    -------
    view : View
        The view with foci.
    x, y : array, shape (n,)
        Grid columns and rows of the centres.
    """
    grey = view.grey.copy()
    margin = int(np.ceil(view.grid.pixels(MARGIN_MM)))
    allowed = view.usable.copy()
    allowed[:margin], allowed[-margin:] = False, False
    allowed[:, :margin], allowed[:, -margin:] = False, False
    in_mass = allowed & (anatomy.masses > 0)
    x, y = [], []
    for _ in range(int(random.integers(1, MOST_FOCI + 1))):
        place = in_mass if in_mass.any() and random.random() < SHARE_IN_MASS else allowed
        rows, columns = np.nonzero(place)
        if not len(rows):
            break
        chosen = int(random.integers(len(rows)))
        row, column = (
            rows[chosen] + random.uniform(-0.5, 0.5),
            columns[chosen] + random.uniform(-0.5, 0.5),
        )
        _add_focus(grey, view, column, row, random)
        x.append(column)
        y.append(row)
    return replace(view, grey=grey), np.array(x, float), np.array(y, float)


def _add_focus(
    grey: NDArray[np.float32], view: View, column: float, row: float, random: np.random.Generator
) -> None:
    """Add one focus to a grey image, in place."""
    low, high = np.log(DIAMETERS_MM)
    diameter = view.grid.pixels(float(np.exp(random.uniform(low, high))))
    aspect = np.exp(random.normal(0, 0.2))
    across, along = (
        np.hypot(diameter * factor, 0.8 * speckle) / 2.355
        for factor, speckle in zip((aspect, 1 / aspect), view.speckle_size, strict=True)
    )
    reach = int(np.ceil(4 * max(across, along)))
    top, left = max(round(row) - reach, 0), max(round(column) - reach, 0)
    box = grey[top : round(row) + reach + 1, left : round(column) + reach + 1]
    rows, columns = np.mgrid[: box.shape[0], : box.shape[1]]
    dx, dy = columns + left - column, rows + top - row
    beam_x, beam_y = (float(part) for part in view.scan_lines.direction(column, row))
    u, v = dx * beam_y - dy * beam_x, dx * beam_x + dy * beam_y
    shape = np.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2))
    rough = 1 + ROUGHNESS * random.standard_normal() * np.cos(
        random.uniform(0, 2 * np.pi) + u / across + v / along
    )
    box[:] = np.clip(box + random.uniform(*RISE) * shape * rough, 0, 255)
