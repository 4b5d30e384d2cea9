"""Small simulated scans: realistic enough to be analysed, small enough for thousands of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usmicro.phantom import Phantom, PhantomSettings, simulate, write_dicom, write_png

SMALL = PhantomSettings(
    width=12.0,
    depth=12.0,
    spacing=0.12,
    fat=3.0,
    gland=6.0,
    ligaments=2,
    dashes=3,
    intramass=1,
    extramass=1,
    ducts=0,
    intraductal=0,
)
COLOUR = PhantomSettings(
    width=20.0,
    depth=20.0,
    spacing=0.1,
    fat=4.0,
    gland=8.0,
    colour=True,
    frames=3,
    twinkling=1.0,
    screen=True,
    ducts=0,
    intraductal=0,
)


def small(seed: int) -> Phantom:
    """Simulate a still image of about 100 x 100 pixels."""
    return simulate(seed, SMALL)


def colour_cine(seed: int) -> Phantom:
    """Simulate a colour Doppler cine of three frames."""
    return simulate(seed, COLOUR)


def write_small(folder: Path, count: int) -> None:
    """Write stills as PNG and DICOM in sub-folders, a colour cine, and a damaged file."""
    for number in range(count):
        path = folder / f"case{number % 3}" / f"scan{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 4 == 3:
            write_dicom(
                small(number),
                path.with_suffix(".dcm"),
                compression="rle" if number % 8 == 3 else "none",
            )
        else:
            write_png(small(number), path)
    write_dicom(colour_cine(1), folder / "case0" / "cine.dcm", compression="jpeg")
    (folder / "case1" / "broken.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + np.random.default_rng(0).bytes(200)
    )
