"""Sweeps through real tissue, made of real stills: each still is one plane of the tissue.

The public data sets have no B-mode sweeps. The stills of a set are therefore placed one behind the
other in elevation, `PLANE_DISTANCE` apart, and a frame sums those that the elevational profile of
the beam reaches. They are summed as complex echoes with random phases, so that the sum interferes
as speckle does. Tissue changes completely from one plane to the next, which is harder than a real
sweep, where ligaments stay for some millimetres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.sweeps.truth import Shown
from usmicro.evaluation.datasets import LabelledImage, read_bus_uclm, read_visual_readings
from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.scan import Scan
from usmicro.phantom.speckle import SIGMA_PER_FWHM
from usmicro.phantom.sweep_tissue import REACH
from usmicro.phantom.sweeps import Sweep

PLANE_DISTANCE = 2.0
"""Distance of two planes in elevation, mm: about the thickness of the beam of a linear probe."""
DECIBELS_PER_LEVEL = 60 / 255
"""Decibels per grey level: a usual dynamic range of 60 dB."""
SHAPE = (606, 856)
"""Rows and columns of a frame: those of BUS-UCLM. Other images are resized."""


@dataclass(frozen=True)
class StillSweep:
    """A sweep made of stills."""

    scan: Scan
    sweep: Sweep
    foci: tuple[Shown, ...]
    """The marks of both readers."""
    uncertain: tuple[Shown, ...]
    """The marks of one reader, which are neither hits nor false."""


def normal_stills(data: Path) -> list[LabelledImage]:
    """Return the normal images of BUS-UCLM without Doppler, at their common size."""
    return [
        image
        for image in read_bus_uclm(data)
        if image.mass_masks == () and not image.doppler and _grey(image.path).shape == SHAPE
    ]


def marked_stills(data: Path) -> list[LabelledImage]:
    """Return the images of the visual readings in which both readers marked foci."""
    return [image for image in read_visual_readings(data) if image.foci]


def sweep_of_stills(images: Sequence[LabelledImage], sweep: Sweep, seed: int) -> StillSweep:
    """Make a sweep that passes each image once; its speed decides the number of frames.

    A sweep of speed 0 rests on the first image for all its frames.
    """
    rng = np.random.default_rng([seed, 13])
    sigma = sweep.thickness * SIGMA_PER_FWHM
    if sweep.speed:
        frames = int((len(images) - 1) * PLANE_DISTANCE / sweep.speed * sweep.frame_rate) + 1
    else:
        frames = sweep.frames
    elevations = np.arange(frames) * sweep.speed / sweep.frame_rate
    phases = [_phase(rng) for _ in range(len(images) if sweep.speed else 1)]

    def read() -> Iterator[Frame]:
        echoes: dict[int, NDArray[np.complex64]] = {}
        for elevation in elevations.tolist():
            offsets = np.arange(len(phases)) * PLANE_DISTANCE - elevation
            seen = np.flatnonzero(np.abs(offsets) <= max(REACH * sigma, PLANE_DISTANCE / 2))
            weights = np.exp(-0.5 * (offsets[seen] / sigma) ** 2)
            weights /= np.sqrt((weights**2).sum())
            total = np.zeros(SHAPE, np.complex64)
            for number, weight in zip(seen.tolist(), weights.tolist(), strict=True):
                if number not in echoes:
                    grey = _resized(_grey(images[number].path))
                    envelope = 10 ** (grey.astype(np.float32) * DECIBELS_PER_LEVEL / 20)
                    echoes[number] = (envelope - 1) * np.exp(1j * phases[number])
                total += np.float32(weight) * echoes[number]
            for old in [number for number in echoes if number < seen[0]]:
                del echoes[old]
            level = 20 * np.log10(np.abs(total) + 1) / DECIBELS_PER_LEVEL
            yield np.rint(np.clip(level, 0, 255)).astype(np.uint8)

    scan = Scan(f"stills-{seed}", None, *SHAPE, frames, read)
    marks: list[list[Shown]] = [[], []]
    for number in range(len(phases)):
        loss = 10 / np.log(10) * ((number * PLANE_DISTANCE - elevations) / sigma) ** 2
        height, width = _grey(images[number].path).shape
        scale_x, scale_y = SHAPE[1] / width, SHAPE[0] / height
        for kind, targets in enumerate((images[number].foci, images[number].uncertain_foci)):
            for target in targets or ():
                x, y = target.x[0] * scale_x, target.y[0] * scale_y
                radius = target.diameter / 2 * max(scale_x, scale_y)
                marks[kind].append(
                    Shown((x,) * frames, (y,) * frames, tuple(loss.tolist()), radius)
                )
    return StillSweep(scan, sweep, tuple(marks[0]), tuple(marks[1]))


def _phase(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw phases that vary over about a speckle."""
    coarse = rng.standard_normal((SHAPE[0] // 4, SHAPE[1] // 6)).astype(np.float32)
    return np.asarray(np.pi * cv2.resize(coarse, SHAPE[::-1], interpolation=cv2.INTER_CUBIC))


def _grey(path: Path) -> ByteImage:
    return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE))


def _resized(image: ByteImage) -> ByteImage:
    if image.shape == SHAPE:
        return image
    return np.asarray(cv2.resize(image, SHAPE[::-1], interpolation=cv2.INTER_AREA))
