"""Films: the frames of a cine that the report plays."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from tests.helpers.moving_cine import cine_frame, cine_labels, moving_cine
from usmicro.model.findings import MassPoint, TrackPoint, TwinklingPoint
from usmicro.model.frame_outlines import FrameOutlines
from usmicro.result import Table
from usmicro.writing.report.film import (
    FILM_RECORD,
    FRAME_SIDE,
    FilmWriter,
    chosen_frames,
    read_film,
    runs_of,
    tops_of,
)
from usmicro.writing.report.pictures import tissue_box

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


def test_all_analysed_frames_are_chosen_if_there_is_room(cine):
    chosen = chosen_frames(cine, range(FRAMES), 40)
    assert chosen.stored == chosen.even == list(range(FRAMES))


@pytest.mark.parametrize("most", [0, 1, 2, 3, 5, 10, 19, 39])
def test_frames_are_thinned_and_the_best_are_kept(cine, most):
    stored, even = chosen_frames(cine, range(FRAMES), most)
    assert stored == sorted(set(stored))
    assert set(even) <= set(stored)
    assert len(even) <= most // 2
    assert len(stored) <= most
    assert set(stored) - set(even) <= shown()
    assert set([12, 4, 33][: most - len(even)]) <= set(stored)
    if most >= 2:  # from end to end
        steps = np.diff([-1, *even, FRAMES])
        assert len(set(steps[1:-1].tolist())) <= 1
        assert steps.max() <= 2 * FRAMES / len(even)


@pytest.mark.parametrize("most", [2, 9, 20])
def test_the_even_frames_do_not_depend_on_what_was_found(cine, most):
    nothing = replace(cine, foci=Table([]), tracks=Table([]), mass_tracks=Table([]), frame=0)
    even = chosen_frames(cine, range(FRAMES), most).even
    assert even == chosen_frames(nothing, range(FRAMES), most).even


def write(cine, folder, most=100):
    areas = FrameOutlines()
    for frame in range(FRAMES):
        areas.add(frame, cine.labels if 10 <= frame <= 20 else np.zeros_like(cine.labels))
    chosen = chosen_frames(cine, range(FRAMES), most)
    film = FilmWriter(cine, areas, folder, even=chosen.even)
    for number in chosen.stored:
        film.add(number, np.full_like(cine.image, 5 * number))
    return film.close()


def test_each_frame_has_its_own_findings(cine, tmp_path):
    files = write(cine, tmp_path / "film")
    record = read_film(tmp_path / "film")
    frames = {frame["frame"]: frame for frame in record["frames"]}
    assert list(frames) == record["even"] == list(range(FRAMES))
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
    square = np.array([[0, 10], [100, 10], [100, 60], [0, 60]], np.int32)
    other = square + np.array([200, 0], np.int32)
    places = ((1, 20.0, 30.0), (2, 80.0, 30.0), (3, 250.0, 40.0))
    centres = [MassPoint(mass=mass, frame=0, x_px=x, y_px=y) for mass, x, y in places]
    # masses that share an outline have their numbers at their centres
    assert tops_of([square, other], centres) == [(1, 20.0, 30.0), (2, 80.0, 30.0), (3, 250.0, 10.0)]
    assert tops_of([], centres[:1]) == [(1, 20.0, 30.0)]


def test_runs_count_analysed_frames_only():
    assert runs_of([0, 10, 20, 40], [0, 10, 20, 30, 40]) == [(0, 20), (40, 40)]


def test_pictures_share_the_box_of_the_key_frame_and_are_black_outside_their_own_tissue(tmp_path):
    cine = moving_cine()
    film = FilmWriter(cine, cine.outlines, tmp_path)
    left, top, width, height = tissue_box(cine.labels)
    for number in (1, 6):
        film.add(number, cine_frame(number))
        picture = cv2.imread(str(tmp_path / f"{number:06d}.jpg"), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (round(height * FRAME_SIDE / width), FRAME_SIDE)
        part = cine_frame(number)[top : top + height, left : left + width].astype(np.float32)
        part[cine_labels(number)[top : top + height, left : left + width] == 255] = 0
        expected = cv2.resize(part, picture.shape[::-1], interpolation=cv2.INTER_AREA)
        assert abs(picture - expected).mean() < 12  # the noise of JPEG
    # the tissue of frame 6 begins two rows below that of the key frame
    assert picture[0].max() < 40 < picture[6:].mean()
