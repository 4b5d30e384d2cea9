"""`usmicro evaluate`: how well the results of a run agree with labels of one's own."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from usmicro import __version__
from usmicro.errors import UsageError
from usmicro.evaluation.matching import Compared, Comparison, compare
from usmicro.evaluation.measures import Called, calcification_results, free_response_results
from usmicro.evaluation.metrics import FreeResponse, auc, bootstrap, free_response, kappa
from usmicro.evaluation.rows import Result, Row, fraction, over
from usmicro.evaluation.targets import Target
from usmicro.evaluation.truth import read_truth
from usmicro.model.findings import Focus
from usmicro.settings import Settings
from usmicro.writing.files import write_atomically
from usmicro.writing.report.run import read_run

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""False positives an image at which sensitivity is read."""
LEAST_DISTANCE = 6.0

Pair = tuple[Focus, Target]


@dataclass(frozen=True)
class Evaluation:
    """What comes out: measures with their intervals, and what they are made of."""

    rows: list[Row]
    comparison: Comparison
    froc: FreeResponse | None
    """None where no foci are marked."""
    listed: float
    """Confidence from which foci are listed by default, or that of the run if higher."""
    complete: bool
    """Whether the run listed every candidate, so that the curve goes as far as it can."""
    drawn: str
    """What the intervals were drawn over: images or patients."""

    @property
    def remarks(self) -> list[str]:
        """What a reader must know."""
        return self.comparison.remarks

    def to_rows(self) -> list[dict[str, str | float | int | None]]:
        """The measures as dictionaries; None where there is no interval."""
        return [
            {
                "measure": row.measure,
                "value": finite(row.estimate.value),
                "low": finite(row.estimate.low),
                "high": finite(row.estimate.high),
                "images": row.images,
            }
            for row in self.rows
        ]


def evaluate(
    results: str | Path,
    truth: str | Path,
    *,
    out: str | Path | None = None,
    least_distance: float = LEAST_DISTANCE,
) -> Evaluation:
    """Compare the results of a run with labels of one's own.

    Intervals are 95 % percentile intervals over images drawn with replacement, or over patients where the truth names them.

    Parameters
    ----------
    results : path
        The --out folder of a finished run.
    truth : path
        A CSV table, or a folder of tables and masks; see `usmicro.evaluation.truth.read_truth` and docs/evaluate.md.
    out : path, optional
        Folder for evaluation.html, evaluation.json and tables; nothing is written if not given.
    least_distance : float
        A focus hits a mark within half of the diameter of that, and always within so many pixels.

    Raises
    ------
    UsageError
        If there are no results or no truth, they do not fit, or the output cannot be written.
    """
    if not (math.isfinite(least_distance) and least_distance > 0):
        raise UsageError(f"--distance {least_distance:g}: expected a number of pixels above 0")
    run = read_run(Path(results))
    given = float(run.record["settings"]["foci"]["minimum_confidence"])
    listed = max(given, Settings().foci.minimum_confidence)
    # a run that lists every candidate has foci everywhere, and would say so of every calcified image
    comparison = compare(
        run,
        read_truth(Path(truth)),
        least_distance=least_distance,
        listed=listed if given < listed else None,
    )
    marked = [image for image in comparison.images if image.detections is not None]
    curve = (
        free_response([image.detections for image in marked if image.detections is not None])
        if marked
        else None
    )
    measures = [
        *_calcification(comparison),
        *_foci(comparison, curve, listed, complete=given == 0),
        *_behaviour(comparison, listed),
    ]
    measures += _areas(comparison)
    rows = [Row("", *result) for result in measures if math.isfinite(result[1].value)]
    if not rows:
        raise UsageError(
            f"{truth}: holds no label from which a measure could be made; see docs/evaluate.md for what it may hold"
        )
    if curve is not None and given > 0:
        comparison.remarks.append(
            f"the free-response curve ends where the run stopped listing foci (foci.minimum_confidence = {given:g}); for all of it run "
            "usmicro run with --set foci.minimum_confidence=0"
        )
    drawn = "patients" if comparison.groups(comparison.images) is not None else "images"
    evaluation = Evaluation(rows, comparison, curve, listed, given == 0, drawn)
    if out is not None:
        _write(evaluation, Path(out))
    return evaluation


def _calcification(comparison: Comparison) -> list[Result]:
    own = [image for image in comparison.images if image.truth.calcification is not None]
    called = [
        Called(str(image.truth.calcification), image.calcification, image.score) for image in own
    ]
    return calcification_results(called, comparison.groups(own))


def _foci(
    comparison: Comparison, curve: FreeResponse | None, listed: float, *, complete: bool
) -> list[Result]:
    own = [image for image in comparison.images if image.detections is not None]
    if curve is None:
        return []
    reach = math.inf if complete else float(curve.false_positives.max(initial=0))
    detections = [image.detections for image in own if image.detections is not None]
    return free_response_results(
        detections,
        listed,
        rates=[rate for rate in RATES if rate <= reach],
        groups=comparison.groups(own),
    )


def hits(image: Compared, listed: float) -> list[Pair]:
    """The listed foci of an image that hit a mark, with that mark."""
    found = image.detections
    if found is None:
        return []
    chosen = np.flatnonzero((found.target >= 0) & (found.confidence >= listed))
    return [(image.foci[found.index[i]], image.targets[found.target[i]]) for i in chosen]


