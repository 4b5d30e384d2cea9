import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import draw_focus, draw_plus, speckle
from usmicro.preparation.graphics import calipers
from usmicro.preparation.graphics.text import find_graphics

EVERYWHERE = np.ones((360, 400), dtype=bool)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("across", [5.0, 8.0, 12.0])
def test_no_graphics_are_found_in_speckle(seed, across):
    assert not find_graphics(
        speckle(360, 400, seed=seed, across=across, along=across / 2), EVERYWHERE
    ).any()


@pytest.mark.parametrize("width", [4.5, 6.0, 10.0, 16.0])
@pytest.mark.parametrize("mean", [40.0, 110.0])
def test_a_bright_round_focus_is_not_a_graphic(width, mean):
    image = speckle(360, 400, mean=mean)
    for x, y in ((60, 80), (200, 180), (330, 300)):
        draw_focus(image, x, y, width=width)
    assert not find_graphics(image, EVERYWHERE).any()


def test_a_bright_ligament_is_not_a_graphic(picture):
    cv2.line(picture, (20, 200), (380, 150), 240, 5)
    cv2.ellipse(picture, (200, 90), (120, 40), 0, 0, 180, 230, 4)
    smooth = cv2.GaussianBlur(picture, (0, 0), sigmaX=2.5, sigmaY=1.2)
    assert not find_graphics(smooth, EVERYWHERE).any()


@pytest.mark.parametrize("mean", [30.0, 90.0, 130.0])
@pytest.mark.parametrize("quality", [None, 92, 80])
def test_every_pixel_of_a_cross_is_covered(mean, quality):
    image = speckle(360, 400, mean=mean)
    places = [(50, 60), (200, 50), (350, 200), (120, 300)]
    drawn = np.zeros_like(image)
    for place in places:
        draw_plus(image, *place)
        draw_plus(drawn, *place)
    if quality:
        image = cv2.imdecode(
            cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1],
            cv2.IMREAD_GRAYSCALE,
        )
    mask = find_graphics(image, EVERYWHERE)
    assert mask[drawn > 0].mean() > 0.97
    assert (mask & (cv2.dilate(drawn, np.ones((13, 13), np.uint8)) == 0)).mean() < 1e-4


@pytest.mark.parametrize("band", [17, 40, 100])
def test_calipers_do_not_depend_on_the_height_of_the_bands(monkeypatch, picture, band):
    for place in [(8, 60), (200, 50), (350, 200), (120, 300), (250, 351)]:
        draw_plus(picture, *place)
    whole = calipers.find_calipers(picture, EVERYWHERE)
    assert whole.any()
    monkeypatch.setattr(calipers, "BAND", band)
    np.testing.assert_array_equal(calipers.find_calipers(picture, EVERYWHERE), whole)


@pytest.mark.parametrize("blur", [0.6, 0.9, 1.2])
def test_a_resampled_cross_is_found(picture, blur):
    layer = np.zeros(picture.shape, np.float32)
    draw_plus(layer, 200, 150)
    layer = cv2.GaussianBlur(layer, (0, 0), blur)
    image = np.maximum(picture * 0.5, layer / layer.max() * 220).astype(np.uint8)
    assert find_graphics(image, EVERYWHERE)[147:154, 197:204].mean() > 0.6


@pytest.mark.parametrize("text", ["MAMA DIREITA", "13.3mm", "RT AXILLA 2"])
@pytest.mark.parametrize(("scale", "thickness"), [(0.4, 1), (0.6, 1), (0.8, 2), (1.0, 3)])
def test_text_is_covered(picture, text, scale, thickness):
    drawn = np.zeros_like(picture)
    for image in (picture, drawn):
        cv2.putText(image, text, (40, 200), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness)
    mask = find_graphics(picture, EVERYWHERE)
    assert mask[drawn > 0].mean() > 0.9
    assert (mask & (cv2.dilate(drawn, np.ones((25, 25), np.uint8)) == 0)).mean() < 1e-3


def test_dots_between_calipers_are_covered_but_not_a_focus_beside_them(picture):
    for x in range(100, 300, 6):
        picture[200:202, x : x + 2] = 255
    draw_focus(picture, 150, 215, width=8)
    mask = find_graphics(picture, EVERYWHERE)
    assert mask[200:202, 102:298].mean() > 0.3
    assert all(mask[200:202, x : x + 2].all() for x in range(106, 290, 6))
    assert not mask[211:220, 146:155].any()


def test_a_saltire_is_covered(picture):
    for step in range(-5, 6):
        picture[100 + step, 200 + step] = picture[100 + step, 200 - step] = 240
    mask = find_graphics(picture, EVERYWHERE)
    assert mask[97:104, 197:204].mean() > 0.8


def test_a_solid_arrow_is_covered(picture):
    cv2.fillConvexPoly(picture, np.array([[300, 100], [312, 94], [312, 106]]), 255)
    assert find_graphics(picture, EVERYWHERE)[98:103, 303:312].mean() > 0.9


def test_graphics_outside_the_tissue_do_not_matter(picture):
    draw_plus(picture, 50, 60)
    tissue = EVERYWHERE.copy()
    tissue[:, :100] = False
    assert not find_graphics(picture, tissue).any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (16, 16)])
def test_small_images_have_no_graphics(shape):
    assert not find_graphics(np.full(shape, 90, np.uint8), np.ones(shape, dtype=bool)).any()
