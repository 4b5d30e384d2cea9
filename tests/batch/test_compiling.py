"""While the first scan is analysed, other processes compile kernels of its later stages."""

import subprocess
import sys

import pytest

from usmicro.batch import compiling

PROGRAM = """
import importlib
from usmicro.batch.compiling import STAGES, compile_stages
from usmicro.phantom import random_settings, simulate
import usmicro

NAMES = ("area_means", "clumps", "extents", "foci", "focus_patches", "ranks", "scan_lines")
modules = [importlib.import_module(f"usmicro.kernels.{name}") for name in NAMES]

def compiled():
    return {
        (module.__name__, name, signature)
        for module in modules
        for name, kernel in vars(module).items()
        for signature in getattr(kernel, "signatures", ())
    }

compile_stages("0:1")
before = compiled()
usmicro.analyze(simulate(2, random_settings(2)).scan())
print(len(before), sorted(compiled() - before, key=str))
"""
"""Print the number of kernels that the stages compile, and what an analysis compiles beyond."""


def test_an_analysis_finds_the_kernels_of_its_later_stages_compiled():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    count, missing = done.stdout.split(maxsplit=1)
    assert int(count) > 15
    assert missing.strip() == "[]"


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 5, 64])
def test_the_processes_share_the_stages_and_end_with_the_block(cores, monkeypatch):
    processes, shares = [], []

    def start(program, share, **pipes):
        shares.append(share)
        processes.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return processes[-1]

    done = []
    stages = [lambda view, anatomy, k=k: done.append(k) for k in range(len(compiling.STAGES))]
    monkeypatch.setattr(compiling, "start_python", start)
    monkeypatch.setattr(compiling, "available_cores", lambda: cores)
    with compiling.compiling_beside():
        assert all(process.poll() is None for process in processes)
    assert all(process.poll() is not None for process in processes)
    assert len(processes) == min(cores - 1, len(stages))
    monkeypatch.setattr(compiling, "STAGES", stages)
    for share in shares:
        compiling.compile_stages(share)
    assert sorted(done) == (list(range(len(stages))) if cores > 1 else [])


def test_where_no_process_can_be_started_the_block_runs_all_the_same(monkeypatch):
    def start(*_, **__):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(compiling, "start_python", start)
    monkeypatch.setattr(compiling, "available_cores", lambda: 4)
    with compiling.compiling_beside():
        reached = True
    assert reached
