"""Measure the whole pipeline beside an assembly of library functions, and the growth of its cost.

`python -m benchmarks.speed` runs this in processes of its own for the peak memory.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.feature
import skimage.filters
import skimage.restoration
import skimage.segmentation

import usmicro
from benchmarks.speed.inputs import SHAPE, SPACING_MM, make_inputs
from benchmarks.speed.revision_inputs import (
    CINE_FRAMES,
    SWEEP_FRAMES,
    SWEEP_SPACING_MM,
    write_inputs,
)
from usmicro.batch.memory import memory_used
from usmicro.batch.processes import available_cores
from usmicro.model.arrays import ByteImage
from usmicro.model.scan import Scan
from usmicro.result import Analysis

MEGAPIXELS = (0.1, 0.5, 1.0, 4.0, 16.0)
"""Sizes of the image for the curve of time against size."""

CURVE_ROUNDS = 3
"""Rounds of the curve and of cines, of which the best is taken."""

RUN_FILES = 48
"""Number of images of a run: enough that the start of the processes counts little."""

RUN_ROUNDS = 3
"""Largest number of rounds of these runs, of which the median is taken."""

SMALL_SIZE = (320, 240)
"""Columns and rows of the small image whose run is timed."""

COUNTS = (1, 10, 100, 400)
"""Numbers of images of a folder, or of frames of a cine."""

GROWTH_PART = np.s_[200:456, 300:556]
"""Part of the image for folders and cines of COUNTS, so that the largest take a minute or two."""

FRAME_SHIFT = 3
"""Shift between two images or frames, pixels."""

CINE_PERIOD = 8
"""Number of different frames of a cine, which repeats them: the tissue moves a little and back."""

KINDS = ("ours", "libraries")
"""Pipelines whose peak memory is measured."""


def library_assembly(levels: ByteImage) -> int:
    """Denoise, detect blobs and ridges, and segment a dark region with scikit-image.

    This is what a user would assemble from library functions for the same purpose. The result only
    makes sure that everything is computed.
    """
    # scikit-image loads its modules on access, which type checkers do not follow
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


def analyse(levels: ByteImage, spacing: float = SPACING_MM) -> Analysis:
    """Run all stages on one image with a pixel size in mm."""
    return usmicro.analyze(Scan.of_array(levels, spacing=spacing))


def measure_image(rounds: int) -> dict[str, float]:
    """Measure one image: processor time of both pipelines, and wall-clock time of our stages.

    Returns
    -------
    dict of str to float
        Median seconds by name, and "ratio", the median of libraries / ours over the rounds.
    """
    levels = make_inputs().bytes
    analyse(levels)  # compiles
    pairs, stages = [], []
    for _ in range(rounds):
        seconds, analysis = _timed(partial(analyse, levels))
        library_seconds, _ = _timed(partial(library_assembly, levels))
        pairs.append((seconds, library_seconds))
        stages.append(analysis.seconds)
    ours, libraries = np.median(pairs, axis=0)
    ratio = float(np.median([library_time / our_time for our_time, library_time in pairs]))
    times = {"ours": float(ours), "libraries": float(libraries), "ratio": ratio}
    for name in stages[0]:
        median = float(np.median([seconds[name] for seconds in stages]))
        times[f"our stage {name}, by the clock"] = median
    return times


def measure_sizes() -> dict[float, float]:
    """Measure the processor time of one image by its size.

    Returns
    -------
    dict of float to float
        Seconds by megapixels; the image shows the same tissue at every size.
    """
    seconds = {}
    for megapixels in MEGAPIXELS:
        factor = np.sqrt(megapixels * 1e6 / (SHAPE[0] * SHAPE[1]))
        levels = make_inputs((round(SHAPE[0] * factor), round(SHAPE[1] * factor))).bytes
        run = partial(analyse, levels, SPACING_MM / factor)
        run()
        seconds[levels.size / 1e6] = min(_timed(run)[0] for _ in range(CURVE_ROUNDS))
    return seconds


def measure_growth() -> dict[str, dict[int, float]]:
    """Measure the processor time per image of a folder and per frame of a cine.

    Returns
    -------
    dict of str to dict of int to float
        Seconds per image or frame by how many there are. The start of the process is not included.
    """
    part = make_inputs().bytes[GROWTH_PART]
    shifted = [np.roll(part, FRAME_SHIFT * i, axis=1) for i in range(len(part))]
    return {
        "image of a folder": _seconds_per_image(shifted),
        "frame of a cine": _seconds_per_frame(shifted[:CINE_PERIOD]),
    }


def _seconds_per_image(images: list[ByteImage]) -> dict[int, float]:
    """Return the processor time per image of folders that repeat the images."""
    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "results"
        for count in COUNTS:
            folder = Path(name) / str(count)
            folder.mkdir()
            for i in range(count):
                cv2.imwrite(str(folder / f"{i:04}.png"), images[i % len(images)])
            _run_folder(folder, out, limit=1)  # starts whatever is started once
            seconds[count] = _timed(partial(_run_folder, folder, out))[0] / count
    return seconds


def _run_folder(folder: Path, out: Path, limit: int | None = None) -> None:
    results = usmicro.run(
        folder, out=out, spacing=SPACING_MM, workers=1, overwrite=True, limit=limit
    )
    list(results)


def _seconds_per_frame(frames: list[ByteImage]) -> dict[int, float]:
    """Return the processor time per frame of cines that repeat the frames."""
    seconds = {}
    for count in COUNTS:
        cine = np.stack([frames[i % len(frames)] for i in range(count)])
        run = partial(usmicro.analyze, Scan.of_array(cine, spacing=SPACING_MM))
        seconds[count] = _timed(run)[0] / count
    return seconds


def measure_memory(kind: str) -> float:
    """Return the peak memory, MB, of a process that runs one image through one of KINDS."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.pipeline", kind],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def peak_memory() -> float:
    """Return the peak memory of this process, MB."""
    used = memory_used()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if used is None else used


