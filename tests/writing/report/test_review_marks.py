"""Marks of the reader on the picture, made with the pointer."""

import numpy as np
import pytest

from tests.writing.report.conftest import ReviewPage

IMAGE = "plain/00000.png"


@pytest.fixture
def opened(review) -> ReviewPage:
    review.show(IMAGE)
    return review


def numbers(row, *names):
    return [float(row[name]) for name in names]


def corners(row):
    return [tuple(map(float, corner.split(","))) for corner in row["outline_px"].split()]


def test_a_missed_focus_is_added_with_a_click_and_labelled(opened):
    opened.keys("m")
    opened.browser.click_at(*opened.at(400, 120))
    opened.keys("2st")
    (row,) = opened.rows()
    assert (row["decision"], row["focus"], row["label"]) == ("added", "", "extramass")
    assert (row["shadow"], row["twinkling"]) == ("yes", "yes")
    assert numbers(row, "x_px", "y_px") == pytest.approx([400, 120], abs=0.5)
    assert float(row["diameter_px"]) == pytest.approx(0.5 / 0.08, abs=0.01)  # 0.5 mm
    assert opened.text("review-selected") == "Your focus 1: added"


def test_a_missed_focus_is_sized_with_a_drag(opened):
    opened.keys("m")
    opened.browser.drag(opened.at(400, 120), opened.at(405, 120), opened.at(410, 120))
    opened.browser.drag(opened.at(100, 120), opened.at(100, 130))
    first, second = opened.rows()
    assert float(first["diameter_px"]) == pytest.approx(20, abs=1.5)
    assert numbers(second, "x_px", "y_px") == pytest.approx([100, 120], abs=0.7)
    opened.keys("m")  # the tool is put away, and the pointer moves the picture again
    opened.keys("+")
    before = opened.get("view.x")
    opened.browser.drag(opened.at(300, 300), opened.at(250, 300))
    assert opened.get("view.x") > before + 20
    assert len(opened.rows()) == 2


def test_an_added_focus_is_removed_and_comes_back(opened):
    opened.keys("m")
    opened.browser.click_at(*opened.at(400, 120))
    opened.browser.key("Backspace")
    assert opened.rows() == []
    opened.keys("u")
    assert len(opened.rows()) == 1
    assert opened.get("document.querySelectorAll('[data-added]').length") == 1


def test_a_focus_is_added_without_a_pointer(opened):
    opened.keys("m")
    opened.browser.key("Enter")
    (row,) = opened.rows()
    assert numbers(row, "x_px", "y_px") == pytest.approx(opened.get("[view.x, view.y]"), abs=0.01)


def test_escape_leaves_the_tool_and_not_the_image(opened):
    opened.keys("m")
    opened.browser.key("Escape")
    assert opened.get("byId('viewer').open")
    assert opened.get("reviewTool") == ""
    opened.browser.click_at(*opened.at(400, 120))
    assert opened.rows() == []


def test_a_listed_focus_is_moved_and_keeps_its_number(opened):
    opened.keys("e")
    opened.browser.drag(opened.at(512, 160), opened.at(520, 165), opened.at(530, 170))
    (row,) = opened.rows()
    assert (row["focus"], row["decision"], row["label"]) == ("2", "accepted", "extramass")
    assert numbers(row, "x_px", "y_px") == pytest.approx([530, 170], abs=0.7)
    assert float(row["diameter_px"]) == 6.25
    assert opened.get("document.querySelectorAll('[data-moved=\"2\"]').length") == 1
    # a second drag goes on from the new position
    opened.browser.drag(opened.at(530, 170), opened.at(540, 190))
    (row,) = opened.rows()
    assert numbers(row, "x_px", "y_px") == pytest.approx([540, 190], abs=1)
    opened.keys("uu")
    assert opened.rows() == []


def test_a_rejected_focus_lies_where_the_program_put_it(opened):
    opened.keys("e")
    opened.browser.drag(opened.at(512, 160), opened.at(530, 170))
    opened.keys("r")
    row = next(row for row in opened.rows() if row["focus"] == "2")
    assert (row["decision"], row["label"], row["shadow"]) == ("rejected", "", "")
    assert numbers(row, "x_px", "y_px") == [512, 160]


def test_the_ring_of_a_large_focus_sizes_it(opened):
    opened.keys("m")
    opened.browser.drag(opened.at(400, 120), opened.at(420, 120))
    opened.keys("e")
    radius = opened.get("ringRadius(40) / view.scale")
    opened.browser.drag(opened.at(400 + radius, 120), opened.at(410 + radius, 120))
    (row,) = opened.rows()
    assert float(row["diameter_px"]) == pytest.approx(60, abs=3)
    assert numbers(row, "x_px", "y_px") == pytest.approx([400, 120], abs=0.7)


