"""The whole pipeline beside the same steps put together from library functions, and how its cost grows."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.feature
import skimage.filters
import skimage.restoration
import skimage.segmentation

import usmicro
from benchmarks.speed.inputs import SHAPE, SPACING, make_inputs
from usmicro.batch.workers import available_cores
from usmicro.model.arrays import ByteImage
from usmicro.model.scan import Scan
from usmicro.result import Analysis

MEGAPIXELS = (0.1, 0.5, 1.0, 4.0, 16.0)
FILES = 48
"""So many that the start of the processes counts little."""
COUNTS = (1, 10, 100, 1000)
"""Images of a folder, or frames of a cine."""
PART = np.s_[200:456, 300:556]
"""Of the image, so that the largest of them take a minute or two."""
KINDS = ("ours", "libraries")


def library_assembly(levels: ByteImage) -> int:
    """Denoise, find blobs, ridges and a dark region: what one would put together from scikit-image."""
    restoration, feature, filters, segmentation = (
        getattr(skimage, name) for name in ("restoration", "feature", "filters", "segmentation")
    )
    image = levels / 255
    smooth = restoration.denoise_nl_means(
        image, patch_size=7, patch_distance=10, h=0.08, fast_mode=True
    )
    blobs = feature.blob_log(image, 1, 6, num_sigma=6, threshold=0.1)
    ridges = filters.frangi(smooth, sigmas=range(1, 6))
    dark, bright = np.quantile(smooth, (0.1, 0.6))
    seeds = np.where(smooth < dark, 1, np.where(smooth > bright, 2, 0)).astype(np.int32)
    mass = segmentation.random_walker(smooth, seeds, beta=1000, mode="cg_j") == 1
    return len(blobs) + int(mass.any()) + int(ridges.max() > 0)


def analyse(levels: ByteImage, spacing: float = SPACING) -> Analysis:
    """One image through all stages."""
    return usmicro.analyze(Scan.of_array(levels, spacing=spacing))


def times(rounds: int) -> dict[str, float]:
    """Seconds of processor time for one image, ours and the libraries', turn by turn; and ours by stage."""
    levels = make_inputs().bytes
    analyse(levels)
    pairs, stages = [], []
    for _ in range(rounds):
        seconds, analysis = _timed(lambda: analyse(levels))
        pairs.append((seconds, _timed(lambda: library_assembly(levels))[0]))
        stages.append(analysis.seconds)
    ours, theirs = np.median(pairs, axis=0)
    found = {
        "ours": float(ours),
        "libraries": float(theirs),
        "ratio": float(np.median([b / a for a, b in pairs])),
    }
    return found | {
        f"our stage {name}, by the clock": float(np.median([s[name] for s in stages]))
        for name in stages[0]
    }


def curve() -> dict[float, float]:
    """Seconds of processor time by size in megapixels, each the best of three."""
    found = {}
    for megapixels in MEGAPIXELS:
        factor = np.sqrt(megapixels * 1e6 / (SHAPE[0] * SHAPE[1]))
        levels = make_inputs((round(SHAPE[0] * factor), round(SHAPE[1] * factor))).bytes
        analyse(levels, SPACING / factor)
        found[levels.size / 1e6] = min(
            _timed(lambda levels=levels, factor=factor: analyse(levels, SPACING / factor))[0]
            for _ in range(3)
        )  # type: ignore[misc]
    return found


def growth() -> dict[str, dict[int, float]]:
    """Seconds of processor time for each image of a folder, start of the process not counted, and for each frame of a cine."""
    part = make_inputs().bytes[PART]
    moved = [np.roll(part, 3 * i, axis=1) for i in range(len(part))]
    with tempfile.TemporaryDirectory() as name:
        images: dict[int, float] = {}
        for count in COUNTS:
            folder = Path(name) / str(count)
            folder.mkdir()
            for i in range(count):
                cv2.imwrite(str(folder / f"{i:04}.png"), moved[i % len(moved)])
            list(
                usmicro.run(
                    folder,
                    out=Path(name) / "results",
                    spacing=SPACING,
                    workers=1,
                    overwrite=True,
                    limit=1,
                )
            )
            seconds, _ = _timed(
                lambda folder=folder: list(
                    usmicro.run(
                        folder,
                        out=Path(name) / "results",
                        spacing=SPACING,
                        workers=1,
                        overwrite=True,
                    )
                )  # type: ignore[misc]
            )
            images[count] = seconds / count
    frames = {}
    for count in COUNTS:
        cine = np.stack([moved[i % 8] for i in range(count)])  # the tissue moves a little, and back
        frames[count] = (
            _timed(lambda cine=cine: usmicro.analyze(Scan.of_array(cine, spacing=SPACING)))[0]
            / count
        )  # type: ignore[misc]
    return {"image of a folder": images, "frame of a cine": frames}


def memory(kind: str) -> float:
    """Peak memory in MB of a process of its own that takes one image through ours or through the libraries."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.pipeline", kind],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def peak_memory() -> float:
    """Peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if (
        status.exists()
    ):  # on Linux what getrusage gives begins with the memory of the process that started this one
        return (
            float(
                next(
                    line.split()[1]
                    for line in status.read_text().splitlines()
                    if line.startswith("VmHWM")
                )
            )
            / 1024
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def runs(rounds: int) -> dict[str, float]:
    """`usmicro run` on files: one small PNG from start to exit, and many with one worker and with one a core, by the clock."""
    cores = available_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        levels = make_inputs().bytes
        (folder / "one").mkdir()
        (folder / "many").mkdir()
        cv2.imwrite(
            str(folder / "one" / "scan.png"),
            cv2.resize(levels, (320, 240), interpolation=cv2.INTER_AREA),
        )
        for i in range(FILES):
            cv2.imwrite(str(folder / "many" / f"{i:02}.png"), np.roll(levels, 3 * i, axis=1))
        found = {"one small PNG": _command(folder, "one", 1)}  # the first compiles
        found["one small PNG"] = float(
            np.median([_command(folder, "one", 1) for _ in range(rounds)])
        )
        pairs = [
            [_command(folder, "many", workers) for workers in (1, cores)]
            for _ in range(min(rounds, 3))
        ]
    start = found["one small PNG"]
    one, all_cores = np.median(pairs, axis=0)
    return found | {
        f"images a second of {FILES}, one worker": FILES / float(one),
        f"images a second of {FILES}, {cores} workers, one a core": FILES / float(all_cores),
        f"{cores} workers over one": float(np.median([a / b for a, b in pairs])),
        f"{cores} workers over one, start not counted": float(
            np.median([(a - start) / (b - start) for a, b in pairs])
        ),
    }


def _command(folder: Path, name: str, workers: int) -> float:
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "usmicro",
            "run",
            str(folder / name),
            "--out",
            f"{out}/results",
            "--workers",
            str(workers),
        ]
        # byte code is kept, as for a package that pip installed
        environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        }
        start = time.perf_counter()
        subprocess.run(
            [*command, "--spacing", str(SPACING), "--quiet"],
            check=True,
            capture_output=True,
            env=environment,
        )
        return time.perf_counter() - start


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    value = run()
    return time.process_time() - start, value


if __name__ == "__main__":
    levels = make_inputs().bytes
    (analyse if sys.argv[1] == "ours" else library_assembly)(levels)
    print(peak_memory())