def _behaviour(comparison: Comparison, listed: float) -> list[Result]:
    """What is said of the foci that hit a mark, where the mark tells it too."""
    results: list[Result] = []

    def add(
        name: str, statistic: Callable[[list[Pair]], float], kept: Callable[[Pair], bool]
    ) -> None:
        own = [
            image for image in comparison.images if any(kept(pair) for pair in hits(image, listed))
        ]
        if own:
            pairs = [[pair for pair in hits(image, listed) if kept(pair)] for image in own]
            estimate = bootstrap(
                lambda drawn: statistic([pair for i in drawn for pair in pairs[i]]),
                len(own),
                groups=comparison.groups(own),
            )
            results.append((name, estimate, len(own)))

    def labelled(pair: Pair) -> bool:
        return pair[1].label is not None

    add(
        "labels of foci right",
        lambda pairs: fraction([focus.label == target.label for focus, target in pairs]),
        labelled,
    )
    add(
        "labels of foci, kappa",
        lambda pairs: kappa([str(t.label) for _, t in pairs], [f.label for f, _ in pairs]),
        labelled,
    )
    add(
        "shadows found, where assessable",
        lambda pairs: fraction([focus.shadow == "yes" for focus, _ in pairs]),
        lambda pair: pair[1].shadow is True and pair[0].shadow != "not assessable",
    )
    add(
        "foci without shadow given one",
        lambda pairs: fraction([focus.shadow == "yes" for focus, _ in pairs]),
        lambda pair: pair[1].shadow is False and pair[0].shadow != "not assessable",
    )
    add(
        "twinkling score, AUC",
        lambda pairs: auc(
            [focus.twinkling_score or 0.0 for focus, _ in pairs],
            [bool(target.twinkling) for _, target in pairs],
        ),
        lambda pair: pair[1].twinkling is not None and pair[0].twinkling != "not assessable",
    )
    return results


def _areas(comparison: Comparison) -> list[Result]:
    results: list[Result] = []
    for name in ("masses", "ducts", "nonmass areas"):
        with_it = [image for image in comparison.images if name in image.areas]
        overlaps = [image.areas[name] for image in with_it]
        without = [image for image in comparison.images if name in image.invented]
        invented = [image.invented[name] for image in without]
        results += _over_images(comparison, with_it, overlaps, np.mean, f"{name}, mean Dice")
        results += _over_images(comparison, with_it, overlaps, np.median, f"{name}, median Dice")
        results += _over_images(
            comparison,
            without,
            invented,
            np.mean,
            f"images without {name} on which some were found",
        )
    own = [image for image in comparison.images if image.masses is not None]
    with_mass = [image for image in own if image.masses is not None and image.masses.each]

    def found(drawn: list[Compared]) -> float:
        return fraction(
            [
                one is not None
                for image in drawn
                if image.masses is not None
                for one in image.masses.each
            ]
        )

    def extra(drawn: list[Compared]) -> float:
        return float(np.mean([image.masses.extra for image in drawn if image.masses is not None]))

    if with_mass:
        results.append(
            over(with_mass, found, "masses found (Dice above 0.5)", comparison.groups(with_mass))
        )
    if own:
        results.append(over(own, extra, "other masses an image", comparison.groups(own)))
    return results


def _over_images(
    comparison: Comparison,
    images: list[Compared],
    values: Sequence[float],
    statistic: Callable[..., Any],
    name: str,
) -> list[Result]:
    """A statistic of one value an image; nothing if there is no image."""
    if not images:
        return []
    return [over(values, lambda drawn: float(statistic(drawn)), name, comparison.groups(images))]


def finite(value: float) -> float | None:
    """A number for JSON and tables; None for what is not one."""
    return value if math.isfinite(value) else None


def _write(evaluation: Evaluation, out: Path) -> None:
    from usmicro.evaluation.page import page
    from usmicro.evaluation.tables import froc_table, images_table, matches_table

    found = {
        "usmicro": __version__,
        "measures": evaluation.to_rows(),
        "intervals": f"95 %, percentile bootstrap over {evaluation.drawn}",
        "listed_from_confidence": evaluation.listed,
        "remarks": evaluation.remarks,
    }
    write_atomically(out / "evaluation.json", (json.dumps(found, indent=1) + "\n").encode())
    write_atomically(out / "measures.csv", as_csv(evaluation.to_rows()))
    write_atomically(out / "images.csv", as_csv(images_table(evaluation)))
    if evaluation.froc is not None:
        write_atomically(out / "froc.csv", as_csv(froc_table(evaluation.froc)))
        write_atomically(out / "foci.csv", as_csv(matches_table(evaluation)))
    write_atomically(out / "evaluation.html", page(evaluation).encode())


def as_csv(rows: Sequence[dict[str, str | float | int | None]]) -> bytes:
    """Rows as UTF-8 CSV, an empty cell for None."""
    from usmicro.writing.tables import table_writer

    file = io.BytesIO()
    if rows:
        add = table_writer(file, tuple(rows[0]))
        for row in rows:
            add(row)
    return file.getvalue()
