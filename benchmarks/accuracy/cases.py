"""Labelled scans: what the data folders hold, and simulated ones; one reader a layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from usmicro.errors import UsageError
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    ECHOGENIC_FOCI_MARKS,
    LabelledImage,
    Rectangle,
    read_breast_lesions_usg,
    read_bus_bra,
    read_echogenic_foci_marks,
    read_held_out_networks,
    read_label_image,
    targets_of_phantom,
)
from usmicro.evaluation.targets import Target
from usmicro.model.arrays import LabelImage
from usmicro.model.findings import PosteriorFeature
from usmicro.model.scan import Scan, Spacing
from usmicro.phantom import phantom_set
from usmicro.phantom.sets import SetKind

TRAINED_ON = (BUS_BRA, BREAST_LESIONS_USG)
"""Sets that the mass model learns from."""
CLIPS: tuple[SetKind, ...] = ("twinkling", "vessel", "flash", "noise")
"""Sets of colour Doppler clips, each of which takes as long as twenty images."""
FIRST_SEED = 10_000
"""Phantoms of the benchmark have seeds from here on, which nothing is built or tuned with."""


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
    networks = read_held_out_networks(folder)
    kept = []
    for case in cases:
        network = None if case.path is None else networks.get(case.path.stem)
        if network is not None:
            kept.append(replace(case, mass_network=network))
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
            masses=truth.mass_labels, targets=targets_of_phantom(phantom), ducts=truth.duct_labels
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
        None
        if case.outlines is None
        else read_label_image(case.outlines, (scan.rows, scan.columns))
    )
    return scan, Truth(masses=masses, targets=case.targets)


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
    """BrEaST-Lesions-USG: outlines, calcification, posterior features, pixel size."""
    return [_case_of(image) for image in read_breast_lesions_usg(data)]


def bus_bra(data: Path) -> list[Case]:
    """BUS-BRA: outlines; no pixel size."""
    return [_case_of(image) for image in read_bus_bra(data)]


def echogenic_foci_marks(data: Path) -> list[Case]:
    """Foci that both readers marked are targets; other marks are ignored."""
    images = sorted(read_echogenic_foci_marks(data), key=lambda image: image.name)
    return [_case_of(image) for image in images]


def _case_of(image: LabelledImage) -> Case:
    return Case(
        dataset=image.dataset,
        name=image.name,
        path=image.path,
        spacing=image.spacing,
        outlines=image.mass_masks,
        other_outlines=image.other_masks,
        targets=image.foci,
        ignored=image.uncertain_foci,
        calcification=image.calcification,
        posterior=image.posterior,
    )


READERS: dict[str, Callable[[Path], list[Case]]] = {
    BREAST_LESIONS_USG: breast_lesions_usg,
    BUS_BRA: bus_bra,
    ECHOGENIC_FOCI_MARKS: echogenic_foci_marks,
}


def phantom_cases(count: int, clips: int | None = None) -> list[Case]:
    """So many simulated scans of each set, and so many clips of each set of colour clips: a quarter as many if not given."""
    clips = -(-count // 4) if clips is None else clips
    return [
        Case(dataset=f"phantom {kind}", name=f"{kind}-{seed}", phantom=(kind, seed))
        for kind in get_args(SetKind)
        for seed in range(FIRST_SEED, FIRST_SEED + (clips if kind in CLIPS else count))
    ]
