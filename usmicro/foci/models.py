"""The fitted models from which the confidence of foci is computed, and where they are stored."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import SettingsError
from usmicro.foci.reasons import GROUPS
from usmicro.numerics.logistic import Logistic, models_in

PACKAGE_MODELS = Path(__file__).parent
"""Folder of the models of the package, from `training.appearance` and `training.confidence`."""
LOGISTIC_FILE, NETWORK_FILE, CURVE_FILE = "confidence.json", "appearance.onnx", "curve.json"
INPUTS = frozenset(name for names in GROUPS.values() for name in names)
"""Inputs that a model of the confidence may have."""
IMAGE_INPUTS = frozenset(("highest_log_odds",))
"""Inputs that a model of the image score may have."""
FILES = (LOGISTIC_FILE, NETWORK_FILE, CURVE_FILE)
"""Names of the files in a folder of models."""


@dataclass(frozen=True, slots=True)
class FocusModels:
    """The models of a folder."""

    files: tuple[Path, ...]
    """Files from which the models were read."""
    network: Path
    """Focus network: ONNX file, one of `files`."""
    alone: Logistic
    """Confidence of a candidate from its own measures, without context."""
    focus: Logistic
    """Confidence of a candidate."""
    image: Logistic
    """Calcification score of an image."""
    curve: tuple[tuple[float, float], ...]
    """False positives per image with a lesion and the confidence that gives them, by rising
    rate."""


def read_focus_models(folder: str = "") -> FocusModels:
    """Read a folder of models; each is read once in a process.

    Parameters
    ----------
    folder : str
        The setting `foci.models`; empty for the models of the package.

    Raises
    ------
    SettingsError
        If the folder lacks a file, or a file is not what it should be.
    """
    path = Path(folder) if folder else PACKAGE_MODELS
    return _read(path, tuple(_state(path / name) for name in FILES))


def check_focus_models(folder: str) -> None:
    """Try to read a folder of models and its network.

    Raises
    ------
    SettingsError
        If the folder lacks a file, or a file is not what it should be.
    """
    # imported here, since this needs numba, and runs with several workers only need the models
    from usmicro.foci.appearance import network_log_odds
    from usmicro.foci.patches import PLANES, SIZE

    network_log_odds(
        np.zeros((1, PLANES, SIZE, SIZE), np.float32), read_focus_models(folder).network
    )


def _state(file: Path) -> tuple[int, int] | None:
    """Return what changes if a file is replaced; None if there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=8)
def _read(folder: Path, state: tuple[tuple[int, int] | None, ...]) -> FocusModels:
    """Read the models; A new `state` makes the cache read them again."""
    try:
        logistic = models_in(folder / LOGISTIC_FILE)
        curve = json.loads((folder / CURVE_FILE).read_text(encoding="utf-8"))
        _check_names({**logistic["alone"].weights, **logistic["focus"].weights}, INPUTS)
        _check_names(logistic["image"].weights, IMAGE_INPUTS)
        return FocusModels(
            files=tuple(folder / name for name in FILES),
            network=folder / NETWORK_FILE,
            alone=logistic["alone"],
            focus=logistic["focus"],
            image=logistic["image"],
            curve=_checked_curve(curve),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{folder}: expected {LOGISTIC_FILE}, {NETWORK_FILE} and {CURVE_FILE} as "
            "`training.appearance` and `training.confidence` write them, "
            f"found {type(error).__name__}: {error}; "
            "correct the setting foci.models, or leave it empty for the models of the package"
        ) from error


def _check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Raise ValueError if a model has an input that is not measured."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"unknown inputs {', '.join(unknown)}")


def _checked_curve(points: Any) -> tuple[tuple[float, float], ...]:
    """Return the points of a curve; raise ValueError if their logarithms cannot be interpolated."""
    curve = tuple((float(rate), float(confidence)) for rate, confidence in points)
    positive = all(rate > 0 and 0 < confidence <= 1 for rate, confidence in curve)
    if not (curve and positive and all(a[0] < b[0] and a[1] >= b[1] for a, b in pairwise(curve))):
        raise ValueError(f"expected rising rates and falling confidences above 0, found {curve}")
    return curve
