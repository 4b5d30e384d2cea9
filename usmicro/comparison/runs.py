"""Compare two finished runs, and write the comparison."""

from __future__ import annotations

import math
from pathlib import Path

from usmicro.comparison.differences import ImageComparer
from usmicro.comparison.page import page
from usmicro.comparison.paired import measure_both
from usmicro.comparison.records import compare_records
from usmicro.comparison.result import DIFFERENCE_COLUMNS, RunComparison
from usmicro.comparison.tracks import read_tracks
from usmicro.errors import UsageError
from usmicro.evaluation.evaluate import as_csv
from usmicro.evaluation.metrics import LEAST_DISTANCE_PX
from usmicro.evaluation.output_folder import clear_former
from usmicro.writing.files import write_atomically
from usmicro.writing.report.run import Run, read_run


def compare(
    a: str | Path,
    b: str | Path,
    *,
    truth: str | Path | None = None,
    out: str | Path | None = None,
    least_distance: float = LEAST_DISTANCE_PX,
) -> RunComparison:
    """Compare two finished runs of the same images.

    Foci are matched one to one, the nearest pair first, within half the larger diameter and always
    within `least_distance`. Foci of a cine are matched only if a frame shows both. Masses are
    matched by the Dice coefficient of their outlines.

    Parameters
    ----------
    a, b : path
        The --out folders of two finished runs. Images are compared by their name.
    truth : path, optional
        Labels as for `usmicro.evaluate`. The measures of both runs are then computed over the
        images that both have analysed, with paired 95 % bootstrap intervals of their differences.
    out : path, optional
        Folder for comparison.html and tables. If not given, nothing is written.
    least_distance : float
        Pixels of the image.

    Returns
    -------
    RunComparison

    Raises
    ------
    UsageError
        If a folder has no finished run, the runs have no image in common, the labels cannot be
        used, or the output cannot be written.
    """
    if not (math.isfinite(least_distance) and least_distance > 0):
        raise UsageError(f"--distance {least_distance:g}: expected a number of pixels above 0")
    run_a, run_b = read_run(Path(a)), read_run(Path(b))
    rows_a = {row["image"]: row for row in run_a.images}
    rows_b = {row["image"]: row for row in run_b.images}
    if not rows_a.keys() & rows_b.keys():
        raise UsageError(_without_common_images(run_a, run_b))
    tracks = read_tracks(run_a.folder), read_tracks(run_b.folder)
    comparer = ImageComparer(run_a, run_b, *tracks, least_distance)
    images = [
        comparer.compare(name, rows_a.get(name), rows_b.get(name))
        for name in sorted(rows_a.keys() | rows_b.keys())
    ]
    comparison = RunComparison(run_a, run_b, images, compare_records(run_a, run_b))
    if truth is not None:
        measured = measure_both(run_a, run_b, Path(truth), least_distance=least_distance)
        comparison = RunComparison(
            run_a,
            run_b,
            images,
            comparison.records,
            measured.measures,
            measured.remarks,
            measured.resampled,
        )
    if out is not None:
        _write(comparison, Path(out))
    return comparison


def _without_common_images(a: Run, b: Run) -> str:
    names = [run.images[0]["image"] if run.images else "nothing" for run in (a, b)]
    return (
        f"{a.folder} and {b.folder}: the runs have no image in common; found {names[0]} and "
        f"{names[1]}; expected runs of the same inputs, with or without pseudonyms in both"
    )


def _write(comparison: RunComparison, out: Path) -> None:
    """Write the page and the tables into a folder."""
    clear_former(out, record="comparison.html", tables=("measures.csv",))
    rows = comparison.to_rows()
    empty = (",".join(DIFFERENCE_COLUMNS) + "\n").encode()
    write_atomically(out / "comparison.csv", as_csv(rows) if rows else empty)
    write_atomically(out / "images.csv", as_csv(comparison.images_table()))
    write_atomically(
        out / "settings.csv",
        as_csv(comparison.records_table()) if comparison.records else b"name,a,b\n",
    )
    if comparison.measures:
        write_atomically(out / "measures.csv", as_csv(comparison.measures_table()))
    write_atomically(out / "comparison.html", page(comparison, out).encode())
