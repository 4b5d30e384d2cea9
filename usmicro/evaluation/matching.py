"""Compare the results of a run with the labels, image by image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from usmicro.errors import UsageError
from usmicro.evaluation.metrics import Detections, Indices, dice
from usmicro.evaluation.names import ImageNames
from usmicro.evaluation.overlaps import Overlap, connected_parts, match_areas
from usmicro.evaluation.run_areas import read_label_image
from usmicro.evaluation.targets import Target, match_foci
from usmicro.evaluation.truth import ImageTruth, Truth, read_image_masks
from usmicro.labelling.calcification import describe_calcification
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage, area_of
from usmicro.model.findings import Focus, column_names
from usmicro.model.scan import UserMasks
from usmicro.writing.report.pictures import outline_path
from usmicro.writing.report.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedImage:
    """One labelled image of the run."""

    name: str
    """Name of the image in the tables of the run."""
    truth: ImageTruth
    calcification: str
    """Reported descriptor of the calcifications."""
    score: float | None
    """Calcification score, 0 to 1; None if the run has none."""
    foci: tuple[Focus, ...] = ()
    """Foci of the run."""
    detections: Detections | None = None
    """The foci, matched with the marks; None if the foci are not marked."""
    masses: Overlap | None = None
    """The masses, matched with the outlines; None if the masses are not outlined."""
    dice: Mapping[str, float] = field(default_factory=dict)
    """Dice coefficient for each kind of area that the masks contain: masses, ducts, nonmass."""
    false_areas: Mapping[str, bool] = field(default_factory=dict)
    """For each kind of area that the masks show to be absent: True if the run found any."""
    true_masses: str = ""
    """Outlines of the true masses as an SVG path, pixels of the image; empty without any."""

    @property
    def targets(self) -> list[Target]:
        """The true foci."""
        return self.truth.targets or []


@dataclass(frozen=True, slots=True)
class Comparison:
    """All labelled images of the run, and the images that could not be compared."""

    images: list[ComparedImage]
    failed: list[str]
    """Labelled images on which the run failed; no measure includes them."""
    remarks: list[str]
    """Remarks for the reader, such as labels of images that are not in the run."""

    @property
    def rated(self) -> list[ComparedImage]:
        """Images whose calcification is labelled and scored."""
        return [
            image
            for image in self.images
            if image.truth.calcification is not None and image.score is not None
        ]

    def patient_groups(self, images: Sequence[ComparedImage]) -> list[Indices] | None:
        """Return the indices of the images of each patient; None if no patient is named.

        An image without patient is a group of its own.
        """
        if not any(image.truth.patient for image in images):
            return None
        by_patient: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            patient = image.truth.patient
            by_patient[("patient", patient) if patient else ("image", image.name)].append(index)
        return [np.array(indices, dtype=np.intp) for indices in by_patient.values()]


def compare(
    run: Run, truth: Truth, *, least_distance: float, listed: float | None = None
) -> Comparison:
    """Compare the results of a run with the labels.

    Parameters
    ----------
    run : Run
    truth : Truth
    least_distance : float
        A focus hits a mark within half the diameter of the mark, and always within this distance
        in pixels.
    listed : float, optional
        Least confidence of the foci from which the descriptor of an image is made. If not given,
        the descriptor of the run is used.

    Raises
    ------
    UsageError
        If no image of the run is labelled, an image is labelled twice, or a mask does not fit.
    """
    truth_by_image, unknown = _truth_by_image(run, truth)
    compared, failed = [], []
    for row in run.images:
        name = row["image"]
        if row["status"] != "ok":
            if name in truth_by_image:
                failed.append(name)
            continue
        image_truth = truth_by_image.get(name, ImageTruth())
        shape = (row["rows"], row["columns"])
        masks = image_truth.masks
        if masks is None and image_truth.load_masks is not None:
            masks = image_truth.load_masks()
        if masks is None:
            masks = read_image_masks(truth, name, shape, row["frames"])
        if name in truth_by_image or masks is not None:
            compared.append(
                _compared_image(
                    run, row, image_truth, masks, least_distance=least_distance, listed=listed
                )
            )
    if not compared and not failed:
        raise _error_without_labelled_images(run, truth, unknown)
    remarks = list(truth.remarks)
    if unknown:
        remarks.append(
            f"{len(unknown)} labelled images are not in the results, such as {unknown[0]}"
        )
    if failed:
        remarks.append(
            f"{len(failed)} labelled images failed in the run, such as {failed[0]}; "
            "no measure includes them"
        )
    comparison = Comparison(compared, failed, remarks)
    labelled = sum(image.truth.calcification is not None for image in compared)
    if without_score := labelled - len(comparison.rated):
        remarks.append(
            f"{without_score} labelled images have no calcification score in the results; "
            "the measures of calcification leave them out"
        )
    return comparison


def _error_without_labelled_images(run: Run, truth: Truth, unknown: Sequence[str]) -> UsageError:
    if not truth.images:
        return UsageError(
            f"{truth.folder or 'the labels'}: contains no labels for this run; expected CSV tables "
            "with a column image, or masks named as for --masks"
        )
    example = run.images[0]["image"] if run.images else "none"
    found = f", found {unknown[0]}" if unknown else ""
    return UsageError(
        f"{run.folder}: no image of this run is labelled; "
        f"expected names as in its images.csv, such as {example}{found}"
    )


def _truth_by_image(run: Run, truth: Truth) -> tuple[dict[str, ImageTruth], list[str]]:
    """Return the labels by image of the run, and the labelled names that are not in the run.

    A file name, with or without its suffix, is accepted if only one image of the run has it. Names
    match in composed and in decomposed Unicode.
    """
    names = ImageNames(row["image"] for row in run.images)
    truth_by_image: dict[str, ImageTruth] = {}
    unknown: list[str] = []
    for labelled_name, image_truth in truth.images.items():
        name = names.find(labelled_name)
        if name is None:
            unknown.append(labelled_name)
        elif name in truth_by_image:
            raise UsageError(
                f"{labelled_name}: {name} is labelled twice, by its path and by its file name; "
                "use only one of them"
            )
        else:
            truth_by_image[name] = image_truth
    return truth_by_image, unknown


def _compared_image(
    run: Run,
    row: Mapping[str, Any],
    truth: ImageTruth,
    masks: UserMasks | None,
    *,
    least_distance: float,
    listed: float | None,
) -> ComparedImage:
    name = row["image"]
    columns = column_names(Focus)
    foci = tuple(
        Focus(**{column: focus[column] for column in columns}) for focus in run.foci.get(name, ())
    )
    detections = None
    if truth.targets is not None:
        detections = match_foci(
            foci,
            truth.targets,
            truth.ignored,
            least_distance=least_distance,
            decided=truth.decided,
        )
    image = ComparedImage(
        name=name,
        truth=truth,
        calcification=_descriptor(row["calcification"], foci, listed),
        score=row["calcification_score"],
        foci=foci,
        detections=detections,
    )
    if masks is None:
        return image
    return _with_areas(image, read_label_image(run, row), _masks_on_key_frame(run, row, masks))


def _descriptor(reported: str, foci: Sequence[Focus], listed: float | None) -> str:
    """Return the descriptor of the image for the foci from the confidence `listed` on.

    If no focus has that confidence, the most confident focus is used, as in an analysis.
    """
    if reported == "none" or listed is None or not foci:
        return reported
    most_confident = max(foci, key=lambda focus: focus.confidence)
    labels = [focus.label for focus in foci if focus.confidence >= listed]
    return describe_calcification(labels or [most_confident.label])


def _masks_on_key_frame(run: Run, row: Mapping[str, Any], masks: UserMasks) -> UserMasks:
    """Return the masks of the frame that the label image of the run shows."""
    return masks.on_frame(run.key_frame(row["image"]))


def _with_areas(image: ComparedImage, labels: ByteImage, masks: UserMasks) -> ComparedImage:
    """Add the agreement of the label image with the masks."""
    overlap, true_masses = None, ""
    if masks.masses is not None:
        masses = connected_parts(area_of(labels, AreaLabel.MASS))
        overlap = match_areas(masses, np.asarray(masks.masses))
        true_masses = outline_path(np.asarray(masks.masses) > 0)
    nonmass = None if masks.nonmass is None else masks.nonmass.astype(np.int32)
    dice_by_kind, false_areas = {}, {}
    for name, value, area in (
        ("masses", AreaLabel.MASS, masks.masses),
        ("ducts", AreaLabel.DUCT, masks.ducts),
        ("nonmass areas", AreaLabel.NONMASS, nonmass),
    ):
        if area is not None and area.any():
            dice_by_kind[name] = dice(area > 0, labels == value)
        elif area is not None:
            false_areas[name] = bool((labels == value).any())
    return replace(
        image,
        masses=overlap,
        dice=dice_by_kind,
        false_areas=false_areas,
        true_masses=true_masses,
    )
