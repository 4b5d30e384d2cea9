"""Labels: intramass, extramass or intraductal, with a confidence and a reason; clusters; what the image shows as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.anatomy.around import around
from usmicro.anatomy.remembered import remembered
from usmicro.anatomy.surroundings import surroundings
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Label
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.numerics.outline_distance import OutlineDistance
from usmicro.settings import LabelSettings

MODELS = Path(__file__).with_name("labels.json")
"""`mass` and `duct`, as `python -m training.labels` fits them."""
REACH = 3.0
"""A focus belongs to no mass or duct whose outline is further away than this many edges."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one focus lies in the anatomy of its view."""

    label: Label
    confidence: float
    reason: str
    mass: int | None
    """Number in `Anatomy.masses` of the mass that the focus lies in; None outside."""
    duct: int | None
    """Number in `Anatomy.ducts` of the duct that the focus lies in; None outside."""
    nonmass: bool
    mass_distance: float | None
    """Distance to the nearest mass in grid pixels, 0 inside; None without masses."""


def place_foci(
    view: View, anatomy: Anatomy, x: ArrayLike, y: ArrayLike, settings: LabelSettings | None = None
) -> list[Place]:
    """Say where foci lie, by the rules of docs/method.md.

    A focus lies in a mass with a probability that is a logistic of two things: how far inside the nearest outline it lies, and what the
    mass model says of the pixels around it; likewise in a duct. A duct that lies mostly inside masses is part of them. What neither
    claims is extramass. The likeliest label wins, and its probability is the confidence.

    Parameters
    ----------
    view, anatomy
        Of one frame, on one grid.
    x, y : array, shape (n,)
        Grid columns and rows.
    """
    settings = settings or LabelSettings()
    rows, columns = view.shape
    row = np.clip(np.rint(np.asarray(y)).astype(int), 0, rows - 1)
    column = np.clip(np.rint(np.asarray(x)).astype(int), 0, columns - 1)
    evidence = place_evidence(view, anatomy, row, column, settings)
    (mass, mass_depth), (duct, duct_depth) = evidence.mass.nearest, evidence.duct.nearest
    models = read_models(MODELS)
    p_duct = np.asarray(models["duct"].probability(evidence.duct.features))
    p_mass = np.asarray(models["mass"].probability(evidence.mass.features)) * (1 - p_duct)
    shares = np.stack([p_mass, p_duct, 1 - p_mass - p_duct])
    reach = REACH * view.grid.pixels(settings.edge)
    # without an outline near enough there is no mass or duct to name, however likely the place
    possible = np.stack([mass_depth > -reach, duct_depth > -reach, np.ones(len(row), np.bool_)])
    names: tuple[Label, ...] = ("intramass", "intraductal", "extramass")
    places = []
    for i, winner in enumerate(np.where(possible, shares, -1.0).argmax(axis=0)):
        label = names[winner]
        nonmass = bool(anatomy.nonmass[row[i], column[i]])
        places.append(
            Place(
                label=label,
                confidence=float(shares[winner, i]),
                reason=_reason(
                    view, label, int(mass[i]), mass_depth[i], int(duct[i]), duct_depth[i], nonmass
                ),
                mass=int(mass[i]) if label == "intramass" else None,
                duct=int(duct[i]) if label == "intraductal" else None,
                nonmass=nonmass,
                mass_distance=float(max(-mass_depth[i], 0.0)) if mass[i] else None,
            )
        )
    return places


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for some foci lying in masses, or in ducts."""

    nearest: tuple[NDArray[np.int_], NDArray[np.float64]]
    """Number of the nearest one (0: none) and the signed distance to its outline, positive inside, in grid pixels."""
    features: dict[str, NDArray[np.float64]]
    """`outline`: confidence of the nearest one times a logistic of the distance, with an edge that lies `LabelSettings.edge` outside the
    outline and is as soft; `around`: what the network says of the pixels around."""


@dataclass(frozen=True, slots=True)
class PlaceEvidence:
    """The same for both."""

    mass: Evidence
    duct: Evidence


def place_evidence(
    view: View,
    anatomy: Anatomy,
    row: NDArray[np.int_],
    column: NDArray[np.int_],
    settings: LabelSettings,
) -> PlaceEvidence:
    """What the labels of foci at grid pixels are judged by."""
    edge, ground = view.grid.pixels(settings.edge), _ground(anatomy)

    def evidence(
        edges: OutlineDistance, confidence: tuple[float, ...], around: NDArray[np.float64]
    ) -> Evidence:
        from scipy.special import expit

        depth, number = edges.depth(row, column)
        outline = np.array([0.0, *confidence])[number] * expit((depth + edge) / edge)
        return Evidence((number, depth), {"outline": outline, "around": around})

    around_duct = surroundings(view, anatomy, "duct", row, column)
    if ground.in_masses is not None:
        # the inside of a duct that counts as part of a mass speaks for no duct
        around_duct = around(
            view, np.where(ground.in_masses, np.float32(0), anatomy.duct_probability), row, column
        )
    return PlaceEvidence(
        evidence(
            ground.masses, anatomy.mass_confidence, surroundings(view, anatomy, "mass", row, column)
        ),
        evidence(ground.ducts, anatomy.duct_confidence, around_duct),
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """What all places in an anatomy are judged by."""

    masses: OutlineDistance
    ducts: OutlineDistance
    """Of the ducts that are not part of masses."""
    in_masses: BoolImage | None
    """Pixels of those that are; None where there are none."""


@remembered
def _ground(anatomy: Anatomy) -> Ground:
    """Its masses, and its ducts without those of which more than half lies inside masses."""
    ducts, in_masses = anatomy.ducts, None
    if (inside := ducts > 0).any():
        numbers, in_mass = ducts[inside], anatomy.masses[inside] > 0
        part = np.bincount(numbers, in_mass) > 0.5 * np.bincount(numbers)
        if part.any():
            in_masses = part[ducts]
            ducts = np.where(in_masses, 0, ducts).astype(np.int32)
    return Ground(OutlineDistance.of(anatomy.masses), OutlineDistance.of(ducts), in_masses)


def _reason(
    view: View,
    label: Label,
    mass: int,
    mass_depth: float,
    duct: int,
    duct_depth: float,
    nonmass: bool,
) -> str:
    def length(pixels: float) -> str:
        mm = view.grid.in_mm(abs(pixels))
        return f"{abs(pixels) * view.grid.step_x:.0f} px" if mm is None else f"{mm:.1f} mm"

    def relative(depth: float, what: str) -> str:
        return (
            f"{length(depth)} inside {what}"
            if depth > 0
            else f"on the edge of {what}, {length(depth)} outside its outline"
        )

    if label == "intraductal":
        return f"Lies {relative(duct_depth, 'a duct')}."
    if label == "intramass":
        return f"Lies {relative(mass_depth, 'a mass')}."
    where = f"Lies {length(mass_depth)} from the nearest mass" if mass else "No mass was found"
    where += (
        f" and {length(duct_depth)} from the nearest duct"
        if duct
        else ", no duct was found"
        if mass
        else " and no duct"
    )
    return f"{where}; in a nonmass area of altered echotexture." if nonmass else f"{where}."


def find_clusters(places: ArrayLike, settings: LabelSettings | None = None) -> list[int | None]:
    """Number the clusters of foci, 1 to n from left to right; None for a focus in no cluster.

    Foci nearer than `settings.cluster_distance` to one another are linked (single linkage); a cluster has at least
    `settings.cluster_size` of them.

    Parameters
    ----------
    places : array, shape (n, dimensions)
        Positions in mm, x first.
    """
    settings = settings or LabelSettings()
    points = np.asarray(places, float)
    if len(points) < settings.cluster_size:
        return [None] * len(points)
    linked = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2)) <= settings.cluster_distance
    groups, lowest = np.arange(len(points)), linked.argmax(axis=1)
    while (
        lowest != groups
    ).any():  # every focus takes the lowest number among those linked to it, until none changes
        groups, lowest = lowest, np.where(linked, lowest, len(points)).min(axis=1)
    large = [
        group
        for group in np.unique(groups)
        if np.count_nonzero(groups == group) >= settings.cluster_size
    ]
    large.sort(key=lambda group: tuple(points[groups == group].mean(axis=0)))
    return [large.index(group) + 1 if group in large else None for group in groups]


def describe_calcification(labels: Sequence[Label]) -> str:
    """Calcification descriptor of the BI-RADS ultrasound lexicon for an image with foci of these labels."""
    words: dict[Label, str] = {
        "intramass": "in a mass",
        "extramass": "outside a mass",
        "intraductal": "intraductal",
    }
    return "+".join(word for label, word in words.items() if label in labels) or "none"
