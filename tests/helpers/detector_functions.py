"""Detectors that worker processes can import."""

import numpy as np


def brightest(frame, spacing):
    """Find the brightest pixel of the middle, where tissue is, with a score of 0.7."""
    grey = frame if frame.ndim == 2 else frame.max(axis=2)
    top, left = (size // 4 for size in grey.shape)
    middle = grey[top : 3 * top, left : 3 * left]
    row, column = np.unravel_index(middle.argmax(), middle.shape)
    return [left + column], [top + row], [0.5 / spacing.x_mm if spacing.x_mm else 6.0], [0.7]


class At:
    """A detector with parameters: it finds a focus at one place."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __call__(self, frame, spacing):
        return [self.x], [self.y], [5.0], [0.9]

    def upside_down(self, frame, spacing):
        return [self.x], [frame.shape[0] - 1 - self.y], [5.0], [0.9]


class Unpicklable(At):
    """A detector that cannot be pickled, like one that holds a session of another library."""

    def __reduce__(self):
        raise RuntimeError("a session cannot be pickled")


corner = Unpicklable(3, 4)
