import cv2
import numpy as np
import pytest
from scipy import ndimage

from usmicro.kernels import clumps as kernels

EIGHT = np.ones((3, 3))
THRESHOLDS = np.array([170, 150, 140, 130, 120], np.int32)
LEAST, LARGEST = 5, 20


def scene(seed: int, shape: tuple[int, int] = (70, 90)) -> tuple[np.ndarray, np.ndarray]:
    """Smooth noise as grey levels, and a mask that leaves out a corner."""
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    image = np.clip(128 + 150 * cv2.GaussianBlur(noise, (0, 0), 2.0), 0, 255).astype(np.uint8)
    usable = np.ones(shape, bool)
    usable[:15, :20] = False
    return image, usable


def found_in(image: np.ndarray, usable: np.ndarray, capacity: int = 1000) -> np.ndarray:
    found = np.empty((capacity, 8), np.int32)
    count = kernels.components_by_level(image, usable, THRESHOLDS, LEAST, LARGEST, found)
    return found[:count]


def masks_in_numpy(image: np.ndarray, usable: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Index of the threshold and mask of each component; equal ones only once."""
    masks: list[tuple[int, np.ndarray]] = []
    before: list[np.ndarray] = []
    for k, threshold in enumerate(THRESHOLDS):
        labels, count = ndimage.label((image >= threshold) & usable, structure=EIGHT)
        now = [labels == number for number in range(1, count + 1)]
        for mask in now:
            rows, columns = np.nonzero(mask)
            fits = rows.size >= LEAST and max(np.ptp(rows), np.ptp(columns)) < LARGEST
            if fits and not any(np.array_equal(mask, other) for other in before):
                masks.append((k, mask))
        before = now
    return masks


def component(image: np.ndarray, usable: np.ndarray, row: np.ndarray) -> np.ndarray:
    out = np.empty(image.shape, np.uint8)
    threshold = int(THRESHOLDS[row[0]])
    kernels.component_mask(image, usable, threshold, int(row[1]), 0, 0, out)
    return out > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_components_equal_their_numpy_twin(seed):
    image, usable = scene(seed)
    found, expected = found_in(image, usable), masks_in_numpy(image, usable)
    assert len(found) == len(expected) > 10
    masks = [component(image, usable, row) for row in found]
    for k, mask in expected:
        (index,) = [i for i in range(len(found)) if found[i, 0] == k and (masks[i] == mask).all()]
        rows, columns = np.nonzero(mask)
        box = [rows.size, columns.min(), rows.min(), columns.max(), rows.max()]
        assert found[index, 2:7].tolist() == box


@pytest.mark.parametrize("seed", [1, 2])
def test_the_container_of_a_component_is_the_next_larger_listed_one(seed):
    image, usable = scene(seed)
    found = found_in(image, usable)
    masks = [component(image, usable, row) for row in found]
    nested = 0
    for i, row in enumerate(found):
        larger = [j for j in range(i + 1, len(found)) if (masks[j] & masks[i]).any()]
        assert row[7] == (larger[0] if larger else -1)
        nested += row[7] >= 0
    assert nested > 5


def test_no_more_components_are_listed_than_there_is_room_for():
    image, usable = scene(1)
    assert len(found_in(image, usable, capacity=7)) == 7


@pytest.mark.parametrize("seed", [1, 2])
def test_measures_equal_their_numpy_twin(seed):
    image, usable = scene(seed)
    found = found_in(image, usable)
    inner, outer = 2.0, 6.0
    out = np.empty((len(found), 13), np.float32)
    kernels.measure_components(image, usable, THRESHOLDS, found, inner, outer, out)
    for row, measured in zip(found, out, strict=True):
        mask = component(image, usable, row)
        padded = np.pad(mask, 20)
        chamfer = chamfer_in_numpy(padded)
        ring = (chamfer >= 3 * inner) & (chamfer <= 3 * outer) & ~padded
        in_image = ring[20:-20, 20:-20]
        around, within = image[in_image & usable], image[mask]
        for k, share in enumerate((0.25, 0.5, 0.75)):
            assert measured[k] == quantile_in_numpy(within, share)
            assert measured[3 + k] == quantile_in_numpy(around, share)
        assert measured[6] == quantile_in_numpy(around, 0.9)
        assert measured[7] == pytest.approx(around.size / ring.sum())
        rows, columns = np.nonzero(mask)
        np.testing.assert_allclose(measured[8:10], [columns.mean(), rows.mean()], rtol=1e-5)
        moments = np.cov(np.stack([columns, rows]), bias=True) + np.eye(2) / 12
        expected = [moments[0, 0], moments[1, 1], moments[0, 1]]
        np.testing.assert_allclose(measured[10:], expected, atol=1e-3, rtol=1e-4)


def quantile_in_numpy(values: np.ndarray, share: float) -> int:
    return int(np.sort(values)[max(int(np.ceil(share * values.size)) - 1, 0)])


def chamfer_in_numpy(mask: np.ndarray) -> np.ndarray:
    """Shortest path to the mask with steps of 3 (straight) and 4 (diagonal)."""
    distance = np.where(mask, 0, 10**6)
    while True:
        padded = np.pad(distance, 1, constant_values=10**6)
        rows, columns = distance.shape
        best = distance.copy()
        for dr in (-1, 0, 1):
            for dc in (-1, 0, 1):
                step = 4 if dr and dc else 3
                shifted = padded[1 + dr : 1 + dr + rows, 1 + dc : 1 + dc + columns] + step
                best = np.minimum(best, shifted)
        if (best == distance).all():
            return distance
        distance = best
