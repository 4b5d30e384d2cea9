"""The player of the report: the stored frames of a cine, with real events in Chromium."""

import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.made_cine import FOLDER, KEY, LAST, RATE, STORED
from tests.writing.report.conftest import (
    CINE,
    FRAME,
    MARKERS,
    SAID,
    SELECTED,
    STILL,
    VIEW,
    card,
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)
NOTE = "document.querySelector('#viewer .film .note:last-child').textContent"


def record_frames(page):
    """Record each frame that is shown, with its time in seconds."""
    page.get(
        """window.shownFrames = []; viewerEvents.addEventListener("frame", () => {
          window.shownFrames.push([shownFrame(), performance.now() / 1000]);
        }); null"""
    )


# ---- what is drawn ----


def test_a_cine_opens_on_its_key_frame_with_the_findings_of_this_frame_alone(cine):
    assert cine.get(FRAME) == KEY
    assert cine.get(MARKERS) == "2"
    assert cine.get("document.querySelectorAll('#tables tr[data-focus]').length") == 3
    dots = f"document.querySelectorAll('{card(CINE)} .thumb .icon').length"
    assert cine.get(dots) == 1
    assert cine.get(f"document.querySelectorAll('{card(STILL)} .thumb .icon').length") == 3


def test_each_frame_shows_its_own_findings(cine):
    at = "markers.map(({ focus, x, y, confidence }) => [focus.focus, x, y, confidence])"
    expected = {
        frame["frame"]: frame
        for frame in cine.get("images.find(({ image }) => image === 'plain/00000.png').cine.frames")
    }
    cine.key("Home")
    shown = []
    for index in range(len(STORED)):
        frame = cine.get(FRAME)
        shown.append(frame)
        assert cine.get(at) == expected[frame]["foci"]
        placed = cine.get("markers.map(({ group }) => group.getAttribute('transform'))")
        assert [
            f"translate({x} {y})" in text
            for text, (_, x, y, _) in zip(placed, expected[frame]["foci"], strict=True)
        ] == [True] * len(placed)
        outlines = (
            "[...document.querySelectorAll('#areas .area')].map((area) => area.dataset.layer)"
        )
        assert cine.get(outlines) == list(expected[frame]["outlines"])
        numbers = "[...document.querySelectorAll('#areas text')].map((text) => text.textContent)"
        assert cine.get(numbers) == [f"M{mass}" for mass, *_ in expected[frame]["tops"]]
        picture = cine.get("base.getAttribute('href')")
        still = frame == KEY
        assert picture.startswith("report/images/" if still else f"{FOLDER}/{frame:05d}.jpg")
        if index < len(STORED) - 1:
            cine.key(".")
    assert shown == list(STORED)


def test_shadow_and_outline_are_drawn_on_the_frame_on_which_they_were_measured(cine):
    strips = "document.querySelectorAll('.shadow-strip, .marker .sign[data-layer=shadow]').length"
    assert cine.get(strips) == 2
    cine.key(".")
    assert cine.get(MARKERS) == "2"
    assert cine.get(strips) == 0


def test_layers_and_filters_apply_to_every_frame(cine):
    shown = "getComputedStyle(document.querySelector(\".marker[data-focus='2']\")).display"
    cine.click("[data-toggles='extramass']")
    assert cine.get(shown) == "none"
    cine.key(".")
    assert cine.get(shown) == "none"
    cine.click("[data-toggles='extramass']")
    assert cine.get(shown) != "none"
    cine.get("focusFilters.push(({ focus }) => focus !== 2); redraw()")
    assert cine.get(MARKERS) == ""
    visible = "[...document.querySelectorAll('.track:not([hidden])')].map((b) => b.dataset.track)"
    assert cine.get(visible) == ["1", "3"]
    cine.key(",", times=3)
    assert cine.get(MARKERS) == "1"


def test_a_cine_without_stored_frames_shows_the_foci_of_its_key_frame_and_says_so(page):
    page.get(f"delete images.find(({{ image }}) => image === '{CINE}').cine; null")
    page.click(card(CINE))
    assert page.get(FRAME) == KEY
    assert page.get(MARKERS) == "2"
    assert page.get(NOTE).startswith("2 foci lie on other frames and cannot be shown")
    assert "--set report.frames=N" in page.get(NOTE)
    before = page.get(VIEW)
    page.click("tr[data-focus='1'] button")
    assert "Focus 1: intramass" in page.get("document.getElementById('evidence').textContent")
    assert page.get(MARKERS) == "2"
    assert page.get(VIEW)[2] == before[2]
    assert page.get("document.getElementById('timeline')") is None


