from base64 import b64decode

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import compress, pixel_array

from tests.helpers.jpeg_streams import (
    JFIF,
    adobe,
    colour_screen,
    grey_screen,
    jpeg,
    jpeg_2000,
    lossless_jpeg,
    ycbcr,
)
from tests.loading.conftest import frames_of
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.loading.dicom.colour import model_of_pixels
from usmicro.model.warnings import WarningCode

SCREEN = colour_screen()
YCBCR = ycbcr(SCREEN)
RGB_IDS = tuple(b"RGB")
TAGS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
ANY_COLOUR = np.random.default_rng(0).integers(0, 256, SCREEN.shape, dtype=np.uint8)
"""Pixels that are as plausible in any model."""


def syntax(number: int) -> str:
    return f"1.2.840.10008.1.2.4.{number}"


def jpeg_ls(components: np.ndarray, interleave: int = 2) -> bytes:
    module = pytest.importorskip("jpeg_ls")
    if interleave == 0:
        components = np.ascontiguousarray(np.moveaxis(components, -1, 0))
    return bytes(module.encode_array(components, interleave_mode=interleave))


STREAMS = {
    # how RGB or YCbCr is stored: transfer syntax, stream of the components
    "JPEG, JFIF": (50, lambda _, y: jpeg(y, before=JFIF)),
    "JPEG, JFIF, subsampled": (50, lambda _, y: jpeg(y, before=JFIF, subsampling=2)),
    "JPEG, subsampled, no marker": (50, lambda _, y: jpeg(y, subsampling=1)),
    "JPEG, Adobe 1": (50, lambda _, y: jpeg(y, before=adobe(1))),
    "JPEG, Adobe 1, subsampled": (50, lambda _, y: jpeg(y, before=adobe(1), subsampling=2)),
    "JPEG, JFIF and Adobe 1": (50, lambda _, y: jpeg(y, before=JFIF + adobe(1), subsampling=1)),
    "JPEG, Adobe 0": (50, lambda r, _: jpeg(r, before=adobe(0))),
    "JPEG, RGB ids": (50, lambda r, _: jpeg(r, ids=RGB_IDS)),
    "JPEG, RGB ids, Adobe 0": (51, lambda r, _: jpeg(r, ids=RGB_IDS, before=adobe(0))),
    "JPEG, RGB, ids 1 2 3": (50, lambda r, _: jpeg(r)),
    "JPEG, RGB, ids 0 1 2": (50, lambda r, _: jpeg(r, ids=(0, 1, 2))),
    "JPEG, YCbCr, ids 1 2 3": (50, lambda _, y: jpeg(y)),
    "lossless JPEG, RGB": (70, lambda r, _: lossless_jpeg(r)),
    "lossless JPEG, RGB, process 14": (57, lambda r, _: lossless_jpeg(r)),
    "lossless JPEG, RGB ids": (70, lambda r, _: lossless_jpeg(r, ids=RGB_IDS)),
    "lossless JPEG, YCbCr": (70, lambda _, y: lossless_jpeg(y)),
    "lossless JPEG, JFIF": (70, lambda _, y: lossless_jpeg(y, before=JFIF)),
    "JPEG-LS, RGB by plane": (80, lambda r, _: jpeg_ls(r, 0)),
    "JPEG-LS, RGB by line": (80, lambda r, _: jpeg_ls(r, 1)),
    "JPEG-LS, RGB by pixel": (81, lambda r, _: jpeg_ls(r, 2)),
    "JPEG-LS, YCbCr": (80, lambda _, y: jpeg_ls(y)),
    "JPEG 2000, RGB": (90, lambda r, _: jpeg_2000(r)),
    "JPEG 2000, RGB, transformed": (90, lambda r, _: jpeg_2000(r, transform=True)),
    "JPEG 2000, YCbCr": (91, lambda _, y: jpeg_2000(y)),
    "JP2, RGB": (90, lambda r, _: jpeg_2000(r, boxes=True)),
    "JP2, RGB, transformed": (91, lambda r, _: jpeg_2000(r, transform=True, boxes=True)),
}


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("tag", [*TAGS, "MONOCHROME2"])
@pytest.mark.parametrize("kind", STREAMS)
def test_compressed_screen_has_its_colours_whatever_the_header_says(write_dicom, kind, tag, planar):
    number, encode = STREAMS[kind]
    if number in (57, 70):
        pytest.importorskip("gdcm")
    scan = load(
        write_dicom(
            SCREEN[None],
            syntax=syntax(number),
            encoded=[encode(SCREEN, YCBCR)],
            PhotometricInterpretation=tag,
            PlanarConfiguration=planar,
        )
    )
    (frame,) = scan.frames()
    error = np.abs(frame.astype(int) - SCREEN)
    if number in (50, 51):
        assert error.mean() < 3
    else:
        assert error.max() <= (2 if "YCbCr" in kind or "JFIF" in kind else 0)
    assert not scan.warnings
    is_ycbcr = "YCbCr" in kind or "JFIF" in kind or "Adobe 1" in kind or "subsampled" in kind
    if is_ycbcr or not tag.startswith("YBR_") or tag.startswith("YBR_FULL"):
        assert bool(scan.notes) != (tag.startswith("YBR_FULL") if is_ycbcr else tag == "RGB")


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("stored", ["RGB", "YCbCr"])
def test_uncompressed_and_rle_screens_are_read_in_the_model_in_which_they_are_grey(
    write_dicom, stored, tag
):
    components = SCREEN if stored == "RGB" else YCBCR
    fits = {"RGB": ("RGB",), "YCbCr": ("YBR_FULL",)}[stored]
    for is_rle in (False, True):
        path = write_dicom(components[None], PhotometricInterpretation=tag)
        if is_rle:
            dataset = compressed(path, "1.2.840.10008.1.2.5")
            dataset.PhotometricInterpretation = tag
            dataset.save_as(path)
        scan = load(path)
        (frame,) = scan.frames()
        assert np.abs(frame.astype(int) - SCREEN).max() <= (0 if stored == "RGB" else 2)
        assert not scan.warnings
        assert bool(scan.notes) == (
            tag not in fits and not (is_rle and stored == "YCbCr" and tag == "YBR_FULL_422")
        )


