"""Fit the confidence of ducts.

Run
    python -m training.duct_confidence WORK
Needs
    WORK with the pictures of `training.pictures`, and the networks of `training.masses` and
    `training.ducts`.
Takes
    About 3 minutes on one core.
Writes
    The model `ducts` in usmicro/anatomy/regions.json. It prints sensitivity and false positives.

The model learns from the tubes that the network finds on the fold from which it did not learn: on
real scans as they are, where ducts are rare and all tubes count as false, on the same scans with
ducts drawn into them, and on simulated scans. The printed figures of a source use a model that was
fitted to the other sources.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.drawn_ducts import with_ducts
from training.found_regions import covered_and_false, ducts_on, fit_confidence
from training.held_out import HELD_OUT_FOLD, HOSPITALS
from training.outlines import PHANTOM
from training.pictures import read_pictures
from training.tables import print_table
from usmicro.anatomy.ducts import FEATURES
from usmicro.anatomy.masses import REGION_MODELS
from usmicro.numerics.logistic import write_models
from usmicro.settings import AnatomySettings

WITH_DUCTS = " with ducts"
"""Ending of the source of a real scan into which ducts are drawn."""

SHARES = {
    **dict.fromkeys(HOSPITALS, 1.0),
    **{f"{hospital}{WITH_DUCTS}": 0.5 for hospital in HOSPITALS},
    PHANTOM: 1.0,
}
"""Share of each source in the fit.

Chosen by judgement; no measurement is recorded. A false duct on a real scan is worse than a missed
duct on a simulated scan.
"""

MATCH = 0.4
"""A tube is a duct if more than this fraction of it lies in a true duct.

Chosen by judgement; no measurement is recorded.
"""


def main() -> None:
    """Fit the model, print its figures and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder that training.pictures filled")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    generator = np.random.default_rng(1)
    scans = []
    for picture in read_pictures(options.work):
        if picture.fold == HELD_OUT_FOLD:
            scans.append(ducts_on(picture, picture.source))
            if picture.source != PHANTOM:
                drawn = with_ducts(picture, generator)
                scans.append(ducts_on(drawn, picture.source + WITH_DUCTS))
    rows, normal_rows = {}, {}
    threshold = AnatomySettings().duct_threshold
    for source in SHARES:
        own = [scan for scan in scans if scan.source == source]
        hospital = source.removesuffix(WITH_DUCTS)
        others = [scan for scan in scans if scan.source.removesuffix(WITH_DUCTS) != hospital]
        model = fit_confidence(others, FEATURES, SHARES, MATCH)
        rows[source] = covered_and_false(own, model, threshold, MATCH)
        normal = [scan for scan in own if scan.is_normal]
        if normal and source == hospital:
            normal_rows[f"{source}, normal breasts"] = covered_and_false(
                normal, model, threshold, MATCH
            )
    print_table(f"Ducts, confidence from {threshold} on", rows | normal_rows)
    write_models({"ducts": fit_confidence(scans, FEATURES, SHARES, MATCH)}, REGION_MODELS)


if __name__ == "__main__":
    main()
