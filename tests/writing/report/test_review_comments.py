"""Comments on single findings, in Chromium."""

import pytest

IMAGE = "plain/00000.png"
FIELD = "byId('review-finding-comment').value"
NOTE = "ask AB, or =SUM(A1)"


@pytest.fixture
def opened(review):
    review.show(IMAGE)
    return review


def write(page, text):
    """Write a comment on the selected finding."""
    page.keys("C")
    assert page.get("document.activeElement.id") == "review-finding-comment"
    page.get("document.activeElement.select()")
    page.browser.type(text)
    page.browser.key("Escape")
    assert page.get("byId('viewer').open")


def comments(page):
    """Return number of focus, number of mass, decision and comment of the rows with a comment."""
    return [
        (row["focus"], row["mass_number"], row["decision"] or row["mass"], row["comment"])
        for row in page.rows()
        if row["comment"]
    ]


def test_a_comment_is_in_the_row_of_its_focus_and_decides_nothing(opened):
    opened.keys("n")
    write(opened, NOTE)
    (row,) = opened.rows()
    assert (row["focus"], row["decision"], row["comment"]) == ("1", "", NOTE)
    assert float(row["x_px"]) > 0  # so that another run can find the focus
    assert row["label"] == ""
    assert "not decided" in opened.text("review-selected")
    assert opened.get("decidedCount(current).decided") == 0
    assert opened.get("document.querySelector('tr.commented').dataset.focus") == "1"
    opened.keys("a")
    (row,) = opened.rows()
    assert (row["decision"], row["label"], row["comment"]) == ("accepted", "intramass", NOTE)


def test_decisions_keep_the_comment_and_so_do_rejections_and_their_end(opened):
    opened.keys("n")
    write(opened, NOTE)
    for key, decision in (("r", "rejected"), ("a", "accepted")):
        opened.click("tr[data-focus='1']")
        opened.keys(key)
        assert comments(opened) == [("1", "", decision, NOTE)]
    opened.click("tr[data-focus='1']")
    opened.browser.key("Backspace")
    assert comments(opened) == [("1", "", "", NOTE)]
    write(opened, "")
    assert opened.rows() == []


def test_masses_and_own_marks_have_comments_too(opened):
    opened.get("selectFinding({ kind: 'mass', key: 1 })")
    write(opened, "lobulated")
    opened.keys("a")
    opened.keys("m")
    opened.browser.click_at(*opened.at(400, 120))
    write(opened, "faint")
    assert comments(opened) == [("", "", "added", "faint"), ("", "1", "accepted", "lobulated")]


def test_comments_survive_undo_reload_and_a_saved_table(opened, tmp_path):
    opened.keys("n")
    write(opened, NOTE)
    opened.keys("u")
    assert opened.rows() == []
    assert opened.get(FIELD) == ""
    opened.keys("U")
    assert opened.get(FIELD) == NOTE
    opened.open()
    opened.show(IMAGE)
    opened.click("tr[data-focus='1']")
    assert opened.get(FIELD) == NOTE
    text = opened.get("reviewCsv()")
    opened.get("localStorage.clear()")
    opened.open()
    (tmp_path / "review.csv").write_text(text, encoding="utf-8")
    opened.browser.choose_file("#review-file", tmp_path / "review.csv")
    opened.browser.wait_for("knownReaders().length")
    assert opened.get("reviewCsv()") == text
    assert "1 row" in opened.text("review-file-message")


def test_a_loaded_comment_leaves_the_stored_decision(opened, tmp_path):
    opened.keys("n")
    write(opened, NOTE)
    text = opened.get("reviewCsv()")
    opened.keys("a")
    opened.click("tr[data-focus='1']")
    write(opened, "other")
    (tmp_path / "review.csv").write_text(text, encoding="utf-8")
    opened.browser.choose_file("#review-file", tmp_path / "review.csv")
    opened.browser.wait_for(f"{FIELD} === {NOTE!r}")
    assert comments(opened) == [("1", "", "accepted", NOTE)]


def test_a_comment_belongs_to_the_image_on_which_it_was_written(opened):
    for key, name in (("c", "review-comment"), ("C", "review-finding-comment")):
        opened.show(IMAGE)
        opened.keys("n")
        opened.keys(key)
        opened.browser.type(f"in {name}")
        opened.browser.key("PageDown")  # leaves image and field at once
        assert opened.text("viewer-title") != IMAGE
    assert {row["image"] for row in opened.rows()} == {IMAGE}
    assert [row["comment"] for row in opened.rows()] == [
        "in review-comment",
        "in review-finding-comment",
    ]
