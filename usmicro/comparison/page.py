"""The page comparison.html: what differs between two runs, in one self-contained file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from usmicro import __version__
from usmicro.comparison.differences import CHANGES, MOVED_PX, Difference, Kind, totals
from usmicro.comparison.result import RunComparison, counted, with_differences, wording
from usmicro.evaluation.crops import Crops, Outline, Ring
from usmicro.evaluation.gallery import STYLE as GALLERY_STYLE
from usmicro.evaluation.gallery import is_inside
from usmicro.evaluation.links import ReportLinks
from usmicro.evaluation.page import STYLE, table
from usmicro.evaluation.run_areas import read_label_image
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, area_of
from usmicro.writing.report.pictures import Box, outline_path
from usmicro.writing.report.run import Run

MOST_TILES = 60
"""Largest number of crops of one gallery, as in the page of an evaluation; comparison.csv lists all
differences."""
MOST_IMAGES = 200
"""Largest number of images in the table of the page; images.csv lists all. Chosen by judgement."""

COMPARISON_STYLE = """
.crop .a { stroke: #f0e442; stroke-dasharray: 5 3; }
.crop .b { stroke: #56b4e9; }
.key.a { border-top-style: dashed; border-color: #b8a800; }
.key.b { border-color: #56b4e9; }
"""

KEY = (
    '<p class="note"><span class="key a"></span> A <span class="key b"></span> B; '
    "the subject of a crop is drawn bolder</p>"
)

GALLERIES: tuple[tuple[str, Kind, tuple[str, ...]], ...] = (
    ("Gained foci", "focus", ("gained",)),
    ("Lost foci", "focus", ("lost",)),
    ("Relabelled foci", "focus", ("label", "shadow", "twinkling")),
    (f"Foci moved by more than {MOVED_PX:g} pixel", "focus", ("moved",)),
    ("Masses", "mass", CHANGES["mass"]),
)
"""Heading of each gallery, and the differences that it shows."""

KINDS: tuple[tuple[Kind, str], ...] = (("focus", "foci"), ("mass", "masses"), ("image", "images"))
"""Kinds of findings, and how several are called."""


def page(comparison: RunComparison, folder: Path) -> str:
    """Return the page as HTML; it will lie in `folder`, from where it links to both reports."""
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in comparison.remarks)
    summary = "".join(f"<li>{escape(line)}</li>" for line in comparison.lines()[2:])
    galleries = _Galleries(comparison, folder)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Comparison</title><style>{STYLE}{GALLERY_STYLE}{COMPARISON_STYLE}</style></head><body>
<h1>Comparison of two usmicro runs</h1>
<p class="soft">usmicro {escape(__version__)}. For research only:
not a medical device, not for diagnosis.</p>
<p>A: {_run_title(comparison.a)}<br>B: {_run_title(comparison.b)}</p>
<ul>{summary}</ul>
<h2>Settings and versions that differ</h2>{_records(comparison)}
{_measures(comparison)}
{f"<ul>{remarks}</ul>" if remarks else ""}
<h2>Differences</h2>{_totals(comparison)}
<h2>Images with differences</h2>{_images(comparison)}
{galleries.html()}
</body></html>
"""


def _run_title(run: Run) -> str:
    version = escape(str(run.record["usmicro"]))
    return f"{escape(str(run.folder))}, usmicro {version}, {len(run.images):,} images"


def _records(comparison: RunComparison) -> str:
    if not comparison.records:
        return "<p>None.</p>"
    lines = [
        f"<tr><td>{escape(record.name)}</td><td>{escape(record.a)}</td>"
        f"<td>{escape(record.b)}</td></tr>"
        for record in comparison.records
    ]
    return table(("name", "A", "B"), lines)


def _measures(comparison: RunComparison) -> str:
    """Return the measures of both runs; empty without labels."""
    if not comparison.measures:
        return ""
    lines = []
    for measure in comparison.measures:
        low, high = measure.difference.low, measure.difference.high
        interval = f"{low:+.3f} to {high:+.3f}" if np.isfinite(low) else ""
        numbers = (
            f"{measure.a:.3f}",
            f"{measure.b:.3f}",
            f"{measure.difference.value:+.3f}",
            interval,
            f"{measure.images}",
        )
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        lines.append(f"<tr><td>{escape(measure.name)}</td>{cells}</tr>")
    columns = ("measure", "A", "B", "B minus A", "95 % interval", "images")
    note = (
        "Over the images that both runs have analysed. Intervals of the difference are paired "
        f"percentile bootstrap intervals over {comparison.resampled}."
    )
    return f'<h2>Measures</h2>{table(columns, lines)}<p class="note">{note}</p>'


def _totals(comparison: RunComparison) -> str:
    counts = totals(comparison.images)
    lines = [
        f'<tr><td>{name}</td><td>{escape(wording(change))}</td><td class="number">'
        f"{counts[kind, change]:,}</td></tr>"
        for kind, name in KINDS
        for change in CHANGES[kind]
        if counts[kind, change]
    ]
    if not lines:
        return "<p>There is no difference in the findings.</p>"
    return table(("", "difference", "number"), lines)


def _images(comparison: RunComparison) -> str:
    """Return the table of the images with most differences first."""
    changed = sorted(
        with_differences(comparison.images), key=lambda image: (-len(image.rows), image.image)
    )
    if not changed:
        return "<p>None.</p>"
    names = [
        (kind, plural, change)
        for kind, plural in KINDS[:2]
        for change in CHANGES[kind]
        if any(image.count(kind, change) for image in changed)
    ]
    lines = []
    for image in changed[:MOST_IMAGES]:
        others = "; ".join(
            f"{row.change}: {row.before} to {row.after}" if row.before is not None else row.change
            for row in image.rows
            if row.kind == "image"
        )
        counts = "".join(
            f'<td class="number">{image.count(kind, change) or ""}</td>'
            for kind, _, change in names
        )
        lines.append(f"<tr><td>{escape(image.image)}</td>{counts}<td>{escape(others)}</td></tr>")
    columns = (
        "image",
        *(f"{plural}: {change}" for _, plural, change in names),
        "image as a whole",
    )
    more = len(changed) - MOST_IMAGES
    rest = f" {more:,} more images have differences." if more > 0 else ""
    return f'{table(columns, lines)}<p class="note">images.csv lists all images.{rest}</p>'


class _Galleries:
    """Crops of the differences."""

    def __init__(self, comparison: RunComparison, folder: Path) -> None:
        self._comparison = comparison
        runs = {"a": comparison.a, "b": comparison.b}
        self._runs = runs
        self._crops = {side: Crops(run) for side, run in runs.items()}
        self._links = {side: ReportLinks(run, folder) for side, run in runs.items()}
        self._rows = {side: {row["image"]: row for row in run.images} for side, run in runs.items()}

    def html(self) -> str:
        """Return the galleries as HTML."""
        parts = []
        for heading, kind, changes in GALLERIES:
            rows = [
                row for row in self._comparison.rows if row.kind == kind and row.change in changes
            ]
            if not rows:
                continue
            rows.sort(key=lambda row: -(row.confidence_b or row.confidence_a or 0.0))
            shown = rows[:MOST_TILES]
            more = len(rows) - len(shown)
            note = f"{counted(len(rows), 'difference')}, those of high confidence first."
            if more:
                note += f" {more:,} more are in comparison.csv."
            tiles = "".join(self._tile(row) for row in shown)
            parts.append(
                f'<h2>{heading}</h2>{KEY}<p class="note">{note}</p>'
                f'<div class="gallery">{tiles}</div>'
            )
        return "".join(parts)

    def _tile(self, row: Difference) -> str:
        """Return a figure of one difference, with links to both reports."""
        text = _description(row)
        picture = self._picture(row, f"{row.image}, {text}")
        shown = picture or '<span class="nothing">No picture of this frame is stored.</span>'
        links = []
        for side, number in (("a", row.a), ("b", row.b)):
            focus = number if row.kind == "focus" else None
            if address := self._links[side].link(row.image, focus):
                links.append(f'<a href="{escape(address, quote=True)}">{side.upper()}</a>')
        reports = f"<br>report {' and '.join(links)}" if links else ""
        style = "tile wide" if row.kind == "mass" else "tile"
        return (
            f'<figure class="{style}">{shown}<figcaption>{escape(row.image)}<br>{escape(text)}'
            f"{reports}</figcaption></figure>"
        )

    def _picture(self, row: Difference, title: str) -> str:
        """Return a crop; from the first run if the finding is lost, else from the second."""
        side = "a" if row.change == "lost" else "b"
        run, crops = self._runs[side], self._crops[side]
        image_row = self._rows[side][row.image]
        frame = run.key_frame(row.image) if row.frame is None else row.frame
        x, y = row.x_px or 0.0, row.y_px or 0.0
        if row.kind == "focus":
            box = crops.around_focus(image_row, x, y, self._diameter(row, side))
            rings = list(self._rings(row, box))
            return crops.draw(row.image, frame, box, rings, title=title)
        outlines, bounds = [], []
        for kind in ("b", "a"):
            if self._runs[kind].key_frame(row.image) == frame:
                labels = read_label_image(self._runs[kind], self._rows[kind][row.image])
                area = area_of(labels, AreaLabel.MASS)
                outlines.append(Outline(kind, outline_path(area)))
                bounds.append(area)
        corners: Box = (0, 0, image_row["columns"], image_row["rows"])
        if bounds and np.any(bounds):
            corners = _box_of(np.logical_or.reduce(bounds))
        box = crops.around(image_row, corners)
        return crops.draw(row.image, frame, box, (), outlines, title=title)

    def _diameter(self, row: Difference, side: str) -> float | None:
        number = row.a if side == "a" else row.b
        foci = self._runs[side].foci.get(row.image, [])
        return next((focus["diameter_px"] for focus in foci if focus["focus"] == number), None)

    def _rings(self, row: Difference, box: Box) -> Iterator[Ring]:
        """Yield rings around the foci of both runs in a part of an image."""
        # the dashed rings of A lie on those of B, so that both are seen at one place
        for side, number in (("b", row.b), ("a", row.a)):
            for focus in self._foci_in(side, row.image, row.frame, box):
                yield Ring(
                    side,
                    focus["x_px"],
                    focus["y_px"],
                    focus["diameter_px"] or 0.0,
                    is_subject=focus["focus"] == number,
                )

    def _foci_in(
        self, side: str, image: str, frame: int | None, box: Box
    ) -> Sequence[Mapping[str, float]]:
        foci = self._runs[side].foci.get(image, [])
        return [
            focus
            for focus in foci
            if focus["frame"] == frame and is_inside(box, focus["x_px"], focus["y_px"])
        ]


def _box_of(area: BoolImage) -> Box:
    """Return the bounding box of an area that is not empty."""
    rows, columns = np.nonzero(area)
    return (
        int(columns.min()),
        int(rows.min()),
        int(np.ptp(columns)) + 1,
        int(np.ptp(rows)) + 1,
    )


def _description(row: Difference) -> str:
    """Return a difference in words."""
    numbers = [f"{number} in {name}" for number, name in ((row.a, "A"), (row.b, "B")) if number]
    text = f"{row.kind} {', '.join(numbers)}"
    if row.before is not None or row.after is not None:
        text += f": {row.change} {row.before} to {row.after}"
    elif row.distance_px is not None:
        text += f": moved by {row.distance_px:.1f} pixels"
    elif row.dice is not None:
        text += f": outlines with Dice {row.dice:.2f}"
    else:
        text += f": {row.change}"
    confidences = [
        f"{value:.2f}" for value in (row.confidence_a, row.confidence_b) if value is not None
    ]
    text += f", confidence {' to '.join(confidences)}"
    return text + (f", frame {row.frame}" if row.frame else "")
