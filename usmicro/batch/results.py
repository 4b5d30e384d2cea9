"""What a run says of one input."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from usmicro.errors import ScanError
from usmicro.labelling.clusters import measure_clusters
from usmicro.model.arrays import ByteImage
from usmicro.model.findings import Cluster, Focus, Mass, Summary
from usmicro.result import Table


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run says of one input: the findings of its `Analysis`, or why it failed."""

    image: str
    status: Literal["ok", "failed"]
    error: str = ""
    """One line; empty if ok."""
    summary: Summary | None = None
    """None if failed."""
    foci: Table[Focus] = field(default_factory=Table)
    masses: Table[Mass] = field(default_factory=Table)
    key_frame: int = 0
    """The frame that overlay and mask show."""
    notes: tuple[str, ...] = ()
    decoder: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent, by stage and in "total"."""
    fingerprint: str = ""
    """Of the input, its masks, the settings and the version: a result with the same one need not be computed again."""
    written: tuple[str, ...] = ()
    """Hashes of the files that were written: one that a power cut or a person changed is written again on --resume."""
    extras: dict[str, dict[str, str]] = field(default_factory=dict)
    """By extra that was asked for, the files that were written for it, below the output folder, each with its hash."""
    memory_mb: float | None = None
    """Most memory that the process had used by then; None where the system does not tell."""
    log: tuple[str, ...] = ()
    """Where in the program an unforeseen error arose."""
    overlay_file: Path | None = None
    mask_file: Path | None = None

    @property
    def clusters(self) -> Table[Cluster]:
        """The clusters that the foci form, as in `Analysis.clusters`."""
        return Table(measure_clusters(self.foci))

    def overlay(self) -> ByteImage:
        """The key frame with its findings drawn, RGB, read from the output folder."""
        return _read_picture(self.overlay_file, self.image)[..., ::-1].copy()

    @property
    def labels(self) -> ByteImage:
        """The key frame's anatomy, as in `Analysis.labels`, read from the output folder."""
        return _read_picture(self.mask_file, self.image)[..., 0].copy()

    def to_json(self) -> str:
        """Everything but the places of the files."""
        from usmicro.writing.tables import plain

        return json.dumps(
            {
                "image": self.image,
                "status": self.status,
                "error": self.error,
                "summary": None if self.summary is None else plain(self.summary),
                "foci": [plain(focus) for focus in self.foci],
                "masses": [plain(mass) for mass in self.masses],
                "key_frame": self.key_frame,
                "notes": self.notes,
                "decoder": self.decoder,
                "seconds": self.seconds,
                "fingerprint": self.fingerprint,
                "written": self.written,
                "extras": self.extras,
                "memory_mb": self.memory_mb,
                "log": self.log,
            }
        )

    @staticmethod
    def from_json(
        text: str, *, overlay_file: Path | None = None, mask_file: Path | None = None
    ) -> Result:
        """A result as `to_json` stored it; the files are left out if it failed."""
        stored: dict[str, Any] = json.loads(text)
        ok = stored["status"] == "ok"
        stored["summary"] = Summary(**stored["summary"]) if ok else None
        stored["foci"] = Table(Focus(**row) for row in stored["foci"])
        stored["masses"] = Table(Mass(**row) for row in stored["masses"])
        for name in ("notes", "written", "log"):
            stored[name] = tuple(stored[name])
        return Result(
            **stored, overlay_file=overlay_file if ok else None, mask_file=mask_file if ok else None
        )


def _read_picture(file: Path | None, name: str) -> ByteImage:
    import cv2
    import numpy as np

    if file is None:
        raise ScanError(f"{name} failed, so that there is no picture of it; its `error` says why")
    return np.asarray(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR))
