"""The foci of one view with their confidence and its reasons: round candidates and clumps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.clump_candidates import with_clumps
from usmicro.foci.confidence import focus_features
from usmicro.foci.detection import find_candidates
from usmicro.foci.models import FocusModels, read_focus_models
from usmicro.foci.reasons import confidence_reasons, lowering_measures
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


class FociOfView(Protocol):
    """Foci of one view with their confidence and its reasons."""

    @property
    def candidates(self) -> Candidates:
        """The foci."""

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Confidence of each, shape (n,)."""

    @property
    def parts(self) -> Candidates:
        """Candidates that clumps replaced."""

    @property
    def parts_confidence(self) -> NDArray[np.float64]:
        """Confidence of each of the `parts`."""

    @property
    def has_rule_of_clumps(self) -> NDArray[np.bool_]:
        """True for each clump whose confidence comes from the rule of clumps, shape (n,)."""

    def take(self, which: NDArray[np.intp]) -> Self:
        """Return the foci with these indices."""

    def reasons(self) -> list[str]:
        """Name what decided the confidence of each focus."""

    def lowered_by(self) -> list[str]:
        """Name the measures that lowered the confidence of each focus most; may be empty."""


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
    parts: Candidates
    """Round candidates of the view that clumps replaced."""
    parts_source: NDArray[np.intp]
    """Index in `features` of each of the `parts`."""

    def take(self, which: NDArray[np.intp]) -> AssessedFoci:
        """Return the foci with these indices."""
        return AssessedFoci(
            self.candidates.take(which),
            self.confidence[which],
            self.source[which],
            self.features,
            self.models,
            self.parts,
            self.parts_source,
        )

    def reasons(self) -> list[str]:
        """Name what decided the confidence of each focus."""
        texts = confidence_reasons(self.models.focus, self._features_of(self.source))
        return [
            CLUMP_REASON if by_rule else text
            for by_rule, text in zip(self.has_rule_of_clumps, texts, strict=True)
        ]

    def lowered_by(self) -> list[str]:
        """Name the measures that lowered the confidence of each focus most; may be empty."""
        texts = lowering_measures(self.models.focus, self._features_of(self.source))
        return [
            "" if by_rule else text
            for by_rule, text in zip(self.has_rule_of_clumps, texts, strict=True)
        ]

    @property
    def has_rule_of_clumps(self) -> NDArray[np.bool_]:
        """True for each clump whose confidence comes from the rule of clumps, shape (n,)."""
        of_source = np.asarray(self.models.focus.probability(self._features_of(self.source)))
        return np.asarray((self.candidates.features["clump"] > 0) & (self.confidence > of_source))

    @property
    def parts_confidence(self) -> NDArray[np.float64]:
        """Confidence of each of the `parts`."""
        return np.asarray(self.models.focus.probability(self._features_of(self.parts_source)))

    def _features_of(self, which: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
        return {name: values[which] for name, values in self.features.items()}


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
    found = find_candidates(view, settings)
    features = focus_features(view, found, anatomy, models)
    confidence = np.asarray(models.focus.probability(features))
    candidates, confidence, source = with_clumps(view, found, confidence, anatomy, settings, shadow)
    is_kept = np.zeros(len(found), bool)
    is_kept[source[candidates.features["clump"] == 0]] = True
    parts = np.flatnonzero(~is_kept)
    return AssessedFoci(candidates, confidence, source, features, models, found.take(parts), parts)
