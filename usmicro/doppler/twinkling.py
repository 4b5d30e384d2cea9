"""Twinkling: the quickly changing mosaic of colours that colour Doppler shows at, and behind, a rough calcification.

Twinkling is a random phase: neighbouring colour cells, and the same cell a frame later, have nothing to do with one another. Blood flows:
its phase is smooth along the vessel and reaches beyond the focus, and keeps its direction from frame to frame. A flash colours the whole
box, noise all of it thinly. Absence of twinkling never rules out a calcification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage, bounding_box
from usmicro.model.findings import Twinkling, TwinklingVerdict
from usmicro.model.view import View
from usmicro.numerics.quantiles import quantile
from usmicro.settings import TwinklingSettings

HEAD = 1.0
"""How far behind a focus that twinkles there must be colour, mm."""
SURROUNDINGS = 5.0
"""How far around the focus and its tail colour is compared with, mm."""
LARGEST_CELL = 1.5
"""Colour cells are not larger than this, mm; what stays alike further is flow."""
LEAST_PAIRS = 6
"""Pairs of pixels that a coherence must rest on."""
APART = 1.3
"""Neighbours are this many cells apart: the display smooths colours over one."""
DIRECTIONS = 8
"""Directions that coherence is looked for in: a vessel may run anywhere."""
HALF_COHERENT = 0.5
"""Coherence that defines the size of a colour cell."""


@dataclass(frozen=True, slots=True)
class ColourEvidence:
    """What the colours of one frame show at one focus and behind it; None where not measured."""

    in_box: bool
    """Whether most of the focus lies in the colour box."""
    power: bool = False
    """Power Doppler: colours have no phase."""
    fraction: float = 0.0
    """Coloured fraction of the zone: the focus and its tail."""
    head: float = 0.0
    """The same of the focus and the first millimetre behind it; small in the tail of another focus."""
    background: float = 0.0
    """Coloured fraction of places like the zone beside it, their lower quartile: noise that is everywhere; 0 if the zone has no colour."""
    box_fraction: float = 0.0
    """Coloured fraction of the colour box; large in a flash."""
    spill: float | None = None
    """Fraction of the coloured patches of the zone that lies outside it; a vessel passes through."""
    cells: float | None = None
    """Colour resolution cells that the coloured part of the zone holds."""
    resultant: float | None = None
    """Length of the mean phasor of the zone: 1 for one phase, about 0.886 / sqrt(cells) for random ones."""
    phase: float | None = None
    """Angle of the mean phasor, radians."""
    pairs: tuple[int, ...] = ()
    """Pairs of coloured pixels about one cell apart, by direction."""
    cosines: tuple[float, ...] = ()
    """Sum over them of the cosine of the phase difference."""
    flips: float | None = None
    """Fraction of the pairs whose phases differ by more than a quarter turn; a half in a mosaic."""


NO_COLOUR = ColourEvidence(in_box=False)


def colour_evidence(
    view: View, x: float, y: float, diameter: float, settings: TwinklingSettings | None = None
) -> ColourEvidence:
    """Measure the colours at a focus and in its tail.

    Parameters
    ----------
    view : View
        One frame.
    x, y : float
        Column and row of the focus, grid pixels.
    diameter : float
        Of the focus, grid pixels.
    settings : TwinklingSettings, optional

    Returns
    -------
    ColourEvidence
        With `in_box` false where the view has no colour data there.

    References
    ----------
    Kamaya et al., AJR 180 (2003) 83: the tail behind the source. Rayleigh statistics of the resultant: Mardia and Jupp, Directional
    Statistics (2000), chapter 6.
    """
    return Colours(view, settings or TwinklingSettings()).at(x, y, diameter)


class Colours:
    """The colours of one frame, for many foci: what all of them share is measured once."""

    def __init__(self, view: View, settings: TwinklingSettings) -> None:
        self.view, self.settings = view, settings
        colour = view.colour
        self._phasor: NDArray[np.complex64] | None = None
        self._labels: LabelImage | None = None
        self.any = colour is not None and bool(colour.box.any())
        if colour is not None and self.any:
            self.box_fraction = np.count_nonzero(colour.mask) / np.count_nonzero(colour.box)
            self.lean = _lean(colour.box)

    def at(self, x: float, y: float, diameter: float) -> ColourEvidence:
        """See `colour_evidence`."""
        view, settings, colour = self.view, self.settings, self.view.colour
        if colour is None or not self.any:
            return NO_COLOUR
        pixels = view.grid.pixels
        half = diameter / 2 + pixels(settings.margin)
        near = _window(view, x, y, 2 * half + pixels(HEAD) + 2)
        if not colour.box[near].any():
            return NO_COLOUR
        beam = self._beam(x, y)
        head = _zone(view, x, y, beam, half, pixels(HEAD), near)
        if not head.any() or (head & colour.box[near]).sum() < 0.5 * head.sum():
            return NO_COLOUR
        head &= colour.box[near]
        in_head = float(colour.mask[near][head].sum()) / float(head.sum())
        window = _window(view, x, y, pixels(settings.tail + SURROUNDINGS))
        box, mask = colour.box[window], colour.mask[window] & colour.box[window]
        zone = _zone(view, x, y, beam, half, pixels(settings.tail), window) & box
        lit = zone & mask
        size = np.count_nonzero(lit)
        fraction = size / np.count_nonzero(zone)
        if not size:
            return ColourEvidence(True, colour.power, fraction, in_head, 0.0, self.box_fraction)
        background = _beside(mask, box, zone)
        spill = _spill(self._patches()[window], lit, _grown(zone, pixels(settings.margin)))
        if colour.power:
            return ColourEvidence(
                True, colour.power, fraction, in_head, background, self.box_fraction, spill
            )
        left, top, right, bottom = bounding_box(lit)
        lit, phasor = lit[top:bottom, left:right], self._phasors()[window][top:bottom, left:right]
        across, along = (
            measured or pixels(settings.cell)
            for measured in _cell(phasor, lit, pixels(LARGEST_CELL))
        )
        mean = complex(phasor[lit].mean())
        pairs, cosines, against = _pairs(phasor, lit, _steps(APART * across, APART * along))
        return ColourEvidence(
            True,
            False,
            fraction,
            in_head,
            background,
            self.box_fraction,
            spill,
            cells=size / max(across * along, 1.0),
            resultant=abs(mean),
            phase=float(np.angle(mean)),
            pairs=tuple(pairs.tolist()),
            cosines=tuple(cosines.tolist()),
            flips=float(against.sum() / pairs.sum()) if pairs.sum() >= LEAST_PAIRS else None,
        )

    def _phasors(self) -> NDArray[np.complex64]:
        """The Doppler phase of each coloured pixel as a unit complex number, 0 elsewhere; decoded when a focus first needs it."""
        from usmicro.doppler.velocity import decode

        colour = self.view.colour
        if self._phasor is None and colour is not None:
            where = np.flatnonzero(colour.mask)
            value, _ = decode(colour.rgb.reshape(-1, 3)[where], colour.bar)
            self._phasor = np.zeros(colour.mask.shape, dtype=np.complex64)
            self._phasor.ravel()[where] = np.cos(np.float32(np.pi) * value) + np.complex64(
                1j
            ) * np.sin(np.float32(np.pi) * value)
        assert self._phasor is not None
        return self._phasor

    def _patches(self) -> LabelImage:
        """The connected patches of colour, numbered from 1; found when a focus first needs them."""
        import cv2

        if self._labels is None:
            assert self.view.colour is not None
            self._labels = cv2.connectedComponents(
                (self.view.colour.mask & self.view.colour.box).view(np.uint8)
            )[1]
        return np.asarray(self._labels)

    def _beam(self, x: float, y: float) -> tuple[float, float]:
        """Unit vector away from the transducer along the colour beam."""
        if self.view.scan_lines.geometry == "sector" or self.lean is None:
            dx, dy = (float(value) for value in self.view.scan_lines.direction(x, y))
            return dx, dy
        length = float(np.hypot(self.lean, 1))
        return self.lean / length, 1 / length


def _lean(box: BoolImage) -> float | None:
    """Columns that the middle of a colour box moves by from row to row: a steered box leans as its beams do; None for a single row."""
    rows = np.flatnonzero(box.any(axis=1))
    if len(rows) < 2:
        return None
    middle = (box[rows].argmax(axis=1) + box.shape[1] - 1 - box[rows, ::-1].argmax(axis=1)) / 2
    centred = rows - rows.mean()
    return float(centred @ middle / (centred @ centred))


def _window(view: View, x: float, y: float, around: float) -> tuple[slice, slice]:
    """The rows and columns of the grid that lie so near to a position."""
    rows, columns = view.shape
    down = slice(int(min(max(y - around, 0), rows)), int(min(max(y + around + 1, 0), rows)))
    return down, slice(
        int(min(max(x - around, 0), columns)), int(min(max(x + around + 1, 0), columns))
    )


def _zone(
    view: View,
    x: float,
    y: float,
    beam: tuple[float, float],
    half: float,
    tail: float,
    window: tuple[slice, slice],
) -> BoolImage:
    """The focus and its tail along the beam, in a window of the grid."""
    # only the rows and columns that the zone can reach are looked at
    corners = [
        (x + u * beam[0] + v * beam[1], y + u * beam[1] - v * beam[0])
        for u in (-half, tail + half)
        for v in (-half, half)
    ]
    across, along = zip(*corners, strict=True)
    part = _reached(along, window[0]), _reached(across, window[1])
    down, over = (
        np.arange(part[0].start, part[0].stop)[:, None],
        np.arange(part[1].start, part[1].stop)[None],
    )
    behind = (over - x) * beam[0] + (down - y) * beam[1]
    beside = (over - x) * beam[1] - (down - y) * beam[0]
    inside = (
        (np.abs(beside) <= half) & (behind >= -half) & (behind <= tail + half) & view.tissue[part]
    )
    zone = np.zeros([rows.stop - rows.start for rows in window], np.bool_)
    zone[
        tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, window, strict=True))
    ] = inside
    return zone


def _reached(values: Sequence[float], limits: slice) -> slice:
    """The rows or columns from the smallest to the largest of some positions, within limits."""
    first, behind = int(min(values)), int(max(values)) + 2
    return slice(
        min(max(first, limits.start), limits.stop), max(min(behind, limits.stop), limits.start)
    )


def _spill(patches: LabelImage, lit: BoolImage, zone: BoolImage) -> float:
    """Fraction outside of a zone of the numbered patches that have pixels in a mask, which holds none outside of patches."""
    from usmicro.kernels.colour import pixels_of

    touching = np.zeros(int(patches.max()) + 1, dtype=np.bool_)
    touching[patches[lit]] = True
    inside, outside = pixels_of(np.ascontiguousarray(patches), touching, zone)
    return float(outside / (inside + outside))


def _beside(mask: BoolImage, box: BoolImage, zone: BoolImage) -> float:
    """Lower quartile of the coloured fraction of the strips as high and wide as a zone that lie beside it in the box."""
    rows, columns = np.flatnonzero(zone.any(axis=1)), np.flatnonzero(zone.any(axis=0))
    strip = slice(rows[0], rows[-1] + 1)
    width = len(columns)
    kernel = np.ones(width)
    inside = np.convolve(np.count_nonzero(box[strip], axis=0), kernel, "same")
    coloured = np.convolve(np.count_nonzero(mask[strip], axis=0), kernel, "same")
    apart = np.abs(np.arange(mask.shape[1]) - (columns[0] + columns[-1]) / 2) >= width
    usable = apart & (inside >= 0.5 * len(rows) * width)
    return quantile(coloured[usable] / inside[usable], 0.25) if usable.any() else 0.0


def _grown(mask: BoolImage, by: float) -> BoolImage:
    import cv2

    width = 2 * round(by) + 1
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((width, width), np.uint8)) > 0)


def _pairs(
    phasor: NDArray[np.complex64], lit: BoolImage, steps: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Of all lit pixels that lie a step (columns, rows) apart: their number, summed cosine of the phase difference, and those opposed."""
    from usmicro.kernels.colour import phase_pairs

    pairs, against, cosines = (
        np.empty(len(steps), np.int32),
        np.empty(len(steps), np.int32),
        np.empty(len(steps), np.float32),
    )
    phase_pairs(
        np.ascontiguousarray(phasor),
        np.ascontiguousarray(lit),
        np.array(steps, np.int32),
        pairs,
        cosines,
        against,
    )
    return pairs, cosines, against


