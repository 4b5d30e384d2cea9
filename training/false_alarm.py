"""How strongly speckle alone responds: `python -m training.false_alarm` simulates it and prints the table of `usmicro.foci.false_alarm`.

Log-compressed speckle, Rayleigh and K-distributed as in the breast, with and without compounding and smoothing, of several cell sizes
and shapes goes through the detector. The table is the mean over these kinds of the logarithm of the probability; the spread between
them is printed too.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci.detection import blob_responses
from usmicro.foci.false_alarm import STANDARDISED, SpeckleResponses
from usmicro.model.arrays import ByteImage, FloatImage
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View
from usmicro.preparation.speckle_size import measure_speckle_size
from usmicro.settings import FociSettings

SHAPE = (512, 640)
POINT_SPREADS = ((4, 4), (6, 4), (8, 4), (12, 4), (9, 6), (12, 8))
"""Full widths at half maximum across and along the beam of the scatterers' power, pixels."""
K_SHAPES = (None, 4.5, 1.25)
"""None is Rayleigh; amplitude SNR 1.91, 1.7 and 1.35."""
FILTERS = ((1, 0.0), (3, 0.0), (1, 1.5))
"""Looks, and standard deviation in pixels of a smoothing."""


@dataclass(frozen=True)
class Kind:
    """One kind of pure speckle as a scanner may show it."""

    across: float
    along: float
    """Full widths at half maximum of the scatterers' power across and along the beam, pixels."""
    shape: float | None = None
    """Of the gamma-distributed power of the scatterers in a cell; None is Rayleigh, 1.25 an amplitude SNR of 1.35."""
    looks: int = 1
    """Independent views of the tissue whose envelopes are averaged, as spatial compounding does."""
    decibels: float = 60.0
    """Dynamic range of the display."""
    gamma: float = 1.0
    """Exponent of the grey map."""
    smoothing: float = 0.0
    """Standard deviation in pixels of a Gaussian over the display image."""
    quality: int = 0
    """Of a JPEG step; 0 none."""


def speckle(rng: np.random.Generator, kind: Kind, size: tuple[int, int] = SHAPE) -> ByteImage:
    """Display image of pure speckle of `size` (rows, columns); the scatterers' power is constant over one cell."""
    power = np.ones(size, np.float32)
    if kind.shape is not None:
        cells = (size[0] // int(kind.along) + 1, size[1] // int(kind.across) + 1)
        each = rng.gamma(kind.shape, 1 / kind.shape, cells).astype(np.float32)
        power = np.kron(each, np.ones((int(kind.along), int(kind.across)), np.float32))[
            : size[0], : size[1]
        ]
    envelope = np.zeros(size, np.float32)
    for _ in range(kind.looks):
        parts = rng.normal(size=(2, *size)).astype(np.float32) * np.sqrt(power)
        envelope += np.hypot(
            *(
                cv2.GaussianBlur(part, (0, 0), kind.across / 2.355, sigmaY=kind.along / 2.355)
                for part in parts
            )
        )
    level = (
        110 / 255 + 20 * np.log10(envelope / np.sqrt(np.mean(envelope**2)) + 1e-9) / kind.decibels
    )
    grey = (np.clip(level, 0, 1) ** kind.gamma * 255).astype(np.float32)
    if kind.smoothing:
        grey = cv2.GaussianBlur(grey, (0, 0), kind.smoothing)
    shown = np.round(grey).astype(np.uint8)
    if kind.quality:
        shown = cv2.imdecode(
            cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, kind.quality])[1],
            cv2.IMREAD_GRAYSCALE,
        )
    return np.asarray(shown, dtype=np.uint8)


def view_of(grey: FloatImage) -> View:
    """A view that is all tissue."""
    tissue, scan_lines = np.ones(grey.shape, bool), ScanLines("linear", 0.0)
    cell = measure_speckle_size(grey, tissue, scan_lines)
    assert cell is not None, "pure speckle has a measurable cell"
    return View(
        grey,
        tissue,
        ~tissue,
        Grid(0, 0, 1, 1, 0.08, Spacing(0.08, 0.08, "given")),
        scan_lines,
        cell,
    )


def responses(
    kind: Kind, images: int, seed: int
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Logarithm of the share of speckle's bright blobs that reach each of STANDARDISED, and the mean anchors of the views."""
    standardised, anchors = [], []
    for number in range(images):
        view = view_of(speckle(np.random.default_rng([seed, number]), kind).astype(np.float32))
        response = blob_responses(view, FociSettings()).response
        found = SpeckleResponses.of(response)
        standardised.append((response - found.lower) / (found.upper - found.lower))
        anchors.append((found.lower, found.upper))
    every = np.concatenate(standardised)
    count = np.count_nonzero(every[:, None] >= STANDARDISED, axis=0)
    lower, upper = np.mean(anchors, axis=0)
    return np.log10(np.maximum(count, 0.5) / len(every)), (float(lower), float(upper))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16, help="images of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    kinds = [
        Kind(*spread, shape, looks, smoothing=by)
        for spread, shape, (looks, by) in product(POINT_SPREADS, K_SHAPES, FILTERS)
    ]
    found, anchors = [], []
    measured = partial(responses, images=arguments.images, seed=arguments.seed)
    with ProcessPoolExecutor(
        arguments.processes, initializer=partial(cv2.setNumThreads, 1)
    ) as pool:
        for kind, (logarithm, pair) in zip(kinds, pool.map(measured, kinds), strict=True):
            found.append(logarithm)
            anchors.append(pair)
            name = f"{kind.across:2g} {kind.along:2g} {kind.shape or 'Rayleigh':>8} {kind.looks} {kind.smoothing:3g}"
            print(name, " ".join(f"{value:6.2f}" for value in (*pair, *logarithm)), flush=True)
    table = np.array(found)
    print("mean anchors     ", " ".join(f"{value:6.2f}" for value in np.mean(anchors, axis=0)))
    print("standardised     ", " ".join(f"{value:6.2f}" for value in STANDARDISED))
    print("mean log10       ", " ".join(f"{value:6.2f}" for value in table.mean(axis=0)))
    print("sd of log10      ", " ".join(f"{value:6.2f}" for value in table.std(axis=0)))


if __name__ == "__main__":
    main()
