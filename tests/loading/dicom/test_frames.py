"""Frames beyond NumberOfFrames, and frames that do not show tissue."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragments
from pydicom.pixels import compress
from pydicom.sequence import Sequence

from tests.loading.conftest import frames_of
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.model.warnings import WarningCode
from usmicro.settings import LoadingSettings

JPEG = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"


@pytest.fixture
def smooth():
    """Four grey frames, all different, that JPEG changes little."""
    rows, columns = np.mgrid[:48, :64]
    return np.stack([rows * 2 + columns + 20 * i for i in range(4)]).astype(np.uint8)


@pytest.fixture
def write_jpegs(write_dicom, smooth):
    """Return a function that writes four JPEG frames, given how many the header declares."""

    def write(declared, *, data=None, cut=0, **options):
        path = write_dicom(smooth, syntax=JPEG, encoded=jpegs(smooth), **options)
        dataset = dcmread(path)
        dataset.NumberOfFrames = declared
        if data is not None:
            dataset.PixelData = data
        dataset.save_as(path)
        if cut:
            path.write_bytes(path.read_bytes()[:-cut])
        return path

    return write


def jpegs(frames):
    """Return each frame as a JPEG stream of even length."""
    encoded = []
    for frame in frames:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=95)
        encoded.append(stream.getvalue() + b"\0" * (len(stream.getvalue()) % 2))
    return encoded


def assert_all_are_read(path, frames, *, declared, tolerance=4):
    """Check that a file gives all frames, and a note unless it declares them."""
    scan = load(path)
    read = np.stack(list(scan.frames()))
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).max() <= tolerance
    assert scan.declared_frames == len(frames)
    note = f"the file has {len(frames)} frames, but the header declares {declared}; all are read"
    assert (note in scan.notes) == (declared != len(frames))
    assert scan.warnings == ()


@pytest.mark.parametrize("declared", [1, 2, 3, 4])
@pytest.mark.parametrize("table", [True, False])
def test_jpeg_frames_beyond_the_declared_number_are_read(write_jpegs, smooth, declared, table):
    assert_all_are_read(write_jpegs(declared, table=table), smooth, declared=declared)


@pytest.mark.parametrize("declared", [1, 2, 4])
def test_offset_table_of_one_entry_does_not_hide_frames(write_jpegs, smooth, declared):
    body = encapsulate(jpegs(smooth), has_bot=False)[8:]
    table = b"\xfe\xff\x00\xe0\x04\x00\x00\x00" + b"\0\0\0\0"
    assert_all_are_read(write_jpegs(declared, data=table + body), smooth, declared=declared)


@pytest.mark.parametrize("declared", [1, 3, 4])
def test_extended_offset_table_may_have_more_entries_than_declared(write_jpegs, smooth, declared):
    data, offsets, lengths = encapsulate_extended(jpegs(smooth))
    path = write_jpegs(
        declared, data=data, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths
    )
    assert_all_are_read(path, smooth, declared=declared)


def test_wrong_extended_offset_table_is_ignored(write_jpegs, smooth):
    data, offsets, lengths = encapsulate_extended(jpegs(smooth))
    shifted = (np.frombuffer(offsets, "<u8") + 2).tobytes()
    path = write_jpegs(
        4, data=data, ExtendedOffsetTable=shifted, ExtendedOffsetTableLengths=lengths
    )
    assert_all_are_read(path, smooth, declared=4)


@pytest.mark.parametrize("declared", [1, 4])
def test_streams_in_one_fragment_are_frames(write_jpegs, smooth, declared):
    data = encapsulate([b"".join(jpegs(smooth))], has_bot=False)
    assert_all_are_read(write_jpegs(declared, data=data), smooth, declared=declared)


@pytest.mark.parametrize("declared", [1, 2, 4])
def test_frames_in_several_fragments_stay_whole(write_jpegs, smooth, declared):
    data = encapsulate(jpegs(smooth), fragments_per_frame=3, has_bot=False)
    assert_all_are_read(write_jpegs(declared, data=data), smooth, declared=declared)


def test_one_frame_in_several_fragments_is_one_frame(write_jpegs, smooth):
    data = encapsulate(jpegs(smooth[:1]), fragments_per_frame=4, has_bot=False)
    assert_all_are_read(write_jpegs(1, data=data), smooth[:1], declared=1)


@pytest.mark.parametrize("declared", [1, 2, 3])
def test_rle_frames_beyond_the_declared_number_are_read(write_dicom, cine, declared):
    path = write_dicom(cine)
    dataset = dcmread(path)
    compress(dataset, RLE)
    dataset.NumberOfFrames = declared
    dataset.save_as(path)
    assert_all_are_read(path, cine, declared=declared, tolerance=0)
    fragments = list(generate_fragments(dataset.PixelData))[1:]
    without_table = encapsulate(fragments, has_bot=False)
    one_entry = b"\xfe\xff\x00\xe0\x04\x00\x00\x00" + b"\0\0\0\0" + without_table[8:]
    for data in (without_table, one_entry):
        dataset.PixelData = data
        dataset.save_as(path)
        assert_all_are_read(path, cine, declared=declared, tolerance=0)


@pytest.mark.parametrize("declared", [1, 5])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
def test_native_frames_beyond_the_declared_number_are_read(write_dicom, cine, declared, syntax):
    path = write_dicom(cine, NumberOfFrames=declared, syntax=syntax)
    assert_all_are_read(path, cine, declared=declared, tolerance=0)


def test_native_data_that_is_longer_by_no_whole_frame_gives_a_warning(write_dicom, cine):
    path = write_dicom(cine, NumberOfFrames=2, Rows=46)
    scan = load(path)
    assert len(list(scan.frames())) == scan.declared_frames == 2
    (warning,) = scan.warnings
    assert warning.code == WarningCode.FRAMES_NOT_READ
    assert "longer than the 2 declared frames" in warning.text


def test_padding_of_native_data_is_no_frame(write_dicom):
    pixels = np.arange(35 * 3, dtype=np.uint8).reshape(3, 5, 7)
    dataset_path = write_dicom(pixels)  # 105 bytes and one of padding
    scan = load(dataset_path)
    np.testing.assert_array_equal(np.stack(list(scan.frames())), pixels)
    assert scan.notes == scan.warnings == ()


def test_subsampled_native_frames_beyond_the_declared_number_are_read(write_dicom):
    frames = np.full((4, 48, 32), 100, np.uint8)
    frames[..., 2::4] = frames[..., 3::4] = 128  # luminance, luminance, blue, red chrominance
    path = write_dicom(
        frames,
        Columns=16,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="YBR_FULL_422",
        NumberOfFrames=1,
    )
    read = frames_of(path)
    assert read.shape == (4, 48, 16, 3)
    assert (read == 100).all()


def test_truncated_file_with_more_frames_than_declared_is_refused(write_jpegs, smooth):
    length = len(jpegs(smooth)[-1])
    path = write_jpegs(1, cut=length // 2, table=False)
    scan = load(path)
    with pytest.raises(ScanError, match="3 of 4 frames could be read; the file is truncated"):
        list(scan.frames())
    kept = load(path, settings=LoadingSettings(keep_truncated=True))
    assert len(list(kept.frames())) == 3


def test_more_frames_than_allowed_are_refused(write_jpegs):
    with pytest.raises(ScanError, match="most_frames"):
        load(write_jpegs(1), settings=LoadingSettings(most_frames=3))


def group(data_type, *, nested=True):
    """Return a functional group with a data type."""
    item, image, group = Dataset(), Dataset(), Dataset()
    item.DataType = data_type
    image.ImageDataTypeSequence = Sequence([item])
    if nested:
        group.USImageDescriptionSequence = Sequence([image])
    else:
        group.ImageDataTypeSequence = Sequence([item])
    return group


@pytest.mark.parametrize("nested", [True, False])
def test_only_tissue_frames_of_a_volume_are_read(write_dicom, cine, nested):
    types = ["TISSUE_INTENSITY", "FLOW_VELOCITY"] * 3 + ["FLOW_POWER", "TISSUE_INTENSITY"]
    groups = Sequence([group(one, nested=nested) for one in types])
    scan = load(write_dicom(cine, SOPClassUID=VOLUME, PerFrameFunctionalGroupsSequence=groups))
    np.testing.assert_array_equal(np.stack(list(scan.frames())), cine[[0, 2, 4, 7]])
    assert scan.declared_frames == 4
    found = (
        "4 of 8 frames show tissue and are read; the others are flow velocity (3), flow power (1)"
    )
    assert any(found in note for note in scan.notes)


def test_volume_of_tissue_or_without_data_types_is_read_whole(write_dicom, cine):
    for groups in (Sequence([group("TISSUE_INTENSITY")]), Sequence([Dataset()])):
        path = write_dicom(cine, SOPClassUID=VOLUME, SharedFunctionalGroupsSequence=groups)
        assert len(list(load(path).frames())) == 8


def test_volume_without_tissue_is_refused(write_dicom, cine):
    groups = Sequence([group("ELASTICITY")])
    path = write_dicom(cine, SOPClassUID=VOLUME, SharedFunctionalGroupsSequence=groups)
    with pytest.raises(ScanError, match=r"found only elasticity \(8\)"):
        load(path)


def test_data_type_that_is_not_of_the_standard_is_not_repeated(write_dicom, cine):
    groups = Sequence([group("TISSUE_INTENSITY")] * 7 + [group("DOE_JANE")])
    scan = load(write_dicom(cine, SOPClassUID=VOLUME, PerFrameFunctionalGroupsSequence=groups))
    assert any("the others are another type (1)" in note for note in scan.notes)
    assert not any("DOE" in note for note in scan.notes)


@pytest.mark.parametrize("colour_first", [False, True])
def test_grey_and_colour_frames_are_not_mixed(write_jpegs, smooth, colour_first):
    frames = jpegs(smooth)
    colour = io.BytesIO()
    Image.fromarray(smooth[0]).convert("RGB").save(colour, "JPEG")
    frames[0 if colour_first else 2] = colour.getvalue()
    path = write_jpegs(4, data=encapsulate(frames))
    with pytest.raises(ScanError, match=r"components, expected .* as in the first frame"):
        frames_of(path)
