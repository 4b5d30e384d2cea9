"""The examples in the documents run and print the output that the documents show."""

import importlib.util
import json
import re
import shlex
import shutil

import numpy as np
import pytest

from tests.helpers.examples import DOCUMENTS, ROOT, blocks
from tests.helpers.small_onnx import bright_point_network
from usmicro.cli import make_parser
from usmicro.evaluation.truth import read_truth
from usmicro.loading import load


def test_the_start_page_runs(reader):
    reader.read(ROOT / "docs" / "index.md")
    assert (reader.folder / "results" / "report.html").is_file()
    assert (reader.folder / "results-own" / "foci.csv").is_file()


def test_the_python_of_the_readme_runs(reader):
    from my_package import my_model  # type: ignore[import-not-found]  # made by the fixture

    reader.names["my_model"] = my_model
    reader.read(ROOT / "README.md", languages=("python",))
    assert reader.names["analysis"].foci
    assert (reader.folder / "results" / "images.csv").is_file()


def test_the_page_of_formats_runs(reader):
    from scipy.io import savemat

    cine = np.random.default_rng(1).integers(0, 256, (20, 30, 5), dtype=np.uint8)
    savemat(reader.folder / "scan.mat", {"frames": cine})
    np.save("rf.npy", np.random.default_rng(2).normal(size=(400, 60)))
    loading, matlab, hdf5, rf = (
        block for block in blocks(ROOT / "docs" / "formats.md") if block.language == "python"
    )
    assert reader.run(loading) == "0.08\n"
    reader.run(matlab)
    np.testing.assert_array_equal(np.stack(list(load("scan.npy").frames())), cine.T.swapaxes(1, 2))
    reader.run(rf)
    assert load("rf.npz").spacing.y_mm == 0.0385
    assert next(load("rf.npz").frames()).shape == (400, 60)
    h5py = pytest.importorskip("h5py")
    with h5py.File("scan.h5", "w") as file:
        file["frames"] = cine
    reader.run(hdf5)
    np.testing.assert_array_equal(np.stack(list(load("scan.npy").frames())), cine)


def test_the_page_of_settings_runs(reader):
    reader.read(ROOT / "docs" / "settings.md")
    record = json.loads((reader.folder / "results-settings" / "run.json").read_text("utf-8"))
    assert record["settings"]["shadow"]["length"] == 8
    assert reader.names["settings"].shadow.length == 8


def test_the_page_of_masks_runs(reader):
    reader.read(ROOT / "docs" / "masks.md")
    masses = reader.names["analysis"].masses
    assert [mass.confidence for mass in masses] == [1.0]


def test_the_page_of_the_api_runs(reader):
    reader.read(ROOT / "docs" / "api.md")
    assert reader.names["analysis"].maps["mass"].max() > 0.5


def test_the_page_of_detectors_runs(reader):
    (reader.folder / "my_network.onnx").write_bytes(bright_point_network())
    first, second, run, third, last = reader.read(ROOT / "docs" / "detectors.md")
    assert first.printed == third.printed == ""
    assert "results in results-detector" in run.printed
    record = json.loads((reader.folder / "results-detector" / "run.json").read_text("utf-8"))
    assert record["options"]["detector"] == "bright_blobs.detect"
    lines = second.printed.splitlines()
    assert len(lines) == 3
    assert {line.split()[0] for line in lines} <= {"intramass", "extramass", "intraductal"}
    assert last.printed == "It is the score of the detector my_network.detect.\n"


