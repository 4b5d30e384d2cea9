"""Frames of a cine for the player of the report."""

import json
import re
from dataclasses import replace
from functools import partial
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_cine import BEST, FRAMES, KEY_FRAME, cine_frame, cine_labels, made_cine
from tests.helpers.made_run import HOSTILE, NOT_UTF8, make_run, report_data
from usmicro.loading.second_reading import frames_at
from usmicro.model.findings import MassPoint
from usmicro.result import Table
from usmicro.writing.names import file_stems
from usmicro.writing.report.cine import (
    chosen_frames,
    frame_rate,
    mass_tops,
    read_cine,
    runs_of,
    write_cine,
)
from usmicro.writing.report.page import paginate, write_report
from usmicro.writing.report.pictures import FRAME_SIDE, tissue_box
from usmicro.writing.report.run import read_run


def write(cine, tmp_path, most=100):
    folder = tmp_path / "frames"
    written = write_cine(
        cine,
        partial(frames_at, cine.scan),
        sheet=tmp_path / "sheet.png",
        folder=folder,
        most=most,
    )
    return written, read_cine(folder / "cine.json")


def test_frames_that_show_findings_are_written_with_them(tmp_path):
    cine = made_cine()
    written, content = write(cine, tmp_path)
    assert all(path.is_file() for path in written)
    names = [f"{frame:05d}.jpg" for frame in (1, 2, 3, 4, 5, 6)]
    assert [path.name for path in written] == [*names, "cine.json", "sheet.png"]
    assert [frame["picture"] for frame in content["frames"]] == names
    assert content["bytes"] == sum((tmp_path / "frames" / name).stat().st_size for name in names)
    assert (content["analysed"], content["first_frame"], content["last_frame"]) == (FRAMES, 0, 8)
    assert content["frame_rate"] == 20
    assert content["twinkling"] == {"2": [[4, 0.618]]}
    found = {
        (frame["frame"], focus): (x, y, confidence)
        for frame in content["frames"]
        for focus, x, y, confidence in frame["foci"]
    }
    assert found == {
        (point.frame, point.focus): pytest.approx(
            (point.x_px, point.y_px, point.confidence), abs=0.06
        )
        for point in cine.tracks
    }
    assert [frame["time_s"] for frame in content["frames"]] == [
        pytest.approx(number / 20) for number in range(1, 7)
    ]


def test_tracks_have_their_runs_and_their_best_frame(tmp_path):
    _, content = write(made_cine(), tmp_path)
    assert content["tracks"] == [
        {
            "focus": 1,
            "label": "intramass",
            "first": 1,
            "last": 6,
            "best": 2,
            "frames": [[1, 3], [6, 6]],
        },
        {
            "focus": 2,
            "label": "extramass",
            "first": 2,
            "last": 5,
            "best": 4,
            "frames": [[2, 2], [4, 5]],
        },
        {
            "focus": 3,
            "label": "intraductal",
            "first": 6,
            "last": 6,
            "best": 6,
            "frames": [[6, 6]],
        },
    ]


def test_runs_count_analysed_frames_only():
    assert runs_of([0, 10, 20, 40], [0, 10, 20, 30, 40]) == [(0, 20), (40, 40)]


def corners_of(path):
    """Return the closed lines of an SVG path with relative steps."""
    for part in path.split("z")[:-1]:
        x, y, steps = re.fullmatch(r"M(\d+) (\d+)l(.*)", part).groups()
        moves = np.array(re.findall(r"(-?\d+) (-?\d+)", steps), int)
        yield np.cumsum(np.vstack([[int(x), int(y)], moves]), axis=0)


def test_outlines_and_numbers_of_masses_are_those_of_the_frame(tmp_path):
    _, content = write(made_cine(), tmp_path)
    for frame in content["frames"]:
        labels = cine_labels(frame["frame"])
        assert set(frame["outlines"]) == {"mass", "duct", "nonmass area"}
        (corners,) = corners_of(frame["outlines"]["mass"])
        area = np.zeros(labels.shape, np.uint8)
        cv2.fillPoly(area, [corners.astype(np.int32)], 1)
        assert ((area > 0) & (labels == 1)).sum() / ((area > 0) | (labels == 1)).sum() > 0.97
        if frame["frame"] in (3, 4):
            ((number, x, y),) = frame["tops"]
            rows, columns = np.nonzero(labels == 1)
            assert number == 1
            assert y == rows.min()
            assert columns[rows == rows.min()].min() <= x <= columns[rows == rows.min()].max()
        else:
            assert frame["tops"] == []


def test_masses_that_share_an_outline_have_their_numbers_at_their_centres():
    square = np.array([[0, 10], [100, 10], [100, 60], [0, 60]], np.int32)
    other = square + np.array([200, 0], np.int32)
    places = ((1, 20.0, 30.0), (2, 80.0, 30.0), (3, 250.0, 40.0))
    centres = [MassPoint(mass=mass, frame=0, x_px=x, y_px=y) for mass, x, y in places]
    tops = mass_tops([square, other], centres)
    assert tops == [(1, 20.0, 30.0), (2, 80.0, 30.0), (3, 250.0, 10.0)]
    assert mass_tops([], centres[:1]) == [(1, 20.0, 30.0)]


