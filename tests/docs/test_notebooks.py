"""The notebooks of the documentation run from top to bottom."""

import contextlib
import io
import json
import shutil
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


@pytest.fixture
def run(tmp_path, monkeypatch, sample_data):
    """Run a notebook in a folder with a few sample scans; return what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")

    def run_notebook(name, scans):
        (tmp_path / "sample_data").mkdir()
        for file in (*scans, "truth.json", "spacing.csv"):
            shutil.copy(sample_data / file, tmp_path / "sample_data")
        return printed_by(name)

    return run_notebook


def printed_by(name):
    names: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for source in code_cells(NOTEBOOKS[0].with_name(name)):
            exec(compile(source, "cell", "exec"), names)
    return printed.getvalue()


def test_the_notebook_on_one_image_runs(run, tmp_path):
    pytest.importorskip("matplotlib")
    text = run("one_image.ipynb", ["mass_linear.png"])
    assert "given [" in text
    assert "is below" in text  # why a candidate is not listed
    assert "It is the score of the detector" in text
    assert (tmp_path / "one-image" / "report.html").is_file()


@pytest.mark.slow
def test_the_notebook_on_a_folder_runs(run, tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    text = run("folder.ipynb", ["mass_linear.png", "no_foci.png", "mass_regions.dcm"])
    assert "foci, sensitivity at 1 false positive per image:" in text
    assert "3 images in both runs" in text
    assert (tmp_path / "comparison" / "comparison.html").is_file()


@pytest.mark.slow
def test_the_review_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_samples(tmp_path / "sample_data")
    text = printed_by("review.ipynb")
    assert "foci, sensitivity at 1 false positive per image:" in text
    assert "foci.minimum_confidence:" in text
    assert "9 images in both runs" in text
    assert (tmp_path / "calibration.html").is_file()
    assert (tmp_path / "comparison" / "comparison.html").is_file()
