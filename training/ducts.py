"""Train the duct model: `python -m training.ducts DATA`, with DATA as described in its README.

No public data set outlines ducts. So ducts are drawn into real scans, in whose tissue the model must tell them from fat, clefts and
fascia, and simulated scans bring their own. The confidence of a tube is fitted to what models fitted without an image find on it:
on the real scans as they are, where a duct is rare and what is found counts as false, on the same with ducts drawn in, and on
simulated scans.
NumPy only, some ten minutes on one core. The mass model must be trained first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from training.logistic import fit_logistic
from training.mass_pixels import SCALE_SPREAD, SPECKLE_SEEDS
from training.outlines import Outlined, coarse_outline, phantoms, read_outlined
from training.perceptron import Example, fit_model, report
from usmicro.anatomy.ducts import DUCT_PIXEL_MM, FEATURES, WALL_MM, Tube, dark_pixels, tubes
from usmicro.anatomy.features import coarse_view
from usmicro.anatomy.masses import MASS_PIXEL_MM, REGION_MODELS, on_view
from usmicro.anatomy.network import PixelModel, shipped_model, weights_file, write_model
from usmicro.logistic import Logistic, write_models
from usmicro.phantom.random_objects import random_duct

HIDDEN = (48, 16)
BUS_BRA_EVERY = 5
"""One in so many scans of BUS-BRA is enough."""
COPIES = {"bus-bra": 1, "breast-lesions-usg": 3, "phantom": 3}
PHANTOM_SEEDS = range(710_000, 710_120)
GREY_PER_DB = 255 / 60
LUMEN_DB = (5.0, 15.0)
"""How much darker than its surroundings a drawn lumen is."""
WALL_DB = (0.0, 6.0)
DARKEST = 25.0
"""Where the mean grey level is lower, a duct would not be seen."""
WEIGHT = {
    "bus-bra": 1.0,
    "bus-bra with ducts": 0.5,
    "breast-lesions-usg": 4.0,
    "breast-lesions-usg with ducts": 1.0,
    "phantom": 1.0,
}
"""Weight of a tube in the logistic model: a false duct on a good real scan is worse than a missed simulated one."""
MATCH = 0.4
"""A tube is a duct if more than this of it lies in one."""


def scans(data: Path) -> Iterator[Outlined]:
    """Everything to learn from."""
    real = (scan for i, scan in enumerate(read_outlined(data)) if scan.source != "bus-bra" or i % BUS_BRA_EVERY == 0)
    return chain(real, phantoms(PHANTOM_SEEDS, ducts=4, intraductal=4), phantoms(SPECKLE_SEEDS, "speckle"))


def with_ducts(scan: Outlined, generator: np.random.Generator) -> Outlined:
    """The scan with up to three ducts drawn into it."""
    grey, known = scan.view.grey.copy(), np.zeros(scan.view.shape, np.bool_)
    taken = ndimage.binary_dilation(scan.outline, iterations=10) | ~scan.view.tissue
    mm = scan.view.grid.pixel_mm
    y, x = (axis * mm for axis in np.mgrid[: grey.shape[0], : grey.shape[1]])
    for _ in range(int(generator.integers(0, 4))):
        duct = random_duct(generator, generator.uniform(0, x.max()), generator.uniform(2, 0.8 * y.max()))
        distance = duct.distance(x, y).astype(np.float32)
        inside = distance < 0
        if inside.sum() < 3 / mm**2 or taken[inside].mean() > 0.02 or grey[inside].mean() < DARKEST:
            continue
        lumen = np.clip(0.5 - distance / 0.15, 0, 1)
        wall = np.clip(1 - np.abs(distance - duct.wall / 2 - 0.1) / duct.wall, 0, 1)
        grey += GREY_PER_DB * (generator.uniform(*WALL_DB) * wall - generator.uniform(*LUMEN_DB) * lumen)
        taken |= distance < 2
        known |= distance < duct.wall
    return replace(scan, view=replace(scan.view, grey=np.clip(grey, 0, 255)), ducts=known)


def example(scan: Outlined, factor: float = 1.0) -> Example:
    """The scan on the coarse grid, at a scale that is wrong by a factor; the outline is that of the lumen."""
    view = scan.view
    coarse = coarse_view(replace(view, grid=replace(view.grid, pixel_mm=view.grid.pixel_mm * factor)), DUCT_PIXEL_MM)
    known = np.zeros(view.shape, np.bool_) if scan.ducts is None else scan.ducts
    lumen = ndimage.distance_transform_edt(known) > view.grid.pixels(WALL_MM / 2)
    return Example(scan.image, scan.source, scan.half, coarse, coarse_outline(lumen, coarse), dark_pixels(coarse))


def scored(scan: Outlined, model: PixelModel, masses: PixelModel) -> list[tuple[Tube, float]]:
    """The tubes that a model finds, each with the part of it that lies in a duct."""
    view = scan.view
    coarse = coarse_view(view, DUCT_PIXEL_MM)
    mass = on_view(masses.probability(coarse_view(view, MASS_PIXEL_MM)), view)
    known = np.zeros(view.shape, np.bool_) if scan.ducts is None else scan.ducts
    lumen = coarse_outline(known, coarse) > 0.5
    found = tubes(view, coarse, model.probability(coarse, dark_pixels(coarse)), mass)
    return [(tube, float(lumen[tube.box][tube.inside].mean())) for tube in found]


def fit_tubes(data: Path, without: list[PixelModel]) -> Logistic:
    """Fit the confidence of a tube, and print how many are found."""
    masses, generator = shipped_model("mass"), np.random.default_rng(1)
    kept = []
    for scan in scans(data):
        shown = [scan] if scan.source == "phantom" else [scan, replace(with_ducts(scan, generator), source=f"{scan.source} with ducts")]
        for each in shown:
            ducts = 0 if each.ducts is None else cv2.connectedComponents(each.ducts.astype(np.uint8))[0] - 1
            kept.append((each.source, each.half, ducts, scored(each, without[each.half], masses)))
    rows = [(tube.features, match > MATCH, half, WEIGHT[source]) for source, half, _, found in kept for tube, match in found]

    def fitted(chosen: list[int]) -> Logistic:
        features = {name: [rows[i][0][name] for i in chosen] for name in FEATURES}
        return fit_logistic(features, [rows[i][1] for i in chosen], [rows[i][3] for i in chosen])

    models = [fitted([i for i, row in enumerate(rows) if row[2] != half]) for half in (0, 1)]
    for name in WEIGHT:
        mine = [entry for entry in kept if entry[0] == name]
        for threshold in (0.3, 0.5, 0.7):
            sure = [match for _, half, _, found in mine for tube, match in found if models[half].probability(tube.features) >= threshold]
            print(
                f"{name}, confidence {threshold}: {sum(match > MATCH for match in sure)} tubes on {sum(e[2] for e in mine)} ducts, "
                f"{sum(match <= MATCH for match in sure) / len(mine):.3f} others an image",
                flush=True,
            )
    return fitted(list(range(len(rows))))


def main() -> None:
    """Train, print out-of-fold numbers, write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with bus-bra and breast-lesions-usg")
    parser.add_argument("--halves", type=Path, help="folder for the weights fitted without each half of the patients")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.perf_counter()
    generator = np.random.default_rng(0)
    training: list[Example] = []
    for scan in scans(options.data):
        for _ in range(COPIES[scan.source]):
            shown = scan if scan.source == "phantom" else with_ducts(scan, generator)
            training.append(example(shown, float(np.exp(generator.uniform(-SCALE_SPREAD, SCALE_SPREAD)))))
    print(f"{len(training)} examples, {time.perf_counter() - started:.0f} s", flush=True)
    without = []
    for half in (0, 1):
        without.append(fit_model([e for e in training if e.half != half], HIDDEN, seed=100 * (half + 1)))
        for source in COPIES:
            report(f"half {half}, {source}", without[half], [e for e in training if e.half == half and e.source == source])
        if options.halves:
            write_model(without[half], options.halves / f"ducts-without-half-{half}.npz")
    write_models({"ducts": fit_tubes(options.data, without)}, REGION_MODELS)
    write_model(fit_model(training, HIDDEN, seed=0), weights_file("duct"))
    print(f"weights written, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
