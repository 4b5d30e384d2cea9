"""The record of a run, run.json: its options, its losses, and the time that each stage took."""

from __future__ import annotations

import json
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from usmicro import __version__
from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.functions import UserFunction
from usmicro.batch.results import Result
from usmicro.foci.operating_point import listing_confidence, shown_confidence
from usmicro.model.scan import SpacingLike, spacing_of
from usmicro.model.warnings import MOST_EXAMPLES, RunWarning, WarningCode
from usmicro.settings import Settings

PACKAGES = (
    "numpy", "scipy", "scikit-image", "tifffile", "opencv-python-headless", "pillow", "pydicom",
    "numba", "python-gdcm", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "highdicom", "pyarrow",
    "SimpleITK",
)  # fmt: skip
"""Packages that results may depend on."""
SUMMED = ("frames", "foci", "intramass", "extramass", "intraductal", "masses")
"""Fields of a `Summary` that are summed over the images of a run."""


@cache
def package_versions() -> dict[str, str | None]:
    """Return the versions of PACKAGES; None for a package that is not installed."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions


class Record:
    """Collects the content of run.json, which holds no path, host name or user name."""

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int | None,
        spacing: str | Path | SpacingLike | None,
        masks: Path | UserFunction[MaskFunction] | str | None,
        detector: str = "",
        group: str | Path | None = None,
        remarks: list[str],
        warnings: Iterable[RunWarning] = (),
        private: bool = False,
    ) -> None:
        """Begin a record.

        Parameters
        ----------
        settings : Settings
        workers : int or None
            Number of worker processes; None for a Dask cluster.
        spacing, group
            As given to `usmicro.run`.
        masks : path or UserFunction, optional
            Folder of the user's masks, the function that returns them, or `Analysis.masks`.
        detector : str
            Name of the user's detector; empty if the program finds the foci.
        remarks : list of str
            What the user should know about the arguments.
        warnings : iterable of RunWarning
            Arguments and files that match nothing.
        private : bool
            Leave out the names of files and folders that the user gave.
        """
        self.settings, self.workers, self.remarks = settings, workers, remarks
        self.spacing = _recorded_spacing(spacing)
        self.masks = masks.label if isinstance(masks, UserFunction) else None
        if isinstance(masks, Path):
            self.masks = masks.name
        elif isinstance(masks, str):
            self.masks = masks or None
        self.detector = detector
        self.group = None if group is None else Path(group).name
        if private:
            self.group = None if group is None else "table"
            self.spacing = "table" if isinstance(self.spacing, str) else self.spacing
            self.masks = "folder" if isinstance(masks, Path) else self.masks
        self.private = private
        self.started = datetime.now(UTC)
        self.finished: datetime | None = None
        self.complete = False
        """True once every input has a result."""
        self._counts: Counter[str] = Counter()
        self._decoders: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._memory: float | None = None
        self._warnings = list(warnings)
        self._images_warned: Counter[WarningCode] = Counter()
        self._examples: dict[WarningCode, list[str]] = defaultdict(list)

    def add(self, result: Result) -> None:
        """Count a result. Called once for each, in the order of their names."""
        self._counts.update(["images", result.status])
        if result.summary is not None:
            self._counts.update({name: getattr(result.summary, name) for name in SUMMED})
        for warning in result.warnings:
            examples = self._examples[warning.code]
            if len(examples) < MOST_EXAMPLES:
                examples.append(f"{result.image}: {warning.text}")
        self._images_warned.update({warning.code for warning in result.warnings})
        if result.decoder:
            self._decoders[result.decoder] += 1
        self._seconds.update(result.seconds)
        if result.memory_mb is not None:
            self._memory = max(self._memory or 0.0, result.memory_mb)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of images, of images by status, of frames and of findings."""
        return {name: self._counts[name] for name in ("images", "ok", "failed", *SUMMED)}

    @property
    def warnings(self) -> list[RunWarning]:
        """Warnings of the run and of its images; those of most images first."""
        of_images = [
            RunWarning(code, count, tuple(self._examples[code]))
            for code, count in sorted(
                self._images_warned.items(), key=lambda item: (-item[1], item[0])
            )
        ]
        return [*self._warnings, *of_images]

    def _shown_from(self) -> float:
        """Return the confidence from which the report shows foci when it is opened."""
        if self.detector:  # the rate of false positives was not measured with its scores
            return listing_confidence(self.settings.foci)
        return shown_confidence(
            self.settings.foci, calibrated=bool(self.settings.calibration.source)
        )

    def write(self, file: IO[bytes], results: Iterable[Result]) -> None:
        """Write the record.

        Parameters
        ----------
        file : binary file
        results : iterable of Result
            Results to write details of; read one at a time, since a run may have very many.
        """
        finished = self.finished
        head = {
            "usmicro": __version__,
            "complete": self.complete,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": None if finished is None else finished.isoformat(timespec="seconds"),
            "options": {
                "spacing": self.spacing,
                "masks": self.masks,
                "detector": self.detector or None,
                "group": self.group,
                "pseudonyms": self.private,
                "workers": self.workers or "cluster",
            },
            "settings": _settings_without_folders(self.settings),
            "listed_from_confidence": listing_confidence(self.settings.foci),
            "shown_from_confidence": self._shown_from(),
            "remarks": self.remarks,
            "warnings": [_warning_entry(warning) for warning in self.warnings],
            "counts": self.counts,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self._seconds.items()},
            "memory_mb": None if self._memory is None else round(self._memory),
            "decoders": dict(sorted(self._decoders.items())),
            "versions": {"python": platform.python_version(), **package_versions()},
            "platform": {"system": platform.system(), "machine": platform.machine()},
        }
        file.write(json.dumps(head, indent=1).removesuffix("\n}").encode() + b',\n "images": {')
        separator = "\n"
        for result in results:
            if details := image_details(result):
                entry = f"{json.dumps(result.image)}: {json.dumps(details)}"
                file.write(f"{separator}  {entry}".encode())
                separator = ",\n"
        file.write(b"\n }\n}\n")


