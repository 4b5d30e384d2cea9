"""The labels of a run: tables and masks of a user, or reviews of readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from usmicro.errors import UsageError
from usmicro.evaluation.consensus import consensus
from usmicro.evaluation.names import ImageNames
from usmicro.evaluation.readings import Reading, reading_of
from usmicro.evaluation.review import Review, read_review
from usmicro.evaluation.truth import ImageTruth, Truth, read_truth
from usmicro.writing.report.run import Run


@dataclass(frozen=True, slots=True)
class Labels:
    """What counts as the truth, and what each reader holds to be true."""

    truth: Truth
    readings: list[Reading] = field(default_factory=list)
    """One for each reader of the reviews; empty without reviews."""
    together: Reading | None = None
    """What several readers agree on; None with less than two readers."""
    review: Review | None = None
    """The rows of the reviews."""


def read_labels(path: Path, run: Run, *, listed: float, least_distance: float) -> Labels:
    """Read what counts as the truth of a run.

    The reviews of a folder may come with a table of patients. Without reviews, see `read_truth`.
    With two or more readers, what the majority holds to be true is the truth, as `consensus` says.

    Parameters
    ----------
    path : Path
        A CSV table or a review, or a folder.
    run : Run
    listed : float
        Confidence from which foci are listed by default; see `reading_of`.
    least_distance : float
        Two marks of different readers are of one focus within this distance in pixels.

    Raises
    ------
    UsageError
        If the labels cannot be read, or no row of the reviews says anything about an image.
    """
    truth = read_truth(path)
    if not truth.reviews:
        return Labels(truth)
    review = read_review(truth.reviews, run)
    readings = [reading_of(review, reader, run, listed) for reader in review.readers]
    truth.remarks += [problem.text for problem in review.problems]
    truth.remarks += [remark for reading in readings for remark in reading.remarks]
    readings = [reading for reading in readings if reading.images]
    if not readings:
        details = "".join(f"\n  {remark}" for remark in truth.remarks)
        raise UsageError(
            f"{path}: no image is marked as reviewed, and no question about calcifications is "
            f"answered; do so in report.html (keys V and Y) and export the review again{details}"
        )
    together = None
    if len(readings) > 1:
        together = consensus(readings, least_distance=least_distance)
        truth.remarks.append(_note_on_consensus(readings, together))
    _add(truth, (together or readings[0]).images, run)
    return Labels(truth, readings, together, review)


def _note_on_consensus(readings: Sequence[Reading], together: Reading) -> str:
    names = ", ".join(reading.name for reading in readings)
    shared = sum(
        sum(image in reading.images for reading in readings) > 1 for image in together.images
    )
    return (
        f"{len(readings)} readers ({names}), {shared} images read by more than one of them: the "
        "truth is what the majority holds to be true; a focus that only some marked is neither a "
        "hit nor a false positive"
    )


def _add(truth: Truth, images: dict[str, ImageTruth], run: Run) -> None:
    """Add what the readers hold to be true to the labels of tables, such as patients."""
    names = ImageNames(row["image"] for row in run.images)
    patients: dict[str, str | None] = {}
    for labelled, entry in list(truth.images.items()):
        name = names.find(labelled)
        if name is None or name not in images:
            continue
        if entry.targets is not None or entry.calcification is not None:
            raise UsageError(
                f"{truth.folder}: {name} is labelled by a review and by another table; "
                "use only one of them"
            )
        patients[name] = entry.patient
        del truth.images[labelled]
    for name, entry in images.items():
        truth.images[name] = replace(entry, patient=patients.get(name))
