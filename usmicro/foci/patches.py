"""Patches around candidates: the input of the focus network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels import focus_patches as kernels
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import FloatImage
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.numerics.area_means import area_means

SIZE = 24
"""Rows and columns of a patch."""
GREY_STEPS_MM = (0.12, 0.24, 0.48)
"""Distance between the samples of each grey plane, in mm.

The finest plane is 2.9 mm wide and shows the shape of a focus. The coarsest is 11.5 mm wide and
shows whether it belongs to a ligament, a fascia or the edge of a mass. Chosen by judgement; no
measurement is recorded.
"""
PROBABILITY_STEPS_MM = (0.48, 0.24)
"""Distance between the samples of the planes of the mass and of the duct probability, in mm."""
PLANES = len(GREY_STEPS_MM) + len(PROBABILITY_STEPS_MM)
"""Number of planes of an input."""
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""Quantiles of the grey level of the tissue by which the grey planes are standardised."""
LEAST_RANGE = 20.0
"""Smallest difference between the LOW and HIGH quantiles, grey levels.

A view with less is nearly empty, and its noise must not be amplified. Chosen by eye.
"""
LIMITS = (-2.0, 4.0)
"""Range of a standardised grey level. Bright foci lie far above the median, dark tissue does not
lie far below it."""


def focus_patches(view: View, candidates: Candidates, anatomy: Anatomy) -> NDArray[np.float32]:
    """Sample the input of the focus network around each candidate.

    Parameters
    ----------
    view, candidates, anatomy
        View of one frame, and its candidates and anatomy on the same grid.

    Returns
    -------
    array, shape (n, PLANES, SIZE, SIZE), float32
        Rows run along the beam, columns across it. Three planes hold the grey level at the steps of
        GREY_STEPS_MM: 0 is the median of the tissue, and the LOW and HIGH quantiles are 2 apart.
        Two planes hold the probabilities of mass and duct.
    """
    out = np.empty((len(candidates), PLANES, SIZE, SIZE), np.float32)
    if not len(candidates):
        return out
    beam = view.scan_lines.direction(candidates.x, candidates.y)
    grey_steps, probability_steps = (
        [view.grid.pixels(step) for step in steps]
        for steps in (GREY_STEPS_MM, PROBABILITY_STEPS_MM)
    )
    low, middle, high = _quantiles(view)
    for number, plane in enumerate(_sampled(view.grey, grey_steps, candidates, beam)):
        plane -= np.float32(middle)
        plane *= np.float32(2 / max(high - low, LEAST_RANGE))
        out[:, number] = np.clip(plane, *LIMITS, out=plane)
    probabilities = anatomy.mass_probability, anatomy.duct_probability
    for number, (image, step) in enumerate(zip(probabilities, probability_steps, strict=True)):
        (out[:, len(grey_steps) + number],) = _sampled(image, [step], candidates, beam)
    return out


def _quantiles(view: View) -> NDArray[np.float64]:
    """Return the LOW, MIDDLE and HIGH quantiles of the grey level of the tissue.

    Every fifth row and column is enough.
    """
    values = view.grey[::5, ::5][view.tissue[::5, ::5]]
    return np.asarray(
        np.quantile(values if values.size else view.grey, (LOW, MIDDLE, HIGH)), dtype=float
    )


def _sampled(
    image: FloatImage,
    steps: list[float],
    candidates: Candidates,
    beam: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Iterator[NDArray[np.float32]]:
    """Sample patches (n, SIZE, SIZE) of an image at each of some steps, in grid pixels.

    The image is first reduced to about one pixel per sample, which averages what lies between.
    """
    rows, columns = image.shape
    sizes = [
        (max(round(columns / max(step, 1.0)), 1), max(round(rows / max(step, 1.0)), 1))
        for step in steps
    ]
    reduced = area_means(np.ascontiguousarray(image, np.float32), *sizes)
    for step, size, means in zip(steps, sizes, reduced, strict=True):
        scale_x, scale_y = size[0] / columns, size[1] / rows
        out = np.empty((len(candidates), SIZE, SIZE), np.float32)
        kernels.beam_patches(
            means,
            ((candidates.x + 0.5) * scale_x - 0.5).astype(np.float32),
            ((candidates.y + 0.5) * scale_y - 0.5).astype(np.float32),
            beam[0].astype(np.float32),
            beam[1].astype(np.float32),
            step * float(np.sqrt(scale_x * scale_y)),
            out,
        )
        yield out
