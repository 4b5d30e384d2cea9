"""Jobs on the machines of a Dask cluster.

Each thread of a Dask worker has its own worker process, as in a run on one machine. The limits of
time and memory therefore apply there too, and a crash costs its file and not the Dask worker.
Inputs and output must be on a file system that all machines share.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from usmicro import __version__
from usmicro.batch.failures import failed_result
from usmicro.batch.jobs import Job, has_intact_files
from usmicro.batch.results import Result
from usmicro.batch.workers import OnJobProgress, Worker
from usmicro.errors import UsageError, UsmicroError

JOBS_A_THREAD = 3
"""Number of jobs that the scheduler holds for each thread of the cluster; more would only lengthen
its list. Chosen by judgement; no measurement is recorded."""
CONNECT_SECONDS = 20.0
"""Time to wait for the scheduler, s. Chosen by judgement."""
WORKERS_SECONDS = 60.0
"""Time to wait for the first Dask worker, s. Chosen by judgement."""
SHARED_SECONDS = 30.0
"""Time to wait until files that another machine wrote are visible here, s. Chosen by judgement; no
measurement is recorded."""
_of_thread = threading.local()
"""The worker process of each thread of a Dask worker."""


def on_cluster(
    jobs: Iterable[Job], address: str, on_progress: OnJobProgress
) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs on the workers of a scheduler; yield index and result of each when it is done.

    If a Dask worker is lost, another one computes its job. After several losses the job fails, as
    it may be the cause. Jobs are taken when the cluster is about to need them.

    Raises
    ------
    UsageError
        If Dask is not installed, the scheduler cannot be reached, it has no workers, or they have
        another version of usmicro or another file system.
    """
    client = connect(address)
    topic = f"usmicro-{uuid.uuid4()}"
    events: queue.SimpleQueue[tuple[int, Any] | tuple[int, int, int]] = queue.SimpleQueue()
    client.subscribe_topic(topic, lambda event: events.put(event[1]))
    running: dict[int, tuple[Job, Any]] = {}
    """Jobs that are not done, each with its future."""
    waiting = enumerate(jobs)
    checked_files = False
    try:
        while True:
            room = JOBS_A_THREAD * max(1, sum(client.nthreads().values())) - len(running)
            for index, job in islice(waiting, max(room, 0)):
                absolute = replace(
                    job,
                    path=Path(os.path.abspath(job.path)),
                    out=Path(os.path.abspath(job.out)),
                )
                # the key is a number, because the logs and the web page of the cluster show keys
                key = f"{topic}-{index}"
                future = client.submit(
                    compute, absolute, index, topic, __version__, key=key, pure=False
                )
                future.add_done_callback(lambda future, index=index: events.put((index, future)))
                running[index] = job, future
            if not running:
                break
            try:
                event = events.get(timeout=1.0)
            except queue.Empty:
                _check_connected(client, address)
                continue
            if len(event) == 3:
                if event[0] in running:  # otherwise the message comes behind the result
                    on_progress(running[event[0]][0], event[1], event[2])
                continue
            index, future = event
            job, _ = running.pop(index)
            result = _result_of(future, job, address)
            if result.status == "ok":
                if not checked_files:
                    _check_shared(job, result)
                    checked_files = True
                result = replace(result, overlay_file=job.overlay_file, mask_file=job.mask_file)
            yield index, result
    finally:
        client.cancel([future for _, future in running.values()])
        client.close()


def connect(address: str) -> Any:
    """Return a client of the scheduler at an address.

    Raises
    ------
    UsageError
        If Dask is not installed, the scheduler does not answer, or it has no workers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--cluster needs Dask, which is not installed; "
            f'pip install "usmicro[cluster]" ({error})'
        ) from error
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--cluster {address}: no Dask scheduler answers there ({error}); "
            "start one with: dask scheduler"
        ) from error
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError as error:
        client.close()
        raise UsageError(
            f"--cluster {address}: the scheduler has no workers; "
            f"start some with: dask worker {address}"
        ) from error
    return client


def compute(job: Job, index: int, topic: str, version: str) -> Result | UsmicroError:
    """Compute a job in a thread of a Dask worker.

    Errors are returned, not raised, since Dask would write the arguments of a call that raises to
    its log, and these name the input.

    Parameters
    ----------
    job : Job
    index : int
        Its number in the run.
    topic : str
        Dask topic for messages about progress.
    version : str
        Version of usmicro on the machine that started the run.
    """
    from distributed import get_worker

    if version != __version__:
        return UsageError(
            f"--cluster: a worker has usmicro {__version__}, this run is by {version}; "
            "install the same on all machines"
        )
    worker = getattr(_of_thread, "worker", None)
    if worker is None:
        worker = _of_thread.worker = Worker()
    dask_worker = get_worker()

    def on_progress(done: int, declared: int) -> None:
        dask_worker.log_event(topic, (index, done, declared))

    try:
        result: Result = worker.compute(job, on_progress)
    except UsmicroError as error:
        return error
    return replace(result, overlay_file=None, mask_file=None)


def _result_of(future: Any, job: Job, address: str) -> Result:
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise _connection_lost(address)
    error = future.exception()
    if isinstance(error, KilledWorker):
        return failed_result(
            job,
            "several workers of the cluster were lost while they computed this file, "
            "which may be the cause",
        )
    if error is not None:
        words = " ".join(str(error).split())[:300]
        raise UsmicroError(f"--cluster {address}: {type(error).__name__}: {words}")
    answer: Result | UsmicroError = future.result()
    if isinstance(answer, UsmicroError):
        raise answer
    return answer


def _check_connected(client: Any, address: str) -> None:
    if client.status not in ("running", "connecting"):
        raise _connection_lost(address)


def _connection_lost(address: str) -> UsageError:
    return UsageError(
        f"--cluster {address}: the connection to the scheduler is lost; "
        "run again with --resume: finished inputs are kept"
    )


def _check_shared(job: Job, result: Result, wait: Callable[[float], None] = time.sleep) -> None:
    """Check that the files that the workers write are visible to this process."""
    end = time.monotonic() + SHARED_SECONDS
    while not has_intact_files(job, result):
        if time.monotonic() > end:
            raise UsageError(
                f"{job.out}: files that the workers of the cluster write are not visible here; "
                "give --out a folder that all machines share"
            )
        wait(0.5)
