import numpy as np

from usmicro.model.arrays import pixels_of


def test_the_pixels_of_a_mask_come_row_by_row_as_from_numpy():
    mask = np.random.default_rng(1).random((30, 40)) < 0.1
    mask[:5], mask[:, 33:] = False, False
    for one, expected in zip(pixels_of(mask), np.nonzero(mask), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_an_empty_mask_has_no_pixels():
    rows, columns = pixels_of(np.zeros((3, 4), bool))
    assert len(rows) == len(columns) == 0
