import cv2
import numpy as np
import pytest

from usmicro.kernels.masks import connect_runs
from usmicro.preparation.connected_parts import ConnectedParts


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("shape", [(60, 90), (1, 9), (12, 1)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_parts_equal_those_of_opencv(shape, share, corners):
    random = np.random.default_rng(6)
    mask, marked = random.random(shape) < share, random.random(shape) < 0.3
    found = ConnectedParts.of(mask, marked, corners=corners)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=8 if corners else 4
    )
    # both number the parts in their own order
    numbers = [
        int(labels[mask & found.drawn(np.arange(count - 1) == n)][0]) for n in range(count - 1)
    ]
    assert sorted(numbers) == list(range(1, count))
    left, top, width, height, area = statistics[numbers].T
    np.testing.assert_array_equal(found.area, area)
    np.testing.assert_array_equal(
        found.box, np.column_stack([left, top, left + width, top + height])
    )
    np.testing.assert_array_equal(
        found.marked, np.bincount(labels[marked], minlength=count)[numbers]
    )
    pixels = np.array([0, *numbers])[found.numbers() + 1]
    np.testing.assert_array_equal(pixels, labels[mask])
    some = np.flatnonzero(mask & marked)
    np.testing.assert_array_equal(
        np.array([0, *numbers])[found.numbers_at(some) + 1], labels.ravel()[some]
    )
    for number in range(count - 1):
        np.testing.assert_array_equal(
            found.pixels_of(number), np.nonzero(labels == numbers[number])
        )
    chosen = random.random(count - 1) < 0.5
    np.testing.assert_array_equal(
        found.drawn(chosen), np.isin(labels, np.array(numbers, int)[chosen])
    )


def test_parts_that_meet_far_below_are_one():
    mask = np.zeros((40, 41), dtype=np.uint8)
    mask[:-1, ::2] = mask[-1] = 1
    assert ConnectedParts.of(mask).area.tolist() == [21 * 39 + 41]
    assert ConnectedParts.of(mask[:-1]).area.tolist() == [39] * 21


def test_runs_are_numbered_by_their_parts():
    # row, first column, column after the last, marked pixels
    runs = np.array([[0, 0, 2, 1], [0, 4, 6, 0], [1, 2, 4, 2], [3, 0, 1, 0]], np.int32)
    runs = np.column_stack([runs, np.full(4, -1)]).astype(np.int32)
    measures = np.empty((4, 6), np.int32)
    assert connect_runs(runs, 1, measures) == 2
    assert runs[:, 4].tolist() == [0, 0, 0, 1]
    assert measures[:2].tolist() == [[6, 3, 0, 0, 6, 2], [1, 0, 0, 3, 1, 4]]
    assert connect_runs(runs, 0, measures) == 4
