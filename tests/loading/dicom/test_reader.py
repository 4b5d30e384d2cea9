import tracemalloc
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.loading.conftest import frames_of
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.settings import LoadingSettings

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"
KEEP = LoadingSettings(keep_truncated=True)


def test_header_and_frames_of_a_colour_cine(write_dicom, cine):
    scan = load(write_dicom(cine))
    assert (scan.name, scan.rows, scan.columns, scan.declared_frames) == ("scan.dcm", 48, 64, 8)
    assert scan.notes == ()
    assert scan.decoder.startswith("pydicom")
    assert "Explicit VR Little Endian" in scan.decoder
    assert scan.spacing.source == "none"
    np.testing.assert_array_equal(np.stack(list(scan.frames())), cine)
    np.testing.assert_array_equal(next(scan.frames()), cine[0])  # a second time, from the start


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


@pytest.mark.parametrize("missing", [1, 3])
def test_truncated_native_cine_is_refused_unless_truncated_files_are_kept(
    write_dicom, cine, missing
):
    path = write_dicom(cine, cut=missing * cine[0].size - 100)
    scan = load(path)
    decoded: list[np.ndarray] = []
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
