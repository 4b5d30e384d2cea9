"""Labelled scans: what the data folders hold, and simulated ones; one reader a layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np

from usmicro.errors import UsageError
from usmicro.evaluation.targets import Target
from usmicro.model.arrays import LabelImage
from usmicro.model.findings import PosteriorFeature
from usmicro.model.scan import Scan, Spacing
from usmicro.phantom import Phantom, phantom_set
from usmicro.phantom.sets import SetKind

TRAINED_ON = ("bus-bra", "breast-lesions-usg")
"""Sets that the mass model learns from."""
CLIPS: tuple[SetKind, ...] = ("twinkling", "vessel", "flash", "noise")
"""Sets of colour Doppler clips, each of which takes as long as twenty images."""
FIRST_SEED = 10_000
"""Phantoms of the benchmark have seeds from here on, which nothing is built or tuned with."""


Rectangle = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two one past the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One labelled scan; it is read, or simulated, where it is analysed."""

    dataset: str
    name: str
    path: Path | None = None
    phantom: tuple[SetKind, int] | None = None
    """Set and seed of a simulated scan."""
    spacing: Spacing = field(default_factory=Spacing)
    outlines: tuple[Path, ...] | None = None
    """One mask a mass, none where there is no mass; None where masses are not outlined."""
    other_outlines: tuple[Path, ...] = ()
    """Masks of findings that are no mass."""
    part: Rectangle | None = None
    """The part of the scan that is analysed as an image of its own; None: all of it."""
    targets: tuple[Target, ...] | None = None
    """Foci; None where they are not marked. Those of a phantom come with its scan."""
    ignored: tuple[Target, ...] = ()
    """Marks that are neither hit nor false."""
    calcification: str | None = None
    """none, in a mass, intraductal; None where not assessed."""
    posterior: PosteriorFeature | None = None
    mass_network: Path | None = None
    """A mass model that has not seen the patient; None: the shipped one."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of a case once it is open."""

    masses: LabelImage | None
    """At the size of the image: 0 none, 1 to n the masses."""
    targets: tuple[Target, ...] | None
    ducts: LabelImage | None = None
    """Likewise, the ducts."""


def with_unseen_networks(cases: Sequence[Case], folder: Path) -> list[Case]:
    """The cases that a mass model of `folder` has not seen, each with that model, and those of sets that none was trained on.

    Raises
    ------
    UsageError
        If the folder has no unseen.json, which `python -m training.masses` writes.
    """
    file = folder / "unseen.json"
    if not file.is_file():
        raise UsageError(
            f"{file}: no such file; expected the folder in which python -m training.masses left its networks"
        )
    networks = json.loads(file.read_text(encoding="utf-8"))
    kept = []
    for case in cases:
        name = None if case.path is None else networks.get(case.path.stem)
        if name is not None:
            kept.append(replace(case, mass_network=folder / name))
        elif case.dataset not in TRAINED_ON:
            kept.append(case)
    return kept


def open_case(case: Case) -> tuple[Scan, Truth]:
    """Read or simulate the scan of a case, with what is known of it."""
    if case.phantom is not None:
        kind, seed = case.phantom
        phantom = next(phantom_set(kind, [seed]))
        truth = phantom.truth
        return phantom.scan(), Truth(
            masses=truth.mass_labels, targets=_phantom_targets(phantom), ducts=truth.duct_labels
        )
    from usmicro.loading import load

    assert case.path is not None, f"{case.name} has neither a path nor a phantom"
    scan = load(case.path, spacing=case.spacing if case.spacing.known else None)
    if case.part is not None:
        left, top, right, bottom = case.part
        scan = Scan.of_array(
            next(scan.frames())[top:bottom, left:right], spacing=scan.spacing, name=scan.name
        )
    masses = (
        None if case.outlines is None else read_outlines(case.outlines, (scan.rows, scan.columns))
    )
    return scan, Truth(masses=masses, targets=case.targets)


def read_outlines(paths: Sequence[Path], shape: tuple[int, int]) -> LabelImage:
    """Masks as one label image, numbered in the order of the files."""
    labels = np.zeros(shape, np.int32)
    for number, path in enumerate(paths, start=1):
        mask = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if mask is None or mask.shape[:2] != shape:
            found = (
                "nothing that can be read"
                if mask is None
                else f"a mask of {mask.shape[0]} x {mask.shape[1]} pixels"
            )
            raise UsageError(
                f"{path}: expected a mask of {shape[0]} x {shape[1]} pixels, found {found}"
            )
        labels[mask.max(axis=2) > 127] = number
    return labels


