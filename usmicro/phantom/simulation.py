"""From settings and a seed to a simulated scan with its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage, FloatImage, Frame
from usmicro.model.scan import Region, Scan, Spacing
from usmicro.phantom.anatomy import TissueMaps, render
from usmicro.phantom.doppler import colour_frames
from usmicro.phantom.foci import add_focus, local_mean
from usmicro.phantom.random_scene import random_scene
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import FocusShape, Scene
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


@dataclass(frozen=True)
class Phantom:
    """A simulated scan."""

    name: str
    frames: ByteImage = field(repr=False)
    """(frames, rows, columns) grey or (frames, rows, columns, 3) RGB."""
    spacing: Spacing
    regions: tuple[Region, ...]
    truth: Truth = field(repr=False)
    settings: PhantomSettings
    seed: int

    def scan(self) -> Scan:
        """The same as a scan that was read from a file."""

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
        Same seed, settings and scene: same bytes.
    settings : PhantomSettings, optional
    scene : Scene, optional
        What lies where; drawn from the seed and the settings if not given.
    name : str, optional
        Name of the scan; by default made from the seed.
    """
    settings = settings or PhantomSettings()
    generators = np.random.default_rng(seed).spawn(settings.views)
    panels = [panel(rng, settings, scene) for rng in generators]
    frames, truth, regions = compose(panels, settings, seed)
    spacing = Spacing(settings.spacing, settings.spacing, "given")
    return Phantom(name or f"phantom-{seed}", frames, spacing, regions, truth, settings, seed)


def panel(rng: np.random.Generator, settings: PhantomSettings, scene: Scene | None = None) -> Panel:
    """One tissue region: pictures, colour data and truth."""
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
    """One complex beam-space field a look, losses included, and the peak of every focus in dB over the local mean envelope."""
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
        for look in tissue:  # the same lump seen in every look
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
        near_rows, near_columns = (
            max(int(focus.diameter / 2 / SAMPLE_STEP), 2),
            max(int(focus.diameter / 2 / LINE_STEP), 2),
        )
        near = envelope[
            max(row - near_rows, 0) : row + near_rows + 1,
            max(column - near_columns, 0) : column + near_columns + 1,
        ]
        peaks.append(float(20 * np.log10(near.max() / level[row, column])))
    return [(look * loss).astype(np.complex64) for look in tissue], peaks


def _sample(focus: FocusShape, probe: Probe) -> tuple[int, int]:
    u, d = probe.beam(focus.x, focus.z)
    rows, columns = probe.shape
    row, column = (
        round((float(d) - float(probe.d[0])) / SAMPLE_STEP),
        round((float(u) - float(probe.u[0])) / LINE_STEP),
    )
    return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)


def displacements(rng: np.random.Generator, settings: PhantomSettings) -> list[tuple[float, float]]:
    """Displacement of the tissue in mm along the face and in depth, for every frame; none in the first."""
    if settings.frames == 1:
        return [(0.0, 0.0)]
    steps = rng.normal(0, settings.motion, (settings.frames, 2))
    walk = np.zeros((settings.frames, 2))
    for number in range(
        1, settings.frames
    ):  # tissue is pulled back, as by breathing, and stays within the margin of beam space
        walk[number] = np.clip(0.8 * walk[number - 1] + steps[number], -1.2, 1.2)
    return [(float(u), float(d)) for u, d in walk - walk[0]]


