"""Simulated B-mode cines in which the image plane moves through the tissue, with exact truth.

The plane moves in elevation: across the image. Slices of scatterers lie at many elevations, and a
frame sums them with the elevational profile of the beam. Speckle therefore decorrelates as the
plane moves by about the thickness of the beam. The echo of a focus fades with the same profile,
layers and textures change every `KEY_STEP`, and masses are ellipsoids.

References
----------
Wagner, Insana and Smith, IEEE Trans. Ultrasonics, Ferroelectrics and Frequency Control 35 (1988)
34: speckle correlation under translation is the autocorrelation of the beam profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from usmicro.model.arrays import ByteImage, FloatImage, Frame
from usmicro.model.scan import Scan, Spacing
from usmicro.phantom.foci import add_focus, local_mean
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import FocusShape, MassShape
from usmicro.phantom.sets import random_settings
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import bmode, displacements
from usmicro.phantom.speckle import SIGMA_PER_FWHM, ComplexImage, filtered
from usmicro.phantom.sweep_tissue import (
    REACH,
    SEGMENT,
    SMALLEST_SECTION,
    ScattererSlices,
    SweepTissue,
    section_size,
)

SweepKind = Literal["normal", "lesions"]

RESTING_WANDER = 0.15
"""Standard deviation of the elevation of a probe at rest, mm: hand and breathing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """How the image plane moves."""

    frames: int
    frame_rate: float
    """Frames per second."""
    speed: float
    """Mean speed in elevation, mm/s; 0 for a probe at rest."""
    thickness: float
    """Elevational beam thickness, full width at half maximum of the two-way amplitude, mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFocus:
    """Truth of one focus."""

    x_px: tuple[float, ...]
    """Column in each frame, whether the plane shows it or not."""
    y_px: tuple[float, ...]
    """Row in each frame."""
    loss_db: tuple[float, ...]
    """Loss of its echo in each frame by the elevational distance, dB; 0 in the middle."""
    shape: FocusShape


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepMass:
    """Truth of one mass."""

    x_px: tuple[float, ...]
    """Column of the centre in each frame."""
    y_px: tuple[float, ...]
    """Row of the centre in each frame."""
    radius_mm: tuple[float, ...]
    """Half width of the section in each frame; 0 where the plane does not cut the mass."""


@dataclass(frozen=True, kw_only=True)
class SweepPhantom:
    """A simulated B-mode cine."""

    name: str
    frames: ByteImage = field(repr=False)
    """Shape (frames, rows, columns)."""
    foci: tuple[SweepFocus, ...]
    masses: tuple[SweepMass, ...]
    settings: PhantomSettings
    sweep: Sweep

    def scan(self) -> Scan:
        """Return the phantom in the form of a scan that was read from a file."""

        def read() -> Iterator[Frame]:
            yield from self.frames

        count, rows, columns = self.frames.shape
        spacing = Spacing(self.settings.spacing, self.settings.spacing, "given")
        return Scan(
            self.name, None, rows, columns, count, read, spacing, (), decoder="usmicro.phantom"
        )


def random_sweep(seed: int, *, resting: bool = False, seconds: float = 8.0) -> Sweep:
    """Draw how a hand moves the probe: 10 to 30 mm/s at 15 to 30 frames per second.

    Parameters
    ----------
    seed : int
    resting : bool
        True for a probe at rest.
    seconds : float
        Length of the cine.
    """
    rng = np.random.default_rng([seed, 11])
    frame_rate = float(rng.uniform(15, 30))
    return Sweep(
        frames=max(round(seconds * frame_rate), 2),
        frame_rate=frame_rate,
        speed=float(rng.uniform(10, 30)) * (not resting),
        thickness=float(rng.uniform(1.2, 2.5)),
    )


def simulate_sweep(
    seed: int,
    kind: SweepKind,
    sweep: Sweep,
    *,
    settings: PhantomSettings | None = None,
) -> SweepPhantom:
    """Simulate a cine of a moving or resting image plane.

    Parameters
    ----------
    seed : int
        The same seed, kind, sweep and settings give the same bytes.
    kind : "normal" or "lesions"
        Normal tissue has no masses, nonmass areas or foci, but ducts, ligaments and short bright
        echoes.
    sweep : Sweep
    settings : PhantomSettings, optional
        By default those of the set "mixed" of `random_settings`, without graphics.

    Returns
    -------
    SweepPhantom
    """
    if settings is None:
        settings = _without_graphics(random_settings(seed, "mixed"))
    if kind == "normal":
        settings = replace(settings, masses=0, nonmass=0, clusters=0, coarse_clumps=0)
        settings = replace(settings, intramass=0, intraductal=0, extramass=0, in_nonmass=0)
    probe = Probe.of(settings)
    path_rng, tissue_rng, slice_rng, noise_rng = np.random.default_rng([seed, 12]).spawn(4)
    elevations = _elevations(path_rng, sweep)
    motion = displacements(path_rng, replace(settings, frames=sweep.frames))
    tissue = SweepTissue(tissue_rng, settings, probe, float(elevations.max()))
    sigma = sweep.thickness * SIGMA_PER_FWHM
    slices = ScattererSlices(slice_rng, settings, probe, sigma)
    frames = []
    for elevation, shift in zip(elevations.tolist(), motion, strict=True):
        fields = _fields(elevation, tissue, slices, settings, probe)
        frames.append(bmode(fields, shift, noise_rng, settings, probe))
    return SweepPhantom(
        name=f"sweep-{kind}-{seed}",
        frames=np.stack(frames),
        foci=tuple(_true_focus(*focus, elevations, motion, probe, sigma) for focus in tissue.foci),
        masses=tuple(_true_mass(*mass, elevations, motion, probe) for mass in tissue.masses),
        settings=settings,
        sweep=sweep,
    )


def _without_graphics(settings: PhantomSettings) -> PhantomSettings:
    """Return settings of a single frame that shows tissue only."""
    return replace(
        settings,
        screen=False,
        header=False,
        grey_bar=False,
        body_mark=False,
        ruler=False,
        calipers=False,
        text=False,
        tint=False,
        jpeg_quality=0,
        frames=1,
    )


def _elevations(rng: np.random.Generator, sweep: Sweep) -> FloatImage:
    """Draw the elevation of each frame, mm: the speed of a hand varies within a second or so."""
    time = np.arange(sweep.frames) / sweep.frame_rate
    if not sweep.speed:
        wander = np.zeros(sweep.frames)
        kept = np.exp(-1 / sweep.frame_rate)  # a time constant of one second
        for i in range(1, sweep.frames):
            wander[i] = kept * wander[i - 1] + rng.normal(0, RESTING_WANDER * np.sqrt(1 - kept**2))
        return np.asarray(wander - wander.min() + SEGMENT / 2, dtype=np.float32)
    phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 3.0)
    uneven = 0.4 * period / (2 * np.pi) * np.sin(2 * np.pi * time / period + phase)
    return np.asarray(sweep.speed * (time + uneven - uneven[0]), dtype=np.float32)


def _fields(
    elevation: float,
    tissue: SweepTissue,
    slices: ScattererSlices,
    settings: PhantomSettings,
    probe: Probe,
) -> list[ComplexImage]:
    """Return the echoes of the plane at an elevation, one field in beam space per look."""
    maps = tissue.at(elevation)
    amplitude = (10 ** (maps.level_db / 20)).astype(np.float32)
    loss = (10 ** (-maps.loss_db / 20)).astype(np.float32)
    looks = [
        filtered((raw * amplitude + maps.specular).astype(np.complex64), settings, probe)
        for raw in slices.at(elevation, maps.shape)
    ]
    seen = [
        (focus, y, state)
        for (focus, y), state in zip(tissue.foci, tissue.states.tolist(), strict=True)
        if abs(y - elevation) < REACH * slices.sigma
    ]
    if seen:
        level = local_mean(np.mean([np.abs(look) for look in looks], axis=0), probe)
    for focus, y, state in seen:
        u, d = (float(value) for value in probe.beam(focus.x, focus.z))
        row = min(max(round((d - float(probe.d[0])) / SAMPLE_STEP), 0), probe.shape[0] - 1)
        column = min(max(round((u - float(probe.u[0])) / LINE_STEP), 0), probe.shape[1] - 1)
        contrast_db = focus.contrast_db - _loss_db(y - elevation, slices.sigma)
        faded = replace(focus, contrast_db=contrast_db)
        for look in looks:  # the focus has the same shape in every look
            rng = np.random.default_rng(state)
            add_focus(look, faded, float(level[row, column]), rng, settings, probe)
    return [(look * loss).astype(np.complex64) for look in looks]


def _loss_db(distance: float, sigma: float) -> float:
    """Return the loss of a point echo at a distance from the middle of the beam, dB."""
    return float(10 / np.log(10) * (distance / sigma) ** 2)


def _true_focus(
    focus: FocusShape,
    elevation: float,
    elevations: FloatImage,
    motion: list[tuple[float, float]],
    probe: Probe,
    sigma: float,
) -> SweepFocus:
    x, y = _pixels(focus.x, focus.z, motion, probe)
    loss = tuple(_loss_db(elevation - plane, sigma) for plane in elevations.tolist())
    return SweepFocus(x_px=x, y_px=y, loss_db=loss, shape=focus)


def _true_mass(
    mass: MassShape,
    centre: float,
    axis: float,
    elevations: FloatImage,
    motion: list[tuple[float, float]],
    probe: Probe,
) -> SweepMass:
    x, y = _pixels(mass.outline.x, mass.outline.z, motion, probe)
    sizes = [section_size(plane, centre, axis) for plane in elevations.tolist()]
    radii = tuple(mass.outline.half_width * s * (s > SMALLEST_SECTION) for s in sizes)
    return SweepMass(x_px=x, y_px=y, radius_mm=radii)


def _pixels(
    x: float, z: float, motion: list[tuple[float, float]], probe: Probe
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return column and row in each frame of a position in mm."""
    u, d = (float(value) for value in probe.beam(x, z))
    pixels = [probe.to_pixels(u + across, d + along) for across, along in motion]
    return tuple(float(column) for column, _ in pixels), tuple(float(row) for _, row in pixels)
