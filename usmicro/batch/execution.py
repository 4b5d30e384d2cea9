"""Execution of a run: compute what is not stored yet, and yield all results in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.batch.arrays import ArrayInputs, release
from usmicro.batch.frames_left import count_in_background
from usmicro.batch.groups import GROUPS
from usmicro.batch.jobs import Job, fingerprint_of, has_intact_files
from usmicro.batch.processes import available_cores
from usmicro.batch.progress import Progress
from usmicro.batch.pseudonyms import write_key
from usmicro.batch.record import Record
from usmicro.batch.results import Result
from usmicro.batch.store import COCO, DATABASE, RECORD, ResultStore, open_store
from usmicro.batch.tables import write_outputs
from usmicro.batch.workers import OnJobProgress, in_process, in_workers
from usmicro.errors import ScanError, UsageError
from usmicro.loading.temporary import temporary_folder
from usmicro.writing.files import replacing, unfinished_folder
from usmicro.writing.report.page import remove_report

if TYPE_CHECKING:
    from usmicro.batch.mirror import Mirror

CHECKED_AT_ONCE = 1000
"""Number of stored results that are in memory at a time while --resume checks them. Chosen by
judgement; no measurement is recorded."""
CHECKING_THREADS = 8
"""Greatest number of threads that hash files for --resume. Chosen by judgement; no measurement is
recorded."""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """The checked arguments of a run, and its jobs."""

    jobs: list[Job]
    """One for each input that is analysed, in the order of their names; none yet for arrays."""
    arrays: tuple[ArrayInputs, Job] | None = None
    """Arrays to analyse instead, and a job with what they have in common."""
    others: list[Job]
    """Inputs beyond the limit of a continued run, whose former results stay in the tables."""
    record: Record
    """Collects the content of run.json."""
    out: str | Path
    """Output folder or its address, as given by the user."""
    mirror: Mirror | None
    """Copy of an output at an address; None if the output is a folder."""
    workers: int | None
    """Number of worker processes; 1 computes in this process, None on the cluster."""
    cluster: str | None
    """Address of a Dask scheduler."""
    key_file: Path | None
    """File of the key of pseudonyms."""
    key: bytes | None
    """Key of pseudonyms."""
    resume: bool
    overwrite: bool
    quiet: bool
    """True if no progress is reported."""
    compute: Callable[[Job], Result] | None = None
    """Computes a job in this process, instead of an analysis of its input by the workers."""


def execute(plan: RunPlan) -> Generator[Result, None, None]:
    """Run a plan; yield the results in the order of its jobs.

    Nothing is written or locked before the first result is requested. Closing the generator ends
    the run: it stops the workers, writes the tables of the results so far and releases the folder.

    Raises
    ------
    UsageError
        If the output cannot be written, or the cluster cannot be used.
    UsmicroError
        If no worker process can be started.
    """
    if plan.key_file is not None and plan.key is not None:
        write_key(plan.key_file, plan.key)
    if plan.mirror is None:
        yield from _execute_in(Path(plan.out), plan)
    else:
        folder = plan.mirror.open()
        yield from plan.mirror.synchronised(_execute_in(folder, plan))


def _execute_in(out: Path, plan: RunPlan) -> Generator[Result, None, None]:
    """Run a plan in a local output folder.

    A result that must wait for an earlier one waits in the database, so that memory does not grow
    with the number of inputs.
    """
    jobs, others = (
        list(listed) if plan.mirror is None else [replace(job, out=out) for job in listed]
        for listed in (plan.jobs, plan.others)
    )
    record = plan.record
    record.started = datetime.now(UTC)
    total = len(jobs) if plan.arrays is None else plan.arrays[0].count
    progress = Progress(total, None if plan.quiet else sys.stderr)
    with ExitStack() as cleanup:
        store = open_store(out, resume=plan.resume, overwrite=plan.overwrite)
        cleanup.callback(store.close)
        former = [job for job in others if store.result(job) is not None]
        outdated = _outdated_names(former, store)
        # arrays add their jobs during the run
        cleanup.callback(lambda: write_outputs([*jobs, *former], store, record, outdated=outdated))
        cleanup.callback(progress.close)
        for remark in record.remarks:
            progress.say(remark)
        store.reserve(jobs)
        # report, coco.json and groups.csv would not match the tables, which are written at the end
        remove_report(out)
        (out / COCO).unlink(missing_ok=True)
        (out / GROUPS).unlink(missing_ok=True)
        with replacing(out / RECORD, durable=True) as file:
            record.write(file, ())  # run.json marks the folder as one of results, not of scans
        stored = set(_unchanged_jobs(jobs, store)) if plan.resume else set()
        for index in sorted(stored):
            progress.add(jobs[index].name, kept=True)
        pending = [index for index in range(len(jobs)) if index not in stored]
        if not plan.quiet:
            cleanup.callback(
                count_in_background([jobs[index] for index in pending], progress.expect)
            )

        def on_progress(job: Job, done: int, declared: int) -> None:
            progress.add_frame(job.name, done, declared)

        def added_jobs(arrays: ArrayInputs, like: Job, folder: Path) -> Iterator[Job]:
            """Add the job of each array when it is taken; yield those that must be computed.

            An error ends the arrays. It is raised behind the results of those before it, so that
            the tables are the same whatever the workers.
            """
            try:
                for job in arrays.jobs(replace(like, out=out), folder):
                    index = len(jobs)
                    jobs.append(job)
                    store.reserve([job], at_once=False)
                    if plan.resume and list(_unchanged_jobs([job], store)):
                        stored.add(index)
                        progress.add(job.name, kept=True)
                        release(job)
                    else:
                        pending.append(index)
                        yield job
            except Exception as error:  # the caller's iterator may raise anything
                errors.append(error)

        errors: list[Exception] = []
        to_compute: Iterable[Job] = [jobs[index] for index in pending]
        if plan.arrays is not None:
            # the machines of a cluster share the output folder
            place = temporary_folder() if plan.cluster is None else unfinished_folder(out)
            folder = cleanup.enter_context(place)
            to_compute = added_jobs(*plan.arrays, folder)
        computed = _compute(to_compute, plan, on_progress)
        cleanup.callback(computed.close)  # the workers end before the tables are written
        following = 0  # index of the job whose result is yielded next
        while following in stored:
            yield _stored_result(jobs[following], store)
            following += 1
        for position, result in computed:
            store.store(result)
            frames = 1 if result.summary is None else result.summary.frames
            progress.add(result.image, result.error, frames=frames)
            index = pending[position]
            stored.add(index)
            if plan.arrays is not None:
                release(jobs[index])
            while following in stored:
                yield result if following == index else _stored_result(jobs[following], store)
                following += 1
        while following in stored:  # arrays whose results were kept, behind the last computed one
            yield _stored_result(jobs[following], store)
            following += 1
        if errors:
            raise errors[0]
        record.complete = True


def _outdated_names(jobs: list[Job], store: ResultStore) -> frozenset[str]:
    """Return the names of the jobs whose stored results are ok, but no longer valid."""
    valid = set(_unchanged_jobs(jobs, store))
    return frozenset(
        job.name
        for index, job in enumerate(jobs)
        if index not in valid and _stored_result(job, store).status == "ok"
    )


def _compute(
    jobs: Iterable[Job], plan: RunPlan, on_progress: OnJobProgress
) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs here, in worker processes or on a cluster.

    Yields the index and the result of each job as soon as it is done.
    """
    if plan.compute is not None:
        return ((index, plan.compute(job)) for index, job in enumerate(jobs))
    if plan.cluster is not None:
        from usmicro.batch.cluster import on_cluster

        return on_cluster(jobs, plan.cluster, on_progress)
    if plan.workers == 1:
        return in_process(jobs, on_progress)
    return in_workers(jobs, plan.workers or 1, on_progress)


def _stored_result(job: Job, store: ResultStore) -> Result:
    """Return the result of a job that is known to be stored."""
    result = store.result(job)
    if result is None:
        raise UsageError(
            f"{store.out / DATABASE}: was changed by another program during the run; "
            "run again with --overwrite"
        )
    return result


def _unchanged_jobs(jobs: list[Job], store: ResultStore) -> Iterator[int]:
    """Yield the indices of the jobs whose stored results are still valid."""

    def is_unchanged(job: Job, result: Result) -> bool:
        try:
            return has_intact_files(job, result) and fingerprint_of(job) == result.fingerprint
        except (OSError, ScanError):
            return False  # the job itself will report why the file cannot be read

    with ThreadPoolExecutor(min(CHECKING_THREADS, available_cores())) as threads:
        for first in range(0, len(jobs), CHECKED_AT_ONCE):
            results = {
                index: result
                for index, job in enumerate(jobs[first : first + CHECKED_AT_ONCE], first)
                if (result := store.result(job)) is not None and result.status == "ok"
            }
            unchanged = threads.map(
                is_unchanged, (jobs[index] for index in results), results.values()
            )
            yield from (index for index, same in zip(results, unchanged, strict=True) if same)
