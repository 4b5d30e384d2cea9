"""Appearance of each candidate: the output of the focus network for the patches around it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import SettingsError
from usmicro.foci.patches import focus_patches
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.numerics.networks import run_network

BATCH = 8
"""Number of candidates that the network gets at a time.

A fixed number keeps OpenCV from allocating memory anew for each view. The last batch is filled up
with zeros. A small batch wastes little time on them, and a large one is no faster per candidate.
The log odds are the same for every number.
"""
LARGEST_LOG_ODDS = 6.0
"""The log odds of the network are limited to this magnitude.

The network is fitted to some hundred foci, so that it cannot know of odds beyond 400 to 1.
"""


def appearance(
    view: View, candidates: Candidates, anatomy: Anatomy, network: Path
) -> NDArray[np.float64]:
    """Run the focus network on the patches of all candidates.

    Parameters
    ----------
    view, candidates, anatomy
        View of one frame, and its candidates and anatomy on the same grid.
    network : Path
        ONNX file, fitted by `python -m training.appearance`.

    Returns
    -------
    array, shape (n,), float64
        Log odds that the patch shows a focus.

    Raises
    ------
    SettingsError
        If the file is not a network for such patches.
    """
    return network_log_odds(focus_patches(view, candidates, anatomy), network)


def network_log_odds(patches: NDArray[np.float32], network: Path) -> NDArray[np.float64]:
    """Run the focus network on patches (n, PLANES, SIZE, SIZE); return log odds (n,)."""
    out = np.empty(len(patches))
    batch = np.zeros((BATCH, *patches.shape[1:]), np.float32)
    for first in range(0, len(patches), BATCH):
        chosen = patches[first : first + BATCH]
        batch[: len(chosen)], batch[len(chosen) :] = chosen, 0
        result = run_network(network, batch, plain=True)[0]
        if result.size != BATCH:
            raise SettingsError(
                f"{network}: expected a network with one output for each of {BATCH} patches, "
                f"found an output of shape {result.shape}"
            )
        out[first : first + len(chosen)] = result.ravel()[: len(chosen)]
    return np.clip(out, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
