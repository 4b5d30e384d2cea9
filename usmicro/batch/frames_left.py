"""Number of frames that a run has analysed, and an estimate of those that are left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread

from usmicro.batch.jobs import Job
from usmicro.loading.frame_count import declared_frames


class FramesLeft:
    """Counts frames. Its methods may be called from several threads."""

    def __init__(self, inputs: int) -> None:
        """Begin to count.

        Parameters
        ----------
        inputs : int
            Number of inputs.
        """
        self._lock = Lock()
        self._inputs_left = inputs
        self._expected: dict[str, int] = {}
        """Number of frames of the inputs that are not done, by name, where it is known."""
        self._running: dict[str, float] = {}
        """Number of analysed frames of these inputs, by name."""
        self._finished: set[str] = set()
        self._computed = 0
        self._frames = 0.0

    def expect(self, image: str, frames: int) -> None:
        """Note the number of frames that will be analysed of an input."""
        with self._lock:
            if image not in self._finished:
                self._expected[image] = max(1, frames)

    def advance(self, image: str, done: int, declared: int) -> None:
        """Note how many of the declared frames of an input are done."""
        with self._lock:
            expected = self._expected.setdefault(image, declared)
            self._running[image] = expected * done / declared

    def finish(self, image: str, frames: int, *, kept: bool) -> None:
        """Note that an input is done; `kept` if its result is from an earlier run."""
        with self._lock:
            self._expected.pop(image, None)
            self._running.pop(image, None)
            self._finished.add(image)
            self._inputs_left -= 1
            if not kept:
                self._computed += 1
                self._frames += max(1, frames)

    @property
    def done(self) -> float:
        """Number of frames that were analysed in this run."""
        with self._lock:
            return self._frames + sum(self._running.values())

    @property
    def left(self) -> float:
        """Estimated number of frames that are still to be analysed.

        An input whose number of frames is not known counts as the mean of those that are.
        """
        with self._lock:
            known = sum(self._expected.values())
            number = len(self._expected) + self._computed
            mean = (known + self._frames) / number if number else 1.0
            unknown = self._inputs_left - len(self._expected)
            return max(0.0, known + unknown * mean - sum(self._running.values()))


def count_in_background(
    jobs: Iterable[Job], expect: Callable[[str, int], None]
) -> Callable[[], None]:
    """Find the number of frames of each input that is a file of this machine in a thread.

    Parameters
    ----------
    jobs : iterable of Job
    expect : function of (image, frames)
        Called for each input with its name and the number of frames that will be analysed.

    Returns
    -------
    function
        Ends the thread.
    """
    stopped = Event()

    def count() -> None:
        for job in jobs:
            if stopped.is_set():
                return
            if job.scan_file is not None:
                frames, limit = declared_frames(job.scan_file), job.settings.loading.frames
                expect(job.name, min(frames, limit) if limit else frames)

    thread = Thread(target=count, name="usmicro-frame-counts", daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join()

    return stop
