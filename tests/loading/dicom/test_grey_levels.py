import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing, pixel_array

from tests.helpers.jpeg_streams import grey_screen
from tests.loading.conftest import frames_of
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.model.warnings import WarningCode

GREY = grey_screen()
DEEP = np.round(GREY.astype(float) * 16.05).astype(np.uint16)
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


def lut(values, *, first=0, bits=16, order="<", representation="OW"):
    """Return an item of a look-up table sequence."""
    item = Dataset()
    item.LUTDescriptor = [len(values) % 65536, first, bits]
    data: list[int] | bytes = [int(value) for value in values]
    if representation == "OW":
        data = np.array(data).astype(f"{order}u2").tobytes()
    item.add_new("LUTData", representation, data)
    return item


def remarks(path):
    """Return the notes and the codes of the warnings of a file."""
    scan = load(path)
    return " ".join(scan.notes), [warning.code for warning in scan.warnings]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", [1, 2])
def test_windows_are_applied_as_by_pydicom(write_dicom, function, slope):
    path = write_dicom(
        DEEP[None],
        BitsStored=12,
        WindowCenter=[1000 * slope - 5, 3],
        WindowWidth=[1500 * slope, 8],
        RescaleSlope=slope,
        RescaleIntercept=-5,
        VOILUTFunction=function,
    )
    dataset = dcmread(path)
    expected = apply_windowing(apply_modality_lut(pixel_array(dataset), dataset), dataset)
    ends = np.array([-5, 4095 * slope - 5])
    frame = frames_of(path)[0]
    np.testing.assert_allclose(frame / 65535, (expected - ends[0]) / (ends[1] - ends[0]), atol=1e-3)
    notes, warnings = remarks(path)
    assert "the first of 2 windows" in notes
    assert ("sigmoid" in notes) == (function == "SIGMOID")
    assert not warnings


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("kinds", [("Modality",), ("VOI",), ("Modality", "VOI")])
def test_modality_and_voi_tables_are_applied_in_turn(tmp_path, dataset, uid, bits, kinds):
    screen = GREY if bits == 8 else DEEP
    order = ">" if uid == BIG_ENDIAN else "<"
    curves = {
        "Modality": np.round(4095 * (np.arange(1 << bits) / ((1 << bits) - 1)) ** 0.5),
        "VOI": np.round(np.linspace(0, 255, 3000)),
    }
    items = {
        "Modality": lut(curves["Modality"], order=order),
        "VOI": lut(curves["VOI"], first=50, bits=8, order=order),
    }
    scan = dataset(
        screen[None],
        syntax=uid,
        BitsStored=bits,
        **{f"{kind}LUTSequence": [items[kind]] for kind in kinds},
    )
    if order == ">" and bits == 12:
        scan.PixelData = DEEP.byteswap().tobytes()
    path = tmp_path / "scan.dcm"
    scan.save_as(path, enforce_file_format=True)
    expected, top = screen.astype(int), 4095
    if "Modality" in kinds:
        expected = curves["Modality"][expected].astype(int)
    if "VOI" in kinds:
        expected, top = curves["VOI"][np.clip(expected - 50, 0, 2999)], 255
    frame = frames_of(path)[0]
    np.testing.assert_allclose(frame / np.iinfo(frame.dtype).max, expected / top, atol=1e-4)
    notes, _ = remarks(path)
    assert ("modality" in notes) == ("Modality" in kinds)
    assert ("VOI" in notes) == ("VOI" in kinds)


def test_voi_table_equals_that_of_pydicom(write_dicom):
    for representation in ("OW", "US"):
        table = lut(np.arange(4096) * 16, representation=representation)
        path = write_dicom(DEEP[None], BitsStored=12, VOILUTSequence=[table])
        dataset = dcmread(path)
        expected = apply_voi_lut(pixel_array(dataset), dataset)  # wrong for entries of 8 bits
        np.testing.assert_allclose(frames_of(path)[0] * (65520 / 65535), expected, atol=1)


def test_damaged_table_is_refused(write_dicom):
    table = lut(range(10))
    table.LUTDescriptor = [300, 0, 16]
    with pytest.raises(ScanError, match="its descriptor says 300"):
        load(write_dicom(GREY[None], ModalityLUTSequence=[table]))
    with pytest.raises(ScanError, match="lacks"):
        load(write_dicom(GREY[None], VOILUTSequence=[Dataset()]))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE"])
@pytest.mark.parametrize("slope", [1, -1])
def test_inversions_are_applied_once(write_dicom, photometric, shape, slope):
    """MONOCHROME1 and INVERSE say the same; a falling rescale slope inverts again."""
    inverted = (photometric == "MONOCHROME1" or shape == "INVERSE") != (slope < 0)
    path = write_dicom(
        (255 - GREY if inverted else GREY)[None],
        PhotometricInterpretation=photometric,
        PresentationLUTShape=shape,
        RescaleSlope=slope,
        RescaleIntercept=0 if slope > 0 else 255,
    )
    np.testing.assert_array_equal(frames_of(path)[0], GREY)
    assert not remarks(path)[1]


