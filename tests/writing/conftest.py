from pathlib import Path

import pytest

from tests.helpers.finished_analysis import FOCUS, MASS, made_analysis
from usmicro.model.findings import Focus, Mass


@pytest.fixture
def focus() -> Focus:
    return FOCUS


@pytest.fixture
def mass() -> Mass:
    return MASS


@pytest.fixture
def make_analysis():
    return made_analysis


@pytest.fixture
def contract() -> dict[str, tuple[str, ...]]:
    """Return the columns of each table that docs/outputs.md describes."""
    text = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
    tables = {}
    for table in (
        "images.csv",
        "masses.csv",
        "foci.csv",
        "clusters.csv",
        "tracks.csv",
        "groups.csv",
    ):
        section = text.split(f"\n## {table}\n")[1].split("\n## ")[0]
        tables[table] = tuple(
            line.split("`")[1] for line in section.splitlines() if line.startswith("| `")
        )
    return tables
