"""Worker processes: each computes one job at a time, so that a crash costs only its own file.

A worker is a new Python process that communicates through its standard input and output. Unlike a
process of multiprocessing it does not import the caller's script again, so `usmicro.run` works in a
plain script and in a notebook. The death of one worker does not affect the others.
"""

from __future__ import annotations

import gc
import math
import pickle
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from usmicro.batch.compiling import compiling_beside
from usmicro.batch.failures import failed_result, module_path, out_of_memory_message
from usmicro.batch.job_analysis import run_job
from usmicro.batch.jobs import Job, OnProgress
from usmicro.batch.processes import SEARCH_PATH, start_python
from usmicro.batch.results import Result
from usmicro.batch.serving import COMPILING_SECONDS
from usmicro.errors import UsageError, UsmicroError

WORKER_PROGRAM = (
    SEARCH_PATH
    + "import gc; gc.disable(); from usmicro.batch.serving import serve; gc.enable(); serve()"
)
"""Python program of a worker; its argument is the `sys.path` of the main process, as JSON. While
modules are imported, a search for garbage takes a sixth of the time and finds none."""
MOST_SINGLE_JOBS = 3
"""Greatest number of jobs that run one at a time while kernels are not compiled. The smallest jobs
run first, until one succeeds and has compiled the kernels that the other workers then load. Chosen
by judgement; no measurement is recorded."""
QUEUED_ANSWERS = 8
"""Number of answers for each worker that may wait to be taken, so that they do not fill the memory.
A worker waits while the queue is full. Chosen by judgement; no measurement is recorded."""
QUEUED_JOBS = 2
"""Number of jobs of an iterator for each worker that are taken but not done: one is computed, and
another waits, so that the worker need not. Chosen by judgement; no measurement is recorded."""
GRACE_SECONDS = 10.0
"""Time after its limit at which a process that has not ended itself is killed, s. Chosen by
judgement; no measurement is recorded."""
POLL_SECONDS = 0.5
"""Time between two checks of a waiting thread, s. Without a limit, a waiting main thread would not
notice an interrupt on Windows. Chosen by judgement."""
JOIN_SECONDS = 5.0
"""Greatest time to wait for the end of a thread, s. Chosen by judgement."""
MOST_TRACEBACK_LINES = 20
"""Greatest number of lines that are kept from the traceback of a crash. Chosen by judgement."""

OnJobProgress = Callable[[Job, int, int], None]
"""Function that is called with a job, the number of its frames that are done and the number that it
declares. 0 of 0 frames means that kernels are being compiled."""


