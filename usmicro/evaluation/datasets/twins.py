"""Near twins: images of one data set that show nearly the same picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from usmicro.errors import UsageError

THUMBNAIL = 24
"""Width and height in pixels to which an image is reduced before it is compared."""

LEAST_CORRELATION = 0.93
"""Correlation of the thumbnails from which two images are near twins.

Chosen by eye on BUSI: pairs above it show the same lesion, printed or cut differently. Below 0.91
pairs of different breasts begin to appear, which would join everything into one large group.
"""


def twin_groups(paths: Sequence[Path]) -> list[int]:
    """Return the number of the group of near twins for each image.

    Two images are near twins if their thumbnails, as they are or mirrored, are highly correlated.
    A group holds all images that are connected by pairs of near twins. An image without a twin is a
    group of its own.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    UsageError
        If a file cannot be read as an image.
    """
    if not paths:
        return []
    thumbnails = [_thumbnail(path) for path in paths]
    plain = np.stack([_normalised(thumbnail) for thumbnail in thumbnails])
    mirrored = np.stack([_normalised(thumbnail[:, ::-1]) for thumbnail in thumbnails])
    correlation = np.maximum(plain @ plain.T, plain @ mirrored.T)
    _, groups = connected_components(correlation >= LEAST_CORRELATION, directed=False)
    return [int(group) for group in groups]


def _thumbnail(path: Path) -> NDArray[np.float32]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise UsageError(f"{path}: expected an image of the data set, found nothing that is one")
    size = (THUMBNAIL, THUMBNAIL)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _normalised(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels with mean 0 and sum of squares 1."""
    centred = thumbnail.ravel() - thumbnail.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), dtype=np.float32)
