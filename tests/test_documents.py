"""The documents say what the program does."""

import re
from pathlib import Path

import pytest

import usmicro

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> list[str]:
    """The commands of the README that set up an environment of their own."""
    return re.findall(r"^python3 -m venv .*$", read("README.md"), re.MULTILINE)


def test_the_readme_has_one_command_to_run_and_one_to_test():
    run, test = commands()
    assert "usmicro run sample_data --out" in run
    assert test.endswith("-m pytest")
    assert ".[codecs,test]" in test


def test_ci_runs_what_the_readme_says():
    script = read(".ci/run")
    assert "'^python3 -m venv '" in script
    assert "README.md" in script


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {usmicro.__version__}\n" in read("CITATION.cff")
    assert f"## [{usmicro.__version__}]" in read("CHANGELOG.md")


@pytest.mark.parametrize(
    "name", ["README.md", "docs/outputs.md", "docs/masks.md", "docs/architecture.md", "docs/method.md", "docs/reliability.md"]
)
def test_links_lead_somewhere(name):
    file = ROOT / name
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    assert [link for link in links if not link.startswith("http") and not (file.parent / link).exists()] == []


def test_the_readme_names_real_settings_and_columns():
    from usmicro.settings import Settings, read_settings

    for assignment in re.findall(r"--set ([\w.]+=\S+)", read("README.md")):
        assert read_settings(None, [assignment]) != Settings()
