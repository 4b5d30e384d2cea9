"""The scripts of the report are joined to one, so that their names must not collide."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from usmicro.writing.report import page
from usmicro.writing.report.page import BLIND_SCRIPT, HOME_SCRIPT, SCRIPTS, joined_scripts

ROOT = Path(__file__).parents[3]
FOLDER = Path(page.__file__).parent
DECLARATION = re.compile(r"^(?:async )?(?:function|const|let|var|class) (\w+)", re.MULTILINE)


def test_every_script_is_on_the_page():
    assert sorted((*SCRIPTS, HOME_SCRIPT, BLIND_SCRIPT)) == sorted(
        path.name for path in FOLDER.glob("*.js")
    )


def test_the_joined_script_has_no_imports_and_exports():
    assert not re.search(r"^(import|export)\b", joined_scripts(), re.MULTILINE)


def test_no_name_is_declared_twice():
    names = Counter(DECLARATION.findall(joined_scripts()))
    assert len(names) > 50
    assert [name for name, number in names.items() if number > 1] == []


@pytest.mark.parametrize("name", [*SCRIPTS, HOME_SCRIPT, BLIND_SCRIPT])
def test_lines_have_at_most_100_characters(name):
    assert max(map(len, (FOLDER / name).read_text(encoding="utf-8").splitlines())) <= 100


def test_the_linter_finds_nothing():
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if (oxlint := shutil.which("oxlint", path=folders)) is None:
        pytest.skip("needs oxlint: pip install oxlint")
    subprocess.run([oxlint, "--deny-warnings", FOLDER], cwd=ROOT, check=True)