def measure_runs(rounds: int) -> dict[str, float]:
    """Measure `usmicro run` by the wall clock, with one worker and with one per core.

    Returns
    -------
    dict of str to float
        Seconds of a run of one small PNG, images per second of a run of many, and the speed-up by
        several workers.
    """
    cores = available_cores()
    with tempfile.TemporaryDirectory() as name:
        small, many = Path(name) / "small", Path(name) / "many"
        _write_run_images(small, many)
        _seconds_of_command(small, 1)  # compiles
        start = float(np.median([_seconds_of_command(small, 1) for _ in range(rounds)]))
        first_start = _seconds_of_command(small, 1, kernels=Path(name) / "kernels")
        pairs = [
            [_seconds_of_command(many, workers) for workers in (1, cores)]
            for _ in range(min(rounds, RUN_ROUNDS))
        ]
    one, all_cores = np.median(pairs, axis=0)
    ratio = float(np.median([a / b for a, b in pairs]))
    ratio_without_start = float(np.median([(a - start) / (b - start) for a, b in pairs]))
    return {
        "one small PNG": start,
        "one small PNG, nothing compiled": first_start,
        f"images per second of {RUN_FILES}, one worker": RUN_FILES / float(one),
        f"images per second of {RUN_FILES}, {cores} workers, one per core": (
            RUN_FILES / float(all_cores)
        ),
        f"speed-up by {cores} workers": ratio,
        f"speed-up by {cores} workers, without the start": ratio_without_start,
    }


def _write_run_images(small: Path, many: Path) -> None:
    """Write one small image into a folder, and RUN_FILES images into another."""
    levels = make_inputs().bytes
    small.mkdir()
    many.mkdir()
    resized = cv2.resize(levels, SMALL_SIZE, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(small / "scan.png"), resized)
    for i in range(RUN_FILES):
        cv2.imwrite(str(many / f"{i:02}.png"), np.roll(levels, FRAME_SHIFT * i, axis=1))


def measure_cines() -> dict[str, float]:
    """Return the frames per second of processor time of a colour cine and of a sweep, one thread.

    The colour cine is read from a DICOM file, decoding included.
    """
    with tempfile.TemporaryDirectory() as name:
        inputs = Path(name)
        write_inputs(inputs)
        sweep = np.load(inputs / "sweep.npy")
        cine = usmicro.load(inputs / "cine.dcm")
        runs: dict[str, tuple[Callable[[], Analysis], int]] = {
            f"colour cine of {cine.rows} x {cine.columns}": (
                lambda: usmicro.analyze(usmicro.load(inputs / "cine.dcm")),
                CINE_FRAMES,
            ),
            f"sweep of {sweep.shape[1]} x {sweep.shape[2]}": (
                lambda: usmicro.analyze(Scan.of_array(sweep, spacing=SWEEP_SPACING_MM)),
                SWEEP_FRAMES,
            ),
        }
        rates = {}
        for kind, (run, frames) in runs.items():
            run()  # compiles
            rates[kind] = frames / min(_timed(run)[0] for _ in range(CURVE_ROUNDS))
    return rates


def _seconds_of_command(folder: Path, workers: int, kernels: Path | None = None) -> float:
    """Return the wall-clock time of `usmicro run` on a folder, from start to exit.

    `kernels` is a folder for compiled kernels in place of that of the user.
    """
    # byte code is kept, as for a package that pip installed
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    if kernels is not None:
        environment["NUMBA_CACHE_DIR"] = str(kernels)
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "usmicro", "run", str(folder), "--quiet"]
        command += ["--out", f"{out}/results"]
        command += ["--workers", str(workers), "--spacing", str(SPACING_MM)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return time.perf_counter() - start


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of a call, seconds, and its result."""
    start = time.process_time()
    value = run()
    return time.process_time() - start, value


if __name__ == "__main__":
    levels = make_inputs().bytes
    (analyse if sys.argv[1] == "ours" else library_assembly)(levels)
    print(peak_memory())