def find_cases(data: Path) -> list[Case]:
    """All cases of the data sets that lie below a folder, or of the one that it is.

    Raises
    ------
    UsageError
        If it holds none of the layouts.
    """
    names = [name for name in READERS if (data / name).is_dir()]
    if not names and data.is_dir() and data.resolve().name in READERS:
        data, names = data.resolve().parent, [data.resolve().name]
    cases = [case for name in names for case in READERS[name](data)]
    if not cases:
        raise UsageError(
            f"{data}: expected a folder with one of {', '.join(READERS)}; found none of them"
        )
    return cases


def breast_lesions_usg(data: Path) -> list[Case]:
    """BrEaST-Lesions-USG: outlines, calcification, posterior features, pixel size.

    "not applicable" (no lesion) and "indefinable" are taken as not assessed.
    """
    folder = data / "breast-lesions-usg"
    calcification = {"no": "none", "in a mass": "in a mass", "intraductal": "intraductal"}
    posterior: dict[str, PosteriorFeature] = {
        "no": "none",
        "shadowing": "shadowing",
        "enhancement": "enhancement",
        "combined": "combined",
    }
    return [
        Case(
            dataset="breast-lesions-usg",
            name=row["Image_filename"],
            path=folder / "images" / row["Image_filename"],
            spacing=_spacing(row),
            outlines=tuple(
                sorted((folder / "masks").glob(f"{Path(row['Image_filename']).stem}_tumor*.png"))
            ),
            other_outlines=tuple(
                sorted((folder / "masks").glob(f"{Path(row['Image_filename']).stem}_other*.png"))
            ),
            calcification=calcification.get(row["Calcifications"]),
            posterior=posterior.get(row["Posterior_features"]),
        )
        for row in _table(folder / "cases.csv")
        if (folder / "images" / row["Image_filename"]).is_file()
    ]


def bus_bra(data: Path) -> list[Case]:
    """BUS-BRA: outlines; no pixel size."""
    folder = data / "bus-bra"
    cases = []
    for path in sorted((folder / "images").iterdir()):
        mask = folder / "masks" / f"mask_{path.stem.removeprefix('bus_')}.png"
        if mask.is_file():
            cases.append(Case(dataset="bus-bra", name=path.name, path=path, outlines=(mask,)))
    return cases


def echogenic_foci_marks(data: Path) -> list[Case]:
    """Foci that both readers marked are targets; other marks are ignored.

    Pixel size and outlines where BrEaST gives them; a normal image of BUSI has no mass.
    """
    known = (
        {case.name: case for case in breast_lesions_usg(data)}
        if (data / "breast-lesions-usg" / "cases.csv").is_file()
        else {}
    )
    cases = []
    for name, marks in sorted(
        json.loads(
            (data / "echogenic-foci-marks" / "marks.json").read_text(encoding="utf-8")
        ).items()
    ):
        path = data / marks["path"]
        if path.is_file():
            other = known.get(path.name)
            normal = path.name.startswith("busi_normal_")
            cases.append(
                Case(
                    dataset="echogenic-foci-marks",
                    name=name,
                    path=path,
                    spacing=other.spacing if other else Spacing(),
                    outlines=other.outlines if other else () if normal else None,
                    targets=_marks(marks["both"]),
                    ignored=_marks(marks["one"]),
                )
            )
    return cases


READERS: dict[str, Callable[[Path], list[Case]]] = {
    "breast-lesions-usg": breast_lesions_usg,
    "bus-bra": bus_bra,
    "echogenic-foci-marks": echogenic_foci_marks,
}


def phantom_cases(count: int, clips: int | None = None) -> list[Case]:
    """So many simulated scans of each set, and so many clips of each set of colour clips: a quarter as many if not given."""
    clips = -(-count // 4) if clips is None else clips
    return [
        Case(dataset=f"phantom {kind}", name=f"{kind}-{seed}", phantom=(kind, seed))
        for kind in get_args(SetKind)
        for seed in range(FIRST_SEED, FIRST_SEED + (clips if kind in CLIPS else count))
    ]


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _spacing(row: dict[str, str]) -> Spacing:
    """Pixel size, which the table has in cm."""
    mm = float(row["Pixel_size"]) * 10
    return Spacing(mm, mm, "given")


def _marks(marks: Sequence[dict[str, Any]]) -> tuple[Target, ...]:
    return tuple(Target(x=(mark["x"],), y=(mark["y"],), diameter=mark["d"]) for mark in marks)


def _phantom_targets(phantom: Phantom) -> tuple[Target, ...]:
    mm = phantom.settings.spacing
    return tuple(
        Target(
            x=tuple(focus.x_px),
            y=tuple(focus.y_px),
            diameter=focus.diameter_mm / mm,
            contrast_db=focus.contrast_db,
            label=focus.label,
            shadow=focus.shadow,
            twinkling=focus.twinkling if phantom.settings.colour else None,
        )
        for focus in phantom.truth.foci
    )
