"""Random foci in masses, ducts, nonmass areas and undisturbed tissue.

The ranges of sizes, and the distances that foci keep, were chosen by eye; no measurement is
recorded.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from usmicro.model.findings import Label
from usmicro.phantom.clump_shapes import random_discs
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import FocusForm, FocusShape, Outline, Scene
from usmicro.phantom.settings import PhantomSettings

ATTEMPTS = 200
"""Number of positions that are drawn before a focus is left out."""

LARGEST_INTRADUCTAL = 1.0
"""Largest diameter of a focus in a duct, mm."""

FORMS: tuple[FocusForm, ...] = ("rim", "popcorn", "clump")
"""Forms of coarse clumps."""

LARGEST_CLUMP = 4.5
"""Largest diameter of a coarse clump, mm; elongated ones are up to 8 mm long."""

CLUMP_CONTRAST_DB = (14.0, 24.0)
"""Range of the contrast of coarse clumps, dB, which are the brightest echoes of most scans."""

LARGEST_IN_CLUSTER = 0.8
"""Largest diameter of a focus in a cluster, mm."""

LEAST_SHADOW_DIAMETER = 0.7
"""Least diameter of a focus that casts a shadow, mm."""

LINE_CLEARANCE = 1.0
"""Distance from specular lines in mm. A focus on a line could not be told from it."""


def random_focus(
    rng: np.random.Generator,
    settings: PhantomSettings,
    x: float,
    z: float,
    label: Label,
    **fields: int | bool | None,
) -> FocusShape:
    """Return a focus of random size and contrast at (x, z) in mm.

    `fields` are further fields of `FocusShape`.
    """
    coarse = rng.random() < settings.coarse
    if coarse:
        diameter = math.exp(rng.uniform(math.log(0.55), math.log(2.5)))
    else:
        diameter = rng.uniform(0.2, 0.45)
    if label == "intraductal":
        diameter = min(diameter, LARGEST_INTRADUCTAL)
    has_shadow = (
        coarse
        and label != "intramass"
        and rng.random() < settings.shadow
        and diameter >= LEAST_SHADOW_DIAMETER
    )
    contrast = rng.uniform(settings.least_contrast, settings.most_contrast)
    shadow_db = rng.uniform(8, 16) if has_shadow else 0.0
    twinkles = bool(settings.colour and rng.random() < settings.twinkling)
    return FocusShape(x, z, diameter, contrast, label, shadow_db, twinkles, **fields)  # type: ignore[arg-type]


class FocusPlacer:
    """The foci placed so far in a scene, and tests of where another one may be placed.

    Positions (x, z) and distances are in mm.
    """

    def __init__(
        self, rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene
    ) -> None:
        self.rng, self.settings, self.probe, self.scene = rng, settings, probe, scene
        self.foci: list[FocusShape] = []

    def is_free(self, x: float, z: float, distance: float) -> bool:
        """Return True inside the image and further than `distance` from every focus."""
        u, d = self.probe.beam(x, z)
        in_image = abs(u) < self.probe.width / 2 - 1 and 2.4 < d < self.probe.depth - 2
        return bool(in_image) and all(
            math.hypot(x - focus.x, z - focus.z) > distance for focus in self.foci
        )

    def is_outside_objects(
        self, x: float, z: float, gap: float, *, nonmass_gap: float | None = None
    ) -> bool:
        """Return True further than `gap` from masses and ducts.

        With `nonmass_gap` the position is also further than that from nonmass areas.
        """
        scene = self.scene
        return (
            all(mass.outline.distance(x, z) > gap for mass in scene.masses)
            and all(duct.distance(x, z) > gap for duct in scene.ducts)
            and (
                nonmass_gap is None
                or all(area.outline.distance(x, z) > nonmass_gap for area in scene.nonmass)
            )
        )

    def is_off_lines(self, x: float, z: float) -> bool:
        """Return True further than `LINE_CLEARANCE` from ligaments, fasciae and dashes."""
        gap = LINE_CLEARANCE
        u, d = (float(value) for value in self.probe.beam(x, z))
        paths = (
            line.path
            for line in self.scene.lines
            if line.path.u[0] - gap < u < line.path.u[-1] + gap
        )
        return all(abs(float(path(u)) - d) > gap for path in paths)

    def draw_undisturbed(
        self, gap: float, *, side: float, distance: float, nonmass_gap: float | None
    ) -> tuple[float, float] | None:
        """Draw a position above the muscle, outside of masses and ducts.

        Parameters
        ----------
        gap, nonmass_gap
            As in `is_outside_objects`.
        side : float
            Distance from the lateral edges of the image.
        distance : float
            Distance from all other foci.

        Returns
        -------
        (float, float) or None
            None if `ATTEMPTS` positions were not suitable.
        """
        probe, muscle = self.probe, self.scene.muscle
        half_width = probe.width / 2 - side
        for _ in range(ATTEMPTS):
            u, d = self.rng.uniform(-half_width, half_width), self.rng.uniform(3.5, probe.depth - 4)
            x, z = (float(value) for value in probe.position(u, d))
            suitable = (
                self.is_free(x, z, distance)
                and self.is_outside_objects(x, z, gap, nonmass_gap=nonmass_gap)
                and self.is_off_lines(x, z)
            )
            if suitable and (muscle is None or d < muscle(u) - 1):
                return x, z
        return None

    def place_in_masses(self) -> None:
        """Place foci in solid masses."""
        solid = [i for i, mass in enumerate(self.scene.masses) if mass.content == "solid"]
        for _ in range(self.settings.intramass if solid else 0):
            index = int(self.rng.choice(solid))
            outline = self.scene.masses[index].outline
            for _ in range(ATTEMPTS):
                x, z = self._draw_near(outline)
                focus = self._focus(x, z, "intramass", mass=index + 1)
                inside = outline.distance(x, z) < -focus.diameter / 2 - 0.4
                if inside and self.is_free(x, z, focus.diameter + 1):
                    self.foci.append(focus)
                    break

    def place_in_ducts(self) -> None:
        """Place foci in ducts."""
        ducts = self.scene.ducts
        for _ in range(self.settings.intraductal if ducts else 0):
            index = int(self.rng.integers(len(ducts)))
            paths = ducts[index].paths
            for _ in range(ATTEMPTS):
                path = paths[int(self.rng.integers(len(paths)))]
                # not in the first and last eighth of a tube
                point = int(self.rng.integers(len(path) // 8, len(path) * 7 // 8 + 1))
                x, z, radius = path[point]
                focus = self._focus(x, z, "intraductal", duct=index + 1)
                in_mass = any(mass.outline.distance(x, z) < 0.8 for mass in self.scene.masses)
                if focus.diameter < 2.2 * radius and self.is_free(x, z, 1.6) and not in_mass:
                    self.foci.append(focus)
                    break

    def place_in_nonmass_areas(self) -> None:
        """Place foci in nonmass areas."""
        areas = self.scene.nonmass
        for _ in range(self.settings.in_nonmass if areas else 0):
            outline = areas[int(self.rng.integers(len(areas)))].outline
            for _ in range(ATTEMPTS):
                x, z = self._draw_near(outline)
                if (
                    outline.distance(x, z) < -0.8
                    and self.is_free(x, z, 1.2)
                    and self.is_outside_objects(x, z, 0.8)
                    and self.is_off_lines(x, z)
                ):
                    self.foci.append(self._focus(x, z, "extramass", nonmass=True))
                    break

    def place_in_undisturbed_tissue(self) -> None:
        """Place single foci outside masses, ducts and nonmass areas."""
        for _ in range(self.settings.extramass):
            if position := self.draw_undisturbed(1.8, side=0, distance=3, nonmass_gap=2.0):
                self.foci.append(self._focus(*position, "extramass"))

    def place_clusters(self) -> None:
        """Place clusters of four to seven foci outside masses and ducts."""
        rng = self.rng
        for cluster in range(1, self.settings.clusters + 1):
            middle = self.draw_undisturbed(4.5, side=5, distance=6, nonmass_gap=None)
            if middle is None:
                continue
            for _ in range(int(rng.integers(4, 8))):
                for _ in range(ATTEMPTS):
                    x, z = middle[0] + rng.normal(0, 1.6), middle[1] + rng.normal(0, 1.2)
                    if (
                        self.is_free(x, z, 1.2)
                        and self.is_outside_objects(x, z, 1.5)
                        and self.is_off_lines(x, z)
                    ):
                        areas = self.scene.nonmass
                        inside = any(area.outline.distance(x, z) < 0 for area in areas)
                        focus = self._focus(x, z, "extramass", nonmass=inside, cluster=cluster)
                        diameter = min(focus.diameter, LARGEST_IN_CLUSTER)
                        self.foci.append(replace(focus, diameter=diameter, shadow_db=0.0))
                        break

    def place_coarse_clumps(self) -> None:
        """Place rims, popcorn shapes and clumps, by turns in solid masses and outside."""
        rng, scene = self.rng, self.scene
        solid = [i for i, mass in enumerate(scene.masses) if mass.content == "solid"]
        for number in range(self.settings.coarse_clumps):
            focus = self._coarse_clump(FORMS[int(rng.integers(len(FORMS)))])
            reach = max(focus.half_width, focus.half_height)
            if solid and number % 2 == 0:
                index = int(rng.choice(solid))
                outline = scene.masses[index].outline
                for _ in range(ATTEMPTS):
                    x, z = self._draw_near(outline)
                    fits = outline.distance(x, z) < -reach - 0.4
                    if fits and self._is_clear(x, z, reach):
                        self.foci.append(
                            replace(focus, x=x, z=z, label="intramass", mass=index + 1)
                        )
                        break
            elif (
                position := self.draw_undisturbed(
                    reach + 1.5, side=reach + 1, distance=reach + 1, nonmass_gap=None
                )
            ) and self._is_clear(*position, reach):
                x, z = position
                inside = any(area.outline.distance(x, z) < 0 for area in scene.nonmass)
                self.foci.append(replace(focus, x=x, z=z, nonmass=inside))

    def _is_clear(self, x: float, z: float, reach: float) -> bool:
        """Return True inside the image and 1 mm further than `reach` from the edge of any focus."""
        return self.is_free(x, z, reach + 1) and all(
            math.hypot(x - focus.x, z - focus.z)
            > reach + 1 + max(focus.half_width, focus.half_height)
            for focus in self.foci
        )

    def _coarse_clump(self, form: FocusForm) -> FocusShape:
        """Draw the size, the shape and the echoes of a coarse clump at the origin."""
        rng, settings = self.rng, self.settings
        diameter = math.exp(rng.uniform(math.log(2.0), math.log(LARGEST_CLUMP)))
        discs = random_discs(rng, form, diameter)
        shadow_db = rng.uniform(8, 16) if rng.random() < settings.shadow else 0.0
        contrast = rng.uniform(*CLUMP_CONTRAST_DB)
        return FocusShape(
            0.0, 0.0, diameter, contrast, "extramass", shadow_db, form=form, discs=discs
        )

    def _draw_near(self, outline: Outline) -> tuple[float, float]:
        """Draw a position in the box around the ellipse of an outline."""
        x = outline.x + self.rng.uniform(-1, 1) * outline.half_width
        z = outline.z + self.rng.uniform(-1, 1) * outline.half_height
        return x, z

    def _focus(self, x: float, z: float, label: Label, **fields: int | bool | None) -> FocusShape:
        return random_focus(self.rng, self.settings, x, z, label, **fields)


def random_foci(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene
) -> list[FocusShape]:
    """Return as many foci as the settings give; fewer if there is no room for them."""
    placer = FocusPlacer(rng, settings, probe, scene)
    placer.place_in_masses()
    placer.place_in_ducts()
    placer.place_in_nonmass_areas()
    placer.place_in_undisturbed_tissue()
    placer.place_clusters()
    placer.place_coarse_clumps()
    return placer.foci
