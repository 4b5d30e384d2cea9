"""Blind mode and the random order of the images."""

import json

from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import make_run
from usmicro.writing.report import page

IMAGE = "plain/00000.png"
SECRETS = ("intramass", "extramass", "intraductal", "score", "in a mass", "8.1", "Focus", "Conf.")
NAMES = "[...document.querySelectorAll('#cards > li')].map((card) => card.dataset.image)"
VISIBLE = """(element) => [...element.querySelectorAll('*')]
  .filter((child) => child.checkVisibility() && !child.closest('#review, #review-actions'))
  .flatMap((child) => [...child.childNodes])
  .filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent).join(' ')"""


def seen(review, selector):
    """Return the visible text of an element, without the controls of the review."""
    return review.get(f"({VISIBLE})(document.querySelector('{selector}'))")


def test_blind_mode_hides_all_findings_until_the_reader_asks(review):
    review.click("#blind")
    cards = seen(review, "#cards")
    assert not [secret for secret in SECRETS if secret in cards]
    assert review.get("document.querySelectorAll('#cards .icon').length") == 0
    assert review.get("byId('foci-filter').disabled && byId('mass-filter').disabled")
    review.show(IMAGE)
    viewer = seen(review, "#viewer")
    assert not [secret for secret in SECRETS if secret in viewer]
    assert "640" in viewer  # the size of the image tells nothing
    hidden = "document.querySelectorAll('.marker, .area, .shadow-strip, .mass-sign').length"
    assert review.get(hidden) == 0
    assert review.get("document.querySelectorAll('#viewer a, #viewer tr').length") == 0
    review.keys("h")  # the key that shows findings shows none
    review.keys("n")  # no finding to go to: the next image
    assert review.get("byId('viewer-title').textContent") == "plain/00001.png"
    review.show(IMAGE)
    review.keys("f")
    assert review.get("document.querySelectorAll('.marker').length") == 3
    assert "Conf." in seen(review, "#viewer")
    assert "score 0.90" in seen(review, "#viewer")
    review.browser.key("Escape")
    # cards below the viewer are made anew after it is closed
    card = f"document.querySelector('[data-image=\"{IMAGE}\"]').textContent"
    review.browser.wait_for(f"{card}.includes('score 0.90')")


def test_own_marks_are_shown_beside_the_findings(review):
    review.click("#blind")
    review.show(IMAGE)
    review.keys("m")
    review.browser.click_at(*review.at(514, 163))  # 3.6 pixels from focus 2
    review.keys("2")
    review.browser.click_at(*review.at(400, 120))
    marks = review.rows()
    assert [row["decision"] for row in marks] == ["added", "added"]
    assert {row["blind"] for row in marks} == {"yes"}
    review.keys("f")
    image, hit, missed = review.rows()
    assert (image["blind"], image["reviewed"]) == ("yes", "")
    assert (hit["focus"], hit["decision"], hit["blind"]) == ("2", "accepted", "yes")
    assert hit["label"] == "extramass"
    assert abs(float(hit["x_px"]) - 514) < 0.7  # the position of the reader
    assert (missed["focus"], missed["decision"]) == ("", "added")
    # finding and mark are both drawn
    assert review.get("document.querySelectorAll('.marker[data-focus=\"2\"]').length") == 1
    assert review.get("document.querySelectorAll('[data-moved=\"2\"]').length") == 1
    # what was decided afterwards is not blind
    review.keys("na")
    assert review.rows()[1]["blind"] == ""


def test_an_image_that_was_seen_is_not_read_blind_again_by_undo(review):
    review.click("#blind")
    review.show(IMAGE)
    review.keys("m")
    review.browser.click_at(*review.at(514, 163))
    review.keys("f")
    review.keys("uu")  # the mark becomes one of the reader again, and is removed
    assert review.get("Object.keys(currentRecord())") == ["revealed"]
    assert review.get("document.querySelectorAll('.marker').length") == 3
    review.keys("m")
    review.browser.click_at(*review.at(514, 163))
    assert [row["blind"] for row in review.rows()] == ["yes", ""]
    review.open()
    review.show(IMAGE)
    assert review.get("document.querySelectorAll('.marker').length") == 3


def test_an_image_stays_shown_after_a_reload(review):
    review.click("#blind")
    review.show(IMAGE)
    review.keys("f")
    review.open()
    assert review.get("byId('blind').checked")
    review.show(IMAGE)
    assert review.get("document.querySelectorAll('.marker').length") == 3
    review.show("plain/00001.png")
    assert review.get("document.querySelectorAll('.marker').length") == 0


def test_blind_mode_is_left_only_on_a_second_press(review):
    review.show(IMAGE)
    review.keys("b")
    assert review.get("byId('viewer').classList.contains('blind')")
    review.keys("b")
    assert "Press B again" in review.text("review-message")
    assert review.get("document.querySelectorAll('.marker').length") == 0
    review.keys("b")
    assert review.get("document.querySelectorAll('.marker').length") == 3
    assert review.rows() == []


def test_an_image_may_be_reviewed_without_its_findings(review):
    review.click("#blind")
    review.show(IMAGE)
    review.keys("yyv")
    (row,) = review.rows()
    assert (row["calcification"], row["reviewed"], row["blind"]) == ("no", "yes", "yes")
    assert review.get("document.querySelectorAll('.marker').length") == 0
    review.keys("v")
    assert review.rows()[0]["blind"] == ""


