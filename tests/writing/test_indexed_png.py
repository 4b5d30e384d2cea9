"""Pictures with coloured drawings, as PNG files with a palette."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from usmicro.writing import encode_png, encode_with_drawing
from usmicro.writing.drawing import ORANGE, SKY_BLUE, Pen
from usmicro.writing.indexed_png import TINT_DIFFERENCE, _nearest


@pytest.fixture(scope="module")
def drawing():
    """Speckle with an outline, a ring and a text."""
    noise = np.random.default_rng(1).gamma(0.3, 300.0, (300, 400))
    speckle = cv2.GaussianBlur(noise, (0, 0), 2).clip(0, 255).astype(np.uint8)
    picture = np.repeat(speckle[..., None], 3, axis=2)
    pen = Pen(picture)
    pen.line([(50, 40), (200, 60), (150, 220)], ORANGE, closed=True)
    pen.ring((250, 120), 12, SKY_BLUE)
    pen.diamond((300, 250), 6, ORANGE, filled=True)
    pen.text("12", 270, 125, SKY_BLUE)
    return picture


def decoded(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_greys_hardly_change(drawing):
    difference = abs(decoded(encode_with_drawing(drawing)) - drawing)
    grey = (drawing == drawing[..., :1]).all(axis=2)
    assert difference[grey].max() <= 1
    assert (decoded(encode_with_drawing(drawing))[grey].std(axis=1) == 0).all(), "greys stay grey"


def test_drawn_colours_are_kept(drawing):
    coloured = (drawing != drawing[..., :1]).any(axis=2)
    difference = abs(decoded(encode_with_drawing(drawing)) - drawing)[coloured]
    assert np.percentile(difference, 95) < 16
    full = (drawing == np.array(ORANGE)).all(axis=2)
    assert full.any()
    assert abs(decoded(encode_with_drawing(drawing))[full] - np.array(ORANGE)).max() == 0


def test_file_is_smaller_and_has_a_palette(drawing):
    content = encode_with_drawing(drawing)
    assert len(content) < 0.8 * len(encode_png(drawing))
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()  # Pillow checks the sums of the chunks
        assert (picture.mode, picture.size) == ("P", (400, 300))


def test_equal_pixels_give_equal_bytes(drawing):
    assert encode_with_drawing(drawing) == encode_with_drawing(drawing.copy())


def test_a_tinted_scan_has_a_palette_too(drawing):
    noise = np.random.default_rng(3).integers(-5, 6, drawing.shape)
    tinted = (drawing * [0.8, 0.9, 1.0] + 8 + noise).clip(0, 255).astype(np.uint8)
    pen = Pen(tinted)
    pen.ring((100, 200), 12, SKY_BLUE)
    content = encode_with_drawing(tinted)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "P"
    assert len(content) < 0.5 * len(encode_png(tinted))
    difference = abs(decoded(content) - tinted).max(axis=2)
    of_scan = (drawing == drawing[..., :1]).all(axis=2)
    assert np.percentile(difference[of_scan], 99) <= TINT_DIFFERENCE + 1
    of_ring = (tinted == np.array(SKY_BLUE)).all(axis=2)
    assert of_ring.sum() > 20
    assert difference[of_ring].max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (7, 3)])
def test_small_grey_pictures(shape):
    picture = np.full((*shape, 3), 77, np.uint8)
    assert abs(decoded(encode_with_drawing(picture)) - 77).max() <= 1


def test_colour_flow_is_kept_exactly():
    picture = np.random.default_rng(2).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    assert (decoded(encode_with_drawing(picture)) == picture).all()


def test_rings_keep_their_colours_beside_few_colours_of_flow(drawing):
    picture = drawing.copy()
    flow = np.random.default_rng(2).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    picture[200:260, 20:80] = flow  # 3 % of the pixels: fewer than MOST_COLOURED
    assert (decoded(encode_with_drawing(picture)) == picture).all()


def test_the_nearest_entries_of_a_palette_are_those_of_a_search_tree():
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(2)
    colours, palette = rng.integers(0, 256, (500, 3)), rng.integers(0, 256, (256, 3))
    entries, squared = _nearest(colours.astype(np.int32), palette.astype(np.int32))
    distances, _ = cKDTree(palette).query(colours)
    np.testing.assert_array_equal(squared, np.square(palette[entries] - colours).sum(axis=1))
    np.testing.assert_allclose(np.sqrt(squared), distances, rtol=1e-6)
