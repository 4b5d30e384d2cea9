"""Cells of a review: numbers, words, outlines."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from usmicro.evaluation.measures import DESCRIPTORS, PRESENT

REVIEW_COLUMNS = (
    *("image", "frame", "focus", "x_px", "y_px", "diameter_px", "decision", "label", "shadow"),
    *("twinkling", "mass", "calcification", "reader", "comment", "outline_px", "mass_number"),
    *("reviewed", "run", "blind"),
)
"""Columns of review.csv. Those from `outline_px` on may be missing."""
Cells = Mapping[str, str]
"""Cells of a row, by column."""
Outline = tuple[tuple[float, float], ...]
"""Corners of an outline, (column, row), pixels of the image."""
NO_FORMULA = re.compile(r"^'(?='*[=+\-@\t\r])")
"""The apostrophe that keeps a spreadsheet from reading a text as a formula."""
UNSURE = "unsure"
"""Answer of a reader who cannot tell whether an image shows calcifications."""
_ANSWERS = {"yes": PRESENT, PRESENT: PRESENT, "no": "none", "none": "none", UNSURE: UNSURE}


class CellError(Exception):
    """A cell that cannot be used: what is expected, and what was found."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"{expected}, found {found}")
        self.expected, self.found = expected, found


def text_in(row: Cells, column: str) -> str:
    """Return the text that a reader typed."""
    return NO_FORMULA.sub("", row.get(column, "")).strip()


def word_in(row: Cells, column: str, words: Sequence[str]) -> str | None:
    """Return one of the words; None if the cell is empty."""
    text = row.get(column, "").strip().lower()
    if text and text not in words:
        raise CellError(
            f"column {column}: expected {', '.join(words)} or nothing", row[column].strip()
        )
    return text or None


def number_in(row: Cells, column: str, *, least: float | None = None) -> float | None:
    """Return a number of pixels; None if the cell is empty."""
    text = row.get(column, "").strip()
    if not text:
        return None
    value = _float(text)
    if not math.isfinite(value) or (least is not None and value < least):
        limit = "" if least is None else f" of at least {least:g}"
        raise CellError(f"column {column}: expected a number of pixels{limit}", text)
    return value


def whole_number_in(row: Cells, column: str, least: int) -> int | None:
    """Return a whole number; None if the cell is empty."""
    text = row.get(column, "").strip()
    if not text:
        return None
    value = _float(text)  # a spreadsheet may have written 3.0
    if not value.is_integer() or value < least:
        raise CellError(f"column {column}: expected a whole number of at least {least}", text)
    return int(value)


def position_in(row: Cells, shape: tuple[int | None, int | None]) -> tuple[float, float]:
    """Return column and row of a position in an image of `shape` (rows, columns)."""
    x_px, y_px = number_in(row, "x_px"), number_in(row, "y_px")
    if x_px is None or y_px is None:
        missing = "x_px" if x_px is None else "y_px"
        raise CellError(f"column {missing}: expected a number of pixels", "nothing")
    rows, columns = shape
    if rows and columns and not (-0.5 <= x_px <= columns - 0.5 and -0.5 <= y_px <= rows - 0.5):
        raise CellError(
            "expected a position in the image",
            f"column {x_px:g}, row {y_px:g} in {columns} x {rows} pixels",
        )
    return x_px, y_px


def outline_in(row: Cells) -> Outline | None:
    """Return the corners of an outline; None if the cell is empty."""
    text = row.get("outline_px", "").strip()
    if not text:
        return None
    corners = [tuple(map(_float, corner.split(","))) for corner in text.split()]
    if len(corners) < 3 or any(
        len(corner) != 2 or not all(map(math.isfinite, corner)) for corner in corners
    ):
        found = text if len(text) <= 40 else f"{text[:40]} ..."
        raise CellError('column outline_px: expected at least three corners "x,y x,y x,y"', found)
    return tuple((x, y) for x, y in corners)


def calcification_in(row: Cells) -> str | None:
    """Return the answer on calcifications; None if the cell is empty."""
    text = row.get("calcification", "").strip().lower()
    if not text or text in _ANSWERS:
        return _ANSWERS.get(text)
    words = [word.strip() for word in text.split("+")]
    if any(word not in DESCRIPTORS for word in words):
        raise CellError("column calcification: expected yes, no, unsure or nothing", text)
    return "+".join(words)


def _float(text: str) -> float:
    """Return a number; NaN if the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
