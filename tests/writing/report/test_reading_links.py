"""Links to images, and the speed of a large report, in Chromium."""

import json
from urllib.parse import quote

import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.made_run import HOSTILE, make_run
from tests.helpers.reading import (
    FIRST,
    OPENED,
    TITLE,
    go,
    readable_analysis,
)
from usmicro.writing.report.page import write_report

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


@pytest.fixture(scope="module")
def report(readable_report):
    return readable_report


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
