"""Preparation of a bare image, for functions that take a plain array."""

from __future__ import annotations

from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.model.scan import Scan, SpacingLike
from usmicro.model.view import View
from usmicro.preparation.views import prepare


def views_of_image(
    image: ArrayLike, spacing: SpacingLike | None
) -> tuple[list[View], tuple[int, int]]:
    """Prepare one image in memory.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3 or 4)
        Values as in `Scan.of_array`.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres, mm; a pair is (between columns, between rows).

    Returns
    -------
    views : list of View
        From left to right; never empty.
    shape : (rows, columns)
        Of the image.

    Raises
    ------
    ImageError
        If the array is not one image, or shows no tissue.
    UsageError
        If the spacing is not positive.
    """
    scan = Scan.of_array(image, spacing=spacing, name="image", cine=False)
    if scan.declared_frames != 1:
        raise ImageError(
            f"expected one image, found a cine of {scan.declared_frames} frames; pass one frame, "
            "or the cine to usmicro.analyze"
        )
    return prepare(next(scan.frames()), spacing=scan.spacing), (scan.rows, scan.columns)
