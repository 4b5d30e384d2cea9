"""Clumps as candidates: their confidence, and the round candidates that are parts of them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci.clumps import Clumps, find_clumps
from usmicro.foci.measures import log_odds
from usmicro.foci.scale_space import filled_outside
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.posterior.focus_shadow import focus_shadows
from usmicro.settings import FociSettings, ShadowSettings

Array = NDArray[np.float64]

INTERCEPT, PER_MASS_LOG_ODDS, PER_LOG_CONTRAST = -6.12, 0.50, 2.20
PER_EDGE_CONTRAST, PER_ELONGATION = 2.10, -1.50
"""Log odds of a clump: an intercept, and weights of its log odds of a mass, the natural logarithm
of its contrast, its edge contrast, and its elongation.

The weights were fitted, and rounded, to 2,337 clumps in the scans of `echogenic-foci-marks` and
`visual-readings`, in the normal scans of BUSI and in every second one of BUS-UCLM, with mass
networks that had not seen the data set. 33 of the clumps hold a focus that both readers marked. The
fit gives elongation more weight, but it has four elongated ones among these.
The intercept was chosen so that the log odds reach those of LEAST_CONFIDENCE for 0.05 clumps per
normal scan.
"""
SHADOW_LOG_ODDS = 2.0
"""Addend to the log odds of a clump that casts a shadow.

In a mass calcifications seldom cast one, so that its absence does not count against a clump. On
normal scans, 3 % of the clumps that reach the log odds of LEAST_CONFIDENCE with this addend cast
one. Chosen by judgement; the marked clumps are too few for a fit.
"""
MARGIN = 0.5
"""Log odds by which the outline at half height may raise those of an area. It is usually longer.

Chosen by judgement; no measurement is recorded.
"""
LEAST_MASS_LOG_ODDS = -4.0
"""Value to which smaller log odds of a mass are raised, so that a conspicuous clump in undisturbed
tissue can be listed. The best of -7, -4 and -2.5 in that fit, cross-validated over images.
"""
LEAST_CONFIDENCE = 0.08
"""Confidence from which a clump replaces the round candidates inside it; others are left out.

