"""Reduction of images to the means over the pixels of a coarser grid."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.model.arrays import FloatImage


def area_means(image: FloatImage, *sizes: tuple[int, int]) -> list[FloatImage]:
    """Return `cv2.resize(image, size, interpolation=cv2.INTER_AREA)` for each size.

    OpenCV is slow where the sizes are not whole multiples. Adding whole rows is several times
    faster, for the columns in the transposed image. The order of the sums and the rounding are
    those of OpenCV.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    *sizes : pair of int
        New number of columns and of rows.

    Returns
    -------
    list of array, shape (size[1], size[0]), float32
    """
    from usmicro.kernels import area_means as kernels  # here: numba is a slow import

    rows, columns = image.shape
    transposed = None
    reduced = []
    for size in sizes:
        whole = columns % size[0] == 0 and rows % size[1] == 0
        if whole or size[0] > columns or size[1] > rows:
            reduced.append(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA)))
            continue
        if transposed is None:
            transposed = cv2.transpose(image)
        fewer_columns = np.empty((size[0], rows), np.float32)
        kernels.area_means_of_rows(transposed, fewer_columns)
        reduced.append(np.empty((size[1], size[0]), np.float32))
        kernels.area_means_of_rows(cv2.transpose(fewer_columns), reduced[-1])
    return reduced
