from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.documents.settings import main, page
from usmicro.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_in_docs_is_current():
    assert page() == DOCUMENT.read_text(encoding="utf-8"), (
        "run python -m benchmarks.documents.settings docs/settings.md"
    )


@pytest.mark.parametrize("group", [item.name for item in fields(Settings)])
def test_every_setting_has_a_row_with_its_meaning(group):
    rows = [line for line in page().splitlines() if line.startswith(f"| `{group}.")]
    values = getattr(Settings(), group)
    assert len(rows) == len(fields(values))
    for row, item in zip(rows, fields(values), strict=True):
        assert row.startswith(f"| `{group}.{item.name}`")
        assert item.metadata["says"] in row


def test_the_command_writes_the_page(tmp_path):
    assert main([str(tmp_path / "settings.md")]) == 0
    assert (tmp_path / "settings.md").read_text(encoding="utf-8") == page()
