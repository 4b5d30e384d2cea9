"""OpenCV in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_users = 0
"""Number of `with` blocks, in all Python threads, that now need OpenCV in one thread."""
_threads_before = 1
"""Number of threads that OpenCV used before the first of these blocks."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenCV use one thread, until the last of overlapping blocks ends.

    The rounding of some OpenCV functions depends on the number of threads, and results must not.
    The number of threads is a setting of the whole process, so that overlapping blocks of several
    Python threads share it: the first sets it, the last restores it.
    """
    import cv2

    global _users, _threads_before
    with _lock:
        if _users == 0:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                cv2.setNumThreads(_threads_before)
