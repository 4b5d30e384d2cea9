"""Evidence for twinkling on one frame, from its colours at a focus and in the tail behind it.

The zone of a focus is the focus with a margin and its tail along the colour beam. A colour cell is
the resolution cell of the colour image: pixels within one cell have nearly the same phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usmicro.doppler.zones import window_around, zone_of
from usmicro.model.arrays import BoolImage, LabelImage, bounding_box
from usmicro.model.view import View
from usmicro.numerics.quantiles import quantile
from usmicro.settings import TwinklingSettings

HEAD_LENGTH_MM = 1.0
"""Length behind a focus that counts as the head of its zone, mm.

A focus that twinkles has colour there; a focus in the tail of another one may have none. Chosen by
eye; no measurement is recorded.
"""
LEAST_HEAD_IN_BOX = 0.5
"""Share of the head that must lie in the colour box for a focus to be assessable: its larger part.

Chosen by eye; no measurement is recorded.
"""
BACKGROUND_DISTANCE_MM = 5.0
"""Distance around the focus and its tail over which the background colour is measured, mm.

Farther away the gain and the tissue may differ. Chosen by eye; no measurement is recorded.
"""
LEAST_STRIP_IN_BOX = 0.5
"""Share of a background strip that must lie in the colour box.

Chosen by eye; no measurement is recorded.
"""
BACKGROUND_QUANTILE = 0.25
"""Quantile over the background strips of their coloured fraction, which is the background.

It is low because a vessel may colour some of the strips, whereas noise colours all of them. Chosen
by eye; no measurement is recorded.
"""
LARGEST_CELL_MM = 1.5
"""Largest width and height of a colour cell, mm: phases that agree over more belong to flow.

Chosen by eye; no measurement is recorded.
"""
CELL_COHERENCE = 0.5
"""Mean cosine of the phase difference between pixels that are half the size of a colour cell apart.

It is half of the maximum of 1, as in the full width at half maximum of a resolution cell.
"""
LEAST_PAIRS = 6
"""Smallest number of pairs of pixels over which a mean cosine is taken.

The mean of fewer cosines is unsteady. Chosen by eye; no measurement is recorded.
"""
NEIGHBOUR_DISTANCE = 1.3
"""Distance of neighbours whose phases are compared, in colour cells.

It is more than one, since the display smooths colours over one cell. Chosen by eye; no measurement
is recorded.
"""
PAIR_DIRECTIONS = 8
"""Number of directions, evenly spread over 180 degrees, in which pixels are paired.

A vessel may run in any direction.