def test_the_same_network_gives_the_same_probability_in_onnxruntime(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    import cv2

    file = tmp_path / "network.onnx"
    file.write_bytes(bright_point_network())
    image = np.random.default_rng(1).random((1, 1, 30, 40), np.float32)
    network = cv2.dnn.readNetFromONNX(str(file))
    network.setInput(image)
    session = onnxruntime.InferenceSession(str(file))
    np.testing.assert_allclose(session.run(None, {"input": image})[0], network.forward(), atol=1e-5)


def test_the_page_of_runs_from_python_runs(reader):
    pytest.importorskip("pandas")
    files, arrays, finished, saved = reader.read(ROOT / "docs" / "python.md")
    assert [line.split()[:2] for line in files.printed.splitlines()] == [
        ["mass_linear.png", "ok"],
        ["mass_regions.dcm", "ok"],
    ]
    assert arrays.printed == "".join(f"patient-{number}/left ok\n" for number in range(3))
    assert "mass_linear.png" in finished.printed
    assert saved.printed == "['scan.dcm']\n"


@pytest.mark.slow
def test_the_page_of_speckle_filters_runs(reader):
    reader.read(ROOT / "docs" / "speckle.md")
    assert reader.names["smooth"].std() < reader.names["image"].std()


def test_the_page_of_the_architecture_runs(reader):
    first, second = (example.printed for example in reader.read(ROOT / "docs" / "architecture.md"))
    assert first == "2\n"
    assert len(second.split()) == 3


def test_names_and_files_in_the_architecture_exist():
    """The names in code style of the section "Where to add" are in the source."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = text[text.index("## Where to add") : text.index("## Errors")]
    text_without_blocks = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    source = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("usmicro", "kernels", "benchmarks", "tests/fuzzing")
        for file in sorted((ROOT / folder).rglob("*.py"))
    )
    names = set(re.findall(r"`(?:\w+\.)*(\w+)(?:\(\))?`", text_without_blocks)) - {"sh", "nav"}
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", source)] == []
    files = re.findall(r"`((?:\w+/)*\w+\.(?:py|yml))`", text)
    assert len(files) > 15
    existing = [file for file in files if "FORMAT" not in file and "NAME" not in file]
    folders = [ROOT / "usmicro", ROOT]
    assert [
        file for file in existing if not any((folder / file).is_file() for folder in folders)
    ] == []


def test_the_page_of_other_programs_runs(reader):
    pytest.importorskip("highdicom")
    reader.run_command("usmicro run scans --out results")
    page = blocks(ROOT / "docs" / "viewers.md")
    for block in page:
        if block.language == "sh":
            reader.run(block)
    for file in (
        "results/geojson/mass_linear.geojson",
        "results/markups/mass_linear.mrk.json",
        "results-dicom/dicom/mass_regions.seg.dcm",
        "results-coco/images/mass_linear.png",
    ):
        assert (reader.folder / file).is_file()


def test_the_layers_for_napari_fit_the_scan(reader, monkeypatch):
    components = pytest.importorskip("napari.components", reason="needs napari")
    import napari

    viewer = components.ViewerModel()  # without a window
    monkeypatch.setattr(napari, "Viewer", lambda: viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    (block,) = (b for b in blocks(ROOT / "docs" / "viewers.md") if b.language == "python")
    reader.run(block)
    scan, areas, foci = viewer.layers
    analysis = reader.names["analysis"]
    assert areas.data.shape == scan.data.shape[:2]
    assert set(np.unique(areas.data)) <= {0, 1, 2, 3}
    assert [tuple(place) for place in foci.data] == [(f.y_px, f.x_px) for f in analysis.foci]


def test_the_page_of_evaluation_runs(reader):
    page = blocks(ROOT / "docs" / "evaluate.md")
    own_scans, sample_scans = (block for block in page if block.language == "sh")
    printed = reader.run(own_scans)
    shutil.rmtree(reader.folder / "results")  # both blocks write into this folder
    for text in (printed, reader.run(sample_scans)):
        assert "foci, sensitivity at 1 false positive per image" in text
    assert (reader.folder / "results" / "evaluation" / "evaluation.html").is_file()


def test_the_conversion_of_labels_in_the_page_of_evaluation_runs(reader):
    labels = "File,Calc,PatientID\na.png,intralesional,7\nb.png,absent,8\nc.png,unclear,9\n"
    (reader.folder / "labels.csv").write_text(labels, encoding="utf-8")
    reader.read(ROOT / "docs" / "evaluate.md", languages=("python",))
    images = read_truth(reader.folder / "truth.csv").images
    assert {name: (image.calcification, image.patient) for name, image in images.items()} == {
        "a.png": ("in a mass", "7"),
        "b.png": ("none", "8"),
    }


@pytest.mark.slow
def test_the_tutorial_prints_the_output_that_it_shows(reader, sample_data):
    shutil.copytree(sample_data, reader.folder / "sample_data", dirs_exist_ok=True)
    tutorial = ROOT / "docs" / "tutorial.md"
    examples = [example for example in reader.read(tutorial) if example.shown is not None]
    differing = {
        example.block.line: example.printed
        for example in examples
        if not set(example.shown.splitlines()) <= set(example.printed.splitlines())
    }
    assert differing == {}  # lines of the document, and what the blocks there print
    text_blocks = [block for block in blocks(tutorial) if block.language == "text"]
    assert len(examples) == len(text_blocks)


def test_the_tutorial_runs_on_few_scans(reader):
    reader.read(ROOT / "docs" / "tutorial.md")
    for name in ("results/report.html", "results-masks/masks/mass_regions.png"):
        assert (reader.folder / name).is_file()
    assert (reader.folder / "results-all" / "evaluation" / "evaluation.html").is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_the_options_of_usmicro_commands_exist(document):
    for block in blocks(document):
        if block.language not in ("sh", "powershell"):
            continue
        for command in block.commands:
            words = shlex.split(command, comments=True)
            if words[:1] == ["usmicro"]:
                arguments = words[1 : words.index(">") if ">" in words else None]
                make_parser().parse_args(arguments)  # a wrong option ends the test


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_modules_in_commands_exist(document, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)  # benchmarks and training are not installed
    modules = re.findall(
        r"python -m ((?:benchmarks|training|usmicro|tests)[\w.]*\w)",
        document.read_text(encoding="utf-8"),
    )
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_python_blocks_compile(document):
    for block in blocks(document):
        if block.language == "python":
            compile(block.text, f"{document.name}, line {block.line}", "exec")
