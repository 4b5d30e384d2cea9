"""The timeline of a cine: bars of foci, evidence for twinkling, sizes of the window."""

import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.made_cine import LAST
from tests.writing.report.conftest import (
    CINE,
    CROWDED,
    FRAME,
    MARKERS,
    SAID,
    SELECTED,
    VIEW,
    card,
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)
TITLE = "document.getElementById('twinkling-title').textContent"


def test_a_bar_selects_its_focus_and_shows_its_best_frame(cine):
    before = cine.get(VIEW)
    cine.click("[data-track='1']")
    assert (cine.get(FRAME), cine.get(SELECTED), cine.get(SAID)) == (12, "1", "")
    assert cine.get(VIEW) == before  # the focus was in the view
    assert cine.get("document.querySelector('.marker.selected').dataset.focus") == "1"
    cine.click("[data-track='3']")
    assert (cine.get(FRAME), cine.get(SELECTED)) == (47, "3")
    assert (
        cine.get(SAID) == "Frame 50, the best of focus 3, is not stored. The nearest is frame 47."
    )


def test_a_row_of_the_table_shows_the_best_frame_of_its_focus(cine):
    cine.key("End")
    cine.click("tr[data-focus='1'] button")
    assert cine.get(FRAME) == 12
    spot = cine.get("(({ x, y }) => [x, y])(markers.find(({ focus }) => focus.focus === 1))")
    assert cine.get(VIEW)[:2] == pytest.approx(spot)


def test_a_focus_that_no_stored_frame_shows_is_not_drawn(page):
    page.get(
        f"""images.find(({{ image }}) => image === '{CINE}').cine.frames.forEach((frame) => {{
          frame.foci = frame.foci.filter(([focus]) => focus !== 3);
        }})"""
    )
    page.click(card(CINE))
    page.click("[data-track='3']")
    assert page.get(FRAME) == 47
    assert page.get(MARKERS) == ""
    assert page.get(SAID).endswith("The nearest is frame 47, which does not show focus 3.")


def test_bars_lie_at_their_frames_and_have_names(cine):
    stored = cine.get("document.querySelector('.stored').getBoundingClientRect().toJSON()")
    for focus, (first, last, best) in {1: (10, 18, 12), 2: (15, 29, 20), 3: (42, 55, 50)}.items():
        box, mark = cine.get(
            f"""["", " .icon"].map((part) => document.querySelector("[data-track='{focus}']" + part)
              .getBoundingClientRect().toJSON())"""
        )
        frame = stored["width"] / (LAST + 1)
        assert box["left"] == pytest.approx(stored["left"] + first * frame, abs=1)
        assert box["right"] == pytest.approx(stored["left"] + (last + 1) * frame, abs=1)
        assert mark["left"] + mark["width"] / 2 == pytest.approx(
            stored["left"] + (best + 0.5) * frame, abs=1
        )
    name = cine.get("document.querySelector(\"[data-track='3']\").getAttribute('aria-label')")
    assert name == "Focus 3, intraductal, frames 42 to 55, best on frame 50"
    gaps = cine.get("[...document.querySelectorAll('.gap')].map((gap) => gap.style.left)")
    assert [round(float(left[:-1]) * (LAST + 1) / 100) for left in gaps] == [0, 30, 48, 56]


def test_the_number_of_every_bar_is_in_the_picture(page):
    page.get(
        f"""(({{ tracks }}) => {{
          Object.assign(tracks[0], {{ first: 0, last: 59 }});
          Object.assign(tracks[1], {{ first: 30, last: 59 }});
        }})(images.find(({{ image }}) => image === '{CINE}').cine)"""
    )
    page.click(card(CINE))
    places = page.get("trackButtons.map(({ element }) => element.dataset.number)")
    assert places == ["inside", "left", "right"]
    outside = page.get(
        """(({ left, right }) => [...document.querySelectorAll(".track-number")]
          .map((number) => number.getBoundingClientRect())
          .filter((box) => box.left < left || box.right > right).length)(
            document.querySelector(".stored").getBoundingClientRect())"""
    )
    assert outside == 0


def test_bars_are_reached_by_keyboard(cine):
    for _ in range(30):
        cine.key("Tab")
        if cine.get("document.activeElement.matches('.track')"):
            break
    assert cine.get("document.activeElement.dataset.track") == "1"
    cine.key("ArrowDown")
    cine.key("ArrowRight")
    assert cine.get("document.activeElement.dataset.track") == "3"
    cine.key("Enter")
    assert (cine.get(FRAME), cine.get(SELECTED)) == (47, "3")
    cine.key("Tab")
    assert not cine.get("document.activeElement.matches('.track')")


def test_many_tracks_scroll_inside_a_fixed_height(page):
    page.click(card(CROWDED))
    height, inside = page.get("(({ clientHeight: a, scrollHeight: b }) => [a, b])(byId('tracks'))")
    assert height <= 112
    assert inside > 3 * height
    stops = "document.querySelectorAll('.track[tabindex=\"0\"]').length"
    assert (page.get("trackButtons.length"), page.get(stops)) == (203, 1)
    overlaps = page.get(
        """(() => {
          const boxes = trackButtons.map(({ element }) => element.getBoundingClientRect());
          const meet = (a, b) =>
            a.top === b.top && a.left < b.right - 0.1 && b.left < a.right - 0.1;
          return boxes.filter((a, index) => boxes.slice(index + 1).some((b) => meet(a, b))).length;
        })()"""
    )
    assert overlaps == 0
    page.click("tr[data-focus='150'] button")
    (top, bottom), area = (
        page.get(
            f"""(({{ top, bottom }}) => [top, bottom])(
              document.querySelector("{name}").getBoundingClientRect())"""
        )
        for name in (".track.selected", "#tracks")
    )
    assert area[0] - 1 <= top < bottom <= area[1] + 1


