"""Measure blob detectors of general libraries on the marked foci.

A detector returns positions with a strength. The strength takes the place of the confidence, so
that the free-response curve needs no threshold.
"""

from __future__ import annotations

import multiprocessing
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
from benchmarks.accuracy.foci import FALSE_POSITIVE_RATES, has_outlined_mass, match_outcome
from benchmarks.accuracy.runs import Outcome
from usmicro.evaluation.measures import free_response_results
from usmicro.evaluation.metrics import Detections, match
from usmicro.evaluation.rows import Row
from usmicro.model.arrays import BoolImage, FloatImage, Frame

# these libraries have no type hints for the functions used here
feature: Any = skimage.feature
opencv: Any = cv2


def _import_if_installed(name: str) -> Any:
    return import_module(name) if find_spec(name) else None


trackpy, sep = _import_if_installed("trackpy"), _import_if_installed("sep")

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Column and row, pixels, shape (n, 2), and strength, shape (n,)."""

MOST_POINTS = 60
"""Largest number of points of a detector that are measured on an image or in its masses, the
strongest ones.

No more than 3.1 false positives per image are of interest. More points make the intervals slow.
"""

LEAST_SIGMA, LARGEST_SIGMA = 1.0, 6.0
"""Range of the Gaussian scales of the blob detectors, pixels.

A disc of diameter d responds most at d / (2 sqrt 2), so the range is that of discs of 3 to 17
pixels. Chosen by eye on the marked scans; no measurement is recorded.
"""


def blob_log(image: FloatImage) -> Points:
    """Detect with blob_log of scikit-image; the strength is the scale-normalised Laplacian."""
    blobs = feature.blob_log(image / 255, LEAST_SIGMA, LARGEST_SIGMA, num_sigma=6, threshold=0.02)
    return _with_strength(blobs, image)


def blob_dog(image: FloatImage) -> Points:
    """Detect with blob_dog of scikit-image; the strength is the scale-normalised Laplacian."""
    blobs = feature.blob_dog(image / 255, LEAST_SIGMA, LARGEST_SIGMA, threshold=0.02)
    return _with_strength(blobs, image)


def _with_strength(blobs: NDArray[np.float64], image: FloatImage) -> Points:
    """Return the centres of blobs (row, column, sigma) with the Laplacian at each centre."""
    strength = np.zeros(len(blobs))
    for sigma in np.unique(blobs[:, 2]):
        response = -(sigma**2) * gaussian_laplace(image / 255, sigma)
        chosen = blobs[:, 2] == sigma
        strength[chosen] = response[blobs[chosen, 0].astype(int), blobs[chosen, 1].astype(int)]
    return blobs[:, 1::-1].astype(float), strength


def simple_blob_detector(image: FloatImage) -> Points:
    """Detect with SimpleBlobDetector of OpenCV; the strength is the white top-hat at the centre."""
    parameters = opencv.SimpleBlobDetector_Params()
    parameters.filterByColor, parameters.blobColor = True, 255
    parameters.filterByArea, parameters.minArea, parameters.maxArea = True, 3, 400
    parameters.filterByCircularity = False
    parameters.filterByConvexity = False
    parameters.filterByInertia = False
    parameters.minThreshold, parameters.maxThreshold, parameters.thresholdStep = 10, 250, 5
    parameters.minDistBetweenBlobs, parameters.minRepeatability = 4, 2
    detector = opencv.SimpleBlobDetector_create(parameters)
    key_points = detector.detect(np.round(image).astype(np.uint8))
    points = np.array([point.pt for point in key_points], dtype=float).reshape(-1, 2)
    columns, rows = np.round(points).astype(int).T
    return points, _tophat(image)[rows, columns].astype(float)


def tophat_peaks(image: FloatImage) -> Points:
    """Detect local maxima of the white top-hat; the strength is the value of the maximum."""
    tophat = _tophat(image)
    peaks = feature.peak_local_max(tophat, min_distance=4, threshold_abs=5)
    return peaks[:, ::-1].astype(float), tophat[peaks[:, 0], peaks[:, 1]].astype(float)


def trackpy_locate(image: FloatImage) -> Points:
    """Detect with trackpy.locate; the strength is the brightness above background, integrated."""
    features = trackpy.locate(image, 9, minmass=5, preprocess=True, engine="python")
    return features[["x", "y"]].to_numpy(float), features["mass"].to_numpy(float)


def sep_extract(image: FloatImage) -> Points:
    """Detect with sep.extract, which is SExtractor; the strength is the peak above background."""
    array = np.ascontiguousarray(image, np.float32)
    background = sep.Background(array, bw=32, bh=32, fw=3, fh=3)
    sep.set_extract_pixstack(array.size)
    sep.set_sub_object_limit(array.size)
    sources = sep.extract(array - background.back(), 1.0, err=background.globalrms, minarea=3)
    return np.column_stack([sources["x"], sources["y"]]), sources["peak"].astype(float)


def _tophat(image: FloatImage) -> FloatImage:
    """Return the white top-hat over a disc of 25 pixels, after a Gaussian of 2.5 pixels."""
    smooth = cv2.GaussianBlur(image, (0, 0), 2.5)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    return np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, disc), dtype=np.float32)


PEERS: dict[str, Callable[[FloatImage], Points]] = {
    "skimage blob_log": blob_log,
    "skimage blob_dog": blob_dog,
    "OpenCV SimpleBlobDetector": simple_blob_detector,
    "Gaussian, top-hat, peaks": tophat_peaks,
    **({"trackpy.locate": trackpy_locate} if trackpy else {}),
    **({"sep.extract": sep_extract} if sep else {}),
}
"""Detectors by name. trackpy and sep come with the extra `bench` and are left out without it.

