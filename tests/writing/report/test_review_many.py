"""The review of an image with thousands of foci, in Chromium."""

import re

import pytest

from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import make_run, report_data
from usmicro.writing.report.embedding import safe_json
from usmicro.writing.report.page import write_report

IMAGE = "plain/00000.png"
FOCI = 2000
VISIBLE = """[...document.querySelectorAll('.marker')].filter((one) =>
  getComputedStyle(one).display !== 'none')"""
ROWS = "document.querySelectorAll('tr[data-focus]').length"


@pytest.fixture(scope="module")
def review_report(tmp_path_factory):
    """A report in which one image has FOCI foci."""
    page = write_report(make_run(tmp_path_factory.mktemp("run") / "r", made_analysis(), copies=1))
    text = page.read_text(encoding="utf-8")
    data = report_data(text)
    entry = next(entry for entry in data["images"] if entry["image"] == IMAGE)
    index = {name: number for number, name in enumerate(data["columns"]["foci"])}
    rows = entry["tables"]["foci"]
    for number in range(len(rows) + 1, FOCI + 1):
        row = list(rows[number % 3])
        row[index["focus"]], row[index["confidence"]] = number, 0.9 - 0.0004 * number
        row[index["x_px"]], row[index["y_px"]] = 60.5 + number * 37 % 500, 80.5 + number * 53 % 300
        rows.append(row)
    entry["foci"] = FOCI
    start, end = re.search(r'id="report-data">(.*?)</script>', text, re.DOTALL).span(1)
    page.write_text(text[:start] + safe_json(data) + text[end:], encoding="utf-8")
    return page


@pytest.fixture
def opened(review):
    review.show(IMAGE)
    return review


def test_a_key_places_few_elements_anew(opened):
    opened.keys("nn")
    opened.get(
        """{ const seen = { count: 0 }; globalThis.seen = seen;
        new MutationObserver((changes) => { seen.count += changes.length; }).observe(
          byId("viewer"), { subtree: true, childList: true,
            attributeFilter: ["transform", "d", "r", "x", "y", "title"] }); }"""
    )
    for key in ("a", "r", "s"):
        opened.get("seen.count = 0")
        opened.keys(key)
        assert 0 < opened.get("seen.count") < 100, key


def test_markers_outside_the_view_are_not_drawn_and_come_back(opened):
    assert opened.get(f"{VISIBLE}.length") == FOCI
    crowded = "document.querySelector('.marker:not(.selected) text').checkVisibility()"
    assert not opened.get(crowded)
    opened.keys("n")  # enlarges
    shown = opened.get(f"{VISIBLE}.length")
    assert 0 < shown < FOCI / 2
    left, right = opened.get(
        "[stage, byId('panel')].map((one) => one.getBoundingClientRect().left)"
    )
    inside = f"""{VISIBLE}.every((one) => {{ const {{ right, left }} = one.getBoundingClientRect();
      return right > {left} - 200 && left < {right} + 200; }})"""
    assert opened.get(inside)
    opened.keys("0")
    assert opened.get(f"{VISIBLE}.length") == FOCI


@pytest.mark.slow
def test_the_table_shows_its_first_rows_and_all_on_request(opened):
    assert opened.get(ROWS) == 200
    opened.keys("A")
    assert opened.get("decidedCount(current)") == {"decided": FOCI + 1, "total": FOCI + 1}
    opened.click(".all-rows")
    assert opened.get(ROWS) == FOCI
    assert opened.get("document.querySelectorAll('tr[data-focus].accepted').length") == FOCI
    assert not opened.get("document.querySelector('.all-rows').checkVisibility()")


@pytest.mark.slow
def test_a_sorted_table_shows_the_first_rows_of_the_new_order(opened):
    opened.keys("n")
    heading = "document.querySelector('#tables th button')"
    opened.get(f"{heading}.click()")
    opened.get(f"{heading}.click()")
    first = "document.querySelector('tr[data-focus]').dataset.focus"
    assert opened.get(first) == str(FOCI)
    assert opened.get("document.querySelector('tr.selected')") is None
    opened.get(f"{heading}.click()")
    assert opened.get("document.querySelector('tr.selected').dataset.focus") == "1"


@pytest.mark.slow
def test_undo_keeps_the_entries_that_a_step_does_not_change(opened):
    opened.keys("A")
    opened.keys("nu")
    opened.keys("U")
    opened.click("tr[data-focus='5']")
    before = "doneSteps.at(-1)[0].before.foci"
    opened.keys("r")
    assert opened.get(f"{before}[7] === currentRecord().foci[7]")
    assert opened.get(f"{before}[5].decision") == "accepted"
    opened.keys("u")
    assert opened.get("currentRecord().foci[5].decision") == "accepted"
