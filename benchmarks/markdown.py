"""Markdown tables, and the parts of documents that programs write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from usmicro.errors import UsageError


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns, which a terminal shows well too."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    texts = [f"| {' | '.join(cells)} |" for cells in padded]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


def replace_generated_part(document: Path, begin: str, end: str, text: str) -> None:
    """Replace the text between the lines `begin` and `end` of a document.

    Raises
    ------
    UsageError
        If the document is missing or lacks the lines.
    """
    old = document.read_text(encoding="utf-8") if document.is_file() else ""
    before, found_begin, rest = old.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise UsageError(
            f"{document}: expected the lines {begin} and {end}, between which the results are "
            "written; found no such lines"
        )
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
