"""One rule says which axes of an array are frames, rows, columns and colours."""

import io

import numpy as np
import pydicom
import pytest

from usmicro.errors import ImageError
from usmicro.model.array_layout import layout_of, pixel_array


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_images_and_cines_are_told_apart_by_shape(channels):
    image, cine = layout_of((40, 50, *channels)), layout_of((7, 40, 50, *channels))
    assert (image.frames, image.rows, image.columns, image.is_cine) == (1, 40, 50, False)
    assert (cine.frames, cine.rows, cine.columns, cine.is_cine) == (7, 40, 50, True)
    assert image.has_alpha == cine.has_alpha == (channels == (4,))


@pytest.mark.parametrize("length", [3, 4])
def test_channels_first_or_a_short_cine_is_ambiguous(length):
    with pytest.raises(ImageError, match=rf"grey cine of {length} frames, or .*moveaxis"):
        layout_of((length, 40, 50))
    assert layout_of((length, 40, 50), cine=True).frames == length


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((), "found an array of the shape"),
        ((5,), "reshape it"),
        ((2, 3, 40, 50), r"np.moveaxis\(array, 1, -1\)"),
        ((2, 7, 40, 50), "reshape it"),
        ((2, 2, 40, 50, 3), "reshape it"),
        ((0, 50), "which is empty"),
        ((0, 40, 50), "which is empty"),
        ((485, 600, 2), "frames would be 2 columns wide"),
    ],
)
def test_other_shapes_are_refused_with_what_to_do(shape, words):
    with pytest.raises(ImageError, match=words):
        layout_of(shape)


class Tensor:
    """What a tensor of another library is to NumPy."""

    def __array__(self, dtype=None, copy=None):
        return np.arange(12.0).reshape(3, 4)


class TensorOnAnotherDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("copy it to the host first")


def test_lists_and_tensors_become_arrays():
    np.testing.assert_array_equal(pixel_array(Tensor()), np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(pixel_array([[1, 2], [3, 4]]), [[1, 2], [3, 4]])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "CMYK", "1", "I;16", "YCbCr"])
def test_pillow_images_have_the_pixels_that_they_show(mode):
    from PIL import Image

    grey = np.random.default_rng(1).integers(0, 256, (20, 30), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    array = pixel_array(image)
    assert array.ndim == 2 or array.shape[2] in (3, 4)
    expected = np.asarray(image if mode == "I;16" else image.convert("RGB").convert("L"), float)
    levels = array.astype(float) if array.ndim == 2 else array[..., :3].mean(axis=2)
    scale = 255 if mode == "1" else 1
    np.testing.assert_allclose(levels * scale, expected, atol=4)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "found NoneType"),
        (object(), "found object"),
        ({"image": 1}, "found dict"),
        ([[1, 2], [3]], "found list, which is no array"),
        ([np.zeros((9, 9)), np.zeros((9, 9))], r"a list of 2 arrays; .* np.stack\(frames\)"),
        (b"bytes", "found bytes, which is no array; pass the path of the file"),
        (io.BytesIO(), "found BytesIO, which is no array; pass the path of the file"),
        (iter([]), r"which is no array; .* np.stack\(list\(frames\)\)"),
        (np.ndarray, "found type, which is no array"),
        (7, "found int, which is no array"),
        (pydicom.Dataset(), "found Dataset .* pass the path of the file"),
        (np.ma.masked_equal(np.eye(9), 1), r"masked pixels; fill them: array.filled\(0\)"),
        (np.zeros((9, 9), complex), "take its magnitude first"),
        (np.array([[None, 1]]), "type object"),
        (np.array([["a"]]), "found ndarray with values of the type <U1"),
        (TensorOnAnotherDevice(), "copy it to the host first"),
    ],
)
def test_what_is_no_array_is_refused_with_its_type(source, words):
    with pytest.raises(ImageError, match=words):
        pixel_array(source)
