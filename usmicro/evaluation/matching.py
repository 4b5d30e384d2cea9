"""The results of a run beside the truth, image by image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np

from usmicro.errors import UsageError
from usmicro.evaluation.metrics import Detections, Indices, dice
from usmicro.evaluation.overlaps import Overlap, components, overlap
from usmicro.evaluation.targets import Target, match_foci
from usmicro.evaluation.truth import ImageTruth, Truth, read_image_masks
from usmicro.labelling.calcification import describe_calcification
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage
from usmicro.model.findings import Focus
from usmicro.model.scan import UserMasks
from usmicro.writing.report.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One image of the run of which something is known."""

    name: str
    truth: ImageTruth
    calcification: str
    score: float
    foci: tuple[Focus, ...] = ()
    detections: Detections | None = None
    """None where foci are not marked."""
    masses: Overlap | None = None
    """None where masses are not outlined."""
    areas: Mapping[str, float] = field(default_factory=dict)
    """Dice of all masses, all ducts and all nonmass areas, of each of which there is any."""
    invented: Mapping[str, bool] = field(default_factory=dict)
    """Of each of these that is known not to be there, whether any was found."""

    @property
    def targets(self) -> list[Target]:
        """The foci that are there."""
        return self.truth.targets or []


@dataclass(frozen=True, slots=True)
class Comparison:
    """All images of which something is known, and what could not be compared."""

    images: list[Compared]
    failed: list[str]
    """Images that the truth tells of and the run failed on: they are in no measure."""
    remarks: list[str]

    def groups(self, images: list[Compared]) -> list[Indices] | None:
        """Which of some images belong to one patient; None where no patients are told."""
        if not any(image.truth.patient for image in images):
            return None
        by_patient: dict[str, list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            by_patient[
                f"patient {image.truth.patient}" if image.truth.patient else f"image {image.name}"
            ].append(index)
        return [np.array(indices, dtype=np.intp) for indices in by_patient.values()]


def compare(
    run: Run, truth: Truth, *, least_distance: float, listed: float | None = None
) -> Comparison:
    """Put the results of a run beside the truth.

    Parameters
    ----------
    run : Run
    truth : Truth
    least_distance : float
        A focus hits a mark within half of the diameter of that, and always within so many pixels.
    listed : float, optional
        Confidence of the foci that make the descriptor of an image, where the run lists less sure ones; the run's own if not given.

    Raises
    ------
    UsageError
        If the truth tells of no image of the run, or a mask does not fit.
    """
    known, unknown = _by_image(run, truth)
    compared, failed = [], []
    for row in run.images:
        name = row["image"]
        told = known.get(name, ImageTruth())
        if row["status"] != "ok":
            if name in known:
                failed.append(name)
            continue
        masks = told.masks or read_image_masks(
            truth, name, (row["rows"], row["columns"]), row["frames"]
        )
        if name in known or masks is not None:
            compared.append(_compared(run, row, told, masks, least_distance, listed))
    if not compared and not failed and not truth.images:
        expected = "expected CSV tables with a column image, or masks named as for --masks"
        raise UsageError(f"{truth.folder or 'the truth'}: holds no labels of this run; {expected}")
    if not compared and not failed:
        example = run.images[0]["image"] if run.images else "none"
        raise UsageError(
            f"{run.folder}: the truth tells of no image of this run; expected names as in its images.csv, such as {example}"
            + (f", found {unknown[0]}" if unknown else "")
        )
    remarks = list(truth.remarks)
    if unknown:
        remarks.append(
            f"{len(unknown)} images of the truth are not in the results, such as {unknown[0]}"
        )
    if failed:
        remarks.append(
            f"{len(failed)} images failed in the run and are in no measure, such as {failed[0]}"
        )
    return Comparison(compared, failed, remarks)


def _by_image(run: Run, truth: Truth) -> tuple[dict[str, ImageTruth], list[str]]:
    """What is known by the image of the run; and names that are none of its images.

    A file name does where only one image has it, and so does one without its ending.
    """
    names = {row["image"] for row in run.images}
    by_file = {
        **_only_ones(names, lambda name: PurePosixPath(name).stem),
        **_only_ones(names, lambda name: PurePosixPath(name).name),
    }
    known, unknown = {}, []
    for given, told in truth.images.items():
        name = given if given in names else by_file.get(given)
        if name is None:
            unknown.append(given)
        elif name in known:
            raise UsageError(
                f"{given}: the truth tells twice of {name}, by its path and by its file name; use one of them"
            )
        else:
            known[name] = told
    return known, unknown


def _only_ones(names: Iterable[str], short: Callable[[str], str]) -> dict[str, str]:
    """The names that no other shares a short name with, by that."""
    shorts = Counter(map(short, names))
    return {short(name): name for name in names if shorts[short(name)] == 1}


def _compared(
    run: Run,
    row: Mapping[str, Any],
    told: ImageTruth,
    masks: UserMasks | None,
    least_distance: float,
    listed: float | None,
) -> Compared:
    name = row["image"]
    names = [each.name for each in fields(Focus)]
    foci = tuple(
        Focus(**{column: focus[column] for column in names}) for focus in run.foci.get(name, ())
    )
    detections = None
    if told.targets is not None:
        detections = match_foci(foci, told.targets, told.ignored, least_distance=least_distance)
    overlaps: tuple[Overlap | None, dict[str, float], dict[str, bool]] = (None, {}, {})
    if masks is not None:
        overlaps = _areas(_labels(run, row), _on_key_frame(run, row, masks))
    return Compared(
        name=name,
        truth=told,
        calcification=_descriptor(row["calcification"], foci, listed),
        score=float(row["calcification_score"]),
        foci=foci,
        detections=detections,
        masses=overlaps[0],
        areas=overlaps[1],
        invented=overlaps[2],
    )


def _descriptor(said: str, foci: Sequence[Focus], listed: float | None) -> str:
    """What a run says of the calcification of an image, by the foci that it would list at a confidence."""
    if said == "none" or listed is None or not foci:
        return said
    surest = max(foci, key=lambda focus: focus.confidence)
    return describe_calcification(
        [focus.label for focus in foci if focus.confidence >= listed] or [surest.label]
    )


def _on_key_frame(run: Run, row: Mapping[str, Any], masks: UserMasks) -> UserMasks:
    """The masks of the frame that the label image of the run shows."""
    return masks.on_frame(int(run.told(row["image"]).get("key_frame") or 0))


def _labels(run: Run, row: Mapping[str, Any]) -> ByteImage:
    file = run.file("masks", row["image"], ".png")
    labels = None
    if file.is_file():
        labels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_GRAYSCALE)
    if labels is None:
        raise UsageError(
            f"{file}: the label image of {row['image']} cannot be read; write it again with usmicro run --resume"
        )
    return np.asarray(labels)


def _areas(
    labels: ByteImage, masks: UserMasks
) -> tuple[Overlap | None, dict[str, float], dict[str, bool]]:
    """How the masses compare one by one; and by kind of area, where it is known, the Dice, or whether any was found where none is."""
    compared = (
        None
        if masks.masses is None
        else overlap(components(labels == AreaLabel.MASS), np.asarray(masks.masses))
    )
    true = (
        ("masses", AreaLabel.MASS, masks.masses),
        ("ducts", AreaLabel.DUCT, masks.ducts),
        (
            "nonmass areas",
            AreaLabel.NONMASS,
            None if masks.nonmass is None else masks.nonmass.astype(np.int32),
        ),
    )
    areas, invented = {}, {}
    for name, value, area in true:
        if area is not None and area.any():
            areas[name] = dice(area > 0, labels == value)
        elif area is not None:
            invented[name] = bool((labels == value).any())
    return compared, areas, invented
