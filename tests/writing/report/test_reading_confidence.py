"""The slider of the confidence in the report, in Chromium."""

import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.reading import FIRST, MARKERS, tile

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


@pytest.fixture(scope="module")
def report(readable_report):
    return readable_report


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
