"""Memory of this process: its peak, and errors that mean a lack of it."""

from __future__ import annotations


def memory_used() -> float | None:
    """Return the peak memory of this process so far, in MB; None where it is not known."""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


def is_lack_of_memory(error: BaseException | None) -> bool:
    """Return True if an error, or one of its causes, is a lack of memory.

    OpenCV raises an error of its own type with the code StsNoMem.
    """
    import cv2

    while error is not None:
        if isinstance(error, MemoryError) or (
            isinstance(error, cv2.error) and getattr(error, "code", 0) == cv2.Error.StsNoMem
        ):
            return True
        error = error.__cause__
    return False
