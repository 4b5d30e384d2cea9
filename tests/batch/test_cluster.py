"""Runs on a real Dask scheduler with worker processes on this machine."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed")

import usmicro
from benchmarks.reliability.folders import comparable
from benchmarks.reliability.scans import write_small
from usmicro.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes by signals")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Give the address of a scheduler with two workers, its processes and its log."""
    folder = tmp_path_factory.mktemp("dask")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    log = open(folder / "log", "wb")  # noqa: SIM115
    options = {"stdout": log, "stderr": subprocess.STDOUT, "cwd": folder, "start_new_session": True}
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-dashboard",
    ]
    processes = [subprocess.Popen(command, **options)]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--death-timeout",
        "60",
    ]
    processes += [
        subprocess.Popen([*worker, "--local-directory", str(folder)], **options) for _ in range(2)
    ]
    yield address, processes, folder / "log"
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    log.close()


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("scans")
    write_small(root / "QUAXFORD", 6)
    return root


def children_of(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(text) for text in file.read_text().split()]
    return found


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_even_if_a_worker_is_killed(
    scheduler, scans, tmp_path, capsys
):
    address, processes, log = scheduler
    list(usmicro.run(scans, out=tmp_path / "one", workers=1))
    killed = False
    results = []
    for result in usmicro.run(scans, out=tmp_path / "cluster", cluster=address, quiet=False):
        results.append(result)
        if not killed:
            # the Dask worker itself, which its nanny process starts again
            for child in children_of(processes[1].pid):
                os.kill(child, signal.SIGKILL)
                killed = True
    assert killed
    assert [result.status for result in results].count("failed") == 1
    assert results[0].overlay().ndim == 3
    assert comparable(tmp_path / "cluster") == comparable(tmp_path / "one")
    assert b"QUAXFORD" not in log.read_bytes()  # logs of the cluster contain no names


@pytest.mark.usefixtures("scheduler")
def test_a_local_run_is_resumed_on_a_cluster(scheduler, scans, tmp_path):
    address, _, _ = scheduler
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, limit=3))
    list(usmicro.run(scans, out=tmp_path / "r", cluster=address, resume=True))
    list(usmicro.run(scans, out=tmp_path / "one", workers=1))
    assert comparable(tmp_path / "r") == comparable(tmp_path / "one")


def test_a_missing_scheduler_is_reported(scans, tmp_path, monkeypatch):
    import distributed

    real = distributed.Client
    monkeypatch.setattr(
        distributed, "Client", lambda address, **options: real(address, **{**options, "timeout": 1})
    )
    with pytest.raises(UsageError, match="no Dask scheduler answers"):
        list(usmicro.run(scans, out=tmp_path / "r", cluster="tcp://127.0.0.1:9"))
    with pytest.raises(UsageError, match="--workers is for this machine"):
        usmicro.run(scans, out=tmp_path / "r2", cluster="tcp://127.0.0.1:9", workers=2)


def test_workers_of_a_cluster_import_a_detector_from_the_folder_of_the_run(
    scheduler, scans, tmp_path, monkeypatch
):
    address, _, _ = scheduler
    (tmp_path / "detector_of_cluster.py").write_text(
        "def detect(frame, spacing):\n"
        "    rows, columns = frame.shape[:2]\n"
        "    return [columns / 2], [rows / 2], [6], [0.5]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    detector = "detector_of_cluster:detect"
    list(usmicro.run(scans, out=tmp_path / "r", cluster=address, detector=detector))
    list(usmicro.run(scans, out=tmp_path / "one", workers=1, detector=detector))
    assert comparable(tmp_path / "r") == comparable(tmp_path / "one")
    assert len(usmicro.read_results("r").rows("foci")) >= 5


def test_arrays_are_computed_on_a_cluster(scheduler, tmp_path):
    address, _, _ = scheduler
    numbers = np.random.default_rng(3)
    arrays = {f"scan {i}": numbers.integers(0, 200, (120, 130), np.uint8) for i in range(5)}
    list(usmicro.run(iter(arrays.items()), out=tmp_path / "r", cluster=address))
    list(usmicro.run(arrays, out=tmp_path / "one", workers=1))
    assert comparable(tmp_path / "r") == comparable(tmp_path / "one")
    assert list((tmp_path / "r").glob(".*")) == []
