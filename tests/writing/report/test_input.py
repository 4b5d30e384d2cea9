"""The report with a real pointer and keyboard in Chromium, at several sizes, light and dark."""

import json

import cv2
import numpy as np
import pytest

from tests.helpers.chromium import BROWSER, MISSING
from tests.helpers.made_run import make_run
from usmicro.writing.report.page import write_report

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)

OPENED = "document.getElementById('viewer').open"
TITLE = "document.getElementById('viewer-title').textContent"
TIP = "document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent"
WIDTH = "Number(document.getElementById('scene').getAttribute('viewBox').split(' ')[2])"
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
FIRST = "#cards > li:nth-child(5) button"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from tests.helpers.finished_analysis import made_analysis

    return write_report(make_run(tmp_path_factory.mktemp("run") / "r", made_analysis(), copies=30))


def tab_to(page, condition, most=80):
    """Press Tab until the element that has the focus meets a condition."""
    for _ in range(most):
        page.key("Tab")
        if page.get(f"((element) => Boolean({condition}))(document.activeElement)"):
            return
    pytest.fail(f"{most} times Tab did not reach {condition}")


def test_everything_can_be_reached_by_keyboard(page):
    tab_to(page, "element.id === 'name-filter'")
    for letter in "plain":
        page.key(letter)
    assert (
        page.get("document.getElementById('card-count').textContent") == "Showing 30 images (of 35)"
    )
    tab_to(page, "element.closest('.card')")
    page.key("Enter")
    assert page.get(OPENED)
    assert page.get(TITLE) == "plain/00000.png"
    fitting = page.get(WIDTH)
    page.key("+")
    page.key("ArrowRight")
    assert page.get(WIDTH) < fitting
    page.key("0")
    assert page.get(WIDTH) == pytest.approx(fitting)
    tab_to(page, "element.matches('.marker')")
    assert "Focus 1: intramass" in page.get(TIP)
    page.key("Enter")
    assert page.get("document.querySelector('tr.selected').dataset.focus") == "1"
    assert "False alarm" in page.get("document.getElementById('evidence').textContent")
    page.key("PageDown")
    assert page.get(TITLE) == "plain/00001.png"
    page.key("Escape")
    assert not page.get(OPENED)
    # the browser first gives the focus back to where it was; the event "close" comes later
    page.wait_for("document.activeElement.closest('.card')?.dataset.image === 'plain/00001.png'")


def test_the_pointer_shows_the_evidence_of_a_focus(page):
    page.click(FIRST)
    page.point(".marker[data-focus='2'] .hit")
    assert "Focus 2: extramass" in page.get(TIP)
    page.point("#viewer-title")
    assert page.get(TIP) == ""
    page.click(".marker[data-focus='3'] .hit")
    assert "Focus 3: intraductal" in page.get("document.getElementById('evidence').textContent")
    assert page.get(TIP) == ""  # it would hide what is around the focus


def test_a_drag_moves_the_picture_and_a_row_selects_its_focus(page):
    page.click(FIRST)
    fitting = page.get(WIDTH)
    page.click("tr[data-focus='1'] button")
    assert page.get(WIDTH) < fitting / 2
    left = "Number(document.getElementById('scene').getAttribute('viewBox').split(' ')[0])"
    before = page.get(left)
    x, y = page.point("#stage")
    for kind, at in (("mousePressed", x + 90), ("mouseMoved", x + 40), ("mouseReleased", x + 40)):
        page.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=at,
            y=y + 60,
            button="left",
            buttons=1,
            clickCount=1,
        )
    assert page.get(left) > before


def test_a_click_switches_a_layer_and_a_key_all_findings(page):
    page.click(FIRST)
    without, marked = (
        "document.querySelector('#scene').classList.contains('no-findings')",
        ".marker[data-focus='2']",
    )
    shown = f"getComputedStyle(document.querySelector({json.dumps(marked)})).display"
    page.click("[data-toggles='extramass']")
    assert page.get(shown) == "none"
    page.click("[data-toggles='extramass']")
    assert page.get(shown) != "none"
    with_findings = page.picture()
    page.key("h")
    assert page.get(without)
    assert not page.get("document.getElementById('findings').checked")
    assert coloured(page.picture()) < coloured(with_findings) / 3
    page.key("H")
    assert not page.get(without)


