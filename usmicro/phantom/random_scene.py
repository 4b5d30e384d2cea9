"""Random breasts: what `simulate` draws where no scene is given."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.spatial.distance import cdist

from usmicro.phantom.random_foci import random_foci
from usmicro.phantom.random_layers import random_lines, wavy_curve
from usmicro.phantom.random_objects import random_duct, random_mass, random_vessel, random_waves
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import ColourBox, NonmassShape, Outline, Scene, VesselShape
from usmicro.phantom.settings import PhantomSettings

TRIES = 200
"""How often a place is drawn before an object is left out."""


class Places:
    """Draws positions in the picture and keeps what it placed apart."""

    def __init__(self, rng: np.random.Generator, settings: PhantomSettings, probe: Probe) -> None:
        self.rng, self.settings, self.probe = rng, settings, probe
        self.taken: list[tuple[float, float, float]] = []

    def draw(
        self, top: float, bottom: float, clearance: float, *, side: float = 3.0
    ) -> tuple[float, float] | None:
        """A position (x, z) between two depths that keeps its clearance to all that was placed, and to the sides of the picture."""
        for _ in range(TRIES):
            u = self.rng.uniform(-self.probe.width / 2 + side, self.probe.width / 2 - side)
            x, z = (
                float(value)
                for value in self.probe.position(u, self.rng.uniform(top, max(bottom, top + 0.1)))
            )
            if self.free(x, z, clearance):
                return x, z
        return None

    def free(self, x: float, z: float, clearance: float) -> bool:
        """Whether nothing placed is nearer than the two clearances together."""
        return all(math.hypot(x - a, z - b) >= clearance + c for a, b, c in self.taken)

    def take(self, x: float, z: float, clearance: float) -> None:
        """Remember a place."""
        self.taken.append((x, z, clearance))


def random_scene(rng: np.random.Generator, settings: PhantomSettings, probe: Probe) -> Scene:
    """A breast drawn from the settings."""
    fat, muscle, lobules, lines = None, None, [], []
    top, bottom = 4.0, settings.depth - 4
    if settings.anatomy:
        ends = min(rng.uniform(0.75, 1.25) * settings.fat, settings.depth * 0.5)
        fat = wavy_curve(rng, probe, ends, 1.4, rng.uniform(3, 6))
        begins = ends + rng.uniform(0.75, 1.25) * settings.gland
        muscle = wavy_curve(rng, probe, begins, 0.5, 9.0)
        lines = random_lines(rng, settings, probe, fat, muscle)
        for _ in range(int(rng.integers(3, 10))):
            u, d = rng.uniform(-probe.width / 2, probe.width / 2), rng.uniform(ends, begins)
            x, z = probe.position(u, d)
            lobules.append(
                Outline(
                    float(x),
                    float(z),
                    rng.uniform(1.5, 6),
                    rng.uniform(0.7, 2),
                    rng.normal(0, 0.2),
                    ((2, 0.15, 1.0), (3, 0.12, rng.uniform(0, 6))),
                )
            )
        top, bottom = max(ends - 2, 4.0), min(begins - 1, settings.depth - 4)
    places = Places(rng, settings, probe)
    masses, ducts, nonmass = [], [], []
    for _ in range(settings.masses):
        half_width = min(
            math.exp(rng.uniform(math.log(3.0), math.log(8.5))),
            settings.width / 5,
            settings.depth / 5,
        )
        if place := places.draw(
            top + half_width * 0.6,
            bottom - half_width * 0.6,
            half_width * 1.2,
            side=half_width * 1.1,
        ):
            masses.append(random_mass(rng, settings, *place, half_width))
            places.take(*place, half_width * 1.2)
    for _ in range(settings.nonmass):
        half_width = min(rng.uniform(4, 9), settings.width / 5)
        if place := places.draw(top + 2, bottom - 2, half_width, side=half_width):
            edge = random_waves(rng, (2, 3, 4, 5, 7), 0.05, 0.45)
            outline = Outline(
                *place, half_width, half_width * rng.uniform(0.35, 0.55), rng.normal(0, 0.15), edge
            )
            nonmass.append(
                NonmassShape(outline, rng.uniform(1, 2), rng.uniform(-8, -5), rng.uniform(3, 5))
            )
            places.take(*place, half_width)
    for _ in range(settings.ducts):
        for _ in range(TRIES):
            if not (place := places.draw(top, bottom, 0.5, side=2)):
                break
            duct = random_duct(rng, *place)
            points = [point for path in duct.paths for point in path[::5]]
            if all(
                places.free(x, z, radius + 1.0) and 2.5 < z < settings.depth - 2
                for x, z, radius in points
            ):
                ducts.append(duct)
                for x, z, radius in points:
                    places.take(x, z, radius + 0.5)
                break
    attenuation = rng.uniform(0, 0.5) if settings.anatomy else 0.0
    scene = Scene(
        1.6,
        fat,
        muscle,
        attenuation,
        tuple(lobules),
        tuple(lines),
        tuple(masses),
        tuple(ducts),
        tuple(nonmass),
    )
    scene = scene.with_foci(*random_foci(rng, settings, probe, scene))
    return with_colour(rng, settings, probe, scene) if settings.colour else scene


def with_colour(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene
) -> Scene:
    """The scene with a colour box about its foci, vessels in the box, and foci that twinkle only inside it."""
    width, height = (
        min(rng.uniform(16, 24), 0.7 * probe.width),
        min(rng.uniform(14, 20), 0.55 * probe.depth),
    )
    places = np.array(
        [[float(value) for value in probe.beam(focus.x, focus.z)] for focus in scene.foci]
    ).reshape(-1, 2)
    u, d = places[rng.integers(len(places))] if len(places) else (0.0, probe.depth / 2)
    steering = (
        float(rng.choice([-0.26, 0.0, 0.26]))
        if settings.geometry == "linear" and settings.colour_map != "power"
        else 0.0
    )
    lean = abs(math.tan(steering)) * height
    room = probe.width / 2 - width / 2 - lean - 1
    middle, top = (
        float(np.clip(u + rng.normal(0, 2), -room, room)),
        float(np.clip(d - height * rng.uniform(0.3, 0.6), 3, probe.depth - height - 1)),
    )
    box = ColourBox(middle - width / 2, middle + width / 2, top, top + height, steering)
    foci = tuple(
        replace(
            focus, twinkling=focus.twinkling and bool(box.contains(*probe.beam(focus.x, focus.z)))
        )
        for focus in scene.foci
    )
    vessels: list[VesselShape] = []
    for _ in range(settings.vessels):
        for _ in range(TRIES):
            vessel = random_vessel(rng, settings, probe, box)
            path = np.asarray(vessel.path)
            to_foci = [np.hypot(*(path - (focus.x, focus.z)).T).min() - 2.5 for focus in foci]
            to_vessels = [cdist(path, other.path).min() - other.radius - 1 for other in vessels]
            if min([*to_foci, *to_vessels], default=np.inf) > vessel.radius:
                vessels.append(vessel)
                break
    return replace(scene, foci=foci, vessels=tuple(vessels), box=box)
