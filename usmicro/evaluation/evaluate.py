"""Compare the results of a run with labels, and write the evaluation."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from usmicro import __version__
from usmicro.errors import UsageError
from usmicro.evaluation.comments import Comments, comments_of
from usmicro.evaluation.group_measures import froc_of, measure_groups, measures_of
from usmicro.evaluation.matching import compare
from usmicro.evaluation.metrics import LEAST_DISTANCE_PX
from usmicro.evaluation.output_folder import clear_former
from usmicro.evaluation.page import page
from usmicro.evaluation.readers import agreement
from usmicro.evaluation.result import Cells, Evaluation
from usmicro.evaluation.sources import read_labels
from usmicro.evaluation.tables import froc_table, images_table, matches_table
from usmicro.foci.operating_point import listing_confidence
from usmicro.settings import Settings
from usmicro.writing.files import write_atomically
from usmicro.writing.report.run import read_run
from usmicro.writing.tables import table_writer


def evaluate(
    results: str | Path,
    truth: str | Path,
    *,
    out: str | Path | None = None,
    group: str | Path | None = None,
    least_distance: float = LEAST_DISTANCE_PX,
) -> Evaluation:
    """Measure how well the results of a run agree with labels.

    Intervals are 95 % percentile bootstrap intervals. Images are drawn with replacement, or
    patients if the labels name any.

    Parameters
    ----------
    results : path
        The --out folder of a finished run.
    truth : path
        A CSV table, a review that report.html exported, or a folder with tables and masks, or with
        reviews of several readers; see docs/evaluate.md.
    out : path, optional
        Folder for evaluation.html, evaluation.json and tables. If not given, nothing is written.
    group : path, optional
        A table of groups of images, patients or studies, which are measured one by one; see
        docs/evaluate.md.
    least_distance : float
        A focus hits a mark within half the diameter of the mark, and always within this distance
        in pixels.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        If there are no results or no labels, the labels do not fit the results, or the output
        cannot be written.
    """
    if not (math.isfinite(least_distance) and least_distance > 0):
        raise UsageError(f"--distance {least_distance:g}: expected a number of pixels above 0")
    run = read_run(Path(results))
    run_confidence = listed_from(run.record)
    default = default_listing(run.record)
    listed = run_confidence or default
    labels = read_labels(Path(truth), run, listed=default, least_distance=least_distance)
    comparison = compare(
        run,
        labels.truth,
        least_distance=least_distance,
        # a run that lists every candidate lists foci everywhere, so that its own descriptors would
        # name every place on each image with calcifications
        listed=listed if run_confidence < listed else None,
    )
    curve = froc_of(comparison)
    complete = run_confidence == 0
    rows = measures_of(comparison, curve, listed, complete=complete)
    if not rows:
        raise UsageError(
            f"{truth}: contains no label that can be measured; see docs/evaluate.md for the labels "
            "that are expected"
        )
    if curve is not None and not complete:
        comparison.remarks.append(
            "the free-response curve ends where the run stopped listing foci "
            f"(confidence {run_confidence:.3g}); for the complete curve run "
            "usmicro run with --set foci.minimum_confidence=0"
        )
    readers = []
    if labels.together is not None:
        patients = {image.name: image.truth.patient for image in comparison.images}
        readers = agreement(
            run,
            labels.readings,
            labels.together,
            patients=patients.get,
            least_distance=least_distance,
            listed=listed,
        )
    groups = []
    if group is not None:
        groups = measure_groups(Path(group), run, comparison, listed, complete=complete)
    has_patients = comparison.patient_groups(comparison.images) is not None
    evaluation = Evaluation(
        rows=rows,
        comparison=comparison,
        froc=curve,
        listed=listed,
        complete=complete,
        resampled="patients" if has_patients else "images",
        readers=readers,
        run=run,
        groups=groups,
        comments=Comments() if labels.review is None else comments_of(labels.review),
    )
    if out is not None:
        _write(evaluation, Path(out))
    return evaluation


def default_listing(record: Mapping[str, Any]) -> float:
    """Return the default confidence from which foci are listed, on the scale of a run."""
    foci = record["settings"]["foci"]
    scale = ("confidence_offset", "confidence_slope")  # unknown to earlier versions
    return listing_confidence(replace(Settings().foci, **{n: foci[n] for n in scale if n in foci}))


def listed_from(record: Mapping[str, Any]) -> float:
    """Return the confidence from which a run listed foci.

    The record of a run of version 0.1.0 has it only as a setting.
    """
    confidence = record.get("listed_from_confidence")
    if confidence is None:
        confidence = record["settings"]["foci"]["minimum_confidence"]
    return float(confidence)


def _write(evaluation: Evaluation, out: Path) -> None:
    """Write the page, the tables and evaluation.json into a folder."""
    content = {
        "usmicro": __version__,
        "measures": evaluation.to_rows(),
        "intervals": f"95 %, percentile bootstrap over {evaluation.resampled}",
        "listed_from_confidence": evaluation.listed,
        "readers": evaluation.reader_rows(),
        "groups": evaluation.group_rows(),
        "remarks": evaluation.remarks,
    }
    optional = ("readers.csv", "groups.csv", "froc.csv", "foci.csv")
    clear_former(out, record="evaluation.json", tables=optional)
    write_atomically(out / "evaluation.json", (json.dumps(content, indent=1) + "\n").encode())
    write_atomically(out / "measures.csv", as_csv(evaluation.to_rows()))
    if evaluation.readers:
        write_atomically(out / "readers.csv", as_csv(evaluation.reader_rows()))
    if evaluation.groups:
        write_atomically(out / "groups.csv", as_csv(evaluation.group_rows()))
    write_atomically(out / "images.csv", as_csv(images_table(evaluation)))
    if evaluation.froc is not None:
        write_atomically(out / "froc.csv", as_csv(froc_table(evaluation.froc)))
        write_atomically(out / "foci.csv", as_csv(matches_table(evaluation)))
    write_atomically(out / "evaluation.html", page(evaluation, out).encode())


def as_csv(rows: Sequence[Cells]) -> bytes:
    """Return rows as UTF-8 CSV; None gives an empty cell."""
    file = io.BytesIO()
    if rows:
        add = table_writer(file, tuple(rows[0]))
        for row in rows:
            add(row)
    return file.getvalue()
