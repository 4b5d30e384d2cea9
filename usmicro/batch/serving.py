"""What a worker process runs: it answers jobs until its input ends.

Messages go to the main process as pickled tuples: ("compiling",), ("frames", done, promised), and for each job at last
("answer", result or error, spent), where `spent` says that the process has grown and had better be replaced.
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

from usmicro.batch.jobs import FramesTold, Job, process
from usmicro.batch.results import Result
from usmicro.errors import UsageError

TELL_SECONDS = 0.2
"""Frames are told of this often."""
COMPILING_SECONDS = 600.0
"""So much longer a job may take while the kernels are not compiled yet: some ten seconds, but many more on a machine that is overloaded."""
SPENT = 0.5
"""A process that has used this share of the memory it may take is replaced after its job, since it gives little of it back."""


def serve() -> None:
    """Answer jobs from standard input on standard output."""
    faulthandler.enable()
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    # what a library prints must not get between the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer_all(sys.stdin.buffer, answers, process)


def answer_all(
    questions: IO[bytes], answers: IO[bytes], compute: Callable[[Job, FramesTold], Result]
) -> None:
    """Answer every job that comes; the process ends when no more can come."""
    import cv2

    from usmicro.batch.warmup import make_ready

    make_ready()  # so that the time limit of the first job does not count it
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
    """Read jobs in a thread of its own, which notices at once, also in the middle of a job, that the main process is gone."""
    while True:
        try:
            jobs.put(pickle.load(questions))
        except EOFError:
            os._exit(
                0
            )  # nobody waits for the answer; a later run must not find this process still writing
        except Exception as error:  # nothing in a job but the user's masks function can fail to load, and its module may raise anything
            words = " ".join(f"{type(error).__name__}: {error}".split())
            jobs.put(
                UsageError(
                    f"masks: a worker process cannot import the function ({words}); give workers=1"
                )
            )
            return


def _answer(
    job: Job, answers: IO[bytes], compute: Callable[[Job, FramesTold], Result]
) -> tuple[Result | UsageError, bool]:
    from usmicro.batch.warmup import is_compiled, note_compiled

    seconds = job.settings.limits.seconds
    told = -float("inf")

    def tell(done: int, promised: int) -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= TELL_SECONDS:
            told = now
            faulthandler.dump_traceback_later(seconds, exit=True)  # begins to count anew
            _send(answers, ("frames", done, promised))

    compiled = is_compiled()
    if not compiled:
        seconds += COMPILING_SECONDS  # not the fault of the file
        _send(answers, ("compiling",))
    faulthandler.dump_traceback_later(
        seconds, exit=True
    )  # a thread in C, which a decoder that hangs does not hold up
    try:
        result = compute(job, tell)
    except UsageError as error:
        return error, True
    finally:
        faulthandler.cancel_dump_traceback_later()
    if not compiled and result.status == "ok":
        note_compiled()
    return result, (result.memory_mb or 0) > SPENT * job.settings.limits.memory


def _limit_memory(megabytes: int) -> None:
    """Let allocations fail beyond a limit; Linux counts what is written to, other systems do not keep this limit."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = megabytes * 2**20
    resource.setrlimit(
        resource.RLIMIT_DATA,
        (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard),
    )


def _send(answers: IO[bytes], message: Any) -> None:
    pickle.dump(message, answers)
    answers.flush()