The parameters of the detectors suit foci of 3 to 17 pixels. They were chosen by eye on the marked
scans; no measurement is recorded.
"""


def is_marked(case: Case) -> bool:
    """Return True for the real images on which two readers marked foci."""
    return case.path is not None and case.targets is not None


def score_peers(cases: Sequence[Case], outcomes: Sequence[Outcome], processes: int) -> list[Row]:
    """Measure the sensitivity of usmicro and of each detector on all marked images.

    Parameters
    ----------
    cases : sequence of Case
    outcomes : sequence of Outcome
        Those of usmicro for these cases.
    processes : int
        Number of worker processes.

    Returns
    -------
    list of Row
        On whole images and within the true masses, the condition of the published detectors.
    """
    own = [outcome for outcome in outcomes if is_marked(outcome.case) and not outcome.error]
    found = {
        "usmicro": [
            (
                match_outcome(outcome),
                match_outcome(outcome, in_outline=True) if has_outlined_mass(outcome) else None,
            )
            for outcome in own
        ]
    }
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        by_case = pool.map(detect_with_peers, filter(is_marked, cases), chunksize=4)
    found |= {name: [of_case[name] for of_case in by_case] for name in PEERS}
    rows = []
    for name, images in found.items():
        whole = [image for image, _ in images]
        inside = [image for _, image in images if image is not None]
        for matched, where in ((whole, ""), (inside, " in true outlines")):
            if matched:
                results = free_response_results(matched, None, where, rates=FALSE_POSITIVE_RATES)
                rows += [Row(name, *result) for result in results]
    return rows


def detect_with_peers(case: Case) -> dict[str, tuple[Detections, Detections | None]]:
    """Match the points of each detector with the marks of an image.

    Returns
    -------
    dict
        For each detector the matched points of the whole image, and those within the true masses;
        None if the image has no outlined mass.
    """
    scan, truth = open_case(case)
    image = luminance(next(scan.frames()))
    targets, ignored = (
        [mark.at(0) for mark in marks] for marks in (case.targets or (), case.ignored)
    )
    found: dict[str, tuple[Detections, Detections | None]] = {}
    for name, detect in PEERS.items():
        points, strength = detect(image)
        inside = None
        if truth.masses is not None and truth.masses.any():
            in_mass = truth.masses > 0
            on_mass = _are_on(in_mass, points)
            kept, kept_strength = _strongest(points[on_mass], strength[on_mass])
            own = [target for target in targets if _are_on(in_mass, np.array([target[:2]]))[0]]
            inside = match(kept, kept_strength, own, ignored)
        found[name] = match(*_strongest(points, strength), targets, ignored), inside
    return found


def _strongest(points: NDArray[np.float64], strength: NDArray[np.float64]) -> Points:
    """Return the MOST_POINTS strongest points."""
    order = np.argsort(-strength, kind="stable")[:MOST_POINTS]
    return points[order], strength[order]


def _are_on(mask: BoolImage, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return True for each point (column, row) that lies on the mask, shape (n,)."""
    column, row = (
        np.clip(np.round(points[:, axis]).astype(int), 0, mask.shape[1 - axis] - 1)
        for axis in (0, 1)
    )
    return np.asarray(mask[row, column])


def luminance(frame: Frame) -> FloatImage:
    """Return the luminance of a frame, shape (rows, columns), 0 to 255."""
    array = np.asarray(frame)
    if array.dtype == np.uint16:
        array = (array / 257).astype(np.uint8)
    if array.ndim == 3:
        array = cv2.cvtColor(array, cv2.COLOR_RGB2GRAY)
    return np.asarray(array, dtype=np.float32)