def _cell(
    phasor: NDArray[np.complex64], lit: BoolImage, largest: float
) -> tuple[float | None, float | None]:
    """Width and height of a colour cell: twice the lag at which the mean cosine falls to a half; None where it does not."""
    found: list[float | None] = []
    lags = range(1, int(largest / 2) + 2)
    for over, down in ((1, 0), (0, 1)):
        previous, size = 1.0, None
        pairs, cosines, _ = _pairs(phasor, lit, [(lag * over, lag * down) for lag in lags])
        for lag, count, total in zip(lags, pairs.tolist(), cosines.tolist(), strict=True):
            if count < LEAST_PAIRS:
                break
            now = total / count
            if now < HALF_COHERENT:
                size = 2 * (lag - 1 + (previous - HALF_COHERENT) / (previous - now))
                break
            previous = now
        found.append(size)
    return found[0], found[1]


def _steps(across: float, along: float) -> list[tuple[int, int]]:
    """Columns and rows of a step in each direction of a half turn."""
    turns = (np.arange(DIRECTIONS) * np.pi / DIRECTIONS).tolist()
    return [(round(across * np.cos(turn)), max(round(along * np.sin(turn)), 0)) for turn in turns]


def coherence(evidence: Sequence[ColourEvidence]) -> float | None:
    """Mean cosine of the phase difference of neighbouring cells over frames, in the direction in which it is largest.

    Near 1 along flow, whatever its direction, and near 0 in a mosaic; less what the largest of a few random means has by chance. None
    where there are too few pairs.
    """
    measured = [item for item in evidence if item.cells is not None]
    if not measured:
        return None
    pairs = np.sum([item.pairs for item in measured], axis=0)
    cosines = np.sum([item.cosines for item in measured], axis=0)
    enough = pairs >= max(LEAST_PAIRS, pairs.max() / 5)
    if not enough.any():
        return None
    cells = sum(item.cells or 0.0 for item in measured)
    return float((cosines[enough] / pairs[enough]).max()) - 1 / float(np.sqrt(2 * max(cells, 2.0)))


