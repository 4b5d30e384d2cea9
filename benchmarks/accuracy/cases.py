"""Cases of the benchmark: labelled scans of public data sets, and simulated scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from usmicro.errors import UsageError
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    ECHOGENIC_FOCI_MARKS,
    VISUAL_READINGS,
    LabelledImage,
    Rectangle,
    held_out_network,
    read_breast_lesions_usg,
    read_bus_bra,
    read_bus_uclm,
    read_busi,
    read_echogenic_foci_marks,
    read_held_out_networks,
    read_label_image,
    read_visual_readings,
    targets_of_phantom,
)
from usmicro.evaluation.measures import PRESENT
from usmicro.evaluation.targets import Target
from usmicro.model.arrays import LabelImage
from usmicro.model.findings import PosteriorFeature
from usmicro.model.scan import Scan, Spacing
from usmicro.phantom import phantom_set
from usmicro.phantom.sets import SetKind

TRAINED_ON = (BUS_BRA, BREAST_LESIONS_USG, BUSI, BUS_UCLM)
"""Data sets on which the mass network is trained."""

CLIP_KINDS: tuple[SetKind, ...] = ("twinkling", "vessel", "flash", "noise")
"""Sets of simulated colour Doppler clips."""

CLIP_FRACTION = 4
"""By default there are this many times fewer colour clips than images of each set.

A clip takes as long as twenty images; see docs/accuracy.md.
"""

FIRST_SEED = 10_000
"""First seed of the simulated scans. Seeds from here on are used neither to fit nor to tune."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One labelled scan. The worker process that analyses it reads or simulates it."""

    dataset: str
    """Name of the data set in the tables."""
    name: str
    path: Path | None = None
    """File of the scan; None for a simulated scan."""
    source: str | None = None
    """Data set from which the image comes; None if that is `dataset` itself."""
    phantom: tuple[SetKind, int] | None = None
    """Set and seed of a simulated scan."""
    spacing: Spacing = field(default_factory=Spacing)
    """Pixel size; unknown if the data set does not give it."""
    outlines: tuple[Path, ...] | None = None
    """One mask file per mass, empty if there is no mass; None if masses are not outlined."""
    other_outlines: tuple[Path, ...] = ()
    """Mask files of findings that are not masses."""
    part: Rectangle | None = None
    """Part of the scan that is analysed as an image of its own; None for the whole scan."""
    targets: tuple[Target, ...] | None = None
    """True foci; None if they are not marked. Those of a simulated scan are in its `Truth`."""
    ignored: tuple[Target, ...] = ()
    """Marks on which a detection is neither a hit nor a false positive."""
    lesion_boxes: tuple[Rectangle, ...] | None = None
    """Boxes around the lesions that both readers saw; None if boxes are not drawn."""
    ignored_boxes: tuple[Rectangle, ...] = ()
    """Boxes on which a mass is neither a hit nor a false positive."""
    calcification: str | None = None
    """Descriptor: "none", "in a mass", "intraductal", or "present" if the place is not labelled;
    None if not assessed."""
    posterior: PosteriorFeature | None = None
    """Posterior feature of the lesion; None if not assessed."""
    mass_network: Path | None = None
    """Mass network that was not trained on the patient; None for that of the package."""
    focus_models: Path | None = None
    """Folder of models of foci that were not fitted to the hospital; None for the package's."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Truth of a case at the size of its image."""

    masses: LabelImage | None
    """Shape (rows, columns): 0 background, 1 to n the masses; None if they are not outlined."""
    targets: tuple[Target, ...] | None
    """True foci; None if they are not marked."""
    ducts: LabelImage | None = None
    """Shape (rows, columns): 0 background, 1 to n the ducts; None if they are not known."""


def with_unseen_networks(cases: Sequence[Case], folder: Path) -> list[Case]:
    """Assign to each case a mass network and models of foci of `folder` that have not seen it.

    Cases on which every mass network was trained are left out. Cases that do not come from the data
    sets that are used for training keep the models of the package.

    Raises
    ------
    UsageError
        If the folder has no unseen.json, which `python -m training.masses` writes.
    """
    networks = read_held_out_networks(folder)
    kept: list[Case] = []
    for case in cases:
        source = case.source or case.dataset
        focus_models = folder / f"foci-without-{source}"
        if focus_models.is_dir():
            case = replace(case, focus_models=focus_models)
        network = None
        if case.path is not None:
            network = held_out_network(networks, source, case.path.stem)
        if network is not None:
            kept.append(replace(case, mass_network=network))
        elif source not in TRAINED_ON:
            kept.append(case)
    return kept


