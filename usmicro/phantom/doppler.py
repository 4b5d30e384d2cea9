"""Colour Doppler data: flow in vessels, twinkling, flash artefacts and noise.

The data are measured in the coarse cells of a colour box. Each cell has the lag-one
autocorrelation of the echoes, whose phase is pi times the velocity over the velocity limit, so that
faster flow aliases. Twinkling is a random phase in each cell and frame, at a focus and behind it.

References
----------
Kasai et al., IEEE Trans. Sonics and Ultrasonics 32 (1985) 458: the autocorrelation.

Kamaya et al., American Journal of Roentgenology 180 (2003) 83: twinkling.
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

LEAST_POWER = 0.45
"""Power above which a pixel shows colour; the power of a vessel is about 1."""

FULL_POWER = 1.3
"""Power that has the last colour of a power map."""

WALL_FILTER = 0.06
"""Velocity below which flow is not shown, fraction of the velocity limit."""

HEART_RATE = 1.2
"""Heart rate, beats per second."""

PHASE_NOISE = 0.15
"""Standard deviation of the phase of flow and flash within a cell, radians."""

COHERENCE = 0.7
"""Coherence of neighbouring cells above which their phases are interpolated.

It is the magnitude of the interpolated autocorrelation over the interpolated magnitude.
"""

Field = NDArray[np.complex128]
"""Autocorrelation, one value per colour cell."""


@dataclass(frozen=True)
class ColourFrames:
    """Colour data at the pixels of the image. Arrays have the shape (frames, rows, columns)."""

    shown: BoolImage
    """True where a pixel shows colour."""
    phase: FloatImage
    """Phase in radians, positive towards the transducer.

    The range is -pi to pi, shifted by pi times the shift of the baseline.
    """
    power: FloatImage
    """Power, 0 to 1."""
    variance: FloatImage
    """Disagreement of neighbouring cells, 0 to 1."""
    flash_frames: tuple[int, ...]
    """Frames with a flash artefact."""
    box: BoolImage
    """True in the colour box, shape (rows, columns)."""


class ColourCells:
    """The cells of a colour box, and their interpolation at the pixels of the image."""

    def __init__(self, box: ColourBox, probe: Probe) -> None:
        at_top = np.arange(box.first, box.last + CELL_ACROSS, CELL_ACROSS)
        depths = np.arange(box.top, box.bottom + CELL_ALONG, CELL_ALONG)
        self.shape = len(depths), len(at_top)
        self.d = np.repeat(depths[:, None], len(at_top), axis=1)
        self.u = at_top[None, :] + box.lateral_shift(self.d)
        self.x, self.z = probe.position(self.u, self.d)
        self.slope = float(np.tan(box.steering))
        if probe.geometry == "sector":
            angle = self.u / probe.radius
        else:
            angle = np.full(self.shape, box.steering)
        # unit vector towards the transducer
        self.towards = -np.sin(angle), -np.cos(angle)
        u, d = probe.pixel_beams
        self.inside: BoolImage = np.asarray(box.contains(u, d) & probe.tissue)
        self.columns = ((u - box.lateral_shift(d) - box.first) / CELL_ACROSS).astype(np.float32)
        self.rows = ((d - box.top) / CELL_ALONG).astype(np.float32)

    def at_pixels(self, field: Field) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Return power, phase and variance at the pixels of the image.

        Neighbouring cells that agree are interpolated as complex numbers, so that aliased phases
        stay continuous. Cells that do not agree keep their own phase, which makes the mosaic of
        twinkling.
        """
        parts = [
            field.real.astype(np.float32),
            field.imag.astype(np.float32),
            np.abs(field).astype(np.float32),
        ]
        real, imaginary, power = (
            cv2.remap(part, self.columns, self.rows, cv2.INTER_LINEAR) for part in parts
        )
        nearest_real, nearest_imaginary = (
            cv2.remap(part, self.columns, self.rows, cv2.INTER_NEAREST) for part in parts[:2]
        )
        magnitude = np.hypot(real, imaginary)
        phase = np.where(
            magnitude > COHERENCE * power,
            np.arctan2(imaginary, real),
            np.arctan2(nearest_imaginary, nearest_real),
        ).astype(np.float32)
        return power, phase, 1 - magnitude / np.maximum(power, np.float32(1e-6))


def pulse(time: float) -> float:
    """Return the arterial velocity at a time in s, as a fraction of the systolic velocity."""
    phase = (time * HEART_RATE) % 1.0
    return float(
        0.35
        + 0.65 * np.exp(-(((phase - 0.18) / 0.13) ** 2))
        + 0.12 * np.exp(-(((phase - 0.5) / 0.12) ** 2))
    )


