"""Run a segmentation network through OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.errors import SettingsError
from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import View

CHANNELS = 3
STEP = 16
"""The sides of an input are multiples of this: a network halves them four times."""
GREY_BINS = 4096
"""Steps of the grey histogram, fine enough that none shows."""
ENDS = 0.015
"""Part of the tissue that is as dark, or as bright, as grey goes."""
_ONE_AT_A_TIME = Lock()
"""A network holds the image that it works on, so it serves one thread at a time."""
_FileVersion = tuple[int, int, int, int]
_CACHE: dict[tuple[Path, bool], tuple[_FileVersion, cv2.dnn.Net]] = {}
"""Networks that were read, by file and `plain`, each with the state of the file at that time."""
_CACHE_LOCK = Lock()
STEEPEST = 12.0
"""Largest logit: what a network is surer of than this is certain."""


@dataclass(frozen=True)
class Region:
    """A connected region, with what tells whether it is what was looked for."""

    box: tuple[slice, slice]
    inside: BoolImage
    """Within the box."""
    features: dict[str, float]


@dataclass(frozen=True)
class Prediction:
    """What a network saw and says of it; all arrays lie on the network's pixels and have one shape."""

    rank: FloatImage
    """Rank of the grey among the tissue's, 0 to 1."""
    level: FloatImage
    """Grey between the darkest and the brightest of the tissue, 0 to 1: tells anechoic from merely dark."""
    tissue: BoolImage
    logit: FloatImage

    @property
    def probability(self) -> FloatImage:
        """0 to 1."""
        return logistic(self.logit)

    def logit_on(self, view: View) -> FloatImage:
        """The logit on the view's grid; it, and not the probability, is what runs straight across an edge."""
        return np.asarray(
            cv2.resize(self.logit, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_LINEAR),
            dtype=np.float32,
        )

    def probability_on(self, view: View) -> FloatImage:
        """The probability on the view's grid, 0 outside of the tissue."""
        return logistic(self.logit_on(view)) * view.tissue

    def outline_on(self, view: View, box: tuple[slice, slice], inside: BoolImage) -> BoolImage:
        """A region of the network's pixels on the view's grid, out to where the probability is one half."""
        region = np.zeros(self.logit.shape, np.uint8)
        region[box] = inside
        near = cv2.dilate(region, np.ones((3, 3), np.uint8))
        near = cv2.resize(near, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_NEAREST)
        return np.asarray((self.logit_on(view) > 0) & (near > 0))


def logistic(logit: FloatImage) -> FloatImage:
    """Probability of a logit."""
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float32)


