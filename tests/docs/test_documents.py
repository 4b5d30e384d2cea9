"""The documents match the program: commands, names, versions, links, settings and codes."""

import hashlib
import json
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

import usmicro
from usmicro.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
FILES = ("csv", "html", "js", "json", "jsonl", "onnx", "parquet", "py", "toml")
"""Endings of file names, which look like settings, as `report.html`."""


def read(name: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> list[str]:
    """Return the commands of the README that create a virtual environment."""
    return re.findall(r"^python3 -m venv .*$", read("README.md"), re.MULTILINE)


def test_the_readme_has_one_command_to_run_and_one_to_test():
    run, test = commands()
    assert "usmicro run sample_data --out" in run
    assert test.endswith("-m pytest -n auto --dist worksteal")
    assert ".[codecs,test]" in test


def test_ci_runs_the_commands_of_the_readme():
    search = re.search(r"< <\((grep .* README\.md)\)", read(".ci/run"))[1]
    result = subprocess.run(
        ["bash", "-c", search],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.stdout.splitlines() == commands()


def test_the_api_reference_has_every_public_name():
    names = re.findall(r"^::: usmicro\.(\w+)$", read("docs/api.md"), re.MULTILINE)
    assert sorted([*names, "__version__"]) == sorted(usmicro.__all__)
    assert "`usmicro.__version__`" in read("docs/api.md")


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {usmicro.__version__}\n" in read("CITATION.cff")
    assert f"## [{usmicro.__version__}]" in read("CHANGELOG.md")


@pytest.mark.parametrize("name", PAGES)
def test_relative_links_lead_to_files(name):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read(name))
    relative = [link for link in links if not link.startswith("http")]
    folder = (ROOT / name).parent
    assert [link for link in relative if not (folder / link).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_settings_in_the_documents_exist(name):
    groups = "|".join(group.name for group in fields(Settings))
    code = " ".join(re.findall(r"`([^`\n]+)`", read(name)))
    named = re.findall(rf"(?<![\w./])({groups})\.(\w+)\b(?![(.])", code)
    settings = Settings()
    assert [
        f"{group}.{setting}"
        for group, setting in named
        if setting not in FILES and not hasattr(getattr(settings, group), setting)
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_settings_in_commands_are_not_the_defaults(name):
    networks = ("anatomy.mass_network", "foci.models")  # name files
    for assignment in re.findall(r"--set ([\w.]+=[^\s`]+)", read(name)):
        if not assignment.startswith(networks) and not assignment.endswith("=N"):
            assert read_settings(None, [assignment]) != Settings()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_heading_twice(name):
    headings = re.findall(r"^#{1,2} .+$", read(name), re.MULTILINE)
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("name", [page for page in PAGES if page.startswith("docs/")])
def test_tables_and_lists_are_recognised(name):
    """Tables and lists need an empty line above them, and lists in lists 4 spaces."""
    text = re.sub(r"^```.*?^```$", "", read(name), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^(?!\|).*\S.*\n\|.*", text, re.MULTILINE) == []
    assert re.findall(r"^(?![-\d ]).*\S.*\n- .*", text, re.MULTILINE) == []
    assert re.findall(r"^ {1,3}- .*", text, re.MULTILINE) == []


def test_the_keys_of_run_json_are_documented(tmp_path, sample_data):
    for _ in usmicro.run(sample_data / "no_foci.png", out=tmp_path / "out", workers=1):
        pass
    keys = set(json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8")))
    section = read("docs/outputs.md").split("\n## run.json\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == keys


def test_the_model_card_has_the_checksum_of_every_model():
    package = ROOT / "usmicro"
    files = [*package.rglob("*.onnx"), *package.rglob("*.json")]
    stated = re.findall(
        r"^\| `usmicro/(\S+)` \| [\d,]+ \| `(\w{64})` \|$", read("docs/models.md"), re.M
    )
    assert dict(stated) == {
        file.relative_to(package).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def test_every_code_of_the_dicom_results_is_documented():
    from usmicro.writing.dicom import codes

    text = read("docs/dicom.md")
    measured = [*codes.FOCUS_MEASURED, *codes.MASS_MEASURED, *codes.IMAGE_MEASURED]
    stated = [*codes.FOCUS_STATED, *codes.MASS_STATED]
    concepts = [column.concept for column in measured] + [column.concept for column in stated]
    concepts += [code for column in stated for code in column.words.values()]
    concepts += [codes.CALCIFICATION, *codes.CALCIFICATION_WORDS.values()]
    concepts += [codes.FOCUS, codes.MASS, codes.IMAGE, codes.REASON]
    concepts += [code for segment in codes.SEGMENTS for code in segment[1:]]
    missing = [code for code in concepts if f"({code.scheme_designator} {code.value})" not in text]
    assert missing == []
    columns = [column.field for column in measured] + [column.field for column in stated]
    assert [column for column in columns if f"`{column}`" not in text] == []


def test_the_columns_of_truth_are_documented():
    from usmicro.evaluation.truth import FOCI_COLUMNS, IMAGE_COLUMNS

    text = read("docs/evaluate.md")
    columns = (*FOCI_COLUMNS, *IMAGE_COLUMNS)
    assert [column for column in columns if f"`{column}`" not in text] == []