def test_a_still_has_no_player(page):
    page.click(card(CINE))
    page.key("PageDown", times=2)
    assert page.get("document.getElementById('viewer-title').textContent") == STILL
    assert page.get("document.getElementById('film').hidden")
    assert page.get("document.querySelectorAll('#timeline, #film-play').length") == 0
    assert page.get(FRAME) == 0
    page.key(" ")
    page.key(".")
    assert page.get(MARKERS) == "1,2,3"


# ---- moving and playing ----


def test_keys_and_buttons_step_and_say_where_frames_are_left_out(cine):
    cine.key(".")
    assert (cine.get(FRAME), cine.get(SAID)) == (21, "")
    cine.key(",", times=2)
    assert cine.get(FRAME) == 19
    cine.click("#film-back")
    assert cine.get(FRAME) == 18
    cine.key("Home")
    assert cine.get(FRAME) == STORED[0]
    assert cine.get("document.getElementById('film-back').disabled")
    cine.key("End")
    assert cine.get(FRAME) == STORED[-1]
    cine.key(",")
    assert cine.get(FRAME) == 47
    assert cine.get(SAID) == "Jumped over frames 48 to 54, which are not stored."
    assert cine.get("document.getElementById('film-frame').textContent") == "frame 47 · 2.35 s"


def test_the_space_bar_plays_the_stored_frames_in_order_and_starts_again(cine):
    record_frames(cine)
    cine.key("Home")
    cine.key(" ")
    assert cine.get("isPlaying")
    cine.wait_for("window.shownFrames.some(([frame], index) => index > 2 && frame === 10)")
    cine.key(" ")
    assert not cine.get("isPlaying")
    frames = [frame for frame, _ in cine.get("window.shownFrames")][1:]
    # on a busy machine the film may leave out the first frame of its second round
    ends = [index for index in range(1, len(frames)) if frames[index] < frames[index - 1]]
    first_round = frames[: ends[0]]
    assert set(first_round) <= set(STORED)
    assert first_round == sorted(first_round)
    cine.wait_for("!isPlaying")
    stopped = cine.get(FRAME)
    cine.get("new Promise((done) => setTimeout(done, 150))")
    assert cine.get(FRAME) == stopped


@pytest.mark.parametrize("speed", [0.5, 1, 4])
def test_the_film_plays_in_real_time_and_jumps_over_gaps(cine, speed):
    """The times of the screen are simulated, so that a busy machine does not matter."""
    cine.get("film.frames.forEach((frame, index) => loadPicture(index))")
    cine.wait_for("[...filmPictures.values()].every(({ state }) => state === 'ready')")
    cine.key("Home")
    shown = cine.get(
        f"""(() => {{
          window.requestAnimationFrame = () => 0;
          filmSpeed = {speed};
          play();
          shownSince = 0;
          return Array.from({{ length: 150 }}, (_, index) => {{
            tick(10 * index + 6);
            return shownFrame();
          }});
        }})()"""
    )
    due = [int((0.01 * index + 0.006) * speed * RATE) for index in range(150)]
    assert shown == [STORED[number % len(STORED)] for number in due]


def test_the_film_waits_for_a_picture_that_is_not_loaded(cine):
    cine.key("Home")
    cine.get("window.requestAnimationFrame = () => 0; play(); shownSince = 0; null")
    cine.wait_for("loadPicture(1).state === 'ready'")
    cine.get("loadPicture(2).state = 'loading'; tick(120)")
    assert cine.get(FRAME) == 11
    cine.get("loadPicture(2).state = 'ready'; tick(130)")
    assert cine.get(FRAME) == 12


def test_the_speed_changes_by_keys_and_buttons(cine):
    speed = "document.getElementById('film-speed').textContent"
    assert cine.get(speed) == "1×"
    cine.key("<", times=3)
    assert (cine.get(speed), cine.get("milliseconds(0)")) == ("0.25×", pytest.approx(200))
    cine.key(">", times=9)
    assert (cine.get(speed), cine.get("milliseconds(0)")) == ("4×", pytest.approx(12.5))
    cine.click("#film-slower")
    assert cine.get(speed) == "2×"


