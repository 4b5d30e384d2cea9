import importlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest

import usmicro
from tests.helpers import detector_functions, mask_functions
from usmicro.batch.functions import UserFunction
from usmicro.batch.workers import Worker
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


def function_hash(function):
    return UserFunction(function, "masks").hash


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


DETECTORS = "tests.helpers.detector_functions"


@pytest.mark.usefixtures("fake_analysis")
@pytest.mark.parametrize(
    ("detector", "name"),
    [
        (detector_functions.At(7, 9), f"{DETECTORS}.At"),
        (detector_functions.At(7, 9).__call__, f"{DETECTORS}.At.__call__"),
        (f"{DETECTORS}:corner", f"{DETECTORS}.Unpicklable"),
        (f"{DETECTORS}:corner.upside_down", f"{DETECTORS}.At.upside_down"),
    ],
    ids=["object", "method", "name", "name of a method"],
)
def test_a_detector_works_with_any_number_of_workers(scans, tmp_path, detector, name):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        results = list(usmicro.run(scans, out=out, detector=detector, workers=workers))
        assert len({(result.foci[0].x_px, result.foci[0].y_px) for result in results}) == 1
        record = json.loads((out / "run.json").read_text())
        assert record["options"]["detector"] == name
        assert record["listed_from_confidence"] == record["shown_from_confidence"] == 0
        report = (out / "report.html").read_text(encoding="utf-8")
        assert f"The foci are those of the detector {name}." in report
    assert (tmp_path / "1" / "foci.csv").read_bytes() == (tmp_path / "2" / "foci.csv").read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_with_a_detector_gives_what_analyze_gives(tmp_path, workers, sample_data):
    (tmp_path / "scans").mkdir()
    for name in ("mass_linear.png", "mass_regions.dcm"):
        (tmp_path / "scans" / name).write_bytes((sample_data / name).read_bytes())
    detector = detector_functions.brightest
    for result in usmicro.run(
        tmp_path / "scans", out=tmp_path / "r", detector=detector, workers=workers
    ):
        expected = usmicro.analyze(tmp_path / "scans" / result.image, detector=detector)
        assert [(focus.x_px, focus.y_px, focus.label) for focus in result.foci] == [
            (focus.x_px, focus.y_px, focus.label) for focus in expected.foci
        ]
        assert len(result.foci) == 1
        assert any("detector_functions.brightest" in note for note in result.notes)


@pytest.mark.usefixtures("fake_analysis")
def test_resume_keeps_only_results_of_the_same_detector(scans, tmp_path, computed):
    for detector, expected in (
        (detector_functions.brightest, 5),
        (detector_functions.brightest, 0),
        (f"{DETECTORS}:brightest", 5),  # it may be another function than the pickled one
        (f"{DETECTORS}:brightest", 0),
        (detector_functions.At(1, 2), 5),
        (detector_functions.At(1, 3), 5),
        (None, 5),
    ):
        computed.clear()
        list(usmicro.run(scans, out=tmp_path / "r", detector=detector, workers=1, resume=True))
        assert len(computed) == expected


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (7, "detector: expected a function .* found 7"),
        ("bright_blobs", "detector bright_blobs: expected module:function"),
        ("no_such_module:detect", "no module no_such_module found"),
        (f"{DETECTORS}:nothing", "has no nothing"),
        (lambda frame, spacing: None, r"detector: .* cannot be sent to worker processes"),
        (detector_functions.corner, r"detector: .* cannot be sent .* \(a session .*\); define it"),
    ],
)
def test_a_wrong_detector_is_refused_at_the_call(scans, tmp_path, detector, message):
    with pytest.raises(UsageError, match=message):
        usmicro.run(scans, out=tmp_path / "r", detector=detector, workers=2)
    assert not (tmp_path / "r").exists()


def test_masks_that_are_neither_folder_nor_function_are_refused(scans, tmp_path):
    with pytest.raises(UsageError, match=r"masks: expected a folder or a function .* found dict"):
        usmicro.run(scans, out=tmp_path / "r", masks={"masses": None})


@pytest.mark.usefixtures("fake_analysis")
def test_a_failing_detector_costs_one_row_each(scans, tmp_path):
    def fails(frame, spacing):
        raise RuntimeError("no graphics card")

    results = list(usmicro.run(scans, out=tmp_path / "r", workers=1, detector=fails))
    assert [result.status for result in results] == ["failed"] * 5


def test_the_command_line_takes_a_detector_of_the_current_folder(
    scans, tmp_path, monkeypatch, fake_analysis
):
    from usmicro.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "detector_here.py").write_text(
        "def detect(frame, spacing):\n    return [11], [12], [3], [0.5]\n"
    )
    command = ["run", str(scans), "--out", "r", "--workers", "2", "--quiet"]
    assert main([*command, "--detector", "detector_here:detect"]) == 0
    results = usmicro.read_results("r")
    assert {(row["x_px"], row["y_px"]) for row in results.rows("foci")} == {(11, 12)}
    assert results.record["options"]["detector"] == "detector_here.detect"
    assert main([*command, "--resume", "--detector", "detector_here:other"]) == 2
    del sys.modules["detector_here"]


def detector_module(folder, x):
    """Write a module with a detector that finds a focus in column x, and import it."""
    folder.mkdir()
    file = folder / "my_own_detector.py"
    file.write_text(f"def detect(frame, spacing):\n    return [{x}], [12], [3], [0.5]\n")
    sys.modules.pop("my_own_detector", None)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        return UserFunction(importlib.import_module("my_own_detector").detect, "detector"), file
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def job(scans, tmp_path):
    """Give a job of one scan."""
    from usmicro.batch.inputs import make_jobs
    from usmicro.settings import Settings

    jobs, *_ = make_jobs([scans / "a.png"], out=tmp_path / "r", settings=Settings())
    return jobs[0]


@pytest.fixture
def worker():
    """Give a worker, and end its process after the test."""
    worker = Worker()
    yield worker
    worker.stop()
    sys.modules.pop("my_own_detector", None)


@pytest.mark.usefixtures("fake_analysis")
def test_a_worker_without_the_folder_of_a_module_finds_it(job, worker, tmp_path):
    """As on a cluster, where a worker serves several runs, with modules of the same name."""
    for x in (21, 22, 23):
        function, _ = detector_module(tmp_path / str(x), x)
        result = worker.compute(replace(job, detector=function))
        assert result.foci[0].x_px == x
    assert worker.compute(job).foci[0].x_px != 23


@pytest.mark.usefixtures("fake_analysis")
def test_a_worker_refuses_another_version_of_a_module(job, worker, tmp_path):
    function, file = detector_module(tmp_path / "x", 21)
    file.write_text(file.read_text().replace("21", "22"))
    with pytest.raises(UsageError, match="found another version of my_own_detector"):
        worker.compute(replace(job, detector=function))
