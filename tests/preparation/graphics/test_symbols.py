from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import draw_focus, draw_plus, speckle
from usmicro.analysis import analyze
from usmicro.phantom.overlays import Ink
from usmicro.phantom.sets import phantom_set, random_settings
from usmicro.phantom.simulation import simulate
from usmicro.preparation import prepare
from usmicro.preparation.graphics import text
from usmicro.preparation.graphics.text import find_graphics

EVERYWHERE = np.ones((360, 400), dtype=bool)
CALIPERS = [(60, 80), (330, 90), (200, 180), (120, 280), (310, 300)]


@pytest.fixture
def without_symbols(monkeypatch):
    """Return a context in which no symbols are searched for."""

    @contextmanager
    def context():
        with monkeypatch.context() as patch:
            patch.setattr(text, "find_symbols", lambda grey, *_: np.zeros_like(grey))
            yield

    return context


def dark_speckle(**sizes):
    """Return speckle whose darkest points are limited, as the display of a scanner limits them."""
    return np.maximum(speckle(360, 400, mean=70, **sizes), 40)


def with_digits(image, *, quality=None):
    """Draw calipers with digits; return the image and where the digits are."""
    digits = Ink.blank(*image.shape)
    for number, (x, y) in enumerate(CALIPERS, start=1):
        digits.text(str(number), x - 14, y - 4, size=0.35)
        draw_plus(image, x, y)
    image = digits.over(image)
    if quality:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    return image, digits.alpha > 127


@pytest.mark.parametrize("quality", [None, 95, 90])
def test_digits_beside_calipers_are_covered(quality):
    image, digits = with_digits(dark_speckle(), quality=quality)
    assert find_graphics(image, EVERYWHERE)[digits].mean() > 0.9


@pytest.mark.parametrize("away", [12, 16, 25])
@pytest.mark.parametrize("width", [4.5, 7.0])
def test_a_bright_focus_beside_a_caliper_is_no_symbol(away, width, without_symbols):
    image = dark_speckle()
    for x, y in CALIPERS:
        draw_focus(image, x + away, y, width=width)
    image, _ = with_digits(image)
    found = find_graphics(image, EVERYWHERE)
    with without_symbols():
        found &= ~find_graphics(image, EVERYWHERE)
    assert not any(found[y - 1 : y + 2, x + away - 1 : x + away + 2].any() for x, y in CALIPERS)


@pytest.mark.parametrize("side", [2, 3, 4])
def test_a_hard_edged_dot_is_a_graphic_but_the_same_dot_blurred_is_not(side):
    image = dark_speckle()
    image[150 : 150 + side, 200 : 200 + side] = 255
    assert find_graphics(image, EVERYWHERE)[150 : 150 + side, 200 : 200 + side].all()
    image = dark_speckle()
    draw_focus(image, 200, 150, width=side + 3.0, peak=185)
    assert not find_graphics(image, EVERYWHERE).any()


def test_an_arrow_along_the_rows_is_covered_at_its_head():
    image = dark_speckle()
    image[150:152, 200:224] = 255
    for step in range(1, 4):
        image[150 - step : 152 + step, 197 + 2 * step : 199 + 2 * step] = 255
    assert find_graphics(image, EVERYWHERE)[148:154, 199:206].mean() > 0.7


def test_digits_do_not_depend_on_the_brightness_of_the_tissue():
    for offset in (0, 30, 60):
        image, digits = with_digits(dark_speckle() + np.uint8(offset))
        assert find_graphics(image, EVERYWHERE)[digits].mean() > 0.9


@pytest.mark.parametrize("kind", ["mixed", "faint"])
def test_no_simulated_focus_is_a_symbol(kind, without_symbols):
    for phantom in phantom_set(kind, range(3)):
        frame = next(iter(phantom.scan().read()))
        with without_symbols():
            before = prepare(frame)
        for old, new in zip(before, prepare(frame), strict=True):
            for focus in phantom.truth.foci:
                x, y = old.grid.from_image(focus.x_px[0], focus.y_px[0])
                place = (slice(round(y) - 2, round(y) + 3), slice(round(x) - 2, round(x) + 3))
                assert new.graphics[place].sum() == old.graphics[place].sum()


def test_no_focus_lies_on_a_digit_of_a_simulated_scan():
    phantom = simulate(3, replace(random_settings(3), calipers=True, masses=1))
    overlay = cv2.dilate(phantom.truth.overlay.view(np.uint8), np.ones((3, 3), np.uint8))
    for focus in analyze(phantom.scan()).foci:
        assert not overlay[round(focus.y_px), round(focus.x_px)]
