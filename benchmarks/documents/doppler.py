"""A vessel and twinkling side by side: `python -m benchmarks.documents.doppler docs/images`.

It writes one picture of two simulated Doppler frames, and prints the evidence at the ringed places
as a table for docs/method.md. It takes a few seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.documents.steps import encode
from benchmarks.doppler.stills import twinkling_still, vessel_still
from usmicro.doppler.colour_evidence import ColourEvidence, Colours
from usmicro.doppler.patches import colour_patch_heads
from usmicro.doppler.twinkling import assess_twinkling, coherence
from usmicro.model.arrays import ByteImage
from usmicro.model.view import View
from usmicro.phantom import Phantom
from usmicro.preparation import prepare
from usmicro.settings import TwinklingSettings
from usmicro.writing import write_atomically

VESSEL_SEED, TWINKLING_SEED = 60_018, 60_000
"""Seeds of the two frames, of those on which the thresholds were chosen."""
SIDE_MM, SIDE_PX = 12.0, 320
"""Edge of each half of the picture, mm of tissue and pixels."""
NAME = "doppler-vessel-and-twinkling.png"


def strongest(phantom: Phantom) -> tuple[View, float, float, ColourEvidence]:
    """Return the view, and the head of a colour patch with the most colour cells that fill it."""
    view = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)[0]
    colours = Colours(view, TwinklingSettings())
    found = [
        (x, y, colours.at(x, y, view.grid.pixels(0.5)))
        for x, y in zip(*colour_patch_heads(view, TwinklingSettings()), strict=True)
    ]
    x, y, evidence = max(found, key=lambda item: (item[2].patch_cells or 0) * item[2].zone_fraction)
    return view, float(x), float(y), evidence


def crop(phantom: Phantom, view: View, x: float, y: float) -> ByteImage:
    """Return the surroundings of a grid position, with a ring around it."""
    column, row = (float(at) for at in view.grid.to_image(x, y))
    scale = SIDE_PX / (SIDE_MM / phantom.settings.spacing)
    moved = np.array(
        [[scale, 0, SIDE_PX / 2 - scale * column], [0, scale, SIDE_PX / 3 - scale * row]]
    )
    picture = cv2.warpAffine(phantom.frames[0], moved, (SIDE_PX, SIDE_PX))
    cv2.circle(picture, (SIDE_PX // 2, SIDE_PX // 3), 16, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def table_row(name: str, evidence: ColourEvidence) -> str:
    """Return the evidence at one place as a row of a table."""
    cells = evidence.patch_cells or 0.0
    together = coherence([evidence])
    values = (
        f"{cells:.0f}",
        f"{evidence.zone_fraction:.2f}",
        f"{cells * evidence.zone_fraction**2:.1f}",
        "" if together is None else f"{together:.2f}",
        f"{assess_twinkling([evidence]).score or 0:.2f}",
    )
    return f"| {name} | {' | '.join(values)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the picture and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.documents.doppler", description=__doc__
    )
    parser.add_argument("out", type=Path, metavar="DIR", help=f"folder for {NAME}")
    options = parser.parse_args(arguments)
    halves = []
    print("| place | colour cells | filled | filled cells | coherence | score |")
    print("|---|---|---|---|---|---|")
    for name, phantom in (
        ("simulated vessel (left)", vessel_still(VESSEL_SEED)),
        ("simulated twinkling (right)", twinkling_still(TWINKLING_SEED)),
    ):
        view, x, y, evidence = strongest(phantom)
        halves.append(crop(phantom, view, x, y))
        print(table_row(name, evidence))
    write_atomically(options.out / NAME, encode(np.hstack(halves)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
