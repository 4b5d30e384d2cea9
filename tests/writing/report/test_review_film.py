"""The review together with the player of cines and the reading tools, in Chromium."""

import json

import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_cine import EVEN, KEY, STORED, make_cine
from tests.helpers.made_run import make_run
from usmicro.writing.report.page import write_report

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)
CINE = "plain/00000.png"
RECORD = "currentRecord()"
HIDDEN = "(selector) => [...document.querySelectorAll(selector)].every((e) => !e.checkVisibility())"


@pytest.fixture(scope="module")
def review_report(tmp_path_factory):
    """A report with a cine, in place of one of stills."""
    page = write_report(make_run(tmp_path_factory.mktemp("run") / "r", made_analysis(), copies=3))
    make_cine(page, CINE)
    return page


@pytest.fixture
def cine(review):
    """The report with the cine open."""
    review.show(CINE)
    return review


def are_hidden(page, selector):
    return page.get(f"({HIDDEN})({json.dumps(selector)})")


def test_blind_mode_hides_what_tells_the_findings_of_a_cine(cine):
    cine.keys("b")
    cine.keys("p")  # the candidates
    cine.browser.click_at(*cine.at(300, 200))
    for selector in ("#timeline", ".track", ".marker", ".candidate-card", "#evidence", "#layers"):
        assert are_hidden(cine, selector), selector
    assert cine.get("document.querySelector('#candidates').children.length") == 0
    assert "calcification" not in cine.text("viewer-facts")
    for selector in ("#summary", "#distributions", "#confidence-note"):
        assert are_hidden(cine, selector), selector
    cine.keys("f")
    assert not are_hidden(cine, "#timeline")
    assert not are_hidden(cine, ".marker")


def test_a_blind_film_has_only_frames_that_were_chosen_whatever_was_found(cine):
    film = "film.frames.map(({ frame }) => frame)"
    assert cine.get(film) == list(STORED)
    assert cine.get("shownFrame()") == KEY
    cine.keys("b")
    assert cine.get(film) == list(EVEN)
    cine.show("plain/00002.png")
    cine.show(CINE)
    assert cine.get("shownFrame()") == EVEN[0]  # the key frame would show a finding
    for name in ("viewer-facts", "film-frame", "film-note"):
        assert "key frame" not in cine.text(name)
    assert "3 of 60 frames, spread evenly" in cine.text("film-note")
    cine.keys(".mm")
    assert cine.get("shownFrame()") == EVEN[1]
    cine.keys("f")
    assert cine.get(film) == list(STORED)
    assert cine.get("shownFrame()") == EVEN[1]
    assert cine.get("byId('base').getAttribute('href')").endswith(f"{EVEN[1]:05d}.jpg")
    assert "film: 29 of 60 frames" in cine.text("film-note")


def test_the_picture_of_the_key_frame_looks_like_the_others_in_blind_mode(cine):
    cine.get(f"current.cine.even = [{KEY - 1}, {KEY}]")
    cine.keys("b")
    cine.browser.key("End")
    assert cine.get("shownFrame()") == KEY
    assert cine.get("shownPicture()").endswith(f"{KEY:05d}.jpg")
    assert "key frame" not in cine.text("film-frame")


def test_a_film_of_an_earlier_version_warns_that_it_hints_at_the_findings(cine):
    cine.get("delete current.cine.even")
    cine.keys("b")
    assert "tell where findings are" in cine.text("film-note")
    assert cine.get("film.frames.length") == len(STORED)


def test_a_mark_belongs_to_the_frame_that_is_shown(cine):
    cine.browser.key(".")
    cine.keys("m")
    cine.browser.click_at(*cine.at(150, 300))
    assert [mark["frame"] for mark in cine.get(RECORD)["added"]] == [KEY + 1]
    assert cine.get("document.querySelectorAll('.own-focus').length") == 1
    cine.keys("m")
    cine.browser.key(".")
    assert cine.get("document.querySelectorAll('.own-focus').length") == 0
    cine.get("selectFinding({ kind: 'added', key: 0 }, true)")
    assert cine.get("shownFrame()") == KEY + 1
    assert cine.get("document.querySelectorAll('.own-focus.selected').length") == 1


def test_a_focus_is_moved_from_where_it_lies_on_the_shown_frame(cine):
    cine.get("showNearest(16)")  # focus 1 moves by two pixels a frame, and is best on frame 12
    x, y = cine.get("(({ x, y }) => [x, y])(markers.find(({ focus }) => focus.focus === 1))")
    cine.keys("e")
    cine.browser.drag(cine.at(x, y), cine.at(x + 10, y), cine.at(x + 30, y + 20))
    moved = cine.get(RECORD)["foci"]["1"]
    assert moved["frame"] == 16
    assert (moved["x"], moved["y"]) == pytest.approx((x + 30, y + 20), abs=1)


def test_a_blind_mark_joins_its_focus_along_the_track(cine):
    cine.get("showNearest(16)")
    x, y = cine.get("(({ x, y }) => [x, y])(markers.find(({ focus }) => focus.focus === 1))")
    cine.keys("b")
    cine.keys("m")
    cine.browser.click_at(*cine.at(x, y))
    cine.keys("f")
    record = cine.get(RECORD)
    assert (record["foci"]["1"]["decision"], record["foci"]["1"]["frame"]) == ("accepted", 16)
    assert "added" not in record


def test_an_accepted_focus_keeps_its_best_frame(cine):
    cine.get("showNearest(16)")
    cine.get("selectFinding({ kind: 'focus', key: 1 })")
    cine.keys("a")
    assert cine.get(RECORD)["foci"]["1"]["frame"] == 12


def test_decisions_stay_while_the_slider_hides_their_foci(review):
    review.show("plain/00001.png")
    review.get("selectFinding({ kind: 'focus', key: 3 })")
    review.keys("2")
    review.keys("]" * 40)
    assert review.get("foci.length") < 3
    review.get("selectFinding(null)")
    review.keys("A")  # all foci that are shown
    record = review.get(RECORD)
    assert record["foci"]["3"]["label"] == "extramass"
    rows = [row for row in review.rows() if row["focus"] == "3"]
    assert [row["decision"] for row in rows] == ["accepted"]
    review.keys("[" * 40)
    assert review.get("foci.length") == 3
    row = review.get("document.querySelector('tr[data-focus=\"3\"]').className")
    assert "accepted" in row.split()


def test_keys_of_the_tools_do_not_collide(cine):
    scripts = "[...Object.keys(KEY_ACTIONS), ...toolKeys.keys(), ...Object.keys(FILM_KEYS)]"
    keys = cine.get(scripts)
    assert len(keys) == len(set(keys))
    assert "h" not in keys


def test_a_tool_of_the_review_stops_the_film(cine):
    cine.browser.key(" ")
    assert cine.get("isPlaying")
    cine.keys("m")
    assert not cine.get("isPlaying")
