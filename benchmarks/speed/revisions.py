"""Compare the speed of this revision with another: `python -m benchmarks.speed --compare REVISION`.

The other revision is checked out to a temporary git worktree. Each revision runs in processes of
its own, with its own compiled kernels. The two are timed in turn, in pairs whose order alternates,
so that other load on the machine affects both alike.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.revision_inputs import UNITS, write_inputs
from usmicro.errors import UsageError

ROOT = Path(__file__).parents[2]
"""Folder of this revision, as it is: changes that are not committed are timed too."""
WORKER = Path(__file__).with_name("revision_worker.py")
"""Program that times one revision."""

IN_PROCESS = (
    "image of a folder",
    "one image, analysis",
    "frame of a colour cine",
    "frame of a sweep",
    "find_foci",
    "SRAD",
    "DPAD",
    "Lee",
    "Kuan",
    "Frost",
    "NLM",
    "OBNLM",
    "median",
)
"""Measurements of `revision_worker`, which one process repeats."""
START, FIRST_START = "usmicro run, one small PNG", "the same, nothing compiled"
"""Measurements of a process from start to end."""
TWO_WORKERS = "usmicro run, folder, two workers"
"""The folder by two worker processes, from start to end."""
NAMES = (*IN_PROCESS, START, TWO_WORKERS, FIRST_START)
"""All measurements, in the order of the table."""
BY_CLOCK = {START, FIRST_START, TWO_WORKERS}
"""Measurements by the wall clock; all others are processor times."""
FIRST_START_ROUNDS = 1
"""Rounds of FIRST_START, which compiles everything: half a minute each."""
STAGES_OF = ("image of a folder",)
"""Measurements whose stages are listed."""

CONFIDENCE = 0.98
"""Least confidence of the interval of a ratio. With 95 %, one of twenty rows would be a false
alarm."""
LEAST_DIFFERENCE = 0.02
"""Smaller differences are not called faster or slower: two builds of the same code differ as much,
by where the compiler places it in memory. Chosen by judgement; no measurement is recorded."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of the paired ratios old / new, with its interval."""

    median: float
    low: float | None
    """Lower end of the interval; None with too few pairs for an interval."""
    high: float | None

    @property
    def verdict(self) -> str:
        """What the pairs say of the new revision."""
        if self.low is None or self.high is None:
            return "too few rounds"
        if self.low > 1 and self.median > 1 + LEAST_DIFFERENCE:
            return "faster"
        if self.high < 1 and self.median < 1 - LEAST_DIFFERENCE:
            return "slower"
        return "within the noise"


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the comparison."""

    name: str
    old: float
    """Median of the old revision, ms per image, frame or call."""
    new: float
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision that is timed."""

    folder: Path
    """Folder that holds the package."""
    cache: Path
    """Folder of its compiled kernels."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of its processes."""
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        return {
            **kept,
            **threads,
            "PYTHONPATH": str(self.folder),
            "NUMBA_CACHE_DIR": str(self.cache),
        }


