"""Display of an analysis: a few lines of text in a terminal, picture and tables in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from usmicro.writing.indexed_png import encode_with_drawing
from usmicro.writing.overlays import draw
from usmicro.writing.tables import cell, plain

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

MOST_ROWS = 50
"""Number of rows of a table that a notebook shows."""
FOCI_SHOWN = (
    "focus",
    "frame",
    "x_px",
    "y_px",
    "depth_mm",
    "diameter_mm",
    "confidence",
    "kind",
    "label",
    "shadow",
    "twinkling",
)
MASSES_SHOWN = (
    "mass",
    "frame",
    "x_px",
    "y_px",
    "width_mm",
    "height_mm",
    "orientation",
    "posterior",
    "confidence",
    "foci",
)
NOT_FOR_DIAGNOSIS = "For research only, not for diagnosis."


def analysis_text(analysis: AnalysisLike) -> str:
    """Describe an analysis in a few lines."""
    summary, scan = analysis.summary, analysis.scan
    spacing = (
        f"{summary.spacing_x_mm:g} x {summary.spacing_y_mm:g} mm"
        if summary.spacing_x_mm and summary.spacing_y_mm
        else "unknown"
    )
    lines = [
        f"Analysis of {scan.name}: {summary.columns} x {summary.rows} px, "
        f"{_count(summary.frames, 'frame')}, spacing {spacing}",
        f"  {_count(summary.foci, 'focus', 'foci')}: {summary.intramass} intramass, "
        f"{summary.extramass} extramass, {summary.intraductal} intraductal",
        f"  {_count(summary.masses, 'mass', 'masses')}; calcification: {summary.calcification} "
        f"(score {summary.calcification_score:.2f})",
        *(f"  warning: {warning}" for warning in analysis.warnings),
        *(f"  note: {note}" for note in analysis.notes),
    ]
    return "\n".join(lines)


def analysis_html(analysis: AnalysisLike) -> str:
    """Describe an analysis as HTML: text, overlay, and the tables of masses and foci."""
    picture = base64.b64encode(encode_with_drawing(draw(analysis))).decode()
    return (
        f"<pre>{escape(analysis_text(analysis))}</pre>"
        f'<img alt="The key frame of {escape(analysis.scan.name, quote=True)} with its findings" '
        f'style="max-width:100%" src="data:image/png;base64,{picture}">'
        f"{rows_html([plain(mass) for mass in analysis.masses], MASSES_SHOWN)}"
        f"{rows_html([plain(focus) for focus in analysis.foci], FOCI_SHOWN)}"
        f"<p>{NOT_FOR_DIAGNOSIS}</p>"
    )


def rows_html(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Return an HTML table of rows; a note says how many rows are left out.

    Parameters
    ----------
    rows : sequence of mapping
        Values by name of the column.
    columns : sequence of str, optional
        Columns to show; all if not given.
    """
    if not rows:
        return ""
    columns = columns or list(rows[0])
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell(row[column]))}</td>' for column in columns)}</tr>"
        for row in rows[:MOST_ROWS]
    )
    more = f"<p>The first {MOST_ROWS} of {len(rows)} rows.</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
