"""Read the scans that the networks learn from, with outlines of masses, ducts and nonmass areas.

The real scans are those of `usmicro.evaluation.datasets`; the others are simulated. This module is
not a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from usmicro.anatomy.mask_resampling import on_grid
from usmicro.errors import UsageError
from usmicro.evaluation.datasets import (
    FOLDS,
    LabelledImage,
    read_label_image,
)
from usmicro.model.arrays import BoolImage, Frame
from usmicro.model.view import View
from usmicro.phantom import random_settings, simulate
from usmicro.phantom.sets import SetKind
from usmicro.preparation import prepare

PHANTOM = "phantom"
"""Source of simulated scans; the source of a real scan is the name of its data set."""


LEAST_AREA = 0.3
"""A view is left out if it has less than this fraction of the tissue of the largest view.

Such a view is an inset or a remnant of text. Chosen by judgement; no measurement is recorded.
"""


@dataclass(frozen=True)
class OutlinedScan:
    """A tissue region of a scan as a view, with outlines on its grid."""

    image: str
    """Name of the image without suffix."""
    source: str
    """Name of the data set, or `PHANTOM`."""
    fold: int
    """Cross-validation fold, 1 to 5. All scans of a patient are in the same fold."""
    view: View
    outline: BoolImage
    """Union of the masses, shape of the view."""
    ducts: BoolImage | None = None
    """Lumen and wall of the ducts, shape of the view; None where they are not known."""
    nonmass: BoolImage | None = None
    """Nonmass areas, shape of the view; None where they are not known."""


def real_scans(
    read: Callable[[Path], list[LabelledImage]], data: Path, folds: Iterable[int] = FOLDS
) -> Iterator[OutlinedScan]:
    """Yield every view of the images of a data set whose masses are known.

    Parameters
    ----------
    read : callable
        A reader of `usmicro.evaluation.datasets`.
    data : Path
        Folder with the data sets.
    folds : iterable of int
        Folds whose images are yielded.

    Raises
    ------
    UsageError
        If an image has no fold, or cannot be read.
    """
    for image in read(data):
        if image.fold is None:
            raise UsageError(
                f"{image.path}: found no fold of this image; expected the table of the folds "
                "as it is distributed with the data set (5-fold-cv.csv of BUS-BRA)"
            )
        if image.fold in folds and image.mass_masks is not None:
            yield from _outlined(image, image.mass_masks, image.fold)


def simulated_scans(
    seeds: Iterable[int], kind: SetKind = "mixed", **changes: Any
) -> Iterator[OutlinedScan]:
    """Yield every view of simulated scans.

    They show what is rare in the data sets: several masses or none, ducts, and nonmass areas.

    Parameters
    ----------
    seeds : iterable of int
        One scan per seed.
    kind : str
        As in `usmicro.phantom.random_settings`.
    **changes
        Fields of `PhantomSettings` that all scans share.
    """
    for seed in seeds:
        phantom = simulate(seed, replace(random_settings(seed, kind), **changes))
        scan = phantom.scan()
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            yield OutlinedScan(
                image=f"phantom-{seed}-{view.number}",
                source=PHANTOM,
                fold=seed % len(FOLDS) + 1,
                view=view,
                outline=on_grid(phantom.truth.mass_labels, view) > 0,
                ducts=on_grid(phantom.truth.duct_labels, view) > 0,
                nonmass=on_grid(phantom.truth.nonmass.astype(np.int32), view) > 0,
            )


def _outlined(image: LabelledImage, masks: Sequence[Path], fold: int) -> Iterator[OutlinedScan]:
    """Yield the views of an image of a data set that are large enough to learn from."""
    frame = _read_frame(image.path)
    masses = (read_label_image(masks, frame.shape[:2]) > 0).astype(np.int32)
    views = prepare(frame, spacing=image.spacing)
    largest = max((int(view.tissue.sum()) for view in views), default=0)
    for view in views:
        if view.tissue.sum() >= LEAST_AREA * largest:
            name = image.path.stem + (f"-{view.number}" if len(views) > 1 else "")
            outline = on_grid(masses, view) > 0
            yield OutlinedScan(name, image.dataset, fold, view, outline)


def _read_frame(path: Path) -> Frame:
    """Read an image as grey levels or RGB. A fourth channel, which is transparency, is dropped."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise UsageError(f"{path}: expected an image of the data set, found nothing that is one")
    return np.ascontiguousarray(image if image.ndim == 2 else image[..., 2::-1])
