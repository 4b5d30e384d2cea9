"""Labels of foci: intramass, extramass or intraductal, each with a confidence and a reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Label
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.numerics.outline_distance import OutlineDistance
from usmicro.settings import LabelSettings

MODELS = Path(__file__).with_name("labels.json")
"""The logistic models `mass` and `duct`, fitted by `python -m training.labels`."""
LARGEST_DISTANCE_IN_EDGES = 3.0
"""Largest distance, as a multiple of `LabelSettings.edge`, from a focus to the outline of the mass
or duct that it is labelled with: 1.2 mm at the default. Chosen by eye on the sample scans; no
measurement is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusLabel:
    """Where one focus lies in the anatomy of its view."""

    label: Label
    confidence: float
    """Probability of the label, 0 to 1."""
    reason: str
    """One sentence that says where the focus lies."""
    mass: int | None
    """Number in `Anatomy.masses` of the mass that the focus lies in; None outside."""
    duct: int | None
    """Number in `Anatomy.ducts` of the duct that the focus lies in; None outside."""
    nonmass: bool
    """True in a nonmass area."""
    distance_to_mass: float | None
    """Distance to the nearest mass in grid pixels, 0 inside; None if there are no masses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionEvidence:
    """Evidence that foci lie in masses, or in ducts; all arrays have shape (n,)."""

    number: NDArray[np.int_]
    """Number of the nearest region; 0 if there is none."""
    distance: NDArray[np.float64]
    """Signed distance to its outline in grid pixels, positive inside; -inf if there is none."""
    features: dict[str, NDArray[np.float64]]
    """Inputs of the logistic model.

    `outline_probability` is the confidence of the nearest region times a logistic function of the
    signed distance. That function is one half at `LabelSettings.edge` outside the outline and
    changes over the same length. `mean_probability` is the network's probability, averaged around
    the focus.
    """


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """Evidence on which the labels of foci are based."""

    mass: RegionEvidence
    duct: RegionEvidence


def label_foci(
    view: View,
    anatomy: Anatomy,
    x: ArrayLike,
    y: ArrayLike,
    settings: LabelSettings | None = None,
) -> list[FocusLabel]:
    """Label foci by where they lie, following the rules of docs/method.md.

    A logistic model of the features in `RegionEvidence` gives the probability that a focus lies in
    a duct. Another gives the probability of a mass, which is multiplied by the probability that
    the focus lies in no duct. The remainder is the probability of extramass. A duct that lies
    mostly inside masses counts as part of them. The label is the most probable one, and its
    probability is the confidence.

    Parameters
    ----------
    view, anatomy
        View of one frame, and its anatomy on the same grid.
    x, y : array, shape (n,)
        Grid columns and rows.
    settings : LabelSettings, optional

    Returns
    -------
    list of FocusLabel
        One for each focus.
    """
    settings = settings or LabelSettings()
    rows, columns = view.shape
    row = np.clip(np.rint(np.asarray(y)).astype(int), 0, rows - 1)
    column = np.clip(np.rint(np.asarray(x)).astype(int), 0, columns - 1)
    evidence = label_evidence(view, anatomy, row, column, settings)
    mass, duct = evidence.mass, evidence.duct
    models = read_models(MODELS)
    p_duct = np.asarray(models["duct"].probability(duct.features))
    p_mass = np.asarray(models["mass"].probability(mass.features)) * (1 - p_duct)
    probabilities = np.stack([p_mass, p_duct, 1 - p_mass - p_duct])
    # without an outline nearby there is no mass or duct to name, however high the probability
    farthest = -LARGEST_DISTANCE_IN_EDGES * view.grid.pixels(settings.edge)
    possible = np.stack(
        [mass.distance > farthest, duct.distance > farthest, np.ones(len(row), np.bool_)]
    )
    names: tuple[Label, ...] = ("intramass", "intraductal", "extramass")
    labels = []
    for i, winner in enumerate(np.where(possible, probabilities, -1.0).argmax(axis=0)):
        label = names[winner]
        mass_number, duct_number = int(mass.number[i]), int(duct.number[i])
        in_nonmass = bool(anatomy.nonmass[row[i], column[i]])
        labels.append(
            FocusLabel(
                label=label,
                confidence=float(probabilities[winner, i]),
                reason=_reason(
                    view,
                    label,
                    mass_distance=mass.distance[i] if mass_number else None,
                    duct_distance=duct.distance[i] if duct_number else None,
                    nonmass=in_nonmass,
                ),
                mass=mass_number if label == "intramass" else None,
                duct=duct_number if label == "intraductal" else None,
                nonmass=in_nonmass,
                distance_to_mass=float(max(-mass.distance[i], 0.0)) if mass_number else None,
            )
        )
    return labels


def label_evidence(
    view: View,
    anatomy: Anatomy,
    row: NDArray[np.int_],
    column: NDArray[np.int_],
    settings: LabelSettings,
) -> LabelEvidence:
    """Measure the evidence for masses and ducts at grid pixels.

    Parameters
    ----------
    view, anatomy
        View of one frame, and its anatomy on the same grid.
    row, column : array, shape (n,), int
        Pixels of the grid, all inside it.
    settings : LabelSettings
    """
    edge = view.grid.pixels(settings.edge)

    def evidence(
        outlines: OutlineDistance,
        confidence: tuple[float, ...],
        mean_probability: NDArray[np.float64],
    ) -> RegionEvidence:
        from scipy.special import expit

        distance, number = outlines.signed_distance(row, column)
        outline_probability = np.array([0.0, *confidence])[number] * expit((distance + edge) / edge)
        return RegionEvidence(
            number=number,
            distance=distance,
            features={
                "outline_probability": outline_probability,
                "mean_probability": mean_probability,
            },
        )

    return LabelEvidence(
        mass=evidence(
            anatomy.mass_distance,
            anatomy.mass_confidence,
            anatomy.mean_mass_probability(row, column),
        ),
        duct=evidence(
            anatomy.separate_duct_distance,
            anatomy.duct_confidence,
            anatomy.mean_separate_duct_probability(row, column),
        ),
    )


def _reason(
    view: View,
    label: Label,
    *,
    mass_distance: float | None,
    duct_distance: float | None,
    nonmass: bool,
) -> str:
    """Say where a focus lies; signed distances in grid pixels, None if there is no region."""

    def length(pixels: float) -> str:
        mm = view.grid.in_mm(abs(pixels))
        return f"{abs(pixels) * view.grid.step_x:.0f} px" if mm is None else f"{mm:.1f} mm"

    def relative(distance: float | None, region: str) -> str:
        assert distance is not None, "the label names a region that does not exist"
        if distance > 0:
            return f"{length(distance)} inside {region}"
        return f"on the edge of {region}, {length(distance)} outside its outline"

    if label == "intraductal":
        return f"Lies {relative(duct_distance, 'a duct')}."
    if label == "intramass":
        return f"Lies {relative(mass_distance, 'a mass')}."
    if mass_distance is None and duct_distance is None:
        where = "No mass or duct was found"
    elif mass_distance is None:
        where = f"No mass was found; the nearest duct is {length(duct_distance or 0.0)} away"
    elif duct_distance is None:
        where = f"Lies {length(mass_distance)} from the nearest mass, no duct was found"
    else:
        where = (
            f"Lies {length(mass_distance)} from the nearest mass "
            f"and {length(duct_distance)} from the nearest duct"
        )
    return f"{where}; in a nonmass area of altered echotexture." if nonmass else f"{where}."
