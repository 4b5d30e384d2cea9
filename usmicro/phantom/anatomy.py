"""Tissue maps of a scene in beam space: echo level, speckle statistics, losses, specular echoes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage, LabelImage
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import SHARP_MARGIN, DuctShape, Line, MassShape, NonmassShape, Scene
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.speckle import MEAN_ENVELOPE, ComplexImage, k_shape, psf_sigmas

FAT_DB, MUSCLE_DB, SKIN_DB = -9.0, -8.0, 3.0
"""Mean echo levels of fat, muscle and skin, dB over glandular tissue."""

GEL_DB = -6.0
"""Echo level in front of the transducer face, dB over glandular tissue."""

NEARLY_RAYLEIGH_SNR, CYST_SNR = 1.85, 1.88
"""Amplitude SNR of the speckle in fat and vessels, and in cysts; 1.91 is Rayleigh speckle."""

STRANDS = (((4.0, 2.0), (9.0, 3.2)), ((5.0, 2.0), (5.0, 1.6)))
"""Fibrous strands in fat, then in glandular tissue.

Each has the correlation lengths of the patches in which strands are seen and of the meshes between
them, each across the beam and in depth, mm.
"""

STRAND_WIDTH = 0.07
"""Standard deviation of the profile of a strand, mm."""

CLEARANCE_OF_FOCI = 1.0
"""Distance from the edge of a focus within which there is no strand, mm.

