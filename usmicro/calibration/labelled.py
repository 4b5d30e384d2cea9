"""Labelled findings of a site: which are true, which are false."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usmicro.evaluation.group_measures import read_labelled_groups
from usmicro.evaluation.matching import ComparedImage, Comparison
from usmicro.evaluation.overlaps import match_areas
from usmicro.evaluation.run_areas import outlined_masses
from usmicro.evaluation.truth import Truth, read_image_masks
from usmicro.foci.site import model_confidence
from usmicro.settings import FociSettings
from usmicro.writing.report.run import Run

Floats = NDArray[np.float64]

FOLDS = 10
"""Number of parts of the cross-validation, as usual (Kohavi, IJCAI 1995, 1137)."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The findings of one kind on one image."""

    group: str
    """Images of one patient have the same group."""
    false: Floats
    """Confidences of the false findings."""
    found: Floats
    """Confidences of the true ones."""
    true: int
    """Number of true ones, found or not."""
    counts: bool = True
    """False if the image does not count among those on which false findings are counted."""


def with_groups(comparison: Comparison, path: Path, run: Run) -> Comparison:
    """Return a comparison in which each group of a table counts as one patient.

    Images in no group keep the patient that the labels name. Remarks on the table are added.

    Parameters
    ----------
    comparison : Comparison
    path : Path
        Table of groups, see `usmicro.loading.groups.read_groups`.
    run : Run

    Raises
    ------
    UsageError
        If the table cannot be used.
    """
    groups, remarks = read_labelled_groups(path, run, comparison)
    images = [
        replace(image, truth=replace(image.truth, patient=groups.of_image[image.name]))
        if image.name in groups.of_image
        else image
        for image in comparison.images
    ]
    return replace(comparison, images=images, remarks=[*comparison.remarks, *remarks])


def labelled_foci(comparison: Comparison, settings: FociSettings) -> list[Labelled]:
    """Return the foci of the images whose foci are marked, with the confidences of the models.

    `settings` are those of the run.
    """
    images = []
    for image in comparison.images:
        if image.detections is None:
            continue
        detections = image.detections
        confidence = np.array(
            [model_confidence(value, settings) for value in detections.confidence.tolist()]
        )
        images.append(
            Labelled(
                group=_group(image),
                false=confidence[detections.false_positive],
                found=confidence[detections.target >= 0],
                true=detections.target_count,
            )
        )
    return images


def labelled_masses(comparison: Comparison, run: Run, truth: Truth) -> list[Labelled]:
    """Return the masses that the program found, of the images whose masses are outlined."""
    rows = {row["image"]: row for row in run.images}
    images = []
    for image in comparison.images:
        if image.masses is None:
            continue
        row = rows[image.name]
        masks = image.truth.masks
        if masks is None and image.truth.load_masks is not None:
            masks = image.truth.load_masks()
        if masks is None:
            shape = (row["rows"], row["columns"])
            masks = read_image_masks(truth, image.name, shape, row["frames"])
        if masks is None or masks.masses is None:
            continue
        key_frame = int(run.image_record(image.name).get("key_frame") or 0)
        numbered, masses = outlined_masses(run, row)
        overlap = match_areas(numbered, np.asarray(masks.on_frame(key_frame).masses))
        hits = set(overlap.pairs.values())
        by_program = [i for i, mass in enumerate(masses) if mass.source != "given"]
        images.append(
            Labelled(
                group=_group(image),
                false=np.array([masses[i].confidence for i in by_program if i not in hits]),
                found=np.array([masses[i].confidence for i in by_program if i in hits]),
                true=len(overlap.dice_of_true),
            )
        )
    return images


def labelled_scores(comparison: Comparison) -> list[Labelled]:
    """Return the calcification scores of the images whose calcification is labelled.

    A score is a false finding on an image without calcifications.
    """
    images = []
    for image in comparison.rated:
        score, nothing = np.array([image.score], dtype=float), np.empty(0)
        without = image.truth.calcification == "none"
        images.append(
            Labelled(
                group=_group(image),
                false=score if without else nothing,
                found=nothing if without else score,
                true=0 if without else 1,
                counts=without,
            )
        )
    return images


def _group(image: ComparedImage) -> str:
    return f"patient {image.truth.patient}" if image.truth.patient else f"image {image.name}"


def folds_of(images: Sequence[Labelled]) -> NDArray[np.intp]:
    """Return the part of the cross-validation of each image; that of a group is the same.

    The order of the groups is that of a checksum, so that it does not depend on chance and says
    nothing about their names.
    """
    groups = sorted(
        {image.group for image in images}, key=lambda name: (zlib.crc32(name.encode()), name)
    )
    part = {group: index % FOLDS for index, group in enumerate(groups)}
    return np.array([part[image.group] for image in images], dtype=np.intp)
