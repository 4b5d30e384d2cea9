import tracemalloc
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import convert_color_space
from pydicom.sequence import Sequence

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.settings import LoadingSettings

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"
KEEP = LoadingSettings(keep_truncated=True)


def frames_of(path, **options):
    """Return all frames of a file as one array."""
    return np.stack(list(load(path, **options).frames()))


def test_header_and_frames_of_a_colour_cine(write_dicom, cine):
    scan = load(write_dicom(cine))
    assert (scan.name, scan.rows, scan.columns, scan.declared_frames) == ("scan.dcm", 48, 64, 8)
    assert scan.notes == ()
    assert scan.decoder.startswith("pydicom")
    assert "Explicit VR Little Endian" in scan.decoder
    assert scan.spacing.source == "none"
    np.testing.assert_array_equal(np.stack(list(scan.frames())), cine)
    np.testing.assert_array_equal(next(scan.frames()), cine[0])  # a second time, from the start


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
            if (
                name == "big" and pixels.dtype == np.uint8 and pixels.ndim == 3
            ):  # bytes within big-endian words
                data = np.frombuffer(
                    pixels.tobytes() + b"\0" * (pixels.size % 2), np.uint16
                ).byteswap()
                scan["PixelData"].VR, scan["PixelData"].value = "OW", data.tobytes()
            else:
                scan["PixelData"].value = stored.tobytes()
            path = tmp_path / f"{name}.dcm"
            scan.save_as(path, enforce_file_format=True)
            decoded[name] = frames_of(path)
        np.testing.assert_array_equal(decoded["implicit"], decoded["explicit"])
        np.testing.assert_array_equal(decoded["big"], decoded["explicit"])


def test_deflated_file_is_read_unless_it_is_too_large(write_dicom, cine):
    path = write_dicom(cine, name="deflated.dcm", syntax="1.2.840.10008.1.2.1.99")
    np.testing.assert_array_equal(frames_of(path), cine)
    zeros = np.zeros((8, 1024, 1024), np.uint8)
    path = write_dicom(zeros, name="bomb.dcm", syntax="1.2.840.10008.1.2.1.99")
    with pytest.raises(ScanError, match="inflates to more than 1 MB"):
        load(path, settings=LoadingSettings(largest_inflated=1))


def test_file_without_preamble_is_read(tmp_path, dataset, grey):
    path = tmp_path / "IM0001"
    dataset(grey).save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(frames_of(path), grey)


def test_data_set_without_file_meta_gets_a_note_on_its_encoding(tmp_path, dataset, grey):
    path = tmp_path / "bare.dcm"
    bare = dataset(grey)
    del bare.file_meta
    bare.save_as(path, implicit_vr=True, little_endian=True)
    scan = load(path)
    np.testing.assert_array_equal(np.stack(list(scan.frames())), grey)
    assert any("transfer syntax" in note for note in scan.notes)


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
    np.testing.assert_array_equal(
        frames_of(write_dicom(stored))[:, 0, 0], np.rint(np.array([500, 4000]) * 65535 / 4095)
    )


def test_signed_values_keep_their_order(write_dicom):
    stored = np.linspace(-900, 1000, 900).round().astype(np.int16).reshape(1, 30, 30)
    decoded = frames_of(write_dicom(stored))
    assert decoded.dtype == np.uint16
    assert decoded[0, 0, 0] == 0
    assert (np.diff(decoded.ravel().astype(int)) >= 0).all()


def test_window_is_applied_to_12_bit_pixels_but_not_to_8_bit_pixels(write_dicom, grey):
    stored = np.linspace(0, 4095, 900).round().astype(np.uint16).reshape(1, 30, 30)
    decoded = frames_of(
        write_dicom(
            stored,
            BitsStored=12,
            WindowCenter=1000,
            WindowWidth=1000,
            RescaleSlope=1,
            RescaleIntercept=0,
        )
    )
    assert (decoded[stored <= 499] == 0).all()
    assert (decoded[stored >= 1500] == 65535).all()
    path = write_dicom(grey, WindowCenter=60, WindowWidth=80)
    np.testing.assert_array_equal(frames_of(path), grey)
    assert any("window" in note for note in load(path).notes)


