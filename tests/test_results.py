import sys

import numpy as np
import pytest

import usmicro
from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import HOSTILE, make_run
from usmicro.errors import UsageError


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("results") / "run", made_analysis())


@pytest.fixture
def results(run_folder):
    return usmicro.read_results(run_folder)


def test_data_frames_have_the_columns_of_the_tables_and_their_types(results):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    for table in ("images", "masses", "foci", "clusters"):
        frame, rows = getattr(results, table), results.rows(table)
        assert list(frame.columns) == list(rows[0])
        for index, row in enumerate(rows):
            for name, value in row.items():
                cell = frame[name].iloc[index]
                assert pandas.isna(cell) if value is None else cell == value, (table, name)
    assert results.foci["focus"].dtype == "Int64"
    assert results.foci["x_px"].dtype == "float64"
    failed = results.images[results.images["status"] == "failed"]
    assert failed["foci"].isna().all()  # not measured, so not 0


def test_a_run_without_cines_has_an_empty_table_of_tracks(results):
    pytest.importorskip("pandas", reason="needs pandas")
    assert results.rows("tracks") == []
    assert len(results.tracks) == 0
    assert results.tracks["time_s"].dtype == "float64"


def test_without_pandas_rows_are_offered(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r'needs? pandas.*rows\("foci"\)'):
        results.foci  # noqa: B018
    assert len(results.rows("foci")) == 12


def test_pictures_are_read_on_demand(results):
    analysis = made_analysis()
    for name in results.names:
        if name not in results.failed:
            np.testing.assert_array_equal(results.labels(name), analysis.labels)
            assert results.overlay(name).shape == analysis.overlay().shape


def test_a_wrong_image_gets_a_message(results):
    with pytest.raises(UsageError, match=r"no input 'nothing.png'; the most similar name is"):
        results.overlay("nothing.png")
    with pytest.raises(UsageError, match="has no pictures: refused"):
        results.labels(HOSTILE[2])
    with pytest.raises(UsageError, match="the tables are images, masses, foci"):
        results.rows("patients")


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_missing_or_damaged_picture_gets_a_message(tmp_path, content):
    results = usmicro.read_results(make_run(tmp_path / "run", made_analysis(), copies=1))
    name = "plain/00000.png"
    for folder, read in (("masks", results.labels), ("overlays", results.overlay)):
        file = tmp_path / "run" / folder / "plain" / "00000.png"
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError, match="missing or cannot be read; write it again"):
            read(name)


def test_settings_and_record_are_those_of_the_run(results, run_folder):
    assert results.settings == usmicro.Settings()
    assert results.record["complete"] is True
    assert results.report == run_folder / "report.html"


def test_a_folder_without_a_run_gets_a_message(tmp_path):
    with pytest.raises(UsageError, match=r"contains no run of usmicro"):
        usmicro.read_results(tmp_path)
    with pytest.raises(UsageError, match="expected the path of the folder of a run, found list"):
        usmicro.read_results([1])


def test_notebook_shows_the_images_and_escapes_their_names(results):
    shown = results._repr_html_()
    assert "<script" not in shown
    assert "status" in shown
    assert repr(results).startswith("<Results of ")
