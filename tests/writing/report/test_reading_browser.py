"""The reading tools of the report with a real pointer, keyboard and touch in Chromium."""

import json
import re
from dataclasses import replace
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from tests.helpers.chromium import BROWSER, MISSING, Chromium
from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import HOSTILE, make_run
from usmicro.model.findings import Candidate, ShadowProfile
from usmicro.result import Table
from usmicro.writing.report.page import write_report

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)

FIRST = "#cards > li:nth-child(5) button"
OPENED = "document.getElementById('viewer').open"
TITLE = "document.getElementById('viewer-title').textContent"
MARKERS = "document.querySelectorAll('.marker').length"
CONFIDENCES = (0.9, 0.5, 0.03)
AT = (100.0, 300.0)
"""Where the candidate lies that is not listed."""


def readable_analysis():
    """Return an analysis with a shadow profile, a candidate and three different confidences."""
    made = made_analysis()
    depth = np.arange(80, dtype=np.float32)
    strip = np.where(depth < 50, 40, 90).astype(np.float32)
    profile = ShadowProfile(
        depth_px=depth,
        depth_mm=depth * np.float32(0.08),
        strip=strip,
        left=np.full(80, 90, np.float32),
        right=np.full(80, 100, np.float32),
    )
    foci = [
        replace(focus, confidence=confidence, shadow_profile=profile)
        for focus, confidence in zip(made.foci, CONFIDENCES, strict=True)
    ]
    foci[1] = replace(foci[1], shadow="not assessable", shadow_profile=None)
    candidate = Candidate(
        frame=0,
        x_px=AT[0],
        y_px=AT[1],
        x_mm=None,
        depth_mm=None,
        diameter_px=6.0,
        diameter_mm=0.48,
        contrast=2.0,
        false_alarm=0.1,
        confidence=0.01,
        listed="no",
        focus=None,
        reason="Confidence 0.01 is below 0.02. Lowered most by <b>depth</b>.",
    )
    return replace(made, foci=Table(foci), candidates=Table([candidate]))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "r"
    recorded = {"listed_from_confidence": 0.02, "shown_from_confidence": 0.02}
    return write_report(make_run(folder, readable_analysis(), copies=30, recorded=recorded))


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def page(chromium, report):
    """Open the report; check afterwards that nothing is on the console."""
    chromium.resize(1400, 1000)
    chromium.open(report)
    yield chromium
    assert chromium.console_messages() == []


def go(browser, address):
    """Go to an address in a fresh page."""
    for url in ("about:blank", address):
        browser.events.clear()
        browser.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in browser.events):
            browser.events.append(browser._next())


def mouse(page, kind, x, y, **more):
    given = {"button": "left", "buttons": 1, "clickCount": 1, **more}
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **given)


def drag(page, start, end):
    """Drag the pointer between two positions on the screen."""
    mouse(page, "mousePressed", *start)
    for share in (0.5, 1.0):
        at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
        mouse(page, "mouseMoved", *at)
    mouse(page, "mouseReleased", *end)


def on_screen(page, x, y):
    """Return where an image pixel is on the screen."""
    return page.get(
        f"""(() => {{ const {{ left, top, width, height }} = stage.getBoundingClientRect();
        return [left + width / 2 + ({x} - view.x) * view.scale,
          top + height / 2 + ({y} - view.y) * view.scale]; }})()"""
    )


def image_pixel(page, x, y):
    """Return the image pixel at a position on the screen."""
    at = page.get(f"imagePoint({{ clientX: {x}, clientY: {y} }})")
    return np.array([at["x"], at["y"]])


def touch(page, kind, *points):
    page.call(
        "Input.dispatchTouchEvent",
        type=kind,
        touchPoints=[{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)],
    )


# ---- zoom ----


