"""Jobs on the machines of a Dask cluster.

Each thread of a Dask worker has a worker process of its own, the same as in a run on one machine, so that the limits hold there too and a
crash costs its file and not the Dask worker. Inputs and output must be on a file system that all machines share.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from usmicro import __version__
from usmicro.batch.jobs import Job, failure, is_written
from usmicro.batch.results import Result
from usmicro.batch.workers import Told, Worker
from usmicro.errors import UsageError, UsmicroError

IN_FLIGHT = 3
"""Jobs that the scheduler holds for each thread of the cluster; more would only be listed twice."""
SHARED_SECONDS = 30.0
"""So long may it take until the files that another machine wrote are seen here."""
_own = threading.local()


def on_cluster(
    jobs: Sequence[Job], address: str, told: Told
) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs on the workers of a scheduler; gives each job's index with its result, as they come.

    A job whose Dask worker is lost is computed by another one; after several lost ones it fails, as it may be what kills them.

    Raises
    ------
    UsageError
        If Dask is not installed, there is no scheduler or it is lost, or its workers are none, or have another version or file system.
    """
    client = connected(address)
    topic = f"usmicro-{uuid.uuid4()}"
    finished: queue.SimpleQueue[tuple[int, Any] | tuple[int, int, int]] = queue.SimpleQueue()
    client.subscribe_topic(topic, lambda event: finished.put(event[1]))
    futures: dict[int, Any] = {}
    given = done = 0
    seen_files = False
    try:
        while done < len(jobs):
            room = IN_FLIGHT * max(1, sum(client.nthreads().values())) - len(futures)
            while room > 0 and given < len(jobs):
                job = replace(
                    jobs[given],
                    path=Path(os.path.abspath(jobs[given].path)),
                    out=Path(os.path.abspath(jobs[given].out)),
                )
                # named by number: the cluster's logs and its page tell the names of jobs
                future = client.submit(
                    compute, job, given, topic, __version__, key=f"{topic}-{given}", pure=False
                )
                future.add_done_callback(lambda future, index=given: finished.put((index, future)))
                futures[given] = future
                given, room = given + 1, room - 1
            try:
                event = finished.get(timeout=1.0)
            except queue.Empty:
                _check_connected(client, address)
                continue
            if len(event) == 3:
                told(jobs[event[0]], event[1], event[2])
                continue
            index, future = event
            del futures[index]
            result = _outcome(future, jobs[index], address)
            if result.status == "ok":
                job = jobs[index]
                if not seen_files:
                    _check_shared(job, result)
                    seen_files = True
                result = replace(result, overlay_file=job.overlay_file, mask_file=job.mask_file)
            done += 1
            yield index, result
    finally:
        client.cancel(list(futures.values()))
        client.close()


def connected(address: str) -> Any:
    """A client of a scheduler.

    Raises
    ------
    UsageError
        If Dask is not installed, nothing answers there, or no worker is there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            f'--cluster needs Dask, which is not installed; pip install "usmicro[cluster]" ({error})'
        ) from error
    try:
        client: Any = Client(address, timeout=20, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--cluster {address}: no Dask scheduler answers there ({error}); start one with: dask scheduler"
        ) from error
    try:
        client.wait_for_workers(1, timeout=60)
    except TimeoutError as error:
        client.close()
        raise UsageError(
            f"--cluster {address}: the scheduler has no workers; start some with: dask worker {address}"
        ) from error
    return client


def compute(job: Job, index: int, topic: str, version: str) -> Result | UsmicroError:
    """What a thread of a Dask worker runs; errors are given back, since Dask would write what it was called with into its log."""
    from distributed import get_worker

    if version != __version__:
        return UsageError(
            f"--cluster: a worker has usmicro {__version__}, this run is by {version}; install the same on all machines"
        )
    worker = getattr(_own, "worker", None)
    if worker is None:
        worker = _own.worker = Worker()
    dask_worker = get_worker()
    try:
        result: Result = worker.compute(
            job, lambda done, promised: dask_worker.log_event(topic, (index, done, promised))
        )
    except UsmicroError as error:
        return error
    return replace(result, overlay_file=None, mask_file=None)


def _outcome(future: Any, job: Job, address: str) -> Result:
    from distributed import KilledWorker

    if future.status == "cancelled" or future.status == "lost":
        raise _lost(address)
    error = future.exception()
    if isinstance(error, KilledWorker):
        return failure(
            job,
            "several workers of the cluster were lost while they computed this file; it may be what killed them",
        )
    if error is not None:
        raise UsmicroError(
            f"--cluster {address}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        )
    answer: Result | UsmicroError = future.result()
    if isinstance(answer, UsmicroError):
        raise answer
    return answer


def _check_connected(client: Any, address: str) -> None:
    if client.status not in ("running", "connecting"):
        raise _lost(address)


def _lost(address: str) -> UsageError:
    return UsageError(
        f"--cluster {address}: the connection to the scheduler is lost; run again with --resume: finished inputs are kept"
    )


def _check_shared(job: Job, result: Result, wait: Callable[[float], None] = time.sleep) -> None:
    """Make sure that the workers write where this process reads."""
    end = time.monotonic() + SHARED_SECONDS
    while not is_written(job, result):
        if time.monotonic() > end:
            raise UsageError(
                f"{job.out}: what the workers of the cluster write is not seen here; give --out a folder that all machines share"
            )
        wait(0.5)
