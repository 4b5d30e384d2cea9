"""The analysis of one job: read the input, analyse it and write its files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.anatomy.user_masks import MaskFunction, MasksLike
from usmicro.batch.failures import (
    failed_result,
    out_of_memory_message,
    traceback_lines,
    without_paths,
)
from usmicro.batch.jobs import Job, OnProgress, file_hash, fingerprint_of
from usmicro.batch.memory import is_lack_of_memory, memory_used
from usmicro.batch.pseudonyms import without_names
from usmicro.batch.results import Result
from usmicro.errors import UsageError, UsmicroError
from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.scan import Scan
from usmicro.model.warnings import ScanWarning
from usmicro.result import Table

if TYPE_CHECKING:
    from usmicro.model.findings import Focus, Mass, Summary


def run_job(job: Job, on_progress: OnProgress | None = None) -> Result:
    """Analyse one input and write its files; any fault of the input gives a failed result.

    Parameters
    ----------
    job : Job
    on_progress : function, optional
        Called after each frame with the number of frames that are done and the number that the file
        declares.

    Raises
    ------
    UsageError
        If the output cannot be written, in which case every other input would fail too.
    """
    from usmicro.loading.formats import without_quotations

    start = time.perf_counter()
    log: tuple[str, ...] = ()
    try:
        return _analyse(job, start, on_progress)
    except UsageError:
        raise
    except UsmicroError as error:
        reason = str(error)
    except Exception as error:
        if is_lack_of_memory(error):
            reason = out_of_memory_message(job)
        elif isinstance(error, OSError) and error.filename in (None, str(job.path)):
            reason = f"cannot be read: {error.strerror or error}"
        else:  # a fault of the program costs one row, not the run
            reason = f"internal error: {type(error).__name__}: {without_quotations(str(error))}"
            log = traceback_lines(error)
    return failed_result(job, reason, log=log, seconds=time.perf_counter() - start)


def _analyse(job: Job, start: float, on_progress: OnProgress | None) -> Result:
    """Analyse an input; `start` is the time at which the job began, s of `time.perf_counter`."""
    fingerprint = fingerprint_of(job)
    hashed = time.perf_counter()
    with local_copy(job) as local_job:
        return _analyse_local(local_job, on_progress, fingerprint, start, hashed)


def _analyse_local(
    job: Job, on_progress: OnProgress | None, fingerprint: str, start: float, hashed: float
) -> Result:
    """Analyse an input that is a local file.

    `start` is the time at which the job began and `hashed` the time at which its fingerprint was
    ready, both in s of `time.perf_counter`.
    """
    from usmicro.analysis import analyze
    from usmicro.loading import load
    from usmicro.loading.masks import read_masks
    from usmicro.loading.second_reading import frames_at
    from usmicro.writing import encode_labels, encode_with_drawing
    from usmicro.writing.cine_outputs import CineOutputs
    from usmicro.writing.optional_outputs import OptionalOutputs
    from usmicro.writing.report.details import encode_details
    from usmicro.writing.report.pictures import encode_picture
    from usmicro.writing.tables import not_finite

    scan = load(
        job.path,
        name=job.name,
        spacing=job.spacing,
        spacing_wins=job.spacing_wins,
        settings=job.settings.loading,
    )
    user_masks: MasksLike | MaskFunction | None = job.mask_function
    if job.masks is not None:
        user_masks = read_masks(
            job.masks,
            job.own_name,
            (scan.rows, scan.columns),
            scan=job.scan_file,
            uid=job.image_uid or None,
            frames=scan.declared_frames,
        )
    each_frame = job.settings.coco.frames and scan.declared_frames > 1
    optional = OptionalOutputs(
        job.optional_files,
        job.path,
        fingerprint,
        given=user_masks is not None,
        coco_frames=(job.out / "images", job.stem) if each_frame else None,
    )
    cine = None
    if scan.declared_frames > 1:
        cine = CineOutputs(job.out, job.stem, job.settings.report.frames)
    collectors = [
        collect
        for collect in (optional.each_frame, None if cine is None else cine.each_frame)
        if collect is not None
    ]

    def collect_frame(frame: int, labels: ByteImage) -> None:
        for collect in collectors:
            collect(frame, labels)

    analysis = analyze(
        scan if on_progress is None else with_progress(scan, on_progress),
        settings=job.settings,
        masks=user_masks,
        each_frame=collect_frame if collectors else None,
    )
    analysed = time.perf_counter()
    contents = (
        encode_with_drawing(analysis.overlay()),
        encode_labels(analysis.labels),
        encode_picture(analysis.image, analysis.labels),
        encode_details(analysis, job.settings.report.details),
    )
    hashes = tuple(
        write_and_hash(content, file) for content, file in zip(contents, job.files, strict=True)
    )
    read_again = partial(frames_at, with_sign_of_life(scan, on_progress))
    optional_files, optional_notes = optional.write(analysis, read_again)
    if cine is not None:
        optional_files["cine"] = cine.write(analysis, read_again)
    end = time.perf_counter()
    findings: list[Focus | Mass | Summary] = [analysis.summary, *analysis.foci, *analysis.masses]
    left_empty = dict.fromkeys(name for finding in findings for name in not_finite(finding))
    notes, warnings = analysis.notes, analysis.warnings
    if job.real_name:
        notes = tuple(without_mask_names(note, user_masks) for note in notes)
        warnings = tuple(
            ScanWarning(warning.code, without_mask_names(warning.text, user_masks))
            for warning in warnings
        )
    return Result(
        image=job.name,
        status="ok",
        summary=analysis.summary,
        foci=Table(replace(focus, shadow_profile=None) for focus in analysis.foci),
        masses=analysis.masses,
        tracks=analysis.tracks,
        key_frame=analysis.frame,
        notes=(
            *(without_paths(note, job) for note in notes),
            *optional_notes,
            *(f"{name} was not a finite number and is left empty" for name in left_empty),
        ),
        warnings=tuple(
            ScanWarning(warning.code, without_paths(warning.text, job)) for warning in warnings
        ),
        device=scan.device,
        decoder=scan.decoder,
        seconds={
            "hashing": hashed - start,
            **analysis.seconds,
            "writing": end - analysed,
            "total": end - start,
        },
        fingerprint=fingerprint,
        written=hashes,
        memory_mb=memory_used(),
        overlay_file=job.overlay_file,
        mask_file=job.mask_file,
        optional_files={
            name: {file.relative_to(job.out).as_posix(): file_hash(file) for file in files}
            for name, files in optional_files.items()
        },
    )


def without_mask_names(note: str, user_masks: MasksLike | MaskFunction | None) -> str:
    """Return a note without the names of the files that masks were read from."""
    from usmicro.model.scan import UserMasks

    for source in user_masks.sources if isinstance(user_masks, UserMasks) else ():
        note = without_names(note, Path(source).name, "a mask")
    return note


@contextmanager
def local_copy(job: Job) -> Iterator[Job]:
    """Yield the job with its input as a local file.

    An input at an address is fetched first, and one in a zip archive is unpacked.
    """
    if job.scan_file is not None:
        yield job
        return
    with _copy_of(job) as copy:
        try:
            yield replace(job, path=copy)
        except UsmicroError as error:
            raise type(error)(str(error).replace(str(copy), job.name)) from error


def _copy_of(job: Job) -> AbstractContextManager[Path]:
    """Return a context that gives a temporary copy of an input that is not a local file."""
    from usmicro.loading import remote
    from usmicro.loading.dicom import web as dicomweb
    from usmicro.loading.zip_archive import unpacked

    if job.member is not None:
        return unpacked(job.path, job.member, largest_mb=job.settings.loading.largest_inflated)
    if dicomweb.is_dicomweb(job.address):
        return dicomweb.local_copy(job.address)
    return remote.local_copy(job.address)


def with_progress(scan: Scan, on_progress: OnProgress) -> Scan:
    """Return a scan with the same frames that calls `on_progress` after each frame is used."""

    def read() -> Iterator[Frame]:
        for done, frame in enumerate(scan.read(), 1):
            yield frame
            on_progress(done, max(done, scan.declared_frames))

    return replace(scan, read=read)


def with_sign_of_life(scan: Scan, on_progress: OnProgress | None) -> Scan:
    """Return a scan with the same frames that reports all as done after each frame is used.

    A worker that reports nothing for limits.seconds ends, also while it writes pictures of frames.
    """

    def read() -> Iterator[Frame]:
        for frame in scan.read():
            yield frame
            if on_progress is not None:
                on_progress(scan.declared_frames, scan.declared_frames)

    return replace(scan, read=read)


def write_and_hash(content: bytes, file: Path) -> str:
    """Write a file and return the SHA-256 hash of its content, in hexadecimal digits."""
    from usmicro.writing import write_atomically

    write_atomically(file, content)
    return hashlib.sha256(content).hexdigest()
