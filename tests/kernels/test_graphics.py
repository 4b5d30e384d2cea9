import numpy as np
import pytest

from usmicro.kernels.graphics import (
    fill_between_edges,
    mark_touched_pixels,
    match_template,
    take_pixels,
)


def match_in_numpy(image, possible, template, correlation, strength):
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), template.shape)
    product = (windows * template).sum(axis=(2, 3))
    centred = windows - windows.mean(axis=(2, 3), keepdims=True)
    normal = product / np.sqrt((centred**2).sum(axis=(2, 3)) * (template.astype(float) ** 2).sum())
    height, width = template.shape
    tried = possible[height // 2 :, width // 2 :][: product.shape[0], : product.shape[1]]
    return np.argwhere(tried & (product >= strength) & (normal >= correlation))


@pytest.mark.parametrize("correlation", [0.2, 0.5])
def test_template_matches_equal_their_numpy_twin(correlation):
    random = np.random.default_rng(4)
    image = random.normal(size=(60, 70)).astype(np.float32)
    template = random.normal(size=(5, 8)).astype(np.float32)
    template -= template.mean()
    image[20:25, 30:38] += template
    possible = random.random(image.shape) > 0.3
    possible[22, 34] = True
    out = np.empty((image.size, 2), np.int32)
    count = match_template(image, possible, template, correlation, 2.0, out)
    expected = match_in_numpy(image, possible, template, correlation, 2.0)
    np.testing.assert_array_equal(out[:count], expected)
    assert [20, 30] in expected.tolist()


def test_no_more_matches_are_written_than_fit():
    image = np.tile(np.array([[0, 1]], np.float32), (20, 20))
    out = np.full((3, 2), -1, np.int32)
    template = np.array([[-0.5, 0.5]], np.float32)
    assert match_template(image, np.ones(image.shape, dtype=bool), template, 0.9, 0.1, out) == 3
    assert (out >= 0).all()


def fill_between_edges_in_numpy(rise, fall, level, widest):
    rise, fall = rise >= level, fall >= level
    columns = rise.shape[1]
    index, far = np.broadcast_to(np.arange(columns), rise.shape), 4 * widest
    last_rise = np.maximum.accumulate(np.where(rise, index, -far), axis=1)
    last_fall = np.maximum.accumulate(np.where(fall, index, -far), axis=1)
    falls_from_right = np.where(fall, index, columns + far)[:, ::-1]
    next_fall = np.minimum.accumulate(falls_from_right, axis=1)[:, ::-1]
    return ((last_rise > last_fall) | fall) & (next_fall - last_rise <= widest)


def test_filling_between_edges_equals_its_numpy_twin():
    rise, fall = (
        np.random.default_rng(seed).integers(0, 100, (200, 60), dtype=np.uint8) for seed in (2, 3)
    )
    for level in (80, 90, 97, 200):
        out = np.full(rise.shape, 7, np.uint8)
        fill_between_edges(rise, fall, float(level), 9, out)
        np.testing.assert_array_equal(out, fill_between_edges_in_numpy(rise, fall, level, 9))


def test_touched_pixels_equal_their_numpy_twin():
    mask = np.random.default_rng(4).random((30, 40)) < 0.1
    rows, columns = (
        np.array([np.arange(n) // 2, np.arange(n) // 2 + 1 + np.arange(n) % 2], np.int32)
        for n in mask.shape
    )
    out, expected = np.zeros((16, 21), bool), np.zeros((16, 21), bool)
    mark_touched_pixels(mask, rows, columns, out)
    for r, c in np.argwhere(mask):
        expected[rows[0, r] : rows[1, r], columns[0, c] : columns[1, c]] = True
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_taken_pixels_equal_their_numpy_twin(channels):
    random = np.random.default_rng(5)
    image = random.integers(0, 256, (20, 30, channels), dtype=np.uint8)
    rows, columns = random.integers(0, 20, 12), random.integers(0, 30, 50)
    out = np.empty((12, 50, channels), np.uint8)
    take_pixels(image, rows, columns, out)
    np.testing.assert_array_equal(out, image[rows][:, columns])
