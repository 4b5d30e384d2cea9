"""Random layers of a breast: curves, and the thin lines that cross them."""

from __future__ import annotations

import numpy as np

from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import Curve, Line
from usmicro.phantom.settings import PhantomSettings


def wavy(rng: np.random.Generator, probe: Probe, depth: float, swing: float, step: float) -> Curve:
    """A curve across the whole face that sways about a depth."""
    half = probe.width / 2 + 2
    u = np.arange(-half, half + step, step)
    d = (
        depth
        + swing * np.interp(u, u[::2], rng.standard_normal(len(u[::2])))
        + 0.3 * swing * rng.standard_normal(len(u))
    )
    return Curve(tuple(u), tuple(np.maximum(d, 2.2)))


def line_along(
    rng: np.random.Generator, path: Curve, level_db: float, uneven_db: float, thickness: float
) -> Line:
    """A specular line whose strength comes and goes every millimetre or two."""
    u = np.linspace(path.u[0], path.u[-1], max(int((path.u[-1] - path.u[0]) / 1.3), 5))
    levels = level_db + uneven_db * np.minimum(rng.standard_normal(len(u)), 1.2)
    return Line(
        Curve(tuple(u), tuple(path(u))),
        tuple(levels),
        thickness,
        tuple(np.cumsum(rng.normal(0, 0.7, len(u)))),
    )


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
    shape = (
        1 - t**2 if rng.random() < 0.4 else (t * rng.choice([-1, 1]) + 1) * rng.uniform(0.5, 1.0)
    )
    d = (
        bottom(middle)
        - rise * shape
        - rng.uniform(0, 0.8) * room
        + 0.12 * np.cumsum(rng.normal(0, 1, 9))
    )
    return line_along(
        rng,
        Curve(tuple(u), tuple(np.maximum(d, 2.0))),
        rng.uniform(2, 18),
        4,
        rng.uniform(0.05, 0.1),
    )


def lines_of(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, fat: Curve, muscle: Curve
) -> list[Line]:
    """Skin, ligaments, fasciae, muscle striations and dashes."""
    half = probe.width / 2
    across = np.linspace(-half - 2, half + 2, 12)
    lines = []
    for depth, level in ((0.1, 15.0), (0.45, 8.0), (1.6, 10.0)):  # gel and both faces of the skin
        lines.append(
            line_along(
                rng,
                Curve(tuple(across), tuple(depth + 0.04 * rng.standard_normal(12))),
                level,
                2,
                0.07,
            )
        )
    lines += [ligament(rng, probe, fat) for _ in range(settings.ligaments)]
    for _ in range(settings.ligaments // 2):  # the interface of fat and gland, in pieces
        lines.append(
            line_along(
                rng,
                part_of(rng, fat, rng.uniform(3, 12), rng.normal(0, 0.3)),
                rng.uniform(3, 17),
                4,
                0.07,
            )
        )
    for shift in (
        0.0,
        rng.uniform(0.6, 2.5),
    ):  # the retromammary fascia has two leaves, seen in pieces
        for _ in range(3):
            leaf = part_of(rng, muscle, rng.uniform(10, probe.width), shift + rng.normal(0, 0.15))
            lines.append(line_along(rng, leaf, rng.uniform(6, 22), 4, rng.uniform(0.06, 0.11)))
    deepest = settings.depth
    for _ in range(int(1.2 * max(deepest - float(np.mean(muscle.d)), 0))):
        shift = rng.uniform(1, max(deepest - min(muscle.d), 1.5))
        lines.append(
            line_along(
                rng,
                part_of(rng, muscle, rng.uniform(3, 14), shift),
                rng.uniform(-2, 15),
                4,
                rng.uniform(0.05, 0.11),
            )
        )
    for _ in range(settings.dashes):
        length, middle = rng.uniform(2.8, 8), rng.uniform(-half, half)
        u = np.linspace(middle - length / 2, middle + length / 2, 5)
        d = (
            rng.uniform(2.5, deepest - 1)
            + rng.normal(0, 0.15) * (u - middle)
            + rng.normal(0, 0.06, 5)
        )
        lines.append(
            line_along(
                rng, Curve(tuple(u), tuple(d)), rng.uniform(0, 18), 1.5, rng.uniform(0.05, 0.1)
            )
        )
    return lines
