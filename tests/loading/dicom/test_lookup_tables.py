import numpy as np
import pytest
from pydicom.pixels import apply_color_lut

from tests.helpers.jpeg_streams import grey_screen
from tests.loading.conftest import frames_of
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.loading.dicom.lookup_tables import LookupTable

GREY = grey_screen()
COLOURS = np.stack([np.arange(256), 255 - np.arange(256), np.arange(256) * 7 % 256])
NAMES = ("Red", "Green", "Blue")
SYNTAXES = [f"1.2.840.10008.1.2{ending}" for ending in ("", ".1", ".2", ".1.99")]


def with_palette(scan, tables, *, first=0, bits=16, entry="<u2", segmented=False):
    """Add a palette of three tables to a data set."""
    for name, table in zip(NAMES, tables, strict=True):
        count = len(COLOURS[0]) if segmented else len(table)
        descriptor = [count % 65536, first, bits]
        setattr(scan, f"{name}PaletteColorLookupTableDescriptor", descriptor)
        prefix = "Segmented" if segmented else ""
        data = np.asarray(table).astype(entry).tobytes()
        setattr(scan, f"{prefix}{name}PaletteColorLookupTableData", data)
    return scan


@pytest.fixture
def palette_file(tmp_path, dataset):
    def write(pixels, tables, *, attributes=None, **options):
        scan = dataset(pixels, PhotometricInterpretation="PALETTE COLOR", **(attributes or {}))
        path = tmp_path / "palette.dcm"
        with_palette(scan, tables, **options).save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize(("bits", "width", "factor"), [(8, 1, 1), (8, 2, 1), (16, 2, 257)])
def test_palette_in_all_uncompressed_syntaxes(palette_file, uid, bits, width, factor):
    entry = f"{'>' if uid == SYNTAXES[2] else '<'}u{width}"
    path = palette_file(
        GREY[None], COLOURS * factor, bits=bits, entry=entry, attributes={"syntax": uid}
    )
    np.testing.assert_array_equal(frames_of(path)[0], np.moveaxis(COLOURS, 0, -1)[GREY])
    assert not load(path).warnings


@pytest.mark.parametrize("first", [0, 40, 300])
def test_first_mapped_value(palette_file, first):
    indices = GREY.astype(np.uint16) + 200
    path = palette_file(indices[None], COLOURS * 257, first=first, attributes={"BitsStored": 12})
    expected = (np.moveaxis(COLOURS * 257, 0, -1))[np.clip(indices.astype(int) - first, 0, 255)]
    np.testing.assert_array_equal(frames_of(path)[0], expected)


def test_indices_may_be_signed_if_the_palette_is(palette_file):
    indices = (GREY.astype(int) - 128).astype(np.int8)
    expected = np.moveaxis(COLOURS, 0, -1)[GREY]
    path = palette_file(indices[None], COLOURS * 257, first=-128)
    np.testing.assert_array_equal(frames_of(path)[0], expected)
    path = palette_file(GREY[None], COLOURS * 257, attributes={"PixelRepresentation": 1})
    np.testing.assert_array_equal(frames_of(path)[0], expected)


def test_palette_of_8_bit_entries_for_more_than_256_indices(palette_file):
    indices = GREY.astype(np.uint16) * 3
    table = np.arange(1024) // 4
    path = palette_file(
        indices[None], [table] * 3, bits=8, entry="u1", attributes={"BitsStored": 10}
    )
    np.testing.assert_array_equal(frames_of(path)[0, ..., 1], table[indices])


def test_dark_frames_are_read_like_bright_ones(palette_file):
    """A palette of 16 bits whose dark entries need only 8."""
    frames = np.stack([np.zeros_like(GREY), GREY])
    ramp = np.round(np.linspace(0, 65535, 256) ** 2 / 65535)
    path = palette_file(frames, [ramp] * 3)
    decoded = frames_of(path)
    np.testing.assert_array_equal(decoded[1, ..., 0], (ramp.astype(int) >> 8)[GREY])
    assert not decoded[0].any()


SEGMENTS = [
    *(0, 2, 0, 257),  # two entries
    *(1, 98, 99 * 257),  # 98 entries that rise
    *(2, 1, 8, 0),  # once more the segment at byte 8: 98 entries back to the same value
    *(1, 58, 50 * 257),  # 58 entries that fall
]


def test_segmented_palette_equals_that_of_pydicom(palette_file):
    plain = [*SEGMENTS[:7], 1, 156, 50 * 257]
    path = palette_file(GREY[None], [plain] * 3, segmented=True)
    from pydicom import dcmread

    dataset = dcmread(path)
    expected = apply_color_lut(dataset.pixel_array, dataset) >> 8
    np.testing.assert_array_equal(frames_of(path)[0], expected)


def test_indirect_segment_repeats_an_earlier_one(palette_file):
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    path = palette_file(ramp, [SEGMENTS] * 3, segmented=True)
    levels = frames_of(path)[0, ..., 0].ravel()
    np.testing.assert_array_equal(levels[:100], np.arange(100))
    assert (levels[100:198] == 99).all()  # from 99 to 99
    assert levels[255] == 50


def test_damaged_palettes_are_refused(palette_file, write_dicom):
    with pytest.raises(ScanError, match="palette"):
        load(write_dicom(GREY[None], PhotometricInterpretation="PALETTE COLOR"))
    for segments in ([7, 1, 0], [1, 5, 3], [2, 1, 0, 0], [0, 0]):
        with pytest.raises(ScanError, match="palette"):
            load(palette_file(GREY[None], [segments] * 3, segmented=True))


def test_values_outside_a_table_get_its_ends():
    table = LookupTable(-2, np.array([5, 6, 7, 8], np.uint16))
    assert table(np.array([-9, -2, -1.4, 1, 30])).tolist() == [5, 5, 6, 8, 8]
