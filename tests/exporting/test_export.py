import json

import pytest

import usmicro
from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import make_run
from usmicro.cli import main
from usmicro.errors import UsageError


@pytest.fixture
def run_folder(tmp_path):
    return make_run(tmp_path / "run", made_analysis())


@pytest.mark.parametrize("kind", ["geojson", "markups"])
def test_each_analysed_image_gets_a_file_in_its_own_folder(run_folder, kind):
    results = usmicro.read_results(run_folder)
    files = usmicro.export(run_folder, kind)
    assert len(files) == len(results.names) - len(results.failed)
    assert all(file.is_relative_to(run_folder / kind) and file.is_file() for file in files)
    assert len({str(file).casefold() for file in files}) == len(files)
    for file in files:
        json.loads(file.read_text(encoding="utf-8"))


def test_equal_runs_give_equal_bytes(run_folder, tmp_path):
    first = [file.read_bytes() for file in usmicro.export(run_folder, "geojson")]
    again = usmicro.export(run_folder, "geojson", out=tmp_path / "again")
    assert [file.read_bytes() for file in again] == first


def test_the_command_says_where_the_files_are(run_folder, capsys):
    assert main(["export", str(run_folder), "--format", "markups"]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed == f"4 files in {run_folder / 'markups'}; 1 failed and have none"


def test_files_of_a_former_export_are_deleted(run_folder, tmp_path):
    former = run_folder / "geojson" / "sub" / "removed.geojson"
    former.parent.mkdir(parents=True)
    former.write_text("{}")
    own = tmp_path / "own" / "mine.geojson"
    own.parent.mkdir()
    own.write_text("{}")
    usmicro.export(run_folder, "geojson")
    usmicro.export(run_folder, "geojson", out=own.parent)
    assert not former.exists()
    assert own.read_text() == "{}"  # a folder that the user names keeps other files


def test_wrong_arguments_get_a_message(run_folder, tmp_path):
    with pytest.raises(UsageError, match="no format 'kml'; give geojson or markups"):
        usmicro.export(run_folder, "kml")
    with pytest.raises(UsageError, match="contains no run of usmicro"):
        usmicro.export(tmp_path, "geojson")
