"""Fit the confidence of masses, and measure masses in hospitals that the networks have not seen.

Run
    python -m training.mass_confidence WORK
Needs
    WORK with the pictures of `training.pictures`, and the networks of `training.masses`.
Takes
    About four minutes on one core.
Writes
    The model `masses` in usmicro/anatomy/regions.json. It prints the tables of docs/accuracy.md
    about masses.

On real scans the regions come from a network that has not seen the hospital. On simulated scans
they come from a network that has not seen the fold. The figures of a hospital left out use a model
that was fitted without that hospital, and those of patients left out a model that was fitted to the
other folds: neither network nor model has seen what is measured. Only the last table uses the model
that is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from training.found_regions import (
    FoundRegions,
    confidences_of,
    fit_confidence,
    masses_on,
    union_of,
)
from training.held_out import (
    HELD_OUT_FOLD,
    HOSPITALS,
    WITHOUT_FOLD,
)
from training.outlines import PHANTOM
from training.pictures import read_pictures
from training.tables import Row, print_table
from usmicro.anatomy.masses import FEATURES, REGION_MODELS
from usmicro.evaluation.metrics import dice
from usmicro.evaluation.overlaps import MIN_DICE
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.settings import AnatomySettings

NORMAL = "normal"
"""Group of the real images of normal breasts."""

SHARES = {**dict.fromkeys(HOSPITALS, 1.0), PHANTOM: 0.5, NORMAL: 4.0}
"""Share of each group in the fit.

The images with a mass of each hospital have the same share, so that the confidence does not follow
the largest data set. Simulated scans have half of it, because their masses are easier. Normal
breasts have that of the four hospitals together: the confidence is a probability among scans half
of which show a normal breast. With shares of 1, 2 and 4, the masses found at 0.15 false masses per
normal image were 0.771, 0.780 and 0.783 (mean of the hospitals, each left out, with a third of
BUS-BRA). No program repeats this comparison.
"""

MATCH = MIN_DICE
"""A region is a mass if its Dice coefficient with an outline is above this."""

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
"""Thresholds of the confidence for which masses found and false masses are printed."""

RELIABILITY_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Edges of the ranges of the confidence in the reliability table."""


def group_of(scan: FoundRegions) -> str:
    """Return NORMAL for a real image of a normal breast, otherwise the source."""
    return NORMAL if scan.is_normal else scan.source


def measured(scans: Sequence[FoundRegions], model: Logistic, threshold: float) -> Row:
    """Return the figures of the masses with at least this confidence.

    The Dice coefficient compares all masses of an image together with all true ones, on images that
    show a mass. A true mass is found if a region agrees with it. A region is false if it does not
    overlap a true mass at all.
    """
    scores, lesions, found, false_masses, false_on_normal, normal = [], 0, 0, 0, 0, 0
    for scan in scans:
        confidence = confidences_of(model, scan)
        listed = confidence >= threshold
        match, matched = np.array(scan.match)[listed], np.array(scan.matched)[listed]
        if scan.is_normal:
            normal += 1
            false_on_normal += len(match)
        if not scan.truth.any():
            continue
        lesions += cv2.connectedComponents(scan.truth.astype(np.uint8))[0] - 1
        scores.append(dice(union_of(scan, confidence, threshold), scan.truth))
        found += len(np.unique(matched[match > MATCH]))
        false_masses += int((match == 0).sum())
    return {
        "images with a mass": len(scores),
        "Dice, mean": float(np.mean(scores)) if scores else None,
        "Dice, median": float(np.median(scores)) if scores else None,
        "masses found": found / lesions if lesions else None,
        "false masses per image": false_masses / len(scores) if scores else None,
        "normal images": normal,
        "masses per normal image": false_on_normal / normal if normal else None,
    }


def found_and_false(
    by_source: Mapping[str, Sequence[FoundRegions]], model: Logistic, threshold: float
) -> Row:
    """Return the masses found in each source, and the masses per normal image of all hospitals."""
    row: dict[str, float | None] = {}
    normal: list[FoundRegions] = []
    for source, scans in by_source.items():
        row[f"found, {source}"] = measured(scans, model, threshold)["masses found"]
        normal += [scan for scan in scans if scan.is_normal]
    return row | {
        "masses per normal image": measured(normal, model, threshold)["masses per normal image"]
    }


def reliability(scans: Sequence[FoundRegions], model: Logistic) -> dict[str, Row]:
    """Return the mean confidence and the share of true masses in ranges of the confidence."""
    confidence = np.concatenate([confidences_of(model, scan) for scan in scans])
    is_mass = np.concatenate([np.array(scan.match) > MATCH for scan in scans])
    rows: dict[str, Row] = {}
    for low, high in pairwise(RELIABILITY_EDGES):
        inside = (confidence >= low) & ((confidence < high) | (high == 1))
        if inside.any():
            rows[f"{low:g} to {high:g}"] = {
                "regions": int(inside.sum()),
                "mean confidence": float(confidence[inside].mean()),
                "share true": float(is_mass[inside].mean()),
            }
    return rows


def main() -> None:
    """Fit the model, print its figures and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder that training.pictures filled")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pictures, threshold = read_pictures(options.work), AnatomySettings().mass_threshold
    sources = (*HOSPITALS, PHANTOM)
    by_source = {
        source: [
            masses_on(picture)
            for picture in pictures
            if picture.source == source and (source != PHANTOM or picture.fold == HELD_OUT_FOLD)
        ]
        for source in sources
    }
    models = {
        left_out: fit_confidence(
            [scan for source, scans in by_source.items() if source != left_out for scan in scans],
            FEATURES,
            SHARES,
            MATCH,
            group_of,
        )
        for left_out in sources
    }
    print_table(
        f"Hospital left out, confidence from {threshold} on",
        {source: measured(scans, models[source], threshold) for source, scans in by_source.items()},
    )
    of_fold = {
        source: [
            masses_on(picture, WITHOUT_FOLD)
            for picture in pictures
            if picture.source == source and picture.fold == HELD_OUT_FOLD
        ]
        for source in sources
        if source != PHANTOM
    }
    of_other_folds = fit_confidence(
        [
            scan
            for scans in by_source.values()
            for scan in scans
            if scan.source == PHANTOM or scan.fold != HELD_OUT_FOLD
        ],
        FEATURES,
        SHARES,
        MATCH,
        group_of,
    )
    print_table(
        f"Patients left out, confidence from {threshold} on",
        {source: measured(scans, of_other_folds, threshold) for source, scans in of_fold.items()},
    )
    for source, scans in by_source.items():
        print_table(
            f"{source} left out, by threshold",
            {f"{value:g}": measured(scans, models[source], value) for value in THRESHOLDS},
        )
        print_table(f"{source} left out, reliability", reliability(scans, models[source]))
    every_scan = [scan for scans in by_source.values() for scan in scans]
    model = fit_confidence(every_scan, FEATURES, SHARES, MATCH, group_of)
    print_table(
        "Networks that have not seen the hospital, shipped model of the confidence",
        {f"{value:g}": found_and_false(by_source, model, value) for value in THRESHOLDS},
    )
    write_models({"masses": model}, REGION_MODELS)


if __name__ == "__main__":
    main()
