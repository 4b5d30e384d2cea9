"""Every scan to learn from, prepared once and kept small: `python -m training.pictures DATA WORK` fills the folder WORK."""

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

from training.outlines import FOLDS, Outlined, phantoms, read_breast_lesions, read_bus_bra
from usmicro.model.arrays import BoolImage, ByteImage


def _phantoms(data: Path, seeds: Iterable[int], **changes: Any) -> Iterator[Outlined]:
    return phantoms(seeds, **changes)


LARGEST = 320
"""Longest side of a kept picture, pixels."""
PARTS: dict[str, Callable[[Path], Iterator[Outlined]]] = {
    **{f"bus-bra-{fold}": partial(read_bus_bra, folds=[fold]) for fold in FOLDS},
    "breast-lesions-usg": read_breast_lesions,
    **{
        f"phantom-{i}": partial(_phantoms, seeds=range(700_000 + 60 * i, 700_060 + 60 * i))
        for i in range(5)
    },
    **{
        f"phantom-ducts-{i}": partial(
            _phantoms, seeds=range(710_000 + 60 * i, 710_060 + 60 * i), ducts=3, intraductal=4
        )
        for i in range(3)
    },
    "phantom-speckle": partial(_phantoms, seeds=range(720_000, 720_030), kind="speckle"),
}
"""One file each: what fills it."""
NONMASS_PARTS: dict[str, Callable[[Path], Iterator[Outlined]]] = {
    f"phantom-nonmass-{i}": partial(
        _phantoms, seeds=range(730_000 + 75 * i, 730_075 + 75 * i), nonmass=2
    )
    for i in range(3)
}
"""Only for the nonmass areas."""


@dataclass(frozen=True)
class Picture:
    """A scan made small."""

    image: str
    source: str
    fold: int
    """1 to 5; all scans of a patient are in one fold."""
    pixel_mm: float
    """Estimated where the spacing is unknown."""
    grey: ByteImage
    tissue: BoolImage
    outline: BoolImage
    """Union of the masses."""
    ducts: BoolImage
    """Lumen and wall of the ducts; empty where they are not known."""
    nonmass: BoolImage | None = None
    """Nonmass areas; None where they are not known."""


def small(scan: Outlined) -> Picture:
    """The scan with its longest side at most `LARGEST` pixels."""
    rows, columns = scan.view.shape
    factor = min(LARGEST / max(rows, columns), 1.0)
    size = (round(columns * factor), round(rows * factor))

    def mask(image: BoolImage) -> BoolImage:
        return np.asarray(
            cv2.resize(image.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 127
        )

    grey = cv2.resize(
        np.clip(np.rint(scan.view.grey), 0, 255).astype(np.uint8),
        size,
        interpolation=cv2.INTER_AREA,
    )
    ducts = np.zeros(scan.view.shape, np.bool_) if scan.ducts is None else scan.ducts
    pixel_mm = scan.view.grid.pixel_mm * columns / size[0]
    nonmass = None if scan.nonmass is None else mask(scan.nonmass)
    return Picture(
        scan.image,
        scan.source,
        scan.fold,
        pixel_mm,
        grey,
        mask(scan.view.tissue),
        mask(scan.outline),
        mask(ducts),
        nonmass,
    )


def _fill(name: str, data: Path, work: Path) -> str:
    cv2.setNumThreads(1)
    file = work / f"{name}.pickle"
    if not file.exists():
        pictures = [small(scan) for scan in (PARTS | NONMASS_PARTS)[name](data)]
        partial_file = file.with_suffix(".part")
        partial_file.write_bytes(pickle.dumps(pictures))
        partial_file.rename(file)
    return name


def read_pictures(work: Path, parts: Iterable[str] = PARTS) -> list[Picture]:
    """The pictures of a filled folder."""
    return [
        picture
        for name in parts
        for picture in pickle.loads((work / f"{name}.pickle").read_bytes())
    ]


def main() -> None:
    """Fill the folder; what is there already is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with bus-bra and breast-lesions-usg")
    parser.add_argument("work", type=Path, help="folder for the prepared pictures, some 500 MB")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        for name in pool.map(
            partial(_fill, data=options.data, work=options.work), PARTS | NONMASS_PARTS
        ):
            print(name, flush=True)


if __name__ == "__main__":
    # pictures are of the class of the module that is imported, so that any program can read them
    from training import pictures

    pictures.main()
