"""The notebooks of the documentation run from top to bottom."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from usmicro.phantom.samples import write_samples

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))


def code_cells(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_is_valid(notebook):
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])


@pytest.mark.slow
def test_the_review_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_samples(tmp_path / "sample_data")
    names: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for source in code_cells(NOTEBOOKS[0].with_name("review.ipynb")):
            exec(compile(source, "cell", "exec"), names)
    text = printed.getvalue()
    assert "foci, sensitivity at 1 false positive per image:" in text
    assert "foci.minimum_confidence:" in text
    assert "9 images in both runs" in text
    assert (tmp_path / "calibration.html").is_file()
    assert (tmp_path / "comparison" / "comparison.html").is_file()
