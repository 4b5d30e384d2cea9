import numpy as np
import pytest
from scipy import ndimage

from usmicro.kernels import focus_patches as kernels


def smooth_image(seed: int, shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return 50 * ndimage.gaussian_filter(noise, 1.5)


def float_array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def beams(*degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Components x and y of unit vectors that are turned from +y towards +x."""
    angle = np.radians(degrees)
    return np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)


def patches(image, x, y, beam, step: float, size: int = 8) -> np.ndarray:
    out = np.full((len(x), size, size), np.nan, np.float32)
    kernels.beam_patches(image, x, y, beam[0], beam[1], step, out)
    return out


def patches_in_numpy(image, x, y, beam, step: float, size: int) -> np.ndarray:
    offset = step * (np.arange(size) - (size - 1) / 2)
    along, across = offset[:, np.newaxis], offset
    places = [
        [y[i] + along * beam[1][i] - across * beam[0][i] for i in range(len(x))],
        [x[i] + along * beam[0][i] + across * beam[1][i] for i in range(len(x))],
    ]
    return ndimage.map_coordinates(image, places, order=1, mode="nearest")


@pytest.mark.parametrize(("size", "step"), [(8, 1.0), (24, 0.7), (5, 2.3)])
def test_beam_patches_equal_their_numpy_twin(size, step):
    image, rng = smooth_image(1), np.random.default_rng(1)
    x, y = (rng.uniform(0, most, 30).astype(np.float32) for most in (79, 59))
    beam = beams(*rng.uniform(-60, 60, 30))
    expected = patches_in_numpy(image, x, y, beam, step, size)
    np.testing.assert_allclose(patches(image, x, y, beam, step, size), expected, atol=2e-3)


def test_an_upright_patch_with_steps_of_a_pixel_is_a_part_of_the_image():
    image = smooth_image(2)
    (patch,) = patches(image, float_array(20.5), float_array(30.5), beams(0), 1.0)
    np.testing.assert_array_equal(patch, image[27:35, 17:25])


@pytest.mark.parametrize("degrees", [0, 25, -40, 90, 180])
def test_a_ramp_along_the_beam_changes_along_the_rows_alone(degrees):
    rows, columns = np.indices((60, 80))
    beam = beams(degrees)
    ramp = (3 * (columns * beam[0] + rows * beam[1])).astype(np.float32)
    (patch,) = patches(ramp, float_array(40), float_array(30), beam, 1.5)
    np.testing.assert_allclose(np.diff(patch, axis=0), 3 * 1.5, atol=1e-3)
    np.testing.assert_allclose(np.diff(patch, axis=1), 0, atol=1e-3)


def test_a_turned_image_with_a_turned_beam_gives_the_same_patches():
    image, degrees = smooth_image(3), np.array([0, 20, -35])
    x, y = float_array(30, 41.5, 2), float_array(20, 33.25, 57)
    # counterclockwise, so that +x becomes -y and +y becomes +x
    turned = np.ascontiguousarray(np.rot90(image))
    turned_x, turned_y = y, np.float32(image.shape[1] - 1) - x
    np.testing.assert_allclose(
        patches(turned, turned_x, turned_y, beams(*(degrees + 90)), 1.3),
        patches(image, x, y, beams(*degrees), 1.3),
        atol=2e-3,
    )


def test_patches_of_a_constant_image_are_constant_even_beyond_its_edge():
    image = np.full((20, 30), 7, np.float32)
    x, y = float_array(0, 29, -5, 15, 100), float_array(0, 19, 5, 10, -100)
    beam = beams(0, 45, -45, 90, 10)
    np.testing.assert_array_equal(patches(image, x, y, beam, 2.7), 7)


def test_beyond_the_edge_a_patch_continues_the_values_of_the_edge():
    image, margin = smooth_image(4, (20, 30)), 25
    wide = np.pad(image, margin, mode="edge")
    x, y, beam = float_array(0, 29, 0, 29), float_array(0, 0, 19, 19), beams(0, 30, -30, 75)
    np.testing.assert_allclose(
        patches(image, x, y, beam, 2.0), patches(wide, x + margin, y + margin, beam, 2.0), atol=1e-3
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_patches_of_an_image_of_one_row_or_column_stay_inside(shape):
    image = smooth_image(5, shape)
    patch = patches(image, float_array(0), float_array(0), beams(30), 1.0)
    assert image.min() <= patch.min() <= patch.max() <= image.max()


def steps(image, x, y, radius) -> np.ndarray:
    out = np.full((len(x), 2), np.nan, np.float32)
    kernels.largest_steps(image, x, y, radius, out)
    return out


def largest_steps_in_numpy(image, x: float, y: float, radius: float) -> list[float]:
    row, column, reach = int(y + 0.5), int(x + 0.5), int(radius + 0.5)
    box = image[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return [np.abs(np.diff(box, axis=axis)).max(initial=0) for axis in (1, 0)]


def test_largest_steps_equal_their_numpy_twin():
    image, rng = smooth_image(6), np.random.default_rng(6)
    x, y, radius = (rng.uniform(0, most, 200).astype(np.float32) for most in (79, 59, 6))
    x[:4], y[:4] = (0, 79, 0, 79), (0, 0, 59, 59)
    expected = [largest_steps_in_numpy(image, *place) for place in zip(x, y, radius, strict=True)]
    np.testing.assert_array_equal(steps(image, x, y, radius), expected)
    assert len(np.unique(expected)) > 100


def test_a_constant_image_and_a_single_pixel_have_no_steps():
    x, y = float_array(0, 12, 29), float_array(0, 9, 19)
    constant = np.full((20, 30), 80, np.float32)
    np.testing.assert_array_equal(steps(constant, x, y, float_array(3, 3, 3)), 0)
    np.testing.assert_array_equal(steps(smooth_image(7), x, y, float_array(0, 0.4, 0)), 0)


def test_the_transposed_image_has_the_steps_exchanged():
    image = smooth_image(8)
    x, y, radius = float_array(0, 40, 12), float_array(59, 30, 5), float_array(2, 4, 3)
    turned = np.ascontiguousarray(image.T)
    np.testing.assert_array_equal(steps(turned, y, x, radius), steps(image, x, y, radius)[:, ::-1])


def test_a_step_counts_only_within_the_radius():
    image = np.zeros((40, 40), np.float32)
    image[:, 26:] = -90  # the step lies between columns 25 and 26
    across = [steps(image, float_array(20), float_array(20), float_array(r))[0] for r in (5, 6)]
    np.testing.assert_array_equal(across, [[0, 0], [90, 0]])
