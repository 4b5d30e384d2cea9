"""The figures of docs/reliability.md: `python -m benchmarks.reliability EXPERIMENT`.

EXPERIMENT is kills, mutations, memory, cines or many. Each needs Linux and no data. At the default
counts `memory` and `cines` take minutes and the others take hours; `--count` and `--minutes`
shorten them.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.reliability.kills import kill_runs
from benchmarks.reliability.long_cines import FRAMES, measure_long_cines
from benchmarks.reliability.many import run_many
from benchmarks.reliability.memory import measure_memory
from benchmarks.reliability.mutations import run_mutated


def main() -> int:
    """Run one experiment and print what it counted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("experiment", choices=("kills", "mutations", "memory", "cines", "many"))
    parser.add_argument(
        "--count",
        type=int,
        help="kills (1,000), mutated files (10,000), images (100,000), or frames of the only cine",
    )
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop kills and mutations early"
    )
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="kills: replace the analysis by one that finds nothing at once, for many short runs",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--work", type=Path, help="folder for the files; a temporary one if not given"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="usmicro-reliability-") as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        if arguments.experiment == "kills":
            counted: dict[str, object] = {
                **kill_runs(
                    work,
                    arguments.count or 1000,
                    arguments.seed,
                    minutes=arguments.minutes,
                    stand_in=arguments.stand_in,
                )
            }
        elif arguments.experiment == "mutations":
            counted = {
                **run_mutated(
                    work, arguments.count or 10_000, arguments.seed, minutes=arguments.minutes
                )
            }
        elif arguments.experiment == "memory":
            counted = {**measure_memory(work)}
        elif arguments.experiment == "cines":
            lengths = FRAMES if arguments.count is None else (arguments.count,)
            counted = {**measure_long_cines(work, lengths)}
        else:
            counted = {**run_many(work, arguments.count or 100_000)}
        for name, value in counted.items():
            print(f"{name:<60}{value:>12,}" if isinstance(value, int) else f"{name:<60}{value:>12}")
        print(f"{'minutes':<60}{(time.monotonic() - start) / 60:>12.1f}")
    return 0


sys.exit(main())
