"""Measure colour Doppler on simulated clips: `python -m benchmarks.doppler`.

It measures the decoded colours, the tracks and the twinkling verdicts, and prints tables. The clips
differ in colour map, bar, box, baseline, opacity, persistence and compression, as among scanners.
Every second clip has no declared regions, like a video. It needs no data and takes some minutes;
`--json` writes the results of each clip.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from benchmarks.doppler.clips import KINDS, run_clip
from benchmarks.doppler.tables import as_values, make_tables
from usmicro.phantom.sets import SetKind

FIRST_SEED = 20_000
"""Default first seed; training and `benchmarks.accuracy` use no seeds from here on."""

SEEDS_PER_KIND = 1000
"""Distance between the first seeds of two kinds, so that their clips look different."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doppler", description=__doc__)
    parser.add_argument("--clips", type=int, default=20, metavar="N", help="clips of each kind")
    parser.add_argument(
        "--first-seed", type=int, default=FIRST_SEED, metavar="N", help="seed of the first clip"
    )
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="worker processes")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results of each clip to a file"
    )
    options = parser.parse_args(arguments)
    kinds: list[SetKind] = []
    seeds: list[int] = []
    for index, kind in enumerate(KINDS):
        first = options.first_seed + index * SEEDS_PER_KIND
        kinds += [kind] * options.clips
        seeds += range(first, first + options.clips)
    with ProcessPoolExecutor(
        options.processes, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        clips = list(pool.map(run_clip, kinds, seeds))
    print("\n".join(make_tables(clips)))
    if options.json is not None:
        values = [as_values(seed, clip) for seed, clip in zip(seeds, clips, strict=True)]
        options.json.write_text(json.dumps(values, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
