"""Worker processes: each one computes one job at a time, so that a crash costs exactly the file that caused it.

A worker is a fresh Python that talks through its standard input and output. Unlike multiprocessing it does not import the caller's
script again, so that `usmicro.run` works in a plain script and in a notebook, and the death of one worker leaves the others alone.
"""

from __future__ import annotations

import gc
import json
import math
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from usmicro.batch.jobs import Job, failure, module_path, out_of_memory, process
from usmicro.batch.results import Result
from usmicro.batch.serving import COMPILING_SECONDS
from usmicro.errors import UsageError, UsmicroError

# one thread a worker: the processes share the cores among them
ONE_THREAD = dict.fromkeys(
    (
        "NUMBA_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from usmicro.batch.serving import serve; serve()"
NEW_PROCESS_GROUP = 0x200  # subprocess.CREATE_NEW_PROCESS_GROUP, which only Windows has
ALONE = 3
"""While kernels are not compiled, the smallest jobs run alone until one succeeds, at most so many: it compiles what the others load."""


ANSWERS_A_WORKER = 8
"""So many results of a worker wait to be taken before it waits itself, so that they do not pile up in memory."""
GRACE_SECONDS = 10.0
"""A process is killed so long after it should have stopped by itself."""

Told = Callable[[Job, int, int], None]
"""Called with a job, how many of its frames are done and how many it promises; with 0 and 0 when kernels are being compiled."""


def available_cores() -> int:
    """Cores that this process may use, also in a container that is given only some."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or "max": no limit
        return cores


def in_process(jobs: Sequence[Job], told: Told) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs one after the other in this process; gives each job's index with its result."""
    import cv2

    from usmicro.batch.warmup import is_compiled, make_ready, note_compiled

    threads = cv2.getNumThreads()
    compiled = is_compiled() if jobs else True
    try:
        for index, job in enumerate(jobs):
            if not compiled:
                told(job, 0, 0)
            if not index:
                make_ready()
            cv2.setNumThreads(1)
            result = process(job, lambda done, promised, job=job: told(job, done, promised))  # type: ignore[misc]
            cv2.setNumThreads(threads)
            if not compiled and result.status == "ok":
                note_compiled()
                compiled = True
            yield index, result
    finally:
        gc.unfreeze()
        cv2.setNumThreads(threads)


def in_workers(
    jobs: Sequence[Job], workers: int, told: Told
) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs in worker processes; gives each job's index with its result, as they come."""
    from usmicro.batch.warmup import is_compiled

    answers: queue.Queue[tuple[int, Result | BaseException | tuple[int, int]]] = queue.Queue(
        ANSWERS_A_WORKER * workers
    )
    todo: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    smallest = sorted(range(len(jobs)), key=lambda index: _size(jobs[index].path))[:ALONE]
    order = smallest + [index for index in range(len(jobs)) if index not in smallest]
    pool: list[Worker] = []
    threads: list[threading.Thread] = []

    def answer() -> tuple[int, Result]:
        while True:
            try:
                index, outcome = answers.get(
                    timeout=0.5
                )  # without a time limit Windows would not notice an interrupt
            except queue.Empty:
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            if isinstance(outcome, Result):
                return index, outcome
            told(jobs[index], *outcome)

    def put(worker: Worker, index: int, outcome: Result | BaseException | tuple[int, int]) -> None:
        while not worker.stopped:
            try:
                return answers.put((index, outcome), timeout=0.5)
            except queue.Full:
                continue

    def work(worker: Worker) -> None:
        while (index := todo.get()) is not None and not worker.stopped:
            try:
                put(
                    worker,
                    index,
                    worker.compute(
                        jobs[index], lambda *frames, index=index: put(worker, index, frames)
                    ),
                )  # type: ignore[misc]
            except BaseException as error:  # handed to the main thread, which raises it
                put(worker, index, error)
                return

    def hire() -> None:
        worker = Worker()
        pool.append(worker)
        threads.append(threading.Thread(target=work, args=(worker,), daemon=True))
        threads[-1].start()

    try:
        hire()
        given = finished = 0
        succeeded = is_compiled()
        while finished < len(jobs):
            wanted = len(jobs) if succeeded or finished >= ALONE else finished + 1
            while given < min(wanted, len(jobs)):
                todo.put(order[given])
                given += 1
            while given == len(jobs) and len(pool) < min(workers, len(jobs) - finished):
                hire()
            index, result = answer()
            finished, succeeded = finished + 1, succeeded or result.status == "ok"
            yield index, result
    finally:
        for worker in pool:
            worker.stop()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join(timeout=5)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # its job will say why it cannot be read


class Worker:
    """One worker process, started when it gets its first job and again after a crash."""

    def __init__(self) -> None:
        self.stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._deadline = math.inf
        self._overdue = False

    def compute(
        self, job: Job, told: Callable[[int, int], None] = lambda done, promised: None
    ) -> Result:
        """Have a job computed; a process that dies of it is replaced, and the job fails.

        A job whose process dies, or lacks memory after others, gets a second chance in a new one: what killed it, a heap that a former
        file damaged or somebody outside, may not be the fault of this file. One that hangs does not.

        Raises
        ------
        UsageError
            If the output cannot be written.
        UsmicroError
            If no worker process can be started.
        """
        used = self._process is not None
        result, again = self._attempt(job, told)
        return self._attempt(job, told)[0] if again and (used or self._process is None) else result

    def _attempt(self, job: Job, told: Callable[[int, int], None]) -> tuple[Result, bool]:
        """Compute a job once; gives its result and whether a new process may do better."""
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
                told(*message[1:] if message[0] == "frames" else (0, 0))
        except (EOFError, OSError, pickle.UnpicklingError):
            self._end(process)
            reason, again = self._cause_of_death(process, job)
            return failure(job, reason, log=self._last_words()), again
        finally:
            self._deadline = math.inf
        answer, spent = message[1:]
        if spent:
            self._end(process)
        if isinstance(answer, UsageError):
            raise answer
        return answer, answer.status == "failed" and answer.error == failure(
            job, out_of_memory(job)
        ).error

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process that does not even stop by itself."""
        while process.returncode is None:
            time.sleep(0.5)
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
        # an interrupt from the keyboard is for the main process, which then stops the workers
        apart: dict[str, Any] = (
            {"creationflags": NEW_PROCESS_GROUP}
            if sys.platform == "win32"
            else {"process_group": 0}
        )
        self._errors.seek(0)
        self._errors.truncate()
        self._overdue = False
        with self._changing:
            if self.stopped:
                raise UsmicroError("the run was stopped")
            self._process = process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    START,
                    json.dumps([folder for folder in sys.path if isinstance(folder, str)]),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, **ONE_THREAD},
                **apart,
            )
        assert process.stdout is not None
        try:
            pickle.load(process.stdout)  # it greets once it is ready
        except EOFError:
            process.wait()
            words = self._errors_text().strip().rpartition("\n")[2]
            raise UsmicroError(
                f"a worker process could not start: {words or 'no reason given'}; try --workers 1"
            ) from None
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        return process

    def _cause_of_death(self, process: subprocess.Popen[bytes], job: Job) -> tuple[str, bool]:
        """Why a process died, and whether a new one may do better."""
        limits, code = job.settings.limits, process.wait()
        if self._overdue or "\nTimeout (" in f"\n{self._errors_text()}":
            return (
                f"no frame was finished for {limits.seconds:g} s, the most that limits.seconds allows; raise it for very large scans",
                False,
            )
        if code >= 0:
            return f"the worker process ended with status {code} on this file", True
        name = signal.Signals(-code).name
        hint = (
            f"; often it needs more than the {limits.memory} MB of limits.memory"
            if name in ("SIGKILL", "SIGABRT")
            else ""
        )
        return f"the worker process was killed by {name} on this file{hint}", True

    def _last_words(self) -> tuple[str, ...]:
        """Where in the program the process died, from the lines that faulthandler writes."""
        lines = [
            line.strip() for line in self._errors_text().splitlines() if line.startswith('  File "')
        ]
        parts = [line.removeprefix('File "').partition('"') for line in lines[-20:]]
        return tuple(module_path(file) + rest for file, _, rest in parts)

    def _errors_text(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")
