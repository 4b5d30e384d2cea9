"""Masks functions that worker processes can import."""


def bright(image, spacing):
    """Return the pixels above grey level 100 as masses."""
    return {"masses": image > 100}


class Brighter:
    """A masks function with a parameter: the pixels above a threshold are masses."""

    def __init__(self, threshold):
        self.threshold = threshold

    def __call__(self, image, spacing):
        return {"masses": image > self.threshold}