@pytest.mark.parametrize("size", [(1400, 1000), (390, 800)], ids=["desktop", "phone"])
def test_the_point_below_the_pointer_stays_when_the_wheel_zooms(page, size):
    page.click(FIRST)
    page.resize(*size)
    page.get("new Promise((done) => setTimeout(done, 200))")
    x, y = page.point("#stage")
    x, y = round(x) + 60, round(y) - 40  # the browser rounds the position of a wheel
    before, scale = image_pixel(page, x, y), page.get("view.scale")
    for _ in range(4):
        mouse(page, "mouseWheel", x, y, button="none", buttons=0, deltaX=0, deltaY=-90)
    page.wait_for(f"view.scale > 2 * {scale}")
    np.testing.assert_allclose(image_pixel(page, x, y), before, atol=0.01)
    mouse(page, "mouseWheel", x, y, button="none", buttons=0, deltaX=0, deltaY=90)
    np.testing.assert_allclose(image_pixel(page, x, y), before, atol=0.01)


@pytest.mark.parametrize("size", [(1400, 1000), (390, 800)], ids=["desktop", "phone"])
def test_the_point_between_two_fingers_stays(page, size):
    page.click(FIRST)
    page.resize(*size)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    page.get("new Promise((done) => setTimeout(done, 200))")
    x, y = page.point("#stage")
    x, y = x - 50, y + 30
    before, scale = image_pixel(page, x, y), page.get("view.scale")
    touch(page, "touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 45, 60):
        touch(page, "touchMove", (x - reach, y), (x + reach, y))
    page.wait_for(f"Math.abs(view.scale / {scale} - 3) < 0.05")
    np.testing.assert_allclose(image_pixel(page, x, y), before, atol=0.01)
    touch(page, "touchMove", (x - 60 + 25, y - 15), (x + 60 + 25, y - 15))  # both move alike
    touch(page, "touchEnd")
    np.testing.assert_allclose(image_pixel(page, x + 25, y - 15), before, atol=0.01)
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)


# ---- window and level ----

READOUT = "document.querySelector('.readout').textContent"


def greys(page):
    """Return the mean grey level of the picture on the screen, without its findings."""
    x, y = page.point("#stage")
    picture = cv2.imdecode(np.frombuffer(page.picture(), np.uint8), cv2.IMREAD_GRAYSCALE)
    return float(picture[int(y) - 60 : int(y) + 60, int(x) - 60 : int(x) + 60].mean())


def test_a_drag_sets_the_window_of_the_picture_alone(page):
    page.click(FIRST)
    page.key("h")
    plain = greys(page)
    page.key("w")
    assert page.get("document.querySelector('[aria-pressed=true]').textContent") == "Window"
    x, y = page.point("#stage")
    drag(page, (x, y), (x - 100, y - 60))
    assert page.get(READOUT) == "window 155, level 68"
    assert greys(page) > plain + 15
    assert page.get("getComputedStyle(base).filter").startswith("url")
    assert page.get("getComputedStyle(document.getElementById('markers')).filter") == "none"
    page.key("ArrowRight")
    page.key("ArrowDown")
    assert page.get(READOUT) == "window 163, level 76"
    page.key("i")
    assert greys(page) < 200
    page.click("#reading button[title^='Show the grey levels']")
    assert page.get(READOUT) == ""
    assert greys(page) == pytest.approx(plain, abs=1)


def test_inversion_shows_bright_as_dark(page):
    page.click(FIRST)
    page.key("h")
    plain = greys(page)
    page.key("i")
    assert greys(page) == pytest.approx(255 - plain, abs=2)
    page.key("I")
    assert greys(page) == pytest.approx(plain, abs=1)


def test_the_window_is_kept_for_the_next_image_only_if_the_reader_wants(page):
    page.click(FIRST)
    page.key("i")
    page.key("PageDown")
    inverted = "base.classList.contains('windowed')"
    assert not page.get(inverted)
    page.key("i")
    page.click("#keep-window")
    page.key("PageDown")
    assert page.get(inverted)
    page.key("PageUp")
    assert page.get(inverted)


# ---- rulers ----

