"""review.csv: saved, loaded again, merged, and refused if it is damaged."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import HOSTILE, make_run
from tests.writing.report.conftest import ReviewPage
from usmicro.writing.report import page as report_page
from usmicro.writing.report.page import write_report
from usmicro.writing.report.run import read_run

IMAGE, NEXT_IMAGE = "plain/00000.png", "plain/00001.png"
CONTRACT = (
    "image,frame,focus,x_px,y_px,diameter_px,decision,label,shadow,twinkling,mass,"
    "calcification,reader,comment"
)
EXTRA = "outline_px,mass_number,reviewed,run,blind"
COMMENT = 'dense, "very"\nsecond line'


@pytest.fixture
def decided(review) -> ReviewPage:
    """A report with a decision of every kind."""
    review.get("changeReader('A, \"B\"')")
    review.show(IMAGE)
    review.keys("na2r3syv")
    review.get("selectFinding({ kind: 'mass', key: 1 })")
    review.keys("r0m")
    review.browser.drag(review.at(400, 120), review.at(408, 120))
    review.browser.click_at(*review.at(450, 300))
    review.keys("1t")
    review.keys("g")
    review.browser.drag(review.at(60, 120), review.at(100, 150))
    review.keys("0e")
    review.browser.drag(review.at(512, 160), review.at(520, 170))
    review.get(f"setAnswer('comment', {COMMENT!r})")
    review.show(HOSTILE[1])
    review.keys("yyv")
    review.get("setAnswer('comment', '=1+1')")
    review.get("changeReader('-CD')")
    review.show(IMAGE)
    review.keys("nrrrr")
    return review


def load(review, file, content):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    review.get("byId('review-file-message').textContent = ''")
    review.browser.choose_file("#review-file", file)
    review.browser.wait_for("byId('review-file-message').textContent")
    return review.text("review-file-message")


def test_the_saved_table_holds_every_decision_and_is_loaded_again(decided, tmp_path):
    decided.browser.key("Escape")
    decided.get("byId('review-scope').value = 'all'")
    file = decided.browser.download("#save-review", tmp_path)
    assert file.name == "review.csv"
    content = file.read_bytes().decode("utf-8")
    assert content.splitlines()[0] == f"{CONTRACT},{EXTRA}"
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert rows == decided.rows()
    by_kind = [
        (row["reader"], row["decision"], row["mass"]) for row in rows if row["image"] == IMAGE
    ]
    # a text that a spreadsheet takes for a formula begins with an apostrophe
    assert by_kind == [
        *[("'-CD", "rejected", "")] * 3,
        ("'-CD", "", "rejected"),
        ('A, "B"', "", ""),
        ('A, "B"', "accepted", ""),
        ('A, "B"', "accepted", ""),
        ('A, "B"', "accepted", ""),
        *[('A, "B"', "added", "")] * 2,
        ('A, "B"', "", "rejected"),
        ('A, "B"', "", "accepted"),
    ]
    comments = {row["image"]: row["comment"] for row in rows if row["comment"]}
    assert comments == {IMAGE: COMMENT, HOSTILE[1]: "'=1+1"}
    assert next(row for row in rows if row["image"] == HOSTILE[1])["calcification"] == "no"
    records = "JSON.stringify(knownReaders().map((reader) => recordsOf(reader).toSorted()))"
    stored = decided.get(records)
    decided.get("localStorage.clear()")
    decided.open()
    assert decided.rows() == []
    said = load(decided, tmp_path / "again.csv", content)
    assert said == f'again.csv: {len(rows)} rows of -CD, A, "B" loaded.'
    assert decided.get("reviewCsv()") == content
    # what is stored is the same too, so that a second load changes nothing
    assert decided.get(records) == stored
    load(decided, tmp_path / "again.csv", content)
    decided.get("undoReview()")
    assert decided.rows() == []
    decided.get("undoReview(true)")
    assert decided.get("reviewCsv()") == content


def test_the_columns_are_those_of_the_documentation(review):
    text = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text(encoding="utf-8")
    section = text.split("\n## review.csv\n")[1].split("\n## ")[0]
    lines = section.splitlines()
    described = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert review.get("CSV_COLUMNS") == described
    example = section.split("```text\n")[1].split("\n```")[0]
    assert example.splitlines()[0] == ",".join(described)
    rows = json.dumps(example.replace("0123456789ab", review.get("data.review.run")))
    found = review.get(
        f"(({{ decisions, remarks }}) => [decisions, remarks])(readReviewCsv({rows}))"
    )
    assert found == [7, []]


def test_only_the_rows_of_the_reader_are_saved_by_default(decided, tmp_path):
    decided.browser.key("Escape")
    content = decided.browser.download("#save-review", tmp_path).read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert {row["reader"] for row in rows} == {"'-CD"}


def test_a_loaded_table_is_merged(review, tmp_path):
    review.get("changeReader('AB')")
    review.show(IMAGE)
    review.keys("na")
    content = review.get("reviewCsv()")
    review.keys("uU")
    review.keys("R")  # focus 1 stays accepted; all others are rejected
    loaded = content.replace(",accepted,intramass", ",accepted,extramass")
    loaded += f"{IMAGE},,,,,,,,,,,no,CD,,,,yes,,\n"
    assert loaded != content
    load(review, tmp_path / "one.csv", loaded)
    rows = {(row["reader"], row["focus"]): row for row in review.rows()}
    assert rows["AB", "1"]["label"] == "extramass"
    assert rows["AB", "2"]["decision"] == "rejected"
    assert (rows["CD", ""]["calcification"], rows["CD", ""]["reviewed"]) == ("no", "yes")


def test_a_table_of_the_contract_alone_is_loaded(review, tmp_path):
    content = (
        f"\ufeff{CONTRACT}\r\n"
        f"{IMAGE},0,2,511,161,6.25,accepted,extramass,no,no,,,AB,\r\n"
        f"{IMAGE},0,,40,60,5,added,,,,,,AB,\r\n"
        f"{IMAGE},,,,,,,,,,,yes,AB,fine\r\n"
    )
    load(review, tmp_path / "one.csv", content)
    kinds = [(row["decision"], row["focus"], row["calcification"]) for row in review.rows()]
    assert kinds == [("", "", "yes"), ("accepted", "2", ""), ("added", "", "")]


def test_foci_of_another_run_are_found_by_position(review, tmp_path):
    rows = [
        f"{IMAGE},0,9,511,161,6,accepted,extramass,no,no,,,AB,,,,,other,",  # focus 2 of this run
        f"{IMAGE},0,1,40,60,5,accepted,extramass,no,no,,,AB,,,,,other,",  # not listed here
        f"{IMAGE},0,2,90,60,5,rejected,,,,,,AB,,,,,other,",
        "gone.png,0,2,90,60,5,rejected,,,,,,AB,,,,,other,",
    ]
    said = load(review, tmp_path / "one.csv", "\n".join([f"{CONTRACT},{EXTRA}", *rows, ""]))
    kept = [(row["decision"], row["focus"], row["x_px"]) for row in review.rows()]
    assert kept == [("accepted", "2", "511"), ("added", "", "40")]
    assert "2 rows of AB loaded. Not taken: 2." in said
    assert f"{IMAGE}: a rejected focus is not in this run" in said
    assert "gone.png: this page has no such image" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("image,x\na,b\n", "it has no column frame"),
        ("", "it has no column image"),
        (f"{CONTRACT}\n{IMAGE},0,2,,160,6,accepted,,,,,,AB,\n", "line 2: expected a number"),
        (f"{CONTRACT}\n{IMAGE},0,2,1,1,6,maybe,,,,,,AB,\n", "accepted, rejected, added"),
        (f"{CONTRACT}\n,0,2,1,1,6,added,,,,,,AB,\n", "expected the name of an image"),
        (f'{CONTRACT}\n"{IMAGE},0', "a quoted cell is not closed"),
        (b"image\xff,", "it is not UTF-8 text"),
    ],
)
def test_a_damaged_table_is_refused_and_changes_nothing(review, tmp_path, content, reason):
    said = load(review, tmp_path / "one.csv", content)
    assert said.startswith("one.csv was not loaded: ")
    assert reason in said
    assert review.rows() == []


def test_all_pages_share_the_decisions(review_browser, tmp_path, monkeypatch):
    monkeypatch.setattr(report_page, "MOST_ON_ONE", 3)
    monkeypatch.setattr(report_page, "PAGE_SIZE", 3)
    folder = make_run(tmp_path / "r", made_analysis(), copies=4)
    write_report(folder)
    pages = sorted((folder / "report").glob("page-*.html"))
    assert len(pages) == 3
    first = ReviewPage(review_browser, pages[0])
    first.open()
    first.show(HOSTILE[1])
    first.keys("nav")
    second = ReviewPage(review_browser, pages[1])
    second.open()
    assert second.text("progress") == "1 of 8 images reviewed"
    rows = second.rows()
    assert [row["image"] for row in rows] == [HOSTILE[1]] * 2
    said = load(second, tmp_path / "all.csv", second.get("reviewCsv()"))
    assert said.startswith("all.csv: 2 rows")
    assert second.rows() == rows


def test_the_identifier_of_a_run_follows_from_its_findings(tmp_path):
    one, same = (make_run(tmp_path / name, made_analysis(), copies=1) for name in ("a", "b"))
    other = make_run(tmp_path / "c", made_analysis(rows=401), copies=1)
    assert read_run(one).identifier == read_run(same).identifier != read_run(other).identifier
    assert len(read_run(one).identifier) == 12
