"""Progress of a run: a bar on a terminal, a line at intervals elsewhere, nothing if quiet."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from usmicro.batch.frames_left import FramesLeft
from usmicro.batch.warmup import COMPILING

LINE_SECONDS = 10.0
"""Least time between two lines where the output is no terminal, s. Chosen by judgement."""
BAR_SECONDS = 0.2
"""Least time between two updates of the bar, s. Chosen by judgement."""
BAR_COLUMNS = (10, 40)
"""Least and greatest length of the bar, characters. Chosen by judgement."""
TEXT_COLUMNS = 70
"""Columns of the terminal that are left for the text behind the bar. Chosen by judgement."""
TIMED_FROM_FRAME = 3
"""Frame of a cine from which the pace is measured when kernels were compiled for it: almost all are
compiled by then. Chosen by judgement."""
NAMED_FAILURES = 20
"""Number of failures that are named during a run; images.csv has all. Chosen by judgement."""


def duration(seconds: float) -> str:
    """Return a time span in words, such as "2 min 5 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


class Progress:
    """Counts finished inputs and reports them to a stream."""

    def __init__(self, total: int | None, stream: TextIO | None) -> None:
        """Begin to count.

        Parameters
        ----------
        total : int or None
            Number of inputs; None if it is not known.
        stream : text stream or None
            Where to report to; None reports nothing.
        """
        self.total, self.stream = total, stream
        self.done = self.failed = self.kept = 0
        self.start = time.monotonic()
        self._frames = FramesLeft(total or 0)
        self._compiling = False
        self._not_timed = 0.0
        """Number of frames that were analysed while kernels were compiled, which says nothing about
        the pace of the others."""
        self._reported = self.start
        self._bar = stream is not None and stream.isatty()
        self._current_frame = ""

    def expect(self, image: str, frames: int) -> None:
        """Note the number of frames that will be analysed of an input, for the time left."""
        self._frames.expect(image, frames)

    def add(self, image: str, error: str = "", *, frames: int = 1, kept: bool = False) -> None:
        """Count an input that is done.

        Parameters
        ----------
        image : str
            Name of the input.
        error : str
            Reason if it failed.
        frames : int
            Number of frames that were analysed.
        kept : bool
            True if its result is from an earlier run.
        """
        self.done += 1
        self.kept += kept
        self._frames.finish(image, frames, kept=kept)
        if self._compiling:
            self._restart_clock()
        if error:
            self.failed += 1
            if self.failed <= NAMED_FAILURES:
                last = self.failed == NAMED_FAILURES
                more = "; further failures are only in images.csv" if last else ""
                self._write(f"failed: {printable(image)}: {printable(error)}{more}\n")
        self._current_frame = ""
        self._report()

    def add_frame(self, image: str, done: int, declared: int) -> None:
        """Report the progress within a cine.

        Parameters
        ----------
        image : str
            Name of the input.
        done, declared : int
            Number of frames that are done and that the file declares; 0 of 0 means that kernels
            are being compiled for it.
        """
        if declared == 0:
            self._compiling = True
            return self.say(COMPILING)
        if declared > 1:
            self._frames.advance(image, done, declared)
            if self._compiling and done >= min(TIMED_FROM_FRAME, declared):
                self._restart_clock()
            self._current_frame = f"{printable(image)}: frame {done} of {declared}"
            self._report()

    def say(self, remark: str) -> None:
        """Write a remark on a line of its own."""
        self._write(f"{printable(remark)}\n")

    def line(self) -> str:
        """Return the present state of the run in one line."""
        parts = [f"{self.done} done" if self.total is None else f"{self.done}/{self.total}"]
        elapsed = time.monotonic() - self.start
        done, left = self._frames.done, self._frames.left
        if self.total is None:
            left = 0.0
        elif round(done + left) > self.total - self.kept:  # not only single frames
            parts.append(f"{done:.0f}/{done + left:.0f} frames")
        frames = done - self._not_timed
        if frames and elapsed > 0 and not self._compiling:
            rate = frames / elapsed
            parts.append(f"{rate:.1f} frames/s" if rate >= 1 else f"{1 / rate:.1f} s a frame")
            if self.total is not None:
                parts.append(f"{duration(left / rate)} left")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self._current_frame and self.total != 1:
            parts.append(self._current_frame)
        if not self._bar:
            return ", ".join(parts)
        if self.total is None:
            return "  ".join(parts)[: max(20, shutil.get_terminal_size().columns - 1)]
        columns = shutil.get_terminal_size().columns
        least, greatest = BAR_COLUMNS
        width = max(least, min(greatest, columns - TEXT_COLUMNS))
        filled = int(width * self._fraction(done, left))
        line = f"[{'#' * filled}{'.' * (width - filled)}]  {'  '.join(parts)}"
        return line[: max(20, columns - 1)]  # a line that wraps could not be replaced

    def _fraction(self, done: float, left: float) -> float:
        """Return the fraction of the run that is done; an input that is kept counts as the mean."""
        if self.total is None or self.done == self.total:
            return 1.0
        kept = self.kept * (done + left) / (self.total - self.kept)
        return (kept + done) / max(kept + done + left, 1.0)

    def _restart_clock(self) -> None:
        """Measure the pace from now on, after kernels were compiled."""
        self._compiling = False
        self.start, self._not_timed = time.monotonic(), self._frames.done

    def close(self) -> None:
        """End the line of the bar."""
        if self._bar and self.done:
            self._write("\n", clear=False)

    def _report(self) -> None:
        now = time.monotonic()
        interval = BAR_SECONDS if self._bar else LINE_SECONDS
        if now - self._reported >= interval or (self._bar and self.done == self.total):
            self._reported = now
            self._write(self.line() + ("" if self._bar else "\n"))

    def _write(self, text: str, *, clear: bool = True) -> None:
        if self.stream is None:
            return
        # other text replaces the bar, which is drawn again on the next line
        self.stream.write(("\r\x1b[K" if self._bar and clear else "") + text)
        self.stream.flush()


def printable(text: str) -> str:
    """Replace the control characters of a text, which would act as commands on a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
