"""One input of a run: what its worker is told, what it does, and what it answers."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from usmicro import __version__
from usmicro.arrays import ByteImage
from usmicro.clusters import measure_clusters
from usmicro.errors import ScanError, UsageError, UsmicroError
from usmicro.findings import Cluster, Focus, Mass, Summary, Table
from usmicro.outlines import MaskFunction, Outlines
from usmicro.scan import Spacing
from usmicro.settings import Settings, to_toml


@dataclass(frozen=True, slots=True)
class Job:
    """One input, and all that its worker must know."""

    name: str
    """What the tables call the image."""
    path: Path
    out: Path
    stem: str
    """Path of its overlay and mask below their folders, less the suffix."""
    settings: Settings
    spacing: Spacing | None = None
    spacing_wins: bool = False
    """The user's spacing replaces that of the file."""
    masks: Path | None = None
    """Folder of the user's masks."""
    mask_function: MaskFunction | None = None
    """The user's function that gives masks, in the place of a folder."""
    function_mark: str = ""
    """Tells whether that is the same function as in a former run."""
    address: str = ""
    """Where the scan is fetched, if it is on a DICOMweb server; `path` is then a file only while it is processed."""
    extras: tuple[str, ...] = ()
    """What to write beside overlay and mask: "dicom", "coco"."""

    @property
    def overlay_file(self) -> Path:
        """Where its overlay goes."""
        return self.out / "overlays" / f"{self.stem}.png"

    @property
    def mask_file(self) -> Path:
        """Where its label image goes."""
        return self.out / "masks" / f"{self.stem}.png"

    @property
    def picture_file(self) -> Path:
        """Where the clean picture for the report goes."""
        from usmicro.writing.report import picture_file

        return picture_file(self.out, self.stem)

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it writes of every input."""
        return self.overlay_file, self.mask_file, self.picture_file

    @property
    def extra_files(self) -> dict[str, tuple[Path, ...]]:
        """By extra, what it may write for it: not every input has a DICOM result."""
        from usmicro.writing.extras import extra_files

        return {extra: extra_files(self.out, self.stem, extra) for extra in self.extras}


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
    log: tuple[str, ...] = ()
    """Where in the program an unforeseen error arose."""
    overlay_file: Path | None = None
    mask_file: Path | None = None
    written: dict[str, list[str]] = field(default_factory=dict)
    """By extra that was asked for, the files that were written for it, below the output folder."""

    @property
    def clusters(self) -> Table[Cluster]:
        """The clusters that the foci form, as in `Analysis.clusters`."""
        return measure_clusters(self.foci)

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
                "log": self.log,
                "written": self.written,
            }
        )

    @staticmethod
    def from_json(text: str, job: Job) -> Result:
        """A result as `to_json` stored it."""
        stored: dict[str, Any] = json.loads(text)
        ok = stored["status"] == "ok"
        stored["summary"] = Summary(**stored["summary"]) if ok else None
        stored["foci"] = Table(Focus(**row) for row in stored["foci"])
        stored["masses"] = Table(Mass(**row) for row in stored["masses"])
        stored["notes"], stored["log"] = tuple(stored["notes"]), tuple(stored["log"])
        return Result(**stored, overlay_file=job.overlay_file if ok else None, mask_file=job.mask_file if ok else None)


def _read_picture(file: Path | None, name: str) -> ByteImage:
    import cv2
    import numpy as np

    if file is None:
        raise ScanError(f"{name} failed, so that there is no picture of it; its `error` says why")
    return np.asarray(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR))


def fingerprint(job: Job) -> str:
    """Hash of everything that the result of a job depends on."""
    from usmicro.loading.masks import find_masks

    digest = hashlib.sha256(f"{__version__}\n{to_toml(job.settings)}\n{job.spacing}\n{job.spacing_wins}\n{job.function_mark}".encode())
    masks = [] if job.masks is None else find_masks(job.masks, job.name, job.path)
    network = job.settings.anatomy.mass_network
    digest.update(job.address.encode())  # its UIDs tell an instance from any other, so that it need not be fetched to know it
    for file in (*(() if job.address else (job.path,)), *masks, *([Path(network)] if network else ())):
        digest.update(f"{file.name}\n".encode("utf-8", "backslashreplace"))
        with open(file, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def process(job: Job) -> Result:
    """Analyse one input and write its overlay and mask; whatever goes wrong with the input becomes a failed result.

    Raises
    ------
    UsageError
        If the output cannot be written: no other input would fare better.
    """
    start = time.perf_counter()
    log: tuple[str, ...] = ()
    try:
        if not job.address:
            return _analyse(job, start)
        from usmicro.loading.dicomweb import fetched

        with fetched(job.address) as path:
            job = replace(job, path=path)
            return _analyse(job, start)
    except UsageError:
        raise
    except UsmicroError as error:
        reason = str(error)
    except MemoryError:
        reason = "not enough memory for this image; use fewer --workers, or lower loading.largest_image to refuse it early"
    except Exception as error:
        if isinstance(error, OSError) and error.filename in (None, str(job.path)):
            reason = f"cannot be read: {error.strerror or error}"
        else:  # a fault of the program costs one row, not the run
            reason, log = f"internal error: {type(error).__name__}: {error}", trace(error)
    return failure(job, reason, log=log, seconds=time.perf_counter() - start)


def failure(job: Job, reason: str, *, log: tuple[str, ...] = (), seconds: float = 0.0) -> Result:
    """The result of an input that failed; the reason is cut to one line without the paths of this machine."""
    reason = reason.replace(job.address, job.name) if job.address else reason
    for path, name in ((job.path, job.name), (job.masks, "the masks folder")):
        reason = reason.replace(str(path), name) if path is not None else reason
    for folder in sorted((folder for folder in sys.path if len(Path(folder).parts) > 1), key=len, reverse=True):
        reason = reason.replace(f"{folder}{os.sep}", "")
    reason = " ".join(reason.split()).removeprefix(f"{job.name}: ")
    return Result(image=job.name, status="failed", error=reason, log=log, seconds={"total": seconds})


def trace(error: BaseException) -> tuple[str, ...]:
    """Where an error arose, outermost first, with the files named as Python imports them."""
    return tuple(f"{module_path(frame.filename)}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__))


def module_path(file: str) -> str:
    """A source file's path below the folder that it is imported from, so that no folder of this machine is told."""
    path = Path(file)
    below = [path.relative_to(folder) for folder in map(Path, sys.path) if folder.is_absolute() and path.is_relative_to(folder)]
    return min(below, key=lambda found: len(found.parts)).as_posix() if below else path.name


