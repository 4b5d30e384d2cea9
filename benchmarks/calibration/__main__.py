"""Measure calibration to a hospital: `python -m benchmarks.calibration --data DIR`.

The images of each hospital that two readers read are analysed with models that have not seen the
hospital, once; this takes about 0.4 s for each of 604 images on one core, and the results are kept.
Some images then serve as a review of the hospital, and the others as its further scans. The tables
are printed; `--docs` writes them into a document.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.halves import FACTOR, Measured, measure
from benchmarks.calibration.images import ReadImage, read_images
from benchmarks.calibration.thresholds import (
    MASS_POINTS,
    SCORE_POINTS,
    Findings,
    mass_findings,
    measure_halves,
    score_findings,
)
from benchmarks.markdown import replace_generated_part, table
from usmicro.calibration.fitting import FALSE_CALCIFIED, FALSE_MASSES
from usmicro.errors import UsmicroError
from usmicro.settings import Settings

ASKED = 0.5
"""False foci per image that are asked for."""

REVIEWED = (10, 20, 40, None)
"""Numbers of reviewed images; None is half of the patients."""

BEGIN, END = "<!-- begin: written by python -m benchmarks.calibration -->", "<!-- end -->"

HEAD = (
    *("hospital", "reviewed", "others", "false per image, before", "after"),
    *(f"within a factor {FACTOR:g}, before", "after", "error of log rate, before", "after"),
    *("found, before", "after", f"change of found at {ASKED:g}", "loss, before", "after"),
)
"""Columns of the tables of rates."""

THRESHOLD_HEAD = (
    *("hospital", "counted", "others", "threshold", "false per image, before", "after"),
    *(f"within a factor {FACTOR:g}, before", "after", "error of log rate, before", "after"),
    *("found, before", "after"),
)
"""Columns of the tables of the thresholds of masses and calcification."""

MASS_THRESHOLDS = (0.2, 0.45, 0.7, 0.9)
SCORES = (0.3, 0.5, 0.65, 0.8, 0.9)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration",
        description="Measure what calibration to a hospital gives that the models have not seen.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    add("--cache", type=Path, metavar="DIR", help="folder for the analyses; a temporary one if not")
    add("--processes", type=int, default=2, metavar="N", help="worker processes")
    add("--docs", type=Path, metavar="FILE.md", help="update the generated part of a document")
    options = parser.parse_args(arguments)
    try:
        text = tables(read_images(options.data, options.cache, options.processes))
        print(text)
        if options.docs:
            replace_generated_part(options.docs, BEGIN, END, text)
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def tables(images: Sequence[ReadImage]) -> str:
    """Return all tables as Markdown."""
    standard = [image for image in images if not image.further]
    parts = [
        "Half of the patients of `visual-readings` reviewed",
        _rates(standard, (None,)),
        "All images that two readers read, by number of reviewed images",
        _rates(images, REVIEWED),
        "False masses per image by threshold, hospital not seen",
        _false_masses(images),
        "Share of the images without calcifications that reach a score, hospital not seen",
        _calcified(images),
        f"`anatomy.mass_threshold` chosen on half of the patients for {FALSE_MASSES:g} false "
        "masses per image",
        _thresholds(
            mass_findings(images), MASS_POINTS, FALSE_MASSES, Settings().anatomy.mass_threshold
        ),
        "`labels.calcification` chosen on half of the patients, for calling "
        f"{FALSE_CALCIFIED:g} of the images without calcifications calcified",
        _thresholds(score_findings(images), SCORE_POINTS, FALSE_CALCIFIED, 0.0),
    ]
    return "\n\n".join(parts)


def _by_source(images: Sequence[ReadImage]) -> dict[str, list[ReadImage]]:
    by_source: dict[str, list[ReadImage]] = {}
    for image in images:
        by_source.setdefault(image.source, []).append(image)
    return dict(sorted(by_source.items()))


def _rates(images: Sequence[ReadImage], numbers: Sequence[int | None]) -> str:
    rows = []
    for reviewed in numbers:
        measured = {
            source: result
            for source, own in _by_source(images).items()
            if (result := measure(own, ASKED, reviewed)) is not None
        }
        rows += [_row(source, result) for source, result in measured.items()]
        if len(numbers) > 1 and measured:
            rows.append(_mean_error(list(measured.values())))
    return table(HEAD, rows)


def _row(source: str, result: Measured) -> tuple[str, ...]:
    return (
        *(source, f"{result.reviewed:.0f}", f"{result.others:.0f}"),
        *(f"{rates.mean():.2f}" for rates in (result.before, result.after)),
        *(f"{result.within(rates, ASKED):.2f}" for rates in (result.before, result.after)),
        *(f"{result.error(rates, ASKED):.2f}" for rates in (result.before, result.after)),
        *(f"{found.mean():.2f}" for found in (result.found_before, result.found_after)),
        _mean_of(result.same_rate),
        *(f"{loss.mean():.4f}" for loss in (result.loss_before, result.loss_after)),
    )


def _mean_of(changes: NDArray[np.float64]) -> str:
    """Return the mean over the splits whose other images show any focus."""
    known = changes[np.isfinite(changes)]
    return f"{known.mean():+.3f}" if len(known) else ""


def _mean_error(results: Sequence[Measured]) -> tuple[str, ...]:
    means = [
        float(np.mean([result.error(rates, ASKED) for result, rates in pairs]))
        for pairs in (
            [(result, result.before) for result in results],
            [(result, result.after) for result in results],
        )
    ]
    return ("mean", *("",) * 6, *(f"{mean:.2f}" for mean in means), *("",) * 5)


def _false_masses(images: Sequence[ReadImage]) -> str:
    rows = []
    for source, own in _by_source(images).items():
        outlined = [image.masses for image in own if image.masses is not None]
        if not outlined:
            continue
        counts = [
            sum(not true and value >= least for masses in outlined for value, true in masses)
            for least in MASS_THRESHOLDS
        ]
        rates = (f"{count / len(outlined):.3f}" for count in counts)
        rows.append((source, f"{len(outlined)}", *rates))
    return table(("hospital", "images", *(f"{value:g}" for value in MASS_THRESHOLDS)), rows)


def _calcified(images: Sequence[ReadImage]) -> str:
    rows = []
    for source, own in _by_source(images).items():
        scores = np.array([image.score for image in own if image.calcified is False])
        shares = (f"{(scores >= least).mean():.3f}" for least in SCORES)
        rows.append((source, f"{len(scores)}", *shares))
    return table(("hospital", "images", *(f"{value:g}" for value in SCORES)), rows)


def _thresholds(
    findings: Sequence[Findings], points: Sequence[float], asked: float, least: float
) -> str:
    rows = []
    for source in sorted({one.image.source for one in findings}):
        half = measure_halves(findings, source, points, asked, least)
        rows.append(
            (
                *(source, f"{half.used:.0f}", f"{half.others:.0f}", f"{half.threshold:.2f}"),
                *(f"{half.before:.3f}", f"{half.after:.3f}"),
                *(f"{half.within_before:.2f}", f"{half.within_after:.2f}"),
                *(f"{half.error_before:.2f}", f"{half.error_after:.2f}"),
                *(f"{half.found_before:.2f}", f"{half.found_after:.2f}"),
            )
        )
    return table(THRESHOLD_HEAD, rows)


if __name__ == "__main__":
    sys.exit(main())
