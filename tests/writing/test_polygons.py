from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.finished_analysis import MASS
from usmicro.writing.polygons import divide_among, mass_tops


@pytest.mark.parametrize(("frame", "place", "top"), [
    (0, (50, 60), (49.5, 40)), (4, (50, 60), (49.5, 40)), (4, (5, 5), None), (4, (200, -9), None),
])  # fmt: skip
def test_a_mass_is_numbered_at_the_top_of_its_outline_on_any_frame(frame, place, top):
    area = np.zeros((120, 100), bool)
    area[40:80, 30:70] = True
    mass = replace(MASS, mass=3, frame=frame, x_px=place[0], y_px=place[1])
    assert mass_tops(area, [mass], 0) == ([] if top is None else [(3, *top)])


def test_a_mass_without_an_outline_is_numbered_at_its_centre():
    area = np.zeros((120, 100), bool)
    assert mass_tops(area, [replace(MASS, mass=2, x_px=10.5, y_px=20.5)], 0) == [(2, 10.5, 20.5)]


def test_masses_that_touch_are_each_numbered_above_their_own_part():
    area = np.zeros((100, 200), bool)
    area[20:80, 20:120] = True
    area[40:60, 120:180] = True
    first, second = (
        replace(MASS, mass=1, x_px=70, y_px=50),
        replace(MASS, mass=2, x_px=150, y_px=50),
    )
    (one, x1, y1), (two, x2, y2) = mass_tops(area, [first, second], 0)
    assert (one, y1, two) == (1, 20, 2)
    assert 20 <= x1 < 120 < x2 < 180
    assert y2 == 40


def test_masses_that_touch_are_divided_the_same_way_each_time():
    area = np.zeros((300, 400), np.uint8)
    cv2.ellipse(area, (150, 150), (110, 80), 20, 0, 360, 1, -1)
    cv2.ellipse(area, (270, 140), (90, 60), -30, 0, 360, 1, -1)
    masses = [replace(MASS, mass=1, x_px=120, y_px=150), replace(MASS, mass=2, x_px=300, y_px=130)]
    divided = {divide_among(area > 0, masses).tobytes() for _ in range(20)}
    assert len(divided) == 1
