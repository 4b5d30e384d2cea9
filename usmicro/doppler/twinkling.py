"""Twinkling: the changing mixture of colours that colour Doppler shows at a rough calcification.

Twinkling is a random phase: the phases of neighbouring colour cells, and of one cell in successive
frames, are independent. The phase of blood flow is smooth along a vessel, its colour reaches beyond
the focus, and its direction stays from frame to frame. A flash colours the whole colour box, noise
a small part everywhere. Absence of twinkling never rules out a calcification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from usmicro.doppler.colour_evidence import LEAST_PAIRS, ColourEvidence
from usmicro.model.findings import Twinkling
from usmicro.settings import TwinklingSettings


class Threshold(NamedTuple):
    """Threshold of one term of the twinkling score."""

    value: float
    """Measure at which the logistic function is one half."""
    width: float
    """Change of the measure that changes the log odds by 1."""

    def above(self, measure: float) -> float:
        """Return the logistic function of a measure, near 1 well above the threshold."""
        return float(1 / (1 + np.exp(-(measure - self.value) / self.width)))

    def below(self, measure: float) -> float:
        """Return the logistic function of a measure, near 1 well below the threshold."""
        return float(1 / (1 + np.exp(-(self.value - measure) / self.width)))


# The thresholds and other numbers of the score were chosen by eye; no measurement of the choice is
# recorded. `python -m benchmarks.doppler` measures the score as a whole on other simulated clips;
# the results are in docs/accuracy.md, "Colour Doppler and cines".

PRESENCE = Threshold(0.2, 0.04)
"""Coloured fraction of the zone and of its head minus the background; twinkling lies above it.

The zone is wider than the colours of a small calcification, so less than half of it is coloured.
"""
BACKGROUND_WEIGHT = 1.5
"""Weight of the background that is subtracted from the coloured fraction.

It is more than 1, because noise varies from place to place.
"""
PRESENCE_QUANTILE = 0.35
"""Quantile over the frames of the coloured fraction: about two frames in three must show colour."""
COHERENCE = Threshold(0.42, 0.07)
"""Mean cosine of the phase difference of neighbouring cells; independent phases lie below it."""
OUTSIDE = Threshold(0.9, 0.03)
"""Fraction of the colour patches that lies outside the zone; twinkling lies below it.

It is high, since colour patches of noise and of other foci touch those of the focus.
"""
STABILITY = Threshold(0.5, 0.05)
"""Length of the mean phasor over the frames; a phase that changes at random lies below it."""
STABILITY_FRAMES = 3
"""Smallest number of frames with a measured phase for which `STABILITY` is applied.

Two random phasors seldom cancel.
"""
COHERENCE_IN_STILL = Threshold(0.32, 0.04)
"""The same as `COHERENCE` with too few frames for the verdict "yes".

Without the frames, this term must exclude flow by itself. Curved vessels of BUS-UCLM reach 0.40,
wide simulated twinkling 0.30. Chosen like `FILLED_CELLS`.
"""
FILLED_CELLS = Threshold(5.0, 0.5)
"""Colour cells in the patches at the focus, times the square of the coloured fraction of the zone.

It is used with too few frames for "yes"; twinkling lies above it. The phases of a vessel that is
one to three cells wide differ as well, since its velocity falls to zero at the wall: a few cells
cannot tell it from twinkling. Twinkling has many, and fills the tail behind the focus. Chosen on
the 18 Doppler frames of BUS-UCLM, where vessels with incoherent phases have 3.4 at most, and on
simulated frames, seeds 60000 to 60089 of `benchmarks.doppler.stills`. The results on other seeds
are in docs/accuracy.md, "Single Doppler frames".
"""
NOT_MEASURED = 0.5
"""Value of a term that cannot be measured: evidence neither for nor against twinkling."""
LARGEST_PAIRS_RATIO = 5
"""A direction is used if the direction with the most pairs has at most this many times its pairs.

