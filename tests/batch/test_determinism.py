"""The same bytes for any number of workers and any order of inputs, with the real analysis."""

import os
import subprocess
import sys

import pytest

import usmicro
from benchmarks.reliability.folders import comparable
from benchmarks.reliability.scans import write_small


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("determinism")
    write_small(root / "scans", 4)
    results = list(usmicro.run(root / "scans", out=root / "whole", workers=1))
    assert [result.status for result in results].count("ok") == 5
    assert sum(len(result.foci) for result in results) > 0
    return root / "scans", comparable(root / "whole")


@pytest.mark.parametrize("workers", [2, 8])
def test_any_number_of_workers_writes_the_same_bytes(folders, tmp_path, workers):
    scans, whole = folders
    list(usmicro.run(scans, out=tmp_path / "r", workers=workers))
    assert comparable(tmp_path / "r") == whole


def test_any_order_of_inputs_writes_the_same_bytes(folders, tmp_path):
    scans, _ = folders
    files = sorted(path for path in scans.rglob("*") if path.is_file() and path.name != "cine.dcm")
    list(usmicro.run(files, out=tmp_path / "one", workers=1))
    list(usmicro.run(files[::-1], out=tmp_path / "other", workers=2))
    assert comparable(tmp_path / "one") == comparable(tmp_path / "other")


def test_a_run_in_parts_writes_the_same_bytes(folders, tmp_path):
    scans, whole = folders
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, limit=2))
    for result in usmicro.run(scans, out=tmp_path / "r", workers=2, resume=True):
        if not result.image.startswith("case0"):
            break
    list(usmicro.run(scans, out=tmp_path / "r", workers=2, resume=True))
    assert comparable(tmp_path / "r") == whole


def test_the_hash_seed_of_python_changes_nothing(folders, tmp_path):
    scans, whole = folders
    for seed in ("1", "2"):
        command = [
            sys.executable,
            "-m",
            "usmicro",
            "run",
            str(scans),
            "--out",
            str(tmp_path / seed),
            "--workers",
            "1",
            "--quiet",
        ]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=False)
        assert comparable(tmp_path / seed) == whole
