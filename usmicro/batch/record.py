"""run.json: with what a run was made, what it lost on the way, and how long each stage took."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from usmicro import __version__
from usmicro.anatomy.user_masks import MaskFunction, function_name
from usmicro.batch.results import Result
from usmicro.settings import Settings

PACKAGES = (
    "numpy", "scipy", "scikit-image", "tifffile", "opencv-python-headless", "pillow", "pydicom", "numba",
    "python-gdcm", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "highdicom", "pyarrow",
)  # fmt: skip
SUMMED = ("frames", "foci", "intramass", "extramass", "intraductal", "masses")


def package_versions() -> dict[str, str | None]:
    """Versions of the packages that results may depend on; None for those not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


class Record:
    """Gathers what run.json tells; holds no path, host or user name."""

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int | None,
        spacing: str | float | Path | None,
        masks: str | Path | MaskFunction | None,
        remarks: list[str],
        private: bool = False,
    ) -> None:
        """Begin a record; `private` keeps out the names of files and folders that the user gave."""
        self.settings, self.workers, self.remarks = settings, workers, remarks
        self.spacing = (
            spacing if isinstance(spacing, int | float) or spacing is None else Path(spacing).name
        )
        self.masks = (
            function_name(masks) if callable(masks) else None if masks is None else Path(masks).name
        )
        self.started, self.finished = datetime.now(UTC), None  # type: datetime, datetime | None
        if private:
            self.spacing = "table" if isinstance(self.spacing, str) else self.spacing
            self.masks = "folder" if isinstance(masks, str | Path) else self.masks
        self.private = private
        self.complete = False
        """Whether every input was reached."""
        self._counts: Counter[str] = Counter()
        self._decoders: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._memory: float | None = None

    def add(self, result: Result) -> None:
        """Count a result; called once for each, in the order of their names."""
        self._counts.update(["images", result.status])
        if result.summary is not None:
            self._counts.update({name: getattr(result.summary, name) for name in SUMMED})
        if result.decoder:
            self._decoders[result.decoder] += 1
        self._seconds.update(result.seconds)
        if result.memory_mb is not None:
            self._memory = max(self._memory or 0.0, result.memory_mb)

    @property
    def counts(self) -> dict[str, int]:
        """How many images, by status, and findings."""
        return {name: self._counts[name] for name in ("images", "ok", "failed", *SUMMED)}

    def write(self, file: IO[bytes], results: Iterable[Result]) -> None:
        """Write the whole record; what is told of single images is taken from the results one at a time, since there may be many."""
        head = {
            "usmicro": __version__,
            "complete": self.complete,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": None
            if self.finished is None
            else self.finished.isoformat(timespec="seconds"),
            "options": {
                "spacing": self.spacing,
                "masks": self.masks,
                "pseudonyms": self.private,
                "workers": self.workers or "cluster",
            },
            "settings": _without_folders(self.settings),
            "remarks": self.remarks,
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
            if told := told_of(result):
                file.write(f"{separator}  {json.dumps(result.image)}: {json.dumps(told)}".encode())
                separator = ",\n"
        file.write(b"\n }\n}\n")


def told_of(result: Result) -> dict[str, Any]:
    """What the record tells of one image."""
    cine = result.summary is not None and result.summary.frames > 1
    told = {
        "error": result.error,
        "where": result.log,
        "key_frame": result.key_frame if cine else None,
        "notes": result.notes,
    }
    return {
        key: value for key, value in told.items() if value is not None and value not in ("", ())
    }


def _without_folders(settings: Settings) -> dict[str, Any]:
    """The settings by name; of a file only its name, since folders may tell who a patient or user is."""
    values = asdict(settings)
    values["anatomy"]["mass_network"] = Path(settings.anatomy.mass_network).name
    return values
