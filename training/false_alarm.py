"""Measure how strongly the detector responds to speckle alone.

Run
    python -m training.false_alarm --images 60
Needs
    No data: the speckle is simulated (`usmicro.phantom.display_speckle`).
Takes
    About 5 seconds per image of each kind on two cores.
Writes
    Nothing. It prints the rows of `STANDARDISED` and `LOG10_PROBABILITY` and the usual anchors of
    `usmicro.foci.false_alarm`, to be copied there by hand.

Log-compressed Rayleigh and K-distributed speckle with several resolution cells, with and without
compounding and smoothing, is passed through the detector. The printed table is the mean over these
kinds of speckle of the logarithm of the probability; their standard deviation is printed below it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci.detection import blob_responses
from usmicro.foci.false_alarm import STANDARDISED, SpeckleResponses
from usmicro.model.arrays import FloatImage
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View
from usmicro.phantom.display_speckle import SpeckleKind, speckle_image
from usmicro.preparation.speckle_size import measure_speckle_size
from usmicro.settings import FociSettings

IMAGE_SIZE = (512, 640)
"""Rows and columns of an image of speckle."""

PIXEL_MM = 0.08
"""Pixel size of the images in mm: a usual one of breast scans. The speckle is given in pixels."""

POINT_SPREADS = ((4, 4), (6, 4), (8, 4), (12, 4), (9, 6), (12, 8))
"""Full widths at half maximum of the point-spread function across and along the beam, pixels."""

K_SHAPES = (None, 4.5, 1.25)
"""Shape parameters of the scattering power, see `SpeckleKind`; None is Rayleigh speckle."""

FILTERS = ((1, 0.0), (3, 0.0), (1, 1.5))
"""Number of looks, and standard deviation of the smoothing of the display image in pixels."""


def view_of(grey: FloatImage) -> View:
    """Return a view of a linear probe in which every pixel of `grey` is tissue."""
    tissue, scan_lines = np.ones(grey.shape, bool), ScanLines("linear", 0.0)
    speckle_size = measure_speckle_size(grey, tissue, scan_lines)
    assert speckle_size is not None, "pure speckle has a measurable size"
    grid = Grid(0, 0, 1, 1, PIXEL_MM, Spacing(PIXEL_MM, PIXEL_MM, "given"))
    return View(grey, tissue, ~tissue, grid, scan_lines, speckle_size)


def measure_responses(
    kind: SpeckleKind, images: int, seed: int
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Measure the responses of the detector to one kind of speckle.

    Returns
    -------
    log10_probability : array, shape (len(STANDARDISED),)
        Logarithm of the fraction of bright blobs whose response is at least STANDARDISED.
    anchors : (float, float)
        Mean lower and upper anchor of the images.
    """
    standardised, anchors = [], []
    for number in range(images):
        image = speckle_image(np.random.default_rng([seed, number]), kind, IMAGE_SIZE)
        response = blob_responses(view_of(image.astype(np.float32)), FociSettings()).response
        scale = SpeckleResponses.of(response)
        standardised.append((response - scale.lower) / (scale.upper - scale.lower))
        anchors.append((scale.lower, scale.upper))
    all_responses = np.concatenate(standardised)
    count = np.count_nonzero(all_responses[:, None] >= STANDARDISED, axis=0)
    lower, upper = np.mean(anchors, axis=0)
    # half a blob where there is none keeps the logarithm finite
    return np.log10(np.maximum(count, 0.5) / len(all_responses)), (float(lower), float(upper))


def main() -> None:
    """Simulate the speckle and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=16, help="images of each kind of speckle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    kinds = [
        SpeckleKind(*point_spread, shape, looks, smoothing=smoothing)
        for point_spread, shape, (looks, smoothing) in product(POINT_SPREADS, K_SHAPES, FILTERS)
    ]
    measure = partial(measure_responses, images=arguments.images, seed=arguments.seed)
    one_thread = partial(cv2.setNumThreads, 1)
    rows, all_anchors = [], []
    with ProcessPoolExecutor(arguments.processes, initializer=one_thread) as pool:
        for kind, (row, anchors) in zip(kinds, pool.map(measure, kinds), strict=True):
            rows.append(row)
            all_anchors.append(anchors)
            shape = kind.shape or "Rayleigh"
            name = f"{kind.across:2g} {kind.along:2g} {shape:>8} {kind.looks} {kind.smoothing:3g}"
            print(name, _numbers((*anchors, *row)), flush=True)
    table = np.array(rows)
    print("mean anchors     ", _numbers(np.mean(all_anchors, axis=0)))
    print("standardised     ", _numbers(STANDARDISED))
    print("mean log10       ", _numbers(table.mean(axis=0)))
    print("sd of log10      ", _numbers(table.std(axis=0)))


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:6.2f}" for value in values)


if __name__ == "__main__":
    main()
