"""How far the texture of a view is from that of the breast scans of the training data.

Measures of the echoes, such as their speckle size and how fast brightness changes across and along
the beam, are compared with those of breast scans by their Mahalanobis distance. Only where there is
light is measured, since black cysts, shadows, implants and dark depths are usual in breasts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import View
from usmicro.numerics.area_means import area_means

MODEL = Path(__file__).with_name("texture.json")
"""File of the model, fitted by `python -m training.texture`."""

PIXEL_MM = 0.2
"""Pixel size to which a view is reduced, in mm: about one speckle, and a constant cost."""
WINDOWS = (3, 7, 15, 31)
"""Sides, in reduced pixels, of the windows whose means divide the image into bands of detail."""
BLACK_SHARE = 0.02
"""Share of the pixels that are darker than the black level, which is subtracted: some printed scans
of BUS-BRA have a black level of 50."""
LIT_LEVEL, LIT_SHARE = 10.0, 0.3
"""Smallest mean grey level over the third window at which tissue is lit, and the same as a fraction
of the ninth decile of this mean. Chosen on the training data: without it black areas make up the
largest distances."""
LEAST_LIT = 200
"""Smallest number of lit reduced pixels, 8 mm2, from which the texture is measured."""
MOST_SAMPLES = 5_000
"""Number of pixels from which quantiles are computed; more cost time."""
SPREAD_STEP = 7
"""Every so many pixels the spread of the grey level around its local mean is used: neighbours share
most of their window."""


@dataclass(frozen=True, slots=True)
class TextureModel:
    """Distribution of the measures of texture on breast scans."""

    mean: dict[str, float]
    """Mean of each measure."""
    whitening: NDArray[np.float64]
    """Matrix that gives centred measures unit variance and no correlation."""
    limit: float
    """Largest distance of a usual scan."""

    def distance(self, measures: dict[str, float]) -> float:
        """Return the Mahalanobis distance of the measures of a view, by name."""
        centred = np.array([measures[name] - mean for name, mean in self.mean.items()])
        return float(np.linalg.norm(self.whitening @ centred))


@cache
def texture_model(file: Path = MODEL) -> TextureModel:
    """Read the model. It is read once in each process."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    return TextureModel(stored["mean"], np.array(stored["whitening"]), stored["limit"])


def write_texture_model(model: TextureModel, file: Path = MODEL) -> None:
    """Write a model as readable JSON."""
    stored = {
        "limit": round(model.limit, 2),
        "mean": {name: round(mean, 5) for name, mean in model.mean.items()},
    }
    rows = ",\n".join(
        f"  {json.dumps([round(float(value), 4) + 0.0 for value in row])}"
        for row in model.whitening
    )
    head = json.dumps(stored, indent=1)[:-2]
    file.write_text(f'{head},\n "whitening": [\n{rows}\n ]\n}}\n', encoding="utf-8")


