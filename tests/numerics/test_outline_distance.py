import numpy as np
import pytest

from usmicro.numerics import outline_distance
from usmicro.numerics.outline_distance import OutlineDistance, PixelSet


def signed_distance_in_numpy(regions: np.ndarray, row: int, column: int) -> float:
    """Distance to the nearest pixel on the other side of an outline, less half a pixel."""
    inside = regions[row, column] > 0
    other_side = np.argwhere((regions > 0) != inside)
    distance = np.hypot(*(other_side - (row, column)).T).min()
    return distance - 0.5 if inside else 0.5 - distance


def distances_to_regions(regions: np.ndarray, row: int, column: int) -> dict[int, float]:
    """Distance from a pixel to the nearest pixel of each region, by number."""
    numbers = np.unique(regions[regions > 0])
    return {int(k): np.hypot(*(np.argwhere(regions == k) - (row, column)).T).min() for k in numbers}


@pytest.mark.parametrize("seed", range(4))
def test_distances_and_numbers_equal_their_numpy_twin(seed):
    rng = np.random.default_rng(seed)
    regions = np.zeros((60, 80), np.int32)
    for region in (1, 2, 3):
        top, left = rng.integers(0, 45), rng.integers(0, 60)
        regions[top : top + rng.integers(3, 20), left : left + rng.integers(3, 25)] = region
    row, column = rng.integers(0, 60, 200), rng.integers(0, 80, 200)
    distance, number = OutlineDistance.of(regions).signed_distance(row, column)
    for i in range(200):
        expected = signed_distance_in_numpy(regions, row[i], column[i])
        assert distance[i] == pytest.approx(expected)
        to_regions = distances_to_regions(regions, row[i], column[i])
        assert to_regions[int(number[i])] == min(to_regions.values())


def test_without_regions_the_distance_is_minus_infinity():
    outlines = OutlineDistance.of(np.zeros((9, 9), np.int32))
    distance, number = outlines.signed_distance(np.array([3]), np.array([4]))
    assert (distance[0], number[0]) == (-np.inf, 0)


def test_a_region_that_fills_the_image_has_no_outline_in_it():
    outlines = OutlineDistance.of(np.ones((9, 12), np.int32))
    distance, number = outlines.signed_distance(np.array([3]), np.array([4]))
    assert distance[0] > 20
    assert number[0] == 1


def test_the_first_of_the_nearest_pixels_is_found_in_parts_of_any_size(monkeypatch):
    rng = np.random.default_rng(5)
    pixels = PixelSet.of(rng.random((40, 50)) < 0.05, (7, 3), (60, 60))
    positions = rng.integers(0, 60, (70, 2))
    squared = ((positions[:, None] - pixels.positions) ** 2).sum(axis=2)
    for most in (1, 1000, 1_000_000):
        monkeypatch.setattr(outline_distance, "MOST_PAIRS", most)
        distance, nearest = pixels.nearest(positions)
        np.testing.assert_array_equal(nearest, pixels.positions[squared.argmin(axis=1)])
        np.testing.assert_array_equal(distance, np.sqrt(squared.min(axis=1)))
