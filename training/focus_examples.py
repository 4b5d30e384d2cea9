"""The candidates of foci from which the confidence learns. This module is not a program."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.held_out import NETWORKS
from training.marked import SOURCES
from usmicro.foci.context import context_features
from usmicro.foci.models import PACKAGE_MODELS

MARKED, INSERTED, SIMULATED = "marked", "inserted", "simulated"
"""Parts: real images whose foci are known, real images with inserted foci, simulated images."""

FOLDS = 5
"""Number of folds of the cross-validation over patients."""

ALL = "all"
"""Name of the models that learn from all images; they are shipped."""

WITHOUT_HOSPITAL = tuple(f"without-{source}" for source in SOURCES)
"""Names of the models that do not learn from one of the data sets."""

WITHOUT_FOLD = tuple(f"without-fold-{fold}" for fold in range(FOLDS))
"""Names of the models that do not learn from one fifth of the patients of each data set."""

NAMES = (ALL, *WITHOUT_HOSPITAL, *WITHOUT_FOLD)
"""Names of all models."""


@dataclass(kw_only=True)
class ImageCandidates:
    """The candidates of one image."""

    name: str
    source: str
    """Data set from which the image comes, or `SIMULATED`."""
    group: str
    """Images of one patient, or near twins, have the same group."""
    features: dict[str, NDArray[np.float64]]
    """Measures of the candidates by name, each of shape (n,)."""
    patches: NDArray[np.float16]
    """Inputs of the focus network, shape (n, PLANES, SIZE, SIZE)."""
    is_focus: NDArray[np.float64]
    """1 for a focus, 0 for another candidate, NaN if unclear; shape (n,)."""
    foci: int
    """Number of foci in the image, found or not."""
    position: NDArray[np.float64]
    """Column and row of each candidate in mm of the grid of its view, shape (n, 2)."""
    counts: list[int]
    """Number of candidates of each view, in the order of the candidates."""
    known: bool
    """True if all foci of the image are known, so that its false positives can be counted."""
    read: bool
    """True if two readers read the image."""
    further: bool
    """True for the images of training/readings.json; 166 were chosen for a high score."""
    normal: bool
    """True if the data set says that the breast is normal."""
    calcified: bool | None = None
    """Answer of both readers; None if they disagree or did not answer."""
    calcification: str | None = None
    """Descriptor of the radiologist; None if not given."""

    @property
    def fold(self) -> int:
        """Fold of the patient, from 0."""
        return zlib.crc32(self.group.encode()) % FOLDS

    def context(self, alone: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return the context of each candidate, given their confidences without context."""
        ends = np.cumsum(self.counts)
        by_view = [
            context_features(
                self.position[end - count : end, 0],
                self.position[end - count : end, 1],
                alone[end - count : end],
            )
            for count, end in zip(self.counts, ends, strict=True)
        ]
        return {name: np.concatenate([view[name] for view in by_view]) for name in by_view[0]}


def learns_from(name: str, image: ImageCandidates) -> bool:
    """Return True if the models of this name learn from an image."""
    return image.known and not is_held_out(name, image)


def is_held_out(name: str, image: ImageCandidates) -> bool:
    """Return True if the models of this name must not see an image."""
    if image.source == SIMULATED:
        return name == f"without-fold-{image.fold}"
    return name in (f"without-{image.source}", f"without-fold-{image.fold}")


def work_file(work: Path, name: str) -> Path:
    """Return the file of a network below the work folder."""
    return work / f"appearance-{name}.onnx"


def models_folder(name: str) -> Path:
    """Return the folder of the models of a name that are kept: all, or without a hospital."""
    return PACKAGE_MODELS if name == ALL else NETWORKS / f"foci-{name}"


def part_file(work: Path, part: str) -> Path:
    """Return the file of a part of the candidates."""
    return work / f"candidates-{part}.pickle"


def read_candidates(work: Path, part: str) -> list[ImageCandidates]:
    """Read the candidates of a part, which `training.candidates` has written."""
    with part_file(work, part).open("rb") as file:
        images: list[ImageCandidates] = pickle.load(file)
    return images


def stacked(
    tables: Sequence[Mapping[str, NDArray[np.float64]]], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Join the features of several images."""
    return {name: np.concatenate([table[name] for table in tables]) for name in names}
