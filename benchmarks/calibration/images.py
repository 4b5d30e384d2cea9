"""The read images of each hospital, analysed once with models that have not seen the hospital."""

from __future__ import annotations

import hashlib
import pickle
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.cases import Case, case_of, with_unseen_networks
from benchmarks.accuracy.foci import match_outcome
from benchmarks.accuracy.runs import Outcome, run_cases
from usmicro import __version__
from usmicro.evaluation.datasets import (
    BUS_BRA,
    BUSI,
    LabelledImage,
    read_readings,
    read_visual_readings,
    twin_groups,
)
from usmicro.evaluation.metrics import Detections
from usmicro.settings import Settings

TRAINING = Path(__file__).parents[2] / "training"
NETWORKS = TRAINING / "networks"
"""Networks and models of foci that have not seen one of the hospitals each."""

FURTHER = TRAINING / "readings.json"
"""Marks of two readers on further images of the same hospitals, many chosen for a high score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """One image that two readers read, with what the program finds on it."""

    name: str
    source: str
    """Hospital."""
    group: str
    """Images of one patient, or near twins, have the same group."""
    further: bool
    """True for an image of FURTHER."""
    detections: Detections
    """Every candidate, matched with the foci that both readers marked."""
    masses: tuple[tuple[float, bool], ...] | None
    """Confidence of each mass, and whether it finds a true one; None if masses are not outlined."""
    score: float
    calcified: bool | None
    """None if the readers disagree."""


def read_images(data: Path, cache: Path | None, processes: int) -> list[ReadImage]:
    """Analyse the images that two readers read, or return the results of an earlier call.

    Parameters
    ----------
    data : Path
        Folder with the data sets.
    cache : Path, optional
        Folder for the results; one in the temporary folder of the system if not given.
    processes : int
        Number of worker processes.
    """
    labelled = [
        *((image, False) for image in read_visual_readings(data)),
        *((image, True) for image in read_readings(FURTHER, data)),
    ]
    seen: dict[Path, tuple[LabelledImage, bool]] = {}
    for image, further in labelled:
        seen.setdefault(image.path, (image, further))
    chosen = list(seen.values())
    key = hashlib.sha256(repr((__version__, _models(), sorted(map(str, seen)))).encode())
    folder = cache or Path(tempfile.gettempdir()) / "usmicro-calibration"
    file = folder / f"images-{key.hexdigest()[:16]}.pickle"
    if file.is_file():
        found: list[ReadImage] = pickle.loads(file.read_bytes())
        return found
    groups = dict(zip(seen, _groups([image for image, _ in chosen]), strict=True))
    is_further = {image.path: further for image, further in chosen}
    cases = with_unseen_networks([case_of(image) for image, _ in chosen], NETWORKS)
    images = []
    for outcome in run_cases(cases, Settings(), processes=processes):
        path = outcome.case.path
        assert path is not None
        if outcome.error:
            print(f"{outcome.case.name}: {outcome.error}", file=sys.stderr)
            continue
        images.append(_read_image(outcome, groups[path], further=is_further[path]))
        if len(images) % 50 == 0:
            print(f"{len(images)} of {len(cases)} images", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    unfinished.write_bytes(pickle.dumps(images))
    unfinished.rename(file)
    return images


def _models() -> list[str]:
    """Return hashes of the models, so that results of other models are not used again."""
    files = sorted(path for path in NETWORKS.rglob("*") if path.is_file())
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def _groups(images: Sequence[LabelledImage]) -> list[str]:
    """Return the group of each image: its patient, or its near twins in BUSI, or itself."""
    busi = [i for i, image in enumerate(images) if _source(image) == BUSI]
    twins = dict(zip(busi, twin_groups([images[i].path for i in busi]), strict=True))
    groups = []
    for i, image in enumerate(images):
        own: object = image.patient or image.path.stem
        if _source(image) == BUS_BRA:  # the stem is PATIENT-SIDE
            own = image.path.stem.partition("-")[0]
        groups.append(f"{_source(image)} {twins.get(i, own)}")
    return groups


def _source(image: LabelledImage) -> str:
    return image.source or image.dataset


def _read_image(outcome: Outcome, group: str, *, further: bool) -> ReadImage:
    case: Case = outcome.case
    calcified = None if case.calcification is None else case.calcification != "none"
    return ReadImage(
        name=case.name,
        source=case.source or case.dataset,
        group=group,
        further=further,
        detections=match_outcome(outcome),
        masses=None if outcome.masses is None else outcome.masses.confidences,
        score=outcome.score,
        calcified=calcified,
    )
