"""Write a calibration: the file of settings, and a page that shows before and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usmicro import __version__
from usmicro.calibration.rates import Rate
from usmicro.calibration.result import Calibration, Choice
from usmicro.errors import UsageError
from usmicro.evaluation.page import STYLE
from usmicro.evaluation.plots import curve
from usmicro.foci.site import site_confidence
from usmicro.settings import FociSettings
from usmicro.writing.files import write_atomically
from usmicro.writing.report.plots import round_up

BINS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Limits of the confidence between which the page compares it with the labels."""

COLUMNS = (
    *("setting", "images", "patients", "true ones", "before", "after", "rate asked for"),
    *("rate before", "rate after", "found before", "found after"),
)
"""Columns of the table of choices."""

FROC_END = 3.0
"""Largest end of the horizontal axis of the free-response curve, false foci per image."""

PAGES_OF_RUNS = ("report.html", "evaluation.html", "comparison.html")
"""Pages of other commands, which the page of a calibration must not replace."""

FILES = {"anatomy": ("mass_network",), "foci": ("models",)}
"""Settings that name a file or folder, which a run records without its path."""


def write_files(calibration: Calibration, out: Path) -> None:
    """Write the settings as TOML, and the page beside them.

    Raises
    ------
    UsageError
        If the name is not that of a file of settings, the page would replace that of another
        command, or a file cannot be written.
    """
    if out.suffix.lower() != ".toml":
        raise UsageError(
            f"{out}: expected a file name that ends with .toml, such as calibration.toml"
        )
    beside = out.with_suffix(".html")
    if beside.name in PAGES_OF_RUNS and beside.exists():
        raise UsageError(
            f"{out}: its page would replace {beside.name}, which usmicro wrote; give another file "
            "name, such as calibration.toml"
        )
    write_atomically(out, as_toml(calibration).encode())
    write_atomically(beside, page(calibration, out.name).encode())


def as_toml(calibration: Calibration) -> str:
    """Return the settings that differ from the defaults, with their origin in comments."""
    lines = [
        f"# Settings that usmicro {__version__} calibrated; use them with",
        "#     usmicro run INPUT --out DIR --settings FILE.toml",
        *(f"# {line}" for choice in calibration.choices for line in lines_of(choice)),
        f"# Cross-validated by {'patient' if calibration.by_patient else 'image'}; "
        "95 % intervals in brackets.",
        *(f"# Note: {remark}" for remark in _one_line_each(calibration.remarks)),
    ]
    for group, values in calibration.changed.items():
        named = [name for name in values if name in FILES.get(group, ())]
        lines += ["", f"[{group}]"]
        lines += [
            # JSON writes numbers, strings and booleans as TOML does
            f"{name} = {json.dumps(value, ensure_ascii=False)}"
            for name, value in values.items()
            if name not in named
        ]
        lines += [
            f"# The run used {name} = {json.dumps(values[name])}: give its path with "
            f"--set {group}.{name}=PATH."
            for name in named
        ]
    return "\n".join(lines) + "\n"


def lines_of(choice: Choice) -> list[str]:
    """Return a choice in words."""
    found = ""
    if choice.found_before is not None and choice.found_after is not None:
        found = (
            f"; found {_with_interval(choice.found_before)} before, "
            f"{_with_interval(choice.found_after)} after"
        )
    return [
        f"{choice.setting}: {choice.old:g} before, {choice.new:g} after; "
        f"{choice.images} images, {choice.true} true ones",
        f"    {choice.what}: {choice.asked:g} asked for, {_with_interval(choice.rate_before)} "
        f"before, {_with_interval(choice.rate_after)} after{found}",
    ]


def _with_interval(rate: Rate) -> str:
    return f"{rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f})"


def _one_line_each(texts: Sequence[str]) -> list[str]:
    """Return texts without line breaks, which would end a comment."""
    return [" ".join(text.split()) for text in texts]


def page(calibration: Calibration, name: str) -> str:
    """Return the page as HTML; `name` is the file of the settings."""
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in calibration.remarks)
    by = "patients" if calibration.by_patient else "images"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Calibration</title><style>{STYLE}</style></head><body>