def predict(
    view: View,
    network: Path,
    size: tuple[int, int],
    *,
    border: int = 0,
    mirrored: bool = True,
    plain: bool = False,
) -> Prediction:
    """What a network says of a view, stretched over an input of `size` (rows, columns) less `border` empty pixels on every side.

    If `mirrored`, the mean over the view and its mirror image. `plain` says that the network has no convolutions that filter each channel
    by itself; it changes the time that it takes, nothing else.
    """
    size = (size[0] - 2 * border, size[1] - 2 * border)
    shape = (size[1], size[0])
    if view.tissue.all():
        grey, tissue = (
            cv2.resize(view.grey, shape, interpolation=cv2.INTER_AREA),
            np.ones(size, np.bool_),
        )
    else:
        weight = cv2.resize(view.tissue.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
        grey = cv2.resize(
            view.grey * view.tissue, shape, interpolation=cv2.INTER_AREA
        ) / np.maximum(weight, 0.01)
        tissue = np.asarray(weight > 0.5)
    planes = network_input(grey, tissue)
    logit = np.clip(
        _logit(_network(network, plain), network, planes, border, mirrored), -STEEPEST, STEEPEST
    )
    return Prediction((planes[0] + 1) / 2, (planes[1] + 1) / 2, tissue, logit)


def predict_at(view: View, network: Path, pixel_mm: float) -> Prediction:
    """The same on pixels of about `pixel_mm`, and without the mirror image, which would cost more than it adds."""
    rows, columns = (
        max(round(n * view.grid.pixel_mm / pixel_mm / STEP), 1) * STEP for n in view.shape
    )
    return predict(view, network, (rows, columns), mirrored=False, plain=True)


def network_input(grey: FloatImage, tissue: BoolImage) -> NDArray[np.float32]:
    """What a network sees, shape (CHANNELS, rows, columns), -1 to 1: grey by rank, grey as it is, and where there is tissue.

    The rank is the same under every rising map of the grey, the other under every linear one; missing pixels are 0 in both.
    """
    rank, level = equalised(grey, tissue)
    planes = [np.where(tissue, 2 * rank - 1, 0), np.where(tissue, 2 * level - 1, 0), tissue]
    return np.stack(planes).astype(np.float32)


def equalised(grey: FloatImage, tissue: BoolImage) -> tuple[FloatImage, FloatImage]:
    """Rank of each pixel's grey among the tissue, 0 to 1, and where it lies between the darkest and brightest 1.5 % of the tissue."""
    values = grey[tissue] if tissue.any() else grey.ravel()
    low, high = float(values.min()), float(values.max())
    bins = np.clip(
        (grey - low) * ((GREY_BINS - 1) / max(high - low, 1e-6)) + 0.5, 0, GREY_BINS - 1
    ).astype(np.intp)
    count = np.bincount(bins[tissue] if tissue.any() else bins.ravel(), minlength=GREY_BINS)
    below = np.cumsum(count)
    rank = ((below - count / 2) / below[-1]).astype(np.float32)
    dark, bright = np.searchsorted(below, (ENDS * below[-1], (1 - ENDS) * below[-1]))
    level = np.clip((bins - dark) / np.float32(max(bright - dark, 1)), 0, 1)
    return rank[bins], np.asarray(level, dtype=np.float32)


def check_network(file: Path) -> None:
    """Try to read a network.

    Raises
    ------
    SettingsError
        If it is no ONNX file that OpenCV reads.
    """
    _network(file)


def _network(file: Path, plain: bool = False) -> cv2.dnn.Net:
    """Read a network once; read it again if its file has been replaced or changed."""
    try:
        status = file.stat()
        version = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError as error:
        raise SettingsError(
            f"{file}: expected a network as an ONNX file, found no such file, or one that cannot be read"
        ) from error
    with _CACHE_LOCK:
        cached = _CACHE.get((file, plain))
        if cached is None or cached[0] != version:
            cached = _CACHE[file, plain] = (version, _read_network(file, plain))
    return cached[1]


def _read_network(file: Path, plain: bool) -> cv2.dnn.Net:
    # the engine that is new in OpenCV 5 is faster on depthwise convolutions and slower on plain
    # ones; OpenCV 4 has only the classic one
    classic = plain and hasattr(cv2.dnn, "ENGINE_CLASSIC")
    options = {"engine": cv2.dnn.ENGINE_CLASSIC} if classic else {}
    try:
        return cv2.dnn.readNetFromONNX(str(file), **options)
    except cv2.error as error:
        raise SettingsError(
            f"{file}: expected a network as an ONNX file, found what OpenCV cannot read: {error.err}"
        ) from error


def _logit(
    network: cv2.dnn.Net, file: Path, image: NDArray[np.float32], border: int, mirrored: bool
) -> FloatImage:
    image = np.pad(image, ((0, 0), (border, border), (border, border)))
    rows, columns = image.shape[1:]
    total = np.zeros((rows, columns), np.float32)
    flips = (slice(None), slice(None, None, -1))[: 1 + mirrored]
    with _ONE_AT_A_TIME:
        for flip in flips:
            try:
                network.setInput(np.ascontiguousarray(image[None, :, :, flip]))
                out = network.forward()
            except cv2.error as error:
                raise SettingsError(
                    f"{file}: expected a network that takes an input of shape {(1, *image.shape)}; {error.err}"
                ) from error
            if out.shape != (1, 1, *image.shape[1:]):
                raise SettingsError(
                    f"{file}: expected logits of shape {(1, 1, *image.shape[1:])}, found {out.shape}"
                )
            total += out[0, 0][:, flip]
    inner = total[border : rows - border, border : columns - border]
    return np.asarray(inner / len(flips), dtype=np.float32)
