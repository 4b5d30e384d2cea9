"""The result of one input of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from usmicro.errors import ScanError
from usmicro.labelling.clusters import measure_clusters
from usmicro.model.arrays import ByteImage
from usmicro.model.findings import Cluster, Focus, Mass, Summary, TrackPoint
from usmicro.model.scan import Device
from usmicro.model.warnings import ScanWarning, WarningCode
from usmicro.result import Table

TRACK_FIELDS = tuple(item.name for item in fields(TrackPoint))
"""Names of the values of a row of tracks."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one input of a run: the findings of its `Analysis`, or the reason it failed."""

    image: str
    """Name of the image in the tables."""
    status: Literal["ok", "failed"]
    error: str = ""
    """Reason of the failure in one line; empty if ok."""
    summary: Summary | None = None
    """Summary of the analysis; None if failed."""
    foci: Table[Focus] = field(default_factory=Table)
    """Listed foci, the most confident first. `Focus.shadow_profile` is None: the report has it."""
    masses: Table[Mass] = field(default_factory=Table)
    tracks: Table[TrackPoint] = field(default_factory=Table)
    """Of a cine, each listed focus on each frame that shows it."""
    key_frame: int = 0
    """Number of the frame that overlay and mask show, from 0."""
    notes: tuple[str, ...] = ()
    """Fallbacks and other facts that a reader of the results must know."""
    warnings: tuple[ScanWarning, ...] = ()
    """What may be wrong with the results."""
    device: Device = field(default_factory=Device)
    """The device that made the scan."""
    decoder: str = ""
    """Name of the decoder that read the pixels."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent in each stage and in "total", s."""
    fingerprint: str = ""
    """Hash of the input, its masks, the settings and the program version. A stored result with
    the same hash need not be computed again."""
    written: tuple[str, ...] = ()
    """SHA-256 hashes of overlay, mask, and of the picture, the details and the thumbnail of the
    report. With --resume, a file that no longer has its hash is written again."""
    optional_files: dict[str, dict[str, str]] = field(default_factory=dict)
    """For each optional output, the SHA-256 hash of each of its files, by path below the output
    folder."""
    memory_mb: float | None = None
    """Peak memory of the process by the end of this input, MB; None where it is not known."""
    log: tuple[str, ...] = ()
    """Lines of the program that an unforeseen error came from, outermost first."""
    overlay_file: Path | None = None
    """Path of the overlay; None if failed."""
    mask_file: Path | None = None
    """Path of the label image; None if failed."""

    @property
    def clusters(self) -> Table[Cluster]:
        """The clusters of the foci, as in `Analysis.clusters`."""
        return Table(measure_clusters(self.foci))

    def overlay(self) -> ByteImage:
        """Read the key frame with its findings drawn from the output folder.

        Returns
        -------
        array, shape (rows, columns, 3), uint8 RGB

        Raises
        ------
        ScanError
            If the input failed.
        """
        return _read_picture(self.overlay_file, self.image)[..., ::-1].copy()

    @property
    def labels(self) -> ByteImage:
        """The label image of the key frame, as in `Analysis.labels`, read from the output folder.

        Raises
        ------
        ScanError
            If the input failed.
        """
        return _read_picture(self.mask_file, self.image)[..., 0].copy()

    def to_json(self) -> str:
        """Return everything but the two file paths as JSON."""
        from usmicro.writing.tables import plain

        return json.dumps(
            {
                "image": self.image,
                "status": self.status,
                "error": self.error,
                "summary": None if self.summary is None else plain(self.summary),
                "foci": [plain(focus) for focus in self.foci],
                "masses": [plain(mass) for mass in self.masses],
                # values only: a long cine has many rows
                "tracks": [list(plain(point).values()) for point in self.tracks],
                "key_frame": self.key_frame,
                "notes": self.notes,
                "warnings": [asdict(warning) for warning in self.warnings],
                "device": asdict(self.device),
                "decoder": self.decoder,
                "seconds": self.seconds,
                "fingerprint": self.fingerprint,
                "written": self.written,
                "extras": self.optional_files,
                "memory_mb": self.memory_mb,
                "log": self.log,
            }
        )

    @staticmethod
    def from_json(
        text: str, *, overlay_file: Path | None = None, mask_file: Path | None = None
    ) -> Result:
        """Return the result that `to_json` stored.

        Parameters
        ----------
        text : str
            From `to_json`.
        overlay_file, mask_file : path, optional
            Paths of its pictures; a failed result has none.
        """
        stored: dict[str, Any] = json.loads(text)
        ok = stored["status"] == "ok"
        stored["summary"] = Summary(**stored["summary"]) if ok else None
        stored["foci"] = Table(Focus(**row) for row in stored["foci"])
        stored["masses"] = Table(Mass(**row) for row in stored["masses"])
        stored["tracks"] = Table(
            TrackPoint(**dict(zip(TRACK_FIELDS, row, strict=True))) for row in stored["tracks"]
        )
        stored["optional_files"] = stored.pop("extras")
        stored["warnings"] = tuple(
            ScanWarning(WarningCode(warning["code"]), warning["text"])
            for warning in stored["warnings"]
        )
        stored["device"] = Device(**stored["device"])
        for name in ("notes", "written", "log"):
            stored[name] = tuple(stored[name])
        return Result(
            **stored, overlay_file=overlay_file if ok else None, mask_file=mask_file if ok else None
        )


def _read_picture(file: Path | None, name: str) -> ByteImage:
    """Read a picture as an array of shape (rows, columns, 3), uint8 BGR."""
    import cv2

    from usmicro.writing.report.pictures import stored_picture

    if file is None:
        raise ScanError(f"{name}: has no picture, because it failed; its `error` gives the reason")
    return stored_picture(file, cv2.IMREAD_COLOR)