def assess_twinkling(
    evidence: Sequence[ColourEvidence], settings: TwinklingSettings | None = None
) -> Twinkling:
    """Say whether a focus twinkles.

    The score is a product of four logistic terms, each near 1 for twinkling: there is colour at the focus, more than around it; the phases
    of neighbouring cells disagree; the colour stays at the focus and its tail; and, over frames, the mean phase wanders. One still frame
    gives at most "possible": a mosaic may be a vessel that aliases.

    Parameters
    ----------
    evidence : sequence of ColourEvidence
        Of one focus, one a frame.
    settings : TwinklingSettings, optional
    """
    settings = settings or TwinklingSettings()
    if not any(item.in_box for item in evidence):
        return Twinkling("not assessable", reason="no colour Doppler over the focus")
    shown = [item for item in evidence if item.in_box]
    steady = [item for item in shown if item.box_fraction <= settings.flash]
    if not steady:
        return Twinkling("no", 0.0, "colour all over the colour box: a flash artefact")
    terms = {
        "no colour at the focus": _presence(steady),
        "smooth colours as of flow": _disorder(steady),
        "the colour reaches beyond the focus and its tail": _confinement(steady),
        "the same direction in every frame": _wandering(steady),
    }
    score = float(np.prod(list(terms.values())))
    verdict: TwinklingVerdict = "no"
    if score >= settings.possible:
        sure = (
            score >= settings.certain
            and len(steady) >= settings.frames
            and not any(item.power for item in steady)
        )
        verdict = "yes" if sure else "possible"
    if verdict == "no":
        return Twinkling(verdict, score, min(terms, key=lambda name: terms[name]))
    return Twinkling(
        verdict,
        score,
        "a mosaic of colours at the focus and behind it"
        + (", in a single frame" if len(steady) == 1 else ""),
    )