def in_process(
    jobs: Iterable[Job], on_progress: OnJobProgress
) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs one after the other in this process; yield the index and result of each."""
    import cv2

    from usmicro.batch.warmup import is_compiled, note_compiled, preload

    threads = cv2.getNumThreads()
    compiled = True
    helpers = ExitStack()
    try:
        for index, job in enumerate(jobs):
            if not index:
                compiled = is_compiled()
            if not compiled:
                on_progress(job, 0, 0)
            if not index:
                if not compiled:
                    helpers.enter_context(compiling_beside())
                preload()
            cv2.setNumThreads(1)
            result = run_job(job, partial(on_progress, job))
            cv2.setNumThreads(threads)
            if not compiled and result.status == "ok":
                note_compiled()
                compiled = True
                helpers.close()
            yield index, result
    finally:
        helpers.close()
        gc.unfreeze()
        cv2.setNumThreads(threads)


def in_workers(
    jobs: Iterable[Job], workers: int, on_progress: OnJobProgress
) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs in worker processes; yield the index and result of each when it is done.

    Jobs of an iterator are taken when workers are about to need them.

    Raises
    ------
    UsageError
        If the output cannot be written.
    UsmicroError
        If no worker process can be started.
    """
    from usmicro.batch.warmup import is_compiled

    answers: queue.Queue[tuple[int, Job, Result | BaseException | tuple[int, int]]] = queue.Queue(
        QUEUED_ANSWERS * workers
    )
    todo: queue.SimpleQueue[tuple[int, Job] | None] = queue.SimpleQueue()
    if isinstance(jobs, Sequence):
        source, most_queued = iter(_smallest_first(jobs)), len(jobs)
    else:
        source, most_queued = enumerate(jobs), QUEUED_JOBS * workers
    pool: list[Worker] = []
    threads: list[threading.Thread] = []
    helpers = ExitStack()

    def next_result() -> tuple[int, Result]:
        """Wait for the next result; report the progress of frames in the meantime."""
        while True:
            try:
                index, job, answer = answers.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(answer, BaseException):
                raise answer
            if isinstance(answer, Result):
                return index, answer
            on_progress(job, *answer)

    def put(
        worker: Worker, index: int, job: Job, answer: Result | BaseException | tuple[int, int]
    ) -> None:
        """Queue an answer for the main thread; wait while the queue is full."""
        while not worker.stopped:
            try:
                return answers.put((index, job, answer), timeout=POLL_SECONDS)
            except queue.Full:
                continue

    def compute(worker: Worker, index: int, job: Job) -> None:
        def on_frame(done: int, declared: int) -> None:
            put(worker, index, job, (done, declared))

        put(worker, index, job, worker.compute(job, on_frame))

    def work(worker: Worker) -> None:
        """Compute jobs until there are none; runs in the thread of a worker."""
        while (numbered := todo.get()) is not None and not worker.stopped:
            try:
                compute(worker, *numbered)
            except BaseException as error:  # the main thread raises it
                put(worker, *numbered, error)
                return

    def add_worker() -> None:
        worker = Worker()
        pool.append(worker)
        threads.append(threading.Thread(target=work, args=(worker,), daemon=True))
        threads[-1].start()

    try:
        queued = finished = 0
        succeeded = is_compiled()
        if not succeeded:
            helpers.enter_context(compiling_beside())
        while True:
            several = succeeded or finished >= MOST_SINGLE_JOBS
            wanted = most_queued if several else 1
            for numbered in islice(source, wanted - (queued - finished)):
                todo.put(numbered)
                queued += 1
            if queued == finished:
                break
            while len(pool) < min(workers if several else 1, queued - finished):
                add_worker()
            index, result = next_result()
            finished, succeeded = finished + 1, succeeded or result.status == "ok"
            if succeeded:
                helpers.close()
            yield index, result
    finally:
        helpers.close()
        for worker in pool:
            worker.stop()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join(timeout=JOIN_SECONDS)


def _smallest_first(jobs: Sequence[Job]) -> list[tuple[int, Job]]:
    """Return the jobs with their indices in order, after the smallest MOST_SINGLE_JOBS of them."""
    smallest = sorted(range(len(jobs)), key=lambda index: _file_size(jobs[index].path))
    first = smallest[:MOST_SINGLE_JOBS]
    order = first + [index for index in range(len(jobs)) if index not in first]
    return [(index, jobs[index]) for index in order]


def _file_size(file: Path) -> int:
    """Return the size of a file in bytes, 0 if it cannot be read."""
    try:
        return file.stat().st_size
    except OSError:
        return 0  # its job will report why it cannot be read


def _ignore_progress(done: int, declared: int) -> None:
    """Do nothing: the default of `Worker.compute`."""


