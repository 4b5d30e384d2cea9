"""Read the scans that the networks learn from, with outlines of masses, ducts and nonmass areas.

The real scans are those of `usmicro.evaluation.datasets`; the others are simulated. This module is
not a program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    read_breast_lesions_usg,
    read_bus_bra,
    read_label_image,
)
from usmicro.model.arrays import BoolImage, Frame
from usmicro.model.view import View
from usmicro.phantom import random_settings, simulate
from usmicro.phantom.sets import SetKind
from usmicro.preparation import prepare

PHANTOM = "phantom"
"""Source of simulated scans; the source of a real scan is the name of its data set."""


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


def bus_bra_scans(data: Path, folds: Iterable[int] = FOLDS) -> Iterator[OutlinedScan]:
    """Yield the scans of some folds of BUS-BRA below `data`."""
    for image in read_bus_bra(data):
        if image.fold is None:
            raise UsageError(
                f"{image.path}: found no fold of this image in 5-fold-cv.csv; "
                "put that file of the data set into the folder bus-bra"
            )
        if image.fold in folds:
            yield _outlined(image)


def breast_lesions_scans(data: Path) -> Iterator[OutlinedScan]:
    """Yield the scans of BrEaST-Lesions-USG below `data`."""
    return map(_outlined, read_breast_lesions_usg(data))


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


def _outlined(image: LabelledImage) -> OutlinedScan:
    """Read an image of a data set; its largest tissue region becomes the view."""
    assert image.fold is not None, f"{image.path}: expected a fold"
    assert image.mass_masks is not None, f"{image.path}: expected masks"
    frame = _read_frame(image.path)
    masses = read_label_image(image.mass_masks, frame.shape[:2]) > 0
    views = prepare(frame, spacing=image.spacing)
    view = max(views, key=lambda view: int(view.tissue.sum()))
    outline = on_grid(masses.astype(np.int32), view) > 0
    return OutlinedScan(image.path.stem, image.dataset, image.fold, view, outline)


def _read_frame(path: Path) -> Frame:
    """Read an image as grey levels or RGB. A fourth channel, which is transparency, is dropped."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise UsageError(f"{path}: expected an image of the data set, found nothing that is one")
    return np.ascontiguousarray(image if image.ndim == 2 else image[..., 2::-1])
