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

from usmicro.arrays import BoolImage
from usmicro.findings import Twinkling, TwinklingVerdict
from usmicro.settings import TwinklingSettings
from usmicro.view import View

SURROUNDINGS = 5.0
"""How far around the focus and its tail colour is compared with, mm."""
LARGEST_CELL = 1.5
"""Colour cells are not larger than this, mm; what stays alike further is flow."""
LEAST_PAIRS = 6
"""Pairs of pixels that a coherence must rest on."""
HALF_COHERENT = 0.5
"""Coherence that defines the size of a colour cell."""


@dataclass(frozen=True, slots=True)
class ColourEvidence:
    """What the colours of one frame show at one focus and behind it; None where not measured."""

    in_box: bool
    """Whether most of the focus and its tail lies in the colour box."""
    power: bool = False
    """Power Doppler: colours have no phase."""
    fraction: float = 0.0
    """Coloured fraction of the zone: the focus and its tail."""
    background: float = 0.0
    """Coloured fraction of the box around the zone, less the patches that reach into the zone."""
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
    coherence: float | None = None
    """Mean cosine of the phase difference one cell apart, in the direction in which it is largest: 1 along flow, 0 in a mosaic."""
    flips: float | None = None
    """Fraction of the pairs one cell apart whose phases differ by more than a quarter turn; a half in a mosaic."""


NO_COLOUR = ColourEvidence(in_box=False)


def colour_evidence(view: View, x: float, y: float, diameter: float, settings: TwinklingSettings | None = None) -> ColourEvidence:
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
    settings = settings or TwinklingSettings()
    colour = view.colour
    if colour is None or not colour.box.any():
        return NO_COLOUR
    pixels = view.grid.pixels
    around = pixels(settings.tail + SURROUNDINGS)
    rows, columns = view.shape
    top, bottom = int(np.clip(y - around, 0, rows)), int(np.clip(y + around + 1, 0, rows))
    left, right = int(np.clip(x - around, 0, columns)), int(np.clip(x + around + 1, 0, columns))
    window = slice(top, bottom), slice(left, right)
    box, mask = colour.box[window], colour.mask[window] & colour.box[window]
    half = diameter / 2 + pixels(settings.margin)
    zone = _zone(view, x, y, half, pixels(settings.tail), window)
    size = int(zone.sum())
    if size == 0 or (zone & box).sum() < 0.5 * size:
        return NO_COLOUR
    zone &= box
    fraction = float(mask[zone].sum()) / float(zone.sum())
    box_fraction = float(colour.mask.sum()) / float(colour.box.sum())
    touching = _touching(mask, zone)
    outside = box & ~zone & ~touching
    background = float((mask & outside).sum()) / max(float(outside.sum()), 1.0)
    spill = float((touching & ~_grown(zone, pixels(settings.margin))).sum()) / float(touching.sum()) if touching.any() else None
    if colour.power or not (zone & mask).any():
        return ColourEvidence(True, colour.power, fraction, background, box_fraction, spill)
    phasor = _phasors(view, window, mask)
    lit = zone & mask
    across, along = (measured or pixels(settings.cell) for measured in _cell(phasor, lit, pixels(LARGEST_CELL)))
    mean = complex(phasor[lit].mean())
    coherence, flips = _neighbours(phasor, lit, max(round(across), 1), max(round(along), 1))
    return ColourEvidence(
        True,
        False,
        fraction,
        background,
        box_fraction,
        spill,
        cells=float(lit.sum()) / max(across * along, 1.0),
        resultant=abs(mean),
        phase=float(np.angle(mean)),
        coherence=coherence,
        flips=flips,
    )


def _zone(view: View, x: float, y: float, half: float, tail: float, window: tuple[slice, slice]) -> BoolImage:
    """The focus and its tail along the beam, in a window of the grid."""
    dx, dy = (float(value) for value in view.beams.direction(x, y))
    down, over = np.ogrid[window]
    behind = (over - x) * dx + (down - y) * dy
    beside = (over - x) * dy - (down - y) * dx
    zone: BoolImage = (np.abs(beside) <= half) & (behind >= -half) & (behind <= tail + half)
    return zone & view.tissue[window]


def _touching(mask: BoolImage, zone: BoolImage) -> BoolImage:
    """The connected patches of a mask that reach into a zone."""
    import cv2

    count, labels = cv2.connectedComponents(mask.view(np.uint8))
    reach = np.zeros(count, dtype=bool)
    reach[labels[zone]] = True
    reach[0] = False
    return reach[labels]


def _grown(mask: BoolImage, by: float) -> BoolImage:
    import cv2

    width = 2 * round(by) + 1
    return cv2.dilate(mask.view(np.uint8), np.ones((width, width), np.uint8)) > 0


