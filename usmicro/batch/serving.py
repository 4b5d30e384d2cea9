"""The program of a worker process: it computes jobs until its input ends.

It sends pickled tuples to the main process: ("compiling",), ("frames", done, declared), and at the
end of each job ("answer", result or error, replace_process). The last element is True if the
process has used much memory and should be replaced.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import pickle
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from usmicro.batch.job_analysis import run_job
from usmicro.batch.jobs import Job, OnProgress
from usmicro.batch.results import Result
from usmicro.errors import UsageError

PROGRESS_SECONDS = 0.2
"""Least time between two messages about frames, s. Chosen by judgement."""
COMPILING_SECONDS = 600.0
"""Time that is added to the limit of a job while kernels are not compiled, s. Compiling takes about
half a minute, and much longer on an overloaded machine. Chosen by judgement; no measurement is
recorded."""
REPLACED_FROM = 0.5
"""Fraction of limits.memory from which a process is replaced after its job, because it returns
little of its memory to the system. Chosen by judgement; no measurement is recorded."""


def serve() -> None:
    """Read jobs from standard input and write answers to standard output."""
    faulthandler.enable()
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    # text that a library prints must not get between the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer_all(sys.stdin.buffer, answers, run_job)


def answer_all(
    questions: IO[bytes], answers: IO[bytes], compute: Callable[[Job, OnProgress], Result]
) -> None:
    """Compute every job that arrives; the process ends at the end of `questions`."""
    import cv2

    from usmicro.batch.warmup import preload

    preload()  # before the first job, so that its time limit does not include this
    cv2.setNumThreads(1)
    _send(answers, "ready")
    jobs: queue.SimpleQueue[Job | UsageError] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(questions, jobs), daemon=True).start()
    while True:
        job = jobs.get()
        if isinstance(job, UsageError):
            _send(answers, ("answer", job, True))
            return
        _limit_memory(job.settings.limits.memory)
        _send(answers, ("answer", *_answer(job, answers, compute)))


def _read(questions: IO[bytes], jobs: queue.SimpleQueue[Job | UsageError]) -> None:
    """Read jobs in a thread, which notices the end of the main process even during a job."""
    while True:
        try:
            jobs.put(pickle.load(questions))
        except EOFError:
            # no process takes the answer, and a later run must not find this one still writing
            os._exit(0)
        except Exception as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())
            jobs.put(
                UsageError(
                    f"a worker process cannot read its job ({words}); was another version of "
                    "usmicro installed during the run? run again with --resume"
                )
            )
            return


def _answer(
    job: Job, answers: IO[bytes], compute: Callable[[Job, OnProgress], Result]
) -> tuple[Result | UsageError, bool]:
    """Compute a job; return the result, or an error, and whether to replace the process."""
    from usmicro.batch.warmup import is_compiled, note_compiled

    seconds = job.settings.limits.seconds
    reported = -float("inf")

    def on_progress(done: int, declared: int) -> None:
        nonlocal reported
        if (now := time.monotonic()) - reported >= PROGRESS_SECONDS:
            reported = now
            faulthandler.dump_traceback_later(seconds, exit=True)  # restarts the time limit
            _send(answers, ("frames", done, declared))

    compiled = is_compiled()
    if not compiled:
        seconds += COMPILING_SECONDS  # not the fault of the file
        _send(answers, ("compiling",))
    # faulthandler uses a thread in C, which also runs while a decoder hangs
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        result = compute(job, on_progress)
    except UsageError as error:
        return error, True
    finally:
        faulthandler.cancel_dump_traceback_later()
    if not compiled and result.status == "ok":
        note_compiled()
    return result, (result.memory_mb or 0) > REPLACED_FROM * job.settings.limits.memory


def _limit_memory(megabytes: int) -> None:
    """Let allocations fail above a limit in MB.

    Linux counts the memory that is written to; other systems do not apply this limit.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = megabytes * 2**20
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _send(answers: IO[bytes], message: Any) -> None:
    pickle.dump(message, answers)
    answers.flush()