def _logistic(value: float, middle: float, width: float) -> float:
    return float(1 / (1 + np.exp(-(value - middle) / width)))


def _presence(evidence: Sequence[ColourEvidence]) -> float:
    """Colour at the focus and behind it, more than noise leaves everywhere, in two frames of three."""
    colour = [min(item.fraction, item.head) - 1.5 * item.background for item in evidence]
    return _logistic(float(np.quantile(colour, 0.35)), 0.2, 0.04)


def _disorder(evidence: Sequence[ColourEvidence]) -> float:
    """Neighbouring cells that disagree; a half where it could not be measured."""
    measured = coherence(evidence)
    return 0.5 if measured is None else _logistic(-measured, -0.42, 0.07)


def _confinement(evidence: Sequence[ColourEvidence]) -> float:
    """Colour at a point rather than all over the place; a half where there is none."""
    measured = [item.spill for item in evidence if item.spill is not None]
    return _logistic(-float(np.median(measured)), -0.9, 0.03) if measured else 0.5


def _wandering(evidence: Sequence[ColourEvidence]) -> float:
    """Mean phasors that cancel over the frames; 1 where there are too few."""
    phasors = [
        item.resultant * np.exp(1j * item.phase)
        for item in evidence
        if item.resultant is not None and item.phase is not None
    ]
    return _logistic(-float(abs(np.mean(phasors))), -0.5, 0.05) if len(phasors) >= 3 else 1.0