def open_case(case: Case) -> tuple[Scan, Truth]:
    """Read or simulate the scan of a case, and read its truth."""
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
    masses = None
    if case.outlines is not None:
        masses = read_label_image(case.outlines, (scan.rows, scan.columns))
    return scan, Truth(masses=masses, targets=case.targets)


def find_cases(data: Path) -> list[Case]:
    """List the cases of all data sets in a folder.

    Parameters
    ----------
    data : Path
        Folder that contains data sets, or the folder of one data set.

    Raises
    ------
    UsageError
        If the folder contains no data set.
    """
    names = [name for name in READERS if (data / name).is_dir()]
    if not names and data.is_dir() and data.resolve().name in READERS:
        data, names = data.resolve().parent, [data.resolve().name]
    cases = [case for name in names for case in READERS[name](data)]
    if not cases:
        raise UsageError(
            f"{data}: expected a folder with one or more of {', '.join(READERS)}; "
            "found none of them"
        )
    return cases


def breast_lesions_usg(data: Path) -> list[Case]:
    """List BrEaST-Lesions-USG: outlines, calcification, posterior features, pixel size."""
    return [case_of(image) for image in read_breast_lesions_usg(data)]


def bus_bra(data: Path) -> list[Case]:
    """List BUS-BRA: outlines, no pixel size."""
    return [case_of(image) for image in read_bus_bra(data)]


def busi(data: Path) -> list[Case]:
    """List BUSI: outlines, normal images, no pixel size."""
    return [case_of(image) for image in read_busi(data)]


def bus_uclm(data: Path) -> list[Case]:
    """List BUS-UCLM: outlines, normal images, no pixel size."""
    return [case_of(image) for image in read_bus_uclm(data)]


def echogenic_foci_marks(data: Path) -> list[Case]:
    """List the marked scans. Foci that both readers marked are targets; other marks are ignored."""
    images = sorted(read_echogenic_foci_marks(data), key=lambda image: image.name)
    return [case_of(image) for image in images]


def visual_readings(data: Path) -> list[Case]:
    """List the images that two readers read: foci, boxes of lesions, calcification.

    The name of the data set in the tables contains the source of the image.
    """
    return [
        replace(case_of(image), dataset=f"{VISUAL_READINGS} {image.source}")
        for image in read_visual_readings(data)
    ]


def case_of(image: LabelledImage) -> Case:
    """Return the case of a labelled image."""
    calcification = image.calcification
    if image.calcified is not None:
        calcification = PRESENT if image.calcified else "none"
    return Case(
        dataset=image.dataset,
        name=image.name,
        path=image.path,
        source=image.source,
        spacing=image.spacing,
        outlines=image.mass_masks,
        other_outlines=image.other_masks,
        targets=image.foci,
        ignored=image.uncertain_foci,
        lesion_boxes=image.lesion_boxes,
        ignored_boxes=image.uncertain_lesion_boxes,
        calcification=calcification,
        posterior=image.posterior,
    )


READERS: dict[str, Callable[[Path], list[Case]]] = {
    BREAST_LESIONS_USG: breast_lesions_usg,
    BUS_BRA: bus_bra,
    BUSI: busi,
    BUS_UCLM: bus_uclm,
    ECHOGENIC_FOCI_MARKS: echogenic_foci_marks,
    VISUAL_READINGS: visual_readings,
}
"""Function that lists the cases of a data set, by the name of its folder."""


def phantom_cases(count: int, clips: int | None = None) -> list[Case]:
    """List simulated scans.

    Parameters
    ----------
    count : int
        Number of images of each set.
    clips : int, optional
        Number of colour clips of each set; `count` / CLIP_FRACTION, rounded up, if not given.
    """
    clips = -(-count // CLIP_FRACTION) if clips is None else clips
    return [
        Case(dataset=f"phantom {kind}", name=f"{kind}-{seed}", phantom=(kind, seed))
        for kind in get_args(SetKind)
        for seed in range(FIRST_SEED, FIRST_SEED + (clips if kind in CLIP_KINDS else count))
    ]


def select_cases(
    cases: Sequence[Case], limit: int | None, only: Sequence[str] | None
) -> list[Case]:
    """Select cases, data set by data set.

    Parameters
    ----------
    cases : sequence of Case
    limit : int, optional
        Largest number of cases of each data set; they are evenly spread over it.
    only : sequence of str, optional
        Names of data sets, or their first words; all data sets if not given.
    """
    selected: list[Case] = []
    for name in dict.fromkeys(case.dataset for case in cases):
        if only and name not in only and name.partition(" ")[0] not in only:
            continue
        own = [case for case in cases if case.dataset == name]
        if limit is None or len(own) <= limit:
            selected += own
        else:
            selected += [own[i * len(own) // limit] for i in range(limit)]
    return selected