@dataclass(slots=True)
class Worker:
    """A process that repeats the measurements of one revision."""

    revision: Revision
    inputs: Path
    process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Worker:
        self.process = subprocess.Popen(
            # -P: the folder of the program is not searched for modules
            [sys.executable, "-P", str(WORKER), str(self.inputs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.revision.environment,
            cwd=self.inputs,
        )
        package = Path(self._answer())
        if not package.resolve().is_relative_to(self.revision.folder.resolve()):
            raise UsageError(f"expected the package in {self.revision.folder}, found {package}")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def measure(self, name: str) -> dict[str, Any]:
        """Return processor time, wall-clock time and stages of one measurement, s."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = self._answer()
        return answer

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise UsageError(
                f"the revision in {self.revision.folder} could not be timed: its process ended "
                f"with status {self.process.wait()}; its message is above"
            )
        return json.loads(line)


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """Check a revision out to a new folder; it is removed at the end.

    Raises
    ------
    UsageError
        If this is no git checkout, or the revision does not exist.
    """
    git = ["git", "-C", str(ROOT)]
    done = subprocess.run(
        [*git, "worktree", "add", "--detach", str(folder), revision],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UsageError(
            f"--compare {revision}: expected a revision of the git history of {ROOT}, "
            f"git says: {done.stderr.strip()}"
        )
    try:
        yield folder
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(folder)], capture_output=True)


def described(revision: str) -> str:
    """Return the short name of a commit and its date."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%h of %as", revision],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def compare(revision: str, names: Sequence[str], rounds: int) -> list[Measured]:
    """Time the measurements `names` of an old revision and of this one in turn.

    Raises
    ------
    UsageError
        If the revision does not exist or cannot be timed.
    """
    measured: list[Measured] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        old_folder = stack.enter_context(checked_out(revision, folder / "old"))
        inputs = folder / "inputs"
        write_inputs(inputs)
        pair = (Revision(old_folder, folder / "cache-old"), Revision(ROOT, folder / "cache-new"))
        if FIRST_START in names:  # before anything is compiled
            measured += _compare_starts(FIRST_START, pair, inputs, FIRST_START_ROUNDS)
        in_process = [name for name in names if name in IN_PROCESS]
        if in_process:
            with ExitStack() as processes:
                workers = [processes.enter_context(Worker(one, inputs)) for one in pair]
                for name in in_process:
                    measured += _compare_in_process(name, workers, rounds)
        for name in (START, TWO_WORKERS):
            if name in names:
                for one in pair:
                    _run_command(name, one, inputs)  # compiles
                measured += _compare_starts(name, pair, inputs, rounds)
    order = [row.split(":")[0] for row in NAMES]
    return sorted(measured, key=lambda row: order.index(row.name.split(":")[0]))


def _compare_in_process(name: str, workers: Sequence[Worker], rounds: int) -> list[Measured]:
    for worker in workers:
        worker.measure(name)  # compiles
    answers: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for number in range(rounds):
        for side in in_turn(number):
            answers[side].append(workers[side].measure(name))
    old, new = ([answer["seconds"] for answer in side] for side in answers)
    rows = [_row(name, old, new, UNITS.get(name, 1))]
    if name in STAGES_OF:
        stages = [stage for stage in answers[0][0]["stages"] if stage in answers[1][0]["stages"]]
        for stage in (stage for stage in stages if stage != "total"):
            old, new = ([answer["stages"][stage] for answer in side] for side in answers)
            if min(*old, *new) > 0:
                rows.append(_row(f"{name}: {stage}, by the clock", old, new, UNITS.get(name, 1)))
    return rows


def _compare_starts(
    name: str, pair: Sequence[Revision], inputs: Path, rounds: int
) -> list[Measured]:
    """Compare runs of the command, by the wall clock and by processor time."""
    seconds: tuple[list[float], list[float]] = ([], [])
    processor: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in in_turn(number):
            wall, used = _run_command(name, pair[side], inputs)
            seconds[side].append(wall)
            processor[side].append(used)
    return [_row(name, *seconds), _row(f"{name}: processor time", *processor)]


def in_turn(number: int) -> tuple[int, int]:
    """Return which side is timed first and second in a round: the order alternates."""
    return (0, 1) if number % 2 == 0 else (1, 0)


def _run_command(name: str, revision: Revision, inputs: Path) -> tuple[float, float]:
    """Return the wall-clock and processor time of `usmicro run`, s."""
    folder, workers = ("folder", 2) if name == TWO_WORKERS else ("small", 1)
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-P", "-m", "usmicro", "run", str(inputs / folder), "--quiet"]
        command += ["--out", f"{out}/results", "--workers", str(workers), "--spacing", "0.05"]
        before, start = _processor_time_of_children(), time.perf_counter()
        done = subprocess.run(
            command, env=revision.environment, cwd=inputs, capture_output=True, text=True
        )
        wall, used = time.perf_counter() - start, _processor_time_of_children() - before
    if done.returncode:
        raise UsageError(
            f"`usmicro run` of the revision in {revision.folder} ended with status "
            f"{done.returncode}: {done.stderr.strip()}"
        )
    return wall, used


def _processor_time_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(name: str, old: Sequence[float], new: Sequence[float], units: int = 1) -> Measured:
    old_ms, new_ms = (1e3 * float(np.median(values)) / units for values in (old, new))
    row = Measured(name, old_ms, new_ms, ratio_of_pairs(old, new))
    print(f"{name}: {old_ms:.3g} ms, {new_ms:.3g} ms, {row.ratio.verdict}", file=sys.stderr)
    return row


def ratio_of_pairs(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """Return the median of old / new over the pairs, with an interval that assumes no distribution.

    The k-th smallest and the k-th largest ratio of n enclose the median of all possible pairs
    unless fewer than k of n lie on one side of it, which has the probability of fewer than k heads
    in n throws of a coin. k is the largest number for which the confidence is at least CONFIDENCE.
    """
    ratios = np.sort(np.divide(old, new))
    k = _rank(len(ratios))
    median = float(np.median(ratios))
    if k == 0:
        return Ratio(median, None, None)
    return Ratio(median, float(ratios[k - 1]), float(ratios[-k]))


def _rank(pairs: int) -> int:
    """Return the largest k of `ratio_of_pairs`; 0 with too few pairs."""
    missed, k = 0.0, 0
    while k <= pairs // 2:
        missed += 2 * math.comb(pairs, k) / 2**pairs
        if missed > 1 - CONFIDENCE:
            break
        k += 1
    return k