def bmode(
    fields: list[ComplexImage],
    shift: tuple[float, float],
    rng: np.random.Generator,
    settings: PhantomSettings,
    probe: Probe,
) -> ByteImage:
    """One grey picture of the tissue displaced by `shift` mm."""
    rows, columns = np.indices(probe.shape, dtype=np.float32)
    # time-gain compensation lifts the electronic noise with depth
    gain = (
        MEAN_ENVELOPE
        * 10 ** ((settings.noise - 22 * (1 - np.clip(probe.d / probe.depth, 0, 1))) / 20)
    ).astype(np.float32)[:, None]
    envelope = np.zeros(probe.shape, np.float32)
    for look in fields:
        parts: list[NDArray[np.float32]] = [look.real, look.imag]
        if shift != (0.0, 0.0):
            maps = (
                columns - np.float32(shift[0] / LINE_STEP),
                rows - np.float32(shift[1] / SAMPLE_STEP),
            )
            parts = [
                cv2.remap(
                    np.ascontiguousarray(part),
                    *maps,
                    cv2.INTER_CUBIC,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                for part in parts
            ]
        noise = (
            rng.standard_normal((2, *probe.shape), dtype=np.float32)
            * gain
            * np.float32(np.sqrt(0.5))
        )
        envelope += np.hypot(parts[0] + noise[0], parts[1] + noise[1])
    picture: FloatImage = probe.convert(compressed(envelope / np.float32(len(fields)), settings))
    return np.where(probe.tissue, np.rint(picture), 0).astype(np.uint8)


def panel_truth(
    scene: Scene,
    maps: TissueMaps,
    peaks: list[float],
    motion: list[tuple[float, float]],
    settings: PhantomSettings,
    probe: Probe,
) -> Truth:
    """The truth of a picture that fills its image."""
    foci = []
    for focus, peak in zip(scene.foci, peaks, strict=True):
        u, d = (float(value) for value in probe.beam(focus.x, focus.z))
        pixels = [probe.to_pixels(u + across, d + along) for across, along in motion]
        foci.append(
            TrueFocus(
                x_px=tuple(float(x) for x, _ in pixels),
                y_px=tuple(float(y) for _, y in pixels),
                depth_mm=d,
                diameter_mm=float(focus.diameter),
                contrast_db=float(focus.contrast_db),
                peak_db=peak,
                kind=focus.kind,
                label=focus.label,
                shadow=focus.shadow_db > 0,
                shadow_db=float(focus.shadow_db),
                twinkling=focus.twinkling,
                mass=focus.mass,
                duct=focus.duct,
                nonmass=focus.nonmass,
                cluster=focus.cluster,
            )
        )
    tissue = probe.tissue
    labels = {
        kind: np.where(tissue, probe.convert(image, nearest=True), 0)
        for kind, image in _label_maps(maps).items()
    }
    mass_labels = labels["masses"].astype(np.int32)
    masses = []
    for number, mass in enumerate(scene.masses, start=1):
        y, x = np.nonzero(mass_labels == number)
        if len(x) == 0:
            continue
        masses.append(
            TrueMass(
                number=number,
                x_px=float(x.mean()),
                y_px=float(y.mean()),
                width_mm=float((np.ptp(x) + 1) * settings.spacing),
                height_mm=float((np.ptp(y) + 1) * settings.spacing),
                area_mm2=float(len(x) * settings.spacing**2),
                content=mass.content,
                shape=mass.shape,
                margin="circumscribed" if mass.margin < 0.3 else "indistinct",
                posterior=mass.posterior,
                posterior_db=float(mass.posterior_db),
            )
        )
    rows, columns = probe.image_shape
    if probe.geometry == "sector":
        apex = (
            -probe.origin[0] / probe.spacing - 0.5,
            (-probe.radius - probe.origin[1]) / probe.spacing - 0.5,
        )
        face = probe.radius / probe.spacing
    else:
        apex, face = None, -0.5
    view = TrueView(
        geometry=probe.geometry, left=0, top=0, right=columns, bottom=rows, spacing_mm=settings.spacing, face_px=face,
        apex_px=None if apex is None else (float(apex[0]), float(apex[1])),
    )  # fmt: skip
    return Truth(
        views=(view,), foci=tuple(foci), masses=tuple(masses), mass_labels=mass_labels, duct_labels=labels["ducts"].astype(np.int32),
        nonmass=labels["nonmass"] > 0, tissue=tissue, overlay=np.zeros((rows, columns), np.bool_), motion_mm=tuple(motion),
    )  # fmt: skip


def _label_maps(maps: TissueMaps) -> dict[str, NDArray[np.float32]]:
    return {name: getattr(maps, name).astype(np.float32) for name in ("masses", "ducts", "nonmass")}
