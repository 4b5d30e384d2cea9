"""Find the candidates of all images from which the confidence of foci learns, once.

Run
    python -m training.candidates DATA WORK
Needs
    DATA with the folders of all data sets, and the networks of `training.masses`.
Takes
    About 4 minutes on two cores.
Writes
    WORK/candidates-PART.pickle, one file for each part of the images, 0.6 GB in all. A part whose
    file exists is not computed again.

The anatomy of each real image comes from a mass network that has not seen its hospital.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.focus_examples import INSERTED, MARKED, SIMULATED, ImageCandidates, part_file
from training.inserted_foci import with_inserted_foci
from training.marked import MarkedImage, images_for_insertion, marked_images
from usmicro.anatomy import find_anatomy
from usmicro.evaluation.datasets import targets_of_phantom
from usmicro.evaluation.metrics import LEAST_DISTANCE_PX
from usmicro.evaluation.targets import Target
from usmicro.foci import find_candidates
from usmicro.foci.measures import measured_features
from usmicro.foci.patches import focus_patches
from usmicro.loading import load
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.scan import Scan, Spacing
from usmicro.model.view import View
from usmicro.phantom import phantom_set
from usmicro.preparation import prepare
from usmicro.settings import AnatomySettings

PHANTOMS = 300
"""Number of simulated scans."""

FIRST_SEED = 50_000
"""First seed of the simulated scans. Tests and benchmarks use other seeds."""


def views_of(scan: Scan, network: Path | None) -> Iterator[tuple[View, Anatomy]]:
    """Yield each view of the first frame with its anatomy.

    `network` is the file of the mass network; by default the shipped one.
    """
    settings = AnatomySettings(mass_network=str(network)) if network else AnatomySettings()
    for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
        yield view, find_anatomy(view, settings)


def matched(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    foci: Sequence[Target],
    uncertain_foci: Sequence[Target],
) -> NDArray[np.float64]:
    """Match candidates with marks.

    Parameters
    ----------
    x, y : array, shape (n,)
        Column and row of each candidate in pixels of the image.
    foci, uncertain_foci : sequence of Target
        Foci that both readers marked, and all other marks.

    Returns
    -------
    array, shape (n,)
        1 for the candidate nearest to a focus; NaN for any other candidate near a focus or an
        uncertain mark; 0 for the rest.
    """
    is_focus = np.zeros(len(x))
    for target in (*uncertain_foci, *foci):
        column, row, diameter = target.at(0)
        is_focus[np.hypot(x - column, y - row) <= max(diameter / 2, LEAST_DISTANCE_PX)] = np.nan
    for target in foci:
        column, row, diameter = target.at(0)
        distance = np.hypot(x - column, y - row)
        if len(x) and distance.min() <= max(diameter / 2, LEAST_DISTANCE_PX):
            is_focus[distance.argmin()] = 1
    return is_focus


def _measured(
    found: Sequence[tuple[View, Candidates, Anatomy]],
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float16], NDArray[np.float64], list[int]]:
    """Return measures, patches, positions in mm of the grid, and number of candidates by view."""
    tables = [measured_features(view, candidates, anatomy) for view, candidates, anatomy in found]
    features = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    patches = [focus_patches(view, candidates, anatomy) for view, candidates, anatomy in found]
    position = [
        np.column_stack([candidates.x, candidates.y]) * view.grid.pixel_mm
        for view, candidates, _ in found
    ]
    counts = [len(candidates) for _, candidates, _ in found]
    return (
        features,
        np.concatenate(patches).astype(np.float16),
        np.concatenate(position),
        counts,
    )


def candidates_of_marked(marked: MarkedImage) -> ImageCandidates:
    """Find the candidates of a real image and match them with its marks."""
    image = marked.image
    scan = load(image.path, spacing=_known(image.spacing))
    found = [
        (view, find_candidates(view), anatomy)
        for view, anatomy in views_of(scan, marked.mass_network)
    ]
    features, patches, position, counts = _measured(found)
    x, y = _places_in_image(found)
    is_focus = matched(x, y, marked.foci, image.uncertain_foci)
    return ImageCandidates(
        name=image.name,
        source=marked.source,
        group=marked.group,
        features=features,
        patches=patches,
        is_focus=is_focus if marked.known else np.full(len(is_focus), np.nan),
        foci=len(marked.foci),
        known=marked.known,
        read=marked.read,
        further=marked.further,
        normal=marked.normal,
        calcified=image.calcified,
        calcification=marked.calcification,
        position=position,
        counts=counts,
    )


def candidates_of_inserted(numbered: tuple[int, MarkedImage]) -> ImageCandidates:
    """Insert foci into a real image and find them among its candidates.

    All other candidates are unclear, because nobody marked the foci of the image itself.
    """
    number, marked = numbered
    scan = load(marked.image.path, spacing=_known(marked.image.spacing))
    random = np.random.default_rng(number)
    found, is_focus = [], []
    for view, anatomy in views_of(scan, marked.mass_network):
        changed, x, y = with_inserted_foci(view, anatomy, random)
        candidates = find_candidates(changed)
        found.append((changed, candidates, anatomy))
        of_view = np.full(len(candidates), np.nan)
        for column, row in zip(x, y, strict=True):
            distance = np.hypot(candidates.x - column, candidates.y - row)
            if len(candidates) and distance.min() <= max(changed.speckle_size):
                of_view[distance.argmin()] = 1
        is_focus.append(of_view)
    features, patches, position, _ = _measured(found)
    clear = np.isfinite(np.concatenate(is_focus))
    return ImageCandidates(
        name=marked.image.name,
        source=marked.source,
        group=marked.group,
        features={name: values[clear] for name, values in features.items()},
        patches=patches[clear],
        is_focus=np.ones(int(clear.sum())),
        foci=int(clear.sum()),
        known=False,
        read=False,
        further=False,
        normal=False,
        position=position[clear],
        counts=[int(clear.sum())],
    )


def candidates_of_simulated(seed: int) -> ImageCandidates:
    """Find the candidates of a simulated scan and match them with its foci."""
    (phantom,) = phantom_set("mixed", [seed])
    found = [
        (view, find_candidates(view), anatomy) for view, anatomy in views_of(phantom.scan(), None)
    ]
    features, patches, position, counts = _measured(found)
    targets = targets_of_phantom(phantom)
    return ImageCandidates(
        name=f"phantom-{seed}",
        source=SIMULATED,
        group=f"{SIMULATED} {seed}",
        features=features,
        patches=patches,
        is_focus=matched(*_places_in_image(found), targets, ()),
        foci=len(targets),
        known=True,
        read=False,
        further=False,
        normal=False,
        position=position,
        counts=counts,
    )


def _places_in_image(
    found: Sequence[tuple[View, Candidates, Anatomy]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns and rows of all candidates in pixels of the image."""
    places = [view.grid.to_image(candidates.x, candidates.y) for view, candidates, _ in found]
    return np.concatenate([x for x, _ in places]), np.concatenate([y for _, y in places])


