"""A report with a cine, in Chromium."""

import json

import pytest

from tests.helpers.chromium import Chromium
from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_cine import make_cine
from tests.helpers.made_run import make_run
from usmicro.writing.report.page import write_report

CINE, CROWDED, STILL = "plain/00000.png", "plain/00001.png", "plain/00002.png"
"""A cine with three foci, a cine with two hundred more, and a still."""
FRAME = "shownFrame()"
SELECTED = "document.querySelector('tr.selected')?.dataset.focus"
MARKERS = "[...document.querySelectorAll('.marker')].map((marker) => marker.dataset.focus).join()"
SAID = "document.getElementById('film-message').textContent"
VIEW = "[view.x, view.y, view.scale]"


def card(image):
    """Return the selector of the button that opens an image."""
    return f"#cards > li[data-image={json.dumps(image)}] button"


@pytest.fixture(scope="package")
def report(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("run") / "r", made_analysis(), copies=3)
    page = write_report(folder)
    make_cine(page, CINE)
    make_cine(page, CROWDED, copies=200)
    return page


@pytest.fixture(scope="package")
def chromium():
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def page(chromium, report):
    """The report; nothing may be on the console afterwards."""
    chromium.resize(1400, 1000)
    chromium.open(report)
    yield chromium
    assert chromium.console_messages() == []


@pytest.fixture
def cine(page):
    """The report with the cine open."""
    page.click(card(CINE))
    return page