def compressed(path, uid: str) -> Dataset:
    """Return the data set of a file, compressed."""
    from pydicom import dcmread

    dataset = dcmread(path)
    dataset.PhotometricInterpretation = (
        "RGB" if dataset.SamplesPerPixel == 3 else dataset.PhotometricInterpretation
    )
    compress(dataset, uid, generate_instance_uid=False)
    return dataset


NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")


@pytest.mark.parametrize("tag", ["RGB", "YBR_FULL", "MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("uid", [*NATIVE, "1.2.840.10008.1.2.5"])
@pytest.mark.parametrize("planar", [0, 1])
def test_plain_files_read_as_by_pydicom(write_dicom, uid, tag, planar):
    pixels = grey_screen()[None] if tag.startswith("MONO") else SCREEN[None]
    pixels = 255 - pixels if tag == "MONOCHROME1" else pixels
    pixels = ycbcr(SCREEN)[None] if tag == "YBR_FULL" else pixels
    is_native, is_colour = uid in NATIVE, pixels.ndim == 4
    stored = np.moveaxis(pixels, -1, 1) if planar and is_native and is_colour else pixels
    options = {"PhotometricInterpretation": tag, "Rows": 96, "Columns": 128}
    if is_colour:
        options |= {"SamplesPerPixel": 3, "PlanarConfiguration": planar if is_native else 0}
    path = write_dicom(
        np.ascontiguousarray(stored), syntax=uid if is_native else NATIVE[1], **options
    )
    if not is_native:
        dataset = compressed(path, uid)
        dataset.PhotometricInterpretation = tag
        if is_colour:
            dataset.PlanarConfiguration = planar
        dataset.save_as(path)
    expected = pixel_array(path) if uid != NATIVE[2] else pixels[0]
    if uid == NATIVE[2] and tag == "YBR_FULL":
        expected = SCREEN
    if tag == "MONOCHROME1":
        expected = 255 - expected
    scan = load(path)
    (frame,) = scan.frames()
    assert np.abs(frame.astype(int) - expected).max() <= (2 if tag == "YBR_FULL" else 0)
    assert scan.notes == scan.warnings == ()


def undecided(path) -> bool:
    """Return True if the only remark on a file is a warning that its colour is undecided."""
    scan = load(path)
    return [w.code for w in scan.warnings] == [WarningCode.COLOUR_UNDECIDED] and not scan.notes


def test_coloured_pixels_follow_the_stream_then_the_header(write_dicom):
    """No pixel is grey, so the pixels do not decide."""
    assert model_of_pixels(ANY_COLOUR) is None

    def path(number, stream, tag):
        return write_dicom(
            ANY_COLOUR[None],
            syntax=syntax(number),
            encoded=[stream],
            PhotometricInterpretation=tag,
        )

    def is_raw(path):
        return np.abs(frames_of(path)[0].astype(int) - ANY_COLOUR).mean() < 3

    for before, tag, raw, is_noted in (
        (JFIF, "YBR_FULL_422", False, False),
        (JFIF, "RGB", False, True),
        (adobe(1), "RGB", False, True),
        (adobe(0), "YBR_FULL_422", True, True),
        (b"", "YBR_FULL", False, False),
    ):
        file = path(50, jpeg(ANY_COLOUR, before=before), tag)
        scan = load(file)
        assert is_raw(file) == raw
        assert not scan.warnings
        assert bool(scan.notes) == is_noted
    without_marker = path(50, jpeg(ANY_COLOUR), "RGB")
    assert is_raw(without_marker)
    assert undecided(without_marker)
    assert undecided(path(50, jpeg(ANY_COLOUR, before=JFIF + adobe(0)), "RGB"))
    assert undecided(path(90, jpeg_2000(ANY_COLOUR), "YBR_RCT"))
    assert not load(path(90, jpeg_2000(ANY_COLOUR), "RGB")).warnings
    assert not load(path(90, jpeg_2000(ANY_COLOUR, transform=True), "YBR_RCT")).notes


def test_stream_and_header_that_both_contradict_the_pixels_give_a_warning(write_dicom):
    stream = jpeg(SCREEN, before=JFIF)
    path = write_dicom(
        SCREEN[None],
        syntax=syntax(50),
        encoded=[stream],
        PhotometricInterpretation="YBR_FULL_422",
    )
    assert np.abs(frames_of(path)[0].astype(int) - SCREEN).mean() < 3
    assert undecided(path)


def test_frames_of_one_file_may_store_their_colours_differently(write_dicom):
    frames = np.stack([colour_screen(seed) for seed in range(3)])
    encoded = [
        jpeg(ycbcr(frames[0]), before=JFIF),
        jpeg(frames[1], ids=RGB_IDS),
        jpeg(ycbcr(frames[2]), before=adobe(1), subsampling=2),
    ]
    path = write_dicom(
        frames, syntax=syntax(50), encoded=encoded, PhotometricInterpretation="YBR_FULL_422"
    )
    assert np.abs(frames_of(path).astype(int) - frames).mean() < 3


def test_another_kind_of_stream_than_the_transfer_syntax_says_is_decoded(write_dicom):
    for number, stream in ((90, jpeg(SCREEN, ids=RGB_IDS)), (50, jpeg_2000(SCREEN))):
        path = write_dicom(SCREEN[None], syntax=syntax(number), encoded=[stream])
        assert np.abs(frames_of(path)[0].astype(int) - SCREEN).mean() < 3
        assert any("transfer syntax" in note for note in load(path).notes)


def test_number_of_components_comes_from_the_stream(write_dicom):
    grey = grey_screen()
    path = write_dicom(SCREEN[None], syntax=syntax(50), encoded=[jpeg(grey, before=JFIF)])
    assert np.abs(frames_of(path)[0].astype(int) - grey).mean() < 3
    assert any("1" in note and "component" in note for note in load(path).notes)
    path = write_dicom(grey[None], syntax=syntax(50), encoded=[jpeg(YCBCR, before=JFIF)])
    assert np.abs(frames_of(path)[0].astype(int) - SCREEN).mean() < 3


@pytest.mark.parametrize("model", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", [0, 1])
def test_order_of_components_comes_from_the_pixels(write_dicom, planar, dtype, model):
    """The header says by pixel where they are by plane, and the reverse."""
    if model == "YBR_FULL" and dtype == np.uint16:
        pytest.skip("not read")
    frames = np.stack([colour_screen(seed) for seed in range(2)])
    pixels = np.stack([ycbcr(frame) for frame in frames]) if model == "YBR_FULL" else frames
    pixels = pixels.astype(dtype) * (257 if dtype == np.uint16 else 1)
    stored = pixels if planar else np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
    path = write_dicom(
        stored,
        SamplesPerPixel=3,
        PhotometricInterpretation=model,
        PlanarConfiguration=planar,
        Rows=96,
        Columns=128,
    )
    expected = frames.astype(dtype) * (257 if dtype == np.uint16 else 1)
    assert np.abs(frames_of(path).astype(int) - expected).max() <= (2 if model != "RGB" else 0)
    assert any("stored by p" in note for note in load(path).notes)
    assert not load(path).warnings


def test_order_of_components_is_found_where_words_of_16_bits_differ_much(write_dicom):
    rng = np.random.default_rng(0)
    screen = rng.integers(0, 2000, (96, 128), dtype=np.uint16)
    screen[np.arange(96) // 3 % 2 == 0] += 63536  # by pixel, white and black rows would alternate
    screen[:, 64:] = rng.integers(0, 30000, (96, 64))
    path = write_dicom(
        np.stack([screen] * 3)[None],
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        Rows=96,
        Columns=128,
    )
    np.testing.assert_array_equal(frames_of(path)[0], np.stack([screen] * 3, axis=-1))


def test_blank_first_frame_does_not_decide(write_dicom):
    frames = np.stack([np.zeros_like(SCREEN), SCREEN])
    stored = np.stack([np.zeros_like(SCREEN), YCBCR])
    decoded = frames_of(write_dicom(stored, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(decoded[1].astype(int) - SCREEN).max() <= 2
    decoded = frames_of(write_dicom(frames, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_array_equal(decoded, frames)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("tag", ["RGB", "YBR_FULL"])
def test_rgb_in_words_of_16_bits(write_dicom, bits, tag):
    pixels = (SCREEN.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    path = write_dicom(pixels[None], BitsStored=bits, PhotometricInterpretation=tag)
    frame = frames_of(path)[0]
    assert frame.dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_allclose(frame / np.iinfo(frame.dtype).max, SCREEN / 255, atol=3e-4)


def test_rightly_declared_order_is_kept(write_dicom):
    for pixels in (SCREEN, ANY_COLOUR, np.full_like(SCREEN, 7), SCREEN[:1], SCREEN[28:31, 30:33]):
        scan = load(write_dicom(pixels[None]))
        np.testing.assert_array_equal(next(scan.frames()), pixels)
        assert scan.notes == ()


HTJ2K = """
/0//UQAvQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAADBwEBBwEBBwEB/1AACAACAAAAA/9SAAwAAgABAQIE
BEAB/1wACiBQWFhYUFBQ/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAXsAAf+TwBbA9yYiklvmFq5fFuqyS9Po
/QBwhwhA1zgAwBOA8O2k0P51AMAVwKaVloMSE8VGRBwCt9cAwAtKAFpwAtDO2WiEKrxQiHSy4QBippCbdwCuAB96QZ2BnZgX
NPwAUL2kCHcAHvHbqLQZdMhJ4AxZ0lM2AMAKmAE8AKikBP6AkeD/dgCQI4BpTnUAyfFGfx231gDACugBXQArwNp0avFop8UA
5BB6t9cAemp1CLoSLfERFAK31gDqTd0WIZMh/ABRB+S31wDAFtQBbMAWkCztknx8lsp0DvwAQvqX44zmU+BfDJ0PY9ABpH18
a6lMgpVO/EASjpJB5aOWzjtIBL/fAPaGD8UAABvBAKXAVC4APcPeAMAVUAVMAVJQj/WAJKGdI0gAKC72AEpFBLcA4fIARvD5
3lgAwBaMAWjAFcA0kx6l79DyYX8jwZxPjvhbADTpzVD60vIDMdOD4oI/eFsA1DRR8gAQNwgeEO4QWwD/2Q==
"""
"""A screen of 16 x 16 pixels in High-Throughput JPEG 2000, in base 64. OpenJPH wrote it with a
component transform; no package that usmicro installs writes this format."""


@pytest.mark.parametrize("number", [201, 202, 203])
@pytest.mark.parametrize("tag", ["RGB", "YBR_RCT", "YBR_FULL"])
def test_high_throughput_jpeg_2000_is_read(write_dicom, number, tag):
    pytest.importorskip("openjpeg")
    rows, columns = np.mgrid[:16, :16]
    screen = np.zeros((16, 16, 3), np.uint8)
    screen[4:12, 4:12] = ((rows + columns) * 6)[4:12, 4:12, None]
    screen[8:12, 8:12] = (200, 30, 20)
    path = write_dicom(
        screen[None],
        syntax=syntax(number),
        encoded=[b64decode(HTJ2K)],
        PhotometricInterpretation=tag,
    )
    np.testing.assert_array_equal(frames_of(path)[0], screen)
    assert bool(load(path).notes) == (tag == "YBR_FULL")


@pytest.mark.parametrize("tag", ["YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "CMYK", "ARGB"])
def test_other_photometric_interpretations_are_refused_by_name(write_dicom, tag):
    with pytest.raises(ScanError, match=f"{tag} is not read; convert"):
        load(write_dicom(SCREEN[None], PhotometricInterpretation=tag))


def test_luminance_and_chrominance_of_16_bits_are_refused(write_dicom):
    pixels = YCBCR[None].astype(np.uint16) * 257
    with pytest.raises(ScanError, match="16 bits are not read"):
        load(write_dicom(pixels, PhotometricInterpretation="YBR_FULL"))


def test_colours_that_are_declared_as_signed_are_read_as_unsigned(write_dicom):
    path = write_dicom(SCREEN[None], PixelRepresentation=1)
    np.testing.assert_array_equal(frames_of(path)[0], SCREEN)
    assert any("signed" in note for note in load(path).notes)