def flow(
    vessel: VesselShape, cells: ColourCells, shift: tuple[float, float], speed: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return velocity towards the transducer in cm/s, and power, of a vessel in each cell.

    Parameters
    ----------
    vessel : VesselShape
    cells : ColourCells
    shift : (float, float)
        Displacement of the tissue along the face and in depth, mm.
    speed : float
        Velocity as a fraction of the systolic velocity, see `pulse`.
    """
    points = np.asarray(vessel.path)
    directions = np.gradient(points, axis=0)
    directions /= np.maximum(np.hypot(directions[:, 0], directions[:, 1])[:, None], 1e-9)
    positions = np.column_stack([(cells.x - shift[0]).ravel(), (cells.z - shift[1]).ravel()])
    to_axis, nearest = cKDTree(points).query(positions)
    to_axis, direction = to_axis.reshape(cells.shape), directions[nearest].reshape(*cells.shape, 2)
    laminar = np.clip(1 - (to_axis / (vessel.radius + 0.1)) ** 2, 0, 1)
    along_beam = direction[..., 0] * cells.towards[0] + direction[..., 1] * cells.towards[1]
    velocity = speed * vessel.velocity * laminar * along_beam
    # the power is the fraction of the cell that the vessel covers
    return velocity, np.clip((vessel.radius + 0.2 - to_axis) / 0.3, 0, 1)


def twinkle(
    rng: np.random.Generator,
    focus: FocusShape,
    cells: ColourCells,
    shift: tuple[float, float],
    probe: Probe,
) -> Field:
    """Return the autocorrelation of a twinkling focus and of the tail behind it.

    Every cell has a random phase. `shift` is the displacement of the tissue in mm.
    """
    u, d = (float(value) for value in probe.beam(focus.x, focus.z))
    behind = cells.d - d - shift[1]
    # the tail follows the colour beam, not the scan line
    beside = np.abs(cells.u - u - shift[0] - cells.slope * behind)
    tail_length = 2.5 + 2.5 * min(focus.diameter, 2)
    half_width = max(focus.diameter / 2, 0.55) + 0.3 * np.clip(behind / tail_length, 0, 1)
    probability = (
        0.9
        * np.exp(-np.maximum(behind, 0) / tail_length)
        * (behind > -focus.diameter / 2 - 0.3)
        * (behind < 2 * tail_length)
        * (beside <= half_width)
    )
    twinkles = rng.random(cells.shape) < probability
    power = rng.uniform(0.8, 1.5, cells.shape)
    phase = rng.uniform(-np.pi, np.pi, cells.shape)
    return np.asarray(np.where(twinkles, power * np.exp(1j * phase), 0))


def flash(rng: np.random.Generator, cells: ColourCells) -> Field:
    """Return the autocorrelation of a flash artefact.

    The motion of the tissue fills most of the box with a single, slowly varying phase.
    """
    rows, columns = cells.shape
    phase = rng.uniform(-np.pi, np.pi) + 0.5 * smooth_noise(rng, cells.shape, columns / 3, rows / 3)
    power = 1.1 + 0.5 * smooth_noise(rng, cells.shape, max(columns / 5, 2), max(rows / 5, 2))
    noise = PHASE_NOISE * rng.standard_normal(cells.shape)
    return np.asarray(np.clip(power, 0, 1.5) * np.exp(1j * (phase + noise)))


def colour_frames(
    rng: np.random.Generator,
    scene: Scene,
    box: ColourBox,
    motion: list[tuple[float, float]],
    settings: PhantomSettings,
    probe: Probe,
) -> ColourFrames:
    """Simulate the colour data of all frames.

    `motion` has the displacement of the tissue in each frame, along the face and in depth, mm.
    """
    cells = ColourCells(box, probe)
    start_time = rng.uniform(0, 1)
    has_flash = rng.random(len(motion)) < settings.flash
    shown, phases, powers, variances = [], [], [], []
    average: Field = np.zeros(cells.shape, complex)
    for number, shift in enumerate(motion):
        speed = pulse(start_time + number / settings.frame_rate)
        field = _field_of_frame(
            rng, scene, cells, shift, speed, settings, probe, flashes=bool(has_flash[number])
        )
        persistence = settings.persistence
        average = np.asarray(
            persistence * average + (1 - persistence * (number > 0)) * field, complex
        )
        power, phase, variance = cells.at_pixels(average)
        coloured = cells.inside & (power > LEAST_POWER) & (np.abs(phase) > np.pi * WALL_FILTER / 2)
        shown.append(coloured)
        # phases beyond the ends of the shifted range wrap
        lowest = np.pi * (settings.baseline_shift - 1)
        below, above = phase < lowest, phase >= lowest + 2 * np.pi
        wrapped = np.where(below, phase + 2 * np.pi, np.where(above, phase - 2 * np.pi, phase))
        phases.append(np.where(coloured, wrapped, 0).astype(np.float32))
        variances.append(np.where(coloured, variance, 0).astype(np.float32))
        powers.append(np.where(coloured, np.clip(power / FULL_POWER, 0, 1), 0).astype(np.float32))
    return ColourFrames(
        shown=np.stack(shown),
        phase=np.stack(phases),
        power=np.stack(powers),
        variance=np.stack(variances),
        flash_frames=tuple(int(number) for number in np.flatnonzero(has_flash)),
        box=cells.inside,
    )


def _field_of_frame(
    rng: np.random.Generator,
    scene: Scene,
    cells: ColourCells,
    shift: tuple[float, float],
    speed: float,
    settings: PhantomSettings,
    probe: Probe,
    *,
    flashes: bool,
) -> Field:
    """Return the autocorrelation of one frame: flow, noise, twinkling and flash."""
    field: Field = np.zeros(cells.shape, complex)
    for vessel in scene.vessels:
        velocity, power = flow(vessel, cells, shift, speed)
        noise = PHASE_NOISE * rng.standard_normal(cells.shape)
        phase = np.pi * velocity / settings.velocity_limit + noise
        passes = np.abs(velocity) > WALL_FILTER * settings.velocity_limit
        field += np.where(passes, power, 0) * np.exp(1j * phase)
    # noise increases with depth, as the echo becomes weaker
    probability = settings.colour_noise * 2 * np.clip(cells.d / settings.depth, 0, 1)
    noise_field = np.exp(1j * rng.uniform(-np.pi, np.pi, cells.shape))
    field += np.where(rng.random(cells.shape) < probability, noise_field, 0)
    for focus in scene.foci:
        if focus.twinkling:
            field += twinkle(rng, focus, cells, shift, probe)
    if flashes:
        field += flash(rng, cells)
    return field
