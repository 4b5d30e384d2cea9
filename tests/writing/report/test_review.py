"""Decisions on the findings of the report: keys, buttons, tables, undo, storage."""

import pytest

IMAGE, NEXT_IMAGE = "plain/00000.png", "plain/00001.png"
TITLE = "byId('viewer-title').textContent"
DECISIONS = "[...document.querySelectorAll('.marker')].map((m) => m.dataset.decision ?? '').join()"
CARD = f"document.querySelector('[data-image=\"{IMAGE}\"]').textContent"


def decisions(review):
    """Return decision and label of each row about a listed focus, by its number."""
    return {
        int(row["focus"]): (row["decision"], row["label"]) for row in review.rows() if row["focus"]
    }


def test_the_keys_of_a_trained_reader_decide_an_image(review):
    review.show(IMAGE)
    review.keys("nara")
    assert decisions(review) == {
        1: ("accepted", "intramass"),
        2: ("rejected", ""),
        3: ("accepted", "intraductal"),
    }
    review.keys("r")  # the mass, the last finding
    mass = review.rows()[-1]
    assert (mass["mass"], mass["mass_number"], mass["decision"]) == ("rejected", "1", "")
    assert (float(mass["x_px"]), float(mass["y_px"])) == pytest.approx((300.8, 200))
    assert "All findings of this image are decided" in review.text("review-message")
    assert review.get(TITLE) == IMAGE
    review.keys("yvn")
    assert review.get(TITLE) == NEXT_IMAGE
    image = review.rows()[0]
    assert (image["calcification"], image["reviewed"], image["focus"]) == ("yes", "yes", "")
    # the first finding of the next image is selected
    assert review.text("review-selected") == "Focus 1: not decided"


def test_a_row_has_the_final_values_of_a_focus(review):
    review.show(IMAGE)
    review.keys("n2ss")
    row = next(row for row in review.rows() if row["focus"] == "1")
    assert row["image"] == IMAGE
    assert (row["decision"], row["label"]) == ("accepted", "extramass")
    assert (row["shadow"], row["twinkling"]) == ("not assessable", "yes")
    assert [float(row[name]) for name in ("x_px", "y_px", "diameter_px")] == [300.8, 200, 6.25]
    assert (row["frame"], row["reader"], row["blind"]) == ("0", "", "")
    review.keys("tt")
    assert next(row for row in review.rows() if row["focus"] == "1")["twinkling"] == "no"


def test_decisions_are_seen_on_markers_tables_and_cards(review):
    review.show(IMAGE)
    review.keys("narr")
    assert review.get(DECISIONS) == "accepted,rejected,rejected"
    assert review.get("document.querySelectorAll('.marker .decision-sign').length") == 3
    rows = "[...document.querySelectorAll('tr[data-focus]')].map((row) => row.className).join()"
    assert review.get(rows) == "selectable accepted,selectable rejected,selectable rejected"
    review.keys("av")
    assert review.get("document.querySelector('tr[data-mass]').title") == "accepted"
    sign = "document.querySelector('.mass-sign').getAttribute('aria-label')"
    assert review.get(sign) == "Mass 1: accepted"
    review.browser.key("Escape")
    assert "\u2713 reviewed" in review.get(CARD)
    assert "4 of 4 decided" in review.get(CARD)
    assert review.text("progress") == "1 of 8 images reviewed"


def test_buttons_and_rows_decide_too(review):
    review.show(IMAGE)
    review.click("tr[data-focus='2']")
    review.click("#review-reject")
    assert decisions(review) == {2: ("rejected", "")}
    review.click(".marker[data-focus='3'] .hit")
    review.click("#review-label [data-value='extramass']")
    assert decisions(review)[3] == ("accepted", "extramass")
    review.click("tr[data-mass='1']")
    review.click("#review-accept")
    assert review.rows()[-1]["mass"] == "accepted"
    review.click("#review-calcification [data-value='unsure']")
    review.click("#review-done")
    assert (review.rows()[0]["calcification"], review.rows()[0]["reviewed"]) == ("unsure", "yes")
    review.click("#review-done")
    assert review.rows()[0]["reviewed"] == ""


def test_a_decision_is_taken_back(review):
    review.show(IMAGE)
    review.click("tr[data-focus='2']")
    review.keys("2")
    review.browser.key("Backspace")
    assert review.rows() == []
    assert review.text("review-selected") == "Focus 2: not decided"


def test_undo_and_redo_have_no_limit(review):
    review.show(IMAGE)
    review.keys("narry")
    states = [review.rows()]
    for _ in range(4):
        review.keys("u")
        states.append(review.rows())
    assert [len(rows) for rows in states] == [4, 3, 2, 1, 0]
    review.keys("u")
    assert "Nothing to undo" in review.text("review-message")
    review.keys("UU")
    assert review.rows() == states[2]
    review.browser.key("y", ctrl=True)
    review.browser.key("y", ctrl=True)
    assert review.rows() == states[0]
    review.browser.key("z", ctrl=True)
    review.keys("v")  # a new step replaces what could be redone
    review.keys("U")
    assert "Nothing to redo" in review.text("review-message")


def test_undo_shows_the_image_that_it_changes(review):
    review.show(IMAGE)
    review.keys("v")
    review.show(NEXT_IMAGE)
    review.keys("u")
    assert review.get(TITLE) == IMAGE
    assert review.rows() == []


def test_all_remaining_findings_are_decided_at_once(review):
    review.show(IMAGE)
    review.keys("nrA")
    assert review.get(DECISIONS) == "rejected,accepted,accepted"
    assert review.rows()[-1]["mass"] == "accepted"
    review.keys("u")
    assert review.get(DECISIONS) == "rejected,,"


