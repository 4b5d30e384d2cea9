"""Compiled kernels are stored in a folder of their own, without changing numba for others."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numba
import numpy as np

before = numba.config.CACHE_DIR
from usmicro.kernels.exponential import power_of_half

assert numba.config.CACHE_DIR == before, numba.config.CACHE_DIR
power_of_half(np.float32(1))
assert numba.config.CACHE_DIR == before, numba.config.CACHE_DIR


@numba.njit(cache=True)
def increment(x):
    return x + 1


increment(1)
"""


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """Folders in which a program leaves the kernels of usmicro and a function of its own."""
    folder = tmp_path_factory.mktemp("caches")
    program = folder / "own" / "program.py"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "cache" / "usmicro" / "kernels", program.parent


def test_kernels_are_stored_in_the_cache_folder_of_the_user(caches):
    kernels, _ = caches
    assert [path.name for path in kernels.rglob("*.nbc") if "power_of_half" in path.name]


def test_a_function_of_another_package_is_stored_where_numba_puts_it(caches):
    kernels, own = caches
    assert [path.name for path in own.rglob("*.nbc") if "increment" in path.name]
    assert not [path.name for path in kernels.rglob("*.nbc") if "increment" in path.name]
