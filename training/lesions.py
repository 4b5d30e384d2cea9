"""Lesions whose posterior feature a radiologist or two readers have named.

This module is not a program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.held_out import NETWORKS
from usmicro.anatomy import find_anatomy
from usmicro.anatomy.mask_resampling import on_grid
from usmicro.evaluation.datasets import (
    FOLDS,
    LabelledImage,
    Rectangle,
    held_out_network,
    intersection_over_union,
    read_breast_lesions_usg,
    read_held_out_networks,
    read_label_image,
    read_visual_readings,
)
from usmicro.evaluation.metrics import dice
from usmicro.evaluation.overlaps import MIN_DICE
from usmicro.loading import load
from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.findings import PosteriorFeature
from usmicro.model.view import View
from usmicro.preparation import prepare
from usmicro.settings import AnatomySettings

RADIOLOGIST = "radiologist"
"""Reference of the lesions of BrEaST-Lesions-USG."""
READERS = "two readers"
"""Reference of the lesions of the visual readings."""
LEAST_IOU = 0.3
"""An outline belongs to the box of a lesion if the intersection over union (IoU) of their boxes is
at least this; it is the limit from which the boxes of the two readers were one lesion."""


@dataclass(frozen=True)
class Lesion:
    """A lesion on the view of its image."""

    name: str
    """Name of the image, with the number of the lesion if it has several."""
    hospital: str
    """Data set from which the image comes."""
    reference: str
    """RADIOLOGIST or READERS."""
    fold: int
    """Cross-validation fold, 1 to 5. All lesions of a patient are in the same fold."""
    posterior: PosteriorFeature
    """Posterior feature according to the reference."""
    view: View
    outline: BoolImage
    """True inside the outline of the data set, shape of the view. Where there is none: inside the
    ellipse that fits into the box of the readers."""
    found: BoolImage | None
    """True inside the mass that finds the lesion, shape of the view; None if it is missed. The
    network has not seen the hospital."""


def read_lesions(data: Path) -> Iterator[Lesion]:
    """Yield the lesions of BrEaST-Lesions-USG, and those that two readers agree on.

    Of an image of BrEaST-Lesions-USG only the largest mass is taken: the table has one posterior
    feature for each image.

    Parameters
    ----------
    data : Path
        Folder that contains `breast-lesions-usg` and `visual-readings`, and the data sets from
        which images of the latter come.

    Raises
    ------
    UsageError
        If a table is missing or an image cannot be read.
    """
    networks = read_held_out_networks(NETWORKS)
    for image in read_breast_lesions_usg(data):
        if image.posterior is not None and image.mass_masks:
            settings = _settings(image, networks)
            yield from _lesions_on(image, RADIOLOGIST, image.fold or 1, settings)
    images = read_visual_readings(data)
    folds = _folds_of_patients(images)
    for image in images:
        fold = image.fold or folds[image.patient or image.name]
        yield from _lesions_on(image, READERS, fold, _settings(image, networks))


def _settings(image: LabelledImage, networks: dict[str, Path]) -> AnatomySettings:
    """Return settings with the mass network that has not seen the hospital of an image."""
    network = held_out_network(networks, image.source or image.dataset, image.path.stem)
    return AnatomySettings(mass_network="" if network is None else str(network))


def _folds_of_patients(images: Sequence[LabelledImage]) -> dict[str, int]:
    """Deal out the folds to the patients, or images without patient, in the order of the images."""
    patients = dict.fromkeys(image.patient or image.name for image in images)
    return {patient: FOLDS[i % len(FOLDS)] for i, patient in enumerate(patients)}


def _lesions_on(
    image: LabelledImage, reference: str, fold: int, settings: AnatomySettings
) -> Iterator[Lesion]:
    """Yield the lesions of an image whose posterior feature is known."""
    scan = load(image.path, spacing=image.spacing if image.spacing.known else None)
    frame = next(scan.frames())
    outlines = read_label_image(image.mass_masks or (), (scan.rows, scan.columns))
    views = prepare(frame, spacing=scan.spacing, regions=scan.regions)
    anatomies = [find_anatomy(view, settings) for view in views]
    targets: list[tuple[PosteriorFeature | None, BoolImage, Rectangle | None]]
    if reference == RADIOLOGIST:
        areas = np.bincount(outlines.ravel())[1:]
        targets = [(image.posterior, outlines == int(areas.argmax()) + 1, None)]
    else:
        targets = [
            (posterior, _outline_in(box, outlines), box)
            for posterior, box in zip(
                image.lesion_posteriors, image.lesion_boxes or (), strict=True
            )
        ]
    for number, (posterior, outline, box) in enumerate(targets, start=1):
        if posterior is None:
            continue
        masks = [on_grid(outline.astype(np.int32), view) > 0 for view in views]
        best = int(np.argmax([mask.sum() for mask in masks]))
        if not masks[best].any():
            continue
        yield Lesion(
            name=image.name if len(targets) == 1 else f"{image.name} {number}",
            hospital=image.source or image.dataset,
            reference=reference,
            fold=fold,
            posterior=posterior,
            view=views[best],
            outline=masks[best],
            found=_found(anatomies[best].masses, masks[best], box is not None),
        )


def _outline_in(box: Rectangle, outlines: LabelImage) -> BoolImage:
    """Return the connected outline that belongs to a box, otherwise the ellipse in the box."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((outlines > 0).astype(np.uint8))
    scores = [
        intersection_over_union(box, (int(x), int(y), int(x + width), int(y + height)))
        for x, y, width, height, _ in stats[1:count]
    ]
    if scores and max(scores) >= LEAST_IOU:
        return np.asarray(parts == int(np.argmax(scores)) + 1)
    left, top, right, bottom = box
    rows, columns = np.mgrid[: outlines.shape[0], : outlines.shape[1]] + 0.5
    across = (columns - (left + right) / 2) / (right - left)
    down = (rows - (top + bottom) / 2) / (bottom - top)
    return np.asarray(across**2 + down**2 <= 0.25)


def _found(masses: LabelImage, outline: BoolImage, by_box: bool) -> BoolImage | None:
    """Return the mass that agrees best with an outline, if it agrees well enough."""
    best, found = 0.0, None
    for number in range(1, int(masses.max(initial=0)) + 1):
        mass = masses == number
        if not mass.any():
            continue
        if by_box:
            score = intersection_over_union(_box(mass), _box(outline)) / LEAST_IOU
        else:
            score = dice(mass, outline) / MIN_DICE
        if score >= 1 and score > best:
            best, found = score, mass
    return found


def _box(mask: BoolImage) -> Rectangle:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return left, top, left + width, top + height
