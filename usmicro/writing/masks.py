"""Images as PNG."""

from __future__ import annotations

import zlib

import cv2

from usmicro.model.anatomy import LABEL_IMAGE_TEXT
from usmicro.model.arrays import ByteImage

_OPTIONS = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
"""Runs of equal bytes after the filter of OpenCV, instead of a level of compression, with which
every filter is tried for each row: 1.9 kB in 1.0 ms instead of 2.6 kB in 3.4 ms for a label image,
475 kB in 19 ms instead of 444 kB in 37 ms for an overlay in colour."""
_BEFORE_TEXT = 33
"""Length in bytes of the signature of a PNG file and its first chunk, behind which others may
follow."""


def encode_png(image: ByteImage) -> bytes:
    """Encode an image as PNG; equal pixels give equal bytes.

    Parameters
    ----------
    image : array, uint8
        Grey, shape (rows, columns), or RGB, shape (rows, columns, 3).
    """
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", pixels, _OPTIONS)
    assert done, "OpenCV can encode every 8-bit image as PNG"
    return encoded.tobytes()


def encode_labels(labels: ByteImage) -> bytes:
    """Encode a label image as PNG, with a text that says that it is one.

    Parameters
    ----------
    labels : array, shape (rows, columns), uint8
        Values of `AreaLabel`.
    """
    encoded = encode_png(labels)
    content = b"tEXt" + b"Description\0" + LABEL_IMAGE_TEXT
    length, check = len(content) - 4, zlib.crc32(content)
    chunk = length.to_bytes(4, "big") + content + check.to_bytes(4, "big")
    return encoded[:_BEFORE_TEXT] + chunk + encoded[_BEFORE_TEXT:]
