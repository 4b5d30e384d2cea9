"""Detectors of general libraries on the same marks: each gives positions with a strength, and is read along its whole curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import skimage.feature
from numpy.typing import NDArray
from scipy.ndimage import gaussian_laplace

from benchmarks.accuracy.cases import Case, open_case
from benchmarks.accuracy.scores import RATES
from usmicro.evaluation.measures import free_response_results
from usmicro.evaluation.metrics import Detections, match
from usmicro.evaluation.rows import Row
from usmicro.model.arrays import BoolImage, FloatImage, Frame

# none of the libraries types these functions
feature: Any = skimage.feature
opencv: Any = cv2


def _installed(name: str) -> Any:
    return import_module(name) if find_spec(name) else None


trackpy, sep = _installed("trackpy"), _installed("sep")

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Column and row, shape (n, 2), and strength, shape (n,)."""
SMALLEST, LARGEST = 1.0, 6.0
"""Gaussian scales in pixels that blobs are looked for at."""


def blob_log(image: FloatImage) -> Points:
    """scikit-image blob_log, ranked by the scale-normalised Laplacian at its maximum."""
    return _ranked(
        feature.blob_log(image / 255, SMALLEST, LARGEST, num_sigma=6, threshold=0.02), image
    )


def blob_dog(image: FloatImage) -> Points:
    """scikit-image blob_dog, ranked likewise."""
    return _ranked(feature.blob_dog(image / 255, SMALLEST, LARGEST, threshold=0.02), image)


def _ranked(blobs: NDArray[np.float64], image: FloatImage) -> Points:
    strength = np.zeros(len(blobs))
    for sigma in np.unique(blobs[:, 2]):
        response = -(sigma**2) * gaussian_laplace(image / 255, sigma)
        chosen = blobs[:, 2] == sigma
        strength[chosen] = response[blobs[chosen, 0].astype(int), blobs[chosen, 1].astype(int)]
    return blobs[:, 1::-1].astype(float), strength


def simple_blob_detector(image: FloatImage) -> Points:
    """OpenCV SimpleBlobDetector for bright blobs, ranked by the white top-hat at the key point."""
    parameters = opencv.SimpleBlobDetector_Params()
    parameters.filterByColor, parameters.blobColor = True, 255
    parameters.filterByArea, parameters.minArea, parameters.maxArea = True, 3, 400
    parameters.filterByCircularity = parameters.filterByConvexity = parameters.filterByInertia = (
        False
    )
    parameters.minThreshold, parameters.maxThreshold, parameters.thresholdStep = 10, 250, 5
    parameters.minDistBetweenBlobs, parameters.minRepeatability = 4, 2
    found = opencv.SimpleBlobDetector_create(parameters).detect(np.round(image).astype(np.uint8))
    points = np.array([point.pt for point in found], dtype=float).reshape(-1, 2)
    tophat = _tophat(image)
    return points, tophat[
        np.round(points[:, 1]).astype(int), np.round(points[:, 0]).astype(int)
    ].astype(float)


def tophat_peaks(image: FloatImage) -> Points:
    """Gaussian of 2.5 pixels, white top-hat of 25 pixels, local maxima."""
    tophat = _tophat(image)
    peaks = feature.peak_local_max(tophat, min_distance=4, threshold_abs=5)
    return peaks[:, ::-1].astype(float), tophat[peaks[:, 0], peaks[:, 1]].astype(float)


def trackpy_locate(image: FloatImage) -> Points:
    """trackpy.locate for features of 9 pixels, ranked by their integrated brightness over the background."""
    found = trackpy.locate(image, 9, minmass=5, preprocess=True, engine="python")
    return found[["x", "y"]].to_numpy(float), found["mass"].to_numpy(float)


def sep_extract(image: FloatImage) -> Points:
    """SExtractor's sources over its own background (sep), ranked by their peak."""
    plain = np.ascontiguousarray(image, np.float32)
    background = sep.Background(plain, bw=32, bh=32, fw=3, fh=3)
    sep.set_extract_pixstack(plain.size)
    sep.set_sub_object_limit(plain.size)
    found = sep.extract(plain - background.back(), 1.0, err=background.globalrms, minarea=3)
    return np.column_stack([found["x"], found["y"]]), found["peak"].astype(float)


def _tophat(image: FloatImage) -> FloatImage:
    smooth = cv2.GaussianBlur(image, (0, 0), 2.5)
    return np.asarray(
        cv2.morphologyEx(
            smooth, cv2.MORPH_TOPHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
        ),
        dtype=np.float32,
    )


PEERS: dict[str, Callable[[FloatImage], Points]] = {
    "skimage blob_log": blob_log,
    "skimage blob_dog": blob_dog,
    "OpenCV SimpleBlobDetector": simple_blob_detector,
    "Gaussian, top-hat, peaks": tophat_peaks,
    **({"trackpy.locate": trackpy_locate} if trackpy else {}),
    **({"sep.extract": sep_extract} if sep else {}),
}
"""Those of the extra `bench` only where it is installed."""


def score_peers(cases: Sequence[Case]) -> list[Row]:
    """Sensitivity of each detector along its free-response curve, on the whole images and within the true outlines."""
    marked = [case for case in cases if case.targets is not None]
    whole: dict[str, list[Detections]] = {name: [] for name in PEERS}
    inside: dict[str, list[Detections]] = {name: [] for name in PEERS}
    for case in marked:
        scan, truth = open_case(case)
        image = grey(next(scan.frames()))
        targets, ignored = (
            [mark.at(0) for mark in marks] for marks in (case.targets or (), case.ignored)
        )
        for name, detect in PEERS.items():
            points, strength = detect(image)
            whole[name].append(match(points, strength, targets, ignored))
            if truth.masses is not None and truth.masses.any():
                outline = truth.masses > 0
                kept = _on(outline, points)
                within = [target for target in targets if _on(outline, np.array([target[:2]]))[0]]
                inside[name].append(match(points[kept], strength[kept], within, ignored))
    rows = []
    for name in PEERS:
        for images, where in ((whole[name], ""), (inside[name], " in true outlines")):
            if images:
                rows += [
                    Row(name, *result)
                    for result in free_response_results(images, None, where, rates=RATES)
                ]
    return rows


def _on(mask: BoolImage, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    column, row = (
        np.clip(np.round(points[:, axis]).astype(int), 0, mask.shape[1 - axis] - 1)
        for axis in (0, 1)
    )
    return np.asarray(mask[row, column])


def grey(frame: Frame) -> FloatImage:
    """Luminance of a frame, 0 to 255."""
    array = np.asarray(frame)
    eight = (array / 257).astype(np.uint8) if array.dtype == np.uint16 else array
    return np.asarray(
        eight if eight.ndim == 2 else cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY), dtype=np.float32
    )
