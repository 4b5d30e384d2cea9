"""The analysis of one job: read the input, analyse it and write its files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from usmicro.anatomy.user_masks import MaskFunction, MasksLike
from usmicro.batch.failures import (
    failed_result,
    out_of_memory_message,
    traceback_lines,
)
from usmicro.batch.job_files import write_result
from usmicro.batch.jobs import Job, OnProgress, fingerprint_of
from usmicro.batch.memory import is_lack_of_memory
from usmicro.batch.results import Result
from usmicro.errors import ScanError, UsageError, UsmicroError
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan


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
    if job.fault:
        raise ScanError(job.fault)
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
    from usmicro.writing.optional_outputs import OptionalOutputs

    scan = job.scan or load(
        job.path,
        name=job.name,
        spacing=job.spacing,
        spacing_wins=job.spacing_wins,
        settings=job.settings.loading,
    )
    user_masks: MasksLike | MaskFunction | None = None
    if job.mask_function is not None:
        user_masks = job.mask_function.load()
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
    analysis = analyze(
        scan if on_progress is None else with_progress(scan, on_progress),
        settings=job.settings,
        masks=user_masks,
        detector=None if job.detector is None else job.detector.load(),
        each_frame=optional.each_frame,
    )
    return write_result(
        job,
        analysis,
        scan,
        optional,
        read_again=partial(frames_at, with_sign_of_life(scan, on_progress)),
        user_masks=user_masks,
        fingerprint=fingerprint,
        seconds={"hashing": hashed - start},
        start=start,
    )


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
