import numpy as np
import pytest

from usmicro.kernels.graphics import (
    MARGIN,
    fill_between_edges,
    group_points,
    mark_touched_pixels,
    match_template,
    raise_boxes,
    sharp_steps,
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


def with_margin(image):
    return np.pad(image, ((0, 0), (0, MARGIN)), constant_values=7)


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
    count = match_template(with_margin(image), possible, template, correlation, 2.0, out)
    expected = match_in_numpy(image, possible, template, correlation, 2.0)
    np.testing.assert_array_equal(out[:count], expected)
    assert [20, 30] in expected.tolist()


def test_no_more_matches_are_written_than_fit():
    image = np.tile(np.array([[0, 1]], np.float32), (20, 20))
    out = np.full((3, 2), -1, np.int32)
    template = np.array([[-0.5, 0.5]], np.float32)
    everywhere = np.ones(image.shape, dtype=bool)
    assert match_template(with_margin(image), everywhere, template, 0.9, 0.1, out) == 3
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


def sharp_steps_in_numpy(grey, inside, least, fraction, height, reach):
    grey = grey.astype(int)
    found = []
    for r, c in np.argwhere(inside[:, :-1] > 0):
        window = grey[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1]
        step, contrast = grey[r, c + 1] - grey[r, c], window.max() - window.min()
        high = max(grey[r, c : c + 2]) - window.min() >= height * contrast
        if abs(step) >= max(least, fraction * contrast) and high:
            found.append((r, c, step, contrast))
    return np.array(found)


@pytest.mark.parametrize("fraction", [0.2, 0.375, 0.6])
@pytest.mark.parametrize("height", [0.0, 0.6])
def test_sharp_steps_equal_their_numpy_twin(fraction, height):
    random = np.random.default_rng(6)
    grey = random.integers(0, 256, (40, 150), dtype=np.uint8)
    inside = (random.random(grey.shape) > 0.2).view(np.uint8)
    out = np.empty((grey.size, 4), np.int32)
    expected = sharp_steps_in_numpy(grey, inside, 60, fraction, height, 3)
    count = sharp_steps(grey, inside, 60, fraction, height, 3, out)
    np.testing.assert_array_equal(out[:count], expected)
    assert sharp_steps(grey, inside, 60, fraction, height, 3, out[:5]) == min(5, len(expected))


def group_points_in_numpy(points, rows, columns):
    group = np.arange(len(points))
    near = (np.abs(points[:, None] - points) <= (rows, columns)).all(axis=2)
    for _ in points:
        group = np.where(near, group, len(points)).min(axis=1)
    return np.unique(group, return_inverse=True)[1]


def test_grouped_points_equal_their_numpy_twin():
    for seed in range(20):
        points = np.argwhere(np.random.default_rng(seed).random((40, 50)) < 0.04).astype(np.int32)
        out = np.empty(len(points), np.int32)
        expected = group_points_in_numpy(points, 2, 5)
        assert group_points(points, 2, 5, out) == expected.max() + 1
        np.testing.assert_array_equal(out, expected)


def test_raised_boxes_equal_their_numpy_twin():
    random = np.random.default_rng(7)
    first = random.integers(-4, 30, (25, 2))
    last = first + random.integers(0, 9, first.shape)
    values = random.integers(0, 256, 25, dtype=np.uint8)
    out = random.integers(0, 99, (20, 25), dtype=np.uint8)
    expected = out.copy()
    for (top, left), (bottom, right), value in zip(first, last, values, strict=True):
        box = expected[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)]
        np.maximum(box, value, out=box)
    raise_boxes(first, last, values, out)
    np.testing.assert_array_equal(out, expected)
