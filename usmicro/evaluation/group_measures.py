"""Measures of a run on all labelled images, and on those of each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np

from usmicro.evaluation.matching import Comparison
from usmicro.evaluation.metrics import FreeResponse, free_response
from usmicro.evaluation.rows import Result, Row
from usmicro.evaluation.run_measures import (
    measure_areas,
    measure_calcification,
    measure_foci,
    measure_hits,
)
from usmicro.loading.groups import Groups, read_groups
from usmicro.writing.report.run import Run


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One measure of one group."""

    group: str
    row: Row


def froc_of(comparison: Comparison) -> FreeResponse | None:
    """Return the free-response curve of the images whose foci are marked; None without any."""
    detections = [image.detections for image in comparison.images if image.detections is not None]
    return free_response(detections) if detections else None


def measures_of(
    comparison: Comparison, curve: FreeResponse | None, listed: float, *, complete: bool
) -> list[Row]:
    """Return all measures of labelled images; those without a value are left out.

    Parameters
    ----------
    comparison : Comparison
    curve : FreeResponse or None
        Free-response curve of these images.
    listed : float
        Confidence from which foci are listed.
    complete : bool
        True if the run listed every candidate.
    """
    results: list[Result] = [
        *measure_calcification(comparison),
        *measure_foci(comparison, curve, listed, complete=complete),
        *measure_hits(comparison, listed),
        *measure_areas(comparison),
    ]
    return [Row("", *result) for result in results if math.isfinite(result[1].value)]


def read_labelled_groups(path: Path, run: Run, comparison: Comparison) -> tuple[Groups, list[str]]:
    """Read a table of groups for the labelled images of a run.

    The column `patient` of the table may also give the patients that the labels name.

    Returns
    -------
    groups : Groups
    remarks : list of str
        Rows that match no image, and labelled images in no group.

    Raises
    ------
    UsageError
        If the table cannot be used.
    """
    patients = {image.name: image.truth.patient or "" for image in comparison.images}
    groups = read_groups(path, [row["image"] for row in run.images], patients=patients)
    remarks = []
    if groups.unused:
        remarks.append(
            f"{len(groups.unused)} rows of the table of groups match no image, "
            f"such as {groups.unused[0]}"
        )
    without = [image.name for image in comparison.images if image.name not in groups.of_image]
    if without:
        remarks.append(f"{len(without)} labelled images are in no group, such as {without[0]}")
    return groups, remarks


def measure_groups(
    path: Path, run: Run, comparison: Comparison, listed: float, *, complete: bool
) -> list[GroupRow]:
    """Return the measures of each group of images, sorted by group.

    Remarks on the table are added to those of the comparison.

    Parameters
    ----------
    path : Path
        Table of groups, see `read_groups`. The column `patient` may also give the patients that the
        labels name.
    run : Run
    comparison : Comparison
    listed, complete
        As in `measures_of`.

    Raises
    ------
    UsageError
        If the table cannot be used.
    """
    groups, remarks = read_labelled_groups(path, run, comparison)
    rows = []
    for name in groups.names:
        images = [image for image in comparison.images if groups.of_image.get(image.name) == name]
        part = replace(
            comparison,
            images=images,
            failed=[image for image in comparison.failed if groups.of_image.get(image) == name],
        )
        if not images:
            comparison.remarks.append(f"the group {name} has no labelled image")
            continue
        measured = measures_of(part, froc_of(part), listed, complete=complete)
        rows += [GroupRow(name, row) for row in measured]
    comparison.remarks.extend(remarks)
    return rows


def groups_section(rows: Sequence[GroupRow]) -> str:
    """Return the part of the page with one column for each group; empty without groups."""
    if not rows:
        return ""
    groups = list(dict.fromkeys(row.group for row in rows))
    found = {(item.group, item.row.measure): item.row for item in rows}
    measures = dict.fromkeys(item.row.measure for item in rows)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("measure", *groups))
    lines = ""
    for measure in measures:
        cells = "".join(f'<td class="number">{_cell(found.get((g, measure)))}</td>' for g in groups)
        lines += f"<tr><td>{escape(measure)}</td>{cells}</tr>"
    return (
        '<h2>Groups</h2><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
        '<p class="note">In brackets: 95 % interval, and number of images.</p>'
    )


def _cell(row: Row | None) -> str:
    """Return a value with its interval and number of images; empty if it was not measured."""
    if row is None:
        return ""
    low, high = row.estimate.low, row.estimate.high
    interval = f"{low:.3f} to {high:.3f}, " if np.isfinite(low) else ""
    return f"{row.estimate.value:.3f} ({interval}{row.images})"
