import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from usmicro.model.findings import MassPoint, TrackPoint
from usmicro.result import Table
from usmicro.writing.areas import FrameAreas
from usmicro.writing.coco import CocoWriter
from usmicro.writing.coco_frames import STORED, remove_frames, shown_frames, write_frames

FRAMES = 6
SHIFT = 4
"""Columns that the tissue moves from frame to frame."""


def moved(labels, frame):
    return np.roll(labels, SHIFT * frame, axis=1)


@pytest.fixture
def cine():
    """A cine whose foci and mass move: focus 1 is on frames 1 and 2, focus 2 and the mass on 2."""
    analysis = made_analysis(frames=FRAMES)
    first, second = analysis.foci[:2]
    points = [
        TrackPoint(
            focus=focus.focus,
            frame=frame,
            time_s=None,
            x_px=focus.x_px + SHIFT * frame,
            y_px=focus.y_px,
            x_mm=None,
            depth_mm=None,
            confidence=0.25,
        )
        for focus, frame in ((first, 1), (first, 2), (second, 2))
    ]
    (mass,) = analysis.masses
    centre = MassPoint(mass=mass.mass, frame=2, x_px=mass.x_px + SHIFT * 2, y_px=mass.y_px)
    return replace(
        analysis,
        foci=Table([replace(focus, track=7 + focus.focus) for focus in (first, second)]),
        tracks=Table(points),
        mass_tracks=Table([centre]),
        frame=4,
    )


@pytest.fixture
def areas(cine):
    stored = FrameAreas()
    for frame in range(FRAMES):
        stored.add(frame, moved(cine.labels, frame), STORED)
    return stored


def write(cine, areas, tmp_path):
    pictures = [(number, cine.image) for number in shown_frames(cine)]
    return write_frames(
        cine,
        areas,
        pictures,
        images=tmp_path / "images",
        stem="sub/cine",
        annotations=tmp_path / "coco" / "cine.jsonl",
    )


def coco_of(tmp_path):
    """Write coco.json from the lines of a cine; return it as read by the reference program."""
    api = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    file = io.BytesIO()
    with CocoWriter(file) as writer:
        for line in (tmp_path / "coco" / "cine.jsonl").read_text().splitlines():
            writer.add_annotated(**json.loads(line))
    (tmp_path / "coco.json").write_bytes(file.getvalue())
    return api.COCO(str(tmp_path / "coco.json"))


def test_frames_that_show_findings_and_the_key_frame_are_written(cine, areas, tmp_path):
    written = write(cine, areas, tmp_path)
    names = ["000001.png", "000002.png", "000004.png"]
    assert [path.name for path in written] == [*names, "cine.jsonl"]
    assert all(path.exists() for path in written)
    coco = coco_of(tmp_path)
    images = coco.dataset["images"]
    assert [image["file_name"] for image in images] == [f"sub/cine.frames/{name}" for name in names]
    assert [image["attributes"]["frame"] for image in images] == [1, 2, 4]
    for image in images:
        picture = cv2.imread(str(tmp_path / "images" / image["file_name"]))
        assert picture.shape[:2] == (image["height"], image["width"])
        outside = moved(cine.labels, image["attributes"]["frame"]) == 255
        assert not picture[outside].any()


def test_a_focus_keeps_its_track_id_and_lies_where_the_frame_shows_it(cine, areas, tmp_path):
    write(cine, areas, tmp_path)
    coco = coco_of(tmp_path)
    frames = {image["id"]: image["attributes"]["frame"] for image in coco.dataset["images"]}
    drawn = [one for one in coco.dataset["annotations"] if "keypoints" in one]
    assert [(frames[one["image_id"]], one["attributes"]["track_id"]) for one in drawn] == [
        (point.frame, point.focus)
        for point in sorted(cine.tracks, key=lambda point: (point.frame, point.focus))
    ]
    for one in drawn:
        focus = cine.foci[one["attributes"]["track_id"] - 1]
        frame = frames[one["image_id"]]
        assert one["keypoints"] == [
            pytest.approx(focus.x_px + SHIFT * frame, abs=0.01),
            pytest.approx(focus.y_px, abs=0.01),
            2,
        ]
        assert one["attributes"]["frame"] == frame
        assert one["attributes"]["frame_confidence"] == 0.25
        assert "depth_mm" not in one["attributes"]


def test_areas_are_those_of_the_frame_and_only_listed_masses_are_drawn(cine, areas, tmp_path):
    write(cine, areas, tmp_path)
    coco = coco_of(tmp_path)
    categories = {category["name"]: category["id"] for category in coco.dataset["categories"]}
    for image in coco.dataset["images"]:
        frame = image["attributes"]["frame"]
        true = moved(cine.labels, frame)
        for name, value in (("mass", 1), ("duct", 2), ("nonmass area", 3)):
            ids = coco.getAnnIds(image["id"], catIds=[categories[name]])
            drawn = np.zeros(true.shape, bool)
            for annotation in coco.loadAnns(ids):
                drawn |= coco.annToMask(annotation) > 0
            if name == "mass" and frame != 2:
                assert not ids  # the mass of this frame is in no table
            else:
                assert (drawn & (true == value)).sum() / (drawn | (true == value)).sum() > 0.99
            if name == "mass" and ids:
                assert coco.loadAnns(ids)[0]["attributes"]["track_id"] == cine.masses[0].mass


def test_an_area_of_another_mass_is_not_drawn(cine, areas, tmp_path):
    labels = moved(cine.labels, 2)
    labels[50:70, 20:60] = 1
    areas.add(2, labels, STORED)
    write(cine, areas, tmp_path)
    coco = coco_of(tmp_path)
    (ids,) = [
        coco.getAnnIds(image["id"], catIds=[1])
        for image in coco.dataset["images"]
        if image["attributes"]["frame"] == 2
    ]
    (mass,) = coco.loadAnns(ids)
    assert not coco.annToMask(mass)[50:70, 20:60].any()


def test_frames_of_a_former_run_are_deleted_and_other_files_stay(cine, areas, tmp_path):
    folder = tmp_path / "images" / "sub" / "cine.frames"
    folder.mkdir(parents=True)
    (folder / "000005.png").write_bytes(b"old")
    (folder / "mine.png").write_bytes(b"mine")
    write(cine, areas, tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        "000001.png",
        "000002.png",
        "000004.png",
        "mine.png",
    }
    remove_frames(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.png"]
    remove_frames(tmp_path / "nothing")


def test_the_outline_of_a_clump_moves_with_it(cine, areas, tmp_path):
    x, y = cine.foci[0].x_px, cine.foci[0].y_px
    outline = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in ((-5, -3), (5, -3), (5, 3)))
    clump = replace(cine.foci[0], outline_px=outline)
    write(replace(cine, foci=Table([clump, cine.foci[1]])), areas, tmp_path)
    coco = coco_of(tmp_path)
    first = next(one for one in coco.dataset["annotations"] if "keypoints" in one)
    left, _, width, _ = first["bbox"]
    assert left == pytest.approx(x - 5 + SHIFT + 0.5, abs=0.1)
    assert width == pytest.approx(10, abs=0.1)
