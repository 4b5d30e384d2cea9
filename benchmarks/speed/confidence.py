"""Time the confidence of foci: patches, focus network and measures of a hundred candidates."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from benchmarks.speed.comparison import Comparison, Peer, check_agreement
from benchmarks.speed.inputs import Inputs
from benchmarks.speed.peers import import_if_installed
from benchmarks.speed.stages import view_of
from usmicro.anatomy import find_anatomy
from usmicro.foci.appearance import network_log_odds
from usmicro.foci.detection import find_candidates
from usmicro.foci.measures import measured_features
from usmicro.foci.models import read_focus_models
from usmicro.foci.patches import SIZE, focus_patches
from usmicro.kernels import focus_patches as kernels
from usmicro.model.anatomy import MEAN_PROBABILITY_MM
from usmicro.numerics.gaussian_means import gaussian_means_at

CANDIDATES = 100
"""Number of candidates; a view has about so many."""

STEP = 1.5
"""Distance between the samples of a patch in pixels."""


def comparisons(inputs: Inputs) -> list[Comparison]:
    """Return the rows of the confidence."""
    view = view_of(inputs)
    anatomy = find_anatomy(view)
    found = find_candidates(view)
    candidates = found.take(np.resize(np.arange(len(found)), CANDIDATES))
    network = read_focus_models().network
    patches = focus_patches(view, candidates, anatomy)
    x, y = candidates.x.astype(np.float32), candidates.y.astype(np.float32)
    beam_x, beam_y = np.zeros(CANDIDATES, np.float32), np.ones(CANDIDATES, np.float32)

    def sampled() -> NDArray[np.float32]:
        out = np.empty((CANDIDATES, SIZE, SIZE), np.float32)
        kernels.beam_patches(view.grey, x, y, beam_x, beam_y, STEP, out)
        return out

    def sampled_in_scipy() -> NDArray[np.float32]:
        offset = (np.arange(SIZE) - (SIZE - 1) / 2) * STEP
        rows = y[:, None, None] + offset[None, :, None] + 0 * offset
        columns = x[:, None, None] + offset[None, None, :] + 0 * offset[:, None]
        return np.asarray(map_coordinates(view.grey, [rows, columns], order=1, mode="nearest"))

    runtimes = {}
    if onnxruntime := import_if_installed("onnxruntime"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(network), options, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        batch = patches[: session.get_inputs()[0].shape[0]]
        run = partial(session.run, None, {name: batch})
        runtimes["onnxruntime"] = Peer(run, scale=CANDIDATES / len(batch))
    row, column = y.astype(int), x.astype(int)
    sigma = MEAN_PROBABILITY_MM / anatomy.pixel_mm

    def means() -> NDArray[np.float64]:
        return gaussian_means_at(anatomy.mass_probability, sigma, row, column)

    def means_of_opencv() -> NDArray[np.float32]:
        smooth = cv2.GaussianBlur(anatomy.mass_probability, (0, 0), sigma)
        return np.asarray(smooth[row, column])

    return [
        Comparison(
            f"mean probability around {CANDIDATES} pixels",
            means,
            peers={"OpenCV GaussianBlur": Peer(means_of_opencv, remark="smooths the whole image")},
            check=lambda: check_agreement(
                means(), means_of_opencv(), within=1e-5, name="OpenCV, probability"
            ),
        ),
        Comparison(
            f"{CANDIDATES} patches of {SIZE} x {SIZE}",
            sampled,
            peers={"SciPy map_coordinates": Peer(sampled_in_scipy)},
            check=lambda: check_agreement(
                sampled(), sampled_in_scipy(), within=0.01, name="SciPy, grey levels"
            ),
        ),
        Comparison(
            f"input of the focus network, {CANDIDATES} candidates",
            lambda: focus_patches(view, candidates, anatomy),
        ),
        Comparison(
            f"focus network, {CANDIDATES} candidates",
            lambda: network_log_odds(patches, network),
            peers=runtimes,
        ),
        Comparison(
            f"measures for the confidence, {CANDIDATES} candidates",
            lambda: measured_features(view, candidates, anatomy),
        ),
    ]
