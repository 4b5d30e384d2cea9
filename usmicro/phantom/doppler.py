"""Colour Doppler data: flow in vessels, twinkling, flash and noise, on the coarse cells in which scanners measure.

Each cell holds the lag-one autocorrelation (Kasai et al., IEEE Trans. Sonics and Ultrasonics 32 (1985) 458): its phase is
pi times velocity over the velocity limit, so that faster flow aliases. Twinkling is a random phase in each cell and frame
at a focus and behind it (Kamaya et al., American Journal of Roentgenology 180 (2003) 83).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.phantom.anatomy import smooth_noise
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import ColourBox, FocusShape, Scene, VesselShape
from usmicro.phantom.settings import PhantomSettings

CELL_ACROSS, CELL_ALONG = 0.40, 0.30
"""Size of a colour cell along the face and in depth, mm."""
SHOWN_FROM = 0.45
"""Power from which a pixel is shown in colour; a vessel has about 1."""
WALL_FILTER = 0.06
"""Slower flow than this fraction of the velocity limit is not shown."""
HEART_RATE = 1.2
"""Beats a second."""


@dataclass(frozen=True)
class ColourFrames:
    """Colour data on the picture's pixels, shape (frames, rows, columns)."""

    shown: BoolImage
    phase: FloatImage
    """Radians, positive towards the transducer; -pi to pi, moved by the baseline's shift."""
    power: FloatImage
    """0 to 1."""
    variance: FloatImage
    """0 to 1: how little neighbouring cells agree."""
    flash_frames: tuple[int, ...]
    box: BoolImage
    """(rows, columns): pixels inside the colour box."""


class Cells:
    """The colour cells of a box, and the picture that they make."""

    def __init__(self, box: ColourBox, probe: Probe) -> None:
        straight = np.arange(box.first, box.last + CELL_ACROSS, CELL_ACROSS)
        depths = np.arange(box.top, box.bottom + CELL_ALONG, CELL_ALONG)
        self.shape = len(depths), len(straight)
        self.d = np.repeat(depths[:, None], len(straight), axis=1)
        self.u = straight[None, :] + box.lean(self.d)
        self.x, self.z = probe.position(self.u, self.d)
        self.slope = float(np.tan(box.steering))
        # unit vector back towards the transducer
        angle = (
            self.u / probe.radius
            if probe.geometry == "sector"
            else np.full(self.shape, box.steering)
        )
        self.towards = -np.sin(angle), -np.cos(angle)
        u, d = probe.pixel_beams
        self.inside: BoolImage = np.asarray(box.holds(u, d) & probe.tissue)
        self.columns = ((u - box.lean(d) - box.first) / CELL_ACROSS).astype(np.float32)
        self.rows = ((d - box.top) / CELL_ALONG).astype(np.float32)

    def picture(self, field: NDArray[np.complex128]) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Power, phase and variance on the picture's pixels.

        Neighbours that agree are interpolated as complex numbers, so that aliased phases stay continuous; cells that do not agree
        keep their own phase, which makes the mosaic of twinkling.
        """
        parts = [
            field.real.astype(np.float32),
            field.imag.astype(np.float32),
            np.abs(field).astype(np.float32),
        ]
        real, imaginary, power = (
            cv2.remap(part, self.columns, self.rows, cv2.INTER_LINEAR) for part in parts
        )
        nearest = [
            cv2.remap(part, self.columns, self.rows, cv2.INTER_NEAREST) for part in parts[:2]
        ]
        together = np.hypot(real, imaginary)
        phase = np.where(
            together > 0.7 * power, np.arctan2(imaginary, real), np.arctan2(nearest[1], nearest[0])
        ).astype(np.float32)
        return power, phase, 1 - together / np.maximum(power, np.float32(1e-6))


def pulse(time: float) -> float:
    """Arterial velocity over its systolic peak."""
    phase = (time * HEART_RATE) % 1.0
    return float(
        0.35
        + 0.65 * np.exp(-(((phase - 0.18) / 0.13) ** 2))
        + 0.12 * np.exp(-(((phase - 0.5) / 0.12) ** 2))
    )


def flow(
    vessel: VesselShape, cells: Cells, shift: tuple[float, float], speed: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Velocity towards the transducer in cm/s and power of the flow in a vessel, in the cells."""
    points = np.asarray(vessel.path)
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1])[:, None], 1e-9)
    apart, nearest = cKDTree(points).query(
        np.column_stack([(cells.x - shift[0]).ravel(), (cells.z - shift[1]).ravel()])
    )
    apart, direction = apart.reshape(cells.shape), along[nearest].reshape(*cells.shape, 2)
    laminar = np.clip(1 - (apart / (vessel.radius + 0.1)) ** 2, 0, 1)
    velocity = (
        speed
        * vessel.velocity
        * laminar
        * (direction[..., 0] * cells.towards[0] + direction[..., 1] * cells.towards[1])
    )
    # a cell counts as blood as far as the vessel covers it
    return velocity, np.clip((vessel.radius + 0.2 - apart) / 0.3, 0, 1)