<h1>Calibration of usmicro to a site</h1>
<p class="soft">usmicro {escape(__version__)}. For research only:
not a medical device, not for diagnosis.</p>
<p>{escape(calibration.settings.calibration.source)}.</p>
<p>Use it with <code>usmicro run INPUT --out DIR --settings {escape(name)}</code>.</p>
<ul>{remarks}</ul>
<h2>Before and after</h2>{_choices(calibration.choices)}
<p class="note">After: cross-validated over {by}; each image is judged by a threshold that was
chosen without it. 95 % intervals in brackets: of rates, that of a Poisson count with the dispersion
found here; of the share that is found, by bootstrap.</p>
<h2>Foci</h2><div class="plots">{"".join(_plots(calibration))}</div>
<h2>Confidence and labels</h2>{_reliability(calibration)}
<p class="note">Mean logarithmic loss of the confidence of a candidate:
{calibration.loss_before:.5f} before,
{calibration.loss_after:.5f} after (cross-validated). The confidences in this table are
fitted to the same images.</p>
</body></html>
"""


def _choices(choices: Sequence[Choice]) -> str:
    lines = []
    for choice in choices:
        found = [
            "" if rate is None else _with_interval(rate)
            for rate in (choice.found_before, choice.found_after)
        ]
        cells = (
            *(f"{choice.images}", f"{choice.groups}", f"{choice.true}"),
            *(f"{choice.old:g}", f"{choice.new:g}", f"{choice.asked:g}"),
            *(_with_interval(choice.rate_before), _with_interval(choice.rate_after), *found),
        )
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        name = f"<code>{escape(choice.setting)}</code><br>{escape(choice.what)}"
        lines.append(f"<tr><td>{name}</td>{numbers}</tr>")
    return _table(COLUMNS, lines)


def _table(columns: Sequence[str], lines: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _plots(calibration: Calibration) -> list[str]:
    """Plot the free-response curve twice, with a dot for the threshold before and after."""
    foci = calibration.foci
    true = sum(image.true for image in foci)
    if not true:
        return ["<p>No true foci: there is no curve.</p>"]
    map_to_site = _site(calibration.settings.foci)
    false = map_to_site(np.concatenate([image.false for image in foci]))
    found = map_to_site(np.concatenate([image.found for image in foci]))

    def point(threshold: float) -> tuple[float, float]:
        return (
            float((false >= threshold).sum() / len(foci)),
            float((found >= threshold).sum() / true),
        )

    points = [point(value) for value in np.unique(np.concatenate([false, found]))[::-1].tolist()]
    choice = calibration.choices[0]
    end = round_up(min(points[-1][0], FROC_END)) if points and points[-1][0] > 0 else 1.0
    return [
        curve(
            points,
            f"Free-response curve, {when} calibration",
            "false foci per image",
            "share of the true foci",
            x_end=end,
            marker=point(threshold),
            marker_text=f"foci listed {when} calibration, from {threshold:g} on",
        )
        for when, threshold in (("before", choice.old), ("after", choice.new))
    ]


def _site(settings: FociSettings) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda values: np.array([site_confidence(value, settings) for value in values.tolist()])


def _reliability(calibration: Calibration) -> str:
    """Return a table of the share of true foci by confidence, before and after."""
    false = np.concatenate([np.empty(0), *(image.false for image in calibration.foci)])
    found = np.concatenate([np.empty(0), *(image.found for image in calibration.foci)])
    site = _site(calibration.settings.foci)
    lines = []
    for low, high in pairwise(BINS):
        cells = [f"{low:g} to {high:g}"]
        for of_false, of_found in ((false, found), (site(false), site(found))):
            counts = [
                int(((values >= low) & ((values < high) | (high == 1))).sum())
                for values in (of_false, of_found)
            ]
            total = sum(counts)
            cells += [f"{total}", f"{counts[1] / total:.2f}" if total else ""]
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        lines.append(f"<tr>{numbers}</tr>")
    columns = ("confidence", "candidates before", "share of true ones before")
    return _table((*columns, "candidates after", "share of true ones after"), lines)