def _phasors(view: View, window: tuple[slice, slice], mask: BoolImage) -> NDArray[np.complex64]:
    """The Doppler phase of each coloured pixel as a unit complex number; 0 elsewhere."""
    from usmicro.velocity import decode

    assert view.colour is not None
    value, _ = decode(view.colour.rgb[window][mask], view.colour.bar)
    phasor = np.zeros(mask.shape, dtype=np.complex64)
    phasor[mask] = np.exp(np.complex64(1j) * np.float32(np.pi) * value)
    return phasor


def _pairs(phasor: NDArray[np.complex64], lit: BoolImage, over: int, down: int) -> NDArray[np.float32]:
    """Cosines of the phase difference of all lit pixels that lie (over, down) from one another; over may be negative."""
    rows, columns = lit.shape
    if down >= rows or abs(over) >= columns:
        return np.zeros(0, dtype=np.float32)
    first = slice(0, rows - down), slice(max(-over, 0), columns - max(over, 0))
    second = slice(down, rows), slice(max(over, 0), columns - max(-over, 0))
    both = lit[first] & lit[second]
    return np.asarray((phasor[first][both] * phasor[second][both].conj()).real, dtype=np.float32)


def _cell(phasor: NDArray[np.complex64], lit: BoolImage, largest: float) -> tuple[float | None, float | None]:
    """Width and height of a colour cell: twice the lag at which the mean cosine falls to a half; None where it does not."""
    found: list[float | None] = []
    for over, down in ((1, 0), (0, 1)):
        previous, size = 1.0, None
        for lag in range(1, int(largest / 2) + 2):
            pairs = _pairs(phasor, lit, lag * over, lag * down)
            if len(pairs) < LEAST_PAIRS:
                break
            now = float(pairs.mean())
            if now < HALF_COHERENT:
                size = 2 * (lag - 1 + (previous - HALF_COHERENT) / (previous - now))
                break
            previous = now
        found.append(size)
    return found[0], found[1]


def _neighbours(phasor: NDArray[np.complex64], lit: BoolImage, across: int, along: int) -> tuple[float | None, float | None]:
    """Coherence, and flips, of pixels one cell apart."""
    slant = max(round(across * 0.7), 1), max(round(along * 0.7), 1)
    directions = [_pairs(phasor, lit, *step) for step in ((across, 0), (0, along), slant, (-slant[0], slant[1]))]
    enough = [pairs for pairs in directions if len(pairs) >= LEAST_PAIRS]
    if not enough:
        return None, None
    # flow is alike along the vessel at least, whatever its direction
    coherence = max(float(pairs.mean()) for pairs in enough)
    return coherence, float(np.mean([(pairs < 0).mean() for pairs in enough]))


def judge(evidence: Sequence[ColourEvidence], settings: TwinklingSettings | None = None) -> Twinkling:
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
        sure = score >= settings.certain and len(steady) >= settings.frames and not any(item.power for item in steady)
        verdict = "yes" if sure else "possible"
    if verdict == "no":
        return Twinkling(verdict, score, min(terms, key=lambda name: terms[name]))
    return Twinkling(verdict, score, "a mosaic of colours at the focus and behind it" + (", in a single frame" if len(steady) == 1 else ""))


def _logistic(value: float, middle: float, width: float) -> float:
    return float(1 / (1 + np.exp(-(value - middle) / width)))


def _presence(evidence: Sequence[ColourEvidence]) -> float:
    """Colour at the focus against its surroundings."""
    return _logistic(float(np.median([item.fraction - 2 * item.background for item in evidence])), 0.12, 0.03)


def _disorder(evidence: Sequence[ColourEvidence]) -> float:
    """Neighbouring cells that disagree; a half where it could not be measured."""
    measured = [(item.coherence, item.fraction) for item in evidence if item.coherence is not None]
    if not measured:
        return 0.5
    coherence, weight = np.array(measured).T
    return _logistic(-float((coherence * weight).sum() / weight.sum()), -0.5, 0.08)


def _confinement(evidence: Sequence[ColourEvidence]) -> float:
    measured = [item.spill for item in evidence if item.spill is not None]
    return _logistic(-float(np.median(measured)), -0.5, 0.08) if measured else 0.5


def _wandering(evidence: Sequence[ColourEvidence]) -> float:
    """Mean phases that disagree over the frames; 1 where there are too few."""
    phasors = [item.resultant * np.exp(1j * item.phase) for item in evidence if item.resultant is not None and item.phase is not None]
    if len(phasors) < 3:
        return 1.0
    return _logistic(-float(abs(np.sum(phasors)) / np.sum(np.abs(phasors))), -0.85, 0.05)
