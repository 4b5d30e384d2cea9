import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import speckle
from usmicro.foci.detection import find_candidates
from usmicro.preparation import prepare
from usmicro.preparation.graphics.panels import find_panels
from usmicro.settings import FociSettings


def with_panel(image, *, row, column, quality):
    """Draw a filled body mark with a bevelled rim, a nipple and the place of the probe."""
    part = image[row : row + 74, column : column + 80]
    part[:] = 138
    part[:3] = 205
    part[:, :2] = 90
    cv2.ellipse(part, (40, 0), (36, 30), 0, 0, 180, 90, 1, cv2.LINE_AA)
    cv2.circle(part, (40, 20), 4, 210, 1, cv2.LINE_AA)
    cv2.line(part, (46, 12), (60, 12), 220, 3)
    if quality is None:
        return image
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("quality", [None, 92, 85])
@pytest.mark.parametrize(("row", "column"), [(286, 320), (286, 0), (0, 320), (150, 160)])
def test_a_filled_body_mark_on_the_tissue_yields_no_foci(row, column, quality):
    image = with_panel(speckle(360, 400), row=row, column=column, quality=quality)
    (view,) = prepare(image)
    found = find_candidates(view, FociSettings())
    x, y = view.grid.to_image(found.x, found.y)
    on_panel = (x >= column) & (x < column + 80) & (y >= row) & (y < row + 74)
    assert not on_panel.any()
    panel = np.zeros(image.shape, dtype=bool)
    panel[row : row + 74, column : column + 80] = True
    mask = find_panels(image)
    assert mask[panel].mean() > 0.95
    far = cv2.dilate(panel.view(np.uint8), np.ones((33, 33), np.uint8)) == 0
    assert not mask[far].any()


def test_tissue_black_areas_and_saturated_echoes_are_no_panels():
    image = speckle(360, 400)
    image[50:150, 50:150] = 0
    image[200:300, 50:150] = 255
    assert not find_panels(image).any()


def test_smooth_tissue_is_no_panel():
    small = speckle(90, 100, across=4, along=4)
    image = cv2.GaussianBlur(cv2.resize(small, (800, 720)), (0, 0), 6)
    assert not find_panels(image).any()
