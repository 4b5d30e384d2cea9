"""Areas of an image, compressed without loss."""

from __future__ import annotations

import zlib

import numpy as np

from usmicro.model.arrays import BoolImage

COMPRESSION = 1
"""Level of zlib, of 0 to 9: the fastest that compresses. An area takes about a kilobyte."""


def packed(area: BoolImage) -> bytes:
    """Return an area, shape (rows, columns), as compressed bits."""
    return zlib.compress(np.packbits(area).tobytes(), COMPRESSION)


def unpacked(bits: bytes, shape: tuple[int, int]) -> BoolImage:
    """Return the area of this shape from which `packed` made the bits."""
    pixels = np.unpackbits(
        np.frombuffer(zlib.decompress(bits), np.uint8), count=shape[0] * shape[1]
    )
    return pixels.reshape(shape).astype(bool)
