"""Simulate a scan with its truth from settings and a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, Frame
from usmicro.model.scan import Region, Scan, Spacing
from usmicro.phantom.anatomy import TissueMaps, render
from usmicro.phantom.doppler import colour_frames
from usmicro.phantom.foci import add_focus, local_mean
from usmicro.phantom.random_scene import random_scene
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import SHARP_MARGIN, FocusShape, MassShape, Scene
from usmicro.phantom.screen import Panel, compose
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.speckle import (
    MEAN_ENVELOPE,
    ComplexImage,
    compressed,
    filtered,
    scatterer_power,
    scatterers,
)
from usmicro.phantom.truth import TrueFocus, TrueMass, TrueView, Truth

LARGEST_DISPLACEMENT = 1.2
"""Largest displacement of the tissue in each direction, mm: less than the margin of beam space."""

DISPLACEMENT_KEPT = 0.8
"""Fraction of the displacement of a frame that is kept in the next one."""

TIME_GAIN_DB = 22
"""Amplification by time-gain compensation from the transducer face to the bottom, dB."""


@dataclass(frozen=True)
class Phantom:
    """A simulated scan."""

    name: str
    """Name of the scan, in place of a file name."""
    frames: ByteImage = field(repr=False)
    """Shape (frames, rows, columns) for grey, (frames, rows, columns, 3) for RGB."""
    spacing: Spacing
    """Pixel size."""
    regions: tuple[Region, ...]
    """Regions as a DICOM file declares them."""
    truth: Truth = field(repr=False)
    settings: PhantomSettings
    seed: int

    def scan(self) -> Scan:
        """Return the phantom in the form of a scan that was read from a file."""

        def read() -> Iterator[Frame]:
            yield from self.frames

        count, rows, columns = self.frames.shape[:3]
        return Scan(
            self.name,
            None,
            rows,
            columns,
            count,
            read,
            self.spacing,
            self.regions,
            decoder="usmicro.phantom",
        )


def simulate(
    seed: int,
    settings: PhantomSettings | None = None,
    *,
    scene: Scene | None = None,
    name: str | None = None,
) -> Phantom:
    """Simulate a breast ultrasound scan.

    Parameters
    ----------
    seed : int
        The same seed, settings and scene give the same bytes.
    settings : PhantomSettings, optional
    scene : Scene, optional
        Shapes and positions of all objects; by default drawn from the seed and the settings.
    name : str, optional
        Name of the scan; by default made from the seed.

    Returns
    -------
    Phantom
    """
    settings = settings or PhantomSettings()
    generators = np.random.default_rng(seed).spawn(settings.views)
    panels = [simulate_panel(rng, settings, scene) for rng in generators]
    frames, truth, regions = compose(panels, settings, seed)
    spacing = Spacing(settings.spacing, settings.spacing, "given")
    return Phantom(name or f"phantom-{seed}", frames, spacing, regions, truth, settings, seed)


def simulate_panel(
    rng: np.random.Generator, settings: PhantomSettings, scene: Scene | None = None
) -> Panel:
    """Simulate one tissue region: its images, colour data and truth."""
    scene_rng, texture_rng, speckle_rng, motion_rng, noise_rng, colour_rng = rng.spawn(6)
    probe = Probe.of(settings)
    scene = scene or random_scene(scene_rng, settings, probe)
    maps = render(texture_rng, scene, settings, probe)
    fields, peaks = echoes(speckle_rng, scene, maps, settings, probe)
    motion = displacements(motion_rng, settings)
    grey = np.stack([bmode(fields, shift, noise_rng, settings, probe) for shift in motion])
    truth = panel_truth(scene, maps, peaks, motion, settings, probe)
    colour = (
        None
        if scene.box is None
        else colour_frames(colour_rng, scene, scene.box, motion, settings, probe)
    )
    return Panel(probe, scene, grey, truth, colour)


def echoes(
    rng: np.random.Generator,
    scene: Scene,
    maps: TissueMaps,
    settings: PhantomSettings,
    probe: Probe,
) -> tuple[list[ComplexImage], list[float]]:
    """Simulate the echoes of a scene.

    Returns
    -------
    fields : list of array, shape `probe.shape`, complex64
        One field in beam space per look, with the losses.
    peaks : list of float
        Peak of each focus over the local mean envelope, without losses, dB.
    """
    loss = (10 ** (-maps.loss_db / 20)).astype(np.float32)
    amplitude = (10 ** (maps.level_db / 20)).astype(np.float32)
    power = scatterer_power(rng, maps.shape, settings, probe)
    tissue = []
    for _ in range(settings.looks):
        raw = scatterers(rng, power, settings, probe) * amplitude
        tissue.append(filtered((raw + maps.specular).astype(np.complex64), settings, probe))
    level = local_mean(np.mean([np.abs(look) for look in tissue], axis=0), probe)
    places = [_sample(focus, probe) for focus in scene.foci]
    for focus, (row, column) in zip(scene.foci, places, strict=True):
        state = rng.integers(2**63)
        for look in tissue:  # the focus has the same shape in every look
            add_focus(
                look,
                focus,
                float(level[row, column]),
                np.random.default_rng(state),
                settings,
                probe,
            )
    envelope = np.mean([np.abs(look) for look in tissue], axis=0)
    peaks = []
    for focus, (row, column) in zip(scene.foci, places, strict=True):
        half_rows = max(int(focus.half_height / SAMPLE_STEP), 2)
        half_columns = max(int(focus.half_width / LINE_STEP), 2)
        around = envelope[
            max(row - half_rows, 0) : row + half_rows + 1,
            max(column - half_columns, 0) : column + half_columns + 1,
        ]
        peaks.append(float(20 * np.log10(around.max() / level[row, column])))
    return [(look * loss).astype(np.complex64) for look in tissue], peaks


def _sample(focus: FocusShape, probe: Probe) -> tuple[int, int]:
    """Return row and column in beam space of the sample nearest to a focus."""
    u, d = probe.beam(focus.x, focus.z)
    rows, columns = probe.shape
    row = round((float(d) - float(probe.d[0])) / SAMPLE_STEP)
    column = round((float(u) - float(probe.u[0])) / LINE_STEP)
    return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)


def displacements(rng: np.random.Generator, settings: PhantomSettings) -> list[tuple[float, float]]:
    """Draw the displacement of the tissue in each frame, along the face and in depth, mm.

    There is none in the first frame. The displacement tends to return to zero, as in breathing.
    """
    if settings.frames == 1:
        return [(0.0, 0.0)]
    steps = rng.normal(0, settings.motion, (settings.frames, 2))
    walk = np.zeros((settings.frames, 2))
    limit = LARGEST_DISPLACEMENT
    for number in range(1, settings.frames):
        walk[number] = np.clip(DISPLACEMENT_KEPT * walk[number - 1] + steps[number], -limit, limit)
    return [(float(u), float(d)) for u, d in walk - walk[0]]


def bmode(
    fields: list[ComplexImage],
    shift: tuple[float, float],
    rng: np.random.Generator,
    settings: PhantomSettings,
    probe: Probe,
) -> ByteImage:
    """Return the grey levels of one frame, with the tissue displaced by `shift` in mm."""
    rows, columns = np.indices(probe.shape, dtype=np.float32)
    # time-gain compensation amplifies the electronic noise with depth
    above_bottom = 1 - np.clip(probe.d / probe.depth, 0, 1)
    noise_db = settings.noise - TIME_GAIN_DB * above_bottom
    gain = (MEAN_ENVELOPE * 10 ** (noise_db / 20)).astype(np.float32)[:, None]
    envelope = np.zeros(probe.shape, np.float32)
    for look in fields:
        parts: list[NDArray[np.float32]] = [look.real, look.imag]
        if shift != (0.0, 0.0):
            source_columns = columns - np.float32(shift[0] / LINE_STEP)
            source_rows = rows - np.float32(shift[1] / SAMPLE_STEP)
            parts = [
                cv2.remap(
                    np.ascontiguousarray(part),
                    source_columns,
                    source_rows,
                    cv2.INTER_CUBIC,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                for part in parts
            ]
        unit_noise = rng.standard_normal((2, *probe.shape), dtype=np.float32)
        noise = unit_noise * gain * np.float32(np.sqrt(0.5))
        envelope += np.hypot(parts[0] + noise[0], parts[1] + noise[1])
    grey: FloatImage = probe.convert(compressed(envelope / np.float32(len(fields)), settings))
    return np.where(probe.tissue, np.rint(grey), 0).astype(np.uint8)


def panel_truth(
    scene: Scene,
    maps: TissueMaps,
    peaks: list[float],
    motion: list[tuple[float, float]],
    settings: PhantomSettings,
    probe: Probe,
) -> Truth:
    """Return the truth of a tissue region that fills its image."""
    tissue = probe.tissue
    labels = {
        name: np.where(tissue, probe.convert(image.astype(np.float32), nearest=True), 0)
        for name, image in (
            ("masses", maps.masses),
            ("ducts", maps.ducts),
            ("nonmass", maps.nonmass),
        )
    }
    mass_labels = labels["masses"].astype(np.int32)
    return Truth(
        views=(_true_view(settings, probe),),
        foci=tuple(
            _true_focus(focus, peak, motion, probe)
            for focus, peak in zip(scene.foci, peaks, strict=True)
        ),
        masses=tuple(
            _true_mass(number, mass, mass_labels == number, settings.spacing)
            for number, mass in enumerate(scene.masses, start=1)
            if (mass_labels == number).any()
        ),
        mass_labels=mass_labels,
        duct_labels=labels["ducts"].astype(np.int32),
        nonmass=labels["nonmass"] > 0,
        tissue=tissue,
        overlay=np.zeros(probe.image_shape, np.bool_),
        motion_mm=tuple(motion),
    )


def _true_focus(
    focus: FocusShape, peak_db: float, motion: list[tuple[float, float]], probe: Probe
) -> TrueFocus:
    u, d = (float(value) for value in probe.beam(focus.x, focus.z))
    pixels = [probe.to_pixels(u + across, d + along) for across, along in motion]
    return TrueFocus(
        x_px=tuple(float(x) for x, _ in pixels),
        y_px=tuple(float(y) for _, y in pixels),
        depth_mm=d,
        diameter_mm=float(focus.diameter),
        contrast_db=float(focus.contrast_db),
        peak_db=peak_db,
        kind=focus.kind,
        label=focus.label,
        shadow=focus.shadow_db > 0,
        shadow_db=float(focus.shadow_db),
        twinkling=focus.twinkling,
        mass=focus.mass,
        duct=focus.duct,
        nonmass=focus.nonmass,
        cluster=focus.cluster,
        form=focus.form,
    )


def _true_mass(number: int, mass: MassShape, inside: BoolImage, spacing: float) -> TrueMass:
    y, x = np.nonzero(inside)
    return TrueMass(
        number=number,
        x_px=float(x.mean()),
        y_px=float(y.mean()),
        width_mm=float((np.ptp(x) + 1) * spacing),
        height_mm=float((np.ptp(y) + 1) * spacing),
        area_mm2=float(len(x) * spacing**2),
        content=mass.content,
        shape=mass.shape,
        margin="circumscribed" if mass.margin < SHARP_MARGIN else "indistinct",
        posterior=mass.posterior,
        posterior_db=float(mass.posterior_db),
    )


def _true_view(settings: PhantomSettings, probe: Probe) -> TrueView:
    rows, columns = probe.image_shape
    apex, face = None, -0.5
    if probe.geometry == "sector":
        x, z = probe.origin
        apex = float(-x / probe.spacing - 0.5), float((-probe.radius - z) / probe.spacing - 0.5)
        face = probe.radius / probe.spacing
    return TrueView(
        geometry=probe.geometry,
        left=0,
        top=0,
        right=columns,
        bottom=rows,
        spacing_mm=settings.spacing,
        face_px=face,
        apex_px=apex,
    )
