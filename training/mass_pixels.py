"""Train the mass model: `python -m training.mass_pixels DATA`, with DATA as described in its README.

Two perceptrons over coarse pixels (`usmicro.anatomy.network`) are fitted to the outlines of BUS-BRA and BrEaST-Lesions-USG and to
simulated scans, then a logistic model of how sure it is that a region is a mass, from what models fitted without an image find on it.
These out-of-fold values also give the numbers that the command prints. NumPy only, some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from training.logistic import fit_logistic
from training.outlines import Outlined, coarse_outline, phantoms, read_outlined
from training.perceptron import Example, fit_model, report
from usmicro.anatomy.features import coarse_view
from usmicro.anatomy.masses import FEATURES, MASS_PIXEL_MM, REGION_MODELS, Region, regions
from usmicro.anatomy.network import PixelModel, weights_file, write_model
from usmicro.arrays import BoolImage
from usmicro.logistic import Logistic, write_models

HIDDEN = (96, 32)
SCALE_SPREAD = 0.25
"""Spread of the natural logarithm of the scale: where the spacing is unknown, the grid's scale is a guess."""
COPIES = {"bus-bra": 1, "breast-lesions-usg": 4, "phantom": 2}
"""Jittered copies of an image: the smaller sets would drown."""
WEIGHT = {"bus-bra": 0.7, "breast-lesions-usg": 2.0, "phantom": 0.7}
"""Weight of a region in the logistic model; BUS-BRA shows a lesion on every image, and so does not teach doubt."""
PHANTOM_SEEDS = range(700_000, 700_120)
SPECKLE_SEEDS = range(720_000, 720_024)
FOUND = 0.4
"""A region is a mass if its Dice coefficient with an outline is higher."""
CONFIDENCE = 0.3
"""From which confidence on the printed numbers count a region."""


def scans(data: Path) -> Iterator[Outlined]:
    """Everything to learn from."""
    return chain(read_outlined(data), phantoms(PHANTOM_SEEDS), phantoms(SPECKLE_SEEDS, "speckle"))


def example(scan: Outlined, factor: float = 1.0) -> Example:
    """The scan on the coarse grid, at a scale that is wrong by a factor."""
    view = scan.view
    coarse = coarse_view(replace(view, grid=replace(view.grid, pixel_mm=view.grid.pixel_mm * factor)), MASS_PIXEL_MM)
    return Example(scan.image, scan.source, scan.half, coarse, coarse_outline(scan.outline, coarse), coarse.tissue > 0.5)


def overlap(one: BoolImage, other: BoolImage) -> float:
    """Dice coefficient."""
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def scored(scan: Outlined, model: PixelModel) -> list[tuple[Region, float]]:
    """The regions that a model finds, each with its best overlap with one outline."""
    coarse = coarse_view(scan.view, MASS_PIXEL_MM)
    count, outlines = cv2.connectedComponents(scan.outline.astype(np.uint8))
    found = []
    for region in regions(scan.view, coarse, model.probability(coarse)):
        mask = np.zeros(scan.view.shape, np.bool_)
        mask[region.box] = region.inside
        found.append((region, max((overlap(mask, outlines == number) for number in range(1, count)), default=0.0)))
    return found


def fit_regions(data: Path, without: Sequence[PixelModel]) -> Logistic:
    """Fit the confidence of a region, and print what it finds; `without` are the models that did not see each half."""
    kept = [(scan.source, scan.half, scan.outline, scored(scan, without[scan.half])) for scan in scans(data)]
    rows = [(region.features, match > FOUND, WEIGHT[source], half) for source, half, _, found in kept for region, match in found]
    columns = [list(column) for column in zip(*rows, strict=True)]

    def fitted(chosen: list[int]) -> Logistic:
        features, target, weight = ([column[i] for i in chosen] for column in columns[:3])
        return fit_logistic({name: [row[name] for row in features] for name in FEATURES}, target, weight)

    models = [fitted([i for i, row in enumerate(rows) if row[3] != half]) for half in (0, 1)]
    for name in COPIES:
        dice, matched, lesions, extra, images = [], 0, 0, 0, 0
        for source, half, outline, found in kept:
            if source != name:
                continue
            images += 1
            union = np.zeros(outline.shape, np.bool_)
            for region, match in found:
                if models[half].probability(region.features) >= CONFIDENCE:
                    union[region.box] |= region.inside
                    matched += match > 0.5
                    extra += not (outline[region.box] & region.inside).any()
            if outline.any():
                lesions += cv2.connectedComponents(outline.astype(np.uint8))[0] - 1
                dice.append(overlap(union, outline))
        print(
            f"{name}: found {matched / lesions:.3f} of {lesions} lesions at Dice 0.5, Dice mean {np.mean(dice):.3f} "
            f"median {np.median(dice):.3f}, {extra / images:.3f} extra masses an image",
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
    plain: list[Example] = []
    training: list[Example] = []
    for scan in scans(options.data):
        plain.append(example(scan))
        factors = np.exp(generator.uniform(-SCALE_SPREAD, SCALE_SPREAD, COPIES[scan.source]))
        training += [example(scan, float(factor)) for factor in factors]
    print(f"{len(plain)} images read, {time.perf_counter() - started:.0f} s", flush=True)
    without = []
    for half in (0, 1):
        without.append(fit_model([e for e in training if e.half != half], HIDDEN, seed=100 * (half + 1)))
        for source in COPIES:
            report(f"half {half}, {source}", without[half], [e for e in plain if e.half == half and e.source == source])
        if options.halves:
            write_model(without[half], options.halves / f"without-half-{half}.npz")
    elsewhere = "breast-lesions-usg"
    model = fit_model([e for e in training if e.source != elsewhere], HIDDEN, seed=300)
    report(f"trained without {elsewhere}, on it", model, [e for e in plain if e.source == elsewhere])
    write_models({"masses": fit_regions(options.data, without)}, REGION_MODELS)
    write_model(fit_model(training, HIDDEN, seed=0), weights_file("mass"))
    print(f"weights written, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
