import io
import struct

import numpy as np
import pytest
from PIL import Image

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
from usmicro.loading.dicom.coded_frame import read_coded_frame

GREY, SCREEN = grey_screen(), colour_screen()
JPEG_2000 = "1.2.840.10008.1.2.4.90"


@pytest.mark.parametrize("form", ["JPEG", "JPEG2000"])
def test_size_is_read_from_the_header_of_a_stream(form):
    stream = io.BytesIO()
    Image.fromarray(np.zeros((37, 91), np.uint8)).save(stream, form, no_jp2=True)
    frame = read_coded_frame(stream.getvalue())
    assert (frame.rows, frame.columns, frame.components, frame.precision) == (37, 91, 1, 8)
    assert read_coded_frame(stream.getvalue()[:6]) is None
    assert read_coded_frame(b"something else") is None


@pytest.mark.parametrize(
    ("stream", "models"),
    [
        (jpeg(SCREEN), []),
        (jpeg(SCREEN, before=JFIF), ["YCbCr"]),
        (jpeg(SCREEN, before=adobe(0)), ["RGB"]),
        (jpeg(SCREEN, before=adobe(1)), ["YCbCr"]),
        (jpeg(SCREEN, ids=tuple(b"RGB"), before=JFIF), ["YCbCr", "RGB"]),
        (jpeg(SCREEN, subsampling=2), ["YCbCr"]),
        (jpeg(GREY, before=JFIF), []),
        (lossless_jpeg(SCREEN, ids=tuple(b"rgb")), ["RGB"]),
        (jpeg_2000(SCREEN), []),
        (jpeg_2000(SCREEN, transform=True), ["RGB"]),
        (jpeg_2000(SCREEN, boxes=True), ["RGB"]),
        (jpeg_2000(GREY, boxes=True), []),
    ],
)
def test_statements_of_a_stream_about_its_colours(stream, models):
    assert [claim.model for claim in read_coded_frame(stream).claims] == models


def test_header_cut_anywhere_gives_nothing_or_a_frame():
    for stream in (
        jpeg(SCREEN, before=JFIF),
        lossless_jpeg(GREY),
        jpeg_2000(SCREEN),
        jpeg_2000(SCREEN, boxes=True),
    ):
        for length in range(700):
            frame = read_coded_frame(stream[:length])
            assert frame is None or frame.rows == len(GREY)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", len(content) + 8, kind) + content


def jp2(stream: bytes, *boxes: bytes, colour: int = 16, long: bool = False) -> bytes:
    """Return a JP2 file with boxes added to its header."""
    header = box(b"ihdr", bytes(14)) + box(b"colr", struct.pack(">BBBL", 1, 0, 0, colour))
    last = struct.pack(">L4sQ", 1, b"jp2c", len(stream) + 16) if long else b"\0\0\0\0jp2c"
    return (
        b"\0\0\0\x0cjP  \r\n\x87\n"
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", header + b"".join(boxes))
        + last
        + stream
    )


def frame_of(write_dicom, stream: bytes, pixels: np.ndarray, tag: str) -> np.ndarray:
    path = write_dicom(
        pixels[None], syntax=JPEG_2000, encoded=[stream], PhotometricInterpretation=tag
    )
    return frames_of(path)[0]


@pytest.mark.parametrize("long", [False, True])
def test_jp2_boxes_are_taken_off(write_dicom, long):
    stream = jp2(jpeg_2000(GREY), colour=17, long=long)
    np.testing.assert_array_equal(frame_of(write_dicom, stream, GREY, "MONOCHROME2"), GREY)
    stream = jp2(jpeg_2000(ycbcr(SCREEN)), colour=18, long=long)
    frame = frame_of(write_dicom, stream, SCREEN, "RGB")
    assert np.abs(frame.astype(int) - SCREEN).max() <= 2


def test_order_of_the_colours_comes_from_the_jp2_boxes(write_dicom):
    definition = struct.pack(">H", 3) + b"".join(
        struct.pack(">HHH", component, 0, 3 - component) for component in range(3)
    )
    stream = jp2(jpeg_2000(np.ascontiguousarray(SCREEN[..., ::-1])), box(b"cdef", definition))
    np.testing.assert_array_equal(frame_of(write_dicom, stream, SCREEN, "RGB"), SCREEN)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (jp2(jpeg_2000(GREY), box(b"pclr", b"\0\2\3\7\7\7")), "colour palette"),
        (
            jp2(jpeg_2000(SCREEN), box(b"cdef", struct.pack(">HHHH", 1, 2, 1, 0))),
            "opacity channel",
        ),
        (jp2(jpeg_2000(SCREEN), colour=12), "colour space 12"),
        (jpeg_2000(np.dstack([SCREEN, GREY])), "4 components"),
        (jpeg_2000(SCREEN).replace(b"\7\1\1\7\1\1\7\1\1", b"\7\1\1\7\2\1\7\2\1"), "resolution"),
        (jpeg_2000(SCREEN).replace(b"\7\1\1\7\1\1\7\1\1", b"\7\1\1\x87\1\1\7\1\1"), "bit depth"),
    ],
)
def test_valid_streams_that_are_not_read_are_refused_and_not_called_damaged(
    write_dicom, stream, message
):
    path = write_dicom(SCREEN[None], syntax=JPEG_2000, encoded=[stream])
    with pytest.raises(ScanError, match=f"{message}.*export the file again") as failure:
        load(path)
    assert "damaged" not in str(failure.value)
