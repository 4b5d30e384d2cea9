"""Probability of masses and ducts at the size of the image, resampled when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import Grid, View

NAMES = ("mass", "duct")
"""Names of the maps, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class _MapsOfView:
    """The maps of one view, on its grid."""

    grid: Grid
    tissue: BoolImage
    mass: FloatImage
    duct: FloatImage


class ProbabilityMaps(Mapping[str, FloatImage]):
    """Probability of "mass" and "duct" on one frame, at image size.

    Each value is an array of shape (rows, columns), float32, from 0 to 1: the probability that the
    pixel lies inside a mass or duct, as the stages after used it, and 0 outside the tissue. It is
    the output of the network, before regions are chosen and outlined: a region that is too small or
    too unlikely for a mass has a probability, too. Where the user gave the outlines, it is 1 inside
    and 0 outside, with an edge of 0.5 mm. Nonmass areas have no map.

    A map is computed when it is asked for. Until then only the grids of the analysis are kept, 9
    bytes for each pixel of a grid: 2 MB for a scan of 40 x 40 mm.
    """

    def __init__(self, shape: tuple[int, int], views: tuple[_MapsOfView, ...]) -> None:
        self._shape, self._views = shape, views

    @classmethod
    def of(cls, shape: tuple[int, int], anatomies: list[tuple[View, Anatomy]]) -> ProbabilityMaps:
        """Keep what the maps of a frame are made from.

        Parameters
        ----------
        shape : (rows, columns)
            Of the frame.
        anatomies : list of (View, Anatomy)
            All views of the frame, each with its anatomy.
        """
        return cls(
            shape,
            tuple(
                _MapsOfView(
                    view.grid, view.tissue, anatomy.mass_probability, anatomy.duct_probability
                )
                for view, anatomy in anatomies
            ),
        )

    def __getitem__(self, name: str) -> FloatImage:
        if name not in NAMES:
            raise KeyError(f"no map {name!r}; there are {', '.join(NAMES)}")
        out = np.zeros(self._shape, np.float32)
        for view in self._views:
            tissue = _at_image_size(view.tissue.astype(np.uint8), view.grid, self._shape)
            values = _at_image_size(getattr(view, name), view.grid, self._shape)
            np.copyto(out, values, where=tissue > 0)
        return out

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)

    def __repr__(self) -> str:
        rows, columns = self._shape
        return f"<probability maps {', '.join(NAMES)}, {rows} x {columns}>"


def _at_image_size(
    values: FloatImage | np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    grid: Grid,
    shape: tuple[int, int],
) -> FloatImage:
    """Resample values from a grid: probabilities linearly, the mask of the tissue by the nearest.

    The tissue is 0 beyond the grid, as in the label image.
    """
    import cv2  # here, so that reading results does not import OpenCV

    is_mask = values.dtype == np.uint8
    resampled = cv2.warpAffine(
        values,
        grid.image_matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_NEAREST if is_mask else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT if is_mask else cv2.BORDER_REPLICATE,
    )
    return np.asarray(resampled)
