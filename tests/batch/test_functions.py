import importlib
import json
import subprocess
import sys

import pytest

import usmicro
from tests.helpers import mask_functions
from usmicro.batch.functions import function_hash
from usmicro.errors import UsageError


@pytest.fixture
def masks_module(tmp_path, monkeypatch):
    """Give a module with a masks function `find`, and its file."""
    file = tmp_path / "masks_module.py"
    file.write_text("def find(image, spacing):\n    return {'masses': image > 100}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("masks_module"), file
    del sys.modules["masks_module"]


@pytest.mark.usefixtures("fake_analysis")
def test_a_masks_function_works_with_any_number_of_workers(scans, tmp_path):
    for workers in (1, 2):
        results = list(
            usmicro.run(
                scans, out=tmp_path / str(workers), masks=mask_functions.bright, workers=workers
            )
        )
        assert [result.summary.masses for result in results] == [1] * 5
    record = json.loads((tmp_path / "2" / "run.json").read_text())
    assert record["options"]["masks"] == "tests.helpers.mask_functions.bright"
    for name in ("foci.csv", "masses.csv", "clusters.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize(
    "function",
    [lambda image, spacing: None, mask_functions.Brighter(lambda: 3)],
    ids=["lambda", "holds a lambda"],
)
def test_a_function_that_cannot_be_sent_to_workers_is_refused_at_the_call(
    scans, tmp_path, function
):
    with pytest.raises(UsageError, match=r"cannot be sent to worker processes .* workers=1"):
        usmicro.run(scans, out=tmp_path / "r", masks=function, workers=2)
    assert not (tmp_path / "r").exists()


@pytest.mark.usefixtures("fake_analysis")
def test_one_process_accepts_any_function(scans, tmp_path):
    results = list(
        usmicro.run(scans, out=tmp_path / "r", masks=lambda image, spacing: None, workers=1)
    )
    assert [result.status for result in results] == ["ok"] * 5


def test_a_function_of_the_script_itself_is_refused_with_a_remedy(scans, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, usmicro\ndef find(image, spacing):\n    return None\n"
        "usmicro.run(sys.argv[1], out=sys.argv[2], masks=find, workers=2)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(scans), str(tmp_path / "r")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "masks: __main__.find is defined in the script itself" in done.stderr
    assert "module of its own" in done.stderr


@pytest.mark.usefixtures("fake_analysis")
def test_a_module_that_workers_cannot_import_ends_the_run_with_the_reason(
    scans, tmp_path, masks_module
):
    module, file = masks_module
    file.write_text("raise RuntimeError('no licence')\n")
    with pytest.raises(
        UsageError, match=r"cannot import the function \(RuntimeError: no licence\); give workers=1"
    ):
        list(usmicro.run(scans, out=tmp_path / "r", masks=module.find, workers=2))


def test_function_hash_depends_on_function_parameters_and_source(masks_module):
    module, file = masks_module
    before = function_hash(module.find)
    assert before == function_hash(module.find)
    file.write_text(file.read_text().replace("100", "101"))
    assert function_hash(module.find) != before
    assert function_hash(mask_functions.Brighter(3)) == function_hash(mask_functions.Brighter(3))
    assert function_hash(mask_functions.Brighter(3)) != function_hash(mask_functions.Brighter(4))
    assert function_hash(lambda image, spacing: None) != function_hash(lambda image, spacing: None)


@pytest.mark.usefixtures("fake_analysis")
def test_resume_keeps_only_results_of_the_same_function(scans, tmp_path, computed):
    for function, expected in (
        (mask_functions.bright, 5),
        (mask_functions.bright, 0),
        (mask_functions.Brighter(9), 5),
        (None, 5),
    ):
        computed.clear()
        list(usmicro.run(scans, out=tmp_path / "r", masks=function, workers=1, resume=True))
        assert len(computed) == expected
