"""A scene as maps in beam space: echo level, speckle statistics, attenuation and specular echoes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage, LabelImage
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import DuctShape, Line, MassShape, Scene
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.speckle import MEAN_ENVELOPE, ComplexImage, k_shape, sigmas

FAT_DB, MUSCLE_DB, SKIN_DB = -9.0, -8.0, 3.0

SEPTA = (((4.0, 2.0), (9.0, 3.2)), ((5.0, 2.0), (5.0, 1.6)))
"""Extent of the patches where strands are seen and of the meshes between them, mm along the face and in depth: fat, then gland."""

REACH = 6.0
"""How far from its edge an object is drawn, mm: beyond every transition and rim."""


@dataclass(frozen=True)
class TissueMaps:
    """What the sound meets; all in beam space."""

    level_db: FloatImage
    """Mean echo level over glandular tissue."""
    shape: FloatImage
    """Shape parameter of the K distribution."""
    loss_db: FloatImage
    """Loss of the echo accumulated along the beam, over that which time-gain compensation undoes."""
    specular: ComplexImage
    """Coherent echoes of thin reflectors, to be filtered with the scatterers."""
    masses: LabelImage
    ducts: LabelImage
    nonmass: BoolImage


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], lines: float, samples: float
) -> FloatImage:
    """Gaussian noise of unit variance with a correlation length in scan lines and samples."""
    coarse = rng.standard_normal(
        (max(int(shape[0] / samples) + 3, 4), max(int(shape[1] / lines) + 3, 4))
    ).astype(np.float32)
    noise = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / noise.std())


def strands(noise: FloatImage, width: float) -> FloatImage:
    """Thin curved strands, 0 to 1: the zero contours of smooth noise, strongest where they lie square to the beam; width in mm."""
    along, across = np.gradient(noise, SAMPLE_STEP, LINE_STEP)
    steep = np.hypot(along, across) + np.float32(1e-6)
    return np.asarray(
        np.exp(-0.5 * (noise / steep / width) ** 2) * (along / steep) ** 2, dtype=np.float32
    )


def smooth_step(distance: Any, width: float) -> FloatImage:
    """1 where the distance is negative, 0 where it is positive, over a transition of this width."""
    return np.asarray(
        0.5 - 0.5 * np.tanh(np.asarray(distance) / max(width, 0.02)), dtype=np.float32
    )


def draw_line(out: ComplexImage, line: Line, probe: Probe) -> None:
    """Add a specular line to a beam-space field."""
    first, last = np.searchsorted(probe.u, (line.path.u[0], line.path.u[-1]))
    if last - first < 2:
        return
    u = probe.u[first:last].astype(float)
    depth = line.path(u)
    steepness = np.gradient(depth, u)
    cosine = 1 / np.hypot(1, steepness)
    # an oblique interface sends less back to the probe
    amplitude = 10 ** (np.interp(u, line.path.u, line.level_db) / 20) * MEAN_ENVELOPE * cosine**4
    amplitude *= np.clip(np.minimum(u - u[0], u[-1] - u) / 1.2, 0, 1)
    echo = amplitude * np.exp(1j * np.interp(u, line.path.u, line.phase))
    reach = 4 * line.thickness * float(np.max(1 / cosine))
    top, bottom = np.searchsorted(probe.d, (depth.min() - reach, depth.max() + reach))
    offset = (probe.d[top:bottom, None] - depth[None, :]) * cosine / line.thickness
    out[top:bottom, first:last] += (np.exp(-0.5 * offset**2) * echo).astype(np.complex64)


def mass_loss(mass: MassShape, distance: NDArray[Any], x: FloatImage, z: FloatImage) -> FloatImage:
    """Loss along the beam that a mass adds, dB, in beam space."""
    inside = smooth_step(distance, 0.1)
    path = np.cumsum(inside, axis=0) * np.float32(SAMPLE_STEP)
    posterior = mass.posterior_db * path / (2 * mass.outline.half_height)
    if mass.posterior == "combined":
        posterior = posterior * np.sign(x - mass.outline.x)
    # beams refract away at the steep lateral edges, where the path through the mass changes fastest
    total = path[-1]
    steep = np.abs(np.gradient(cv2.GaussianBlur(total[None, :], (0, 0), 4, sigmaY=1)[0], LINE_STEP))
    touched = path > 0.5 * np.maximum(total, SAMPLE_STEP)
    fade = np.exp(-np.maximum(z - mass.outline.z, 0) / 15)
    return np.asarray(
        posterior + mass.edge_shadow_db * np.clip(steep / 3, 0, 1)[None, :] * touched * fade,
        dtype=np.float32,
    )


def focus_loss(scene: Scene, settings: PhantomSettings, probe: Probe) -> FloatImage:
    """Loss behind the foci that cast a shadow, dB, in beam space."""
    loss = np.zeros(probe.shape, np.float32)
    for focus in scene.foci:
        if focus.shadow_db <= 0:
            continue
        u, d = (float(value) for value in probe.beam(focus.x, focus.z))
        behind = probe.d - d - focus.diameter / 2
        # the shadow is as wide as focus and beam together, and fills in with depth as the beam widens
        half = focus.diameter / 2 / probe.line_spacing(max(d, 0)) * LINE_STEP
        across = np.exp(-0.5 * (np.maximum(np.abs(probe.u - u) - 0.7 * half, 0) / 0.18) ** 2)
        along = np.where(
            behind > 0, np.minimum(behind / 0.3, 1) * np.exp(-np.maximum(behind, 0) / 14), 0
        )
        loss += (focus.shadow_db * along[:, None] * across[None, :]).astype(np.float32)
    return loss


def render(
    rng: np.random.Generator, scene: Scene, settings: PhantomSettings, probe: Probe
) -> TissueMaps:
    """The maps of a scene in beam space."""
    u, d = np.meshgrid(probe.u, probe.d)
    x, z = probe.position(u, d)
    x, z = x.astype(np.float32), z.astype(np.float32)

    def noise(lateral_mm: float, axial_mm: float) -> FloatImage:
        return smooth_noise(rng, probe.shape, lateral_mm / LINE_STEP, axial_mm / SAMPLE_STEP)

    level = np.zeros(probe.shape, np.float32)
    log_shape = np.full(probe.shape, np.log(k_shape(settings.snr)), np.float32)
    nearly_rayleigh = np.float32(np.log(k_shape(1.85)))
    loss = np.zeros(probe.shape, np.float32)
    specular = np.zeros(probe.shape, np.complex64)
    masses, ducts = np.zeros(probe.shape, np.int32), np.zeros(probe.shape, np.int32)
    nonmass = np.zeros(probe.shape, np.bool_)

    def lay(mask: FloatImage, db: Any, log_k: Any = None) -> None:
        level[:] = level + mask * (db - level)
        if log_k is not None:
            log_shape[:] = log_shape + mask * (log_k - log_shape)

    if scene.fat is not None and scene.muscle is not None:
        # glandular tissue: darker islands and bright fibrous strands, both drawn out along the face
        level += (
            2.0 * noise(2.5, 0.35)
            + 2.0 * noise(4.0, 0.9)
            + 2.0 * noise(8.0, 2.5)
            - 6.0 * smooth_step(0.9 - noise(2.6, 1.1), 0.4)
        )
        fat_texture = FAT_DB + 1.2 * noise(2.0, 0.35) + 1.5 * noise(6.0, 3.0)
        septa, fibres = (
            np.clip(noise(*patch), 0, 1.6) * strands(noise(*mesh), 0.07) for patch, mesh in SEPTA
        )
        fatty = smooth_step(d - scene.fat(probe.u)[None, :], 0.3)
        for lobule in scene.lobules:
            lay(smooth_step(lobule.distance(x, z, REACH), 0.25), fat_texture, nearly_rayleigh)
        lay(fatty, fat_texture, nearly_rayleigh)
        strand = 2.0 * septa * fatty + 3.0 * fibres * (1 - fatty)
        for focus in scene.foci:  # no strand runs through a focus: nothing could tell the two apart
            strand *= 1 - smooth_step(
                np.hypot(x - focus.x, z - focus.z) - 1.0 - focus.diameter / 2, 0.2
            )
        specular += (MEAN_ENVELOPE * strand * np.exp(2j * noise(3.0, 1.0))).astype(np.complex64)
        striation = noise(7.0, 0.5)
        lay(
            smooth_step(scene.muscle(probe.u)[None, :] - d, 0.3),
            MUSCLE_DB + 3.0 * striation + 2.5 * noise(9.0, 3.0),
        )
        lay(smooth_step(d - scene.skin, 0.1), SKIN_DB + 1.0 * noise(4.0, 0.4))
        lay(smooth_step(d, 0.05), -6.0)
        for line in scene.lines:
            draw_line(specular, line, probe)
        # bands of lesser contact or deeper fat: slow losses along whole beams
        loss += np.clip(2.0 * noise(4.0, 400.0), -2, 6) * np.clip(d / 15, 0, 1) + np.float32(
            scene.attenuation
        ) * np.maximum(d - 8, 0)
    for area in scene.nonmass:
        distance = area.outline.distance(x, z, REACH)
        lay(smooth_step(distance, area.margin), area.level_db + area.mottle_db * noise(1.2, 0.7))
        nonmass |= distance < 0
    for number, mass in enumerate(scene.masses, start=1):
        distance = mass.outline.distance(x, z, REACH).astype(np.float32)
        inside = smooth_step(distance, mass.margin)
        if mass.rim_db:
            rim = np.exp(-0.5 * ((distance - mass.rim / 2) / (mass.rim / 2)) ** 2) * (1 - inside)
            level += mass.rim_db * rim
        mottle = mass.mottle_db * noise(1.5, 0.8) if mass.mottle_db else 0.0
        lay(
            inside,
            mass.level_db + mottle,
            np.float32(np.log(k_shape(1.88 if mass.content == "cyst" else settings.snr + 0.1))),
        )
        specular *= 1 - inside
        if mass.margin < 0.3:  # a sharp wall shows as a line where it lies square to the beam
            slope = np.gradient(distance, SAMPLE_STEP, axis=0)
            wall = np.exp(-0.5 * (distance / 0.12) ** 2) * np.clip(np.abs(slope), 0, 1) ** 6
            specular += (MEAN_ENVELOPE * 10 ** (3 / 20) * wall).astype(np.complex64)
        loss += mass_loss(mass, distance, x, z)
        masses[distance < 0] = number
    for number, duct in enumerate(scene.ducts, start=1):
        distance = duct.distance(x, z).astype(np.float32)
        slope = np.abs(np.gradient(distance, SAMPLE_STEP, axis=0))
        lay(np.exp(-0.5 * ((distance - duct.wall) / duct.wall) ** 2), duct.wall_db - 5)
        lay(smooth_step(distance, 0.08), duct.level_db)
        wall = (
            np.exp(-0.5 * ((distance - duct.wall / 2) / (duct.wall / 2)) ** 2)
            * np.clip(slope, 0, 1) ** 2
        )
        specular *= 1 - smooth_step(distance - duct.wall, 0.1)
        specular += (MEAN_ENVELOPE * 10 ** (duct.wall_db / 20) * wall).astype(np.complex64)
        ducts[distance < duct.wall] = number
    for vessel in scene.vessels:
        tube = DuctShape((tuple((x, z, vessel.radius) for x, z in vessel.path),))
        lumen = smooth_step(tube.distance(x, z), 0.08)
        lay(lumen, vessel.level_db, nearly_rayleigh)
        specular *= 1 - lumen
    loss += focus_loss(scene, settings, probe)
    lines, _ = sigmas(settings, probe, settings.focal_depth)
    loss = cv2.GaussianBlur(loss, (0, 0), float(lines), sigmaY=1)
    return TissueMaps(level, np.exp(log_shape), loss, specular, masses, ducts, nonmass)