A mean of few cosines is unsteady, and the largest mean over the directions is used.
"""

POWER_IN_STILL = (
    "Power Doppler has no phase; one or two frames cannot tell twinkling from a vessel."
)
"""Reason why colour at a focus is not assessable with power Doppler and few frames."""
SMALL_IN_STILL = "The colour is too small or too sparse to tell twinkling from a small vessel."
"""Reason why a focus with little colour does not twinkle, with few frames."""


def assess_twinkling(
    evidence: Sequence[ColourEvidence], settings: TwinklingSettings | None = None
) -> Twinkling:
    """Assess whether a focus twinkles.

    The score is a product of four logistic terms, each near 1 for twinkling. The first is the
    presence of colour at the focus, beyond the background. The second is the phase incoherence of
    neighbouring cells. The third is localisation: the colour is limited to the focus and its tail.
    The fourth is phase instability over the frames. With fewer than `settings.frames` frames,
    which cannot show instability, the score has another term: many colour cells fill the tail. It
    is then "possible" at most, because a vessel that aliases may look the same. Power Doppler,
    which has no phase, is "possible" at most over several frames; with fewer, colour at the focus
    is "not assessable".

    Parameters
    ----------
    evidence : sequence of ColourEvidence
        Evidence of each frame at one focus.
    settings : TwinklingSettings, optional

    Returns
    -------
    Twinkling
        Verdict, score from 0 to 1, and `reason`: one sentence that says what decided the verdict or
        why twinkling is not assessable.
    """
    settings = settings or TwinklingSettings()
    in_box = [item for item in evidence if item.in_box]
    if not in_box:
        return Twinkling("not assessable", reason="No colour Doppler data covers the focus.")
    steady = [item for item in in_box if item.box_fraction <= settings.flash]
    if not steady:
        return Twinkling("no", 0.0, "Colour fills the colour box: a flash artefact.")
    terms = {
        _absence(steady): _presence(steady),
        "The colours are smooth, like those of flow.": _incoherence(steady, settings),
        "The colour reaches beyond the focus and its tail.": _localisation(steady),
        "The phase hardly changes between frames, like that of flow.": _instability(steady),
    }
    if len(steady) < settings.frames:
        if terms[_absence(steady)] >= settings.possible and all(item.power for item in steady):
            return Twinkling("not assessable", reason=POWER_IN_STILL)
        terms[SMALL_IN_STILL] = _extent(steady)
    score = float(np.prod(list(terms.values())))
    if score < settings.possible:
        return Twinkling("no", score, min(terms, key=lambda reason: terms[reason]))
    mixture = "A mixture of unrelated colours lies at the focus and behind it"
    doubt = _doubt(steady, score, settings)
    if doubt:
        return Twinkling("possible", score, f"{mixture}, but {doubt}.")
    return Twinkling("yes", score, f"{mixture}, over {len(steady)} frames (score {score:.2f}).")


def frame_evidence(evidence: ColourEvidence, settings: TwinklingSettings) -> float:
    """Return how much the colours of one frame look like twinkling, 0 to 1.

    It is the product of the terms of `assess_twinkling` that one frame shows: presence, incoherence
    and localisation, with the thresholds of a cine. It shows when a focus twinkles, and is no
    verdict.

    Parameters
    ----------
    evidence : ColourEvidence
        Evidence of a frame on which the focus lies in the colour box.
    settings : TwinklingSettings
    """
    if evidence.box_fraction > settings.flash:
        return 0.0
    measured = coherence([evidence])
    incoherence = NOT_MEASURED if measured is None else COHERENCE.below(measured)
    return _presence([evidence]) * incoherence * _localisation([evidence])


def _absence(evidence: Sequence[ColourEvidence]) -> str:
    """Return the reason why a focus with little colour does not twinkle."""
    if not any(item.head_fraction for item in evidence):
        return "There is no colour at the focus."
    return "There is too little colour at the focus, or as much beside it."


def _doubt(
    evidence: Sequence[ColourEvidence], score: float, settings: TwinklingSettings
) -> str | None:
    """Return the reason why twinkling is only possible; None if it is certain."""
    if len(evidence) < settings.frames:
        usable = f"{len(evidence)} frame{'s are' if len(evidence) > 1 else ' is'} usable"
        return f"only {usable} and {settings.frames} are needed to be sure"
    if any(item.power for item in evidence):
        return "power Doppler has no phase"
    if score < settings.certain:
        return f"the score of {score:.2f} is below {settings.certain:g}"
    return None


def coherence(evidence: Sequence[ColourEvidence]) -> float | None:
    """Mean cosine of the phase difference of neighbouring colour cells, pooled over the frames.

    The mean is taken for each direction, and the largest mean is used. For random phases it exceeds
    zero by about the standard deviation of a mean of random cosines, which is subtracted.

    Parameters
    ----------
    evidence : sequence of ColourEvidence

    Returns
    -------
    float or None
        Near 1 along flow of any direction, near 0 for independent phases; None with too few pairs.
    """
    measured = [item for item in evidence if item.cells is not None]
    if not measured:
        return None
    pairs = np.sum([item.pairs for item in measured], axis=0)
    cosines = np.sum([item.cosines for item in measured], axis=0)
    enough = pairs >= max(LEAST_PAIRS, pairs.max() / LARGEST_PAIRS_RATIO)
    if not enough.any():
        return None
    cells = sum(item.cells or 0.0 for item in measured)
    # the cosine of a uniform phase has the variance 1/2
    expected_by_chance = 1 / float(np.sqrt(2 * max(cells, 2.0)))
    return float((cosines[enough] / pairs[enough]).max()) - expected_by_chance


def _presence(evidence: Sequence[ColourEvidence]) -> float:
    """Return the term for colour at the focus and behind it, beyond noise, in most frames."""
    excess = [
        min(item.zone_fraction, item.head_fraction) - BACKGROUND_WEIGHT * item.background
        for item in evidence
    ]
    return PRESENCE.above(float(np.quantile(excess, PRESENCE_QUANTILE)))


def _incoherence(evidence: Sequence[ColourEvidence], settings: TwinklingSettings) -> float:
    """Return the term for independent phases of neighbouring cells."""
    measured = coherence(evidence)
    threshold = COHERENCE_IN_STILL if len(evidence) < settings.frames else COHERENCE
    return NOT_MEASURED if measured is None else threshold.below(measured)


def _extent(evidence: Sequence[ColourEvidence]) -> float:
    """Return the term for many colour cells that fill the tail, in a few frames."""
    filled = [(item.patch_cells or 0.0) * item.zone_fraction**2 for item in evidence]
    return FILLED_CELLS.above(float(np.mean(filled)))


def _localisation(evidence: Sequence[ColourEvidence]) -> float:
    """Return the term for colour that is limited to the focus and its tail."""
    measured = [item.outside_fraction for item in evidence if item.outside_fraction is not None]
    return OUTSIDE.below(float(np.median(measured))) if measured else NOT_MEASURED


def _instability(evidence: Sequence[ColourEvidence]) -> float:
    """Return the term for a mean phase that changes between frames; 1 with too few frames."""
    phasors = [
        item.mean_resultant_length * np.exp(1j * item.mean_phase)
        for item in evidence
        if item.mean_resultant_length is not None and item.mean_phase is not None
    ]
    if len(phasors) < STABILITY_FRAMES:
        return 1.0
    return STABILITY.below(float(abs(np.mean(phasors))))
