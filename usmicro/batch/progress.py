"""Progress of a run: a bar on a terminal, a line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from usmicro.batch.warmup import COMPILING

LINE_SECONDS = 10.0
BAR_SECONDS = 0.2
NAMED_FAILURES = 20
"""So many failures are named on the way; all are in images.csv."""


def duration(seconds: float) -> str:
    """A time span in words."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


class Progress:
    """Counts finished inputs and tells the user."""

    def __init__(self, total: int, stream: TextIO | None) -> None:
        """Report to a stream; None is quiet."""
        self.total, self.stream = total, stream
        self.done = self.failed = self.kept = 0
        self.start = time.monotonic()
        self._told = self.start
        self._bar = stream is not None and stream.isatty()
        self._within = ""

    def add(self, image: str, error: str = "", *, kept: bool = False) -> None:
        """Count an input that is done; `kept` if its result is that of an earlier run."""
        self.done += 1
        self.kept += kept
        if error:
            self.failed += 1
            if self.failed <= NAMED_FAILURES:
                more = (
                    "; further failures are only in images.csv"
                    if self.failed == NAMED_FAILURES
                    else ""
                )
                self._write(f"failed: {_printable(image)}: {_printable(error)}{more}\n")
        self._within = ""
        self._tell()

    def frames(self, image: str, done: int, promised: int) -> None:
        """Tell how far a long input is; 0 of 0 frames means that kernels are being compiled for it."""
        if promised == 0:
            return self.say(COMPILING)
        if promised > 1:
            self._within = f"{_printable(image)}: frame {done} of {promised}"
            self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= (BAR_SECONDS if self._bar else LINE_SECONDS) or (
            self._bar and self.done == self.total
        ):
            self._told = now
            self._write(self.line() + ("" if self._bar else "\n"))

    def say(self, remark: str) -> None:
        """Tell something that is no progress."""
        self._write(f"{_printable(remark)}\n")

    def line(self) -> str:
        """How far the run is."""
        parts = [f"{self.done}/{self.total}"]
        computed, passed = self.done - self.kept, time.monotonic() - self.start
        if computed and passed > 0:
            rate = computed / passed
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self._within:
            parts.append(self._within)
        if not self._bar:
            return ", ".join(parts)
        columns = shutil.get_terminal_size().columns
        width = max(10, min(40, columns - 60))
        filled = width * self.done // max(1, self.total)
        return f"[{'#' * filled}{'.' * (width - filled)}]  {'  '.join(parts)}"[
            : max(20, columns - 1)
        ]  # a longer line could not be replaced

    def close(self) -> None:
        """Leave the line of the bar."""
        if self._bar and self.done:
            self._write("\n", clear=False)

    def _write(self, text: str, *, clear: bool = True) -> None:
        if self.stream is None:
            return
        # the bar stays on its line, and what else is said pushes it down
        self.stream.write(("\r\x1b[K" if self._bar and clear else "") + text)
        self.stream.flush()


def _printable(text: str) -> str:
    """A text without the control characters that a file name may hold, which would command the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
