import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import usmicro
from usmicro.errors import UsageError

SAMPLES = Path(__file__).parents[2] / "sample_data"
TABLES = ("masses.csv", "foci.csv", "clusters.csv", "tracks.csv")


@pytest.mark.parametrize("name", ["mass_linear.png", "mass_regions.dcm", "colour_cine.dcm"])
def test_a_saved_analysis_equals_a_run_over_its_scan(tmp_path, name):
    analysis = usmicro.analyze(usmicro.load(SAMPLES / name))
    assert analysis.save(tmp_path / "saved") == tmp_path / "saved"
    for _ in usmicro.run(SAMPLES / name, out=tmp_path / "run", workers=1):
        pass
    names = {
        folder: sorted(
            file.relative_to(tmp_path / folder).as_posix()
            for file in (tmp_path / folder).rglob("*")
            if file.is_file()
        )
        for folder in ("saved", "run")
    }
    assert names["saved"] == names["run"]
    pictures = [file for file in names["run"] if file.endswith((".png", ".jpg", ".js"))]
    for file in (*TABLES, *pictures):
        assert (tmp_path / "saved" / file).read_bytes() == (tmp_path / "run" / file).read_bytes()


def test_a_saved_array_is_read_back(tmp_path):
    picture = np.asarray(next(usmicro.load(SAMPLES / "mass_linear.png").frames()))
    scan = usmicro.Scan.of_array(picture, spacing=0.08, name="patient/left.png")
    analysis = usmicro.analyze(scan)
    results = usmicro.read_results(analysis.save(tmp_path / "saved"))
    assert results.names == ["patient/left.png"]
    np.testing.assert_array_equal(results.labels("patient/left.png"), analysis.labels)
    assert [row["label"] for row in results.rows("foci")] == [f.label for f in analysis.foci]
    assert results.record["options"]["spacing"] == 0.08


def test_both_sides_of_a_given_pixel_are_recorded(tmp_path):
    picture = np.asarray(next(usmicro.load(SAMPLES / "no_foci.png").frames()))
    analysis = usmicro.analyze(picture, spacing=(0.08, 0.09))
    results = usmicro.read_results(analysis.save(tmp_path / "saved"))
    assert results.record["options"]["spacing"] == [0.08, 0.09]


def no_masses(frame, spacing):
    return {"masses": np.zeros(frame.shape[:2], bool)}


def test_the_record_says_where_the_outlines_come_from(tmp_path):
    picture = next(usmicro.load(SAMPLES / "no_foci.png").frames())
    recorded = {}
    for name, masks in {
        "none": None,
        "function": no_masses,
        "arrays": no_masses(picture, None),
    }.items():
        analysis = usmicro.analyze(SAMPLES / "no_foci.png", masks=masks)
        folder = analysis.save(tmp_path / name)
        recorded[name] = usmicro.read_results(folder).record["options"]["masks"]
    function = f"{no_masses.__module__}.{no_masses.__name__}"
    assert recorded == {"none": None, "function": function, "arrays": "given"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")
def test_a_file_name_that_a_run_takes_is_saved_too(tmp_path):
    name = "left\\right\n.png"
    shutil.copy(SAMPLES / "no_foci.png", tmp_path / name)
    analysis = usmicro.analyze(tmp_path / name)
    assert usmicro.read_results(analysis.save(tmp_path / "saved")).names == [name]


def test_a_folder_with_results_is_kept_unless_it_is_to_be_replaced(tmp_path):
    analysis = usmicro.analyze(usmicro.load(SAMPLES / "no_foci.png"))
    analysis.save(tmp_path / "saved")
    with pytest.raises(UsageError, match="holds results already"):
        analysis.save(tmp_path / "saved")
    analysis.save(tmp_path / "saved", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="holds no results of usmicro"):
        analysis.save(tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "x"


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path):
    picture = np.asarray(next(usmicro.load(SAMPLES / "no_foci.png").frames()))
    analysis = usmicro.analyze(usmicro.Scan.of_array(picture, name="../x.png"))
    with pytest.raises(UsageError, match="image name"):
        analysis.save(tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
