"""Prepare all scans that the networks learn from, once, as small pictures.

Run
    python -m training.pictures DATA WORK
Needs
    DATA with the folders `bus-bra`, `breast-lesions-usg`, `busi` and `bus-uclm`. The other scans
    are simulated.
Takes
    About 6 minutes on two cores.
Writes
    WORK/*.pickle, one file per part of the scans, 1.2 GB in all. A part whose file exists is
    not prepared again, so a run that was stopped continues where it was.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.outlines import (
    OutlinedScan,
    real_scans,
    simulated_scans,
)
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    FOLDS,
    read_breast_lesions_usg,
    read_bus_bra,
    read_bus_uclm,
    read_busi,
)
from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.view import Grid, ScanLines, View

LONGEST_SIDE = 320
"""Longest side of a picture in pixels.

The largest network sees `usmicro.anatomy.masses.SIZE` pixels, so this leaves room to zoom in.
"""

SPECKLE_MM = (0.5, 0.25)
"""Speckle size across and along the beam in mm that a picture is assumed to have.

Chosen by eye on the development scans; no measurement is recorded. The networks do not use it.
"""

ScanReader = Callable[[Path], Iterator[OutlinedScan]]
"""Yields the scans of one part, given the folder DATA."""


def _simulated(data: Path, seeds: Iterable[int], **changes: Any) -> Iterator[OutlinedScan]:
    return simulated_scans(seeds, **changes)


def _block(first: int, size: int, number: int) -> range:
    """Return the seeds of one of several blocks of `size` scans."""
    return range(first + size * number, first + size * (number + 1))


PARTS: dict[str, ScanReader] = {
    **{f"{BUS_BRA}-{fold}": partial(real_scans, read_bus_bra, folds=[fold]) for fold in FOLDS},
    BREAST_LESIONS_USG: partial(real_scans, read_breast_lesions_usg),
    BUSI: partial(real_scans, read_busi),
    BUS_UCLM: partial(real_scans, read_bus_uclm),
    **{
        f"phantom-{number}": partial(_simulated, seeds=_block(700_000, 60, number))
        for number in range(5)
    },
    **{
        f"phantom-ducts-{number}": partial(
            _simulated, seeds=_block(710_000, 60, number), ducts=3, intraductal=4
        )
        for number in range(3)
    },
    "phantom-speckle": partial(_simulated, seeds=range(720_000, 720_030), kind="speckle"),
}
"""File name, without suffix, and scans of each part that the mass and duct networks learn from."""

NONMASS_PARTS: dict[str, ScanReader] = {
    f"phantom-nonmass-{number}": partial(_simulated, seeds=_block(730_000, 75, number), nonmass=2)
    for number in range(3)
}
"""Further parts, from which only the nonmass network learns."""


@dataclass(frozen=True)
class Picture:
    """A scan, reduced in size. All images have the same shape (rows, columns)."""

    image: str
    """Name of the image without suffix."""
    source: str
    """Name of the data set, or "phantom"."""
    fold: int
    """Cross-validation fold, 1 to 5. All scans of a patient are in the same fold."""
    pixel_mm: float
    """Pixel size in mm; estimated where the spacing is unknown."""
    grey: ByteImage
    tissue: BoolImage
    outline: BoolImage
    """Union of the masses."""
    ducts: BoolImage
    """Lumen and wall of the ducts; empty where they are not known."""
    nonmass: BoolImage | None = None
    """Nonmass areas; None where they are not known."""


def reduced(scan: OutlinedScan) -> Picture:
    """Return the scan with its longest side at most `LONGEST_SIDE` pixels."""
    rows, columns = scan.view.shape
    factor = min(LONGEST_SIDE / max(rows, columns), 1.0)
    size = (round(columns * factor), round(rows * factor))

    def reduce_mask(mask: BoolImage) -> BoolImage:
        levels = mask.astype(np.uint8) * 255
        return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA) > 127)

    grey = np.clip(np.rint(scan.view.grey), 0, 255).astype(np.uint8)
    no_ducts = np.zeros(scan.view.shape, np.bool_)
    return Picture(
        image=scan.image,
        source=scan.source,
        fold=scan.fold,
        pixel_mm=scan.view.grid.pixel_mm * columns / size[0],
        grey=cv2.resize(grey, size, interpolation=cv2.INTER_AREA),
        tissue=reduce_mask(scan.view.tissue),
        outline=reduce_mask(scan.outline),
        ducts=reduce_mask(no_ducts if scan.ducts is None else scan.ducts),
        nonmass=None if scan.nonmass is None else reduce_mask(scan.nonmass),
    )


def _write_part(name: str, data: Path, work: Path) -> str:
    cv2.setNumThreads(1)
    file = work / f"{name}.pickle"
    if not file.exists():
        pictures = [reduced(scan) for scan in (PARTS | NONMASS_PARTS)[name](data)]
        unfinished = file.with_suffix(".part")
        unfinished.write_bytes(pickle.dumps(pictures))
        unfinished.rename(file)
    return name


def view_of(picture: Picture) -> View:
    """Return a picture as a view of a linear probe whose scan lines are straight down.

    The speckle size, which is not measured on pictures, is set to `SPECKLE_MM`.
    """
    first_row = float(picture.tissue.any(axis=1).argmax())
    scan_lines = ScanLines("linear", first_row, middle_x=picture.grey.shape[1] / 2)
    nothing = np.zeros(picture.grey.shape, np.bool_)
    across, along = SPECKLE_MM
    return View(
        picture.grey.astype(np.float32),
        picture.tissue,
        nothing,
        Grid(0, 0, 1, 1, picture.pixel_mm),
        scan_lines,
        (across / picture.pixel_mm, along / picture.pixel_mm),
    )


def read_pictures(work: Path, parts: Iterable[str] = PARTS) -> list[Picture]:
    """Read the pictures of some parts that this program has written."""
    return [
        picture
        for name in parts
        for picture in pickle.loads((work / f"{name}.pickle").read_bytes())
    ]


def main() -> None:
    """Prepare the parts whose files do not exist."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the four data sets")
    parser.add_argument("work", type=Path, help="folder for the prepared pictures, 1.2 GB")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    write_part = partial(_write_part, data=options.data, work=options.work)
    with ProcessPoolExecutor() as pool:
        for name in pool.map(write_part, PARTS | NONMASS_PARTS):
            print(name, flush=True)


if __name__ == "__main__":
    # run as an imported module, so that the pickles name `training.pictures.Picture`
    from training import pictures

    pictures.main()