def test_bars_and_evidence_follow_the_foci_that_may_be_drawn(cine):
    shown = "[...document.querySelectorAll('.track:not([hidden])')].map((b) => b.dataset.track)"
    tops = "[...document.querySelectorAll('.track:not([hidden])')].map((b) => b.style.top)"
    assert (cine.get(shown), cine.get(tops)) == (["1", "2", "3"], ["0px", "22px", "0px"])
    cine.click("[data-track='1']")
    cine.get("focusFilters.push(({ focus }) => focus !== 1); redraw()")
    assert (cine.get(shown), cine.get(tops)) == (["2", "3"], ["0px", "0px"])
    assert cine.get(TITLE) == "Twinkling of 1 focus: evidence, 0 to 1; focus 1 has none"
    cine.get("focusFilters.push(() => false); redraw()")
    assert cine.get(shown) == []
    assert cine.get("document.querySelector('.twinkling').hidden")
    cine.get("focusFilters.length = 0; foci = tableRows(current, 'foci').slice(1); redraw()")
    assert cine.get(shown) == ["2", "3"]
    cine.get("foci = tableRows(current, 'foci'); redraw()")
    cine.click("[data-track='1']")
    assert (cine.get(FRAME), cine.get(SELECTED)) == (12, "1")
    assert cine.get("document.querySelector('.marker.selected').dataset.focus") == "1"


def test_all_controls_have_names(page):
    page.click(card(CROWDED))
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    kinds = {"button", "checkbox", "slider", "image"}
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in kinds]
    assert len(controls) > 200
    assert {node["role"]["value"] for node in controls} >= {"button", "slider", "image"}
    assert [node for node in controls if not node.get("name", {}).get("value", "").strip()] == []


# ---- twinkling ----


def test_the_evidence_for_twinkling_is_plotted_over_the_frames(cine):
    dots = "[...document.querySelectorAll('.twinkling-line .dots')].map((p) => p.getAttribute('d'))"
    assert cine.get(TITLE) == "Twinkling of 2 foci: evidence, 0 to 1"
    assert len(cine.get(dots)) == 2
    cine.click("[data-track='1']")
    assert cine.get(TITLE) == "Twinkling of focus 1: evidence, 0 to 1"
    (path,) = cine.get(dots)
    expected = [f"M{frame} {1 - (0.5 + 0.04 * (frame - 10)):.3f}h0" for frame in range(10, 19)]
    assert path == "".join(expected)
    name = cine.get("document.getElementById('twinkling-plot').getAttribute('aria-label')")
    assert name == "Focus 1: evidence on 9 frames, highest 0.82 on frame 18."
    cine.click("[data-track='3']")
    assert cine.get(TITLE).endswith("focus 3 has none")


# ---- small windows ----


def test_the_picture_stays_large_in_a_low_window(cine):
    cine.resize(1280, 720)
    cine.wait_for("stage.clientHeight > 300")
    assert cine.get("document.getElementById('timeline').closest('#panel') !== null")
    cine.resize(1400, 1000)
    cine.wait_for("document.getElementById('timeline').closest('#film') !== null")


def test_the_player_works_by_touch_on_a_phone(cine):
    cine.resize(390, 800)
    cine.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=1)
    cine.get("new Promise((done) => setTimeout(done, 200))")
    for target, done in (
        ("[data-track='1'] .seen", f"{FRAME} === 12 && {SELECTED} === '1'"),
        ("#film-forward", f"{FRAME} === 13"),
        ("#film-play", "isPlaying"),
        ("#film-play", "!isPlaying"),
    ):
        x, y = cine.point(target)
        cine.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        cine.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        cine.wait_for(done)
    cine.get("document.querySelector('.stored').scrollIntoView({ block: 'center' }), 1")
    x, y, frame = cine.get(
        """(({ left, top, width }) => [left, top + 3, width / 60])(
          document.querySelector(".stored").getBoundingClientRect())"""
    )
    for kind, at in (("touchStart", 15), ("touchMove", 20), ("touchMove", 43), ("touchEnd", None)):
        points = [] if at is None else [{"x": x + (at + 0.5) * frame, "y": y}]
        cine.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    cine.wait_for(f"{FRAME} === 43")
    assert cine.get("document.documentElement.scrollWidth") <= 390
    over = """[...document.querySelectorAll('.picture-side > *')].filter((element) => {
      const { height, bottom } = element.getBoundingClientRect();
      return height && bottom > document.querySelector('.panel').getBoundingClientRect().top + 1;
    }).map((element) => element.id || element.className)"""
    assert cine.get(over) == []
    assert cine.get("stage.clientHeight") >= 150
    wide = """[...document.querySelectorAll('.film *')].filter((element) =>
      element.getBoundingClientRect().right > 390).length"""
    assert cine.get(wide) == 0
    cine.call("Emulation.setTouchEmulationEnabled", enabled=False)