It is about the confidence from which foci are listed by default; the intercept was chosen for it.
"""
MOST_CONFIDENCE = 0.35
"""Largest confidence that the rule gives: about a third of the clumps that it lists in scans with
marks hold a focus that both readers marked. A more confident part may raise that of a clump.
"""
PART_DIAMETER = 0.5
"""Smallest diameter of a round candidate that may be the image of the whole clump, in diameters of
the clump. A smaller one that is more confident than the clump is a focus of its own, and the clump
is left out. Chosen by eye on ten real scans.
"""


def with_clumps(
    view: View,
    candidates: Candidates,
    confidence: Array,
    anatomy: Anatomy,
    settings: FociSettings,
    shadow: ShadowSettings = ShadowSettings(),  # noqa: B008  (frozen)
) -> tuple[Candidates, Array, NDArray[np.intp]]:
    """Replace the round candidates that are parts of a clump by the clump.

    Parameters
    ----------
    view : View
    candidates : Candidates
        Result of `find_candidates`.
    confidence : array, shape (n,), float64
        Confidence of each.
    anatomy : Anatomy
        Anatomy of the view.
    settings : FociSettings
    shadow : ShadowSettings

    Returns
    -------
    candidates : Candidates
        The remaining candidates in their order, then the clumps. A clump has the contrast, the
        false-alarm probability and most features of its most confident part; its position, extents,
        outline and the features `clump`, `fill`, `solidity` and `confluence` are its own.
    confidence : array, shape (m,), float64
        That of a clump is the larger of its own and that of its most confident part.
    source : array, shape (m,), int
        Index in the given candidates of each; that of its most confident part for a clump.
    """
    least = float(np.log(LEAST_CONFIDENCE / (1 - LEAST_CONFIDENCE))) - SHADOW_LOG_ODDS - MARGIN

    def is_worth(
        x: Array, y: Array, contrast: Array, edge_contrast: Array, elongation: Array
    ) -> NDArray[np.bool_]:
        mass = _mass_log_odds(view, x, y, anatomy)
        return np.asarray(_evidence(mass, contrast, edge_contrast, elongation) > least)

    clumps = find_clumps(view, filled_outside(view.grey, view.tissue), settings, is_worth)
    own = clump_confidence(view, clumps, anatomy, shadow)
    free = np.ones(len(candidates), bool)
    sources, kept, confidences, confluence = [], [], [], []
    for k in np.argsort(-own, kind="stable").tolist():
        if own[k] < LEAST_CONFIDENCE:
            break
        parts = np.flatnonzero(free)[_inside(clumps.outline[k], candidates, free)]
        if not parts.size:
            continue
        best = int(parts[np.argmax(confidence[parts])])
        is_small = candidates.diameter[best] < PART_DIAMETER * clumps.diameter[k]
        if is_small and confidence[best] > own[k]:
            continue
        free[parts] = False
        sources.append(best)
        kept.append(k)
        confidences.append(max(float(own[k]), float(confidence[best])))
        confluence.append(float(parts.size))
    if not kept:
        return candidates, confidence, np.arange(len(candidates))
    index = np.concatenate([np.flatnonzero(free), np.array(sources, int)])
    joined = _as_clumps(candidates.take(index), clumps, kept, confluence)
    return joined, np.concatenate([confidence[free], np.array(confidences)]), index


def clump_confidence(view: View, clumps: Clumps, anatomy: Anatomy, shadow: ShadowSettings) -> Array:
    """Return the confidence of each clump, (n,), from its contrast, shape, place and shadow.

    This rule is provisional: too few clumps are marked for a model of more measures.
    """
    if not len(clumps):
        return np.empty(0)
    mass = _mass_log_odds(view, clumps.x, clumps.y, anatomy)
    evidence = _evidence(mass, clumps.contrast, clumps.edge_contrast, clumps.elongation)
    shadows = focus_shadows(
        view, clumps.x, clumps.y, clumps.width, shadow, anatomy.masses, clumps.height
    )
    evidence += SHADOW_LOG_ODDS * np.array([one.verdict == "yes" for one in shadows])
    return np.asarray(np.minimum(1 / (1 + np.exp(-evidence)), MOST_CONFIDENCE))


def _mass_log_odds(view: View, x: Array, y: Array, anatomy: Anatomy) -> Array:
    """Return the log odds of a mass at grid positions, (n,), at least LEAST_MASS_LOG_ODDS."""
    rows, columns = view.shape
    row = np.clip(np.rint(y).astype(int), 0, rows - 1)
    column = np.clip(np.rint(x).astype(int), 0, columns - 1)
    mass = log_odds(anatomy.mean_mass_probability(row, column))
    return np.maximum(mass, LEAST_MASS_LOG_ODDS)


def _evidence(mass: Array, contrast: Array, edge_contrast: Array, elongation: Array) -> Array:
    """Return the log odds of clumps without a shadow, (n,), from measures of shape (n,)."""
    return np.asarray(
        INTERCEPT
        + PER_MASS_LOG_ODDS * mass
        + PER_LOG_CONTRAST * np.log(np.maximum(contrast, 1))
        + PER_EDGE_CONTRAST * edge_contrast
        + PER_ELONGATION * elongation
    )


def _inside(
    outline: NDArray[np.float32], candidates: Candidates, free: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return True for the free candidates, in their order, that lie inside an outline (m, 2)."""
    x, y = candidates.x[free], candidates.y[free]
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    for i in np.flatnonzero(inside):
        inside[i] = cv2.pointPolygonTest(outline, (float(x[i]), float(y[i])), False) >= 0
    return np.asarray(inside)


def _as_clumps(
    candidates: Candidates, clumps: Clumps, kept: list[int], confluence: list[float]
) -> Candidates:
    """Give the last candidates the position, the extents and the features of the clumps `kept`."""
    last = slice(len(candidates) - len(kept), None)

    def replaced(values: Array, of_clumps: Array) -> Array:
        out = values.copy()
        out[last] = of_clumps
        return out

    outline = candidates.outline.copy()
    outline[last] = _objects([clumps.outline[k] for k in kept])
    coarse = candidates.coarse.copy()
    coarse[last] = True
    features = candidates.features | {
        "clump": replaced(candidates.features["clump"], np.ones(len(kept))),
        "fill": replaced(candidates.features["fill"], clumps.fill[kept]),
        "solidity": replaced(candidates.features["solidity"], clumps.solidity[kept]),
        "confluence": replaced(candidates.features["confluence"], np.array(confluence)),
    }
    return replace(
        candidates,
        x=replaced(candidates.x, clumps.x[kept]),
        y=replaced(candidates.y, clumps.y[kept]),
        diameter=replaced(candidates.diameter, clumps.diameter[kept]),
        width=replaced(candidates.width, clumps.width[kept]),
        height=replaced(candidates.height, clumps.height[kept]),
        coarse=coarse,
        outline=outline,
        features=features,
    )


def _objects(items: list[NDArray[np.float32]]) -> NDArray[np.object_]:
    """Return a list of arrays as an array of objects, (n,), also where all have the same shape."""
    out = np.empty(len(items), object)
    out[:] = items
    return out
