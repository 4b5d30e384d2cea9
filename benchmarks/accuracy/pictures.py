"""Pictures of the scans on which masses are worst: what was found, and the true outlines in white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.cases import open_case
from benchmarks.accuracy.runs import Outcome
from usmicro.analysis import analyze
from usmicro.arrays import ByteImage
from usmicro.settings import Settings
from usmicro.writing.overlays import rgb_of

WIDTH, WORST = 400, 4
"""Columns of a picture, and how many stand side by side."""


def worst(outcomes: Sequence[Outcome], count: int = WORST) -> list[Outcome]:
    """The outcomes whose masses agree least with the outlines; of those that agree alike, the ones with most masses too many."""
    known = [outcome for outcome in outcomes if outcome.masses is not None]
    return sorted(known, key=lambda o: (o.masses.union, -o.masses.extra, o.case.name) if o.masses else (1.0, 0, ""))[:count]


def write_worst(outcomes: Sequence[Outcome], settings: Settings, folder: Path) -> list[Path]:
    """Write one JPEG a data set with its worst scans side by side; these are pictures of the data, which may not be free to pass on."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for dataset in dict.fromkeys(outcome.case.dataset for outcome in outcomes):
        chosen = worst([outcome for outcome in outcomes if outcome.case.dataset == dataset and not outcome.error])
        if chosen:
            files.append(folder / f"{dataset.replace(' ', '-')}.jpg")
            pictures = [_picture(outcome, settings) for outcome in chosen]
            rows = max(picture.shape[0] for picture in pictures)
            pictures = [np.pad(picture, ((0, rows - len(picture)), (0, 6), (0, 0))) for picture in pictures]
            cv2.imwrite(str(files[-1]), np.hstack(pictures)[..., ::-1])
    return files


def _picture(outcome: Outcome, settings: Settings) -> ByteImage:
    """One overlay with the true outlines, `WIDTH` columns wide."""
    if outcome.case.mass_network is not None:
        settings = replace(settings, anatomy=replace(settings.anatomy, mass_network=str(outcome.case.mass_network)))
    scan, truth = open_case(outcome.case)
    analysis = analyze(scan, settings=settings)
    scale = WIDTH / scan.columns
    size = (WIDTH, round(scan.rows * scale))
    picture = cv2.resize(rgb_of(analysis.image), size, interpolation=cv2.INTER_AREA)
    for region, colour in ((analysis.labels == 1, (230, 159, 0)), (analysis.labels == 2, (204, 121, 167))):
        _outline(picture, region, colour)
    if truth.masses is not None:
        _outline(picture, truth.masses > 0, (255, 255, 255))
    text = f"Dice {outcome.masses.union:.2f}" if outcome.masses and outcome.masses.found else "no mass is there"
    return np.asarray(cv2.putText(picture, text, (6, size[1] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA))


def _outline(picture: ByteImage, region: np.ndarray, colour: tuple[int, int, int]) -> None:
    small = cv2.resize(region.astype(np.uint8) * 255, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    contours, _ = cv2.findContours((small > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, colour, 1, cv2.LINE_AA)
