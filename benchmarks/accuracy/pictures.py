"""Draw the scans with the worst masses: the detected areas, and the true outlines in white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.cases import open_case
from benchmarks.accuracy.runs import Outcome, settings_of
from usmicro.analysis import analyze
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage
from usmicro.settings import Settings
from usmicro.writing.drawing import FONT, ORANGE, PURPLE, WHITE, YELLOW, Pen, outline, rgb_of

WIDTH = 400
"""Columns of the picture of one scan, pixels."""

GAP = 6
"""Black columns between two pictures, pixels."""

WORST_SCANS = 4
"""Number of scans of each data set that are drawn."""


def worst_outcomes(outcomes: Sequence[Outcome], count: int = WORST_SCANS) -> list[Outcome]:
    """Return the outcomes with the lowest Dice coefficient of all masses.

    If the coefficients are equal, outcomes with more false-positive masses come first.
    """
    outlined = [(outcome.masses, outcome) for outcome in outcomes if outcome.masses is not None]
    outlined.sort(
        key=lambda pair: (pair[0].total_dice, -pair[0].false_positives, pair[1].case.name)
    )
    return [outcome for _, outcome in outlined[:count]]


def write_worst(outcomes: Sequence[Outcome], settings: Settings, folder: Path) -> list[Path]:
    """Write one JPEG per data set with its worst scans side by side.

    The files show the scans of the data sets, whose licences may forbid to publish them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for dataset in dict.fromkeys(outcome.case.dataset for outcome in outcomes):
        analysed = [
            outcome for outcome in outcomes if outcome.case.dataset == dataset and not outcome.error
        ]
        chosen = worst_outcomes(analysed)
        if chosen:
            files.append(folder / f"{dataset.replace(' ', '-')}.jpg")
            pictures = [_picture(outcome, settings) for outcome in chosen]
            rows = max(picture.shape[0] for picture in pictures)
            pictures = [
                np.pad(picture, ((0, rows - len(picture)), (0, GAP), (0, 0)))
                for picture in pictures
            ]
            cv2.imwrite(str(files[-1]), np.hstack(pictures)[..., ::-1])
    return files


def _picture(outcome: Outcome, settings: Settings) -> ByteImage:
    """Return the overlay of one scan with the true outlines, RGB, WIDTH columns."""
    scan, truth = open_case(outcome.case)
    analysis = analyze(scan, settings=settings_of(outcome.case, settings))
    scale = WIDTH / scan.columns
    size = (WIDTH, round(scan.rows * scale))
    picture = cv2.resize(rgb_of(analysis.image), size, interpolation=cv2.INTER_AREA)
    pen = Pen(picture, unit=1)
    areas = [
        (analysis.labels == AreaLabel.MASS, ORANGE),
        (analysis.labels == AreaLabel.DUCT, PURPLE),
    ]
    areas += [] if truth.masses is None else [(truth.masses > 0, WHITE)]
    for area, colour in areas:
        outline(pen, area, scale, colour)
    text = "no true mass"
    if outcome.masses and outcome.masses.dice_of_true:
        text = f"Dice {outcome.masses.total_dice:.2f}"
    cv2.putText(picture, text, (6, size[1] - 8), FONT, 0.5, YELLOW, 1, cv2.LINE_AA)
    return np.asarray(picture)