def _recorded_spacing(
    spacing: str | Path | SpacingLike | None,
) -> str | float | tuple[float | None, float | None] | None:
    """Return a spacing as run.json has it: a table by its name, a pair as (x, y) in mm."""
    if spacing is None or isinstance(spacing, int | float):
        return spacing
    if isinstance(spacing, str | Path):
        return Path(spacing).name
    known = spacing_of(spacing)
    return known.x_mm if known.x_mm == known.y_mm else (known.x_mm, known.y_mm)


def _warning_entry(warning: RunWarning) -> dict[str, Any]:
    """Return the entry of a kind of warning in the record."""
    explanation = warning.explanation
    return {
        "code": warning.code,
        "count": warning.count,
        "title": explanation.title,
        "advice": explanation.advice,
        "examples": warning.examples,
    }


def image_details(result: Result) -> dict[str, Any]:
    """Return the entry of one image in the record; empty values are left out."""
    several_frames = result.summary is not None and result.summary.frames > 1
    details = {
        "error": result.error,
        "where": result.log,
        "key_frame": result.key_frame if several_frames else None,
        "notes": result.notes,
        "warnings": [asdict(warning) for warning in result.warnings],
    }
    return {
        key: value
        for key, value in details.items()
        if value is not None and value not in ("", (), [])
    }


def _settings_without_folders(settings: Settings) -> dict[str, Any]:
    """Return the settings by group and name.

    A file or folder is given by its name alone, because its path may name a patient or a user.
    """
    values = asdict(settings)
    values["anatomy"]["mass_network"] = Path(settings.anatomy.mass_network).name
    values["foci"]["models"] = Path(settings.foci.models).name
    return values
