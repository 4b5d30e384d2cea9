"""Small pictures that look like a scan or like a mask."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHAPE = (40, 60)


def speckle(seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture with many grey values, as a scan has them."""
    return np.random.default_rng(seed).rayleigh(40, SHAPE).clip(0, 255).astype(np.uint8)


def mask(value: int = 255) -> NDArray[np.uint8]:
    """Return a mask with one square area of 8 x 8 pixels."""
    picture = np.zeros(SHAPE, np.uint8)
    picture[5:13, 5:13] = value
    return picture


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
