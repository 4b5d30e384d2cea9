"""One rule turns the values of an array into the pixels of its frames."""

import numpy as np
import pytest

from usmicro.errors import ImageError
from usmicro.model.pixel_values import DisplayRule, display_frames

CINE = np.random.default_rng(1).integers(0, 256, (5, 20, 30), dtype=np.uint8)


def shown(array):
    """The frames of an array; each is (rows, columns), or has channels last."""
    return np.stack(list(display_frames(lambda: iter(array))))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.float16, np.float64])
def test_grey_levels_stay_whatever_their_type(dtype):
    frames = shown(CINE.astype(dtype))
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, CINE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_floats_from_0_to_1_are_those_that_division_by_255_made(dtype):
    np.testing.assert_array_equal(shown(CINE.astype(dtype) / 255), CINE)


def test_one_range_serves_all_frames():
    array = CINE.astype(float) / 255
    array[:-1] *= 0.1
    frames = shown(array)
    np.testing.assert_array_equal(frames[-1], CINE[-1])
    assert frames[:-1].max() <= 26


def test_grey_levels_with_fractions_are_rounded_and_may_overshoot_by_interpolation():
    array = np.array([[[-0.4, 0.6], [254.5001, 255.4]]])
    np.testing.assert_array_equal(shown(array), [[[0, 1], [255, 255]]])


def test_bool_is_black_and_white():
    np.testing.assert_array_equal(shown(CINE > 99), np.where(CINE > 99, 255, 0))


def test_the_highest_bit_used_becomes_the_top_bit():
    twelve_bits = np.linspace(0, 4095, 600).round().astype(np.uint16).reshape(1, 20, 30)
    frames = shown(twelve_bits)
    assert frames.dtype == np.uint16
    np.testing.assert_allclose(frames, twelve_bits * (65535 / 4095), atol=0.5)
    full = twelve_bits * np.uint16(16)
    np.testing.assert_array_equal(shown(full), full)


@pytest.mark.parametrize("scale", [1, 257, 1 / 255])
def test_colours_are_shown_over_black_where_alpha_varies(scale):
    dtype = {1: np.uint8, 257: np.uint16}.get(scale, float)
    rgba = np.full((1, 6, 8, 4), 200.0)
    rgba[..., 3] = 255
    rgba[0, :3, :, 3] = 51
    frames = shown((rgba * scale).astype(dtype))
    white = 65535 if scale == 257 else 255
    assert frames.shape == (1, 6, 8, 3)
    np.testing.assert_allclose(frames[0, 3:] / white, 200 / 255, atol=1e-3)
    np.testing.assert_allclose(frames[0, :3] / white, 40 / 255, atol=1e-3)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_alpha_with_one_value_is_not_used(value):
    rgba = np.full((2, 6, 8, 4), 90, np.uint8)
    rgba[..., 3] = value
    np.testing.assert_array_equal(shown(rgba), rgba[..., :3])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((1, 4, 5), np.nan), "found 20 that are NaN"),
        (np.full((1, 4, 5), np.inf), "not finite"),
        (np.linspace(-60, 0, 20).reshape(1, 4, 5), "range from -60 to 0 and have fractions"),
        (np.arange(-60, 0).reshape(1, 6, 10), "range from -60 to -1, expected 0 to 65535"),
        (np.linspace(0, 300, 20).reshape(1, 4, 5), "expected floats from 0 to 1 or grey levels"),
        (np.full((1, 4, 5), 65536), "expected 0 to 65535"),
        (np.full((1, 4, 5), 1j), "found the type complex128"),
    ],
)
def test_values_without_a_display_brightness_are_refused(array, words):
    with pytest.raises(ImageError, match=words):
        DisplayRule.of(array)
