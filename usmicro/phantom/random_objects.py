"""Random masses, ducts and vessels."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import ColourBox, DuctShape, MassShape, Outline, VesselShape
from usmicro.phantom.settings import PhantomSettings

IRREGULAR = (2, 3, 4, 5, 7, 9, 12)
"""Orders of the waves of an irregular outline."""


def waves(
    rng: np.random.Generator, orders: tuple[int, ...], least: float, most: float
) -> tuple[tuple[int, float, float], ...]:
    """Waves of an outline; the amplitude falls with the order."""
    return tuple(
        (order, rng.uniform(least, most) / order, rng.uniform(0, 2 * np.pi)) for order in orders
    )


def random_mass(
    rng: np.random.Generator, settings: PhantomSettings, x: float, z: float, half_width: float
) -> MassShape:
    """A mass of a random sort."""
    if rng.random() < settings.cysts:
        return MassShape(
            Outline(
                x,
                z,
                half_width,
                half_width * rng.uniform(0.6, 0.95),
                rng.normal(0, 0.1),
                waves(rng, (2, 3), 0, 0.08),
            ),
            content="cyst",
            margin=0.12,
            level_db=rng.uniform(-38, -28),
            mottle_db=0.5,
            posterior="enhancement",
            posterior_db=-rng.uniform(4, 8),
            edge_shadow_db=rng.uniform(2, 5),
        )
    if rng.random() < settings.irregular:
        shadowing = rng.random() < 0.6
        return MassShape(
            Outline(
                x,
                z,
                half_width,
                half_width * rng.uniform(0.7, 1.3),
                rng.normal(0, 0.4),
                waves(rng, (2, 3, 4, 5, 7, 9, 12), 0.05, 0.3),
            ),
            shape="irregular",
            margin=rng.uniform(0.3, 0.9),
            level_db=rng.uniform(-17, -10),
            mottle_db=rng.uniform(1, 2.5),
            rim_db=rng.uniform(0, 5),
            rim=rng.uniform(0.8, 2),
            posterior="shadowing" if shadowing else "none",
            posterior_db=rng.uniform(7, 14) if shadowing else 0.0,
        )
    enhancing = rng.random() < 0.4
    return MassShape(
        Outline(
            x,
            z,
            half_width,
            half_width * rng.uniform(0.5, 0.8),
            rng.normal(0, 0.15),
            waves(rng, (2, 3, 4, 5), 0, 0.1),
        ),
        margin=rng.uniform(0.1, 0.4),
        level_db=rng.uniform(-14, -8),
        mottle_db=rng.uniform(0.8, 2),
        posterior="enhancement" if enhancing else "none",
        posterior_db=-rng.uniform(3, 6) if enhancing else 0.0,
        edge_shadow_db=rng.uniform(0, 4),
    )


def random_duct(rng: np.random.Generator, x: float, z: float) -> DuctShape:
    """A duct that runs mostly across the beam, sometimes curved, widened or branching."""
    length, radius, slope = (
        rng.uniform(8, 22),
        math.exp(rng.uniform(math.log(0.35), math.log(1.4))),
        rng.normal(0, 0.3),
    )
    s = np.arange(-length / 2, length / 2, 0.2)
    bend, sway = rng.normal(0, 0.012), rng.uniform(0, 0.4)
    path_z = (
        z + slope * s + bend * s**2 + sway * np.sin(s / rng.uniform(1.5, 3) + rng.uniform(0, 6))
    )
    widths = radius * np.exp(
        0.2 * PchipInterpolator(np.linspace(s[0], s[-1], 6), rng.standard_normal(6))(s)
    )
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
    return DuctShape(tuple(paths), rng.uniform(-18, -9), rng.uniform(1, 8))


def random_vessel(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, box: ColourBox
) -> VesselShape:
    """A vessel that runs obliquely through part of the box."""
    length, angle, bend = rng.uniform(4, 14), rng.uniform(0, 2 * np.pi), rng.normal(0, 0.04)
    s = np.arange(-length / 2, length / 2, 0.2)
    x, z = probe.position(
        rng.uniform(box.first + 2, box.last - 2), rng.uniform(box.top + 1.5, box.bottom - 1.5)
    )
    # mostly across the beam, as most vessels in the breast
    along, across = s, bend * s**2
    turn = 0.6 * math.sin(angle) + (math.pi if math.cos(angle) < 0 else 0)
    path = np.column_stack(
        [
            x + along * math.cos(turn) - across * math.sin(turn),
            z + along * math.sin(turn) + across * math.cos(turn),
        ]
    )
    return VesselShape(
        tuple((float(a), float(b)) for a, b in path),
        rng.uniform(0.35, 1.0),
        settings.vessel_velocity * rng.uniform(0.6, 1.5),
    )