def test_pictures_share_the_box_of_the_key_frame_and_are_black_outside_their_own_tissue(tmp_path):
    cine = made_cine()
    write(cine, tmp_path)
    left, top, width, height = tissue_box(cine.labels)
    assert top == 40 + KEY_FRAME
    scale = FRAME_SIDE / width
    for number in (1, 6):
        picture = cv2.imread(str(tmp_path / "frames" / f"{number:05d}.jpg"), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (round(height * scale), FRAME_SIDE)
        part = cine_frame(number)[top : top + height, left : left + width].astype(np.float32)
        part[cine_labels(number)[top : top + height, left : left + width] == 255] = 0
        expected = cv2.resize(part, picture.shape[::-1], interpolation=cv2.INTER_AREA)
        assert abs(picture - expected).mean() < 12  # the noise of JPEG
    # the tissue of frame 6 begins two rows below that of the key frame
    assert picture[0].max() < 40 < picture[6:].mean()


@pytest.mark.parametrize("most", [1, 2, 4, 5])
def test_key_frame_and_best_frames_are_kept_within_the_limit(tmp_path, most):
    cine = made_cine()
    chosen = chosen_frames(cine, most)
    assert len(chosen) == most
    important = [KEY_FRAME, BEST[1], BEST[3]]
    assert set(important[:most]) <= set(chosen)
    _, content = write(cine, tmp_path, most)
    assert [frame["frame"] for frame in content["frames"]] == chosen
    assert len(content["tracks"]) == 3


def test_without_frames_the_contact_sheet_is_written_all_the_same(tmp_path):
    cine = made_cine()
    written, content = write(cine, tmp_path, most=0)
    assert [path.name for path in written] == ["sheet.png"]
    assert content is None
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert abs(sheet.astype(int) - cine.contact_sheet()).mean() < 1  # a palette


def test_a_cine_without_findings_has_neither(tmp_path):
    bare = replace(made_cine(), foci=Table(), tracks=Table(), mass_tracks=Table(), masses=Table())
    assert write(bare, tmp_path) == ((), None)


def test_files_of_a_former_run_are_deleted_and_others_stay(tmp_path):
    cine = made_cine()
    write(cine, tmp_path)
    (tmp_path / "frames" / "notes.txt").write_text("mine")
    write(cine, tmp_path, most=2)
    names = {path.name for path in (tmp_path / "frames").iterdir()}
    assert len(names) == 4
    assert {"cine.json", "notes.txt", f"{KEY_FRAME:05d}.jpg"} <= names
    assert write(replace(cine, outlines=None), tmp_path) == ((), None)  # now a still
    assert not (tmp_path / "sheet.png").exists()
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["notes.txt"]


def test_the_scan_is_read_once(tmp_path):
    cine = made_cine()
    readings = []

    def read():
        readings.append(1)
        return cine.scan.read()

    write(replace(cine, scan=replace(cine.scan, read=read)), tmp_path)
    assert len(readings) == 1


@pytest.mark.parametrize(("times", "rate"), [((), None), ((0.0,), None), ((0.0, 0.1, 0.2), 10.0)])
def test_frame_rate(times, rate):
    assert frame_rate(times) == rate


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\u00e9"])
def test_a_damaged_file_is_left_out(tmp_path, text):
    (tmp_path / "cine.json").write_text(text, encoding="utf-8")
    assert read_cine(tmp_path / "cine.json") is None


def test_equal_cines_give_equal_files(tmp_path):
    first, _ = write(made_cine(), tmp_path / "one")
    second, _ = write(made_cine(), tmp_path / "other")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    json.loads((tmp_path / "one" / "frames" / "cine.json").read_text("ascii"))


@pytest.fixture
def folder(tmp_path):
    """A run in which the image with the most hostile name is a cine."""
    out = make_run(tmp_path / "run", made_analysis())
    names = sorted([*HOSTILE, NOT_UTF8])
    stem = dict(zip(names, file_stems(names), strict=True))[HOSTILE[1]]
    cine = made_cine()
    write_cine(
        cine,
        partial(frames_at, cine.scan),
        sheet=out / "contact_sheets" / f"{stem}.png",
        folder=out / "report" / "frames" / stem,
        most=3,
    )
    return out


def test_the_page_has_the_frames_of_a_cine_and_their_folder(folder):
    write_report(folder)
    text = (folder / "report.html").read_text("utf-8")
    data = report_data(text)
    entries = {entry["image"]: entry for entry in data["images"]}
    cine = entries[HOSTILE[1]].pop("cine")
    assert not [name for name, entry in entries.items() if "cine" in entry]
    for frame in cine["frames"]:
        assert (folder / unquote(f"{data['root']}{cine['folder']}/{frame['picture']}")).is_file()
    stored = read_cine(folder / unquote(cine.pop("folder")) / "cine.json")
    assert cine == stored
    assert (folder / unquote(entries[HOSTILE[1]]["links"]["contact_sheet"])).is_file()
    write_report(folder)
    assert (folder / "report.html").read_text("utf-8") == text


def test_frames_count_where_the_gallery_is_divided(folder, monkeypatch):
    monkeypatch.setattr("usmicro.writing.report.page.MOST_FOCI", 20)
    monkeypatch.setattr("usmicro.writing.report.page.BYTES_OF_FOCUS", 10)
    run = read_run(folder)
    for row in run.images:
        row["frames"] = 9 if row["image"] == HOSTILE[1] else 1
    alone = [page for page in paginate(run) if HOSTILE[1] in [row["image"] for row in page.images]]
    assert [len(page.images) for page in alone] == [1]
