"""Measure twinkling on single Doppler frames: `python -m benchmarks.doppler.stills`.

It counts the frames on which a listed focus has the verdict "yes" or "possible": simulated small
vessels that alias, simulated strong twinkling, and the real Doppler frames of BUS-UCLM, which show
ordinary vessels. The last part needs `--data` (CONTRIBUTING.md). The simulated parts take about a
second for each frame.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from usmicro.analysis import analyze
from usmicro.foci.operating_point import listing_confidence
from usmicro.loading import load
from usmicro.model.findings import TwinklingVerdict
from usmicro.model.scan import Scan
from usmicro.phantom import FocusShape, Phantom, Scene, VesselShape, random_settings, simulate
from usmicro.phantom.random_scene import random_scene
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import ColourBox
from usmicro.phantom.settings import PhantomSettings
from usmicro.settings import Settings

FIRST_SEED = 50_000
"""Default first seed; the thresholds of a single frame were chosen on seeds from 60000 on."""
STEP_MM = 0.1
"""Distance of the points of a vessel, mm."""
RADII_MM = 0.15, 0.6
"""Range of the radius of a small vessel: it is one to three colour cells wide, mm."""
LENGTHS_MM = 0.4, 5.0
"""Range of the length of the visible part of a small vessel, mm."""
ALIASING = 0.4, 3.0
"""Range of the velocity on the axis as a multiple of the velocity limit."""
DIAMETERS_MM = 0.8, 2.5
"""Range of the diameter of a focus with strong twinkling, mm."""
CONTRASTS_DB = 12.0, 20.0
"""Range of the contrast of such a focus, dB."""


def small_vessels(
    rng: np.random.Generator, settings: PhantomSettings, box: ColourBox, centre: tuple[float, float]
) -> tuple[VesselShape, ...]:
    """Return up to eight curved, branching vessels in one or two groups around a position, mm."""
    vessels: list[VesselShape] = []
    for _ in range(int(rng.integers(1, 3))):
        x = float(np.clip(centre[0] + rng.normal(0, 5), box.first + 2, box.last - 2))
        z = float(np.clip(centre[1] + rng.normal(0, 4), box.top + 2, box.bottom - 2))
        for _ in range(int(rng.integers(1, 5))):
            steps = max(int(rng.uniform(*LENGTHS_MM) / STEP_MM), 4)
            angle = rng.uniform(0, 2 * math.pi) + rng.normal(0, 0.4) * STEP_MM * np.arange(steps)
            path = zip(
                (x + STEP_MM * np.cumsum(np.cos(angle))).tolist(),
                (z + STEP_MM * np.cumsum(np.sin(angle))).tolist(),
                strict=True,
            )
            points = tuple(path)
            speed = settings.velocity_limit * rng.uniform(*ALIASING)
            vessels.append(VesselShape(points, float(rng.uniform(*RADII_MM)), float(speed)))
            x, z = points[int(rng.integers(len(points)))]  # the next one branches off here
    return tuple(vessels)


def vessel_still(seed: int) -> Phantom:
    """Simulate one frame with small vessels at the edge of a mass, without twinkling."""
    rng, settings, scene, box = _scene_without_twinkling(seed)
    outline = scene.masses[0].outline if scene.masses else None
    angle = rng.uniform(0, 2 * math.pi)
    centre = (box.first + box.last) / 2, (box.top + box.bottom) / 2
    if outline is not None and rng.random() < 0.7:
        centre = (
            outline.x + outline.half_width * math.cos(angle),
            outline.z + outline.half_height * math.sin(angle),
        )
    vessels = small_vessels(rng, settings, box, centre)
    return simulate(seed, settings, scene=replace(scene, vessels=vessels), name=f"vessel-{seed}")


def twinkling_still(seed: int) -> Phantom:
    """Simulate one frame with strong twinkling of a bright focus in the colour box."""
    rng, settings, scene, box = _scene_without_twinkling(seed)
    focus = FocusShape(
        rng.uniform(box.first + 3, box.last - 3),
        rng.uniform(box.top + 2, (box.top + box.bottom) / 2),
        rng.uniform(*DIAMETERS_MM),
        rng.uniform(*CONTRASTS_DB),
        "extramass",
        twinkling=True,
    )
    scene = replace(scene, vessels=(), foci=(*scene.foci, focus))
    return simulate(seed, settings, scene=scene, name=f"twinkling-{seed}")


def _scene_without_twinkling(
    seed: int,
) -> tuple[np.random.Generator, PhantomSettings, Scene, ColourBox]:
    """Draw the anatomy and the display of one Doppler frame of a linear probe."""
    rng = np.random.default_rng((seed, 1))
    settings = replace(
        random_settings(seed, "vessel"), frames=1, geometry="linear", vessels=0, twinkling=0.0
    )
    scene = random_scene(rng, settings, Probe.of(settings))
    assert scene.box is not None
    return rng, settings, scene, scene.box


def scan_of(phantom: Phantom) -> Scan:
    """Return the scan of a phantom; every second one lacks declared regions, like a video."""
    scan = phantom.scan()
    return replace(scan, regions=()) if int(phantom.name.rsplit("-", 1)[1]) % 2 else scan


def real_frames(data: Path) -> Iterator[Scan]:
    """Yield the colour Doppler frames of BUS-UCLM in the folder of the labelled scans."""
    folder = data / "bus-uclm"
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["doppler"] == "yes":
                yield load(folder / "images" / row["image"])


def verdict_of(scan: Scan) -> TwinklingVerdict | None:
    """Return the strongest verdict of the listed foci of a frame; None without any."""
    settings = Settings()
    least = listing_confidence(settings.foci)
    verdicts = {
        focus.twinkling
        for focus in analyze(scan, settings=settings).foci
        if focus.confidence >= least
    }
    order: tuple[TwinklingVerdict, ...] = ("yes", "possible", "no", "not assessable")
    return next((verdict for verdict in order if verdict in verdicts), None)


def table_row(name: str, verdicts: Sequence[TwinklingVerdict | None]) -> str:
    """Return the row of one set of frames: the number of frames and the share of each verdict."""
    counts = Counter(verdicts)
    shares = [counts[verdict] / max(len(verdicts), 1) for verdict in ("yes", "possible")]
    return f"| {name} | {len(verdicts)} | " + " | ".join(f"{share:.3f}" for share in shares) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doppler.stills", description=__doc__
    )
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="simulated frames")
    parser.add_argument(
        "--first-seed", type=int, default=FIRST_SEED, metavar="N", help="seed of the first frame"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DATA", help="folder of the labelled scans, with bus-uclm"
    )
    options = parser.parse_args(arguments)
    print("| single frames | frames | yes | possible |\n|---|---|---|---|")
    seeds = range(options.first_seed, options.first_seed + options.frames)
    for name, make in (
        ("simulated small vessels", vessel_still),
        ("simulated strong twinkling", twinkling_still),
    ):
        print(table_row(name, [verdict_of(scan_of(make(seed))) for seed in seeds]), flush=True)
    if options.data is not None:
        verdicts = [verdict_of(scan) for scan in real_frames(options.data)]
        print(table_row("real vessels, BUS-UCLM", verdicts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
