"""Fit the posterior feature of a mass to the words of a radiologist and of two readers.

Run
    python -m training.posterior DATA
Needs
    DATA with breast-lesions-usg and visual-readings, and with bus-bra, busi and bus-uclm, from
    which images of the latter come. The networks in training/networks, which have not seen the
    hospital of the lesion.
Takes
    About one minute on one core.
Writes
    usmicro/posterior/masses.json. It prints the tables of docs/accuracy.md about posterior
    features. With --keep it writes nothing.

The models are fitted to true outlines. All figures but the coefficients are cross-validated: by
patient, with five folds, and by hospital, each of which is left out in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from training.lesions import RADIOLOGIST, READERS, Lesion, read_lesions
from training.logistic import fit_logistic
from training.tables import Row, print_table
from usmicro.evaluation.metrics import bootstrap, kappa
from usmicro.model.arrays import BoolImage
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.posterior.mass_features import FEATURES, MODELS, feature_of
from usmicro.posterior.mass_profile import mass_profile
from usmicro.settings import ShadowSettings

SHARES = {RADIOLOGIST: 0.2, READERS: 0.8}
"""Share of each reference in the total weight of the fit.

The lesions of the readers weigh more, because two readings agree on them. With 0.1, 0.2, 0.3, 0.4
and 0.5 for the radiologist, kappa by patient is 0.52, 0.52, 0.49, 0.53 and 0.52 with the
radiologist, and 0.72, 0.70, 0.67, 0.64 and 0.59 with the readers. No program repeats this
comparison.
"""
RIDGE = 1e-2
"""Weight of the squared coefficients of the standardised features. With 0.001, 0.003, 0.01 and 0.03
the cross-validated log loss of enhancement was 0.357, 0.352, 0.346 and 0.348, that of shadowing
0.321, 0.319, 0.316 and 0.315. No program repeats this comparison."""
MEANING = {
    "enhancement": ("enhancement", "combined"),
    "shadowing": ("shadowing", "combined"),
}
"""Words of the reference for which each model is to be true."""
CLASSES = ("none", "enhancement", "shadowing", "combined")
MISSED, NOT_ASSESSABLE = "missed", "not assessable"

Features = Mapping[str, float]
"""Measures of one lesion by name: those of `MassProfile`."""


def measured(lesion: Lesion, mass: BoolImage | None) -> Features | None:
    """Return the measures behind a mass on the view of a lesion; None if not assessable."""
    if mass is None:
        return None
    profile = mass_profile(lesion.view, mass, ShadowSettings())
    return None if profile is None else asdict(profile)


def fit(lesions: Sequence[Lesion], features: Sequence[Features | None]) -> dict[str, Logistic]:
    """Fit the models `enhancement` and `shadowing`.

    Parameters
    ----------
    lesions : sequence of Lesion
    features : sequence of Features or None
        Measures of each lesion. Lesions without are left out.
    """
    pairs = [
        (lesion, measures)
        for lesion, measures in zip(lesions, features, strict=True)
        if measures is not None
    ]
    references = [lesion.reference for lesion, _ in pairs]
    weights = [SHARES[name] / references.count(name) for name in references]
    return {
        name: fit_logistic(
            {feature: [measures[feature] for _, measures in pairs] for feature in FEATURES[name]},
            [lesion.posterior in words for lesion, _ in pairs],
            weights,
            ridge=RIDGE,
        )
        for name, words in MEANING.items()
    }


def named(models: Mapping[str, Logistic], features: Features | None) -> str:
    """Return the posterior feature that the models give."""
    if features is None:
        return NOT_ASSESSABLE
    enhancement, shadowing = (
        float(models[name].probability(features)) for name in ("enhancement", "shadowing")
    )
    return feature_of(enhancement, shadowing, ShadowSettings())


def cross_validated(
    lesions: Sequence[Lesion],
    groups: Sequence[str | int],
    fitted_to: Sequence[Features | None],
    features: Sequence[Features | None],
) -> list[str]:
    """Return the posterior feature of each lesion from models fitted to the other groups.

    Parameters
    ----------
    lesions : sequence of Lesion
    groups : sequence of str or int
        Group of each lesion, such as its hospital.
    fitted_to, features : sequence of Features or None
        Measures that the models are fitted to, and measures that they are applied to.
    """
    names = [""] * len(lesions)
    for group in dict.fromkeys(groups):
        others = [i for i, other in enumerate(groups) if other != group]
        models = fit([lesions[i] for i in others], [fitted_to[i] for i in others])
        for i in range(len(lesions)):
            if groups[i] == group:
                names[i] = named(models, features[i])
    return names


def agreement(lesions: Sequence[Lesion], names: Sequence[str]) -> dict[str, Row]:
    """Return kappa with each reference, and with the readers in each hospital.

    A lesion that is missed or not assessable counts as a disagreement.
    """
    parts = {reference: [x.reference == reference for x in lesions] for reference in SHARES}
    hospitals = dict.fromkeys(x.hospital for x in lesions if x.reference == READERS)
    for hospital in hospitals:
        parts[f"{READERS}, {hospital}"] = [
            x.reference == READERS and x.hospital == hospital for x in lesions
        ]
    rows: dict[str, Row] = {}
    for title, chosen in parts.items():
        own = [i for i, is_chosen in enumerate(chosen) if is_chosen]
        found = [i for i in own if names[i] != MISSED]
        rows[title] = {
            "lesions": len(own),
            "kappa": _kappa(lesions, names, own),
            **_interval(lesions, names, own),
            "not missed": len(found),
            "kappa of these": _kappa(lesions, names, found),
        }
    return rows


def _kappa(lesions: Sequence[Lesion], names: Sequence[str], chosen: Sequence[int]) -> float | None:
    if not chosen:
        return None
    return kappa([lesions[i].posterior for i in chosen], [names[i] for i in chosen])


def _interval(
    lesions: Sequence[Lesion], names: Sequence[str], chosen: Sequence[int]
) -> dict[str, float | None]:
    """Return the 95 % interval of kappa over bootstrap samples of the lesions."""
    if not chosen:
        return {"from": None, "to": None}
    pairs = [(lesions[i].posterior, names[i]) for i in chosen]
    estimate = bootstrap(
        lambda drawn: kappa([pairs[i][0] for i in drawn], [pairs[i][1] for i in drawn]), len(pairs)
    )
    return {"from": estimate.low, "to": estimate.high}


def by_class(lesions: Sequence[Lesion], names: Sequence[str], reference: str) -> dict[str, Row]:
    """Return how often each word of the reference is given each word of the models."""
    columns = (*CLASSES, NOT_ASSESSABLE, MISSED)
    pairs: list[tuple[str, str]] = [
        (lesion.posterior, name)
        for lesion, name in zip(lesions, names, strict=True)
        if lesion.reference == reference
    ]
    return {word: {name: pairs.count((word, name)) for name in columns} for word in CLASSES}


def print_disagreements(lesions: Sequence[Lesion], names: Sequence[str]) -> None:
    """Print the names of the lesions on which the models and the reference disagree."""
    for reference in SHARES:
        print(f"\nDisagreement with the {reference}: their word, ours, lesions\n")
        cases: dict[tuple[str, str], list[str]] = {}
        for lesion, name in zip(lesions, names, strict=True):
            if lesion.reference == reference and lesion.posterior != name:
                own = lesion.name.removesuffix(".png")
                cases.setdefault((lesion.posterior, name), []).append(own)
        for (theirs, ours), own_cases in sorted(cases.items()):
            print(f"- {theirs}, {ours}: {', '.join(own_cases)}")


def main() -> None:
    """Fit the models, print their figures and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with the data sets")
    parser.add_argument("--keep", action="store_true", help="print figures, but write no models")
    options = parser.parse_args()
    lesions = list(read_lesions(options.data))
    outlined = [measured(lesion, lesion.outline) for lesion in lesions]
    found = [measured(lesion, lesion.found) for lesion in lesions]
    splits: dict[str, list[str | int]] = {
        "by patient": [lesion.fold for lesion in lesions],
        "by hospital": [lesion.hospital for lesion in lesions],
    }
    for title, groups in splits.items():
        names = cross_validated(lesions, groups, outlined, outlined)
        print_table(f"True outlines, cross-validated {title}", agreement(lesions, names))
        names_found = [
            MISSED if lesion.found is None else name
            for lesion, name in zip(
                lesions, cross_validated(lesions, groups, outlined, found), strict=True
            )
        ]
        print_table(f"Found masses, cross-validated {title}", agreement(lesions, names_found))
        for reference in SHARES:
            for masses, words in (("true outlines", names), ("found masses", names_found)):
                print_table(
                    f"{reference}, {masses}, {title}: rows are the reference",
                    by_class(lesions, words, reference),
                )
        print_disagreements(lesions, names)
    models = fit(lesions, outlined)
    for name, model in models.items():
        print(f"{name}: {model}")
    if not options.keep:
        write_models(models, MODELS)


if __name__ == "__main__":
    main()
