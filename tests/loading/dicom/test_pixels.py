import numpy as np
import pytest
from pydicom.pixels import convert_color_space

from tests.loading.conftest import frames_of
from usmicro.loading import load


def test_monochrome1_is_the_inverse_of_monochrome2(write_dicom, grey):
    straight = frames_of(write_dicom(grey))
    inverted = frames_of(write_dicom(255 - grey, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(straight, grey)
    np.testing.assert_array_equal(inverted, grey)


def test_colour_by_plane_reads_like_colour_by_pixel(write_dicom, cine):
    planes = np.ascontiguousarray(np.moveaxis(cine, -1, 1))
    path = write_dicom(
        planes,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=1,
        Rows=48,
        Columns=64,
    )
    np.testing.assert_array_equal(frames_of(path), cine)


def test_implicit_and_big_endian_read_like_explicit(tmp_path, dataset, cine, grey):
    for pixels in (
        cine,
        grey,
        np.arange(2 * 15, dtype=np.uint8).reshape(2, 3, 5),
        np.arange(300, dtype=np.uint16).reshape(1, 15, 20),
    ):
        decoded = {}
        for name, syntax in (
            ("explicit", "1.2.840.10008.1.2.1"),
            ("implicit", "1.2.840.10008.1.2"),
            ("big", "1.2.840.10008.1.2.2"),
        ):
            scan = dataset(pixels, syntax=syntax)
            stored = pixels.byteswap() if name == "big" else pixels
            if name == "big" and pixels.dtype == np.uint8 and pixels.ndim == 3:
                padded = pixels.tobytes() + b"\0" * (pixels.size % 2)
                words = np.frombuffer(padded, np.uint16).byteswap()  # 8-bit pixels in 16-bit words
                scan["PixelData"].VR, scan["PixelData"].value = "OW", words.tobytes()
            else:
                scan["PixelData"].value = stored.tobytes()
            path = tmp_path / f"{name}.dcm"
            scan.save_as(path, enforce_file_format=True)
            decoded[name] = frames_of(path)
        np.testing.assert_array_equal(decoded["implicit"], decoded["explicit"])
        np.testing.assert_array_equal(decoded["big"], decoded["explicit"])


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_grey_of_more_than_8_bits_is_rescaled_to_16_bits(write_dicom, bits):
    top = 2**bits - 1
    stored = np.linspace(0, top, 60 * 50).round().astype(np.uint16).reshape(1, 60, 50)
    decoded = frames_of(write_dicom(stored, BitsStored=bits))
    assert decoded.dtype == np.uint16
    np.testing.assert_allclose(decoded, stored * (65535 / top), atol=0.51)
    assert load(write_dicom(stored, BitsStored=bits)).notes


def test_8_bit_values_stored_in_16_bits_become_8_bits(write_dicom, grey):
    decoded = frames_of(write_dicom(grey.astype(np.uint16), BitsStored=16))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, grey)


def test_all_frames_are_rescaled_alike(write_dicom):
    stored = np.zeros((2, 30, 30), np.uint16)
    stored[0], stored[1] = 500, 4000
    levels = frames_of(write_dicom(stored))[:, 0, 0]
    np.testing.assert_array_equal(levels, np.rint(np.array([500, 4000]) * 65535 / 4095))


def test_signed_values_keep_their_order(write_dicom):
    stored = np.linspace(-900, 1000, 900).round().astype(np.int16).reshape(1, 30, 30)
    decoded = frames_of(write_dicom(stored))
    assert decoded.dtype == np.uint16
    assert decoded[0, 0, 0] == 0
    assert (np.diff(decoded.ravel().astype(int)) >= 0).all()


def test_window_is_applied_to_12_bit_pixels_but_not_to_8_bit_pixels(write_dicom, grey):
    stored = np.linspace(0, 4095, 900).round().astype(np.uint16).reshape(1, 30, 30)
    window = {"WindowCenter": 1000, "WindowWidth": 1000, "RescaleSlope": 1, "RescaleIntercept": 0}
    decoded = frames_of(write_dicom(stored, BitsStored=12, **window))
    assert (decoded[stored <= 499] == 0).all()
    assert (decoded[stored >= 1500] == 65535).all()
    path = write_dicom(grey, WindowCenter=60, WindowWidth=80)
    np.testing.assert_array_equal(frames_of(path), grey)
    assert any("window" in note for note in load(path).notes)


def palette(dataset, pixels, tables, bit_depth):
    """Return a palette image with red, green and blue tables."""
    indices = dataset(pixels, PhotometricInterpretation="PALETTE COLOR")
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        descriptor = [len(table) % 65536, 0, bit_depth]
        setattr(indices, f"{name}PaletteColorLookupTableDescriptor", descriptor)
        setattr(indices, f"{name}PaletteColorLookupTableData", table.astype(dtype).tobytes())
    return indices


@pytest.mark.parametrize(("bit_depth", "factor"), [(8, 1), (16, 257), (16, 256), (16, 1)])
def test_palettes_of_8_and_16_bits_give_the_same_colours(
    tmp_path, dataset, grey, bit_depth, factor
):
    tables = [np.arange(256), 255 - np.arange(256), np.arange(256) * 7 % 256]
    path = tmp_path / "palette.dcm"
    indices = palette(dataset, grey, [table * factor for table in tables], bit_depth)
    indices.save_as(path, enforce_file_format=True)
    expected = np.stack(tables, axis=-1)[grey].astype(np.uint8)
    np.testing.assert_array_equal(frames_of(path), expected)


def test_segmented_palette_is_read(tmp_path, dataset, grey):
    path = tmp_path / "segmented.dcm"
    indices = dataset(grey, PhotometricInterpretation="PALETTE COLOR")
    # one entry of 0, then 255 entries that rise to the largest value
    ramp = np.array([0, 1, 0, 1, 255, 255 * 257], np.uint16)
    for name in ("Red", "Green", "Blue"):
        setattr(indices, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(indices, f"Segmented{name}PaletteColorLookupTableData", ramp.tobytes())
    indices.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(frames_of(path)[..., 0], grey)


def test_ybr_full_and_ybr_full_422_keep_the_colours(write_dicom, cine):
    ybr = convert_color_space(cine, "RGB", "YBR_FULL")
    decoded = frames_of(write_dicom(ybr, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(decoded.astype(int) - cine).max() <= 2
    pairs = ybr.reshape(8, 48, 32, 2, 3)
    subsampled = np.stack(
        [pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], axis=-1
    )
    path = write_dicom(
        subsampled.reshape(8, 48, 128),
        PhotometricInterpretation="YBR_FULL_422",
        SamplesPerPixel=3,
        Columns=64,
        PlanarConfiguration=0,
    )
    assert np.abs(frames_of(path)[:, :, ::2].astype(int) - cine[:, :, ::2]).max() <= 2
    wrongly_declared = load(write_dicom(ybr, PhotometricInterpretation="YBR_FULL_422"))
    assert np.abs(np.stack(list(wrongly_declared.frames())).astype(int) - cine).max() <= 2
    assert any("YBR_FULL_422" in note for note in wrongly_declared.notes)