class Worker:
    """One worker process, started with its first job and again after a crash."""

    def __init__(self) -> None:
        self.stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives with the worker
        self._deadline = math.inf
        self._overdue = False
        self._function_hashes: tuple[str, ...] = ("", "")
        """Hashes of the user's functions that the process may have loaded."""

    def compute(self, job: Job, on_progress: OnProgress = _ignore_progress) -> Result:
        """Compute a job; if its process dies, the process is replaced and the job fails.

        A job whose process dies, or lacks memory after other jobs, gets a second chance in a new
        process. The file may not be the cause: an earlier file may have damaged the heap, or the
        process may have been killed from outside. A job that hangs gets no second chance.

        Raises
        ------
        UsageError
            If the output cannot be written.
        UsmicroError
            If no worker process can be started.
        """
        if self._process is not None and job.function_hashes != self._function_hashes:
            # on a cluster, a later run may have other functions in modules of the same names
            self._end(self._process)
        self._function_hashes = job.function_hashes
        used_before = self._process is not None
        result, worth_retrying = self._attempt(job, on_progress)
        if worth_retrying and (used_before or self._process is None):
            result, _ = self._attempt(job, on_progress)
        return result

    def _attempt(self, job: Job, on_progress: OnProgress) -> tuple[Result, bool]:
        """Compute a job once; return its result and whether a new process may do better."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        limit = job.settings.limits.seconds + GRACE_SECONDS
        try:
            self._deadline = time.monotonic() + limit
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            while (message := pickle.load(process.stdout))[0] != "answer":
                limit += COMPILING_SECONDS if message[0] == "compiling" else 0
                self._deadline = time.monotonic() + limit
                on_progress(*message[1:] if message[0] == "frames" else (0, 0))
        except (EOFError, OSError, pickle.UnpicklingError):
            self._end(process)
            reason, worth_retrying = self._cause_of_death(process, job)
            return failed_result(job, reason, log=self._crash_lines()), worth_retrying
        finally:
            self._deadline = math.inf
        answer, replace_process = message[1:]
        if replace_process:
            self._end(process)
        if isinstance(answer, UsageError):
            raise answer
        out_of_memory = failed_result(job, out_of_memory_message(job)).error
        return answer, answer.status == "failed" and answer.error == out_of_memory

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process and close its pipes."""
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process that is past its deadline and has not ended itself."""
        while process.returncode is None:
            time.sleep(POLL_SECONDS)
            if time.monotonic() > self._deadline:
                self._overdue = True
                process.kill()
                return

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        with self._changing:
            self.stopped = True
            process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start a process and wait until it is ready.

        Raises
        ------
        UsmicroError
            If it cannot be started, or if the run was stopped.
        """
        self._errors.seek(0)
        self._errors.truncate()
        self._overdue = False
        with self._changing:
            if self.stopped:
                raise UsmicroError("the run was stopped")
            self._process = process = start_python(
                WORKER_PROGRAM,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        assert process.stdout is not None
        try:
            pickle.load(process.stdout)  # the first message, sent once the worker is ready
        except EOFError:
            process.wait()
            words = self._errors_text().strip().rpartition("\n")[2]
            raise UsmicroError(
                f"a worker process could not start: {words or 'no reason given'}; try --workers 1"
            ) from None
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        return process

    def _cause_of_death(self, process: subprocess.Popen[bytes], job: Job) -> tuple[str, bool]:
        """Return why a process died, and whether a new one may do better."""
        limits, code = job.settings.limits, process.wait()
        if self._overdue or "\nTimeout (" in f"\n{self._errors_text()}":
            reason = (
                f"no frame was finished within {limits.seconds:g} s, the limit of limits.seconds; "
                "raise it for very large scans"
            )
            return reason, False
        if code >= 0:
            return f"the worker process ended with status {code} on this file", True
        name = signal.Signals(-code).name
        hint = ""
        if name in ("SIGKILL", "SIGABRT"):
            hint = f"; often it needs more than the {limits.memory} MB of limits.memory"
        return f"the worker process was killed by {name} on this file{hint}", True

    def _crash_lines(self) -> tuple[str, ...]:
        """Return the lines of the program at which the process died, as faulthandler wrote them."""
        prefix = '  File "'
        lines = [line for line in self._errors_text().splitlines() if line.startswith(prefix)]
        parts = [line.removeprefix(prefix).partition('"') for line in lines[-MOST_TRACEBACK_LINES:]]
        return tuple(module_path(file) + rest for file, _, rest in parts)

    def _errors_text(self) -> str:
        """Return what the process wrote to its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")
