import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom.pixels import pixel_array

from tests.helpers.jpeg_streams import grey_screen, jpeg, lossless_jpeg
from tests.loading.conftest import frames_of
from usmicro.loading import load
from usmicro.loading.dicom.bit_layout import find_layout
from usmicro.model.warnings import WarningCode

GREY = grey_screen()
DEEP = np.round(GREY.astype(float) * 16.05).astype(np.uint16)
"""The screen in 12 bits, 0 to 4093."""
JPEG_LS, JPEG_2000, LOSSLESS, JPEG = (f"1.2.840.10008.1.2.4.{n}" for n in (80, 90, 70, 50))


def remarks(path):
    """Return the notes and the codes of the warnings of a file."""
    scan = load(path)
    return " ".join(scan.notes), [warning.code for warning in scan.warnings]


def assert_shows_deep(path):
    """Check that a file shows the 12-bit screen in 16 bits."""
    (frame,) = load(path).frames()
    assert frame.dtype == np.uint16
    np.testing.assert_allclose(frame, DEEP * (65535 / 4095), atol=0.51)


def test_unsigned_pixels_that_are_declared_as_signed_keep_their_brightness(write_dicom):
    for frames in (GREY, DEEP):
        bits = 8 if frames is GREY else 12
        path = write_dicom(frames[None], PixelRepresentation=1, BitsStored=bits)
        if frames is GREY:
            np.testing.assert_array_equal(frames_of(path)[0], GREY)
        else:
            assert_shows_deep(path)
        notes, warnings = remarks(path)
        assert "read as unsigned" in notes
        assert not warnings


def test_signed_pixels_whose_black_is_the_lowest_value(write_dicom):
    signed = (GREY.astype(int) - 128).astype(np.int8)
    path = write_dicom(signed[None])
    np.testing.assert_array_equal(frames_of(path)[0], GREY)
    assert remarks(path) == ("", [])
    assert_shows_deep(write_dicom((DEEP.astype(int) - 2048).astype(np.int16)[None], BitsStored=12))
    deep = ((GREY.astype(int) - 128) * 256).astype(np.int16)
    frame = frames_of(write_dicom(deep[None]))[0]
    np.testing.assert_array_equal(frame, GREY.astype(np.uint16) << 8)


def test_signed_pixels_around_zero_keep_their_order(write_dicom):
    signed = (GREY.astype(int) * 7 - 800).astype(np.int16)
    frame = frames_of(write_dicom(signed[None]))[0].astype(int)
    order = np.argsort(signed.ravel(), kind="stable")
    assert (np.diff(frame.ravel()[order]) >= 0).all()
    assert frame.min() == 0


def test_pixels_that_may_be_signed_or_not_get_a_warning(write_dicom):
    grey = np.full((1, 40, 40), 60, np.uint8)
    grey[0, :20] = 200
    path = write_dicom(grey, PixelRepresentation=1)
    np.testing.assert_array_equal(frames_of(path), grey)
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]


def test_values_at_the_top_of_the_word(write_dicom):
    path = write_dicom((DEEP << 4)[None], BitsStored=12, HighBit=15)
    assert_shows_deep(path)
    assert remarks(path) == ("12-bit pixels were rescaled to 16 bits", [])
    path = write_dicom((DEEP << 2)[None], BitsStored=12, HighBit=13)
    assert_shows_deep(path)
    path = write_dicom((GREY.astype(np.uint16) << 8)[None], BitsStored=8, HighBit=15)
    np.testing.assert_array_equal(frames_of(path)[0], GREY)


def test_values_at_the_bottom_of_the_word_although_the_header_says_top(write_dicom):
    path = write_dicom(DEEP[None], BitsStored=12, HighBit=15)
    assert_shows_deep(path)
    assert "lowest 12" in remarks(path)[0]


def test_values_at_the_top_of_the_word_although_the_header_says_bottom(write_dicom):
    path = write_dicom((DEEP << 4)[None], BitsStored=12, HighBit=11)
    frame = frames_of(path)[0]
    np.testing.assert_allclose(frame, DEEP.astype(float) * 16, atol=1)
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]


