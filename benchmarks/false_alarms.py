"""False alarms in pure speckle: `python -m benchmarks.false_alarms`.

It counts the candidates in pure speckle and compares them with the number that is expected by the
setting `foci.false_positives`. It uses kinds of speckle that scanners show, and simulated scans
without anatomy (`usmicro.phantom`), each with known and unknown pixel size. It prints a table,
needs no data and takes some minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import repeat

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci import find_candidates
from usmicro.foci.detection import TEN_CM2
from usmicro.model.arrays import ByteImage
from usmicro.model.scan import Spacing
from usmicro.phantom import random_settings, simulate
from usmicro.phantom.display_speckle import SpeckleKind, speckle_image
from usmicro.preparation import prepare
from usmicro.settings import FociSettings

SHAPE = (600, 700)
"""Rows and columns of an image."""
PIXEL_MM = 0.08
"""Pixel size of an image in mm."""
RATES = np.array([0.1, 0.3, 1, 3, 10])
"""Values of `foci.false_positives`: false foci per 10 cm2."""

LEAST_COUNT = 10
"""Ratios that rest on fewer foci are printed in brackets."""

TOLERATED_FACTOR = 1.5
"""Factor within which a ratio of found to expected foci counts as right."""

USUAL = SpeckleKind(6, 4, shape=1.25)
"""Kind of which some properties are varied: cells of 6 x 4 pixels, K-distributed."""

KINDS: dict[str, SpeckleKind | int] = {
    **{
        f"cells of {a} x {b} px, Rayleigh": SpeckleKind(a, b)
        for a, b in ((2, 2), (4, 4), (8, 6), (12, 12))
    },
    **{
        f"cells of {a} x {b} px, K": SpeckleKind(a, b, shape=1.25)
        for a, b in ((2, 2), (4, 4), (8, 6), (12, 12))
    },
    "K, amplitude SNR 1.8": replace(USUAL, shape=4.5),
    "K, 40 dB": replace(USUAL, decibels=40),
    "K, 80 dB": replace(USUAL, decibels=80),
    "K, gamma 0.6": replace(USUAL, gamma=0.6),
    "K, gamma 1.6": replace(USUAL, gamma=1.6),
    "Rayleigh, gamma 1.6": replace(USUAL, shape=None, gamma=1.6),
    "K, smoothed by 1 px": replace(USUAL, smoothing=1),
    "K, smoothed by 2 px": replace(USUAL, smoothing=2),
    "Rayleigh, smoothed by 2 px": replace(USUAL, shape=None, smoothing=2),
    "K, JPEG quality 70": replace(USUAL, quality=70),
    "K, 3 looks": replace(USUAL, looks=3),
    "K, 6 looks": replace(USUAL, looks=6),
    "simulated scans, 1 look": 1,
    "simulated scans, 4 looks": 4,
}
"""Kinds of speckle by name; a number is the number of looks of simulated scans."""


def image_of(kind: SpeckleKind | int, seed: int) -> tuple[ByteImage, Spacing]:
    """Return an image of pure speckle and its pixel spacing."""
    if isinstance(kind, SpeckleKind):
        image = speckle_image(np.random.default_rng([seed, 77]), kind, SHAPE)
        return image, Spacing(PIXEL_MM, PIXEL_MM, "given")
    scan = simulate(seed, replace(random_settings(seed, "speckle"), looks=kind)).scan()
    return np.asarray(next(scan.frames()), dtype=np.uint8), scan.spacing


def count_foci(kind: SpeckleKind | int, known: bool, seed: int) -> NDArray[np.float64]:
    """Count the foci on one image at each of RATES; the last value is its area in 10 cm2."""
    image, spacing = image_of(kind, seed)
    out = np.zeros(len(RATES) + 1)
    for view in prepare(image, spacing=spacing if known else Spacing()):
        out[:-1] += [
            len(find_candidates(view, FociSettings(false_positives=float(rate)))) for rate in RATES
        ]
        out[-1] += view.tissue.sum() * view.grid.pixel_mm**2 / TEN_CM2
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of the number of foci / the expected number.

    A ratio in brackets rests on fewer than LEAST_COUNT foci.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=20, help="of each kind")
    parser.add_argument("--first-seed", type=int, default=40_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    seeds = range(options.first_seed, options.first_seed + options.images)
    print("| speckle | pixel size |", " | ".join(f"{rate:g}" for rate in RATES), "|")
    print("|---|---|" + "---|" * len(RATES))
    worst, total = [], np.zeros(len(RATES) + 1)
    with ProcessPoolExecutor(options.processes, initializer=partial(cv2.setNumThreads, 1)) as pool:
        for name, kind in KINDS.items():
            for known in (True, False):
                counts = np.sum(
                    list(pool.map(count_foci, repeat(kind), repeat(known), seeds)), axis=0
                )
                total += counts
                ratio = counts[:-1] / counts[-1] / RATES
                cells = [
                    f"{value:.2f}" if count >= LEAST_COUNT else f"({value:.2f})"
                    for value, count in zip(ratio, counts[:-1], strict=True)
                ]
                size = "known" if known else "unknown"
                print(f"| {name} | {size} | {' | '.join(cells)} |", flush=True)
                worst.append(np.abs(np.log(ratio[-1])))
    ratios = ", ".join(f"{value:.2f}" for value in total[:-1] / total[-1] / RATES)
    print(f"\nAll kinds together: {ratios} times the expected number.")
    within = np.mean(np.array(worst) <= np.log(TOLERATED_FACTOR))
    print(
        f"At {RATES[-1]:g} per 10 cm2 {within:.0%} of the kinds are within a factor of "
        f"{TOLERATED_FACTOR}; "
        f"the worst is off by a factor of {np.exp(max(worst)):.1f}."
    )


if __name__ == "__main__":
    main()