Chosen by eye; no measurement is recorded.
"""


@dataclass(frozen=True, slots=True)
class ColourEvidence:
    """Evidence from the colours of one frame at one focus and behind it; None if not measured."""

    in_box: bool
    """True if most of the head of the zone lies in the colour box."""
    power: bool = False
    """True for power Doppler, whose colours have no phase."""
    zone_fraction: float = 0.0
    """Coloured fraction of the zone."""
    head_fraction: float = 0.0
    """Coloured fraction of the head of the zone; small for a focus in the tail of another one."""
    background: float = 0.0
    """Coloured fraction of the strips beside the zone, lower quartile; 0 if the zone has no colour.

    It is an estimate of the coloured fraction that noise causes.
    """
    box_fraction: float = 0.0
    """Coloured fraction of the colour box; large in a flash."""
    outside_fraction: float | None = None
    """Fraction outside the zone of the colour patches that reach into it; large for a vessel."""
    cells: float | None = None
    """Number of colour cells in the coloured part of the zone."""
    mean_resultant_length: float | None = None
    """Length of the mean of the unit phasors of the zone, as in directional statistics.

    It is 1 for equal phases, and about 0.886 / sqrt(cells) for independent uniform ones.
    """
    mean_phase: float | None = None
    """Angle of the mean phasor, radians."""
    pairs: tuple[int, ...] = ()
    """Number of pairs of coloured pixels NEIGHBOUR_DISTANCE cells apart, by direction."""
    cosines: tuple[float, ...] = ()
    """Sum of the cosines of the phase differences of these pairs, by direction."""
    opposed_fraction: float | None = None
    """Fraction of the pairs whose phases differ by more than a quarter turn; 0.5 if random."""

    @property
    def patch_cells(self) -> float | None:
        """Number of colour cells in the colour patches that reach into the zone; None if unknown.

        It is extrapolated from the number in the zone. Twinkling may be wider than its focus.
        """
        if self.cells is None or self.outside_fraction is None or self.outside_fraction >= 1:
            return None
        return self.cells / (1 - self.outside_fraction)


NO_COLOUR = ColourEvidence(in_box=False)
"""Evidence where the frame has no colour Doppler data at the focus."""


class Colours:
    """The colours of one frame; results that all of its foci share are computed once."""

    def __init__(self, view: View, settings: TwinklingSettings) -> None:
        self.view, self.settings = view, settings
        colour = view.colour
        self._phasor: NDArray[np.complex64] | None = None
        self._patch_labels: LabelImage | None = None
        self._has_box = colour is not None and bool(colour.box.any())
        if colour is not None and self._has_box:
            self.box_fraction = np.count_nonzero(colour.mask) / np.count_nonzero(colour.box)
            self.steering_slope = _steering_slope(colour.box)

    def at(self, x: float, y: float, diameter: float) -> ColourEvidence:
        """Measure the colours at a focus and in its tail.

        Parameters
        ----------
        x, y : float
            Column and row of the focus, grid pixels.
        diameter : float
            Full width at half maximum of the focus, grid pixels.

        Returns
        -------
        ColourEvidence
            `NO_COLOUR` where the frame has no colour Doppler data.

        References
        ----------
        The tail behind the source: Kamaya et al., AJR 180 (2003) 83. Mean resultant length: Mardia
        and Jupp, Directional Statistics (2000), chapter 6.
        """
        view, settings, colour = self.view, self.settings, self.view.colour
        if colour is None or not self._has_box:
            return NO_COLOUR
        pixels = view.grid.pixels
        half_width = diameter / 2 + pixels(settings.margin)
        window = window_around(view, x, y, 2 * half_width + pixels(HEAD_LENGTH_MM) + 2)
        box = colour.box[window]
        if not box.any():
            return NO_COLOUR
        beam = self._beam(x, y)
        head = zone_of(view, x, y, beam, half_width, pixels(HEAD_LENGTH_MM), window)
        if not head.any() or (head & box).sum() < LEAST_HEAD_IN_BOX * head.sum():
            return NO_COLOUR
        head &= box
        head_fraction = float(colour.mask[window][head].sum()) / float(head.sum())

        window = window_around(view, x, y, pixels(settings.tail + BACKGROUND_DISTANCE_MM))
        box, mask = colour.box[window], colour.mask[window] & colour.box[window]
        zone = zone_of(view, x, y, beam, half_width, pixels(settings.tail), window) & box
        coloured = zone & mask
        size = np.count_nonzero(coloured)
        evidence = ColourEvidence(
            in_box=True,
            power=colour.power,
            zone_fraction=size / np.count_nonzero(zone),
            head_fraction=head_fraction,
            box_fraction=self.box_fraction,
        )
        if not size:
            return evidence
        widened = _dilated(zone, pixels(settings.margin))
        evidence = replace(
            evidence,
            background=_background_fraction(mask, box, zone),
            outside_fraction=_outside_fraction(self._patches()[window], coloured, widened),
        )
        if colour.power:
            return evidence

        left, top, right, bottom = bounding_box(coloured)
        coloured = coloured[top:bottom, left:right]
        phasor = self._phasors()[window][top:bottom, left:right]
        width, height = (
            measured or pixels(settings.cell)
            for measured in _cell_size(phasor, coloured, pixels(LARGEST_CELL_MM))
        )
        mean = complex(phasor[coloured].mean())
        steps = _pair_steps(NEIGHBOUR_DISTANCE * width, NEIGHBOUR_DISTANCE * height)
        pairs, cosines, opposed = _phase_pairs(phasor, coloured, steps)
        enough = pairs.sum() >= LEAST_PAIRS
        return replace(
            evidence,
            cells=size / max(width * height, 1.0),
            mean_resultant_length=abs(mean),
            mean_phase=float(np.angle(mean)),
            pairs=tuple(pairs.tolist()),
            cosines=tuple(cosines.tolist()),
            opposed_fraction=float(opposed.sum() / pairs.sum()) if enough else None,
        )

    def _phasors(self) -> NDArray[np.complex64]:
        """Return the Doppler phases of coloured pixels as unit phasors, 0 elsewhere; cached."""
        from usmicro.doppler.velocity import decode

        colour = self.view.colour
        if self._phasor is None and colour is not None:
            where = np.flatnonzero(colour.mask)
            fraction, _ = decode(colour.rgb.reshape(-1, 3)[where], colour.bar)
            phase = np.float32(np.pi) * fraction
            self._phasor = np.zeros(colour.mask.shape, dtype=np.complex64)
            self._phasor.ravel()[where] = np.cos(phase) + np.complex64(1j) * np.sin(phase)
        assert self._phasor is not None
        return self._phasor

    def _patches(self) -> LabelImage:
        """Return the connected patches of colour in the colour box, numbered from 1; cached."""
        import cv2

        if self._patch_labels is None:
            colour = self.view.colour
            assert colour is not None
            coloured = (colour.mask & colour.box).view(np.uint8)
            self._patch_labels = cv2.connectedComponents(coloured)[1]
        return np.asarray(self._patch_labels)

    def _beam(self, x: float, y: float) -> tuple[float, float]:
        """Return the unit vector (x, y) along the colour beam, away from the transducer."""
        if self.view.scan_lines.geometry == "sector" or self.steering_slope is None:
            dx, dy = (float(value) for value in self.view.scan_lines.direction(x, y))
            return dx, dy
        length = float(np.hypot(self.steering_slope, 1))
        return self.steering_slope / length, 1 / length


def _steering_slope(box: BoolImage) -> float | None:
    """Return the slope of a colour box in columns per row; None for a single row.

    The sides of a steered box are parallel to its beams.
    """
    rows = np.flatnonzero(box.any(axis=1))
    if len(rows) < 2:
        return None
    middle = (box[rows].argmax(axis=1) + box.shape[1] - 1 - box[rows, ::-1].argmax(axis=1)) / 2
    centred = rows - rows.mean()
    return float(centred @ middle / (centred @ centred))


def _outside_fraction(patches: LabelImage, coloured: BoolImage, zone: BoolImage) -> float:
    """Return the fraction outside a zone of the patches that contain any of the coloured pixels.

    `patches` has the number of the patch of each pixel, 0 outside; every coloured pixel must lie in
    a patch.
    """
    from usmicro.kernels.colour import count_patch_pixels

    reaching = np.zeros(int(patches.max()) + 1, dtype=np.bool_)
    reaching[patches[coloured]] = True
    inside, outside = count_patch_pixels(np.ascontiguousarray(patches), reaching, zone)
    return float(outside / (inside + outside))


def _background_fraction(mask: BoolImage, box: BoolImage, zone: BoolImage) -> float:
    """Return the lower quartile of the coloured fraction of the strips beside a zone.

    The strips have the height and width of the zone and lie in the colour box. The result is 0 if
    there are none.
    """
    rows, columns = np.flatnonzero(zone.any(axis=1)), np.flatnonzero(zone.any(axis=0))
    height_range = slice(rows[0], rows[-1] + 1)
    width = len(columns)
    kernel = np.ones(width)
    in_box = np.convolve(np.count_nonzero(box[height_range], axis=0), kernel, "same")
    coloured = np.convolve(np.count_nonzero(mask[height_range], axis=0), kernel, "same")
    beside = np.abs(np.arange(mask.shape[1]) - (columns[0] + columns[-1]) / 2) >= width
    usable = beside & (in_box >= LEAST_STRIP_IN_BOX * len(rows) * width)
    if not usable.any():
        return 0.0
    return quantile(coloured[usable] / in_box[usable], BACKGROUND_QUANTILE)


def _dilated(mask: BoolImage, radius: float) -> BoolImage:
    """Dilate a mask by `radius` pixels to every side, with a square."""
    import cv2

    width = 2 * round(radius) + 1
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((width, width), np.uint8)) > 0)


def _phase_pairs(
    phasor: NDArray[np.complex64], coloured: BoolImage, steps: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Compare the phases of all coloured pixels that lie a step (columns, rows) apart.

    Return three arrays of shape (n,) for n steps: the number of pairs, the sum of the cosines of
    their phase differences, and the number of negative cosines.
    """
    from usmicro.kernels.colour import phase_pairs

    pairs, opposed = np.empty(len(steps), np.int32), np.empty(len(steps), np.int32)
    cosines = np.empty(len(steps), np.float32)
    phase_pairs(
        np.ascontiguousarray(phasor),
        np.ascontiguousarray(coloured),
        np.array(steps, np.int32),
        pairs,
        cosines,
        opposed,
    )
    return pairs, cosines, opposed


