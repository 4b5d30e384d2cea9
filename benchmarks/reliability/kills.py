"""Runs that are killed at random moments and resumed, compared with an undisturbed run."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from benchmarks.reliability.folders import differences
from benchmarks.reliability.many import write_many
from benchmarks.reliability.scans import write_small

IMAGES = 20
"""Number of images of a run."""
STAND_IN_IMAGES = 200
"""The same with the stand-in analysis."""
EARLIEST_KILL = 0.05
"""Earliest moment of a kill, seconds after the start."""
LATEST_KILL = 0.7
"""Latest moment of a kill, as a fraction of the duration of a whole run."""
MOST_KILLS = 12
"""Largest number of kills of one run before it may finish."""


def kill_runs(
    work: Path,
    kills: int,
    seed: int,
    *,
    minutes: float = math.inf,
    workers: int = 2,
    stand_in: bool = False,
) -> dict[str, int]:
    """Kill runs with SIGKILL at random moments, finish them, and compare with an undisturbed run.

    A kill hits the main process, one worker, or all. It does not count if the process does not
    exist at that moment.

    Parameters
    ----------
    work : Path
        Folder for scans and results.
    kills : int
        Number of kills.
    seed : int
        Seed of the random moments.
    minutes : float
        Stop after this time.
    workers : int
        Number of worker processes of a run.
    stand_in : bool
        Use an analysis that finds nothing at once, so that a run is short. Everything else, from
        listing to tables, is the same.

    Returns
    -------
    dict of str to int
        Counts, by what was counted.
    """
    rng = random.Random(seed)
    scans, whole = work / "scans", work / "whole"
    if not scans.exists():
        write_many(scans, STAND_IN_IMAGES) if stand_in else write_small(scans, IMAGES)
        (scans / "broken.png").write_bytes(b"no image")
    program = ["-m", "benchmarks.reliability.stand_in" if stand_in else "usmicro"]
    command = [sys.executable, *program, "run", str(scans), "--workers", str(workers), "--quiet"]
    subprocess.run([*command, "--out", str(whole), "--overwrite"], check=False)
    start = time.monotonic()
    # the second run shows the time that a run takes once the kernels are compiled
    subprocess.run([*command, "--out", str(whole), "--overwrite"], check=False)
    longest = time.monotonic() - start
    counts: Counter[str] = Counter(kills=0, folders=0)
    began = time.monotonic()
    while counts["kills"] < kills and time.monotonic() - began < 60 * minutes:
        out = work / "killed"
        shutil.rmtree(out, ignore_errors=True)
        for _ in range(rng.randint(1, MOST_KILLS)):
            victim = rng.choice(("main process", "a worker", "all"))
            # earlier than the end of a whole run, since a resumed run is shorter
            if _kill_run(
                [*command, "--out", str(out), "--resume"],
                rng.uniform(EARLIEST_KILL, LATEST_KILL * longest),
                victim,
                rng,
            ):
                counts["kills"] += 1
                counts[f"killed: {victim}"] += 1
        unfinished = sum(1 for _ in out.rglob("*.unfinished")) if out.exists() else 0
        counts["unfinished files left by kills"] += unfinished
        last = subprocess.run(
            [*command, "--out", str(out), "--resume"], check=False, capture_output=True, text=True
        )
        counts["folders"] += 1
        different = differences(whole, out)
        counts["folders that differ from an undisturbed run"] += bool(different)
        names, expected = _image_names(out), _image_names(whole)
        counts["inputs lost"] += len(set(expected) - set(names))
        counts["inputs listed twice"] += len(names) - len(set(names))
        # the status is 1, since one scan is broken on purpose
        counts["resumed runs with another exit status than 1"] += last.returncode != 1
        if different or last.returncode != 1:
            print(
                f"folder {counts['folders']}: {different[:5]} status {last.returncode} "
                f"{last.stderr[-300:]}",
                flush=True,
            )
            shutil.copytree(out, work / f"different-{counts['folders']}", dirs_exist_ok=True)
        if counts["folders"] % 10 == 0:
            print(
                f"{counts['kills']} kills, {counts['folders']} folders", file=sys.stderr, flush=True
            )
    return dict(counts)


def _image_names(folder: Path) -> list[str]:
    """Return the first column of images.csv."""
    lines = (folder / "images.csv").read_text().splitlines()
    return [line.split(",")[0] for line in lines[1:]]


def _kill_run(command: list[str], moment: float, victim: str, rng: random.Random) -> bool:
    """Start a run, kill it at a moment, and wait for its end; True if something was killed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(moment)
        return False
    except subprocess.TimeoutExpired:
        pass
    workers = _children(process.pid)
    targets = {
        "main process": [process.pid],
        "a worker": [rng.choice(workers)] if workers else [],
        "all": [process.pid, *workers],
    }[victim]
    is_killed = False
    for target in targets:
        try:
            os.kill(target, signal.SIGKILL)
            is_killed = True
        except ProcessLookupError:
            continue
    process.wait()
    return is_killed


def _children(pid: int) -> list[int]:
    """Return the processes that any thread of a process started (Linux)."""
    children: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children += [int(text) for text in file.read_text().split()]
    return children