def palette(dataset, pixels, tables, bit_depth):
    """Return a palette image with red, green and blue tables."""
    indices = dataset(pixels, PhotometricInterpretation="PALETTE COLOR")
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(
            indices, f"{name}PaletteColorLookupTableDescriptor", [len(table) % 65536, 0, bit_depth]
        )
        setattr(
            indices,
            f"{name}PaletteColorLookupTableData",
            table.astype(np.uint8 if bit_depth == 8 else np.uint16).tobytes(),
        )
    return indices


@pytest.mark.parametrize(("bit_depth", "factor"), [(8, 1), (16, 257), (16, 256), (16, 1)])
def test_palettes_of_8_and_16_bits_give_the_same_colours(
    tmp_path, dataset, grey, bit_depth, factor
):
    tables = [np.arange(256), 255 - np.arange(256), np.arange(256) * 7 % 256]
    path = tmp_path / "palette.dcm"
    palette(dataset, grey, [table * factor for table in tables], bit_depth).save_as(
        path, enforce_file_format=True
    )
    np.testing.assert_array_equal(frames_of(path), np.stack(tables, axis=-1)[grey].astype(np.uint8))


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


@pytest.mark.parametrize("missing", [1, 3])
def test_truncated_native_cine_is_refused_unless_truncated_files_are_kept(
    write_dicom, cine, missing
):
    path = write_dicom(cine, cut=missing * cine[0].size - 100)
    scan, decoded = load(path), []
    with pytest.raises(
        ScanError,
        match=rf"{8 - missing} of 8 frames could be read; the file is truncated.*keep_truncated",
    ):
        decoded.extend(scan.frames())
    np.testing.assert_array_equal(np.stack(decoded), cine[: 8 - missing])
    kept = load(path, settings=KEEP)
    np.testing.assert_array_equal(np.stack(list(kept.frames())), cine[: 8 - missing])
    assert kept.declared_frames == 8
    assert kept.notes == (f"{8 - missing} of 8 frames could be read; the file is truncated",)


@pytest.mark.parametrize("settings", [LoadingSettings(), KEEP])
def test_truncated_single_frame_is_always_refused(write_dicom, grey, settings):
    with pytest.raises(ScanError, match="0 of 1 frames could be read; the file is truncated"):
        load(write_dicom(grey, cut=10), settings=settings)


def test_frames_beyond_the_declared_number_are_not_read(write_dicom, cine):
    scan = load(write_dicom(cine, NumberOfFrames=5))
    np.testing.assert_array_equal(np.stack(list(scan.frames())), cine[:5])
    assert any("the file has 8 frames" in note for note in scan.notes)


def test_frames_are_read_one_at_a_time(write_dicom):
    pixels = np.zeros((60, 200, 200, 3), np.uint8)
    path = write_dicom(pixels)
    list(load(path).frames())  # imports the modules
    tracemalloc.start()
    for _frame in load(path).frames():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * pixels[0].nbytes


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"},
            "CT Image Storage, modality CT",
        ),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2", "Modality": "MG"}, "modality MG"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "MG"}, "modality MG"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "8 or 16 bits per pixel, found 32"),
        ({"Rows": 0}, "0 rows"),
        ({"Rows": 20000, "Columns": 20000}, "largest_image"),
        (
            {"NumberOfFrames": None, "PhotometricInterpretation": None},
            "lacks photometric interpretation",
        ),
        ({"BitsStored": 40}, "cannot be"),
        ({"PhotometricInterpretation": "CMYK"}, "CMYK"),
    ],
)
def test_error_says_why_a_file_is_not_an_ultrasound_image(write_dicom, grey, attributes, message):
    path = write_dicom(grey, **attributes)
    with pytest.raises(ScanError, match=message) as failure:
        list(load(path).frames())
    assert str(failure.value).startswith(str(path))


def test_secondary_capture_is_read_with_a_note(write_dicom, grey):
    scan = load(write_dicom(grey, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT"))
    assert any("assumed to be ultrasound" in note for note in scan.notes)


def test_spacing_of_an_enhanced_volume_comes_from_its_functional_groups(write_dicom, cine):
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = [0.2, 0.1]
    group.PixelMeasuresSequence = Sequence([measures])
    volume = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.2",
        "SharedFunctionalGroupsSequence": Sequence([group]),
    }
    scan = load(write_dicom(cine, **volume))
    assert (scan.spacing.x_mm, scan.spacing.y_mm, scan.spacing.source) == (
        0.1,
        0.2,
        "pixel spacing",
    )
    assert any("volume" in note for note in scan.notes)


def test_file_without_pixels_is_refused(tmp_path, dataset, grey):
    path = tmp_path / "empty.dcm"
    without = dataset(grey)
    del without.PixelData
    without.save_as(path, enforce_file_format=True)
    with pytest.raises(ScanError, match="no pixels"):
        load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just some text\n" * 30,
        b"\0" * 400,
        bytes(range(256)) * 3,
        b"\0" * 128 + b"DICM",
        b"\0" * 128 + b"DICM" + b"\xff" * 200,
    ],
)
def test_other_content_in_a_dcm_file_gives_a_scan_error(tmp_path, content):
    path = tmp_path / "fake.dcm"
    path.write_bytes(content)
    with pytest.raises(ScanError, match=r"fake\.dcm"):
        load(path)


