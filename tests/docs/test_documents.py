"""The documents say what the program does."""

import re
import subprocess
from pathlib import Path

import pytest

import usmicro

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> list[str]:
    """The commands of the README that set up an environment of their own."""
    return re.findall(r"^python3 -m venv .*$", read("README.md"), re.MULTILINE)


def test_the_readme_has_one_command_to_run_and_one_to_test():
    run, test = commands()
    assert "usmicro run sample_data --out" in run
    assert test.endswith("-m pytest -n auto")
    assert ".[codecs,test]" in test


def test_the_commands_that_ci_takes_from_the_readme_are_these():
    found = subprocess.run(
        ["bash", "-c", re.search(r"< <\((grep .* README\.md)\)", read(".ci/run"))[1]],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.stdout.splitlines() == commands()


def test_the_api_reference_has_every_public_name():
    described = re.findall(r"^::: usmicro\.(\w+)$", read("docs/api.md"), re.MULTILINE)
    assert sorted([*described, "__version__"]) == sorted(usmicro.__all__)
    assert "`usmicro.__version__`" in read("docs/api.md")


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {usmicro.__version__}\n" in read("CITATION.cff")
    assert f"## [{usmicro.__version__}]" in read("CHANGELOG.md")


@pytest.mark.parametrize(
    "name", ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
)
def test_links_lead_somewhere(name):
    file = ROOT / name
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    assert [
        link for link in links if not link.startswith("http") and not (file.parent / link).exists()
    ] == []


def test_the_readme_names_real_settings_and_columns():
    from usmicro.settings import Settings, read_settings

    for assignment in re.findall(r"--set ([\w.]+=\S+)", read("README.md")):
        assert read_settings(None, [assignment]) != Settings()


def test_every_code_of_the_dicom_results_is_documented():
    from usmicro.writing.dicom import codes

    text = read("docs/dicom.md")
    tables = (
        codes.FOCUS_MEASURED,
        codes.FOCUS_STATED,
        codes.MASS_MEASURED,
        codes.MASS_STATED,
        codes.IMAGE_MEASURED,
    )
    columns = [column for table in tables for column in table]
    used = [column.concept for column in columns] + [
        code for column in columns for code in getattr(column, "words", {}).values()
    ]
    used += [
        *codes.CALCIFICATION_WORDS.values(),
        codes.CALCIFICATION,
        codes.FOCUS,
        codes.MASS,
        codes.IMAGE,
        codes.REASON,
    ]
    used += [code for segment in codes.SEGMENTS for code in segment[1:]]
    assert not [code for code in used if f"({code.scheme_designator} {code.value})" not in text]
    assert not [column.field for column in columns if f"`{column.field}`" not in text]


def test_the_columns_of_truth_are_documented():
    from usmicro.evaluation.truth import FOCI_COLUMNS, IMAGE_COLUMNS

    text = read("docs/evaluate.md")
    assert not [column for column in (*FOCI_COLUMNS, *IMAGE_COLUMNS) if f"`{column}`" not in text]
