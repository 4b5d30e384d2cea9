"""Simulated screens, and JPEG streams of given components with given statements about colour."""

import io
import struct

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform: int) -> bytes:
    """Return an Adobe marker."""
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def grey_screen(seed: int = 0) -> np.ndarray:
    """Return a black screen with a field of smooth speckle, shape (96, 128), uint8."""
    noise = np.random.default_rng(seed).normal(size=(2, 80, 96))
    amplitude = np.hypot(*gaussian_filter(noise, (0, 1, 1.5)))
    screen = np.zeros((96, 128), np.uint8)
    screen[12:92, 16:112] = np.clip(amplitude / amplitude.max() * 300, 4, 255)
    return screen


def colour_screen(seed: int = 0) -> np.ndarray:
    """Return a screen with a coloured box in the speckle, shape (96, 128, 3) RGB, uint8."""
    screen = np.repeat(grey_screen(seed)[..., None], 3, axis=-1)
    screen[30:50, 40:70] = (200, 30, 20)
    screen[50:60, 40:70] = (20, 40, 220)
    return screen


def ycbcr(rgb: np.ndarray) -> np.ndarray:
    """Return luminance and chrominance, as JFIF and YBR_FULL define them."""
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"))


def jpeg(
    components: np.ndarray,
    *,
    before: bytes = b"",
    ids: tuple[int, ...] = (1, 2, 3),
    subsampling: int = 0,
) -> bytes:
    """Return a JPEG stream of components as they are, with given markers and component ids."""
    stream = io.BytesIO()
    if components.ndim == 2:
        Image.fromarray(components).save(stream, "JPEG", quality=98)
        return _with_markers(stream.getvalue(), before, ())
    size = components.shape[1::-1]
    image = Image.frombytes("YCbCr", size, np.ascontiguousarray(components).tobytes())
    image.save(stream, "JPEG", quality=98, subsampling=subsampling)
    return _with_markers(stream.getvalue(), before, ids)


def _with_markers(stream: bytes, before: bytes, ids: tuple[int, ...]) -> bytes:
    """Replace the JFIF marker and the component ids."""
    assert stream.startswith(b"\xff\xd8" + JFIF[:4])
    data = bytearray(b"\xff\xd8" + before + stream[2 + len(JFIF) :])
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for i, number in enumerate(ids):
        data[frame + 10 + 3 * i] = data[scan + 5 + 2 * i] = number
    return bytes(data)


def lossless_jpeg(
    samples: np.ndarray,
    *,
    precision: int = 8,
    before: bytes = b"",
    ids: tuple[int, ...] = (1, 2, 3),
) -> bytes:
    """Return a lossless JPEG stream (process 14, selection value 1) of components as they are."""
    planes = np.atleast_3d(samples).astype(np.int64)
    rows, columns, count = planes.shape
    predicted = np.empty_like(planes)
    predicted[:, 1:] = planes[:, :-1]
    predicted[1:, 0] = planes[:-1, 0]
    predicted[0, 0] = 1 << (precision - 1)
    differences = ((planes - predicted + 2**15) % 2**16 - 2**15).reshape(-1)
    bits = []
    for difference in differences.tolist():
        size = abs(difference).bit_length()
        bits.append(format(size, "05b"))
        if 0 < size < 16:
            bits.append(format(difference % ((1 << size) - (difference < 0)), f"0{size}b"))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    coded = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    frame = struct.pack(">BHHB", precision, rows, columns, count)
    frame += b"".join(bytes((i, 0x11, 0)) for i in ids[:count])
    table = b"\0" + bytes([0, 0, 0, 0, 17]) + bytes(11) + bytes(range(17))
    scan = bytes([count]) + b"".join(bytes((i, 0)) for i in ids[:count]) + b"\1\0\0"
    return (
        b"\xff\xd8"
        + before
        + b"".join(
            b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content
            for marker, content in ((0xC4, table), (0xC3, frame), (0xDA, scan))
        )
        + coded
        + b"\xff\xd9"
    )


def jpeg_2000(components: np.ndarray, *, transform: bool = False, boxes: bool = False) -> bytes:
    """Return a lossless JPEG 2000 stream, or a JP2 file if `boxes` is True."""
    stream = io.BytesIO()
    Image.fromarray(components).save(
        stream, "JPEG2000", irreversible=False, mct=int(transform), no_jp2=not boxes
    )
    return stream.getvalue()