def test_the_colours_of_the_scan_are_switched_to_grey_and_back(page):
    page.get("images.forEach((image) => { image.colour_flow = 'yes'; })")
    page.click(FIRST)
    filtered = "getComputedStyle(document.getElementById('base')).filter"
    assert page.get(filtered) == "none"
    page.click("[data-toggles='colour']")
    assert page.get(filtered) == "grayscale(1)"
    page.click("[data-toggles='colour']")
    assert page.get(filtered) == "none"


def coloured(png):
    """Count the coloured pixels of the left half of the window, where the picture is."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).astype(int)
    left = picture[:850, :700]
    return int((np.ptp(left, axis=2) > 60).sum())


def test_the_picture_fits_again_when_the_window_changes(page):
    page.click(FIRST)
    page.resize(500, 900)
    page.get("new Promise((done) => setTimeout(done, 200))")
    height, shown = page.get("[current.box[3], stage.clientHeight / view.scale]")
    assert shown >= height - 1
    assert page.get("document.documentElement.scrollWidth") <= 500


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_controls_have_names_and_text_has_enough_contrast(page, dark):
    page.resize(1400, 1000, dark=dark)
    for _ in range(2):  # the page, then the viewer on it
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        kinds = {"button", "checkbox", "combobox", "searchbox", "textbox", "link"}
        controls = [
            node for node in nodes if not node["ignored"] and node["role"]["value"] in kinds
        ]
        assert len(controls) > 8
        assert [
            node for node in controls if not node.get("name", {}).get("value", "").strip()
        ] == []
        page.click(FIRST)
    seen = page.get(
        """[...document.querySelectorAll(
            "main :is(p, dt, dd, td, label), .panel :is(td, dt, p), .layers label"
        )].map((element) => {
          const background = (box) => getComputedStyle(box).backgroundColor;
          let behind = element;
          while (behind && background(behind) === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
          return [getComputedStyle(element).color, background(behind ?? document.body)];
        })"""
    )
    assert len(seen) > 50
    contrasts = [contrast(*map(rgb, pair)) for pair in {tuple(pair) for pair in seen}]
    assert min(contrasts) >= LEAST_CONTRAST


def rgb(text):
    """Return red, green and blue, 0 to 1, of a colour as a browser writes it."""
    return np.array([float(part) for part in text[text.index("(") + 1 : -1].split(",")[:3]]) / 255


def contrast(one, other):
    """Return the contrast ratio of two colours by WCAG 2.2."""
    light = [
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
        for c in (one, other)
    ]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.fixture
def phone(page):
    """The report in the window of a phone, with the first image open."""
    page.click(FIRST)
    assert page.get(OPENED)
    page.resize(390, 800)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    page.get("new Promise((done) => setTimeout(done, 200))")
    yield page
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)


def touch(page, kind, *points):
    page.call(
        "Input.dispatchTouchEvent",
        type=kind,
        touchPoints=[{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)],
    )


def test_two_fingers_zoom_the_picture(phone):
    fitting = phone.get(WIDTH)
    x, y = phone.point("#stage")
    touch(phone, "touchStart", (x - 30, y), (x + 30, y))
    for reach in (40, 50, 60):
        touch(phone, "touchMove", (x - reach, y), (x + reach, y))
    touch(phone, "touchEnd")
    assert phone.get(WIDTH) == pytest.approx(fitting / 2, rel=0.02)
    assert phone.get("pointers.size") == 0


def test_a_tap_shows_the_evidence_on_a_phone(phone):
    x, y = phone.point(".marker[data-focus='3'] .hit")
    touch(phone, "touchStart", (x, y))
    touch(phone, "touchEnd")
    phone.wait_for("document.querySelector('tr.selected')?.dataset.focus === '3'")
    top, bottom, panel_top, panel_bottom = phone.get(
        """[...["evidence", "panel"].map((id) => document.getElementById(id).getBoundingClientRect())]
        .flatMap(({ top, bottom }) => [top, bottom])"""
    )
    assert panel_top <= top < panel_bottom
    assert bottom > top


def test_nothing_of_the_picture_is_printed_over_the_panel_of_a_phone(phone):
    side, panel = (
        phone.get(f"document.querySelector('{name}').getBoundingClientRect().toJSON()")
        for name in (".picture-side", ".panel")
    )
    assert side["bottom"] <= panel["top"] + 1
    over = """[...document.querySelectorAll('.picture-side > *')].filter((element) => {
      const { height, bottom } = element.getBoundingClientRect();
      return height && bottom > document.querySelector('.panel').getBoundingClientRect().top + 1;
    }).map((element) => element.id || element.className)"""
    assert phone.get(over) == []
