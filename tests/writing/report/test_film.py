"""Films: the frames of a cine that the report plays."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from usmicro.model.findings import MassPoint, TrackPoint, TwinklingPoint
from usmicro.result import Table
from usmicro.writing.areas import FrameAreas
from usmicro.writing.report.film import (
    FILM_RECORD,
    FilmWriter,
    chosen_frames,
    read_film,
    tops_of,
)

FRAMES = 40


def point(focus, frame):
    return TrackPoint(
        focus=focus,
        frame=frame,
        time_s=None,
        x_px=10.0 + frame,
        y_px=20.0,
        x_mm=None,
        depth_mm=None,
        confidence=0.5,
    )


@pytest.fixture
def cine():
    """Focus 1 on frames 3 to 5 and 9, focus 2 on 30 to 34; the mass on 10 to 20."""
    analysis = made_analysis(frames=FRAMES)
    first, second = (
        replace(focus, frame=frame) for focus, frame in zip(analysis.foci[:2], (4, 33), strict=True)
    )
    (mass,) = analysis.masses
    frames = [(1, frame) for frame in (3, 4, 5, 9)] + [(2, frame) for frame in range(30, 35)]
    return replace(
        analysis,
        scan=replace(analysis.scan, frame_times=tuple(i / 20 for i in range(FRAMES))),
        summary=replace(analysis.summary, frames=FRAMES),
        foci=Table([first, second]),
        tracks=Table([point(*pair) for pair in frames]),
        mass_tracks=Table(
            [
                MassPoint(mass=mass.mass, frame=frame, x_px=mass.x_px, y_px=mass.y_px)
                for frame in range(10, 21)
            ]
        ),
        twinkling=Table(
            [
                *(TwinklingPoint(focus=1, frame=frame, evidence=0.25) for frame in (3, 4)),
                TwinklingPoint(focus=2, frame=30, evidence=0.0),
            ]
        ),
        frame=12,
    )


def shown():
    return {3, 4, 5, 9, *range(10, 21), *range(30, 35)}


def test_all_frames_with_findings_are_chosen_if_there_is_room(cine):
    assert set(chosen_frames(cine, 100)) == shown()


@pytest.mark.parametrize("most", [0, 1, 2, 3, 5, 10, 19])
def test_frames_are_thinned_and_the_best_are_kept(cine, most):
    chosen = chosen_frames(cine, most)
    assert len(chosen) == most
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= shown()
    assert set([12, 4, 33][:most]) <= set(chosen)


def write(cine, folder, most=100):
    areas = FrameAreas()
    for frame in range(FRAMES):
        areas.add(frame, cine.labels if 10 <= frame <= 20 else np.zeros_like(cine.labels))
    film = FilmWriter(cine, areas, folder)
    for number in chosen_frames(cine, most):
        film.add(number, np.full_like(cine.image, 5 * number))
    return film.close()


def test_each_frame_has_its_own_findings(cine, tmp_path):
    files = write(cine, tmp_path / "film")
    record = read_film(tmp_path / "film")
    frames = {frame["frame"]: frame for frame in record["frames"]}
    assert set(frames) == shown()
    assert frames[4]["foci"] == [[1, 14.0, 20.0, 0.5]]
    assert (frames[4]["outlines"], frames[4]["tops"]) == ({}, [])
    assert frames[12]["foci"] == []
    assert "mass" in frames[12]["outlines"]
    assert [top[0] for top in frames[12]["tops"]] == [cine.masses[0].mass]
    assert frames[30]["time_s"] == 1.5
    assert record["frame_rate"] == pytest.approx(20)
    pictures = [path for path in files if path.suffix == ".jpg"]
    assert record["bytes"] == sum(path.stat().st_size for path in pictures)
    assert {path.name for path in pictures} == {frame["picture"] for frame in record["frames"]}
    grey = cv2.imread(str(tmp_path / "film" / frames[30]["picture"]), cv2.IMREAD_GRAYSCALE)
    assert abs(int(np.median(grey)) - 150) <= 2


def test_bars_are_the_runs_of_frames_that_show_a_focus(cine, tmp_path):
    write(cine, tmp_path / "film")
    first, second = read_film(tmp_path / "film")["tracks"]
    assert first["frames"] == [[3, 5], [9, 9]]
    assert (first["first"], first["last"], first["best"]) == (3, 9, 4)
    assert second["frames"] == [[30, 34]]


def test_evidence_is_kept_of_foci_that_ever_show_colours(cine, tmp_path):
    write(cine, tmp_path / "film")
    assert read_film(tmp_path / "film")["twinkling"] == {"1": [[3, 0.25], [4, 0.25]]}


def test_a_film_replaces_the_frames_of_an_earlier_one(cine, tmp_path):
    write(cine, tmp_path / "film")
    (tmp_path / "film" / "note.txt").write_text("of the user")
    files = write(cine, tmp_path / "film", most=4)
    left = {path.name for path in (tmp_path / "film").iterdir()}
    assert left == {path.name for path in files} | {"note.txt"}


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff"])
def test_a_damaged_record_is_no_film(tmp_path, content):
    (tmp_path / FILM_RECORD).write_bytes(content)
    assert read_film(tmp_path) is None
    assert read_film(tmp_path / "missing") is None


def test_equal_cines_give_equal_films(cine, tmp_path):
    one, other = write(cine, tmp_path / "a"), write(cine, tmp_path / "b")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    json.loads(one[-1].read_bytes())


def test_the_number_of_a_mass_stands_at_the_top_of_its_own_outline():
    area = np.zeros((60, 80), bool)
    area[10:20, 5:25] = area[30:50, 40:70] = True
    centres = [
        MassPoint(mass=3, frame=0, x_px=55.0, y_px=40.0),
        MassPoint(mass=1, frame=0, x_px=15.0, y_px=15.0),
    ]
    assert tops_of(area, centres) == [(3, 54.5, 30.0), (1, 14.5, 10.0)]
    assert tops_of(np.zeros_like(area), centres[:1]) == [(3, 55.0, 40.0)]