def test_a_missed_mass_is_drawn_as_a_box(opened):
    opened.keys("g")
    opened.browser.drag(opened.at(380, 240), opened.at(420, 260), opened.at(460, 300))
    (row,) = opened.rows()
    assert (row["mass"], row["mass_number"], row["decision"]) == ("accepted", "", "")
    expected = [(380, 240), (460, 240), (460, 300), (380, 300)]
    np.testing.assert_allclose(corners(row), expected, atol=0.7)
    assert numbers(row, "x_px", "y_px") == pytest.approx([420, 270], abs=0.7)
    assert opened.get("reviewTool") == ""


@pytest.mark.parametrize("end", ["Enter", "double click", "button"])
def test_a_missed_mass_is_drawn_as_a_polygon(opened, end):
    opened.keys("g")
    points = [(380, 240), (460, 250), (440, 300), (390, 310)]
    for point in points[:-1]:
        opened.browser.click_at(*opened.at(*point))
    scale = opened.get("view.scale")
    if end == "double click":
        opened.browser.click_at(*opened.at(*points[-1]), times=2)
    else:
        opened.browser.click_at(*opened.at(*points[-1]))
    if end == "Enter":
        opened.browser.key("Enter")
    elif end == "button":
        opened.click("#review-close-outline")
    (row,) = opened.rows()
    np.testing.assert_allclose(corners(row), points, atol=0.7)
    assert opened.get("view.scale") == scale  # a double click does not zoom here


def test_a_corner_is_removed(opened):
    opened.keys("g")
    for point in [(380, 240), (460, 250), (600, 390), (440, 300)]:
        opened.browser.click_at(*opened.at(*point))
        if point == (600, 390):
            opened.browser.key("Backspace")
    opened.browser.key("Enter")
    (row,) = opened.rows()
    np.testing.assert_allclose(corners(row), [(380, 240), (460, 250), (440, 300)], atol=0.7)


def test_a_listed_mass_is_moved_with_its_outline(opened):
    outline = np.array(opened.get("massOutline({ kind: 'mass', key: 1 })"))
    assert len(outline) > 8
    np.testing.assert_allclose(outline.mean(axis=0), [300, 200], atol=5)
    opened.click("tr[data-mass='1']")
    opened.keys("0e")
    opened.browser.drag(opened.at(300.8, 200), opened.at(330, 210), opened.at(340.8, 220))
    (row,) = opened.rows()
    assert (row["mass"], row["mass_number"]) == ("accepted", "1")
    assert numbers(row, "x_px", "y_px") == pytest.approx([340.8, 220], abs=0.7)
    np.testing.assert_allclose(corners(row), outline + np.array([40, 20]), atol=0.8)


def test_a_finger_adds_a_focus(opened):
    browser = opened.browser
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    opened.click("[data-tool='focus']")
    x, y = opened.at(400, 120)
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
    (row,) = opened.rows()
    assert numbers(row, "x_px", "y_px") == pytest.approx([400, 120], abs=0.7)


def test_marks_in_a_cine_belong_to_the_frame_that_is_shown(opened):
    opened.get("current.frames = 5, current.key_frame = 3")
    opened.keys("m")
    opened.browser.click_at(*opened.at(400, 120))
    opened.keys("g")
    opened.browser.drag(opened.at(380, 240), opened.at(460, 300))
    opened.get("moveFinding({ kind: 'focus', key: 2 }, { x: 520, y: 170, diameter: 8 })")
    opened.click("tr[data-focus='3']")
    opened.keys("a")
    frames = {(row["focus"], row["decision"], row["mass"]): row["frame"] for row in opened.rows()}
    assert frames == {
        ("", "added", ""): "3",
        ("", "", "accepted"): "3",
        ("2", "accepted", ""): "3",  # moved on this frame
        ("3", "accepted", ""): "0",  # where the program measured it
    }


def test_the_text_of_every_button_fits_on_a_phone(opened):
    opened.browser.resize(390, 844)
    opened.keys("m")
    opened.browser.click_at(*opened.at(300, 150))
    assert opened.text("review-clear") == "Remove"
    too_long = """[...document.querySelectorAll('#viewer button')].filter((button) =>
      button.checkVisibility() && button.scrollWidth > button.clientWidth + 1)
      .map((button) => button.textContent)"""
    assert opened.get(too_long) == []
    rows = "new Set([...actionsRow.children].map((one) => one.getBoundingClientRect().top)).size"
    assert opened.get(rows) == 1
    assert opened.get("document.documentElement.scrollWidth <= innerWidth")