def test_decisions_survive_a_reload(review):
    review.show(IMAGE)
    review.keys("na2r3vyc")
    review.browser.type("dense tissue, 2 o'clock")
    review.browser.key("Escape")
    assert review.get("byId('viewer').open")
    before = review.rows()
    assert before[0]["comment"] == "dense tissue, 2 o'clock"
    review.open()
    assert review.rows() == before
    review.show(IMAGE)
    assert review.get("byId('review-comment').value") == "dense tissue, 2 o'clock"
    assert review.get(DECISIONS) == "accepted,rejected,accepted"


def test_letters_in_a_field_are_no_keys(review):
    review.show(IMAGE)
    review.keys("nc")
    for letter in "arv1":
        review.browser.key(letter)
    assert review.get("byId('review-comment').value") == "arv1"
    assert review.rows() == []


def test_two_readers_are_kept_apart(review):
    review.click("#reader")
    review.browser.type("AB")
    review.browser.key("Enter")
    review.show(IMAGE)
    review.keys("nav")
    review.browser.key("Escape")
    review.get("byId('reader').value = ''")
    review.click("#reader")
    review.browser.type("CD")
    review.browser.key("Enter")
    assert review.text("progress") == "0 of 8 images reviewed by CD"
    review.show(IMAGE)
    assert review.get(DECISIONS) == ",,"
    review.keys("nr")
    assert {row["reader"]: row["decision"] for row in review.rows() if row["focus"]} == {
        "AB": "accepted",
        "CD": "rejected",
    }
    assert {row["reader"] for row in review.rows(readers='["AB"]')} == {"AB"}


def test_the_gallery_is_filtered_by_the_review(review):
    review.show(IMAGE)
    review.keys("narv")
    review.show(NEXT_IMAGE)
    review.keys("c")
    review.browser.type("look again")
    review.browser.key("Escape")
    review.browser.key("Escape")
    shown = {}
    for value in ("yes", "no", "comment", "rejected"):
        review.get(
            f"byId('review-filter').value = '{value}', "
            "byId('review-filter').dispatchEvent(new Event('input'))"
        )
        shown[value] = review.get(
            "[...document.querySelectorAll('#cards > li')].map((card) => card.dataset.image)"
        )
    assert (shown["yes"], shown["comment"]) == ([IMAGE], [NEXT_IMAGE])
    assert shown["rejected"] == [IMAGE]
    assert len(shown["no"]) == 7
    assert IMAGE not in shown["no"]


def test_a_decision_in_another_tab_is_seen(review):
    review.show(IMAGE)
    review.keys("n")
    review.get(
        "dispatchEvent(new StorageEvent('storage', { key: storageKey('', current.image), "
        """newValue: '{"foci":{"2":{"decision":"rejected","frame":0,"x":512,"y":160}}}' }))"""
    )
    assert review.get(DECISIONS) == ",rejected,"
    review.keys("a")
    assert review.text("review-selected") == "Focus 3: not decided"


def test_filtered_foci_are_not_decided(review):
    """Another script may hide foci, such as those of a low confidence."""
    review.show(IMAGE)
    review.get("focusFilters.push((focus) => focus.focus !== 2), redraw()")
    review.keys("naA")
    assert sorted(decisions(review)) == [1, 3]


def test_a_full_storage_gives_a_warning(review):
    review.get(
        "Storage.prototype.setItem = () => { "
        "throw new DOMException('full', 'QuotaExceededError'); }"
    )
    assert review.get("byId('review-warning').hidden")
    review.show(IMAGE)
    review.keys("na")
    assert "storage of the browser is full" in review.text("review-warning")
    assert not review.get("byId('review-warning').hidden")
    assert len(review.rows()) == 1  # the decision is kept while the page is open
    review.keys("u")  # nothing is lost, so that the page may be left


def test_another_run_does_not_see_the_decisions(review, tmp_path):
    from tests.helpers.finished_analysis import FOCUS, made_analysis
    from tests.helpers.made_run import make_run
    from usmicro.writing.report.page import write_report

    review.show(IMAGE)
    review.keys("nav")
    other = write_report(
        make_run(tmp_path / "r", made_analysis(rows=401, foci=(FOCUS,) * 3), copies=4)
    )
    review.browser.open(other)
    assert review.rows() == []
    review.open()
    assert len(review.rows()) == 2


def test_the_help_lists_the_keys(review):
    review.show(IMAGE)
    review.keys("?")
    assert review.get("byId('review-help').open")
    keys = review.get("[...document.querySelectorAll('#review-help dt')].map((e) => e.textContent)")
    assert {"N", "A, R", "U, Shift+U", "M", "G", "V", "?"} <= set(keys)
    review.keys("v")
    review.browser.key("Escape")
    assert review.get("byId('viewer').open && !byId('review-help').open")
    assert review.rows() == []


def test_every_button_is_big_enough_for_a_finger(review):
    review.browser.resize(390, 800)
    review.show(IMAGE)
    review.keys("n")
    buttons = "#review button, #review-actions button, #review-comment, #review-bar button"
    small = f"""[...document.querySelectorAll("{buttons}")]
      .map((element) => [element.textContent, element.getBoundingClientRect()])
      .filter(([, {{ width, height }}]) => width && (width < 44 || height < 44))
      .map(([text]) => text)"""
    assert review.get(small) == []
    review.browser.key("Escape")
    assert review.get(small) == []
    assert review.get("document.documentElement.scrollWidth <= innerWidth")
