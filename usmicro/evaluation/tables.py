"""Tables of an evaluation: the free-response curve, the images, and every mark and focus."""

from __future__ import annotations

from usmicro.evaluation.comments import Comments
from usmicro.evaluation.matching import ComparedImage
from usmicro.evaluation.metrics import FreeResponse
from usmicro.evaluation.result import Cells, Evaluation
from usmicro.evaluation.rows import finite


def froc_table(curve: FreeResponse) -> list[Cells]:
    """Return the free-response curve with one row per point."""
    points = zip(curve.threshold, curve.false_positives, curve.sensitivity, strict=True)
    return [
        {"confidence": float(t), "false_an_image": float(f), "sensitivity": finite(float(s))}
        for t, f, s in points
    ]


def images_table(evaluation: Evaluation) -> list[Cells]:
    """Return one row per labelled image; a cell is None if its label was not given."""
    return [
        _image_row(image, evaluation.listed)
        | {"comment": evaluation.comments.on_image(image.name) or None}
        for image in evaluation.comparison.images
    ]


def _image_row(image: ComparedImage, listed: float) -> Cells:
    marked = found = missed = false = None
    if image.detections is not None:
        detections = image.detections
        is_listed = detections.confidence >= listed
        marked = detections.target_count
        found = int(((detections.target >= 0) & is_listed).sum())
        missed = marked - found
        false = int((detections.false_positive & is_listed).sum())
    return {
        "image": image.name,
        "patient": image.truth.patient,
        "foci_marked": marked,
        "foci_found": found,
        "foci_missed": missed,
        "foci_false": false,
        "calcification_true": image.truth.calcification,
        "calcification": image.calcification,
        "calcification_score": image.score,
        "dice_masses": image.dice.get("masses"),
        "dice_ducts": image.dice.get("ducts"),
        "dice_nonmass": image.dice.get("nonmass areas"),
    }


def matches_table(evaluation: Evaluation) -> list[Cells]:
    """Return one row per focus and per missed mark.

    The outcome of a focus is "found", "false" or "ignored" (on an ignored mark); that of a missed
    mark is "missed".
    """
    rows: list[Cells] = []
    for image in evaluation.comparison.images:
        rows += _focus_rows(image, evaluation.comments)
        rows += _missed_rows(image, evaluation.comments)
    return rows


def _focus_rows(image: ComparedImage, comments: Comments) -> list[Cells]:
    detections = image.detections
    if detections is None:
        return []
    rows: list[Cells] = []
    for index, target, is_false in zip(
        detections.index, detections.target.tolist(), detections.false_positive, strict=True
    ):
        focus = image.foci[index]
        mark = image.targets[target] if target >= 0 else None
        rows.append(
            {
                "image": image.name,
                "outcome": "found" if mark else "false" if is_false else "ignored",
                "mark": target + 1 if mark else None,
                "focus": focus.focus,
                "x_px": focus.x_px,
                "y_px": focus.y_px,
                "confidence": focus.confidence,
                "label_true": mark.label if mark else None,
                "label": focus.label,
                "comment": comments.on_focus(image.name, focus.focus) or None,
            }
        )
    return rows


def _missed_rows(image: ComparedImage, comments: Comments) -> list[Cells]:
    if image.detections is None:
        return []
    rows: list[Cells] = []
    for index, mark in enumerate(image.targets):
        if index in image.detections.target:
            continue
        x, y, _ = mark.at(0)
        rows.append(
            {
                "image": image.name,
                "outcome": "missed",
                "mark": index + 1,
                "focus": None,
                "x_px": x,
                "y_px": y,
                "confidence": None,
                "label_true": mark.label,
                "label": None,
                "comment": comments.on_mark(image.name, mark) or None,
            }
        )
    return rows
