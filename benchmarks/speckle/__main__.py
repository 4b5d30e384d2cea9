"""Command line: `python -m benchmarks.speckle`."""

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

from benchmarks.speed.report import number, table
from usmicro import despeckle
from usmicro.errors import UsageError, UsmicroError
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import Phantom, simulate
from usmicro.speckle import METHODS

BEGIN, END = "<!-- begin: written by python -m benchmarks.speckle -->", "<!-- end -->"
SEED = 21
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
ACROSS = 3
"""Pictures in a row."""
CROP = np.s_[60:360, 60:380]
BINS = np.arange(-0.5, 256)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a filter did."""

    method: str
    gcnr: float
    """Generalised contrast-to-noise ratio of mass and surroundings: 1 less the overlap of their histograms."""
    speckle_index: float
    """Standard deviation over mean of the amplitude in the mass."""
    edge: float
    """Slope across the mass margin, over that of the unfiltered scan."""
    focus: float
    """Height of the foci over their surroundings in grey levels, over that of the unfiltered scan."""
    ms: float


def score(
    method: str, grey: FloatImage, filtered: FloatImage, phantom: Phantom, seconds: float
) -> Scores:
    """All figures of one filter."""
    mass = phantom.truth.mass_labels > 0
    inside = _eroded(mass, 12)
    outside = _dilated(mass, 28) & ~_dilated(mass, 8)
    away = np.ones(mass.shape, bool)
    for x, y, radius in _foci(phantom):
        rows, columns = np.ogrid[: mass.shape[0], : mass.shape[1]]
        away &= (columns - x) ** 2 + (rows - y) ** 2 > (2 * radius + 4) ** 2
    inside, outside = inside & away, outside & away
    parts = [
        np.histogram(np.clip(filtered[part], 0, 255), BINS)[0] / np.count_nonzero(part)
        for part in (inside, outside)
    ]
    amplitude = np.power(10, filtered[inside] * (SETTINGS.dynamic_range / 20 / 255))
    return Scores(
        method,
        1 - float(np.minimum(*parts).sum()),
        float(amplitude.std() / amplitude.mean()),
        _edge(filtered, mass) / _edge(grey, mass),
        float(np.median(_heights(filtered, phantom) / _heights(grey, phantom))),
        1e3 * seconds,
    )


def _disc(radius: int) -> ByteImage:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)),
        dtype=np.uint8,
    )


def _eroded(mask: BoolImage, radius: int) -> BoolImage:
    return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius)) > 0)


def _dilated(mask: BoolImage, radius: int) -> BoolImage:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0)


def _edge(image: FloatImage, mass: BoolImage) -> float:
    """Mean grey level 1 to 3 pixels outside the margin less that 1 to 3 pixels inside: what is left of the step after smoothing."""
    distance = cv2.distanceTransform(mass.astype(np.uint8), cv2.DIST_L2, 5) - cv2.distanceTransform(
        (~mass).astype(np.uint8), cv2.DIST_L2, 5
    )
    return float(
        image[(distance < -1) & (distance >= -3)].mean()
        - image[(distance > 1) & (distance <= 3)].mean()
    )


def _foci(phantom: Phantom) -> list[tuple[float, float, float]]:
    """Column, row and radius in pixels."""
    return [
        (f.x_px[0], f.y_px[0], 0.5 * f.diameter_mm / SETTINGS.spacing) for f in phantom.truth.foci
    ]


def _heights(image: FloatImage, phantom: Phantom) -> NDArray[np.float64]:
    heights = []
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    for x, y, radius in _foci(phantom):
        distance = np.hypot(columns - x, rows - y)
        ring = (distance > 3 * radius + 6) & (distance <= 3 * radius + 20)
        heights.append(image[distance <= radius + 2].max() - np.median(image[ring]))
    return np.array(heights)


def picture(parts: dict[str, FloatImage]) -> ByteImage:
    """Crops side by side, each with its name."""
    tiles = []
    for name, image in parts.items():
        tile = np.clip(np.round(image[CROP]), 0, 255).astype(np.uint8)
        cv2.rectangle(tile, (0, 0), (110, 22), 0, -1)
        cv2.putText(tile, name, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
        tiles.append(tile)
    while len(tiles) % ACROSS:
        tiles.append(np.zeros_like(tiles[0]))
    return np.vstack([np.hstack(tiles[i : i + ACROSS]) for i in range(0, len(tiles), ACROSS)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Filter the scan and print the figures; 0, or 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speckle",
        description="Speckle filters side by side on one simulated scan.",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="write the pictures")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="refresh the generated part of a document"
    )
    options = parser.parse_args(arguments)
    phantom = simulate(SEED, SETTINGS)
    grey = phantom.frames[0].astype(np.float32)
    parts, scores = {"unfiltered": grey}, [score("unfiltered", grey, grey, phantom, 0)]
    for method in METHODS:
        despeckle(grey, method=method)  # type: ignore[arg-type]
        start = time.process_time()
        parts[method] = despeckle(grey, method=method)  # type: ignore[arg-type]
        scores.append(score(method, grey, parts[method], phantom, time.process_time() - start))
    head = ("method", "gCNR", "speckle index", "edge kept", "focus kept", "ms")
    rows = [
        (
            s.method,
            number(s.gcnr),
            number(s.speckle_index),
            number(s.edge),
            number(s.focus),
            number(s.ms),
        )
        for s in scores
    ]
    text = table(head, rows)
    print(text)
    try:
        if options.picture:
            cv2.imwrite(str(options.picture), picture(parts))
        if options.docs:
            document = options.docs.read_text(encoding="utf-8")
            if BEGIN not in document or END not in document:
                raise UsageError(
                    f"{options.docs} has no part between {BEGIN!r} and {END!r}; add the two lines"
                )
            before, after = (
                document.partition(BEGIN)[0],
                document.partition(BEGIN)[2].partition(END)[2],
            )
            options.docs.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
