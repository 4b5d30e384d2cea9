"""Images as PNG."""

from __future__ import annotations

import cv2

from usmicro.model.arrays import ByteImage


def encode_png(image: ByteImage) -> bytes:
    """Encode an image as PNG; equal pixels give equal bytes.

    Parameters
    ----------
    image : array, uint8
        Grey, shape (rows, columns), or RGB, shape (rows, columns, 3).
    """
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    assert done, "OpenCV can encode every 8-bit image as PNG"
    return encoded.tobytes()
