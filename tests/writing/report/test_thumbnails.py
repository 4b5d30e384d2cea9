"""Thumbnails and outlines that a run stores for its report."""

import json
from dataclasses import replace

import pytest

from tests.helpers.made_run import make_run, report_data
from usmicro.writing import write_atomically
from usmicro.writing.report.page import write_report
from usmicro.writing.report.pictures import encode_picture
from usmicro.writing.report.run import read_run
from usmicro.writing.report.thumbnails import encode_thumbnail, thumbnail_file


@pytest.fixture
def analysis(make_analysis):
    """An analysis with a mass in a label image, and one that has no area."""
    analysis = make_analysis()
    first = analysis.masses[0]
    outside = replace(first, mass=2, x_px=123.456789, y_px=30.0)
    return replace(analysis, masses=[replace(first, x_px=first.x_px + 1 / 3), outside])


def store_thumbnails(folder, analysis):
    """Store the thumbnails of a run; return their files."""
    picture = encode_picture(analysis.image, analysis.labels)
    run = read_run(folder)
    files = [
        thumbnail_file(folder, run.stems[row["image"]])
        for row in run.images
        if row["status"] == "ok"
    ]
    for file in files:
        write_atomically(file, encode_thumbnail(analysis, picture))
    return files


@pytest.mark.parametrize("geometry", ["linear", "sector"])
def test_stored_thumbnails_do_not_change_the_report(tmp_path, analysis, geometry):
    analysis = replace(analysis, summary=replace(analysis.summary, geometry=geometry))
    folder = make_run(tmp_path / "r", analysis)
    before = write_report(folder).read_bytes()
    assert report_data(before.decode())["images"][0]["thumbnail"]
    files = store_thumbnails(folder, analysis)
    assert write_report(folder).read_bytes() == before
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_text('{"other": 1}')
    assert write_report(folder).read_bytes() == before


def test_the_report_joins_what_is_stored(tmp_path, analysis):
    folder = make_run(tmp_path / "r", analysis)
    for file in store_thumbnails(folder, analysis):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"thumbnail": "data:stored"}))
    images = report_data(write_report(folder).read_text(encoding="utf-8"))["images"]
    assert {image["thumbnail"] for image in images if image["status"] == "ok"} == {"data:stored"}
