import json

import cv2
import numpy as np
import pytest

from tests.helpers.evaluated_run import NAMES, make_run
from usmicro.comparison import compare
from usmicro.errors import UsageError
from usmicro.evaluation import evaluate


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


@pytest.fixture
def marks(tmp_path):
    file = tmp_path / "marks.csv"
    file.write_text("image,x_px,y_px\n" + "".join(f"{name},30,30\n" for name in NAMES))
    return file


@pytest.fixture
def masks(tmp_path):
    folder = tmp_path / "truth"
    folder.mkdir()
    mask = np.zeros((80, 100), np.uint8)
    mask[20:40, 20:40] = 255
    cv2.imwrite(str(folder / "a_mask.png"), mask)
    return folder


def names_in(folder):
    return {file.name for file in folder.iterdir()}


def test_an_evaluation_leaves_no_table_of_a_former_one(run, marks, masks, tmp_path):
    evaluate(run, marks, out=tmp_path / "out")
    assert {"foci.csv", "froc.csv"} < names_in(tmp_path / "out")
    evaluate(run, masks, out=tmp_path / "out")
    evaluate(run, masks, out=tmp_path / "fresh")
    assert names_in(tmp_path / "out") == names_in(tmp_path / "fresh")


def test_a_comparison_leaves_no_table_of_a_former_one(run, marks, tmp_path):
    compare(run, run, truth=marks, out=tmp_path / "out")
    compare(run, run, out=tmp_path / "out")
    assert "measures.csv" not in names_in(tmp_path / "out")


def test_files_of_others_are_left_alone(run, masks, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "foci.csv").write_text("mine")
    evaluate(run, masks, out=folder)
    assert (folder / "foci.csv").read_text() == "mine"


@pytest.mark.parametrize("command", [evaluate, compare])
def test_the_tables_of_a_run_are_not_replaced(run, marks, command):
    before = {name: (run / name).read_bytes() for name in ("images.csv", "foci.csv")}
    with pytest.raises(UsageError, match="holds a run of usmicro"):
        command(run, marks if command is evaluate else run, out=run)
    assert {name: (run / name).read_bytes() for name in before} == before
    assert json.loads((run / "run.json").read_text())["complete"]