LENGTHS = "[...document.querySelectorAll('.ruler text')].map((text) => text.textContent)"


def measure(page, one, other):
    """Drag from one image pixel to another."""
    drag(page, on_screen(page, *one), on_screen(page, *other))


def test_rulers_measure_in_mm_with_the_spacing_of_each_axis(page):
    page.click(FIRST)
    page.get("Object.assign(current, { spacing_x_mm: 0.1, spacing_y_mm: 0.2 })")
    page.key("l")
    measure(page, (100, 100), (400, 100))
    measure(page, (100, 150), (100, 250))
    measure(page, (200, 150), (230, 170))
    assert page.get(LENGTHS) == ["30.0 mm", "20.0 mm", "5.00 mm"]
    page.get("Object.assign(current, { spacing_x_mm: null, spacing_y_mm: null })")
    measure(page, (300, 300), (330, 340))
    assert page.get(LENGTHS)[-1] == "50.0 px"


def test_a_ruler_stays_on_its_image_and_an_end_can_be_moved(page):
    page.click(FIRST)
    page.key("l")
    measure(page, (100, 100), (200, 100))
    assert page.get(LENGTHS) == ["8.00 mm"]
    measure(page, (200, 100), (300, 100))  # takes the end of the first
    assert page.get(LENGTHS) == ["16.0 mm"]
    page.key("PageDown")
    assert page.get(LENGTHS) == []
    page.key("PageUp")
    assert page.get(LENGTHS) == ["16.0 mm"]
    page.key("+")
    end = page.get(
        """(() => { const { x, y, width, height } = document.querySelector('.ruler .ring')
        .getBoundingClientRect(); return [x + width, y + height / 2]; })()"""
    )
    np.testing.assert_allclose(end, on_screen(page, 300, 100), atol=3)


def test_rulers_are_deleted_one_by_one_or_all(page):
    page.click(FIRST)
    page.key("l")
    for row in (100, 160, 220):
        measure(page, (100, row), (100 + row, row))
    page.click(".ruler:nth-child(2) .ruler-delete")
    assert len(page.get(LENGTHS)) == 2
    page.key("Delete")
    assert page.get(LENGTHS) == ["8.00 mm"]
    page.click("#reading button[title^='Delete all']")
    assert page.get(LENGTHS) == []
    x, y = page.point("#stage")
    drag(page, (x, y), (x + 1, y))  # too short
    assert page.get(LENGTHS) == []


def test_a_ruler_moves_no_picture_and_selects_no_focus(page):
    page.click(FIRST)
    before = page.get("[view.x, view.y]")
    page.key("l")
    page.point(".marker[data-focus='3'] .hit")
    measure(page, (128, 300), (300, 200))  # begins on a marker
    assert page.get("[view.x, view.y]") == before
    assert page.get("document.querySelectorAll('.marker.selected').length") == 0
    assert len(page.get(LENGTHS)) == 1


def test_a_ruler_is_drawn_with_a_finger(page):
    page.click(FIRST)
    page.resize(390, 800)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=1)
    page.get("new Promise((done) => setTimeout(done, 200))")
    page.key("l")
    start, end = on_screen(page, 200, 150), on_screen(page, 300, 150)
    touch(page, "touchStart", start)
    touch(page, "touchMove", end)
    touch(page, "touchEnd")
    assert page.get(LENGTHS) == ["8.00 mm"]
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)


# ---- confidence ----


def tile(page, name):
    return page.get(f"document.getElementById('count-{name}').textContent")


FACTS = f"document.querySelector('{FIRST} .facts').textContent"
DOTS = f"document.querySelectorAll('{FIRST} .thumb .icon').length"


