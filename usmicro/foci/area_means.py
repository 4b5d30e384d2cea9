"""Reduction of images to the means over the pixels of a coarser grid."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.kernels import area_means as kernels
from usmicro.model.arrays import FloatImage


def area_means(image: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Return `cv2.resize(image, size, interpolation=cv2.INTER_AREA)`.

    OpenCV is slow where the sizes are not whole multiples. Adding whole rows is several times
    faster, for the columns in the transposed image. The order of the sums and the rounding are
    those of OpenCV.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    size : pair of int
        New number of columns and of rows, at most those of the image.

    Returns
    -------
    array, shape (size[1], size[0]), float32
    """
    rows, columns = image.shape
    if columns % size[0] == 0 and rows % size[1] == 0:
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    fewer_columns = np.empty((size[0], rows), np.float32)
    kernels.area_means_of_rows(cv2.transpose(image), fewer_columns)
    reduced = np.empty((size[1], size[0]), np.float32)
    kernels.area_means_of_rows(cv2.transpose(fewer_columns), reduced)
    return reduced
