"""Random foci in the masses, ducts and nonmass areas of a scene, and in undisturbed tissue."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from usmicro.model.findings import Label
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import FocusShape, Scene
from usmicro.phantom.settings import PhantomSettings

TRIES = 200
"""How often a place is drawn before a focus is left out."""


def random_focus(
    rng: np.random.Generator,
    settings: PhantomSettings,
    x: float,
    z: float,
    label: Label,
    **more: int | bool | None,
) -> FocusShape:
    """A focus of random size and contrast."""
    coarse = rng.random() < settings.coarse
    diameter = (
        math.exp(rng.uniform(math.log(0.55), math.log(2.5))) if coarse else rng.uniform(0.2, 0.45)
    )
    if label == "intraductal":
        diameter = min(diameter, 1.0)
    casts = coarse and label != "intramass" and rng.random() < settings.shadow and diameter >= 0.7
    contrast = rng.uniform(settings.least_contrast, settings.most_contrast)
    shadow_db = rng.uniform(8, 16) if casts else 0.0
    twinkles = bool(settings.colour and rng.random() < settings.twinkling)
    return FocusShape(x, z, diameter, contrast, label, shadow_db, twinkles, **more)  # type: ignore[arg-type]


class FocusPlaces:
    """Tells where another focus may lie, and keeps what was placed."""

    def __init__(self, scene: Scene, probe: Probe) -> None:
        self.scene, self.probe = scene, probe
        self.foci: list[FocusShape] = []

    def apart(self, x: float, z: float, least: float) -> bool:
        """Whether a place is in the picture, clear of its edges, and further than `least` mm from every focus."""
        u, d = self.probe.beam(x, z)
        seen = abs(u) < self.probe.width / 2 - 1 and 2.4 < d < self.probe.depth - 2
        return bool(seen) and all(
            math.hypot(x - focus.x, z - focus.z) > least for focus in self.foci
        )

    def outside(self, x: float, z: float, gap: float, *, nonmass: float | None = None) -> bool:
        """Whether a place is further than these gaps in mm from masses and ducts, and from nonmass areas where `nonmass` is given."""
        return (
            all(mass.outline.distance(x, z) > gap for mass in self.scene.masses)
            and all(duct.distance(x, z) > gap for duct in self.scene.ducts)
            and (
                nonmass is None
                or all(area.outline.distance(x, z) > nonmass for area in self.scene.nonmass)
            )
        )

    def off_lines(self, x: float, z: float, gap: float = 1.0) -> bool:
        """Whether a place is further than a gap in mm from ligaments, fasciae and dashes, on which no reader could tell a focus."""
        u, d = (float(value) for value in self.probe.beam(x, z))
        crossed = (
            line.path
            for line in self.scene.lines
            if line.path.u[0] - gap < u < line.path.u[-1] + gap
        )
        return all(abs(float(path(u)) - d) > gap for path in crossed)

    def undisturbed(
        self,
        rng: np.random.Generator,
        gap: float,
        *,
        side: float,
        least: float,
        nonmass: float | None,
    ) -> tuple[float, float] | None:
        """A place above the muscle, outside of masses and ducts."""
        probe, muscle = self.probe, self.scene.muscle
        for _ in range(TRIES):
            u, d = (
                rng.uniform(-probe.width / 2 + side, probe.width / 2 - side),
                rng.uniform(3.5, probe.depth - 4),
            )
            x, z = (float(value) for value in probe.position(u, d))
            free = (
                self.apart(x, z, least)
                and self.outside(x, z, gap, nonmass=nonmass)
                and self.off_lines(x, z)
            )
            if free and (muscle is None or d < muscle(u) - 1):
                return x, z
        return None


def random_foci(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene
) -> list[FocusShape]:
    """The foci that the settings ask for, as far as there is room."""
    places = FocusPlaces(scene, probe)
    foci = places.foci
    solid = [number for number, mass in enumerate(scene.masses) if mass.content == "solid"]
    for _ in range(settings.intramass if solid else 0):
        number = int(rng.choice(solid))
        outline = scene.masses[number].outline
        for _ in range(TRIES):
            x = outline.x + rng.uniform(-1, 1) * outline.half_width
            z = outline.z + rng.uniform(-1, 1) * outline.half_height
            focus = random_focus(rng, settings, x, z, "intramass", mass=number + 1)
            if outline.distance(x, z) < -focus.diameter / 2 - 0.4 and places.apart(
                x, z, focus.diameter + 1
            ):
                foci.append(focus)
                break
    for _ in range(settings.intraductal if scene.ducts else 0):
        number = int(rng.integers(len(scene.ducts)))
        paths = scene.ducts[number].paths
        for _ in range(TRIES):
            path = paths[int(rng.integers(len(paths)))]
            x, z, radius = path[int(rng.integers(len(path) // 8, len(path) * 7 // 8 + 1))]
            focus = random_focus(rng, settings, x, z, "intraductal", duct=number + 1)
            in_a_mass = any(mass.outline.distance(x, z) < 0.8 for mass in scene.masses)
            if focus.diameter < 2.2 * radius and places.apart(x, z, 1.6) and not in_a_mass:
                foci.append(focus)
                break
    for _ in range(settings.in_nonmass if scene.nonmass else 0):
        outline = scene.nonmass[int(rng.integers(len(scene.nonmass)))].outline
        for _ in range(TRIES):
            x = outline.x + rng.uniform(-1, 1) * outline.half_width
            z = outline.z + rng.uniform(-1, 1) * outline.half_height
            if (
                outline.distance(x, z) < -0.8
                and places.apart(x, z, 1.2)
                and places.outside(x, z, 0.8)
                and places.off_lines(x, z)
            ):
                foci.append(random_focus(rng, settings, x, z, "extramass", nonmass=True))
                break
    for _ in range(settings.extramass):
        if place := places.undisturbed(rng, 1.8, side=0, least=3, nonmass=2.0):
            foci.append(random_focus(rng, settings, *place, "extramass"))
    for cluster in range(1, settings.clusters + 1):
        middle = places.undisturbed(rng, 4.5, side=5, least=6, nonmass=None)
        if middle is None:
            continue
        for _ in range(int(rng.integers(4, 8))):
            for _ in range(TRIES):
                x, z = middle[0] + rng.normal(0, 1.6), middle[1] + rng.normal(0, 1.2)
                if places.apart(x, z, 1.2) and places.outside(x, z, 1.5) and places.off_lines(x, z):
                    inside = any(area.outline.distance(x, z) < 0 for area in scene.nonmass)
                    focus = random_focus(
                        rng, settings, x, z, "extramass", nonmass=inside, cluster=cluster
                    )
                    foci.append(replace(focus, diameter=min(focus.diameter, 0.8), shadow_db=0.0))
                    break
    return foci
