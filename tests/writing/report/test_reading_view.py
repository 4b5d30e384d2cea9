"""Zoom, window and level, and rulers of the report, in Chromium."""

import cv2
import numpy as np
import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.reading import FIRST, drag, image_pixel, mouse, on_screen, touch

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


@pytest.fixture(scope="module")
def report(readable_report):
    return readable_report


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
