"""One input of a run: what its worker is told, what it does, and what it answers."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro import __version__
from usmicro.anatomy.user_masks import MaskFunction, MasksLike
from usmicro.batch.pseudonyms import without_names
from usmicro.batch.results import Result
from usmicro.errors import UsageError, UsmicroError
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan, Spacing
from usmicro.settings import LimitSettings, Settings, to_toml

if TYPE_CHECKING:
    from usmicro.model.findings import Focus, Mass, Summary

FramesTold = Callable[[int, int], None]
"""Called with how many frames of an input are done and how many it promises."""


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
    real_name: str = ""
    """Path below INPUT where `name` is a pseudonym of it; else empty."""
    address: str = ""
    """Where the input is, if not at `path`: on a DICOMweb server, or what fsspec reads."""
    extras: tuple[str, ...] = ()
    """What to write beside overlay and mask: "dicom", "coco"."""

    @property
    def own_name(self) -> str:
        """Path below INPUT, by which the user's masks are found."""
        return self.real_name or self.name

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
        from usmicro.writing.report.page import picture_file

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


def fingerprint(job: Job) -> str:
    """Hash of everything that the result of a job depends on."""
    from usmicro.loading.masks import find_masks

    # limits say what an input may cost, not what is found in it
    settings = to_toml(replace(job.settings, limits=LimitSettings()))
    digest = hashlib.sha256(
        f"{__version__}\n{settings}\n{job.spacing}\n{job.spacing_wins}\n{job.function_mark}".encode()
    )
    masks = (
        []
        if job.masks is None
        else find_masks(job.masks, job.own_name, None if job.address else job.path)
    )
    network = job.settings.anatomy.mass_network
    if job.address:
        digest.update(f"{_mark_at(job.address)}\n".encode())
    for file in (
        *(() if job.address else (job.path,)),
        *masks,
        *([Path(network)] if network else ()),
    ):
        digest.update(f"{file.name}\n".encode("utf-8", "backslashreplace"))
        with open(file, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _mark_at(address: str) -> str:
    """What tells the input at an address from any other, without fetching it; the UIDs of DICOMweb do so themselves."""
    from usmicro.loading import remote
    from usmicro.loading.dicom import web as dicomweb

    return address if dicomweb.is_dicomweb(address) else remote.mark_at(address)


def process(job: Job, told: FramesTold | None = None) -> Result:
    """Analyse one input and write its overlay and mask; whatever goes wrong with the input becomes a failed result.

    Raises
    ------
    UsageError
        If the output cannot be written: no other input would fare better.
    """
    from usmicro.loading.formats import unquoted

    start = time.perf_counter()
    log: tuple[str, ...] = ()
    try:
        return _analyse(job, start, told)
    except UsageError:
        raise
    except UsmicroError as error:
        reason = str(error)
    except Exception as error:
        if is_lack_of_memory(error):
            reason = out_of_memory(job)
        elif isinstance(error, OSError) and error.filename in (None, str(job.path)):
            reason = f"cannot be read: {error.strerror or error}"
        else:  # a fault of the program costs one row, not the run
            reason, log = (
                f"internal error: {type(error).__name__}: {unquoted(str(error))}",
                trace(error),
            )
    return failure(job, reason, log=log, seconds=time.perf_counter() - start)


def is_lack_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that there is not enough memory: OpenCV has a type of its own for it."""
    import cv2

    while error is not None:
        if isinstance(error, MemoryError) or (
            isinstance(error, cv2.error) and getattr(error, "code", 0) == cv2.Error.StsNoMem
        ):
            return True
        error = error.__cause__
    return False


def out_of_memory(job: Job) -> str:
    """What a user can do about an input that needs more memory than there is."""
    return (
        f"needs more memory than there is, or than the {job.settings.limits.memory} MB that limits.memory allows a worker process; "
        "raise it, or use fewer --workers"
    )


def memory_used() -> float | None:
    """Most memory that this process has used so far, in MB; None where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


def failure(job: Job, reason: str, *, log: tuple[str, ...] = (), seconds: float = 0.0) -> Result:
    """The result of an input that failed; the reason is cut to one line without the paths of this machine."""
    reason = without_paths(reason, job)
    return Result(
        image=job.name,
        status="failed",
        error=reason,
        log=log,
        seconds={"total": seconds},
        memory_mb=memory_used(),
    )


def without_paths(text: str, job: Job) -> str:
    """One line that tells no path of this machine and, where inputs have pseudonyms, no name of one."""
    if job.address:
        text = text.replace(job.address, job.name)
    for path, name in ((job.path, job.name), (job.masks, "the masks folder")):
        text = text.replace(str(path), name) if path is not None else text
    if job.real_name:
        text = without_names(text, job.real_name, job.name)
        text = re.sub("the masks folder[^:]*", "the masks folder", text)
    for folder in sorted(
        (folder for folder in sys.path if len(Path(folder).parts) > 1), key=len, reverse=True
    ):
        text = text.replace(f"{folder}{os.sep}", "")
    return " ".join(text.split()).removeprefix(f"{job.name}: ")


def trace(error: BaseException) -> tuple[str, ...]:
    """Where an error arose, outermost first, with the files named as Python imports them."""
    return tuple(
        f"{module_path(frame.filename)}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    )


def module_path(file: str) -> str:
    """A source file's path below the folder that it is imported from, so that no folder of this machine is told."""
    path = Path(file)
    below = [
        path.relative_to(folder)
        for folder in map(Path, sys.path)
        if folder.is_absolute() and path.is_relative_to(folder)
    ]
    return min(below, key=lambda found: len(found.parts)).as_posix() if below else path.name


def _analyse(job: Job, start: float, told: FramesTold | None) -> Result:
    mark = fingerprint(job)
    hashed = time.perf_counter()
    with at_hand(job) as near:
        return _analyse_near(near, told, mark, start, hashed)


def _analyse_near(
    job: Job, told: FramesTold | None, mark: str, start: float, hashed: float
) -> Result:
    """Analyse an input that is on this machine; `start` and `hashed` are when it was begun and its fingerprint `mark` was made."""
    from usmicro.analysis import analyze
    from usmicro.loading import load
    from usmicro.loading.masks import read_masks
    from usmicro.writing import encode_png
    from usmicro.writing.extras import Extras
    from usmicro.writing.report.pictures import encode_picture
    from usmicro.writing.tables import not_finite

    scan = load(
        job.path,
        name=job.name,
        spacing=job.spacing,
        spacing_wins=job.spacing_wins,
        settings=job.settings.loading,
    )
    given: MasksLike | MaskFunction | None = job.mask_function
    if job.masks is not None:
        given = read_masks(
            job.masks,
            job.own_name,
            (scan.rows, scan.columns),
            scan=None if job.address else job.path,
            frames=scan.declared_frames,
        )
    extras = Extras(job.extra_files, job.path, mark, given=given is not None)
    each_frame = extras.each_frame
    analysis = analyze(
        scan if told is None else telling(scan, told),
        settings=job.settings,
        masks=given,
        each_frame=each_frame,
    )
    analysed = time.perf_counter()
    contents = (
        encode_png(analysis.overlay()),
        encode_png(analysis.labels),
        encode_picture(analysis.image, analysis.labels),
    )
    written = tuple(
        written_digest(content, file) for content, file in zip(contents, job.files, strict=True)
    )
    also_written, unwritten = extras.write(analysis)
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
        notes=(
            *(
                without_paths(without_sources(note, given) if job.real_name else note, job)
                for note in analysis.notes
            ),
            *unwritten,
            *(f"{name} was not a finite number and is left empty" for name in odd),
        ),
        decoder=scan.decoder,
        seconds={
            "hashing": hashed - start,
            **analysis.seconds,
            "writing": end - analysed,
            "total": end - start,
        },
        fingerprint=mark,
        written=written,
        memory_mb=memory_used(),
        overlay_file=job.overlay_file,
        mask_file=job.mask_file,
        extras={
            extra: {file.relative_to(job.out).as_posix(): _digest(file) for file in files}
            for extra, files in also_written.items()
        },
    )


def without_sources(note: str, given: MasksLike | MaskFunction | None) -> str:
    """A note without the names of the files that masks came from."""
    from usmicro.model.scan import UserMasks

    for source in given.sources if isinstance(given, UserMasks) else ():
        note = without_names(note, Path(source).name, "a mask")
    return note


@contextmanager
def at_hand(job: Job) -> Iterator[Job]:
    """The job with its input on this machine."""
    if not job.address:
        yield job
        return
    from usmicro.loading import remote
    from usmicro.loading.dicom import web as dicomweb

    fetched = dicomweb.fetched if dicomweb.is_dicomweb(job.address) else remote.fetched
    with fetched(job.address) as copy:
        try:
            yield replace(job, path=copy)
        except UsmicroError as error:
            raise type(error)(str(error).replace(str(copy), job.name)) from error


def telling(scan: Scan, told: FramesTold) -> Scan:
    """The same scan, which tells of each frame once the next one is asked for."""

    def read() -> Iterator[Frame]:
        for done, frame in enumerate(scan.read(), 1):
            yield frame
            told(done, max(done, scan.declared_frames))

    return replace(scan, read=read)


def written_digest(content: bytes, file: Path) -> str:
    """Write a file and give the hash of what it holds."""
    from usmicro.writing import write_atomically

    write_atomically(file, content)
    return hashlib.sha256(content).hexdigest()


def _digest(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_written(job: Job, result: Result) -> bool:
    """Whether the files of a job are what it wrote, and all that it is asked for: a power cut may leave one empty."""
    files = dict(zip(job.files, result.written, strict=False))
    for own in result.extras.values():
        files |= {job.out / file: digest for file, digest in own.items()}
    try:
        complete = len(result.written) == len(job.files) and set(job.extras) <= set(result.extras)
        return complete and all(_digest(file) == digest for file, digest in files.items())
    except OSError:
        return False
