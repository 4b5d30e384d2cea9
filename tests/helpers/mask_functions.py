"""Masks functions that worker processes can import."""


def bright(image, spacing):
    return {"masses": image > 100}


class Brighter:
    def __init__(self, threshold):
        self.threshold = threshold

    def __call__(self, image, spacing):
        return {"masses": image > self.threshold}