OVERLAY = np.zeros(DEEP.shape, np.uint16)
OVERLAY[20:40, 20:60:4] = OVERLAY[25, 20:60] = OVERLAY[70:90, 30:90] = 1


@pytest.mark.parametrize("bit", [12, 13, 15])
def test_overlay_above_the_values_is_ignored(write_dicom, bit):
    path = write_dicom((DEEP | OVERLAY << bit)[None], BitsStored=12)
    assert_shows_deep(path)
    assert "not used" in remarks(path)[0]
    assert not remarks(path)[1]


def test_overlay_below_the_values_is_ignored(write_dicom):
    path = write_dicom((DEEP << 4 | OVERLAY)[None], BitsStored=12, HighBit=15)
    assert_shows_deep(path)


@pytest.mark.parametrize("allocated", [8, 16])
def test_random_unused_bits_are_ignored(write_dicom, allocated):
    random = np.random.default_rng(1)
    if allocated == 16:
        above = random.integers(0, 256, GREY.shape).astype(np.uint16) << 8
        path = write_dicom((GREY | above)[None], BitsStored=8)
        np.testing.assert_array_equal(frames_of(path)[0], GREY)
    else:
        above = random.integers(0, 2, GREY.shape).astype(np.uint8) << 7
        path = write_dicom((GREY >> 1 | above)[None], BitsStored=7)
        np.testing.assert_allclose(frames_of(path)[0], GREY, atol=2)
    assert "not used" in remarks(path)[0]


@pytest.mark.parametrize("stored", [8, 10, 11])
def test_values_that_need_more_bits_than_declared_do_not_wrap(write_dicom, stored):
    path = write_dicom(DEEP[None], BitsStored=stored)
    assert_shows_deep(path)
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]
    bright = DEEP.copy()
    bright[50:53, 60:63] = (4100, 4103, 4099)  # a few values beyond 12 bits
    frame = frames_of(write_dicom(bright[None], BitsStored=12))[0]
    assert frame[51, 61] == frame.max()


@pytest.mark.parametrize("stored", [8, 10, 12, 16])
def test_8_bits_in_words_of_16(write_dicom, stored):
    path = write_dicom(GREY.astype(np.uint16)[None], BitsStored=stored)
    frame = frames_of(path)[0]
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, GREY)
    assert not remarks(path)[1]


def test_high_bit_that_cannot_be_gives_a_warning_or_a_note(write_dicom):
    path = write_dicom(GREY.astype(np.uint16)[None], BitsStored=16, HighBit=7)
    np.testing.assert_array_equal(frames_of(path)[0], GREY)
    path = write_dicom(DEEP[None], BitsStored=12, HighBit=7)
    assert_shows_deep(path)
    assert remarks(path)[1] == [WarningCode.GREY_LEVELS]


def test_copies_of_the_sign_are_no_remark(write_dicom):
    signed = (DEEP.astype(int) - 2048).astype(np.int16)
    assert "not used" not in remarks(write_dicom(signed[None], BitsStored=12))[0]


def test_precision_of_the_stream_counts(write_dicom):
    """The header may give more or fewer bits than the stream, or another highest bit."""
    encode = pytest.importorskip("jpeg_ls").encode_array
    pytest.importorskip("gdcm")
    streams = {
        JPEG_LS: lambda words, bits: bytes(encode(words)),
        LOSSLESS: lambda words, bits: lossless_jpeg(words, precision=bits),
        JPEG_2000: lambda words, bits: encode_array(
            words, bits_stored=bits, photometric_interpretation=2
        ),
    }
    for syntax, stream in streams.items():
        for words, bits, stored, high in (
            (DEEP, 16 if syntax == JPEG_LS else 12, 12, 11),
            (DEEP, 16, 12, 11),
            (DEEP << 4, 16, 12, 15),
            (DEEP, 16 if syntax == JPEG_LS else 12, 12, 15),
        ):
            path = write_dicom(
                words[None],
                syntax=syntax,
                encoded=[stream(words, bits)],
                BitsStored=stored,
                HighBit=high,
            )
            assert_shows_deep(path)
        for stored in (8, 12, 16):
            path = write_dicom(
                DEEP[None], syntax=syntax, encoded=[stream(GREY, 8)], BitsStored=stored
            )
            np.testing.assert_array_equal(frames_of(path)[0], GREY)
    path = write_dicom(DEEP[None], syntax=JPEG, encoded=[jpeg(GREY, before=b"")], BitsStored=12)
    assert np.abs(frames_of(path)[0].astype(int) - GREY).mean() < 3


