"""Compare the speckle filters on one simulated scan: `python -m benchmarks.speckle`.

It needs no data and takes a few seconds. It prints a table; `--picture` writes the filtered images
side by side, `--docs` writes the table into a document.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import replace_generated_part, table
from benchmarks.speed.report import format_number
from usmicro import despeckle
from usmicro.errors import UsmicroError
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import Phantom, simulate
from usmicro.speckle import METHODS

BEGIN, END = "<!-- begin: written by python -m benchmarks.speckle -->", "<!-- end -->"
"""Lines of a document between which the table is written."""

SEED = 21
"""Seed of the simulated scan."""

SETTINGS = PhantomSettings(
    width=30.0,
    depth=30.0,
    spacing=0.07,
    irregular=0.0,
    cysts=0.0,
    intramass=4,
    extramass=4,
    intraductal=0,
    ducts=0,
    least_contrast=14.0,
)
"""Scan with foci of high contrast in a smooth mass and outside it."""

PICTURES_PER_ROW = 3

CROP = np.s_[60:360, 60:380]
"""Part of the scan that the picture shows: the mass and its surroundings."""

BINS = np.arange(-0.5, 256)
"""Edges of the bins of a histogram of grey levels, one bin per level."""

INSIDE_PX = 12
"""Least distance of the region inside the mass from the margin, pixels."""

OUTSIDE_PX = (8, 28)
"""Least and largest distance of the region outside the mass from the margin, pixels."""

EDGE_PX = (1, 3)
"""Least and largest distance from the margin at which the edge is measured, pixels."""

LEAST_RING_PX, RING_WIDTH_PX = 6, 14
"""Distance of the ring around a focus beyond three radii of the focus, and its width, pixels."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one filter."""

    method: str
    gcnr: float
    """Generalised contrast-to-noise ratio: 1 - overlap of the histograms of mass and surroundings.

    Rodriguez-Molares et al., IEEE Trans. Ultrasonics 67 (2020) 745.
    """
    speckle_index: float
    """Standard deviation / mean of the amplitude in the mass."""
    edge: float
    """Step across the margin of the mass / that of the unfiltered scan."""
    focus: float
    """Grey level of the foci above their surroundings / that of the unfiltered scan; median."""
    ms: float
    """Processor time of the filter."""


def score(
    method: str, grey: FloatImage, filtered: FloatImage, phantom: Phantom, seconds: float
) -> Scores:
    """Compute the figures of one filter.

    Parameters
    ----------
    method : str
    grey, filtered : array, shape (rows, columns)
        Grey levels of the unfiltered and of the filtered scan.
    phantom : Phantom
    seconds : float
        Processor time of the filter.
    """
    mass = phantom.truth.mass_labels > 0
    inside = _eroded(mass, INSIDE_PX)
    outside = _dilated(mass, OUTSIDE_PX[1]) & ~_dilated(mass, OUTSIDE_PX[0])
    is_away = np.ones(mass.shape, bool)
    for x, y, radius in _foci(phantom):
        rows, columns = np.ogrid[: mass.shape[0], : mass.shape[1]]
        is_away &= (columns - x) ** 2 + (rows - y) ** 2 > (2 * radius + 4) ** 2
    inside, outside = inside & is_away, outside & is_away
    histograms = [
        np.histogram(np.clip(filtered[part], 0, 255), BINS)[0] / np.count_nonzero(part)
        for part in (inside, outside)
    ]
    amplitude = np.power(10, filtered[inside] * (SETTINGS.dynamic_range / 20 / 255))
    return Scores(
        method=method,
        gcnr=1 - float(np.minimum(*histograms).sum()),
        speckle_index=float(amplitude.std() / amplitude.mean()),
        edge=_edge_step(filtered, mass) / _edge_step(grey, mass),
        focus=float(np.median(_focus_heights(filtered, phantom) / _focus_heights(grey, phantom))),
        ms=1e3 * seconds,
    )


def _disc(radius: int) -> ByteImage:
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size), dtype=np.uint8)


def _eroded(mask: BoolImage, radius: int) -> BoolImage:
    return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius)) > 0)


def _dilated(mask: BoolImage, radius: int) -> BoolImage:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0)


def _edge_step(image: FloatImage, mass: BoolImage) -> float:
    """Return the mean grey level just outside the margin of the mass - that just inside."""
    depth_inside, distance_outside = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) for mask in (mass, ~mass)
    )
    distance = depth_inside - distance_outside
    near, far = EDGE_PX
    outside = image[(distance < -near) & (distance >= -far)]
    inside = image[(distance > near) & (distance <= far)]
    return float(outside.mean() - inside.mean())


def _foci(phantom: Phantom) -> list[tuple[float, float, float]]:
    """Return column, row and radius of each true focus, pixels."""
    return [
        (focus.x_px[0], focus.y_px[0], 0.5 * focus.diameter_mm / SETTINGS.spacing)
        for focus in phantom.truth.foci
    ]


def _focus_heights(image: FloatImage, phantom: Phantom) -> NDArray[np.float64]:
    """Return the grey level of each focus above the median of a ring around it, shape (n,)."""
    heights = []
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    for x, y, radius in _foci(phantom):
        distance = np.hypot(columns - x, rows - y)
        inner = 3 * radius + LEAST_RING_PX
        ring = (distance > inner) & (distance <= inner + RING_WIDTH_PX)
        heights.append(image[distance <= radius + 2].max() - np.median(image[ring]))
    return np.array(heights)


def picture(parts: dict[str, FloatImage]) -> ByteImage:
    """Return crops side by side, each with its name."""
    tiles = []
    for name, image in parts.items():
        tile = np.clip(np.round(image[CROP]), 0, 255).astype(np.uint8)
        cv2.rectangle(tile, (0, 0), (110, 22), 0, -1)
        cv2.putText(tile, name, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
        tiles.append(tile)
    while len(tiles) % PICTURES_PER_ROW:
        tiles.append(np.zeros_like(tiles[0]))
    return np.vstack(
        [np.hstack(tiles[i : i + PICTURES_PER_ROW]) for i in range(0, len(tiles), PICTURES_PER_ROW)]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Filter the scan and print the figures; return 0, or 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speckle",
        description="Compare the speckle filters on one simulated scan.",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="write the filtered images"
    )
    parser.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="update the generated part of a document"
    )
    options = parser.parse_args(arguments)
    phantom = simulate(SEED, SETTINGS)
    grey = phantom.frames[0].astype(np.float32)
    parts, scores = {"unfiltered": grey}, [score("unfiltered", grey, grey, phantom, 0)]
    for method in METHODS:
        despeckle(grey, method=method)  # type: ignore[arg-type]  # compiles
        start = time.process_time()
        parts[method] = despeckle(grey, method=method)  # type: ignore[arg-type]
        scores.append(score(method, grey, parts[method], phantom, time.process_time() - start))
    head = ("method", "gCNR", "speckle index", "edge kept", "focus kept", "ms")
    rows = [
        (
            one.method,
            *map(format_number, (one.gcnr, one.speckle_index, one.edge, one.focus, one.ms)),
        )
        for one in scores
    ]
    text = table(head, rows)
    print(text)
    try:
        if options.picture:
            cv2.imwrite(str(options.picture), picture(parts))
        if options.docs:
            replace_generated_part(options.docs, BEGIN, END, text)
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