def twinkle(
    rng: np.random.Generator,
    focus: FocusShape,
    cells: Cells,
    shift: tuple[float, float],
    probe: Probe,
) -> NDArray[np.complex128]:
    """Autocorrelation of a twinkling focus and its tail: every cell and frame has a phase of its own."""
    u, d = (float(value) for value in probe.beam(focus.x, focus.z))
    behind = cells.d - d - shift[1]
    beside = np.abs(
        cells.u - u - shift[0] - cells.slope * behind
    )  # the tail follows the colour beam, not the scan line
    tail = 2.5 + 2.5 * min(focus.diameter, 2)
    half = max(focus.diameter / 2, 0.55) + 0.3 * np.clip(behind / tail, 0, 1)
    chance = (
        0.9
        * np.exp(-np.maximum(behind, 0) / tail)
        * (behind > -focus.diameter / 2 - 0.3)
        * (behind < 2 * tail)
        * (beside <= half)
    )
    lit = rng.random(cells.shape) < chance
    return np.asarray(
        np.where(
            lit,
            rng.uniform(0.8, 1.5, cells.shape)
            * np.exp(1j * rng.uniform(-np.pi, np.pi, cells.shape)),
            0,
        )
    )


def flash(rng: np.random.Generator, cells: Cells) -> NDArray[np.complex128]:
    """A flash artefact: the moving tissue lights most of the box with one slowly varying phase."""
    rows, columns = cells.shape
    phase = rng.uniform(-np.pi, np.pi) + 0.5 * smooth_noise(rng, cells.shape, columns / 3, rows / 3)
    power = 1.1 + 0.5 * smooth_noise(rng, cells.shape, max(columns / 5, 2), max(rows / 5, 2))
    return np.asarray(
        np.clip(power, 0, 1.5) * np.exp(1j * (phase + 0.15 * rng.standard_normal(cells.shape)))
    )


def colour_frames(
    rng: np.random.Generator,
    scene: Scene,
    box: ColourBox,
    motion: list[tuple[float, float]],
    settings: PhantomSettings,
    probe: Probe,
) -> ColourFrames:
    """The colour data of every frame."""
    cells = Cells(box, probe)
    start = rng.uniform(0, 1)
    flashes = tuple(
        int(number) for number in np.flatnonzero(rng.random(len(motion)) < settings.flash)
    )
    shown, phases, powers, variances = [], [], [], []
    before = np.zeros(cells.shape, complex)
    for number, shift in enumerate(motion):
        field = np.zeros(cells.shape, complex)
        for vessel in scene.vessels:
            velocity, power = flow(
                vessel, cells, shift, pulse(start + number / settings.frame_rate)
            )
            phase = np.pi * velocity / settings.velocity_limit + 0.15 * rng.standard_normal(
                cells.shape
            )
            field += np.where(
                np.abs(velocity) > WALL_FILTER * settings.velocity_limit, power, 0
            ) * np.exp(1j * phase)
        # noise grows with depth, as the echo fades
        chance = settings.colour_noise * 2 * np.clip(cells.d / settings.depth, 0, 1)
        noise = np.exp(1j * rng.uniform(-np.pi, np.pi, cells.shape))
        field += np.where(rng.random(cells.shape) < chance, noise, 0)
        for focus in scene.foci:
            if focus.twinkling:
                field += twinkle(rng, focus, cells, shift, probe)
        if number in flashes:
            field += flash(rng, cells)
        before = np.asarray(
            settings.persistence * before + (1 - settings.persistence * (number > 0)) * field,
            complex,
        )
        strength, angle, variance = cells.picture(before)
        lit = cells.inside & (strength > SHOWN_FROM) & (np.abs(angle) > np.pi * WALL_FILTER / 2)
        shown.append(lit)
        # beyond the shifted ends of its range a velocity wraps
        least = np.pi * (settings.baseline_shift - 1)
        wrapped = np.where(
            angle < least,
            angle + 2 * np.pi,
            np.where(angle >= least + 2 * np.pi, angle - 2 * np.pi, angle),
        )
        phases.append(np.where(lit, wrapped, 0).astype(np.float32))
        variances.append(np.where(lit, variance, 0).astype(np.float32))
        powers.append(np.where(lit, np.clip(strength / 1.3, 0, 1), 0).astype(np.float32))
    return ColourFrames(
        np.stack(shown),
        np.stack(phases),
        np.stack(powers),
        np.stack(variances),
        flashes,
        cells.inside,
    )
