"""Times and order of the stored frames of a cine."""

import json

import pytest

from tests.helpers.chromium import BROWSER, MISSING

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


def film_of(page, cine, key_frame=0):
    """Return what `filmOf` makes of stored frames."""
    image = {
        "key_frame": key_frame,
        "cine": {"folder": "f", "first_frame": 0, "last_frame": 99, "frame_rate": None, **cine},
        "links": {"picture": "key.jpg"},
        "outlines": {},
        "tops": [],
    }
    film = f"filmOf({json.dumps(image)}, [])"
    return page.get(f"(({{ cine, ...film }}) => ({{ ...film, rate: rateOf({film}) }}))({film})")


def stored_frame(frame, time=None):
    return {
        **{"frame": frame, "time_s": time, "picture": f"{frame}.jpg"},
        **{"foci": [], "outlines": {}, "tops": []},
    }


def test_a_film_of_every_third_frame_plays_in_real_time(page):
    frames = [stored_frame(frame) for frame in (0, 3, 6, 9, 30, 33)]
    film = film_of(page, {"frames": frames, "frame_rate": 30.0})
    assert film["usual"] == 3
    assert film["seconds"] == pytest.approx([0.1] * 6)
    assert page.get(f"stretches({json.dumps(film)})") == [[0, 9], [30, 33]]


def test_times_of_the_file_count_more_than_the_frame_rate(page):
    times = {0: 0.0, 1: 0.1, 2: 0.4, 50: 9.0, 51: 9.1}
    frames = [stored_frame(*item) for item in times.items()]
    film = film_of(page, {"frames": frames, "frame_rate": 20.0})
    assert film["seconds"] == pytest.approx([0.1, 0.3, 0.05, 0.1, 0.05])


def test_a_film_without_times_has_an_assumed_rate_and_says_so(page):
    frames = [stored_frame(frame) for frame in range(4)]
    film = film_of(page, {"frames": frames})
    assert film["seconds"] == pytest.approx([0.1] * 4)
    assert page.get("hasAssumedRate({ cine: {}, frames: [{ time_s: null }] })")


def test_a_key_frame_that_is_not_stored_is_added_from_its_picture(page):
    film = film_of(page, {"frames": [stored_frame(5), stored_frame(6)]}, key_frame=2)
    assert [frame["frame"] for frame in film["frames"]] == [2, 5, 6]
    assert [frame["address"] for frame in film["frames"]] == ["key.jpg", "f/5.jpg", "f/6.jpg"]