def test_the_slider_changes_pictures_tables_and_counts_at_once(page):
    images = 34
    assert tile(page, "foci") == str(3 * images)
    assert (page.get(DOTS), "1 intraductal" in page.get(FACTS)) == (3, True)
    page.click(FIRST)
    page.key("]")
    assert page.get(MARKERS) == 3
    page.key("]", times=2)  # above 0.03
    assert page.get(MARKERS) == 2
    assert page.get("document.querySelectorAll('tr[data-focus]').length") == 2
    assert (tile(page, "foci"), tile(page, "intraductal")) == (str(2 * images), "0")
    assert tile(page, "clusters") == "0"  # fewer than three foci are left of each
    page.wait_for(f"{DOTS} === 2")
    assert "intraductal" not in page.get(FACTS)
    page.get(
        """(() => { const filter = document.getElementById("foci-filter");
        filter.value = "intraductal"; filter.dispatchEvent(new Event("input")); })()"""
    )
    assert page.get("filtered.length") == 0
    page.key("[", times=2)
    assert page.get(MARKERS) == 3
    assert page.get("filtered.length") == images
    assert (tile(page, "foci"), tile(page, "clusters")) == (str(3 * images), str(images))


def test_the_slider_does_not_go_below_what_the_run_lists(page):
    page.click(FIRST)
    page.key("[", times=5)
    value = "document.querySelector('.reading .confidence output').textContent"
    assert page.get(value) == "0.02"
    page.key("]", times=60)
    assert page.get(value) == "0.95"
    assert page.get(MARKERS) == 0
    assert "minimum_confidence=0" in page.get(
        "document.getElementById('confidence-note').textContent"
    )


def test_both_sliders_agree_and_reset_sets_them_back(page):
    values = "[...document.querySelectorAll('.confidence output')].map((item) => item.textContent)"
    page.point(".controls .confidence input")
    page.get("document.querySelector('.controls .confidence input').focus()")
    page.key("ArrowRight")
    assert page.get(values) == ["0.03", "0.03"]
    page.click("#reset")
    page.wait_for(f"({values})[0] === '0.02'")


