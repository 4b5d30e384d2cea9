"""Measured against true diameters of simulated foci: `python -m benchmarks.accuracy.diameters`.

Each scene has foci of 0.3 to 1 mm and 6 to 20 dB in a mass and outside. The table has the median
ratio of measured to true diameter by contrast and diameter. It takes about 1 s per scene.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import table
from usmicro.foci import find_candidates
from usmicro.model.findings import Label
from usmicro.model.view import View
from usmicro.phantom import simulate
from usmicro.phantom.random_foci import FocusPlacer
from usmicro.phantom.random_scene import random_scene
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import FocusShape
from usmicro.phantom.sets import random_settings
from usmicro.phantom.simulation import Phantom
from usmicro.phantom.truth import TrueFocus
from usmicro.preparation import prepare

FIRST_SEED, SCENES = 60000, 60
"""First seed and number of the scenes that are measured. The constants of
`usmicro.foci.extents` were fitted to the seeds 50000 to 50029."""
DIAMETERS_MM = (0.3, 0.4, 0.5, 0.7, 1.0)
"""Limits of the classes of true diameters, mm."""
CONTRASTS_DB = (6.0, 9.0, 12.0, 15.0, 20.0)
"""Limits of the classes of true contrasts, dB."""
OUTSIDE, INSIDE = 16, 5
"""Number of foci outside masses and in a mass for which a place is looked for in each scene."""
ATTEMPTS = 100
"""Number of places that are tried for each focus in a mass."""
REACH_MM = 0.35
"""Distance in mm within which a candidate belongs to a focus; at least the radius of the focus."""
TOLERANCE = 0.2
"""Largest relative error of a diameter that counts as right."""


def sizes_phantom(seed: int) -> Phantom:
    """Return a simulated scan with foci of evenly spread diameters and contrasts."""
    rng = np.random.default_rng([seed, 99])
    settings = replace(
        random_settings(seed, "mixed"),
        masses=1,
        cysts=0.0,
        ducts=0,
        nonmass=0,
        intramass=0,
        intraductal=0,
        extramass=0,
        in_nonmass=0,
        clusters=0,
        calipers=False,
        text=False,
    )
    probe = Probe.of(settings)
    scene = random_scene(rng, settings, probe)
    placer = FocusPlacer(rng, settings, probe, scene)

    def draw(x: float, z: float, label: Label) -> FocusShape:
        contrast = float(rng.uniform(CONTRASTS_DB[0], CONTRASTS_DB[-1]))
        diameter = float(rng.uniform(DIAMETERS_MM[0], DIAMETERS_MM[-1]))
        return FocusShape(x, z, diameter, contrast, label, mass=1 if label == "intramass" else None)

    for _ in range(OUTSIDE):
        if place := placer.draw_undisturbed(1.8, side=1, distance=3, nonmass_gap=None):
            placer.foci.append(draw(*place, "extramass"))
    for outline in [mass.outline for mass in scene.masses]:
        for _ in range(INSIDE):
            for _ in range(ATTEMPTS):
                x = outline.x + rng.uniform(-1, 1) * outline.half_width
                z = outline.z + rng.uniform(-1, 1) * outline.half_height
                if outline.distance(x, z) < -0.9 and placer.is_free(x, z, 2.0):
                    placer.foci.append(draw(x, z, "intramass"))
                    break
    return simulate(seed, settings, scene=scene.with_foci(*placer.foci))


def measured_diameters(phantom: Phantom) -> Iterator[tuple[TrueFocus, float]]:
    """Yield each focus with the diameter, mm, of the strongest candidate at it; NaN if none is."""
    views = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)
    found = [(view, find_candidates(view)) for view in views]
    for focus in phantom.truth.foci:
        diameter = float("nan")
        for view, candidates in found:
            distance = _distances(view, candidates.x, candidates.y, focus)
            near = np.flatnonzero(distance <= max(focus.diameter_mm / 2, REACH_MM))
            if near.size:
                diameter = float(candidates.diameter[near[0]] * view.grid.pixel_mm)
        yield focus, diameter


def _distances(
    view: View, x: NDArray[np.float64], y: NDArray[np.float64], focus: TrueFocus
) -> NDArray[np.float64]:
    """Return the distances (n,) of grid positions from a focus, mm."""
    true_x, true_y = view.grid.from_image(focus.x_px[0], focus.y_px[0])
    return np.asarray(np.hypot(x - true_x, y - true_y) * view.grid.pixel_mm)


def ratio_table(rows: Sequence[tuple[TrueFocus, float]]) -> str:
    """Return the Markdown table of measured over true diameter."""
    true = np.array([focus.diameter_mm for focus, _ in rows])
    contrast = np.array([focus.contrast_db for focus, _ in rows])
    ratio = np.array([diameter for _, diameter in rows]) / true
    found = np.isfinite(ratio)
    contrast_classes = list(pairwise(CONTRASTS_DB))
    lines = []
    limits = list(pairwise(DIAMETERS_MM))
    for low, high in [*limits, (DIAMETERS_MM[0], DIAMETERS_MM[-1])]:
        cells = [f"{low:g} to {high:g} mm"]
        for least, most in [*contrast_classes, (CONTRASTS_DB[0], CONTRASTS_DB[-1])]:
            chosen = found & (true >= low) & (true <= high)
            chosen &= (contrast >= least) & (contrast <= most)
            right = np.mean(abs(ratio[chosen] - 1) <= TOLERANCE)
            cells.append(f"{np.median(ratio[chosen]):.2f} ({right:.2f} of {chosen.sum()})")
        lines.append(cells)
    head = [f"{least:g} to {most:g} dB" for least, most in contrast_classes]
    return table(["true diameter", *head, "all"], lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--scenes", type=int, default=SCENES)
    options = parser.parse_args(arguments)
    seeds = range(options.first_seed, options.first_seed + options.scenes)
    print(ratio_table([row for seed in seeds for row in measured_diameters(sizes_phantom(seed))]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
