"""Random layers of a breast, and the thin specular lines in and between them.

The ranges from which shapes and echo levels are drawn were chosen by eye; no measurement is
recorded.
"""

from __future__ import annotations

import numpy as np

from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import Curve, Line
from usmicro.phantom.settings import PhantomSettings

SKIN_LINES = ((0.1, 15.0), (0.45, 8.0), (1.6, 10.0))
"""Lines of the gel and of both faces of the skin: depth in mm, echo level in dB over gland."""

SHALLOWEST_LINE = 2.0
"""Least depth of a line below the skin, mm."""

LIGAMENT_NODES = 9
"""Number of nodes of the curve of a ligament."""


def wavy_curve(
    rng: np.random.Generator, probe: Probe, depth: float, amplitude: float, step: float
) -> Curve:
    """Return a curve across the whole face that varies about a depth.

    Parameters
    ----------
    rng : numpy.random.Generator
    probe : Probe
    depth, amplitude : float
        Mean depth, and standard deviation of the slow part of the variation, mm.
    step : float
        Distance between the nodes, mm.
    """
    half = probe.width / 2 + 2
    u = np.arange(-half, half + step, step)
    d = (
        depth
        + amplitude * np.interp(u, u[::2], rng.standard_normal(len(u[::2])))
        + 0.3 * amplitude * rng.standard_normal(len(u))
    )
    return Curve(tuple(u), tuple(np.maximum(d, 2.2)))


def line_along(
    rng: np.random.Generator, path: Curve, level_db: float, variation_db: float, thickness: float
) -> Line:
    """Return a specular line whose echo level and phase vary along a curve.

    Parameters
    ----------
    rng : numpy.random.Generator
    path : Curve
    level_db, variation_db : float
        Mean echo level and standard deviation of its variation, dB over glandular tissue.
    thickness : float
        See `Line`, mm.
    """
    u = np.linspace(path.u[0], path.u[-1], max(int((path.u[-1] - path.u[0]) / 1.3), 5))
    levels = level_db + variation_db * np.minimum(rng.standard_normal(len(u)), 1.2)
    phase = np.cumsum(rng.normal(0, 0.7, len(u)))
    return Line(Curve(tuple(u), tuple(path(u))), tuple(levels), thickness, tuple(phase))


def part_of(rng: np.random.Generator, path: Curve, length: float, shift: float) -> Curve:
    """Return a random part of a curve, moved by `shift` in depth and tilted; lengths in mm."""
    start = rng.uniform(path.u[0], max(path.u[-1] - length, path.u[0] + 0.1))
    u = np.arange(start, start + length, min(2.5, length / 4))
    d = path(u) + shift + rng.normal(0, 0.08) * (u - start) + rng.normal(0, 0.08, len(u))
    return Curve(tuple(u), tuple(np.maximum(d, SHALLOWEST_LINE)))


def ligament(rng: np.random.Generator, probe: Probe, bottom: Curve) -> Line:
    """Return a Cooper ligament, which rises into the fat from its lower boundary `bottom`.

    It is a septum or an arch over a fat lobule.
    """
    half = probe.width / 2
    middle, length = rng.uniform(-half, half), rng.uniform(5, 18)
    t = np.linspace(-1, 1, LIGAMENT_NODES)
    u = middle + t * length / 2
    room = max(float(bottom(middle)) - 2.5, 1)
    rise = rng.uniform(0.05, 0.5) * min(room, length / 3)
    is_arch = rng.random() < 0.4
    shape = 1 - t**2 if is_arch else (t * rng.choice([-1, 1]) + 1) * rng.uniform(0.5, 1.0)
    d = (
        bottom(middle)
        - rise * shape
        - rng.uniform(0, 0.8) * room
        + 0.12 * np.cumsum(rng.normal(0, 1, LIGAMENT_NODES))
    )
    path = Curve(tuple(u), tuple(np.maximum(d, SHALLOWEST_LINE)))
    level_db, thickness = rng.uniform(2, 18), rng.uniform(0.05, 0.1)
    return line_along(rng, path, level_db, 4, thickness)


def random_lines(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, fat: Curve, muscle: Curve
) -> list[Line]:
    """Return skin, ligaments, interfaces, fasciae, muscle striations and dashes.

    `fat` is the lower boundary of the fat, `muscle` the upper boundary of the muscle.
    """
    return [
        *_skin(rng, probe),
        *(ligament(rng, probe, fat) for _ in range(settings.ligaments)),
        *_gland_interface(rng, settings, fat),
        *_retromammary_fascia(rng, probe, muscle),
        *_muscle_striations(rng, settings, muscle),
        *(_dash(rng, settings, probe) for _ in range(settings.dashes)),
    ]


def _skin(rng: np.random.Generator, probe: Probe) -> list[Line]:
    half = probe.width / 2
    across = np.linspace(-half - 2, half + 2, 12)
    lines = []
    for depth, level_db in SKIN_LINES:
        path = Curve(tuple(across), tuple(depth + 0.04 * rng.standard_normal(12)))
        lines.append(line_along(rng, path, level_db, 2, 0.07))
    return lines


def _gland_interface(rng: np.random.Generator, settings: PhantomSettings, fat: Curve) -> list[Line]:
    """Return the interface of fat and gland, which is seen in pieces."""
    lines = []
    for _ in range(settings.ligaments // 2):
        path = part_of(rng, fat, rng.uniform(3, 12), rng.normal(0, 0.3))
        lines.append(line_along(rng, path, rng.uniform(3, 17), 4, 0.07))
    return lines


def _retromammary_fascia(rng: np.random.Generator, probe: Probe, muscle: Curve) -> list[Line]:
    """Return the two leaves of the retromammary fascia, which are seen in pieces."""
    lines = []
    for shift in (0.0, rng.uniform(0.6, 2.5)):
        for _ in range(3):
            leaf = part_of(rng, muscle, rng.uniform(10, probe.width), shift + rng.normal(0, 0.15))
            lines.append(line_along(rng, leaf, rng.uniform(6, 22), 4, rng.uniform(0.06, 0.11)))
    return lines


def _muscle_striations(
    rng: np.random.Generator, settings: PhantomSettings, muscle: Curve
) -> list[Line]:
    lines = []
    for _ in range(int(1.2 * max(settings.depth - float(np.mean(muscle.d)), 0))):
        shift = rng.uniform(1, max(settings.depth - min(muscle.d), 1.5))
        path = part_of(rng, muscle, rng.uniform(3, 14), shift)
        lines.append(line_along(rng, path, rng.uniform(-2, 15), 4, rng.uniform(0.05, 0.11)))
    return lines


def _dash(rng: np.random.Generator, settings: PhantomSettings, probe: Probe) -> Line:
    """Return a short bright line anywhere in the image."""
    half = probe.width / 2
    length, middle = rng.uniform(2.8, 8), rng.uniform(-half, half)
    u = np.linspace(middle - length / 2, middle + length / 2, 5)
    depth = rng.uniform(2.5, settings.depth - 1)
    d = depth + rng.normal(0, 0.15) * (u - middle) + rng.normal(0, 0.06, 5)
    path = Curve(tuple(u), tuple(d))
    level_db, thickness = rng.uniform(0, 18), rng.uniform(0.05, 0.1)
    return line_along(rng, path, level_db, 1.5, thickness)
