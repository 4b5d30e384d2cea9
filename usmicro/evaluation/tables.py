"""Tables of an evaluation beside its measures: the curve, the images, every mark and every focus."""

from __future__ import annotations

from usmicro.evaluation.evaluate import Evaluation, finite
from usmicro.evaluation.matching import Compared
from usmicro.evaluation.metrics import FreeResponse

Cells = dict[str, str | float | int | None]


def froc_table(curve: FreeResponse) -> list[Cells]:
    """The free-response curve: a row for each confidence that changes it."""
    points = zip(curve.threshold, curve.false_positives, curve.sensitivity, strict=True)
    return [
        {"confidence": float(t), "false_an_image": float(f), "sensitivity": finite(float(s))}
        for t, f, s in points
    ]


def images_table(evaluation: Evaluation) -> list[Cells]:
    """A row for each image of which something is known; empty where that is not known."""
    return [_image_row(image, evaluation.listed) for image in evaluation.comparison.images]


def _image_row(image: Compared, listed: float) -> Cells:
    found = image.detections
    hit = None if found is None else int(((found.target >= 0) & (found.confidence >= listed)).sum())
    return {
        "image": image.name,
        "patient": image.truth.patient,
        "foci_marked": None if found is None else found.targets,
        "foci_found": hit,
        "foci_missed": None if found is None or hit is None else found.targets - hit,
        "foci_false": None
        if found is None
        else int((found.counts & (found.confidence >= listed)).sum()),
        "calcification_true": image.truth.calcification,
        "calcification": image.calcification,
        "calcification_score": image.score,
        "dice_masses": image.areas.get("masses"),
        "dice_ducts": image.areas.get("ducts"),
        "dice_nonmass": image.areas.get("nonmass areas"),
    }


def matches_table(evaluation: Evaluation) -> list[Cells]:
    """A row for each mark that was missed and for each focus: whether it is a hit, false, or on a mark that is ignored."""
    rows: list[Cells] = []
    for image in evaluation.comparison.images:
        found = image.detections
        if found is None:
            continue
        for place, index in enumerate(found.index):
            focus, target = image.foci[index], int(found.target[place])
            outcome = "found" if target >= 0 else "false" if found.counts[place] else "ignored"
            mark = image.targets[target] if target >= 0 else None
            rows.append(
                {
                    "image": image.name,
                    "outcome": outcome,
                    "mark": target + 1 if mark else None,
                    "focus": focus.focus,
                    "x_px": focus.x_px,
                    "y_px": focus.y_px,
                    "confidence": focus.confidence,
                    "label_true": mark.label if mark else None,
                    "label": focus.label,
                }
            )
        for number, missed in enumerate(image.targets):
            if number not in found.target:
                empty: Cells = {
                    "focus": None,
                    "confidence": None,
                    "label_true": missed.label,
                    "label": None,
                }
                x, y, _ = missed.at(0)
                rows.append(
                    {
                        "image": image.name,
                        "outcome": "missed",
                        "mark": number + 1,
                        "x_px": x,
                        "y_px": y,
                        **empty,
                    }
                )
    return rows
