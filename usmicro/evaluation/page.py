"""The page evaluation.html: measures, curves and the worst images, in one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from usmicro import __version__
from usmicro.evaluation.group_measures import groups_section
from usmicro.evaluation.plots import Point, curve, histogram
from usmicro.evaluation.result import Cells, Evaluation
from usmicro.evaluation.rows import Row
from usmicro.evaluation.tables import images_table
from usmicro.writing.report.plots import round_up

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f8; --card: #fff; --ink: #1b1f24; --soft: #59636e;
  --line: #d8dde3; --bar: #5b7f9f; --mark: #a33a00; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --card: #1d2126; --ink: #e6e9ec;
  --soft: #a3adb8; --line: #343b43; --bar: #7fa3c4; --mark: #ffb070; } }
body { margin: 0; padding: 1.5rem clamp(1rem, 4vw, 3rem); max-width: 75rem;
  background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p, li { max-width: 50rem; }
.note, .soft { color: var(--soft); font-size: .85rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; padding: .8rem; width: min(26rem, 100%); box-sizing: border-box;
  background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; background: var(--card); }
th, td { padding: .25rem .7rem; border: 1px solid var(--line); text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); }
.axis { stroke: var(--soft); }
.curve { fill: none; stroke: var(--bar); stroke-width: 2; }
.guess { fill: none; stroke: var(--soft); stroke-dasharray: 4 4; }
.mark { fill: var(--mark); }
.bar { fill: var(--bar); }
"""

WORST_IMAGES = 20
"""Number of worst images that the page lists; images.csv has all images."""

FROC_END = 8.0
"""Largest end of the horizontal axis of the free-response curve, false positives per image.

Readers compare detectors at a few false positives per image; a run that lists every candidate has
dozens.
"""

FROC_LEAST_END = 0.1
"""Smallest end of that axis, false positives per image, so that a curve without any has an axis."""


def page(evaluation: Evaluation) -> str:
    """Return the page as HTML."""
    comparison = evaluation.comparison
    failed = ""
    if comparison.failed:
        failed = f"; {len(comparison.failed)} more failed in the run, and no measure includes them"
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in evaluation.remarks)
    plots = "".join(_plots(evaluation)) or "<p>These labels give no curve.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Evaluation</title><style>{STYLE}</style></head><body>
<h1>Evaluation of a usmicro run</h1>
<p class="soft">usmicro {escape(__version__)}. For research only:
not a medical device, not for diagnosis.</p>
<p>{len(comparison.images)} images with labels{failed}.
Intervals are 95 % percentile bootstrap intervals over {evaluation.resampled}.</p>
{f"<ul>{remarks}</ul>" if remarks else ""}
<h2>Measures</h2>{_measures(evaluation.rows)}
{groups_section(evaluation.groups)}
<h2>Curves</h2><div class="plots">{plots}</div>
<h2>Worst images</h2>{_worst_images(evaluation)}
</body></html>
"""


def _measures(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        low, high = row.estimate.low, row.estimate.high
        interval = f"{low:.3f} to {high:.3f}" if np.isfinite(low) else ""
        numbers = (f"{row.estimate.value:.3f}", interval, f"{row.images}")
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        lines.append(f"<tr><td>{escape(row.measure)}</td>{cells}</tr>")
    return _table(("measure", "value", "95 % interval", "images"), lines)


def _table(columns: Sequence[str], lines: Sequence[str]) -> str:
    """Return a table; each line is a row as HTML."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _plots(evaluation: Evaluation) -> list[str]:
    images = evaluation.comparison.images
    plots = [*_free_response_plot(evaluation), *_roc_plot(evaluation)]
    for kind in ("masses", "ducts", "nonmass areas"):
        if values := [image.dice[kind] for image in images if kind in image.dice]:
            plots.append(histogram(values, f"Overlap of {kind}", "Dice, number of images"))
    return plots


def _free_response_plot(evaluation: Evaluation) -> list[str]:
    """Plot the free-response curve; empty if it has no point or there are no marks."""
    froc = evaluation.froc
    if froc is None or not len(froc.threshold) or not np.isfinite(froc.sensitivity).all():
        return []
    points = list(zip(froc.false_positives.tolist(), froc.sensitivity.tolist(), strict=True))
    is_listed = froc.threshold >= evaluation.listed
    return [
        curve(
            points,
            "Free-response curve of the foci",
            "false positives per image",
            "sensitivity",
            x_end=max(round_up(min(points[-1][0], FROC_END)), FROC_LEAST_END),
            marker=points[int(is_listed.sum()) - 1] if is_listed.any() else None,
            marker_text=f"foci with a confidence of at least {evaluation.listed:g}",
        )
    ]


def _roc_plot(evaluation: Evaluation) -> list[str]:
    """Plot the ROC curve of the calcification score, with a dot for the reported calcifications.

    The list is empty unless images with and without calcifications are labelled.
    """
    labelled = evaluation.comparison.rated
    positive = np.array([image.truth.calcification != "none" for image in labelled], dtype=bool)
    if not positive.any() or positive.all():
        return []
    score = np.array([image.score for image in labelled], dtype=float)
    reported = np.array([image.calcification != "none" for image in labelled])
    points: list[Point] = [
        (float((score[~positive] >= t).mean()), float((score[positive] >= t).mean()))
        for t in np.unique(score)[::-1]
    ]
    return [
        curve(
            points,
            "Calcification score",
            "1 - specificity",
            "sensitivity",
            x_end=1,
            marker=(float(reported[~positive].mean()), float(reported[positive].mean())),
            marker_text="images with a reported calcification",
            diagonal=True,
        )
    ]


def _worst_images(evaluation: Evaluation) -> str:
    """List the images with errors, the worst first."""
    rows = [row for row in images_table(evaluation) if _error_sum(row) > 0]
    rows = sorted(rows, key=lambda row: (-_error_sum(row), str(row["image"])))[:WORST_IMAGES]
    if not rows:
        return "<p>None: no image has an error.</p>"
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    lines = [f"<tr>{''.join(_cell(row[name]) for name in columns)}</tr>" for row in rows]
    note = "images.csv lists all images"
    if evaluation.froc is not None:
        note += ", foci.csv every mark and focus"
    table = _table([name.replace("_", " ") for name in columns], lines)
    return f'{table}<p class="note">{note}.</p>'


def _error_sum(row: Cells) -> float:
    """Return the sum of the errors of one image.

    A missed mark, a false focus and a wrong calcification count 1 each; masses count 1 - Dice.
    """
    true, reported, dice = row["calcification_true"], row["calcification"], row["dice_masses"]
    is_wrong = true is not None and (true == "none") != (reported == "none")
    foci = int(row["foci_missed"] or 0) + int(row["foci_false"] or 0)
    return foci + is_wrong + (1 - float(dice) if dice is not None else 0.0)


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="number">{value:.3g}</td>'
