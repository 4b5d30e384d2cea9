"""Connected parts of a mask, with their areas and boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels.masks import connect_runs, draw_runs
from usmicro.model.arrays import BoolImage, ByteImage


@dataclass(frozen=True, slots=True)
class ConnectedParts:
    """Connected parts of a mask, stored as runs of pixels along the rows.

    They are numbered from 0, in the order of their first pixels. A mask has far fewer runs than
    pixels, so that this takes a fraction of the time of an image of labels.
    """

    shape: tuple[int, ...]
    """Rows and columns of the mask."""
    area: NDArray[np.int32]
    """Number of pixels of each part."""
    marked: NDArray[np.int32]
    """Number of its marked pixels."""
    box: NDArray[np.int32]
    """Left, top, right, bottom of each part, shape (parts, 4); right and bottom are one past the
    last."""
    runs: NDArray[np.int32]
    """Runs of `connect_runs`."""

    @classmethod
    def of(
        cls,
        mask: ByteImage | BoolImage,
        marked: BoolImage | None = None,
        *,
        corners: bool = True,
    ) -> ConnectedParts:
        """Find the connected parts of a mask.

        Parameters
        ----------
        mask : array, shape (rows, columns), uint8 or bool
            0 or 1.
        marked : array, shape (rows, columns), bool, optional
            Pixels that are counted in each part.
        corners : bool
            True if pixels are connected that only touch at a corner.
        """
        rows, columns = mask.shape
        # one column of zeros ends the runs of each row; one more value begins the first
        padded = np.zeros(rows * (columns + 1) + 1, np.bool_)
        padded[1:].reshape(rows, columns + 1)[:, :-1] = mask
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        begin, end = edges[::2], edges[1::2]
        runs = np.empty((len(begin), 5), np.int32)
        runs[:, 0] = begin // (columns + 1)
        runs[:, 1] = begin - runs[:, 0] * (columns + 1)
        runs[:, 2] = runs[:, 1] + (end - begin)
        runs[:, 3] = 0
        if marked is not None:
            places = np.flatnonzero(marked)
            of_mask = runs[:, 0] * columns
            runs[:, 3] = np.searchsorted(places, of_mask + runs[:, 2])
            runs[:, 3] -= np.searchsorted(places, of_mask + runs[:, 1])
        measures = np.empty((len(runs), 6), np.int32)
        measures = measures[: connect_runs(runs, int(corners), measures)]
        return cls(mask.shape, measures[:, 0], measures[:, 1], measures[:, 2:], runs)

    def drawn(self, chosen: NDArray[np.bool_]) -> BoolImage:
        """Return the mask of the chosen parts; `chosen` has one value for each part."""
        out = np.zeros(self.shape, np.bool_)
        if chosen.any():
            draw_runs(self.runs, chosen, out)
        return out

    def numbers(self) -> NDArray[np.int32]:
        """Return the number of the part of each pixel of the mask, row by row."""
        return np.repeat(self.runs[:, 4], self.runs[:, 2] - self.runs[:, 1])

    def numbers_at(self, places: NDArray[np.intp]) -> NDArray[np.int32]:
        """Return the number of the part of some pixels of the mask.

        `places` are their indices in the flattened mask.
        """
        begin = self.runs[:, 0].astype(np.intp) * self.shape[1] + self.runs[:, 1]
        return np.asarray(self.runs[np.searchsorted(begin, places, "right") - 1, 4])

    def pixels_of(self, number: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows and the columns of the pixels of one part, row by row."""
        own = self.runs[self.runs[:, 4] == number].astype(np.intp)
        length = own[:, 2] - own[:, 1]
        first = np.repeat(own[:, 1] - (np.cumsum(length) - length), length)
        return np.repeat(own[:, 0], length), first + np.arange(len(first))

    def part(self, number: int) -> BoolImage:
        """Return the mask of one part."""
        return self.drawn(np.arange(len(self.area)) == number)