def test_the_selected_focus_stays_selected(page):
    page.click(FIRST)
    page.click(".marker[data-focus='2'] .hit")
    page.key("]", times=3)
    assert page.get("document.querySelector('.marker.selected').dataset.focus") == "2"
    page.key("]", times=30)
    assert page.get("document.querySelector('.marker.selected')") is None
    assert "Select a focus" in page.get("document.getElementById('evidence').textContent")


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The report of a run that lists every candidate."""
    folder = tmp_path_factory.mktemp("all") / "r"
    recorded = {"listed_from_confidence": 0.0, "shown_from_confidence": 0.08}
    return write_report(make_run(folder, readable_analysis(), recorded=recorded))


def test_the_report_of_all_candidates_begins_with_those_of_the_default(chromium, everything):
    chromium.resize(1400, 1000)
    chromium.open(everything)
    assert tile(chromium, "foci") == "8"  # of 12
    assert "foci.csv lists 12 foci" in chromium.get("document.body.textContent")
    assert "lists 12 foci" in chromium.get("document.getElementById('confidence-note').textContent")
    chromium.click("#cards > li:nth-child(2) button")
    assert chromium.get(MARKERS) == 2
    chromium.key("[", times=8)
    assert chromium.get(MARKERS) == 3
    assert tile(chromium, "foci") == "12"
    assert chromium.console_messages() == []


# ---- shadow profile ----


def test_the_panel_plots_the_shadow_profile(page):
    page.click(FIRST)
    page.click(".marker[data-focus='1'] .hit")
    page.wait_for("document.querySelector('.profile')")
    path = page.get("document.querySelector('.profile > svg .profile-strip').getAttribute('d')")
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", path), float)
    assert len(points) == 40  # two depths are averaged
    assert (np.diff(points[:, 0]) > 0).all()
    assert points[0, 1] > points[-1, 1] + 50  # darker at first
    text = page.get("document.querySelector('.profile').textContent")
    assert "depth behind the focus, mm" in text
    assert "end of the shadow" in text
    page.click("tr[data-focus='3'] button")
    page.wait_for("document.querySelectorAll('.profile').length === 1")


def test_what_was_not_assessed_has_no_profile(page):
    page.click(FIRST)
    page.click(".marker[data-focus='2'] .hit")
    page.get("new Promise((done) => setTimeout(done, 200))")
    assert page.get("document.querySelector('.profile')") is None


# ---- candidates ----

CARD = "document.querySelector('.candidate-card')"


def test_a_click_says_why_a_candidate_is_not_listed(page):
    page.click(FIRST)
    page.key("p")
    page.wait_for("document.querySelector('#candidates path')")
    x, y = on_screen(page, *AT)
    drag(page, (x + 8, y + 5), (x + 8, y + 5))
    text = page.get(f"{CARD}.textContent")
    assert "confidence 0.010, size 0.48 mm" in text
    assert "Lowered most by <b>depth</b>." in text
    drag(page, on_screen(page, 500, 250), on_screen(page, 500, 250))
    assert "No candidate here" in page.get(f"{CARD}.textContent")
    x, y = page.point(".marker[data-focus='1'] .hit")
    drag(page, (x, y), (x, y))
    assert "Focus 1: confidence 0.90" in page.get(f"{CARD}.textContent")
    page.key("p")
    assert page.get(f"{CARD}.hidden")
    assert page.get("document.querySelector('#candidates path')") is None


def test_hidden_foci_are_candidates_too_and_a_drag_moves_the_picture(page):
    page.click(FIRST)
    page.key("]", times=3)
    page.key("p")
    page.wait_for("document.querySelector('#candidates path')")
    drag(page, on_screen(page, 128, 300), on_screen(page, 128, 300))
    assert "Listed in foci.csv as focus 3, but below" in page.get(f"{CARD}.textContent")
    page.key("+", times=3)
    before = page.get("view.x")
    x, y = page.point("#stage")
    drag(page, (x, y), (x - 80, y))
    assert page.get("view.x") > before


def test_a_tap_describes_a_candidate_in_the_panel_of_a_phone(page):
    page.click(FIRST)
    page.resize(390, 800)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=1)
    page.get("new Promise((done) => setTimeout(done, 200))")
    page.key("p")
    page.wait_for("document.querySelector('#candidates path')")
    touch(page, "touchStart", on_screen(page, *AT))
    touch(page, "touchEnd")
    page.wait_for(f"!{CARD}.hidden")
    assert "Lowered most by" in page.get(f"{CARD}.textContent")
    assert page.get(f"{CARD}.parentElement.id") == "panel"
    touch(page, "touchStart", on_screen(page, 128, 300))  # a focus, which is not selected
    touch(page, "touchEnd")
    page.wait_for(f"{CARD}.textContent.includes('Focus 3')")
    assert page.get("document.querySelector('tr.selected')") is None
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_a_moved_page_says_that_the_candidates_are_missing(chromium, report, tmp_path):
    moved = tmp_path / "report.html"
    moved.write_bytes(report.read_bytes())
    chromium.resize(1400, 1000)
    chromium.open(moved)
    chromium.click(FIRST)
    chromium.key("p")
    chromium.wait_for(f"!{CARD}.hidden")
    assert "not beside this file" in chromium.get(f"{CARD}.textContent")


# ---- links ----


@pytest.mark.parametrize("name", [HOSTILE[0], HOSTILE[1], HOSTILE[3], "plain/00003.png"])
def test_a_link_opens_its_image(chromium, report, name):
    chromium.resize(1400, 1000)
    go(chromium, f"{report.as_uri()}#image={quote(name)}&focus=3")
    assert chromium.get(TITLE) == name
    assert chromium.get("document.querySelector('tr.selected').dataset.focus") == "3"
    chromium.key("Escape")
    chromium.wait_for("location.hash === ''")
    assert not chromium.get(OPENED)
    assert chromium.console_messages() == []


def test_the_address_follows_the_viewer_and_back_closes_it(page):
    page.get("history.length")
    page.click(FIRST)
    name = page.get(TITLE)
    assert page.get("location.hash") == f"#image={quote(name, safe='')}"
    page.key("PageDown")
    page.click(".marker[data-focus='2'] .hit")
    assert page.get("location.hash").endswith("&focus=2")
    page.get("history.back()")
    page.wait_for(f"!{OPENED}")
    page.wait_for("location.hash === ''")
    page.get("history.forward()")
    page.wait_for(OPENED)
    assert page.get("document.querySelector('tr.selected').dataset.focus") == "2"
    page.key("Escape")
    page.wait_for("location.hash === ''")


def test_a_link_to_a_hidden_focus_shows_it(chromium, everything):
    go(chromium, f"{everything.as_uri()}#image={quote(HOSTILE[0])}&focus=3")
    assert chromium.get("document.querySelector('.marker.selected').dataset.focus") == "3"


def test_a_link_to_an_image_that_is_not_there_or_failed_is_explained(chromium, report):
    note = "document.querySelector('#link-note').textContent"
    go(chromium, f"{report.as_uri()}#image=gone.png")
    assert chromium.get(note) == "This report has no image gone.png."
    go(chromium, f"{report.as_uri()}#image={quote(HOSTILE[2])}")
    assert chromium.get(note) == f"{HOSTILE[2]} failed, so that it has no picture."
    assert not chromium.get(OPENED)


def test_the_link_is_copied(page):
    page.click(FIRST)
    page.click(".marker[data-focus='1'] .hit")
    page.get("navigator.clipboard.writeText = (text) => { globalThis.copied = text; }")
    page.click("#reading button[title^='Copy a link']")
    page.wait_for("globalThis.copied")
    assert page.get("copied") == page.get("location.href")
    assert page.get("copied").endswith("&focus=1")


@pytest.mark.slow
def test_a_large_report_leads_to_the_right_page(chromium, tmp_path):
    report = write_report(
        make_run(tmp_path / "r", readable_analysis(), copies=2100, pictures=False)
    )
    go(chromium, f"{report.as_uri()}#image=plain/01700.png&focus=2")
    chromium.wait_for("document.getElementById('viewer')?.open")
    assert chromium.get(TITLE) == "plain/01700.png"
    assert "/report/page-0" in chromium.get("location.href")
    page = chromium.get("location.href.split('#')[0]")
    go(chromium, f"{page}#image=plain/00001.png")
    chromium.wait_for("document.getElementById('viewer')?.open")
    assert chromium.get(TITLE) == "plain/00001.png"
    go(chromium, f"{report.as_uri()}#image=gone.png")
    chromium.wait_for("document.querySelector('main > .note.warn')")


# ---- speed ----


@pytest.mark.slow
def test_a_report_of_2000_images_is_quick(chromium, tmp_path):
    recorded = {"listed_from_confidence": 0.02, "shown_from_confidence": 0.02}
    report = write_report(
        make_run(tmp_path / "r", readable_analysis(), copies=1995, recorded=recorded)
    )
    chromium.resize(1400, 1000)
    chromium.open(report)
    opened = chromium.get("performance.getEntriesByType('navigation')[0].loadEventEnd")
    timed = """(action) => new Promise((done) => { const start = performance.now(); action();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))); })"""

    def seconds(*actions):
        """Shortest time of several, since other programs may run beside the browser."""
        times = [chromium.get(f"({timed})(() => {action})") for action in actions * 3]
        return [min(times[i :: len(actions)]) for i in range(len(actions))]

    steps = seconds("stepConfidence(2)", "stepConfidence(-2)")
    chromium.click(FIRST)
    steps += seconds("stepConfidence(2)", "stepConfidence(-2)", "openNeighbour(1)")
    for _ in range(19):
        chromium.get("document.getElementById('more').click()")
    steps += seconds("stepConfidence(2)", "stepConfidence(-2)")
    print(json.dumps([opened, *steps]))
    assert opened < 3000
    assert max(steps) < 200