def test_file_truncated_in_the_header_gives_a_scan_error(write_dicom, grey, region):
    path = write_dicom(grey, SequenceOfUltrasoundRegions=[region()])
    whole = path.read_bytes()
    for length in range(0, len(whole) - grey.size, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ScanError):
            list(load(path).frames())


def test_damaged_header_gives_a_scan_error_or_a_scan(write_dicom, grey, region):
    path = write_dicom(grey, SequenceOfUltrasoundRegions=[region()])
    whole = path.read_bytes()
    header = len(whole) - grey.size
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(132, header, 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            shape = next(load(path).frames()).shape
        except ScanError:
            continue
        assert len(shape) in (2, 3)


def test_deep_nesting_gives_a_scan_error_or_a_note(tmp_path, dataset, grey):
    inner = Dataset()
    for _ in range(150):  # pydicom's writer fails beyond
        outer = Dataset()
        outer.SequenceOfUltrasoundRegions = Sequence([inner])
        inner = outer
    nested = dataset(grey)
    nested.SequenceOfUltrasoundRegions = Sequence([inner])
    path = tmp_path / "nested.dcm"
    nested.save_as(path, enforce_file_format=True)
    scan = load(path)
    assert scan.regions == ()
    assert scan.notes
    bottomless = b"\x18\x00\x11\x60SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 20000
    path.write_bytes(path.read_bytes()[:132] + path.read_bytes()[132:300] + bottomless)
    with pytest.raises(ScanError):
        load(path)


def test_nothing_is_written_to_the_terminal(write_dicom, grey, capfd, recwarn):
    odd = [
        {"SpecificCharacterSet": "ISO-IR 100"},
        {"PixelSpacing": ["nan", "0"]},
        {"WindowCenter": "nan"},
        {"NumberOfFrames": 0},
    ]
    paths = [write_dicom(grey, name=f"{i}.dcm", **attributes) for i, attributes in enumerate(odd)]
    recwarn.clear()
    for path in paths:
        assert len(list(load(path).frames())) == 1
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_scan_keeps_no_patient_data(write_dicom, grey):
    scan = load(
        write_dicom(grey, PatientName="Doe^Jane", PatientID="4711", PatientBirthDate="19700101")
    )
    assert "Doe" not in repr(vars(scan)) + repr(scan.read)


ULTRASOUND = (
    "examples_jpeg2k",
    "examples_palette",
    "examples_rgb_color",
    "examples_ybr_color",
    "ExplVR_BigEnd",
)
INSTALLED = [
    path for name in ULTRASOUND if (path := TEST_FILES / f"{name}.dcm").exists()
]  # these files differ between versions of pydicom


@pytest.mark.parametrize("path", INSTALLED, ids=lambda path: path.name)
def test_ultrasound_files_of_pydicom_are_read(path):
    scan = load(path)
    decoded = list(scan.frames())
    assert len(decoded) == scan.declared_frames
    assert all(
        frame.shape == (scan.rows, scan.columns, 3) and frame.dtype == np.uint8 for frame in decoded
    )


@pytest.mark.slow
def test_uncompressed_and_jpeg_cines_have_similar_pixels(data_folder):
    raw, jpeg = (
        frames_of(data_folder / "ultrasound-dicom" / f"colour-cine-{kind}.dcm")
        for kind in ("rgb", "jpeg")
    )
    assert raw.shape == jpeg.shape == (8, 240, 320, 3)
    assert np.median(np.abs(raw.astype(int) - jpeg)) <= 4
    power = [
        next(load(data_folder / "ultrasound-dicom" / f"power-doppler-{kind}.dcm").frames())
        for kind in ("rgb", "rle")
    ]
    np.testing.assert_array_equal(*power)