def _analyse(job: Job, start: float) -> Result:
    from usmicro.analysis import analyze
    from usmicro.loading import load
    from usmicro.loading.masks import read_masks
    from usmicro.writing import encode_png, write_atomically
    from usmicro.writing.extras import Extras
    from usmicro.writing.report_pictures import encode_picture
    from usmicro.writing.tables import not_finite

    mark = fingerprint(job)
    scan = load(job.path, name=job.name, spacing=job.spacing, spacing_wins=job.spacing_wins, settings=job.settings.loading)
    given: Outlines | MaskFunction | None = job.mask_function
    if job.masks is not None:
        given = read_masks(job.masks, job.name, (scan.rows, scan.columns), scan=job.path, frames=scan.promised_frames)
    extras = Extras(job.extra_files, job.path, mark, given=given is not None)
    analysis = analyze(scan, settings=job.settings, masks=given, each_frame=extras.each_frame)
    analysed = time.perf_counter()
    write_atomically(job.overlay_file, encode_png(analysis.overlay()))
    write_atomically(job.mask_file, encode_png(analysis.labels))
    write_atomically(job.picture_file, encode_picture(analysis.image, analysis.labels))
    written, unwritten = extras.write(analysis)
    end = time.perf_counter()
    findings: list[Focus | Mass | Summary] = [analysis.summary, *analysis.foci, *analysis.masses]
    odd = dict.fromkeys(name for finding in findings for name in not_finite(finding))
    return Result(
        image=job.name,
        status="ok",
        summary=analysis.summary,
        foci=analysis.foci,
        masses=analysis.masses,
        key_frame=analysis.frame,
        notes=(*analysis.notes, *unwritten, *(f"{name} was not a finite number and is left empty" for name in odd)),
        decoder=scan.decoder,
        seconds={**analysis.seconds, "writing": end - analysed, "total": end - start},
        fingerprint=mark,
        overlay_file=job.overlay_file,
        mask_file=job.mask_file,
        written={extra: [file.relative_to(job.out).as_posix() for file in files] for extra, files in written.items()},
    )