@pytest.mark.parametrize("header_is_signed", [0, 1])
@pytest.mark.parametrize("stream_is_signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12])
def test_jpeg_2000_and_header_may_disagree_on_the_sign(
    write_dicom, bits, stream_is_signed, header_is_signed
):
    screen = GREY if bits == 8 else DEEP
    shown = screen.astype(int) - (1 << (bits - 1)) if stream_is_signed else screen
    kind = "i" if stream_is_signed else "u"
    words = shown.astype(f"{kind}{1 if bits == 8 else 2}")
    path = write_dicom(
        screen[None],
        syntax=JPEG_2000,
        encoded=[encode_array(words, bits_stored=bits, photometric_interpretation=2)],
        BitsStored=bits,
        PixelRepresentation=header_is_signed,
    )
    if bits == 8:
        np.testing.assert_array_equal(frames_of(path)[0], GREY)
    else:
        assert_shows_deep(path)
    if stream_is_signed and header_is_signed:
        np.testing.assert_array_equal(pixel_array(path), shown)


def test_carries_tell_upper_bits_from_overlays():
    """The fractions that the threshold of bit_layout separates."""
    from usmicro.loading.dicom.bit_layout import BitLayout, _carries

    random = np.random.default_rng(0).integers(0, 16, DEEP.shape).astype(np.uint16)
    for bits, least in ((8, 0.1), (10, 0.3), (11, 0.6)):
        assert _carries(DEEP, BitLayout(0, bits)) > least
    for upper in (OVERLAY, random):
        assert _carries(DEEP | upper << 12, BitLayout(0, 12)) < 0.01


def test_layout_gives_the_value_of_each_code():
    layout, _ = find_layout(
        np.array([[0x80, 0x80, 0x7F]], np.uint8), 8, bits_stored=8, high_bit=7, is_signed=True
    )
    assert layout.is_signed
    assert layout.values()[[0, 127, 128, 255]].tolist() == [0, 127, -128, -1]


@pytest.mark.parametrize("bits", [5, 7, 10, 14])
def test_lossless_jpeg_of_any_precision_is_read(write_dicom, bits):
    """GDCM ends the process if it is given a precision below 8 as the number of bits."""
    pytest.importorskip("gdcm")
    words = (DEEP.astype(np.uint32) * 16 >> (16 - bits)).astype(np.uint16)
    for is_signed in (0, 1):
        path = write_dicom(
            DEEP[None],
            syntax=LOSSLESS,
            encoded=[lossless_jpeg(words, precision=bits)],
            BitsStored=bits,
            PixelRepresentation=is_signed,
        )
        frame = frames_of(path)[0]
        top = np.iinfo(frame.dtype).max
        assert (frame.dtype == np.uint8) == (bits <= 8)
        np.testing.assert_allclose(frame / top, words / ((1 << bits) - 1), atol=0.6 / top)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("is_signed", [0, 1])
def test_few_bits_are_read(write_dicom, bits, is_signed):
    path = write_dicom((GREY >> (8 - bits))[None], BitsStored=bits, PixelRepresentation=is_signed)
    levels = (GREY >> (8 - bits)) * (255 / ((1 << bits) - 1))
    np.testing.assert_allclose(frames_of(path)[0], levels, atol=0.51)
