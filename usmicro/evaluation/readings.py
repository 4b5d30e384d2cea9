"""What a reader holds to be true, from the review."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cv2
import numpy as np

from usmicro.evaluation.measures import PRESENT
from usmicro.evaluation.review_cells import UNSURE
from usmicro.evaluation.review_rows import FocusReview, MassReview, Review
from usmicro.evaluation.run_areas import masses_of, outlined_masses
from usmicro.evaluation.targets import Target
from usmicro.evaluation.truth import ImageTruth
from usmicro.labelling.calcification import describe_calcification
from usmicro.model.scan import UserMasks
from usmicro.writing.report.run import Run

VERDICTS = {"yes": True, "no": False}
"""Words of shadow and twinkling that state whether it is there."""


@dataclass(slots=True)
class Reading:
    """What one reader, or several together, hold to be true."""

    name: str
    """How the reader is called in tables."""
    images: dict[str, ImageTruth] = field(default_factory=dict)
    """The truth of each image that was read, by its name in the run."""
    remarks: list[str] = field(default_factory=list)
    """What does not count, and why."""


def reading_of(review: Review, reader: str, run: Run, listed: float) -> Reading:
    """Return what a reader holds to be true.

    - Foci and masses count on images that are marked as reviewed. Accepted, moved and added foci
      are true, rejected ones false.
    - A focus without a decision is neither a hit nor a false positive if its confidence is at least
      `listed`. With a lower confidence it is false: in a run that lists every candidate, a reader
      need not decide on hundreds. It is also false if another run was reviewed.
    - A mass without a decision makes the masses of its image unknown. So does an accepted mass
      without outline if another run was reviewed.
    - The answer on calcifications counts on every image. "unsure" counts as no answer. An image
      with calcifications gets their place from its true foci, if all of them have a label.

    Parameters
    ----------
    review : Review
        Reviews of one or several readers.
    reader : str
    run : Run
        The run that `review` was checked against.
    listed : float
        Confidence from which foci are listed by default.
    """
    own = review.of_reader(reader)
    reading = Reading(reader or "reader without a name")
    complete = {row.image for row in own.images if row.reviewed}
    rows = {row["image"]: row for row in run.images if row["status"] == "ok"}
    foci_of, masses_of_image = defaultdict(list), defaultdict(list)
    for focus in own.foci:
        foci_of[focus.image].append(focus)
    for mass in own.masses:
        masses_of_image[mass.image].append(mass)
    undecided, unknown_masses = 0, 0
    for image in sorted(complete):
        truth = reading.images.setdefault(image, ImageTruth())
        undecided += _add_foci(truth, foci_of[image], run, image, listed, fits=review.fits)
        if image not in rows:
            continue  # it failed in this run
        masses = masses_of_image[image]
        if _masses_are_known(masses, run, image, fits=review.fits):
            truth.load_masks = partial(_masks, run, rows[image], masses)
        else:
            unknown_masses += 1
    for row in own.images:
        if row.calcification is None or row.calcification == UNSURE:
            continue
        truth = reading.images.setdefault(row.image, ImageTruth())
        truth.calcification = row.calcification
        labels = [target.label for target in truth.targets or ()]
        if row.calcification == PRESENT and labels and None not in labels:
            truth.calcification = describe_calcification(labels)  # type: ignore[arg-type]
    unfinished = {row.image for row in (*own.foci, *own.masses)} - complete
    reading.remarks = _remarks(own, reading.name, unfinished, undecided, unknown_masses)
    return reading


def _remarks(
    own: Review, name: str, unfinished: set[str], undecided: int, unknown_masses: int
) -> list[str]:
    remarks = []
    if unfinished:
        remarks.append(
            f"{name}: {len(unfinished)} images with decisions are not marked as reviewed, such as "
            f"{min(unfinished)}; their foci and masses are not counted"
        )
    if undecided:
        remarks.append(
            f"{name}: {undecided} listed foci on reviewed images have no decision; they are "
            "neither hits nor false positives"
        )
    if unknown_masses:
        remarks.append(
            f"{name}: the masses of {unknown_masses} reviewed images are not counted, because a "
            "mass has no decision or its outline is not known"
        )
    unsure = sum(row.calcification == UNSURE for row in own.images)
    if unsure:
        remarks.append(f"{name}: {unsure} images with the answer unsure count as not answered")
    return remarks


def _add_foci(
    truth: ImageTruth,
    foci: list[FocusReview],
    run: Run,
    image: str,
    listed: float,
    *,
    fits: bool,
) -> int:
    """Add the decisions on foci to the truth of an image; return the number of undecided ones."""
    truth.targets = []
    for row in foci:
        if row.decision == "rejected":
            if row.focus is not None:
                truth.decided[row.focus] = -1
            continue
        if row.focus is not None:
            truth.decided[row.focus] = len(truth.targets)
        truth.targets.append(
            Target(
                x=(row.x_px,),
                y=(row.y_px,),
                diameter=row.diameter_px or 0.0,
                label=row.label,
                shadow=VERDICTS.get(row.shadow or ""),
                twinkling=VERDICTS.get(row.twinkling or ""),
            )
        )
    if not fits:
        return 0
    undecided = [
        row
        for row in run.foci.get(image, ())
        if row["focus"] not in truth.decided and row["confidence"] >= listed
    ]
    truth.ignored = [
        Target(x=(row["x_px"],), y=(row["y_px"],), diameter=row["diameter_px"] or 0.0)
        for row in undecided
    ]
    return len(undecided)


def _masses_are_known(masses: list[MassReview], run: Run, image: str, *, fits: bool) -> bool:
    """Return True if the reader has decided on all masses, and their outlines are known."""
    if not fits:
        return all(
            row.decision == "rejected" or row.outline is not None or row.mass is not None
            for row in masses
        )
    decided = {row.mass for row in masses}
    return all(mass.mass in decided for mass in masses_of(run, image))


def _masks(run: Run, row: Mapping[str, Any], masses: list[MassReview]) -> UserMasks:
    """Return the true masses of an image."""
    shares, listed = outlined_masses(run, row)
    true = np.zeros(shares.shape, np.int32)
    share_of = {mass.mass: number for number, mass in enumerate(listed, start=1)}
    key_frame = run.key_frame(row["image"])
    for number, mass in enumerate(masses, start=1):
        if mass.decision == "rejected":
            continue
        if mass.outline is None:
            true[shares == share_of.get(mass.mass or 0, -1)] = number
        elif mass.frame == key_frame:
            corners = np.rint(np.array([mass.outline])).astype(np.int32)
            cv2.fillPoly(true, corners, number)
    return UserMasks(masses=true)
