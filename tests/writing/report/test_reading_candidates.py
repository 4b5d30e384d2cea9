"""Shadow profiles and candidates in the report, in Chromium."""

import re

import numpy as np
import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.reading import AT, FIRST, drag, on_screen, touch

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


@pytest.fixture(scope="module")
def report(readable_report):
    return readable_report


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