def texture_measures(view: View) -> dict[str, float] | None:
    """Measure the texture of a view.

    Returns
    -------
    dict of float, or None
        None if too little of the view is lit.

        - `log_brightness`: logarithm of the mean grey level above black, of lit pixels;
        - `log_median`, `log_low`, `log_high`, `log_highest`: logarithm of the median, the 5th, 95th
          and 99.5th percentile over that mean;
        - `log_across`, `log_along`: logarithm of the speckle size in mm of the grid;
        - `log_band_0` to `log_band_3`: logarithm of the mean magnitude of the detail in each band
          over the mean grey level, from fine to coarse;
        - `tail`, `skewness`: the same for the 98th percentile of the finest detail over its median,
          and the asymmetry of its distribution: edges give a long tail;
        - `direction_1` to `direction_8`: logarithm of the mean change of the grey level down over
          that to the side, over so many reduced pixels: layers of tissue lie across the beam;
        - `log_rough`, `log_smooth`: logarithm of the 90th and 10th percentile of the local mean
          deviation over its median.
    """
    reduction = max(1.0, PIXEL_MM / view.grid.pixel_mm)
    columns, rows = (max(1, round(side / reduction)) for side in view.shape[::-1])
    (grey,) = area_means(view.grey, (columns, rows))
    # without the rim, which shares reduced pixels with graphics and with the border
    inner = cv2.erode(view.usable.view(np.uint8), np.ones((3, 3), np.uint8))
    usable = cv2.resize(inner, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
    if np.count_nonzero(usable) < LEAST_LIT:
        return None
    (black,) = _quantiles(grey[usable], BLACK_SHARE)
    grey = np.maximum(grey - np.float32(black), 0) * usable
    weight = usable.astype(np.float32)
    shares = [
        np.maximum(cv2.blur(weight, (window, window)), np.float32(1e-3)) for window in WINDOWS
    ]
    # `grey` is 0 where tissue is not usable
    means = [
        np.asarray(cv2.blur(grey, (window, window)) / share)
        for window, share in zip(WINDOWS, shares, strict=True)
    ]
    (brightest,) = _quantiles(means[2][usable], 0.9)
    lit = usable & (means[2] > max(LIT_LEVEL, LIT_SHARE * brightest))
    if np.count_nonzero(lit) < LEAST_LIT:
        return None
    levels = grey[lit]
    mean = float(levels.mean())
    low, median, high, highest = _quantiles(levels, 0.05, 0.5, 0.95, 0.995)
    measures: dict[str, float] = {
        "log_brightness": np.log(mean),
        "log_median": np.log((median + 5) / mean),
        "log_low": np.log((low + 5) / mean),
        "log_high": np.log(high / mean),
        "log_highest": np.log(highest / mean),
        "log_across": np.log(view.speckle_size[0] * view.grid.pixel_mm),
        "log_along": np.log(view.speckle_size[1] * view.grid.pixel_mm),
    }
    finer = grey
    for number, coarser in enumerate(means):
        detail = (finer - coarser)[lit]
        measures[f"log_band_{number}"] = np.log((np.abs(detail).mean() + 0.3) / mean)
        if number == 0:
            finest = detail
        finer = coarser
    dark, middle, bright = _quantiles(finest, 0.02, 0.5, 0.98)
    usual, large = _quantiles(np.abs(finest), 0.5, 0.98)
    measures["tail"] = np.log((large + 0.5) / (usual + 0.5))
    measures["skewness"] = (bright + dark - 2 * middle) / (bright - dark + 1)
    for step, image in zip((1, 2, 4, 8), (grey, *means[:3]), strict=True):
        measures[f"direction_{step}"] = _direction(image[::step, ::step], lit[::step, ::step])
    deviation = cv2.blur(np.abs(grey - means[1]) * weight, (WINDOWS[1], WINDOWS[1]))
    spread = (deviation / shares[1])[lit][::SPREAD_STEP]
    smooth, usual, rough = _quantiles(spread, 0.1, 0.5, 0.9) + 0.3
    measures["log_rough"], measures["log_smooth"] = np.log(rough / usual), np.log(smooth / usual)
    return {name: float(value) for name, value in measures.items()}


def _quantiles(values: NDArray[np.float32], *shares: float) -> NDArray[np.float32]:
    """Return quantiles of at most MOST_SAMPLES evenly spaced values, to the nearest value below."""
    ordered = np.sort(values[:: -(-len(values) // MOST_SAMPLES)])
    return ordered[[int(share * (len(ordered) - 1)) for share in shares]]


def _direction(image: FloatImage, lit: BoolImage) -> float:
    """Return the logarithm of the mean change down over the mean change to the side.

    It is 0, no direction, if there are too few lit neighbours.
    """
    down, aside = lit[1:] & lit[:-1], lit[:, 1:] & lit[:, :-1]
    if min(np.count_nonzero(down), np.count_nonzero(aside)) < 5:
        return 0.0
    change_down = np.abs(image[1:] - image[:-1])[down].mean()
    change_aside = np.abs(image[:, 1:] - image[:, :-1])[aside].mean()
    return float(np.log((change_down + 0.3) / (change_aside + 0.3)))
