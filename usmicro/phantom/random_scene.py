"""Random breasts: what `simulate` draws where no scene is given."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from usmicro.findings import Label
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import Curve, DuctShape, FocusShape, Line, MassShape, NonmassShape, Outline, Scene
from usmicro.phantom.settings import PhantomSettings

TRIES = 200
"""How often a place is drawn before an object is left out."""


def wavy(rng: np.random.Generator, probe: Probe, depth: float, swing: float, step: float) -> Curve:
    """A curve across the whole face that sways about a depth."""
    half = probe.width / 2 + 2
    u = np.arange(-half, half + step, step)
    d = depth + swing * np.interp(u, u[::2], rng.standard_normal(len(u[::2]))) + 0.3 * swing * rng.standard_normal(len(u))
    return Curve(tuple(u), tuple(np.maximum(d, 2.2)))


def line_along(rng: np.random.Generator, path: Curve, level_db: float, uneven_db: float, thickness: float) -> Line:
    """A specular line whose strength comes and goes every millimetre or two."""
    u = np.linspace(path.u[0], path.u[-1], max(int((path.u[-1] - path.u[0]) / 1.3), 5))
    levels = level_db + uneven_db * np.minimum(rng.standard_normal(len(u)), 1.2)
    return Line(Curve(tuple(u), tuple(path(u))), tuple(levels), thickness, tuple(np.cumsum(rng.normal(0, 0.7, len(u)))))


def part_of(rng: np.random.Generator, path: Curve, length: float, shift: float) -> Curve:
    """A piece of a curve, at a random place, moved and tilted in depth."""
    start = rng.uniform(path.u[0], max(path.u[-1] - length, path.u[0] + 0.1))
    u = np.arange(start, start + length, min(2.5, length / 4))
    d = path(u) + shift + rng.normal(0, 0.08) * (u - start) + rng.normal(0, 0.08, len(u))
    return Curve(tuple(u), tuple(np.maximum(d, 2.0)))


def ligament(rng: np.random.Generator, probe: Probe, bottom: Curve) -> Line:
    """A Cooper ligament: a thin septum that rises from the glandular tissue through the fat, or arches over a fat lobule."""
    half = probe.width / 2
    middle, length = rng.uniform(-half, half), rng.uniform(5, 18)
    t = np.linspace(-1, 1, 9)
    u = middle + t * length / 2
    room = max(float(bottom(middle)) - 2.5, 1)
    rise = rng.uniform(0.05, 0.5) * min(room, length / 3)
    shape = 1 - t**2 if rng.random() < 0.4 else (t * rng.choice([-1, 1]) + 1) * rng.uniform(0.5, 1.0)
    d = bottom(middle) - rise * shape - rng.uniform(0, 0.8) * room + 0.12 * np.cumsum(rng.normal(0, 1, 9))
    return line_along(rng, Curve(tuple(u), tuple(np.maximum(d, 2.0))), rng.uniform(2, 12), 4, rng.uniform(0.05, 0.1))


def lines_of(rng: np.random.Generator, settings: PhantomSettings, probe: Probe, fat: Curve, muscle: Curve) -> list[Line]:
    """Skin, ligaments, fasciae, muscle striations and dashes."""
    half = probe.width / 2
    across = np.linspace(-half - 2, half + 2, 12)
    lines = []
    for depth, level in ((0.1, 15.0), (0.45, 8.0), (1.6, 10.0)):  # gel and both faces of the skin
        lines.append(line_along(rng, Curve(tuple(across), tuple(depth + 0.04 * rng.standard_normal(12))), level, 2, 0.07))
    lines += [ligament(rng, probe, fat) for _ in range(settings.ligaments)]
    for _ in range(settings.ligaments // 2):  # the interface of fat and gland, in pieces
        lines.append(line_along(rng, part_of(rng, fat, rng.uniform(3, 12), rng.normal(0, 0.3)), rng.uniform(2, 11), 4, 0.08))
    for shift in (0.0, rng.uniform(0.6, 2.5)):  # the retromammary fascia has two leaves, seen in pieces
        for _ in range(3):
            leaf = part_of(rng, muscle, rng.uniform(10, probe.width), shift + rng.normal(0, 0.15))
            lines.append(line_along(rng, leaf, rng.uniform(4, 13), 4, rng.uniform(0.07, 0.13)))
    deepest = settings.depth
    for _ in range(int(1.2 * max(deepest - float(np.mean(muscle.d)), 0))):
        shift = rng.uniform(1, max(deepest - min(muscle.d), 1.5))
        lines.append(line_along(rng, part_of(rng, muscle, rng.uniform(3, 14), shift), rng.uniform(-3, 9), 4, rng.uniform(0.06, 0.13)))
    for _ in range(settings.dashes):
        length, middle = rng.uniform(1.2, 6), rng.uniform(-half, half)
        u = np.linspace(middle - length / 2, middle + length / 2, 5)
        d = rng.uniform(2.5, deepest - 1) + rng.normal(0, 0.15) * (u - middle) + rng.normal(0, 0.06, 5)
        lines.append(line_along(rng, Curve(tuple(u), tuple(d)), rng.uniform(0, 10), 2, rng.uniform(0.06, 0.12)))
    return lines


def random_mass(rng: np.random.Generator, settings: PhantomSettings, x: float, z: float, half_width: float) -> MassShape:
    """A mass of a random sort."""
    if rng.random() < settings.cysts:
        waves = tuple((order, rng.uniform(0, 0.03), rng.uniform(0, 2 * np.pi)) for order in (2, 3))
        outline = Outline(x, z, half_width, half_width * rng.uniform(0.6, 0.95), rng.normal(0, 0.1), waves)
        return MassShape(
            outline, "cyst", "oval", 0.12, rng.uniform(-38, -28), 0.5, posterior="enhancement", posterior_db=-rng.uniform(4, 8),
            edge_shadow_db=rng.uniform(2, 5),
        )  # fmt: skip
    if rng.random() < settings.irregular:
        waves = tuple((order, rng.uniform(0.2, 1) * 0.28 / order, rng.uniform(0, 2 * np.pi)) for order in (2, 3, 4, 5, 7, 9, 12))
        outline = Outline(x, z, half_width, half_width * rng.uniform(0.7, 1.3), rng.normal(0, 0.4), waves)
        shadowing = rng.random() < 0.6
        return MassShape(
            outline, "solid", "irregular", rng.uniform(0.3, 0.9), rng.uniform(-17, -10), rng.uniform(1, 2.5), rng.uniform(0, 5), rng.uniform(0.8, 2),
            "shadowing" if shadowing else "none", rng.uniform(7, 14) if shadowing else 0.0,
        )  # fmt: skip
    waves = tuple((order, rng.uniform(0, 0.1 / order), rng.uniform(0, 2 * np.pi)) for order in (2, 3, 4, 5))
    outline = Outline(x, z, half_width, half_width * rng.uniform(0.5, 0.8), rng.normal(0, 0.15), waves)
    enhancing = rng.random() < 0.4
    return MassShape(
        outline, "solid", "oval", rng.uniform(0.1, 0.4), rng.uniform(-14, -8), rng.uniform(0.8, 2), 0.0, 1.0,
        "enhancement" if enhancing else "none", -rng.uniform(3, 6) if enhancing else 0.0, rng.uniform(0, 4),
    )  # fmt: skip


def random_duct(rng: np.random.Generator, x: float, z: float) -> DuctShape:
    """A duct that runs mostly across the beam, sometimes curved, widened or branching."""
    length, radius, slope = rng.uniform(8, 22), math.exp(rng.uniform(math.log(0.35), math.log(1.4))), rng.normal(0, 0.3)
    s = np.arange(-length / 2, length / 2, 0.2)
    bend, sway = rng.normal(0, 0.012), rng.uniform(0, 0.4)
    path_z = z + slope * s + bend * s**2 + sway * np.sin(s / rng.uniform(1.5, 3) + rng.uniform(0, 6))
    widths = radius * np.exp(0.2 * PchipInterpolator(np.linspace(s[0], s[-1], 6), rng.standard_normal(6))(s))
    widths = widths * np.clip(np.minimum(s - s[0], s[-1] - s) / 1.5, 0.3, 1)
    paths = [tuple(zip((x + s).tolist(), path_z.tolist(), widths.tolist(), strict=True))]
    if rng.random() < 0.35:
        fork = len(s) // 2
        t = np.arange(0, length / 2, 0.2)
        side = rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)
        branch_z = path_z[fork] + slope * t + side * t * np.exp(-t / 12)
        paths.append(
            tuple(
                zip(
                    (x + s[fork] + t).tolist(),
                    branch_z.tolist(),
                    (0.75 * widths[fork] * np.clip((t[-1] - t) / 1.5, 0.3, 1)).tolist(),
                    strict=True,
                )
            )
        )
    return DuctShape(tuple(paths), rng.uniform(-20, -14), rng.uniform(4, 9))


class Places:
    """Draws positions in the picture and keeps what it placed apart."""

    def __init__(self, rng: np.random.Generator, settings: PhantomSettings, probe: Probe) -> None:
        self.rng, self.settings, self.probe = rng, settings, probe
        self.taken: list[tuple[float, float, float]] = []

    def draw(self, top: float, bottom: float, clearance: float, *, side: float = 3.0) -> tuple[float, float] | None:
        """A position (x, z) between two depths that keeps its clearance to all that was placed, and to the sides of the picture."""
        for _ in range(TRIES):
            u = self.rng.uniform(-self.probe.width / 2 + side, self.probe.width / 2 - side)
            x, z = (float(value) for value in self.probe.position(u, self.rng.uniform(top, max(bottom, top + 0.1))))
            if self.free(x, z, clearance):
                return x, z
        return None

    def free(self, x: float, z: float, clearance: float) -> bool:
        """Whether nothing placed is nearer than the two clearances together."""
        return all(math.hypot(x - a, z - b) >= clearance + c for a, b, c in self.taken)

    def take(self, x: float, z: float, clearance: float) -> None:
        """Remember a place."""
        self.taken.append((x, z, clearance))


def random_focus(
    rng: np.random.Generator, settings: PhantomSettings, x: float, z: float, label: Label, **more: int | bool | None
) -> FocusShape:
    """A focus of random size and contrast."""
    coarse = rng.random() < settings.coarse
    diameter = math.exp(rng.uniform(math.log(0.55), math.log(2.5))) if coarse else rng.uniform(0.2, 0.45)
    if label == "intraductal":
        diameter = min(diameter, 1.0)
    casts = coarse and label != "intramass" and rng.random() < settings.shadow and diameter >= 0.7
    contrast = rng.uniform(settings.least_contrast, settings.most_contrast)
    shadow_db = rng.uniform(8, 16) if casts else 0.0
    twinkles = bool(settings.colour and rng.random() < settings.twinkling)
    return FocusShape(x, z, diameter, contrast, label, shadow_db, twinkles, **more)  # type: ignore[arg-type]


def random_foci(rng: np.random.Generator, settings: PhantomSettings, probe: Probe, scene: Scene) -> list[FocusShape]:
    """Foci in the masses, ducts and nonmass areas of a scene, and in undisturbed tissue."""
    foci: list[FocusShape] = []

    def apart(x: float, z: float, least: float = 1.6) -> bool:
        u, d = probe.beam(x, z)
        seen = abs(u) < probe.width / 2 - 1 and 2.4 < d < probe.depth - 2
        return bool(seen) and all(math.hypot(x - focus.x, z - focus.z) > least for focus in foci)

    def outside(x: float, z: float, gap: float) -> bool:
        return all(mass.outline.distance(x, z) > gap for mass in scene.masses) and all(duct.distance(x, z) > gap for duct in scene.ducts)

    solid = [number for number, mass in enumerate(scene.masses) if mass.content == "solid"]
    for _ in range(settings.intramass if solid else 0):
        number = int(rng.choice(solid))
        outline = scene.masses[number].outline
        for _ in range(TRIES):
            x = outline.x + rng.uniform(-1, 1) * outline.half_width
            z = outline.z + rng.uniform(-1, 1) * outline.half_height
            focus = random_focus(rng, settings, x, z, "intramass", mass=number + 1)
            if outline.distance(x, z) < -focus.diameter / 2 - 0.4 and apart(x, z, focus.diameter + 1):
                foci.append(focus)
                break
    for _ in range(settings.intraductal if scene.ducts else 0):
        number = int(rng.integers(len(scene.ducts)))
        paths = scene.ducts[number].paths
        for _ in range(TRIES):
            path = paths[int(rng.integers(len(paths)))]
            x, z, radius = path[int(rng.integers(len(path) // 8, len(path) * 7 // 8 + 1))]
            focus = random_focus(rng, settings, x, z, "intraductal", duct=number + 1)
            if focus.diameter < 2.2 * radius and apart(x, z) and all(mass.outline.distance(x, z) > 0.8 for mass in scene.masses):
                foci.append(focus)
                break
    for _ in range(settings.in_nonmass if scene.nonmass else 0):
        outline = scene.nonmass[int(rng.integers(len(scene.nonmass)))].outline
        for _ in range(TRIES):
            x = outline.x + rng.uniform(-1, 1) * outline.half_width
            z = outline.z + rng.uniform(-1, 1) * outline.half_height
            if outline.distance(x, z) < -0.8 and apart(x, z, 1.2) and outside(x, z, 0.8):
                foci.append(random_focus(rng, settings, x, z, "extramass", nonmass=True))
                break
    for _ in range(settings.extramass):
        for _ in range(TRIES):
            u, d = rng.uniform(-probe.width / 2, probe.width / 2), rng.uniform(3.5, probe.depth - 4)
            if scene.muscle is not None and d > scene.muscle(u) - 1:
                continue
            x, z = (float(value) for value in probe.position(u, d))
            if apart(x, z, 3) and outside(x, z, 1.8) and all(area.outline.distance(x, z) > 2 for area in scene.nonmass):
                foci.append(random_focus(rng, settings, x, z, "extramass"))
                break
    for cluster in range(1, settings.clusters + 1):
        for _ in range(TRIES):
            u, d = rng.uniform(-probe.width / 2 + 5, probe.width / 2 - 5), rng.uniform(6, probe.depth - 6)
            if scene.muscle is not None and d > scene.muscle(u) - 3:
                continue
            x, z = (float(value) for value in probe.position(u, d))
            if apart(x, z, 6) and outside(x, z, 4.5):
                break
        else:
            continue
        for _ in range(int(rng.integers(4, 8))):
            for _ in range(TRIES):
                near = x + rng.normal(0, 1.6), z + rng.normal(0, 1.2)
                if apart(*near, 1.2) and outside(*near, 1.5):
                    focus = random_focus(rng, settings, *near, "extramass", cluster=cluster)
                    inside = any(area.outline.distance(*near) < 0 for area in scene.nonmass)
                    foci.append(
                        FocusShape(
                            focus.x,
                            focus.z,
                            min(focus.diameter, 0.8),
                            focus.contrast_db,
                            "extramass",
                            0.0,
                            focus.twinkling,
                            None,
                            None,
                            inside,
                            cluster,
                        )
                    )
                    break
    return foci


def random_scene(rng: np.random.Generator, settings: PhantomSettings, probe: Probe) -> Scene:
    """A breast drawn from the settings."""
    fat, muscle, lobules, lines = None, None, [], []
    top, bottom = 4.0, settings.depth - 4
    if settings.anatomy:
        ends = min(rng.uniform(0.75, 1.25) * settings.fat, settings.depth * 0.5)
        fat = wavy(rng, probe, ends, 1.4, rng.uniform(3, 6))
        begins = ends + rng.uniform(0.75, 1.25) * settings.gland
        muscle = wavy(rng, probe, begins, 0.5, 9.0)
        lines = lines_of(rng, settings, probe, fat, muscle)
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
        half_width = min(math.exp(rng.uniform(math.log(3.0), math.log(8.5))), settings.width / 5, settings.depth / 5)
        if place := places.draw(top + half_width * 0.6, bottom - half_width * 0.6, half_width * 1.2, side=half_width * 1.1):
            masses.append(random_mass(rng, settings, *place, half_width))
            places.take(*place, half_width * 1.2)
    for _ in range(settings.nonmass):
        half_width = min(rng.uniform(4, 9), settings.width / 5)
        if place := places.draw(top + 2, bottom - 2, half_width, side=half_width):
            waves = tuple((order, rng.uniform(0.05, 0.45) / order, rng.uniform(0, 2 * np.pi)) for order in (2, 3, 4, 5, 7))
            outline = Outline(*place, half_width, half_width * rng.uniform(0.35, 0.55), rng.normal(0, 0.15), waves)
            nonmass.append(NonmassShape(outline, rng.uniform(1, 2), rng.uniform(-8, -5), rng.uniform(3, 5)))
            places.take(*place, half_width)
    for _ in range(settings.ducts):
        for _ in range(TRIES):
            if not (place := places.draw(top, bottom, 0.5, side=2)):
                break
            duct = random_duct(rng, *place)
            points = [point for path in duct.paths for point in path[::5]]
            if all(places.free(x, z, radius + 1.0) and 2.5 < z < settings.depth - 2 for x, z, radius in points):
                ducts.append(duct)
                for x, z, radius in points:
                    places.take(x, z, radius + 0.5)
                break
    attenuation = rng.uniform(0, 0.35) if settings.anatomy else 0.0
    scene = Scene(1.6, fat, muscle, attenuation, tuple(lobules), tuple(lines), tuple(masses), tuple(ducts), tuple(nonmass))
    return scene.with_foci(*random_foci(rng, settings, probe, scene))
