"""Random breasts: the scenes that `simulate` draws if no scene is given.

The ranges of sizes, positions and distances were chosen by eye; no measurement is recorded.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.spatial.distance import cdist

from usmicro.phantom.random_foci import random_foci
from usmicro.phantom.random_layers import random_lines, wavy_curve
from usmicro.phantom.random_objects import random_duct, random_mass, random_vessel, random_waves
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import (
    ColourBox,
    Curve,
    DuctShape,
    FocusShape,
    MassShape,
    NonmassShape,
    Outline,
    Scene,
    VesselShape,
)
from usmicro.phantom.settings import PhantomSettings

ATTEMPTS = 200
"""Number of positions that are drawn before an object is left out."""

NONMASS_ORDERS = (2, 3, 4, 5, 7)
"""Orders of the waves of the outline of a nonmass area."""

STEERING_ANGLES = (-0.26, 0.0, 0.26)
"""Steering angles of the colour beams of a linear probe, radians: 15 degrees to either side."""

VESSEL_CLEARANCE = 2.5
"""Distance of the wall of a vessel from foci, mm, so that flow does not cover their twinkling."""

VESSEL_DISTANCE = 1.0
"""Distance between the walls of two vessels, mm."""


class ObjectPlacer:
    """Draws positions that keep their distance from the objects placed so far; mm."""

    def __init__(self, rng: np.random.Generator, probe: Probe) -> None:
        self.rng, self.probe = rng, probe
        self.occupied: list[tuple[float, float, float]] = []
        """Positions x, z and radii of the places that are occupied."""

    def draw(
        self, top: float, bottom: float, radius: float, *, side: float
    ) -> tuple[float, float] | None:
        """Draw a free position (x, z).

        Parameters
        ----------
        top, bottom : float
            Range of depths.
        radius : float
            Radius around the position that is to be free.
        side : float
            Distance from the lateral edges of the image.

        Returns
        -------
        (float, float) or None
            None if `ATTEMPTS` positions were not free.
        """
        half_width = self.probe.width / 2 - side
        for _ in range(ATTEMPTS):
            u = self.rng.uniform(-half_width, half_width)
            d = self.rng.uniform(top, max(bottom, top + 0.1))
            x, z = (float(value) for value in self.probe.position(u, d))
            if self.is_free(x, z, radius):
                return x, z
        return None

    def is_free(self, x: float, z: float, radius: float) -> bool:
        """Return True if a circle overlaps no occupied place."""
        return all(
            math.hypot(x - other_x, z - other_z) >= radius + other_radius
            for other_x, other_z, other_radius in self.occupied
        )

    def occupy(self, x: float, z: float, radius: float) -> None:
        """Mark a circle as occupied."""
        self.occupied.append((x, z, radius))


def random_scene(rng: np.random.Generator, settings: PhantomSettings, probe: Probe) -> Scene:
    """Draw a breast, or homogeneous tissue with objects in it, from the settings."""
    layers, top, bottom = Scene(), 4.0, settings.depth - 4
    if settings.anatomy:
        layers, fat_depth, muscle_depth = _layers(rng, settings, probe)
        top, bottom = max(fat_depth - 2, 4.0), min(muscle_depth - 1, settings.depth - 4)
    placer = ObjectPlacer(rng, probe)
    masses = _masses(rng, settings, placer, top, bottom)
    nonmass = _nonmass_areas(rng, settings, placer, top, bottom)
    ducts = _ducts(rng, settings, placer, top, bottom)
    scene = replace(
        layers,
        attenuation=rng.uniform(0, 0.5) if settings.anatomy else 0.0,
        masses=tuple(masses),
        ducts=tuple(ducts),
        nonmass=tuple(nonmass),
    )
    scene = scene.with_foci(*random_foci(rng, settings, probe, scene))
    return with_colour(rng, settings, probe, scene) if settings.colour else scene


def _layers(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe
) -> tuple[Scene, float, float]:
    """Return a breast without objects, and the mean depths of its gland and muscle in mm."""
    fat_depth = min(rng.uniform(0.75, 1.25) * settings.fat, settings.depth * 0.5)
    fat: Curve = wavy_curve(rng, probe, fat_depth, 1.4, rng.uniform(3, 6))
    muscle_depth = fat_depth + rng.uniform(0.75, 1.25) * settings.gland
    muscle: Curve = wavy_curve(rng, probe, muscle_depth, 0.5, 9.0)
    lines = random_lines(rng, settings, probe, fat, muscle)
    lobules = []
    for _ in range(int(rng.integers(3, 10))):
        u = rng.uniform(-probe.width / 2, probe.width / 2)
        x, z = probe.position(u, rng.uniform(fat_depth, muscle_depth))
        lobules.append(
            Outline(
                x=float(x),
                z=float(z),
                half_width=rng.uniform(1.5, 6),
                half_height=rng.uniform(0.7, 2),
                tilt=rng.normal(0, 0.2),
                waves=((2, 0.15, 1.0), (3, 0.12, rng.uniform(0, 6))),
            )
        )
    scene = Scene(fat=fat, muscle=muscle, lobules=tuple(lobules), lines=tuple(lines))
    return scene, fat_depth, muscle_depth


def _masses(
    rng: np.random.Generator,
    settings: PhantomSettings,
    placer: ObjectPlacer,
    top: float,
    bottom: float,
) -> list[MassShape]:
    masses = []
    for _ in range(settings.masses):
        half_width = math.exp(rng.uniform(math.log(3.0), math.log(8.5)))
        half_width = min(half_width, settings.width / 5, settings.depth / 5)
        margin, radius = half_width * 0.6, half_width * 1.2
        position = placer.draw(top + margin, bottom - margin, radius, side=half_width * 1.1)
        if position:
            masses.append(random_mass(rng, settings, *position, half_width))
            placer.occupy(*position, radius)
    return masses


def _nonmass_areas(
    rng: np.random.Generator,
    settings: PhantomSettings,
    placer: ObjectPlacer,
    top: float,
    bottom: float,
) -> list[NonmassShape]:
    areas = []
    for _ in range(settings.nonmass):
        half_width = min(rng.uniform(4, 9), settings.width / 5)
        position = placer.draw(top + 2, bottom - 2, half_width, side=half_width)
        if position:
            waves = random_waves(rng, NONMASS_ORDERS, 0.05, 0.45)
            half_height = half_width * rng.uniform(0.35, 0.55)
            outline = Outline(*position, half_width, half_height, rng.normal(0, 0.15), waves)
            areas.append(
                NonmassShape(
                    outline,
                    margin=rng.uniform(1, 2),
                    level_db=rng.uniform(-8, -5),
                    mottle_db=rng.uniform(3, 5),
                )
            )
            placer.occupy(*position, half_width)
    return areas


def _ducts(
    rng: np.random.Generator,
    settings: PhantomSettings,
    placer: ObjectPlacer,
    top: float,
    bottom: float,
) -> list[DuctShape]:
    ducts = []
    for _ in range(settings.ducts):
        for _ in range(ATTEMPTS):
            position = placer.draw(top, bottom, 0.5, side=2)
            if not position:
                break
            duct = random_duct(rng, *position)
            points = [point for path in duct.paths for point in path[::5]]
            if all(
                placer.is_free(x, z, radius + 1.0) and 2.5 < z < settings.depth - 2
                for x, z, radius in points
            ):
                ducts.append(duct)
                for x, z, radius in points:
                    placer.occupy(x, z, radius + 0.5)
                break
    return ducts


def with_colour(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene
) -> Scene:
    """Add a colour box around one of the foci, and vessels in it.

    Foci outside the box do not twinkle.
    """
    box = _colour_box(rng, settings, probe, scene)
    foci = tuple(
        replace(
            focus,
            twinkling=focus.twinkling and bool(box.contains(*probe.beam(focus.x, focus.z))),
        )
        for focus in scene.foci
    )
    vessels: list[VesselShape] = []
    for _ in range(settings.vessels):
        for _ in range(ATTEMPTS):
            vessel = random_vessel(rng, settings, probe, box)
            if _clearance(vessel, foci, vessels) > vessel.radius:
                vessels.append(vessel)
                break
    return replace(scene, foci=foci, vessels=tuple(vessels), box=box)


def _colour_box(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene
) -> ColourBox:
    width = min(rng.uniform(16, 24), 0.7 * probe.width)
    height = min(rng.uniform(14, 20), 0.55 * probe.depth)
    positions = [tuple(map(float, probe.beam(focus.x, focus.z))) for focus in scene.foci]
    if positions:
        u, d = positions[rng.integers(len(positions))]
    else:
        u, d = 0.0, probe.depth / 2
    steering = 0.0
    if settings.geometry == "linear" and settings.colour_map != "power":
        steering = float(rng.choice(STEERING_ANGLES))
    lateral_shift = abs(math.tan(steering)) * height
    room = probe.width / 2 - width / 2 - lateral_shift - 1
    middle = float(np.clip(u + rng.normal(0, 2), -room, room))
    lowest_top = probe.depth - height - 1
    top = float(np.clip(d - height * rng.uniform(0.3, 0.6), 3, lowest_top))
    return ColourBox(middle - width / 2, middle + width / 2, top, top + height, steering)


def _clearance(
    vessel: VesselShape, foci: tuple[FocusShape, ...], vessels: list[VesselShape]
) -> float:
    """Return the largest radius in mm with which a vessel keeps its distances."""
    path = np.asarray(vessel.path)
    to_foci = [np.hypot(*(path - (focus.x, focus.z)).T).min() - VESSEL_CLEARANCE for focus in foci]
    to_vessels = [
        cdist(path, other.path).min() - other.radius - VESSEL_DISTANCE for other in vessels
    ]
    return float(min([*to_foci, *to_vessels], default=np.inf))
