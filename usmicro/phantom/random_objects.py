"""Random masses, ducts and vessels.

The ranges from which sizes, shapes and echo levels are drawn were chosen by eye; no measurement is
recorded.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import (
    TUBE_STEP,
    ColourBox,
    DuctShape,
    FloatArray,
    MassShape,
    Outline,
    VesselShape,
)
from usmicro.phantom.settings import PhantomSettings

CYST_ORDERS, OVAL_ORDERS, IRREGULAR_ORDERS = (2, 3), (2, 3, 4, 5), (2, 3, 4, 5, 7, 9, 12)
"""Orders of the waves of the outlines of cysts, oval masses and irregular masses."""


def random_waves(
    rng: np.random.Generator, orders: tuple[int, ...], least: float, most: float
) -> tuple[tuple[int, float, float], ...]:
    """Return waves of an outline, see `Outline.waves`.

    The amplitude is between `least` and `most`, divided by the order.
    """
    return tuple(
        (order, rng.uniform(least, most) / order, rng.uniform(0, 2 * np.pi)) for order in orders
    )


def random_mass(
    rng: np.random.Generator, settings: PhantomSettings, x: float, z: float, half_width: float
) -> MassShape:
    """Return a cyst, an irregular mass or an oval mass with its centre at (x, z); mm."""
    if rng.random() < settings.cysts:
        return _cyst(rng, x, z, half_width)
    if rng.random() < settings.irregular:
        return _irregular_mass(rng, x, z, half_width)
    return _oval_mass(rng, x, z, half_width)


def _cyst(rng: np.random.Generator, x: float, z: float, half_width: float) -> MassShape:
    return MassShape(
        Outline(
            x=x,
            z=z,
            half_width=half_width,
            half_height=half_width * rng.uniform(0.6, 0.95),
            tilt=rng.normal(0, 0.1),
            waves=random_waves(rng, CYST_ORDERS, 0, 0.08),
        ),
        content="cyst",
        margin=0.12,
        level_db=rng.uniform(-38, -28),
        mottle_db=0.5,
        posterior="enhancement",
        posterior_db=-rng.uniform(4, 8),
        edge_shadow_db=rng.uniform(2, 5),
    )


def _irregular_mass(rng: np.random.Generator, x: float, z: float, half_width: float) -> MassShape:
    has_shadow = rng.random() < 0.6
    return MassShape(
        Outline(
            x=x,
            z=z,
            half_width=half_width,
            half_height=half_width * rng.uniform(0.7, 1.3),
            tilt=rng.normal(0, 0.4),
            waves=random_waves(rng, IRREGULAR_ORDERS, 0.05, 0.3),
        ),
        shape="irregular",
        margin=rng.uniform(0.3, 0.9),
        level_db=rng.uniform(-17, -10),
        mottle_db=rng.uniform(1, 2.5),
        rim_db=rng.uniform(0, 5),
        rim=rng.uniform(0.8, 2),
        posterior="shadowing" if has_shadow else "none",
        posterior_db=rng.uniform(7, 14) if has_shadow else 0.0,
    )


def _oval_mass(rng: np.random.Generator, x: float, z: float, half_width: float) -> MassShape:
    has_enhancement = rng.random() < 0.4
    return MassShape(
        Outline(
            x=x,
            z=z,
            half_width=half_width,
            half_height=half_width * rng.uniform(0.5, 0.8),
            tilt=rng.normal(0, 0.15),
            waves=random_waves(rng, OVAL_ORDERS, 0, 0.1),
        ),
        margin=rng.uniform(0.1, 0.4),
        level_db=rng.uniform(-14, -8),
        mottle_db=rng.uniform(0.8, 2),
        posterior="enhancement" if has_enhancement else "none",
        posterior_db=-rng.uniform(3, 6) if has_enhancement else 0.0,
        edge_shadow_db=rng.uniform(0, 4),
    )


def random_duct(rng: np.random.Generator, x: float, z: float) -> DuctShape:
    """Return a duct with its middle at (x, z) in mm.

    It runs mostly across the beam and may be curved, dilated or branched.
    """
    length = rng.uniform(8, 22)
    radius = math.exp(rng.uniform(math.log(0.35), math.log(1.4)))
    slope = rng.normal(0, 0.3)
    s = np.arange(-length / 2, length / 2, TUBE_STEP)
    bend, sway = rng.normal(0, 0.012), rng.uniform(0, 0.4)
    wave = np.sin(s / rng.uniform(1.5, 3) + rng.uniform(0, 6))
    path_z = z + slope * s + bend * s**2 + sway * wave
    dilation = PchipInterpolator(np.linspace(s[0], s[-1], 6), rng.standard_normal(6))(s)
    radii = radius * np.exp(0.2 * dilation)
    radii = radii * np.clip(np.minimum(s - s[0], s[-1] - s) / 1.5, 0.3, 1)
    paths = [_tube(x + s, path_z, radii)]
    if rng.random() < 0.35:
        fork = len(s) // 2
        t = np.arange(0, length / 2, TUBE_STEP)
        side = rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)
        branch_z = path_z[fork] + slope * t + side * t * np.exp(-t / 12)
        branch_radii = 0.75 * radii[fork] * np.clip((t[-1] - t) / 1.5, 0.3, 1)
        paths.append(_tube(x + s[fork] + t, branch_z, branch_radii))
    return DuctShape(tuple(paths), level_db=rng.uniform(-18, -9), wall_db=rng.uniform(1, 8))


def _tube(
    x: FloatArray, z: FloatArray, radii: FloatArray
) -> tuple[tuple[float, float, float], ...]:
    """Return the path of a tube, see `DuctShape.paths`."""
    return tuple(zip(x.tolist(), z.tolist(), radii.tolist(), strict=True))


def random_vessel(
    rng: np.random.Generator, settings: PhantomSettings, probe: Probe, box: ColourBox
) -> VesselShape:
    """Return a vessel in the colour box. It runs mostly across the beam, as in the breast."""
    length, angle, bend = rng.uniform(4, 14), rng.uniform(0, 2 * np.pi), rng.normal(0, 0.04)
    s = np.arange(-length / 2, length / 2, TUBE_STEP)
    middle_u = rng.uniform(box.first + 2, box.last - 2)
    middle_d = rng.uniform(box.top + 1.5, box.bottom - 1.5)
    x, z = probe.position(middle_u, middle_d)
    along, across = s, bend * s**2
    direction = 0.6 * math.sin(angle) + (math.pi if math.cos(angle) < 0 else 0)
    path_x = x + along * math.cos(direction) - across * math.sin(direction)
    path_z = z + along * math.sin(direction) + across * math.cos(direction)
    return VesselShape(
        tuple(zip(path_x.tolist(), path_z.tolist(), strict=True)),
        radius=rng.uniform(0.35, 1.0),
        velocity=settings.vessel_velocity * rng.uniform(0.6, 1.5),
    )
