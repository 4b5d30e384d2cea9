"""Measure coarse clumps on simulated and on normal scans: `python -m benchmarks.accuracy.clumps`.

Simulated scans have rims, popcorn shapes and irregular clumps of 2 to 4.5 mm. With DATA, the clumps
that are listed on the normal scans of BUSI and BUS-UCLM are counted, with mass networks that have
not seen these data sets. It takes 1 s per simulated scan and 0.3 s per normal scan.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import usmicro
from benchmarks.markdown import table
from usmicro.evaluation.datasets import (
    LabelledImage,
    held_out_network,
    read_bus_uclm,
    read_busi,
    read_held_out_networks,
)
from usmicro.model.findings import Focus
from usmicro.model.scan import Scan
from usmicro.phantom import simulate
from usmicro.phantom.random_foci import FORMS
from usmicro.phantom.sets import random_settings
from usmicro.phantom.simulation import Phantom
from usmicro.phantom.truth import TrueFocus
from usmicro.result import Analysis
from usmicro.settings import AnatomySettings, FociSettings, Settings

FIRST_SEED, SCENES = 61000, 60
"""First seed and number of the simulated scans; the rules were chosen on others."""
CLUMPS = 4
"""Number of clumps of a scan for which a place is looked for."""
TOLERANCE = 0.15
"""Largest relative error of a diameter that counts as right."""
HELD_OUT_NETWORKS = Path("training/networks")
"""Folder of the mass networks that have not seen one data set each."""


def clumps_phantom(seed: int) -> Phantom:
    """Return a simulated scan with coarse clumps in and outside a mass."""
    settings = random_settings(seed, "mixed")
    return simulate(
        seed,
        replace(
            settings,
            coarse_clumps=CLUMPS,
            masses=max(1, settings.masses),
            cysts=0.0,
            intramass=1,
            extramass=1,
            clusters=0,
            text=False,
            calipers=False,
        ),
    )


def foci_in_clumps(phantom: Phantom, analysis: Analysis) -> Iterator[tuple[TrueFocus, list[Focus]]]:
    """Yield each true clump with the listed foci within its radius of its centre."""
    for clump in phantom.truth.foci:
        if clump.form != "round":
            reach = clump.diameter_mm / 2 / phantom.settings.spacing
            yield (
                clump,
                [
                    focus
                    for focus in analysis.foci
                    if np.hypot(focus.x_px - clump.x_px[0], focus.y_px - clump.y_px[0]) < reach
                ],
            )


def simulated_table(seeds: Sequence[int]) -> str:
    """Return the Markdown table of clumps in simulated scans, by form and place."""
    found: list[tuple[str, str, list[Focus], TrueFocus, float]] = []
    for seed in seeds:
        phantom = clumps_phantom(seed)
        analysis = usmicro.analyze(phantom.scan())
        for clump, foci in foci_in_clumps(phantom, analysis):
            found.append((clump.form, clump.label, foci, clump, phantom.settings.spacing))
    lines = []
    for label in ("intramass", "extramass"):
        for form in FORMS:
            rows = [row for row in found if row[:2] == (form, label)]
            outlined = [
                (focus, clump, spacing)
                for _, _, foci, clump, spacing in rows
                for focus in foci
                if focus.outline_px is not None
            ]
            ratios = [
                (focus.diameter_px or 0) * spacing / clump.diameter_mm
                for focus, clump, spacing in outlined
            ]
            lines.append(
                [
                    f"{form}, {label}",
                    str(len(rows)),
                    _share([len(row[2]) > 0 for row in rows]),
                    _share([any(focus.outline_px for focus in row[2]) for row in rows]),
                    _share([len(row[2]) == 1 for row in rows if row[2]]),
                    f"{np.median(ratios):.2f}" if ratios else "",
                    _share([abs(ratio - 1) <= TOLERANCE for ratio in ratios]),
                ]
            )
    head = [
        "clumps",
        "of",
        "any focus",
        "outline",
        "one focus, of these",
        "diameter",
        "within 15 %",
    ]
    return table(head, lines)


def _share(facts: Sequence[bool]) -> str:
    return f"{np.mean(facts):.2f}" if facts else ""


def normal_table(data: Path) -> str:
    """Return the Markdown table of listed foci and clumps on normal scans."""
    networks = read_held_out_networks(HELD_OUT_NETWORKS)
    sets = {
        "BUSI": [image for image in read_busi(data) if image.mass_masks == ()],
        "BUS-UCLM": [
            image for image in read_bus_uclm(data) if image.mass_masks == () and not image.doppler
        ],
    }
    lines = []
    for name, images in sets.items():
        analyses = [_analysis(image, networks) for image in images]
        clumps = [sum(focus.outline_px is not None for focus in one.foci) for one in analyses]
        foci = np.mean([len(one.foci) for one in analyses])
        lines.append([name, str(len(images)), f"{foci:.2f}", f"{np.mean(clumps):.3f}"])
    return table(["normal scans", "of", "foci per scan", "clumps per scan"], lines)


def _analysis(image: LabelledImage, networks: dict[str, Path]) -> Analysis:
    """Analyse a scan with the mass network and the models of foci that have not seen its data."""
    source = image.source or image.dataset
    network = held_out_network(networks, source, image.path.stem)
    models = HELD_OUT_NETWORKS / f"foci-without-{source}"
    scan: Scan = usmicro.load(image.path)
    settings = Settings(
        anatomy=AnatomySettings(mass_network=str(network or "")),
        foci=FociSettings(models=str(models) if models.is_dir() else ""),
    )
    return usmicro.analyze(scan, settings=settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="folder of the data sets")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--scenes", type=int, default=SCENES)
    options = parser.parse_args(arguments)
    if options.scenes:
        print(simulated_table(range(options.first_seed, options.first_seed + options.scenes)))
    if options.data is not None:
        print(normal_table(options.data))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