def test_inversion_that_makes_the_screen_white_gives_a_warning(write_dicom):
    for attributes in (
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
    ):
        path = write_dicom(GREY[None], **attributes)
        np.testing.assert_array_equal(frames_of(path)[0], 255 - GREY)
        assert remarks(path)[1] == [WarningCode.GREY_LEVELS]


@pytest.mark.parametrize("window", [(-500, 100), (60000, 100000)])
def test_window_that_does_not_fit_the_pixels_gives_a_warning(write_dicom, window):
    path = write_dicom(DEEP[None], BitsStored=12, WindowCenter=window[0], WindowWidth=window[1])
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]


def test_signed_8_bit_pixels_get_no_note_about_windows_or_16_bits(write_dicom):
    signed = (GREY.astype(int) - 128).astype(np.int8)
    path = write_dicom(signed[None], WindowCenter=0, WindowWidth=256)
    np.testing.assert_array_equal(frames_of(path)[0], GREY)
    assert remarks(path) == ("", [])


def test_what_is_not_applied_is_named(write_dicom):
    path = write_dicom(GREY[None], PresentationLUTSequence=[lut(range(256))])
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]
    path = write_dicom(
        GREY[None],
        PixelPresentation="COLOR",
        RedPaletteColorLookupTableDescriptor=[56, 200, 16],
    )
    assert "200" in str(load(path).warnings[0])
    path = write_dicom(
        DEEP[None], BitsStored=12, WindowCenter=2048, WindowWidth=4096, VOILUTFunction="CUBIC"
    )
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]


def test_text_in_place_of_a_number_is_refused(tmp_path, write_dicom):
    path = write_dicom(GREY[None], RescaleSlope="1", RescaleIntercept="0")
    data = path.read_bytes().replace(b"\x28\0\x53\x10DS\2\x001 ", b"\x28\0\x53\x10DS\2\0x ")
    path.write_bytes(data)
    with pytest.raises(ScanError, match="RescaleSlope"):
        list(load(path).frames())


def test_one_table_serves_all_frames(write_dicom):
    frames = np.stack([DEEP, DEEP // 32])
    decoded = frames_of(write_dicom(frames, BitsStored=16))
    np.testing.assert_allclose(decoded, frames * (65535 / 4095), atol=0.51)
    dark_first = frames_of(write_dicom(frames[::-1].copy(), BitsStored=12))
    np.testing.assert_array_equal(dark_first, decoded[::-1])


def test_window_of_an_enhanced_volume_is_in_its_shared_groups(write_dicom):
    window, transformation, group = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 1000.5, 2001
    transformation.RescaleSlope, transformation.RescaleIntercept = 2, 0
    group.FrameVOILUTSequence = [window]
    group.PixelValueTransformationSequence = [transformation]
    path = write_dicom(
        DEEP[None],
        BitsStored=12,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.6.2",
        SharedFunctionalGroupsSequence=[group],
    )
    expected = np.clip(DEEP * 2 / 2000, 0, 1)
    np.testing.assert_allclose(frames_of(path)[0] / 65535, expected, atol=1e-4)
    assert "from the window 0 to 1000" in remarks(path)[0]


VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"


def frame_group(centre, width, slope=1):
    """Return the functional groups of a frame: a window and a rescale slope."""
    window, transform, group = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = centre, width
    transform.RescaleSlope, transform.RescaleIntercept = slope, 0
    group.FrameVOILUTSequence = [window]
    group.PixelValueTransformationSequence = [transform]
    return group


def test_windows_that_all_frames_have_are_applied(write_dicom):
    path = write_dicom(
        np.stack([DEEP, DEEP]),
        BitsStored=12,
        SOPClassUID=VOLUME,
        PerFrameFunctionalGroupsSequence=[frame_group(1000.5, 2001, 2)] * 2,
    )
    expected = np.clip(DEEP * 2 / 2000, 0, 1)
    for frame in frames_of(path):
        np.testing.assert_allclose(frame / 65535, expected, atol=1e-4)
    notes, warnings = remarks(path)
    assert "from the window 0 to 1000" in notes
    assert not warnings


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize(
    ("second", "what"),
    [
        (frame_group(500, 2001), "windows"),
        (frame_group(1000.5, 2001, 3), "rescale slopes"),
        (Dataset(), "windows"),
    ],
)
def test_windows_that_differ_between_frames_have_a_warning(write_dicom, bits, second, what):
    screen = GREY if bits == 8 else DEEP
    path = write_dicom(
        np.stack([screen, screen]),
        BitsStored=bits,
        SOPClassUID=VOLUME,
        PerFrameFunctionalGroupsSequence=[frame_group(1000.5, 2001), second],
    )
    scan = load(path)
    text = f"the {what} that differ between frames are not applied"
    if bits == 8:
        assert text in scan.notes
        assert not scan.warnings
    else:
        assert text in [warning.text for warning in scan.warnings]
