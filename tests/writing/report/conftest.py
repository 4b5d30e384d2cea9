"""Reports in Chromium with real pointer and key events: one that is reviewed, one with a cine."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.helpers.chromium import BROWSER, MISSING, Chromium
from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_cine import make_cine
from tests.helpers.made_run import make_run
from tests.helpers.reading import readable_analysis
from usmicro.writing.report.page import write_report

AT = """(x, y) => {
  const { left, top, width, height } = stage.getBoundingClientRect();
  const at = (value, middle) => (value - middle) * view.scale;
  return [left + width / 2 + at(x, view.x), top + height / 2 + at(y, view.y)];
}"""


class ReviewPage:
    """A report in a browser, and what a reader does with it."""

    def __init__(self, browser: Chromium, report: Path) -> None:
        self.browser, self.report = browser, report
        self.get, self.click = browser.get, browser.click

    def open(self) -> None:
        """Open the report, or load it again."""
        self.browser.open(self.report)

    def show(self, name: str) -> None:
        """Open an image."""
        self.get(f"openImage(data.images.find((image) => image.image === {json.dumps(name)}))")

    def keys(self, keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.browser.key(key)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the position in the window of an image pixel."""
        column, row = self.get(f"({AT})({x}, {y})")
        return column, row

    def rows(self, *, readers: str = "knownReaders()") -> list[dict[str, str]]:
        """Return the rows of review.csv."""
        text = self.get(f"reviewCsv({readers})")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def text(self, name: str) -> str:
        """Return the text of an element by its id."""
        return str(self.get(f"byId({json.dumps(name)}).textContent"))


@pytest.fixture(scope="module")
def review_report(tmp_path_factory) -> Path:
    return write_report(make_run(tmp_path_factory.mktemp("run") / "r", made_analysis(), copies=4))


@pytest.fixture(scope="package")
def chromium():
    """The browser of all tests of the report."""
    if BROWSER is None:
        pytest.skip(MISSING)
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def review_browser(chromium):
    """The browser in the size of a desktop."""
    chromium.resize(1400, 1000)
    return chromium


@pytest.fixture
def review(review_browser, review_report):
    """Open the report without any decision; check afterwards that nothing is on the console."""
    page = ReviewPage(review_browser, review_report)
    page.open()
    page.get("localStorage.clear()")
    page.open()
    yield page
    assert review_browser.console_messages() == []


# ---- a report with a cine ----

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


@pytest.fixture
def page(chromium, report):
    """The report; nothing may be on the console afterwards."""
    chromium.resize(1400, 1000)
    chromium.open(report)
    if chromium.get("localStorage.length"):  # of a review
        chromium.get("localStorage.clear()")
        chromium.open(report)
    yield chromium
    assert chromium.console_messages() == []


@pytest.fixture
def cine(page):
    """The report with the cine open."""
    page.click(card(CINE))
    return page


# ---- a report for the reading tools ----


@pytest.fixture(scope="package")
def readable_report(tmp_path_factory):
    """A report with a shadow profile, a candidate and three different confidences."""
    folder = tmp_path_factory.mktemp("run") / "r"
    recorded = {"listed_from_confidence": 0.02, "shown_from_confidence": 0.02}
    return write_report(make_run(folder, readable_analysis(), copies=30, recorded=recorded))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The report of a run that lists every candidate."""
    folder = tmp_path_factory.mktemp("all") / "r"
    recorded = {"listed_from_confidence": 0.0, "shown_from_confidence": 0.08}
    return write_report(make_run(folder, readable_analysis(), recorded=recorded))