def test_without_a_loop_the_film_ends_at_its_last_frame_and_starts_again_from_the_first(cine):
    cine.key(">", times=2)
    cine.click("#film-loop")
    assert cine.get("document.getElementById('film-loop').getAttribute('aria-pressed')") == "false"
    cine.click("#film-play")
    cine.wait_for("!isPlaying")
    assert cine.get(FRAME) == STORED[-1]
    cine.key("<", times=4)  # so that it does not end meanwhile
    record_frames(cine)
    cine.click("#film-play")
    assert cine.get("document.getElementById('film-play').title") == "Pause (Space)"
    cine.wait_for("window.shownFrames.length > 1")
    assert cine.get("window.shownFrames[0][0]") == STORED[0]
    cine.click("#film-play")
    assert cine.get("document.getElementById('film-play').title") == "Play (Space)"
    cine.click("#film-loop")


def test_zoom_selection_and_position_stay_while_the_film_plays(cine):
    cine.click("tr[data-focus='2'] button")
    before = cine.get(VIEW)
    record_frames(cine)
    cine.key(" ")
    cine.wait_for("window.shownFrames.length > 12")
    assert cine.get(VIEW) == before
    assert cine.get(SELECTED) == "2"
    cine.get("pause()")
    cine.key("Home")
    cine.key(".", times=6)
    assert cine.get("document.querySelector('.marker.selected').dataset.focus") == "2"


def test_the_next_pictures_are_loaded_before_they_are_shown(cine):
    cine.wait_for("filmPictures.size >= AHEAD")
    cine.wait_for("[...filmPictures.values()].every(({ state }) => state === 'ready')")
    cine.get(
        """window.unready = []; viewerEvents.addEventListener("frame", () => {
          const { state } = loadPicture(filmIndex);
          if (isPlaying && state !== "ready") window.unready.push(shownFrame());
        }); null"""
    )
    record_frames(cine)
    cine.key(" ")
    cine.wait_for("window.shownFrames.length > 25")
    assert cine.get("window.unready") == []


def test_the_slider_and_a_drag_on_the_timeline_show_the_nearest_stored_frame(cine):
    slider = cine.get("document.getElementById('film-slider').getBoundingClientRect().toJSON()")
    middle = slider["top"] + slider["height"] / 2
    across = lambda frame: slider["left"] + 8 + (slider["width"] - 16) * frame / LAST  # noqa: E731
    cine.drag((across(KEY), middle), (across(25), middle), (across(28), middle))
    assert cine.get(FRAME) == 28
    cine.key("ArrowRight")
    assert cine.get(FRAME) == 29
    cine.key("ArrowRight")  # over the gap
    assert cine.get(FRAME) == 40
    stored = cine.get("document.querySelector('.stored').getBoundingClientRect().toJSON()")
    at = lambda frame: (  # noqa: E731
        stored["left"] + stored["width"] * (frame + 0.5) / (LAST + 1),
        stored["top"] + 3,
    )
    cine.drag(at(12), at(14), at(33))
    assert cine.get(FRAME) == 29
    x, y = cine.get(
        """(({ left, top, width, height }) => [left + width / 2, top + height - 30])(
          document.getElementById("timeline").getBoundingClientRect())"""
    )
    del x
    cine.drag((at(44)[0], y), (at(44)[0], y))
    assert cine.get(FRAME) == 44
    playhead = cine.get("document.getElementById('playhead').getBoundingClientRect().x + 1")
    assert playhead == pytest.approx(at(44)[0], abs=1.5)


def test_keys_are_left_to_a_field_in_which_the_reader_writes(cine):
    cine.get("byId('panel').prepend(make('input', { id: 'field' })); byId('field').focus()")
    cine.key(" ")
    cine.key(".")
    assert not cine.get("isPlaying")
    assert (cine.get(FRAME), cine.get("byId('field').value")) == (KEY, " .")


# ---- size, missing pictures ----


def test_the_size_of_the_film_is_stated(cine):
    assert cine.get(NOTE).startswith("film: 29 of 60 frames, 1.")
    assert cine.get(NOTE).endswith("MB · more: --set report.frames=N")


def test_a_missing_picture_is_said(chromium, report, tmp_path):
    moved = tmp_path / "report.html"
    moved.write_bytes(report.read_bytes())
    chromium.resize(1400, 1000)
    chromium.open(moved)
    chromium.click(card(CINE))
    chromium.key(".")
    chromium.wait_for("!missingNote.hidden")
    assert chromium.get("missingNote.textContent").startswith(
        f"The picture of frame 21 is missing: {FOLDER}/00021.jpg"
    )
    assert chromium.get(MARKERS) == "2"
    chromium.key(" ")  # the film goes on all the same
    chromium.wait_for("shownFrame() > 25")
    chromium.key(" ")
