"""The examples in the documents run, and print what the documents say that they print."""

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from usmicro.cli import main, make_parser
from usmicro.evaluation.truth import read_truth

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FEW = {"sample_data": ("mass_regions.dcm",), "scans": ("mass_linear.png", "mass_regions.dcm")}
"""Scans that are analysed quickly, by the folder they are put in."""
MODEL = """
import numpy as np


def my_model(frame):
    found = np.zeros(frame.shape[:2])
    found[200:300, 200:300] = 1
    return found
"""
INSTALL = "python3 -m venv "
"""How a block begins that makes an environment: .ci/run does that, with the commands of the README."""


@dataclass
class Block:
    language: str
    text: str
    line: int


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document."""
    text = document.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in found]


class Reader:
    """Someone who types what a document says, in a folder that has what it speaks of."""

    def __init__(self, folder: Path, names: dict[str, object]) -> None:
        self.folder, self.names = folder, names

    def run(self, block: Block) -> str:
        """Run a shell or Python block; gives what it printed. A Python block that begins with `# NAME.py` is that file."""
        if block.language == "sh":
            return "".join(self.type(line) for line in block.text.splitlines())
        if file := re.match(r"# (\w+\.py)\n", block.text):
            (self.folder / file[1]).write_text(block.text, encoding="utf-8")
            return ""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(block.text, f"line {block.line}", "exec"), self.names)
        return printed.getvalue()

    def type(self, line: str) -> str:
        """Run a line of a shell block; `usmicro` in this process, which is quicker."""
        words = shlex.split(line, comments=True)
        if words[:1] == ["usmicro"] and ">" not in words:
            with (
                contextlib.redirect_stdout(io.StringIO()) as printed,
                contextlib.redirect_stderr(io.StringIO()) as complaints,
            ):
                status = main(words[1:])
            assert status == 0, f"{line}: {complaints.getvalue()}"
            return printed.getvalue()
        # an environment that is not activated has usmicro beside its Python
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    def read(
        self, document: Path, languages: tuple[str, ...] = ("sh", "python")
    ) -> list[tuple[Block, str, Block | None]]:
        """Run the blocks of a document in their order; gives each with what it printed and the block of text below it."""
        found = blocks(document)
        following = [*found[1:], None]
        return [
            (block, self.run(block), below if below and below.language == "text" else None)
            for block, below in zip(found, following, strict=True)
            if block.language in languages and not block.text.startswith(INSTALL)
        ]


@pytest.fixture
def reader(tmp_path, monkeypatch, sample_data) -> Reader:
    """In a folder with `scans`, `scan.dcm`, `truth` and a small `sample_data`, with a model of one's own in `my_package`."""
    for folder, scans in FEW.items():
        (tmp_path / folder).mkdir()
        for name in scans:
            shutil.copy(sample_data / name, tmp_path / folder)
    (tmp_path / "truth").mkdir()
    for folder in ("sample_data", "truth"):
        shutil.copy(sample_data / "truth.json", tmp_path / folder)
    shutil.copy(sample_data / "spacing.csv", tmp_path / "sample_data")
    shutil.copy(sample_data / "mass_regions.dcm", tmp_path / "scan.dcm")
    (tmp_path / "my_package.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_package", "outlines"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    speckle = np.random.default_rng(4).rayleigh(20.0, (160, 200))
    names = {
        "image": np.clip(speckle, 0, 255).astype(np.float32),
        "envelope": speckle.astype(np.float32),
    }
    return Reader(tmp_path, names)


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


def test_the_page_of_settings_runs(reader):
    reader.read(ROOT / "docs" / "settings.md")
    record = json.loads((reader.folder / "results-settings" / "run.json").read_text("utf-8"))
    assert record["settings"]["shadow"]["length"] == 8
    assert reader.names["settings"].shadow.length == 8


def test_the_page_of_masks_runs(reader):
    reader.read(ROOT / "docs" / "masks.md")
    masses = reader.names["analysis"].masses
    assert [mass.confidence for mass in masses] == [1.0]


def test_the_page_of_speckle_filters_runs(reader):
    reader.read(ROOT / "docs" / "speckle.md")
    assert reader.names["smooth"].std() < reader.names["image"].std()


def test_the_page_of_the_architecture_runs(reader):
    first, second = (printed for _, printed, _ in reader.read(ROOT / "docs" / "architecture.md"))
    assert first == "2\n"
    assert len(second.split()) == 3


def test_the_functions_that_the_architecture_names_are_there():
    """Names in code that look like functions, constants or files are somewhere in the source."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = text[text.index("## Where to add") : text.index("## Errors")]
    source = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("usmicro", "kernels", "benchmarks", "tests/fuzzing")
        for file in sorted((ROOT / folder).rglob("*.py"))
    )
    named = re.findall(
        r"`(?:\w+\.)*(\w+)(?:\(\))?`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    assert [
        name
        for name in named
        if name not in ("sh", "nav") and not re.search(rf"\b{name}\b", source)
    ] == []
    files = re.findall(r"`((?:\w+/)*\w+\.(?:py|yml))`", text)
    assert len(files) > 15
    places = [ROOT / "usmicro", ROOT]
    assert [
        file
        for file in files
        if not any((place / file).is_file() for place in places)
        and "FORMAT" not in file
        and "NAME" not in file
    ] == []


def test_the_page_of_evaluation_runs(reader):
    own, samples = (
        block for block in blocks(ROOT / "docs" / "evaluate.md") if block.language == "sh"
    )
    printed = reader.run(own)
    shutil.rmtree(reader.folder / "results")  # the page gives two ways to fill it
    for text in (printed, reader.run(samples)):
        assert "foci, sensitivity at 1 false an image" in text
    assert (reader.folder / "results" / "evaluation" / "evaluation.html").is_file()
    labels = "File,Calc,PatientID\na.png,intralesional,7\nb.png,absent,8\nc.png,unclear,9\n"
    (reader.folder / "labels.csv").write_text(labels, encoding="utf-8")
    (convert,) = (
        block for block in blocks(ROOT / "docs" / "evaluate.md") if block.language == "python"
    )
    reader.run(convert)
    images = read_truth(reader.folder / "truth.csv").images
    assert {name: (image.calcification, image.patient) for name, image in images.items()} == {
        "a.png": ("in a mass", "7"),
        "b.png": ("none", "8"),
    }


@pytest.mark.slow
def test_the_tutorial_runs_and_prints_what_it_says(reader, sample_data):
    shutil.copytree(sample_data, reader.folder / "sample_data", dirs_exist_ok=True)
    read = reader.read(ROOT / "docs" / "tutorial.md")
    shown = [(block, printed, below.text) for block, printed, below in read if below is not None]
    wrong = {
        block.line: printed
        for block, printed, text in shown
        if not set(text.splitlines()) <= set(printed.splitlines())
    }
    assert wrong == {}  # the lines of the blocks, and what they print
    assert len(shown) == sum(
        block.language == "text" for block in blocks(ROOT / "docs" / "tutorial.md")
    )


def test_the_tutorial_runs_on_few_scans(reader):
    assert reader.read(ROOT / "docs" / "tutorial.md")
    for name in ("results/report.html", "results-masks/masks/mass_regions.png"):
        assert (reader.folder / name).is_file()
    assert (reader.folder / "results-all" / "evaluation" / "evaluation.html").is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_the_commands_are_understood(document):
    for block in blocks(document):
        if block.language != "sh":
            continue
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["usmicro"]:
                make_parser().parse_args(
                    words[1 : words.index(">") if ">" in words else None]
                )  # ends the test if it is wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_the_modules_that_are_run_exist(document, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)  # benchmarks and training are not installed
    own = re.findall(
        r"python -m ((?:benchmarks|training|usmicro|tests)[\w.]*\w)",
        document.read_text(encoding="utf-8"),
    )
    assert [name for name in own if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_the_python_is_python(document):
    for block in blocks(document):
        if block.language == "python":
            compile(block.text, f"{document.name}, line {block.line}", "exec")