def test_a_blind_mark_joins_its_focus_even_if_the_findings_were_not_asked_for(review):
    review.click("#blind")
    review.show(IMAGE)
    review.keys("m")
    review.browser.click_at(*review.at(514, 163))
    review.keys("1mbb")
    review.click("tr[data-focus='2']")
    review.keys("a")
    (row,) = review.rows()
    assert (row["focus"], row["label"], row["blind"]) == ("2", "intramass", "yes")
    assert abs(float(row["x_px"]) - 514) < 0.7


def random_places(seed, names):
    """Return the place of each name in the random order: the hash of reviewblind.js."""

    def mixed(text, start):
        units = text.encode("utf-16-le")
        value = start
        for index in range(0, len(units), 2):
            unit = int.from_bytes(units[index : index + 2], "little") * 0xCC9E2D51 & 0xFFFFFFFF
            unit = (unit << 15 | unit >> 17) & 0xFFFFFFFF
            value ^= unit * 0x1B873593 & 0xFFFFFFFF
            value = ((value << 13 | value >> 19) & 0xFFFFFFFF) * 5 + 0xE6546B64 & 0xFFFFFFFF
        value ^= len(units) // 2
        value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
        value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
        return value ^ value >> 16

    return {
        name: (mixed(f"{seed}\n{name}", 1) + mixed(f"{seed}\n{name}", 2) / 2**32) / 2**32
        for name in names
    }


def test_the_random_order_follows_from_the_seed(review):
    by_name = review.get(NAMES)
    orders: dict[str, list[str]] = {}
    for seed in ("7", "8", "7"):
        review.get("byId('seed').value = ''")
        review.click("#seed")
        review.browser.type(seed)
        review.browser.key("Enter")
        order = review.get(NAMES)
        assert sorted(order) == sorted(by_name)
        assert orders.setdefault(seed, order) == order
        places = random_places(seed, by_name)
        assert order == sorted(by_name, key=places.__getitem__)
    assert orders["7"] != orders["8"]
    assert orders["7"] != by_name
    review.open()
    assert review.get(NAMES) == orders["7"]
    review.get("byId('order').value = 'down', byId('order').dispatchEvent(new Event('input'))")
    assert review.get(NAMES) == orders["7"]


def test_the_random_order_is_uniform():
    names = [f"scan{number}.png" for number in range(4)]
    first = [0] * 4
    for seed in range(2000):
        places = random_places(seed, names)
        first[names.index(min(names, key=places.__getitem__))] += 1
    # binomial with p = 1/4: standard deviation 19
    assert all(abs(number - 500) < 80 for number in first)


def test_the_reset_button_ends_the_random_order(review):
    by_name = review.get(NAMES)
    review.get("changeSettings({ random: true })")
    assert review.get(NAMES) != by_name
    review.click("#reset")
    review.browser.wait_for("!reviewSettings.random")
    assert review.get(NAMES) == by_name


def test_warnings_are_hidden_too_since_those_on_masks_tell_of_masses(review):
    warned = "document.querySelectorAll('#cards .warn').length"
    assert review.get(warned) == 1
    review.get("byId('status-filter').value = 'warned', updateGallery()")
    review.click("#blind")
    assert review.get(warned) == 0
    assert review.get("byId('status-filter').value") == ""
    assert review.get("byId('status-filter').querySelector('[value=warned]').disabled")


def test_blind_mode_is_switched_on_and_off_on_all_open_pages(review):
    review.show(IMAGE)
    settings = "JSON.stringify(Object.assign({}, reviewSettings, { blind: true }))"
    review.get(f"""window.dispatchEvent(new StorageEvent("storage",
        {{ key: SETTINGS_KEY, newValue: {settings} }}))""")
    assert review.get("document.querySelectorAll('.marker').length") == 0
    assert review.get("byId('blind').checked")


def test_every_page_of_a_report_hides_its_counts(review_browser, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_ON_ONE", 5)
    monkeypatch.setattr(page, "PAGE_SIZE", 3)
    warning = {
        "code": "mask-shared",
        "count": 2,
        "examples": ["a.png"],
        "title": "t",
        "advice": "a",
    }
    run = make_run(tmp_path / "r", made_analysis(), copies=4, recorded={"warnings": [warning]})
    main = page.write_report(run)
    for report in (main, run / "report/page-001.html"):
        review_browser.open(report)
        review_browser.get("localStorage.clear()")
        review_browser.open(report)
    hidden = "(selector) => [...document.querySelectorAll(selector)].filter((element) =>"
    visible = f"({hidden} element.checkVisibility()).length)"
    secrets = "#summary, #distributions, #warnings, .of-findings, nav a[href='#summary']"
    review_browser.open(main)
    assert review_browser.get(f"{visible}({json.dumps(secrets)})") > 4
    assert review_browser.get(f"{visible}('#blind-note')") == 0
    review_browser.open(run / "report/page-001.html")
    review_browser.get("changeSettings({ blind: true })")
    review_browser.open(main)
    assert review_browser.get(f"{visible}({json.dumps(secrets)})") == 0
    assert review_browser.get(f"{visible}('#blind-note')") == 1
    assert review_browser.get(f"{visible}('#failed')") == 1
    # before the rest of the page is read
    text = main.read_text(encoding="utf-8")
    assert text.index("hideFindings();") < text.index('id="summary"')
    review_browser.get("localStorage.clear()")