def _known(spacing: Spacing) -> Spacing | None:
    """Return the pixel size, or None if it is unknown."""
    return spacing if spacing.known else None


def main() -> None:
    """Find the candidates of all parts and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with all data sets")
    parser.add_argument("work", type=Path, help="folder for the candidates")
    parser.add_argument("--processes", type=int, default=2, help="number of processes")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    tasks = {
        MARKED: partial(_computed, candidates_of_marked, marked_images(arguments.data)),
        SIMULATED: partial(
            _computed, candidates_of_simulated, range(FIRST_SEED, FIRST_SEED + PHANTOMS)
        ),
        INSERTED: partial(
            _computed, candidates_of_inserted, list(enumerate(images_for_insertion(arguments.data)))
        ),
    }
    for part, compute in tasks.items():
        path = part_file(arguments.work, part)
        if path.exists():
            continue
        images = compute(arguments.processes)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(pickle.dumps(images))
        unfinished.rename(path)
        count = sum(len(image.is_focus) for image in images)
        print(f"{part}: {len(images)} images with {count} candidates", flush=True)


def _computed(
    function: Callable[[Any], ImageCandidates], items: Iterable[Any], processes: int
) -> list[ImageCandidates]:
    """Apply a function to each item in several processes."""
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(function, items, chunksize=8))


if __name__ == "__main__":
    main()
