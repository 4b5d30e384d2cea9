"""The foci of one view with their confidence and its reasons: round candidates and clumps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.clump_candidates import with_clumps
from usmicro.foci.confidence import focus_features
from usmicro.foci.detection import find_candidates
from usmicro.foci.models import FocusModels, read_focus_models
from usmicro.foci.reasons import confidence_reasons
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.settings import FociSettings, ShadowSettings

CLUMP_REASON = (
    "A clump: its contrast, the contrast at its edge, its elongation, its shadow and the mass "
    "probability decided."
)
"""Reason for the confidence of a clump that comes from its own rule.

A clump with a more confident part has the confidence and the reason of this part.
"""


@dataclass(frozen=True, slots=True)
class AssessedFoci:
    """Foci of one view with their confidence."""

    candidates: Candidates
    """Round candidates and clumps."""
    confidence: NDArray[np.float64]
    """Probability that two readers would both mark each, shape (n,)."""
    source: NDArray[np.intp]
    """Index in `features` of each; that of its most confident part for a clump. Shape (n,)."""
    features: Mapping[str, NDArray[np.float64]]
    """Inputs of the confidence model of all round candidates of the view."""
    models: FocusModels

    def take(self, which: NDArray[np.intp]) -> AssessedFoci:
        """Return the foci with these indices."""
        return AssessedFoci(
            self.candidates.take(which),
            self.confidence[which],
            self.source[which],
            self.features,
            self.models,
        )

    def reasons(self) -> list[str]:
        """Name what decided the confidence of each focus."""
        chosen = {name: values[self.source] for name, values in self.features.items()}
        of_source = np.asarray(self.models.focus.probability(chosen))
        by_rule = (self.candidates.features["clump"] > 0) & (self.confidence > of_source)
        return [
            CLUMP_REASON if is_by_rule else reason
            for is_by_rule, reason in zip(
                by_rule, confidence_reasons(self.models.focus, chosen), strict=True
            )
        ]


def assess_foci(
    view: View, anatomy: Anatomy, settings: FociSettings, shadow: ShadowSettings
) -> AssessedFoci:
    """Find the echogenic foci of a view and compute their confidence.

    Parameters
    ----------
    view, anatomy
        View of one frame, and its anatomy on the same grid.
    settings : FociSettings
    shadow : ShadowSettings
        A posterior shadow raises the confidence of a clump.
    """
    models = read_focus_models(settings.models)
    candidates = find_candidates(view, settings)
    features = focus_features(view, candidates, anatomy, models)
    confidence = np.asarray(models.focus.probability(features))
    candidates, confidence, source = with_clumps(
        view, candidates, confidence, anatomy, settings, shadow
    )
    return AssessedFoci(candidates, confidence, source, features, models)
