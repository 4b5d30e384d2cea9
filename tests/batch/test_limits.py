"""A file that hangs, fills the memory or kills its process fails alone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import usmicro
from tests.helpers.fake_analysis import (
    CRASHES_SECOND_TIME,
    FILLS_MEMORY,
    FILLS_MEMORY_IN_C,
    FREEZES,
    SCRIPT_HEAD,
    SLEEPS,
    SLOW_FRAMES,
    SPINS,
)
from usmicro.batch import workers
from usmicro.settings import read_settings

pytestmark = [
    pytest.mark.usefixtures("fake_analysis"),
    pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux"),
]

ROOT = str(Path(__file__).parents[2])


def run(scans, out, *assignments):
    settings = read_settings(assignments=assignments)
    return {
        result.image: result
        for result in usmicro.run(scans, out=out, workers=2, settings=settings, overwrite=True)
    }


def failed(results) -> set[str]:
    return {name for name, result in results.items() if result.status == "failed"}


def test_a_file_that_hangs_fails_and_its_log_says_where(scans, tmp_path, write_scan):
    write_scan(scans / "sleeps.png", 31, first=SLEEPS)
    write_scan(scans / "spins.png", 32, first=SPINS)
    results = run(scans, tmp_path / "r", "limits.seconds=6")
    assert failed(results) == {"sleeps.png", "spins.png"}
    for name in failed(results):
        assert "limits.seconds" in results[name].error
        assert any(
            "fake_analysis.py" in line and "in analyze" in line for line in results[name].log
        )


def test_a_process_that_cannot_end_itself_is_killed(scans, tmp_path, write_scan, monkeypatch):
    monkeypatch.setattr(workers, "GRACE_SECONDS", 1.0)
    write_scan(scans / "freezes.png", 33, first=FREEZES)
    results = run(scans, tmp_path / "r", "limits.seconds=6")
    assert failed(results) == {"freezes.png"}
    assert "limits.seconds" in results["freezes.png"].error


@pytest.mark.parametrize("kind", [FILLS_MEMORY, FILLS_MEMORY_IN_C])
def test_a_file_that_needs_too_much_memory_fails_alone(scans, tmp_path, write_scan, kind):
    write_scan(scans / "eats.png", 34, first=kind)
    results = run(scans, tmp_path / "r", "limits.memory=900")
    assert failed(results) == {"eats.png"}
    assert "900 MB that limits.memory allows" in results["eats.png"].error


def test_a_crash_caused_by_an_earlier_file_is_retried(tmp_path, write_scan):
    """A damaged heap kills the process at a later file, which a new process analyses."""
    for number in range(5):
        write_scan(tmp_path / "scans" / f"{number}.png", number, first=CRASHES_SECOND_TIME)
    assert failed(run(tmp_path / "scans", tmp_path / "r")) == set()


def test_results_stay_valid_when_the_limits_change(scans, tmp_path):
    first = run(scans, tmp_path / "r")
    settings = read_settings(assignments=["limits.seconds=77", "limits.memory=1234"])
    again = list(usmicro.run(scans, out=tmp_path / "r", workers=2, settings=settings, resume=True))
    assert [result.seconds for result in again] == [
        result.seconds for result in first.values()
    ]  # the times of the first run


@pytest.mark.parametrize("count", [1, 2])
def test_the_frames_of_a_cine_are_reported(tmp_path, monkeypatch, capsys, count):
    pages = [np.full((40, 60), 30 + number, np.uint8) for number in range(12)]
    pages[0][0, 0] = SLOW_FRAMES
    (tmp_path / "scans").mkdir()
    cv2.imwritemulti(str(tmp_path / "scans" / "cine.tif"), pages)
    monkeypatch.setattr("usmicro.batch.progress.LINE_SECONDS", 0)
    list(usmicro.run(tmp_path / "scans", out=tmp_path / "r", workers=count, quiet=False))
    assert re.search(r"0/1, \d+/12 frames, .* left\n", capsys.readouterr().err)


def test_workers_end_when_the_main_process_is_killed(scans, tmp_path, write_scan):
    """Otherwise a worker of a killed run could still write during a later run."""
    for name in ("b.png", "sub/a.png"):
        write_scan(scans / name, 1, first=SLEEPS)
    program = f"{SCRIPT_HEAD}list(usmicro.run(sys.argv[1], out=sys.argv[2], workers=2))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, ROOT, str(scans), str(tmp_path / "r")]
    )
    try:
        children: list[int] = []
        for _ in range(200):
            children = children_of(process.pid)
            if len(children) == 2:
                break
            time.sleep(0.1)
        assert len(children) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        for _ in range(100):
            if not any(alive(child) for child in children):
                break
            time.sleep(0.1)
        assert not any(alive(child) for child in children)
    finally:
        process.kill()


def children_of(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(text) for text in file.read_text().split()]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_result_is_lost_when_a_worker_is_killed(scans, tmp_path, write_scan):
    """Each of two workers is killed once; a file whose worker dies twice would fail."""
    for number in range(30):
        write_scan(scans / f"more{number}.png", number)
    run = usmicro.run(scans, out=tmp_path / "r", workers=2)
    results = [next(run)]
    first, second = wait_for_ready_workers(2)
    for result in run:
        results.append(result)
        if len(results) == 3:
            os.kill(first, signal.SIGKILL)
        if len(results) == 12:
            os.kill(second, signal.SIGKILL)
    assert [result.status for result in results] == ["ok"] * 35


def wait_for_ready_workers(count: int) -> list[int]:
    """Return the worker processes once all can compute; each then has a second thread."""
    for _ in range(300):
        ready = [pid for pid in children_of(os.getpid()) if thread_count(pid) > 1]
        if len(ready) == count:
            return ready
        time.sleep(0.1)
    pytest.fail("the workers did not start")


def thread_count(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def test_incomplete_files_of_killed_runs_are_removed(scans, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    left = [
        tmp_path / "r" / name
        for name in (
            ".1-2-3.unfinished",
            "overlays/sub/.4-5-6.unfinished",
            "report/images/.7-8-9.unfinished",
        )
    ]
    for path in left:
        path.write_text("half")
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, resume=True))
    assert not any(path.exists() for path in left)


def test_a_damaged_output_file_is_written_again(scans, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    overlay, mask = tmp_path / "r" / "overlays" / "b.png", tmp_path / "r" / "masks" / "z.png"
    whole = overlay.read_bytes(), mask.read_bytes()
    overlay.write_bytes(b"")
    mask.write_bytes(bytes(len(whole[1])))
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, resume=True))
    assert (overlay.read_bytes(), mask.read_bytes()) == whole
