"""The tissue that a moving image plane crosses: layers, masses, ducts, foci and scatterers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from usmicro.model.arrays import FloatImage
from usmicro.phantom.anatomy import TissueMaps, render
from usmicro.phantom.random_layers import random_lines
from usmicro.phantom.random_scene import random_scene
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import Curve, DuctShape, FocusShape, Line, MassShape, Outline, Scene
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.speckle import ComplexImage, scatterer_power, scatterers

KEY_STEP = 2.5
"""Distance in elevation between the planes whose tissue is drawn, mm; planes between are mixed."""
SEGMENT = 15.0
"""Length in elevation of the part of a sweep that has the masses, ducts and foci of one scene, mm.
"""
SLICES_PER_SIGMA = 1.5
"""Slices of scatterers per standard deviation of the elevational profile."""
REACH = 2.5
"""Elevational distance up to which scatterers and foci are seen, in standard deviations."""
KEPT_LINES = 0.6
"""Fraction of the specular lines of a plane that continue in the next one."""
UNDULATION = (1.2, 40.0)
"""Amplitude and period in elevation of the depth of the layers, mm."""
SMALLEST_SECTION = 0.3
"""Smallest section of a mass that is drawn, as a fraction of its middle section."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """Objects of one segment, each with its elevation in mm."""

    masses: tuple[tuple[MassShape, float, float], ...]
    """Shape, elevation of the centre, and semi-axis in elevation."""
    ducts: tuple[tuple[DuctShape, float], ...]
    foci: tuple[tuple[FocusShape, float], ...]


class SweepTissue:
    """The tissue that a sweep crosses, drawn plane by plane when it is reached."""

    def __init__(
        self, rng: np.random.Generator, settings: PhantomSettings, probe: Probe, length: float
    ) -> None:
        self._rng, self._settings, self._probe = rng, settings, probe
        scenes = [random_scene(rng, settings, probe) for _ in range(int(length // SEGMENT) + 1)]
        self._layers = scenes[0]
        placed = [_place(rng, scene, SEGMENT * (i + 0.5)) for i, scene in enumerate(scenes)]
        self.masses = [mass for segment in placed for mass in segment.masses]
        self.lobules = [
            (lobule, SEGMENT * (i + float(rng.uniform(0, 1))), float(rng.uniform(4, 10)))
            for i, scene in enumerate(scenes)
            for lobule in scene.lobules
        ]
        """Fat lobules, each with the elevation of its centre and its semi-axis in elevation."""
        self.ducts = [duct for segment in placed for duct in segment.ducts]
        self.foci = [focus for segment in placed for focus in segment.foci]
        self.states = rng.integers(2**63, size=len(self.foci))
        """Seed of the ragged shape of each focus."""
        self._planes: dict[int, TissueMaps] = {}
        self._lines: list[Line] = []
        self._drawn = -1

    def at(self, elevation: float) -> TissueMaps:
        """Return the tissue at an elevation, in mm; elevations must not fall by KEY_STEP."""
        key, part = divmod(elevation / KEY_STEP, 1.0)
        before, after = self._plane(int(key)), self._plane(int(key) + 1)
        weight = np.float32(part)
        for old in [number for number in self._planes if number < int(key) - 1]:
            del self._planes[old]
        return replace(
            before,
            level_db=before.level_db + weight * (after.level_db - before.level_db),
            shape=before.shape + weight * (after.shape - before.shape),
            loss_db=before.loss_db + weight * (after.loss_db - before.loss_db),
            specular=(before.specular + weight * (after.specular - before.specular)),
        )

    def _plane(self, key: int) -> TissueMaps:
        while self._drawn < key:
            self._drawn += 1
            scene = self._scene(self._drawn * KEY_STEP)
            # planes that the sweep has skipped cost nothing but their random numbers
            rng = self._rng.spawn(1)[0]
            if self._drawn >= key - 1:
                self._planes[self._drawn] = render(rng, scene, self._settings, self._probe)
        return self._planes[key]

    def _scene(self, elevation: float) -> Scene:
        """Return the scene in the plane at an elevation."""
        amplitude, period = UNDULATION
        drift = amplitude * np.sin(2 * np.pi * elevation / period)
        fat, muscle = self._layers.fat, self._layers.muscle
        if fat is not None and muscle is not None:
            fat, muscle = _lowered(fat, drift), _lowered(muscle, drift / 2)
            new = random_lines(self._rng, self._settings, self._probe, fat, muscle)
            self._lines = [
                old if fresh is None or (old and self._rng.random() < KEPT_LINES) else fresh
                for old, fresh in zip_longest(self._lines, new)
            ]
        masses = [
            _section(mass, section)
            for mass, centre, axis in self.masses
            if (section := section_size(elevation, centre, axis)) > SMALLEST_SECTION
        ]
        return replace(
            self._layers,
            fat=fat,
            muscle=muscle,
            lines=tuple(self._lines),
            lobules=tuple(
                _resized(lobule, size)
                for lobule, centre, axis in self.lobules
                if (size := section_size(elevation, centre, axis)) > SMALLEST_SECTION
            ),
            masses=tuple(masses),
            ducts=tuple(duct for duct, y in self.ducts if abs(y - elevation) < 1.5 * KEY_STEP),
            nonmass=(),
            foci=tuple(focus for focus, y in self.foci if abs(y - elevation) < KEY_STEP / 2),
        )


def _place(rng: np.random.Generator, scene: Scene, middle: float) -> _Placed:
    """Give the objects of a scene their elevations around the middle of a segment, mm."""
    masses = tuple(
        (mass, middle + float(rng.uniform(-2, 2)), mass.outline.half_width * rng.uniform(0.6, 1.0))
        for mass in scene.masses
    )
    ducts = tuple((duct, middle + float(rng.uniform(-4, 4))) for duct in scene.ducts)
    foci = []
    for focus in scene.foci:
        if focus.mass is not None:
            _, centre, axis = masses[focus.mass - 1]
            y = centre + 0.4 * axis * rng.uniform(-1, 1)
        elif focus.duct is not None:
            y = ducts[focus.duct - 1][1] + rng.uniform(-1.5, 1.5)
        else:
            y = middle + rng.uniform(-0.45, 0.45) * SEGMENT
        foci.append((replace(focus, twinkling=False), float(y)))
    return _Placed(masses, ducts, tuple(foci))


def _lowered(curve: Curve, by: float) -> Curve:
    return replace(curve, d=tuple(depth + by for depth in curve.d))


def section_size(elevation: float, centre: float, axis: float) -> float:
    """Return the size of a section of an ellipsoid as a fraction of its middle section."""
    return float(np.sqrt(max(1 - ((elevation - centre) / axis) ** 2, 0.0)))


def _section(mass: MassShape, size: float) -> MassShape:
    return replace(
        mass, outline=_resized(mass.outline, size), posterior_db=mass.posterior_db * size
    )


def _resized(outline: Outline, size: float) -> Outline:
    return replace(
        outline, half_width=outline.half_width * size, half_height=outline.half_height * size
    )


class ScattererSlices:
    """Slices of scatterers along the sweep; a frame sums those that its beam reaches."""

    def __init__(
        self, rng: np.random.Generator, settings: PhantomSettings, probe: Probe, sigma: float
    ) -> None:
        self._seed = int(rng.integers(2**63))
        self._settings, self._probe = settings, probe
        self.sigma = sigma
        self._step = sigma / SLICES_PER_SIGMA
        offsets = np.arange(-REACH, REACH, 1 / SLICES_PER_SIGMA)
        weights = np.exp(-0.5 * offsets**2)
        # the sum of slices has the K distribution that the tissue asks for
        self._clumping = float((weights**4).sum() / (weights**2).sum() ** 2)
        self._slices: dict[int, list[ComplexImage]] = {}

    def at(self, elevation: float, shape: FloatImage) -> list[ComplexImage]:
        """Return the scatterers that the beam sees, one field per look, with unit mean power."""
        first = int(np.ceil((elevation - REACH * self.sigma) / self._step))
        last = int(np.floor((elevation + REACH * self.sigma) / self._step))
        for number in range(first, last + 1):
            if number not in self._slices:
                # each slice has its own generator, so that a plane may return to it
                rng = np.random.default_rng([abs(number), number < 0, self._seed])
                power = scatterer_power(
                    rng, shape * np.float32(self._clumping), self._settings, self._probe
                )
                self._slices[number] = [
                    scatterers(rng, power, self._settings, self._probe)
                    for _ in range(self._settings.looks)
                ]
        for old in [number for number in self._slices if number < first - 2]:
            del self._slices[old]
        offsets = np.arange(first, last + 1) * self._step - elevation
        weights = np.exp(-0.5 * (offsets / self.sigma) ** 2)
        weights = (weights / np.sqrt((weights**2).sum())).astype(np.float32)
        looks = []
        for look in range(self._settings.looks):
            total = np.zeros(self._probe.shape, np.complex64)
            for number, weight in zip(range(first, last + 1), weights, strict=True):
                total += self._slices[number][look] * weight
            looks.append(total)
        return looks