def _cell_size(
    phasor: NDArray[np.complex64], coloured: BoolImage, largest: float
) -> tuple[float | None, float | None]:
    """Return the width and height of a colour cell in grid pixels; None if not measurable.

    Each is twice the lag at which the mean cosine of the phase difference falls to CELL_COHERENCE.
    `largest` is the largest size that is measured.
    """
    sizes: list[float | None] = []
    lags = range(1, int(largest / 2) + 2)
    for column_step, row_step in ((1, 0), (0, 1)):
        previous, size = 1.0, None
        steps = [(lag * column_step, lag * row_step) for lag in lags]
        pairs, cosines, _ = _phase_pairs(phasor, coloured, steps)
        for lag, count, total in zip(lags, pairs.tolist(), cosines.tolist(), strict=True):
            if count < LEAST_PAIRS:
                break
            mean = total / count
            if mean < CELL_COHERENCE:
                size = 2 * (lag - 1 + (previous - CELL_COHERENCE) / (previous - mean))
                break
            previous = mean
        sizes.append(size)
    return sizes[0], sizes[1]


def _pair_steps(width: float, height: float) -> list[tuple[int, int]]:
    """Return the step (columns, rows) to an ellipse of these half axes in PAIR_DIRECTIONS."""
    angles = (np.arange(PAIR_DIRECTIONS) * np.pi / PAIR_DIRECTIONS).tolist()
    return [
        (round(width * np.cos(angle)), max(round(height * np.sin(angle)), 0)) for angle in angles
    ]
