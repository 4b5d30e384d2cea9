"""Confidence of each focus, and the calcification score of an image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.appearance import appearance
from usmicro.foci.context import context_features
from usmicro.foci.measures import log_odds, measured_features
from usmicro.foci.models import FocusModels, read_focus_models
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.view import View

Floats = NDArray[np.float64]


def focus_features(
    view: View, candidates: Candidates, anatomy: Anatomy, models: FocusModels
) -> dict[str, Floats]:
    """Return the inputs of the model `focus`.

    Parameters
    ----------
    view, candidates, anatomy
        View of one frame, and its candidates and anatomy on the same grid.
    models : FocusModels

    Returns
    -------
    dict of array, shape (n,), float64
        The measures of `usmicro.foci.measures.measured_features`, the log odds `appearance` of the
        focus network, and the context of `usmicro.foci.context.context_features`.
    """
    features = measured_features(view, candidates, anatomy)
    features["appearance"] = appearance(view, candidates, anatomy, models.network)
    alone = np.asarray(models.alone.probability(features))
    x, y = (position * view.grid.pixel_mm for position in (candidates.x, candidates.y))
    return features | context_features(x, y, alone)


def focus_confidence(
    view: View, candidates: Candidates, anatomy: Anatomy, models: FocusModels | None = None
) -> Floats:
    """Compute the confidence of each candidate.

    Parameters
    ----------
    view, candidates, anatomy
        View of one frame, and its candidates and anatomy on the same grid.
    models : FocusModels, optional
        Those of the package if not given.

    Returns
    -------
    array, shape (n,), float64
        Probability that two readers would both mark the candidate as an echogenic focus.
    """
    models = models or read_focus_models()
    features = focus_features(view, candidates, anatomy, models)
    return np.asarray(models.focus.probability(features))


def calcification_score(confidences: Iterable[float], models: FocusModels | None = None) -> float:
    """Compute the calcification score of an image as a whole.

    Parameters
    ----------
    confidences : iterable of float
        Confidences of its foci, whether listed or not.
    models : FocusModels, optional
        Those of the package if not given.

    Returns
    -------
    float
        0 to 1.
    """
    models = models or read_focus_models()
    return float(models.image.probability(image_features(confidences)))


def image_features(confidences: Iterable[float]) -> dict[str, float]:
    """Return the input of the model `image`: the log odds of the most confident focus.

    The confidence of a focus already depends on the other foci around it, so that more foci, the
    foci in masses, and the number of masses add nothing (docs/accuracy.md). Without a focus the
    confidence counts as 0.
    """
    highest = max(confidences, default=0.0)
    return {"highest_log_odds": float(log_odds(np.array(highest)))}
