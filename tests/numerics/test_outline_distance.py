import numpy as np
import pytest

from usmicro.numerics.outline_distance import OutlineDistance


def depth_in_numpy(regions: np.ndarray, row: int, column: int) -> float:
    """Signed distance from a pixel to the border of the nearest region, half a pixel before the nearest pixel beyond it."""
    inside = regions[row, column] > 0
    beyond = np.argwhere((regions > 0) != inside)
    distance = np.hypot(*(beyond - (row, column)).T).min()
    return distance - 0.5 if inside else 0.5 - distance


@pytest.mark.parametrize("seed", range(4))
def test_depths_and_numbers_equal_their_numpy_twin(seed):
    rng = np.random.default_rng(seed)
    regions = np.zeros((60, 80), np.int32)
    for number in (1, 2, 3):
        top, left = rng.integers(0, 45), rng.integers(0, 60)
        regions[top : top + rng.integers(3, 20), left : left + rng.integers(3, 25)] = number
    row, column = rng.integers(0, 60, 200), rng.integers(0, 80, 200)
    depth, number = OutlineDistance.of(regions).signed_distance(row, column)
    for i in range(200):
        assert depth[i] == pytest.approx(depth_in_numpy(regions, row[i], column[i]))
        distances = [
            np.hypot(*(np.argwhere(regions == k) - (row[i], column[i])).T).min()
            for k in np.unique(regions[regions > 0])
        ]
        assert distances[list(np.unique(regions[regions > 0])).index(number[i])] == min(distances)


def test_without_regions_all_places_are_infinitely_far_out():
    depth, number = OutlineDistance.of(np.zeros((9, 9), np.int32)).signed_distance(
        np.array([3]), np.array([4])
    )
    assert (depth[0], number[0]) == (-np.inf, 0)


def test_a_region_that_fills_the_image_has_no_edge_within():
    depth, number = OutlineDistance.of(np.ones((9, 12), np.int32)).signed_distance(
        np.array([3]), np.array([4])
    )
    assert depth[0] > 20
    assert number[0] == 1
