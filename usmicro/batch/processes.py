"""Python processes that run a part of this program, and the cores that they may use."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(
    (
        "NUMBA_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
"""Environment variables of a process: libraries use one thread, since processes share the cores."""
NEW_PROCESS_GROUP = 0x200
"""Value of subprocess.CREATE_NEW_PROCESS_GROUP, which Python defines on Windows only."""
SEARCH_PATH = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
"""Start of a program: it imports modules from where the main process does."""


def available_cores() -> int:
    """Return the number of cores that this process may use; limits of a container are respected."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or "max", which means no limit
        return cores


def start_python(program: str, *arguments: str, **pipes: Any) -> subprocess.Popen[bytes]:
    """Start a Python process that uses one thread.

    An interrupt from the keyboard does not reach it: the main process must end it.

    Parameters
    ----------
    program : str
        Python source code that starts with SEARCH_PATH.
    *arguments : str
        The program finds them in `sys.argv[2:]`.
    **pipes
        `stdin`, `stdout` and `stderr` of `subprocess.Popen`.
    """
    own_group: dict[str, Any] = (
        {"creationflags": NEW_PROCESS_GROUP} if sys.platform == "win32" else {"process_group": 0}
    )
    search_path = json.dumps([folder for folder in sys.path if isinstance(folder, str)])
    return subprocess.Popen(
        [sys.executable, "-c", program, search_path, *arguments],
        env={**os.environ, **ONE_THREAD},
        **pipes,
        **own_group,
    )
