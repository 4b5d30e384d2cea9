"""Label images as PNG."""

from __future__ import annotations

import cv2

from usmicro.model.arrays import ByteImage


def encode_png(image: ByteImage) -> bytes:
    """PNG of an 8-bit grey (rows, columns) or RGB (rows, columns, 3) image; the same pixels give the same bytes."""
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    assert done, "OpenCV encodes every 8-bit image as PNG"
    return encoded.tobytes()