A strand through a focus could not be told from it.
"""

DRAWING_REACH = 6.0
"""Distance from its edge up to which an object is drawn, mm: beyond every transition and rim."""

Noise = Callable[[float, float], FloatImage]
"""Smooth noise with a correlation length across the beam and in depth, mm; shape `probe.shape`."""


@dataclass(frozen=True)
class TissueMaps:
    """Acoustic properties of the tissue, all in beam space with the shape of the probe."""

    level_db: FloatImage
    """Mean echo level, dB over glandular tissue."""
    shape: FloatImage
    """Shape parameter of the K distribution."""
    loss_db: FloatImage
    """Loss of the echoes that time-gain compensation does not correct, dB."""
    specular: ComplexImage
    """Coherent echoes of thin reflectors, which are filtered together with the scatterers."""
    masses: LabelImage
    """0 outside masses, n in the n-th mass of the scene."""
    ducts: LabelImage
    """0 outside ducts, n in the n-th duct of the scene, wall included."""
    nonmass: BoolImage
    """True in nonmass areas."""


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], lines: float, samples: float
) -> FloatImage:
    """Return Gaussian noise of unit variance with correlation lengths in columns and in rows."""
    nodes = max(int(shape[0] / samples) + 3, 4), max(int(shape[1] / lines) + 3, 4)
    coarse = rng.standard_normal(nodes).astype(np.float32)
    noise = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / noise.std())


def strands(noise: FloatImage, width: float) -> FloatImage:
    """Return thin curved strands, 0 to 1: the zero contours of smooth noise in beam space.

    They are strongest where they are perpendicular to the beam. `width` is the standard deviation
    of their profile in mm.
    """
    along, across = np.gradient(noise, SAMPLE_STEP, LINE_STEP)
    steepness = np.hypot(along, across) + np.float32(1e-6)
    profile = np.exp(-0.5 * (noise / steepness / width) ** 2)
    return np.asarray(profile * (along / steepness) ** 2, dtype=np.float32)


def smooth_step(distance: Any, width: float) -> FloatImage:
    """Return 1 where the distance is negative and 0 where it is positive.

    The transition has the given width, at least 0.02, in the unit of the distance.
    """
    scaled = np.asarray(distance) / max(width, 0.02)
    return np.asarray(0.5 - 0.5 * np.tanh(scaled), dtype=np.float32)


def draw_line(out: ComplexImage, line: Line, probe: Probe) -> None:
    """Add a specular line to a field in beam space."""
    first, last = np.searchsorted(probe.u, (line.path.u[0], line.path.u[-1]))
    if last - first < 2:
        return
    u = probe.u[first:last].astype(float)
    depth = line.path(u)
    cosine = 1 / np.hypot(1, np.gradient(depth, u))
    # an oblique interface reflects less sound back to the probe
    amplitude = 10 ** (np.interp(u, line.path.u, line.level_db) / 20) * MEAN_ENVELOPE * cosine**4
    amplitude *= np.clip(np.minimum(u - u[0], u[-1] - u) / 1.2, 0, 1)
    echo = amplitude * np.exp(1j * np.interp(u, line.path.u, line.phase))
    reach = 4 * line.thickness * float(np.max(1 / cosine))
    top, bottom = np.searchsorted(probe.d, (depth.min() - reach, depth.max() + reach))
    offset = (probe.d[top:bottom, None] - depth[None, :]) * cosine / line.thickness
    out[top:bottom, first:last] += (np.exp(-0.5 * offset**2) * echo).astype(np.complex64)


def mass_loss(mass: MassShape, distance: NDArray[Any], x: FloatImage, z: FloatImage) -> FloatImage:
    """Return the loss of the echoes in and behind a mass, dB, in beam space.

    Parameters
    ----------
    mass : MassShape
    distance : array
        Signed distance from its edge, mm.
    x, z : array, shape of `distance`
        Positions in mm.
    """
    inside = smooth_step(distance, 0.1)
    path = np.cumsum(inside, axis=0) * np.float32(SAMPLE_STEP)
    posterior = mass.posterior_db * path / (2 * mass.outline.half_height)
    if mass.posterior == "combined":
        posterior = posterior * np.sign(x - mass.outline.x)
    # sound is refracted at the steep lateral edges, where the path through the mass changes fastest
    total = path[-1]
    smooth_total = cv2.GaussianBlur(total[None, :], (0, 0), 4, sigmaY=1)[0]
    steepness = np.abs(np.gradient(smooth_total, LINE_STEP))
    behind = path > 0.5 * np.maximum(total, SAMPLE_STEP)
    fade = np.exp(-np.maximum(z - mass.outline.z, 0) / 15)
    edge_shadow = mass.edge_shadow_db * np.clip(steepness / 3, 0, 1)[None, :] * behind * fade
    return np.asarray(posterior + edge_shadow, dtype=np.float32)


def focus_loss(scene: Scene, probe: Probe) -> FloatImage:
    """Return the loss of the echoes behind the foci that cast a shadow, dB, in beam space."""
    loss = np.zeros(probe.shape, np.float32)
    for focus in scene.foci:
        if focus.shadow_db <= 0:
            continue
        u, d = (float(value) for value in probe.beam(focus.x, focus.z))
        behind = probe.d - d - focus.half_height
        # the shadow is as wide as focus and beam together, and fades with depth as the beam widens
        half = focus.half_width / probe.line_spacing(max(d, 0)) * LINE_STEP
        across = np.exp(-0.5 * (np.maximum(np.abs(probe.u - u) - 0.7 * half, 0) / 0.18) ** 2)
        fading = np.minimum(behind / 0.3, 1) * np.exp(-np.maximum(behind, 0) / 14)
        along = np.where(behind > 0, fading, 0)
        loss += (focus.shadow_db * along[:, None] * across[None, :]).astype(np.float32)
    return loss


class TissuePainter:
    """Tissue maps that are drawn object by object; an object covers what was drawn before."""

    def __init__(self, settings: PhantomSettings, probe: Probe, noise: Noise) -> None:
        self.settings, self.probe, self.noise = settings, probe, noise
        self.u, self.d = np.meshgrid(probe.u, probe.d)
        x, z = probe.position(self.u, self.d)
        self.x, self.z = x.astype(np.float32), z.astype(np.float32)
        shape = probe.shape
        self.level = np.zeros(shape, np.float32)
        self.log_shape = np.full(shape, np.log(k_shape(settings.snr)), np.float32)
        self.nearly_rayleigh = np.float32(np.log(k_shape(NEARLY_RAYLEIGH_SNR)))
        self.loss = np.zeros(shape, np.float32)
        self.specular: ComplexImage = np.zeros(shape, np.complex64)
        self.masses: LabelImage = np.zeros(shape, np.int32)
        self.ducts: LabelImage = np.zeros(shape, np.int32)
        self.nonmass: BoolImage = np.zeros(shape, np.bool_)

    def cover(self, mask: FloatImage, level_db: Any, log_shape: Any = None) -> None:
        """Mix an echo level, and a logarithm of the shape parameter, into the maps.

        `mask`, 0 to 1, is the fraction of the new value at each sample.
        """
        self.level += mask * (level_db - self.level)
        if log_shape is not None:
            self.log_shape += mask * (log_shape - self.log_shape)

    def add_specular(self, amplitude: Any) -> None:
        """Add coherent echoes, whose amplitude is relative to the mean envelope of the gland."""
        self.specular += (MEAN_ENVELOPE * amplitude).astype(np.complex64)

    def draw_layers(self, scene: Scene) -> None:
        """Draw gland, fat, lobules, strands, muscle, skin and specular lines of a breast."""
        assert scene.fat is not None, "homogeneous tissue has no layers"
        assert scene.muscle is not None, "homogeneous tissue has no layers"
        probe, noise, d = self.probe, self.noise, self.d
        # glandular tissue: dark islands and bright fibrous strands, both elongated along the face
        self.level += (
            2.0 * noise(2.5, 0.35)
            + 2.0 * noise(4.0, 0.9)
            + 2.0 * noise(8.0, 2.5)
            - 6.0 * smooth_step(0.9 - noise(2.6, 1.1), 0.4)
        )
        fat_level = FAT_DB + 1.2 * noise(2.0, 0.35) + 1.5 * noise(6.0, 3.0)
        fat_strands, gland_strands = (
            np.clip(noise(*patch), 0, 1.6) * strands(noise(*mesh), STRAND_WIDTH)
            for patch, mesh in STRANDS
        )
        in_fat = smooth_step(d - scene.fat(probe.u)[None, :], 0.3)
        for lobule in scene.lobules:
            distance = lobule.distance(self.x, self.z, DRAWING_REACH)
            self.cover(smooth_step(distance, 0.25), fat_level, self.nearly_rayleigh)
        self.cover(in_fat, fat_level, self.nearly_rayleigh)
        strand = 2.0 * fat_strands * in_fat + 3.0 * gland_strands * (1 - in_fat)
        for focus in scene.foci:
            to_centre = np.hypot(self.x - focus.x, self.z - focus.z)
            strand *= 1 - smooth_step(to_centre - CLEARANCE_OF_FOCI - focus.diameter / 2, 0.2)
        self.add_specular(strand * np.exp(2j * noise(3.0, 1.0)))
        striation = noise(7.0, 0.5)
        in_muscle = smooth_step(scene.muscle(probe.u)[None, :] - d, 0.3)
        self.cover(in_muscle, MUSCLE_DB + 3.0 * striation + 2.5 * noise(9.0, 3.0))
        self.cover(smooth_step(d - scene.skin, 0.1), SKIN_DB + 1.0 * noise(4.0, 0.4))
        self.cover(smooth_step(d, 0.05), GEL_DB)
        for line in scene.lines:
            draw_line(self.specular, line, probe)
        # poor contact or thick fat: slow losses along whole scan lines
        poor_contact = np.clip(2.0 * noise(4.0, 400.0), -2, 6) * np.clip(d / 15, 0, 1)
        self.loss += poor_contact + np.float32(scene.attenuation) * np.maximum(d - 8, 0)

    def draw_nonmass(self, area: NonmassShape) -> None:
        """Draw a nonmass area."""
        distance = area.outline.distance(self.x, self.z, DRAWING_REACH)
        level = area.level_db + area.mottle_db * self.noise(1.2, 0.7)
        self.cover(smooth_step(distance, area.margin), level)
        self.nonmass |= distance < 0

    def draw_mass(self, number: int, mass: MassShape) -> None:
        """Draw the mass that has a number in the label image."""
        distance = mass.outline.distance(self.x, self.z, DRAWING_REACH).astype(np.float32)
        inside = smooth_step(distance, mass.margin)
        if mass.rim_db:
            half_rim = mass.rim / 2
            rim = np.exp(-0.5 * ((distance - half_rim) / half_rim) ** 2) * (1 - inside)
            self.level += mass.rim_db * rim
        mottle = mass.mottle_db * self.noise(1.5, 0.8) if mass.mottle_db else 0.0
        snr = CYST_SNR if mass.content == "cyst" else self.settings.snr + 0.1
        self.cover(inside, mass.level_db + mottle, np.float32(np.log(k_shape(snr))))
        self.specular *= 1 - inside
        if mass.margin < SHARP_MARGIN:
            slope = np.gradient(distance, SAMPLE_STEP, axis=0)
            wall = np.exp(-0.5 * (distance / 0.12) ** 2) * np.clip(np.abs(slope), 0, 1) ** 6
            self.specular += (MEAN_ENVELOPE * 10 ** (3 / 20) * wall).astype(np.complex64)
        self.loss += mass_loss(mass, distance, self.x, self.z)
        self.masses[distance < 0] = number

    def draw_duct(self, number: int, duct: DuctShape) -> None:
        """Draw the duct that has a number in the label image."""
        distance = duct.distance(self.x, self.z).astype(np.float32)
        slope = np.abs(np.gradient(distance, SAMPLE_STEP, axis=0))
        around = np.exp(-0.5 * ((distance - duct.wall) / duct.wall) ** 2)
        self.cover(around, duct.wall_db - 5)
        self.cover(smooth_step(distance, 0.08), duct.level_db)
        half_wall = duct.wall / 2
        wall = np.exp(-0.5 * ((distance - half_wall) / half_wall) ** 2) * np.clip(slope, 0, 1) ** 2
        self.specular *= 1 - smooth_step(distance - duct.wall, 0.1)
        self.specular += (MEAN_ENVELOPE * 10 ** (duct.wall_db / 20) * wall).astype(np.complex64)
        self.ducts[distance < duct.wall] = number

    def draw_vessel(self, path: tuple[tuple[float, float], ...], radius: float, db: float) -> None:
        """Draw the lumen of a vessel."""
        tube = DuctShape((tuple((x, z, radius) for x, z in path),))
        lumen = smooth_step(tube.distance(self.x, self.z), 0.08)
        self.cover(lumen, db, self.nearly_rayleigh)
        self.specular *= 1 - lumen


def render(
    rng: np.random.Generator, scene: Scene, settings: PhantomSettings, probe: Probe
) -> TissueMaps:
    """Return the tissue maps of a scene."""

    def noise(lateral_mm: float, axial_mm: float) -> FloatImage:
        return smooth_noise(rng, probe.shape, lateral_mm / LINE_STEP, axial_mm / SAMPLE_STEP)

    tissue = TissuePainter(settings, probe, noise)
    if scene.fat is not None and scene.muscle is not None:
        tissue.draw_layers(scene)
    for area in scene.nonmass:
        tissue.draw_nonmass(area)
    for number, mass in enumerate(scene.masses, start=1):
        tissue.draw_mass(number, mass)
    for number, duct in enumerate(scene.ducts, start=1):
        tissue.draw_duct(number, duct)
    for vessel in scene.vessels:
        tissue.draw_vessel(vessel.path, vessel.radius, vessel.level_db)
    loss = tissue.loss + focus_loss(scene, probe)
    lines, _ = psf_sigmas(settings, probe, settings.focal_depth)
    loss = cv2.GaussianBlur(loss, (0, 0), float(lines), sigmaY=1)
    return TissueMaps(
        level_db=tissue.level,
        shape=np.exp(tissue.log_shape),
        loss_db=loss,
        specular=tissue.specular,
        masses=tissue.masses,
        ducts=tissue.ducts,
        nonmass=tissue.nonmass,
    )
