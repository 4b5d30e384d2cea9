"""How often the warnings "is it a breast scan?" are right.

Run
    python -m benchmarks.accuracy.plausibility [DATA]
Needs
    For the breast scans a folder DATA with `breast-lesions-usg`, `bus-bra`, `busi` and `bus-uclm`;
    for the others the pictures that scikit-image and pydicom install.
Takes
    About 4 minutes on one core with DATA, half a minute without.
Writes
    Nothing. It prints the table of docs/accuracy.md.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from usmicro.errors import UsmicroError
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, read_breast_lesions_usg
from usmicro.loading import load
from usmicro.model.arrays import Frame
from usmicro.model.scan import Region, Spacing
from usmicro.model.warnings import WarningCode
from usmicro.phantom import PhantomSettings, phantom_set, simulate
from usmicro.preparation import prepare

CODES = (WarningCode.WIDE_SECTOR, WarningCode.DEEP_FIELD, WarningCode.UNUSUAL_TEXTURE)
"""The warnings that are counted."""

SIMULATED = 40
"""Number of simulated breasts."""

SECTORS = [(degrees, depth) for degrees in (65, 75, 90) for depth in (70.0, 90.0, 120.0)]
"""Opening angle in degrees and depth in mm of the simulated cardiac and abdominal scans."""

Picture = tuple[Frame, Spacing, tuple[Region, ...]]


def breast_scans(data: Path, dataset: str) -> Iterator[Picture]:
    """Yield the images of a data set, with their spacing if the data set gives it."""
    spacings = {}
    if dataset == BREAST_LESIONS_USG:
        spacings = {image.name: image.spacing for image in read_breast_lesions_usg(data)}
    for path in sorted((data / dataset / "images").iterdir()):
        yield next(load(path).frames()), spacings.get(path.name, Spacing()), ()


def photographs() -> Iterator[Picture]:
    """Yield the pictures of scikit-image: whole, in halves, dim, blurred and with noise."""
    random = np.random.default_rng(0)
    for path in sorted(Path(skimage.data.__file__).parent.glob("*")):
        image = cv2.imread(str(path)) if path.suffix in (".png", ".jpg") else None
        if image is None or min(image.shape[:2]) < 60:
            continue
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        rows, columns = grey.shape
        versions = [
            np.ascontiguousarray(image[..., ::-1]),
            grey[: rows // 2],
            grey[:, columns // 2 :],
            cv2.convertScaleAbs(grey, alpha=0.5),
            cv2.GaussianBlur(grey, (0, 0), 2),
            np.clip(0.6 * grey + random.normal(0, 12, grey.shape), 0, 255),
        ]
        for version in versions:
            yield version.astype(np.uint8), Spacing(), ()


def noise() -> Iterator[Picture]:
    """Yield white and blurred noise at several levels, a gradient and stripes."""
    random = np.random.default_rng(1)
    for blur in (0, 1, 2, 4):
        field = random.normal(size=(500, 600))
        field = cv2.GaussianBlur(field, (0, 0), blur) if blur else field
        for mean, spread in ((40, 20), (80, 30), (128, 50)):
            levels = np.clip(mean + spread * field / field.std(), 0, 255)
            yield levels.astype(np.uint8), Spacing(), ()
    column = np.arange(640)
    for line in (column / 640 * 255, 128 + 80 * np.sin(column / 9)):
        levels = np.clip(line + random.normal(0, 3, (480, 640)), 0, 255)
        yield levels.astype(np.uint8), Spacing(), ()


def ct_and_mr() -> Iterator[Picture]:
    """Yield the CT and MR slices among the test files of pydicom, with a usual window."""
    import pydicom
    from pydicom.data import get_testdata_files

    for name in sorted(get_testdata_files("*.dcm")):
        try:
            dataset = pydicom.dcmread(name, force=True)
            if dataset.get("Modality") not in ("CT", "MR"):
                continue
            levels = np.asarray(dataset.pixel_array, dtype=float)
        except Exception:  # many of the files are damaged on purpose
            continue
        if levels.ndim != 2 or min(levels.shape) < 60:
            continue
        low, high = np.percentile(levels, (1, 99.5))
        yield (
            np.clip((levels - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8),
            Spacing(),
            (),
        )


def wide_sectors() -> Iterator[Picture]:
    """Yield simulated scans of cardiac and abdominal probes."""
    for degrees, depth in SECTORS:
        radius = 50.0 if degrees < 70 else 12.0
        settings = PhantomSettings(
            geometry="sector",
            radius=radius,
            width=float(np.radians(degrees)) * radius,
            depth=depth,
            spacing=0.25,
        )
        phantom = simulate(1, settings)
        yield next(phantom.scan().frames()), phantom.spacing, phantom.regions


def simulated_breasts() -> Iterator[Picture]:
    """Yield simulated breasts of linear probes and narrow sectors."""
    for phantom in phantom_set("mixed", range(SIMULATED)):
        yield next(phantom.scan().frames()), phantom.spacing, phantom.regions


def main() -> None:
    """Print how many pictures of each kind get each warning."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    arguments = parser.parse_args()
    groups = {
        "photographs, drawings, pages": photographs(),
        "noise and patterns": noise(),
        "CT and MR": ct_and_mr(),
        "simulated cardiac and abdominal scans": wide_sectors(),
        "simulated breasts": simulated_breasts(),
    }
    if arguments.data is not None:
        for dataset in (BREAST_LESIONS_USG, "bus-bra", "busi", "bus-uclm"):
            groups[dataset] = breast_scans(arguments.data, dataset)
    titles = ("pictures", "no tissue", *CODES, "any warning")
    print(f"| {'group':38} | " + " | ".join(titles) + " |")
    print("|" + "---|" * (len(titles) + 1))
    for group, pictures in groups.items():
        counts: Counter[str] = Counter()
        for frame, spacing, regions in pictures:
            counts["pictures"] += 1
            try:
                views = prepare(frame, spacing=spacing, regions=regions)
            except UsmicroError:
                counts["no tissue"] += 1
                continue
            found = {warning.code for view in views for warning in view.warnings} & set(CODES)
            counts.update(found)
            counts["any warning"] += bool(found)
        print(f"| {group:38} | " + " | ".join(str(counts[title]) for title in titles) + " |")


if __name__ == "__main__":
    main()
