from dataclasses import replace

import cv2
import numpy as np
import pytest

from usmicro.phantom import random_settings, simulate
from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.colour.separation import separate_colour
from usmicro.preparation.colour.tint import find_tinted_box

SEPIA = np.array([1.12, 0.98, 0.86])


def speckle(seed: int = 0, shape: tuple[int, int] = (240, 320)) -> np.ndarray:
    grey = np.clip(np.random.default_rng(seed).rayleigh(55, shape), 0, 225)
    return np.repeat(cv2.GaussianBlur(grey, (0, 0), 1.2)[..., None], 3, axis=2)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("quality", [0, 75])
@pytest.mark.parametrize("shift", [0, 60])
def test_a_tinted_box_is_found_straight_or_steered_and_after_jpeg(quality, shift):
    frame = speckle()
    corners = np.array([[80, 60], [220, 60], [220 + shift, 190], [80 + shift, 190]], np.int32)
    box = cv2.fillPoly(np.zeros(frame.shape[:2], np.uint8), [corners], 1) > 0
    frame[box] *= SEPIA
    frame = np.rint(frame).astype(np.uint8)
    if quality:
        frame = cv2.imdecode(
            cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1],
            cv2.IMREAD_COLOR,
        )[..., ::-1]
    found = find_tinted_box(np.ascontiguousarray(frame))
    assert found is not None
    assert overlap(found, box) > 0.95


@pytest.mark.parametrize("tint", [(1, 1, 1), (0.925, 0.978, 1.083)])
def test_an_image_of_one_tint_has_no_box(tint):
    assert find_tinted_box(np.rint(speckle() * tint).astype(np.uint8)) is None


def test_scattered_tinted_parts_are_not_a_box():
    frame = speckle()
    for y in range(10, 240, 60):
        for x in range(10, 320, 60):
            frame[y : y + 25, x : x + 25] *= SEPIA
    assert find_tinted_box(np.rint(frame).astype(np.uint8)) is None


def test_flow_in_a_tinted_box_is_separated_from_echoes_also_during_a_flash():
    settings = replace(
        random_settings(31004, "vessel"),
        frames=6,
        box_style="tinted",
        colour_bar="none",
        jpeg_quality=0,
        flash=0.5,
    )
    phantom = simulate(31004, settings)
    colour, cache = phantom.truth.colour, ScreenCache()
    box = (
        cv2.fillPoly(
            np.zeros(phantom.frames.shape[1:3], np.uint8),
            [np.rint(np.array(colour.box_px)).astype(np.int32)],
            1,
        )
        > 0
    )
    assert 0 not in colour.flash_frames
    for frame, shown in zip(phantom.frames, colour.shown, strict=True):
        screen = separate_colour(frame, cache=cache)
        assert overlap(screen.box, box) > 0.95
        assert overlap(screen.mask, shown) > 0.95
    assert colour.flash_frames
