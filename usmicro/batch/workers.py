"""Worker processes: each one computes one job at a time, so that a crash costs exactly the file that caused it.

A worker is a fresh Python that talks through its standard input and output. Unlike multiprocessing it does not import the caller's
script again, so that `usmicro.run` works in a plain script and in a notebook, and the death of one worker leaves the others alone.
"""

from __future__ import annotations

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
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import IO, Any

from usmicro.batch.jobs import Job, Result, failure, module_path, process
from usmicro.errors import UsageError, UsmicroError

# one thread a worker: the processes share the cores among them
ONE_THREAD = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from usmicro.batch.workers import serve; serve()"
NEW_PROCESS_GROUP = 0x200  # subprocess.CREATE_NEW_PROCESS_GROUP, which only Windows has
ALONE = 3
"""The smallest jobs run alone until one succeeds, at most so many: it compiles the kernels, which the other workers then load."""


def available_cores() -> int:
    """Cores that this process may use, also in a container that is given only some."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or "max": no limit
        return cores


def in_process(jobs: Sequence[Job]) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs one after the other in this process; gives each job's index with its result."""
    import cv2

    threads = cv2.getNumThreads()
    try:
        for index, job in enumerate(jobs):
            cv2.setNumThreads(1)
            result = process(job)
            cv2.setNumThreads(threads)
            yield index, result
    finally:
        cv2.setNumThreads(threads)


def in_workers(jobs: Sequence[Job], workers: int) -> Generator[tuple[int, Result], None, None]:
    """Compute jobs in worker processes; gives each job's index with its result, as they come."""
    answers: queue.SimpleQueue[tuple[int, Result | BaseException]] = queue.SimpleQueue()
    todo: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    smallest = sorted(range(len(jobs)), key=lambda index: _size(jobs[index].path))[:ALONE]
    order = smallest + [index for index in range(len(jobs)) if index not in smallest]
    pool: list[Worker] = []
    threads: list[threading.Thread] = []

    def answer() -> tuple[int, Result]:
        while True:
            try:
                index, outcome = answers.get(timeout=0.5)  # without a time limit Windows would not notice an interrupt
                break
            except queue.Empty:
                continue
        if isinstance(outcome, BaseException):
            raise outcome
        return index, outcome

    def work(worker: Worker) -> None:
        while (index := todo.get()) is not None and not worker.stopped:
            try:
                answers.put((index, worker.compute(jobs[index])))
            except BaseException as error:  # handed to the main thread, which raises it
                answers.put((index, error))
                return

    def hire() -> None:
        worker = Worker()
        pool.append(worker)
        threads.append(threading.Thread(target=work, args=(worker,), daemon=True))
        threads[-1].start()

    try:
        hire()
        given = finished = 0
        succeeded = False
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

    def compute(self, job: Job) -> Result:
        """Have a job computed; a process that dies of it is replaced, and the job fails.

        Raises
        ------
        UsageError
            If the output cannot be written.
        UsmicroError
            If no worker process can be started.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            answer: Result | UsageError = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            self._process = None
            return failure(job, self._cause_of_death(process), log=self._last_words())
        if isinstance(answer, UsageError):
            raise answer
        return answer

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
        apart: dict[str, Any] = {"creationflags": NEW_PROCESS_GROUP} if sys.platform == "win32" else {"process_group": 0}
        self._errors.seek(0)
        self._errors.truncate()
        with self._changing:
            if self.stopped:
                raise UsmicroError("the run was stopped")
            self._process = process = subprocess.Popen(
                [sys.executable, "-c", START, json.dumps([folder for folder in sys.path if isinstance(folder, str)])],
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
            raise UsmicroError(f"a worker process could not start: {words or 'no reason given'}; try --workers 1") from None
        return process

    def _cause_of_death(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        if code >= 0:
            return f"the worker process ended with status {code} on this file"
        name = signal.Signals(-code).name
        hint = " (often: out of memory; use fewer --workers)" if name == "SIGKILL" else ""
        return f"the worker process was killed by {name} on this file{hint}"

    def _last_words(self) -> tuple[str, ...]:
        """Where in the program the process died, from the lines that faulthandler writes."""
        lines = [line.strip() for line in self._errors_text().splitlines() if line.startswith('  File "')]
        parts = [line.removeprefix('File "').partition('"') for line in lines[-20:]]
        return tuple(module_path(file) + rest for file, _, rest in parts)

    def _errors_text(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")


def serve() -> None:
    """What a worker process runs: answer jobs until the input ends."""
    import faulthandler
    import logging

    faulthandler.enable()
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    # what a library prints must not get between the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _answer_all(sys.stdin.buffer, answers, process)


def _answer_all(questions: IO[bytes], answers: IO[bytes], compute: Callable[[Job], Result]) -> None:
    import cv2

    cv2.setNumThreads(1)
    pickle.dump("ready", answers)
    answers.flush()
    while True:
        try:
            job = pickle.load(questions)
        except EOFError:
            return
        except Exception as error:  # nothing in a job but the user's masks function can fail to load, and its module may raise anything
            words = " ".join(f"{type(error).__name__}: {error}".split())
            pickle.dump(UsageError(f"masks: a worker process cannot import the function ({words}); give workers=1"), answers)
            answers.flush()
            return
        try:
            answer: Result | UsageError = compute(job)
        except UsageError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()
