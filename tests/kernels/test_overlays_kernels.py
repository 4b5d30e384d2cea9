import numpy as np
import pytest

from usmicro.kernels.overlays import match_drawing


def match_in_numpy(image, possible, template, correlation, strength):
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), template.shape)
    product = (windows * template).sum(axis=(2, 3))
    centred = windows - windows.mean(axis=(2, 3), keepdims=True)
    normal = product / np.sqrt((centred**2).sum(axis=(2, 3)) * (template.astype(float) ** 2).sum())
    height, width = template.shape
    tried = possible[height // 2 :, width // 2 :][: product.shape[0], : product.shape[1]]
    return np.argwhere(tried & (product >= strength) & (normal >= correlation))


@pytest.mark.parametrize("correlation", [0.2, 0.5])
def test_matching_equals_its_numpy_twin(correlation):
    random = np.random.default_rng(4)
    image = random.normal(size=(60, 70)).astype(np.float32)
    template = random.normal(size=(5, 8)).astype(np.float32)
    template -= template.mean()
    image[20:25, 30:38] += template
    possible = random.random(image.shape) > 0.3
    possible[22, 34] = True
    out = np.empty((image.size, 2), np.int32)
    count = match_drawing(image, possible, template, correlation, 2.0, out)
    expected = match_in_numpy(image, possible, template, correlation, 2.0)
    np.testing.assert_array_equal(out[:count], expected)
    assert [20, 30] in expected.tolist()


def test_no_more_matches_are_written_than_there_is_room_for():
    image = np.tile(np.array([[0, 1]], np.float32), (20, 20))
    out = np.full((3, 2), -1, np.int32)
    template = np.array([[-0.5, 0.5]], np.float32)
    assert match_drawing(image, np.ones(image.shape, dtype=bool), template, 0.9, 0.1, out) == 3
    assert (out >= 0).all()
