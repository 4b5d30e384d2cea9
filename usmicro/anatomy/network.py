"""Segmentation networks: their input and their output on a view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.errors import SettingsError
from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import View
from usmicro.numerics.area_means import area_means
from usmicro.numerics.networks import run_network

CHANNELS = 3
"""Number of planes of an input; see `network_input`."""
INPUT_MULTIPLE = 16
"""The sides of an input of `predict_at` are multiples of this, since its networks halve them four
times."""
GREY_BINS = 4096
"""Number of bins of the grey histogram: sixteen for each step of an 8-bit display."""
TAIL_FRACTION = 0.015
"""Fraction of the tissue that counts as darkest, and as brightest, when grey levels are rescaled.
The networks are trained with it. Chosen by eye; no measurement is recorded."""
OUTLINE_PROBABILITY = 0.5
"""Probability at the outline of a region: inside, the target is more probable than not."""
LARGEST_LOGIT = 12.0
"""Logits are limited to this magnitude, a probability of 0.999994, so that their exponential cannot
overflow."""


@dataclass(frozen=True)
class Region:
    """A connected region that may be a mass, a duct or a nonmass area."""

    box: tuple[slice, slice]
    """Rows and columns of the box around it."""
    inside: BoolImage
    """True inside the region; shape of the box."""
    features: dict[str, float]
    """Inputs of the logistic model that gives its confidence."""


@dataclass(frozen=True)
class Prediction:
    """Input and output of a network; both without the border of the input."""

    planes: NDArray[np.float32]
    """Input, shape (CHANNELS, rows, columns); see `network_input`."""
    logit: FloatImage
    """Logit of the probability, shape (rows, columns)."""

    @cached_property
    def rank(self) -> FloatImage:
        """Rank of the grey level among those of the tissue, 0 to 1; shape (rows, columns)."""
        return np.asarray((self.planes[0] + 1) / 2)

    @cached_property
    def level(self) -> FloatImage:
        """Grey level between the darkest and the brightest of the tissue, 0 to 1.

        It distinguishes anechoic tissue from tissue that is merely dark. Shape (rows, columns).
        """
        return np.asarray((self.planes[1] + 1) / 2)

    @cached_property
    def tissue(self) -> BoolImage:
        """True in the tissue; shape (rows, columns)."""
        return np.asarray(self.planes[2] > 0)

    @property
    def probability(self) -> FloatImage:
        """Probability, 0 to 1."""
        return logistic(self.logit)

    def pixel_mm(self, view: View) -> float:
        """Return the side in mm of a square with the area of a pixel of the network."""
        factor = np.sqrt(view.shape[0] * view.shape[1] / self.logit.size)
        return float(factor) * view.grid.pixel_mm

    def logit_on(self, view: View) -> FloatImage:
        """Resample the logit to the grid of the view.

        The logit is nearly linear across an edge and the probability is not, so that linear
        interpolation of the logit keeps edges in place.
        """
        return np.asarray(
            cv2.resize(self.logit, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_LINEAR),
            dtype=np.float32,
        )

    def probability_on(self, view: View) -> FloatImage:
        """Return the probability on the grid of the view; 0 outside the tissue."""
        probability = _become_probability(self.logit_on(view))
        if not view.tissue.all():
            probability *= view.tissue
        return probability

    def outline_on(self, view: View, box: tuple[slice, slice], inside: BoolImage) -> BoolImage:
        """Return a region on the grid of the view, up to OUTLINE_PROBABILITY.

        `box` and `inside` are those of a `Region` on the pixels of the network.
        """
        region = np.zeros(self.logit.shape, np.uint8)
        region[box] = inside
        near = cv2.dilate(region, np.ones((3, 3), np.uint8))
        near = cv2.resize(near, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_NEAREST)
        at_outline = np.log(OUTLINE_PROBABILITY / (1 - OUTLINE_PROBABILITY))
        return np.asarray((self.logit_on(view) > at_outline) & (near > 0))


def logistic(logit: FloatImage) -> FloatImage:
    """Return the probability of a logit."""
    return _become_probability(logit.copy())


def _become_probability(logit: FloatImage) -> FloatImage:
    """Replace a logit by its probability, in place: new arrays would take longer than the sums."""
    np.negative(logit, out=logit)
    np.exp(logit, out=logit)
    logit += 1
    return np.divide(1, logit, out=logit)


def probable_parts(
    probability: FloatImage, connectivity: Literal[4, 8]
) -> Iterator[tuple[tuple[slice, slice], BoolImage]]:
    """Yield each connected part in which a probability exceeds OUTLINE_PROBABILITY.

    Parameters
    ----------
    probability : array, shape (rows, columns), float32
    connectivity : 4 or 8
        Number of neighbours of a pixel that may belong to the same part.

    Yields
    ------
    box : (slice, slice)
        Rows and columns of the box around the part.
    inside : array, shape of the box, bool
        True in the part.
    """
    probable = (probability > OUTLINE_PROBABILITY).view(np.uint8)
    x, y, width, height = cv2.boundingRect(probable)
    if not width:
        return
    # labelling only the box is several times faster
    _, numbered, stats, _ = cv2.connectedComponentsWithStats(
        probable[y : y + height, x : x + width], connectivity=connectivity
    )
    for number, (left, top, width, height, _) in enumerate(stats[1:].tolist(), start=1):
        inside = numbered[top : top + height, left : left + width] == number
        left, top = x + left, y + top
        yield (slice(top, top + height), slice(left, left + width)), np.asarray(inside)


def predict(
    view: View,
    network: Path,
    size: tuple[int, int],
    *,
    border: int = 0,
    plain: bool = False,
) -> Prediction:
    """Run a network on a view, resized to the input without its border.

    Parameters
    ----------
    view : View
    network : Path
        ONNX file.
    size : (rows, columns)
        Size of the input, border included.
    border : int
        Width in pixels of the empty border on every side of the input.
    plain : bool
        True if the network has no depthwise convolutions. This selects the faster engine of OpenCV
        and changes only the computing time.

    Raises
    ------
    SettingsError
        If the file is not a network for inputs of this size.
    """
    size = (size[0] - 2 * border, size[1] - 2 * border)
    shape = (size[1], size[0])
    if view.tissue.all():
        (grey,), tissue = area_means(view.grey, shape), np.ones(size, np.bool_)
    else:
        (weight,) = area_means(view.tissue.astype(np.float32), shape)
        (grey,) = area_means(view.grey * view.tissue, shape)
        grey /= np.maximum(weight, np.float32(0.01))
        tissue = np.asarray(weight > 0.5)
    planes = network_input(grey, tissue)
    return Prediction(planes, _logits(network, planes, border, plain))


def averaged_with_mirror_image(
    prediction: Prediction, network: Path, *, border: int = 0, plain: bool = False
) -> Prediction:
    """Run a network on the mirror image of its last input, and average the logits of both.

    The arguments are the result and the arguments of `predict`.
    """
    mirror_image = _logits(network, prediction.planes[:, :, ::-1], border, plain)
    mean = (prediction.logit + mirror_image[:, ::-1]) / np.float32(2)
    return replace(prediction, logit=np.asarray(mean, dtype=np.float32))


def predict_at(view: View, network: Path, pixel_mm: float) -> Prediction:
    """Run a plain network on a view resized to pixels of about `pixel_mm`."""
    rows, columns = (
        max(round(n * view.grid.pixel_mm / pixel_mm / INPUT_MULTIPLE), 1) * INPUT_MULTIPLE
        for n in view.shape
    )
    return predict(view, network, (rows, columns), plain=True)


def network_input(grey: FloatImage, tissue: BoolImage) -> NDArray[np.float32]:
    """Make the input of a network.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    tissue : array, shape (rows, columns), bool

    Returns
    -------
    array, shape (CHANNELS, rows, columns), float32
        Rank of the grey level and rescaled grey level, both from -1 to 1 and 0 outside the tissue;
        and 1 in the tissue, 0 outside. The rank is invariant under every increasing grey map, the
        rescaled grey level under every linear one.
    """
    planes = np.empty((CHANNELS, *grey.shape), np.float32)
    planes[0], planes[1] = equalised(grey, tissue)
    planes[:2] *= 2
    planes[:2] -= 1
    planes[:2] *= tissue
    planes[2] = tissue
    return planes


def equalised(grey: FloatImage, tissue: BoolImage) -> tuple[FloatImage, FloatImage]:
    """Return the rank of the grey level and the rescaled grey level.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    tissue : array, shape (rows, columns), bool

    Returns
    -------
    rank, level : array, shape (rows, columns), float32
        Rank among the pixels of the tissue, 0 to 1; and position between the darkest and the
        brightest TAIL_FRACTION of the tissue, 0 to 1.
    """
    is_part = tissue.any() and not tissue.all()
    values = grey[tissue] if is_part else grey.ravel()
    low, high = float(values.min()), float(values.max())
    scaled = grey - low
    scaled *= (GREY_BINS - 1) / max(high - low, 1e-6)
    scaled += 0.5
    bins = np.clip(scaled, 0, GREY_BINS - 1, out=scaled).astype(np.intp)
    count = np.bincount(bins[tissue] if is_part else bins.ravel(), minlength=GREY_BINS)
    below = np.cumsum(count)
    rank = ((below - count / 2) / below[-1]).astype(np.float32)
    dark, bright = np.searchsorted(
        below, (TAIL_FRACTION * below[-1], (1 - TAIL_FRACTION) * below[-1])
    )
    # both depend on the bin alone, so that they are computed once for each bin
    level = np.clip((np.arange(GREY_BINS) - dark) / np.float32(max(bright - dark, 1)), 0, 1)
    return rank.take(bins), level.astype(np.float32).take(bins)


def _logits(file: Path, image: NDArray[np.float32], border: int, plain: bool) -> FloatImage:
    """Return the logits of an input without its border, shape (rows, columns).

    `image` has the shape (CHANNELS, rows, columns). If the network has several outputs, the largest
    one has the logits; the others only serve its training.
    """
    if border:
        image = np.pad(image, ((0, 0), (border, border), (border, border)))
    rows, columns = image.shape[1:]
    out = max(run_network(file, image[None], plain=plain), key=np.size)
    if out.shape != (1, 1, rows, columns):
        raise SettingsError(
            f"{file}: expected logits of shape {(1, 1, rows, columns)}, found {out.shape}"
        )
    inner: FloatImage = out[0, 0, border : rows - border, border : columns - border]
    return np.clip(inner, -LARGEST_LOGIT, LARGEST_LOGIT)
