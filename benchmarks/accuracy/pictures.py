"""Pictures of the scans on which masses are worst: what was found, and the true outlines in white."""

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

WIDTH, WORST = 400, 4
"""Columns of a picture, and how many stand side by side."""


def worst(outcomes: Sequence[Outcome], count: int = WORST) -> list[Outcome]:
    """The outcomes whose masses agree least with the outlines; of those that agree alike, the ones with most masses too many."""
    known = [(outcome.masses, outcome) for outcome in outcomes if outcome.masses is not None]
    ranked = sorted(known, key=lambda pair: (pair[0].union, -pair[0].extra, pair[1].case.name))
    return [outcome for _, outcome in ranked[:count]]


def write_worst(outcomes: Sequence[Outcome], settings: Settings, folder: Path) -> list[Path]:
    """Write one JPEG a data set with its worst scans side by side; these are pictures of the data, which may not be free to pass on."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for dataset in dict.fromkeys(outcome.case.dataset for outcome in outcomes):
        chosen = worst(
            [
                outcome
                for outcome in outcomes
                if outcome.case.dataset == dataset and not outcome.error
            ]
        )
        if chosen:
            files.append(folder / f"{dataset.replace(' ', '-')}.jpg")
            pictures = [_picture(outcome, settings) for outcome in chosen]
            rows = max(picture.shape[0] for picture in pictures)
            pictures = [
                np.pad(picture, ((0, rows - len(picture)), (0, 6), (0, 0))) for picture in pictures
            ]
            cv2.imwrite(str(files[-1]), np.hstack(pictures)[..., ::-1])
    return files


def _picture(outcome: Outcome, settings: Settings) -> ByteImage:
    """One overlay with the true outlines, `WIDTH` columns wide."""
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
    text = (
        f"Dice {outcome.masses.union:.2f}"
        if outcome.masses and outcome.masses.found
        else "no mass is there"
    )
    return np.asarray(
        cv2.putText(picture, text, (6, size[1] - 8), FONT, 0.5, YELLOW, 1, cv2.LINE_AA)
    )
