"""The fitted models from which the confidence of foci is computed, and where they are stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from usmicro.errors import SettingsError
from usmicro.numerics.logistic import Logistic, read_models
from usmicro.numerics.networks import check_network

PACKAGE_MODELS = Path(__file__).parent
"""Folder of the models of the package, fitted by `python -m training.confidence`."""
LOGISTIC_FILE, NETWORK_FILE, CURVE_FILE = "confidence.json", "appearance.onnx", "curve.json"
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
    return _read(Path(folder) if folder else PACKAGE_MODELS)


def check_focus_models(folder: str) -> None:
    """Try to read a folder of models and its network.

    Raises
    ------
    SettingsError
        If the folder lacks a file, or a file is not what it should be.
    """
    check_network(read_focus_models(folder).network)


@cache
def _read(folder: Path) -> FocusModels:
    try:
        logistic = read_models(folder / LOGISTIC_FILE)
        curve = json.loads((folder / CURVE_FILE).read_text(encoding="utf-8"))
        return FocusModels(
            files=tuple(folder / name for name in (LOGISTIC_FILE, NETWORK_FILE, CURVE_FILE)),
            network=folder / NETWORK_FILE,
            alone=logistic["alone"],
            focus=logistic["focus"],
            image=logistic["image"],
            curve=tuple((float(rate), float(confidence)) for rate, confidence in curve),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{folder}: expected {LOGISTIC_FILE}, {NETWORK_FILE} and {CURVE_FILE} as "
            f"`python -m training.confidence` writes them, found {type(error).__name__}: {error}; "
            "correct the setting foci.models, or leave it empty for the models of the package"
        ) from error
