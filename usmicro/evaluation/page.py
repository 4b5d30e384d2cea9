"""evaluation.html: measures, curves and the images that went worst, in one file that needs nothing else."""

from __future__ import annotations

from html import escape

import numpy as np

from usmicro import __version__
from usmicro.evaluation.evaluate import Evaluation
from usmicro.evaluation.plots import Point, curve, histogram
from usmicro.evaluation.rows import Row
from usmicro.evaluation.tables import Cells, images_table
from usmicro.writing.report.plots import round_up

STYLE = """
:root { color-scheme: light dark;
  --page: #f6f7f8; --card: #fff; --ink: #1b1f24; --soft: #59636e; --line: #d8dde3; --bar: #5b7f9f; --mark: #a33a00; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171a; --card: #1d2126; --ink: #e6e9ec; --soft: #a3adb8; --line: #343b43; --bar: #7fa3c4; --mark: #ffb070; } }
body { margin: 0; padding: 1.5rem clamp(1rem, 4vw, 3rem); max-width: 75rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
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
WORST = 20
"""Images that the page lists; images.csv has all."""


def page(evaluation: Evaluation) -> str:
    """The whole page."""
    images, failed = evaluation.comparison.images, evaluation.comparison.failed
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in evaluation.remarks)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Evaluation</title><style>{STYLE}</style></head><body>
<h1>Evaluation of a usmicro run</h1>
<p class="soft">usmicro {escape(__version__)}. For research only: not a medical device, not for diagnosis.</p>
<p>{len(images)} images with labels{f", {len(failed)} more failed in the run and are in no measure" if failed else ""}.
Intervals hold with 95 % confidence; they are drawn over {evaluation.drawn}.</p>
{f"<ul>{remarks}</ul>" if remarks else ""}
<h2>Measures</h2>{_measures(evaluation.rows)}
<h2>Curves</h2><div class="plots">{"".join(_plots(evaluation)) or "<p>No curve can be drawn of these labels.</p>"}</div>
<h2>Images that went worst</h2>{_worst(evaluation)}
</body></html>
"""


def _measures(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        low, high = row.estimate.low, row.estimate.high
        interval = f"{low:.3f} to {high:.3f}" if np.isfinite(low) else ""
        lines.append(
            f'<tr><td>{escape(row.measure)}</td><td class="number">{row.estimate.value:.3f}</td><td class="number">{interval}</td>'
            f'<td class="number">{row.images}</td></tr>'
        )
    head = "<tr><th>measure</th><th>value</th><th>95 % interval</th><th>images</th></tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>'


def _plots(evaluation: Evaluation) -> list[str]:
    plots = []
    froc = evaluation.froc
    if froc is not None and len(froc.threshold) and np.isfinite(froc.sensitivity).all():
        points = list(zip(froc.false_positives.tolist(), froc.sensitivity.tolist(), strict=True))
        most = max(round_up(min(points[-1][0], 8.0)), 0.1)
        shown = froc.threshold >= evaluation.listed
        mark = points[int(shown.sum()) - 1] if shown.any() else None
        said = f"foci with confidence from {evaluation.listed:g} on"
        plots.append(
            curve(
                points,
                "Free-response curve of the foci",
                "false foci an image",
                "sensitivity",
                most=most,
                mark=mark,
                said=said,
            )
        )
    if roc := _roc(evaluation):
        points, mark = roc
        said = "images that usmicro calls calcified"
        plots.append(
            curve(
                points,
                "Calcification score",
                "1 - specificity",
                "sensitivity",
                most=1,
                mark=mark,
                said=said,
                diagonal=True,
            )
        )
    for name in ("masses", "ducts", "nonmass areas"):
        if values := [
            image.areas[name] for image in evaluation.comparison.images if name in image.areas
        ]:
            plots.append(histogram(values, f"Overlap of {name}", "Dice, images counted"))
    return plots


def _roc(evaluation: Evaluation) -> tuple[list[Point], Point] | None:
    """The receiver operating characteristic of the calcification score, and where the run stands; None without both kinds of image."""
    own = [image for image in evaluation.comparison.images if image.truth.calcification is not None]
    positive = np.array([image.truth.calcification != "none" for image in own], dtype=bool)
    if not positive.any() or positive.all():
        return None
    score = np.array([image.score for image in own])
    called = np.array([image.calcification != "none" for image in own])
    points = [
        (float((score[~positive] >= t).mean()), float((score[positive] >= t).mean()))
        for t in np.unique(score)[::-1]
    ]
    return points, (float(called[~positive].mean()), float(called[positive].mean()))


def _worst(evaluation: Evaluation) -> str:
    rows = images_table(evaluation)

    def badness(row: Cells) -> tuple[float, str]:
        wrong = row["calcification_true"] is not None and (row["calcification_true"] == "none") != (
            row["calcification"] == "none"
        )
        dice = row["dice_masses"]
        faults = (
            int(row["foci_missed"] or 0)
            + int(row["foci_false"] or 0)
            + wrong
            + (1 - float(dice) if dice is not None else 0.0)
        )
        return -faults, str(row["image"])

    rows = sorted((row for row in rows if badness(row)[0] < 0), key=badness)[:WORST]
    if not rows:
        return "<p>None: all went well.</p>"
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cell(row[name]) for name in columns)}</tr>" for row in rows)
    more = (
        "images.csv has all images, foci.csv every mark and focus."
        if evaluation.froc is not None
        else "images.csv has all images."
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div><p class="note">{more}</p>'


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return "<td></td>"
    return (
        f"<td>{escape(value)}</td>"
        if isinstance(value, str)
        else f'<td class="number">{value:.3g}</td>'
    )
