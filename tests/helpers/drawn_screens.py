"""Screens with speckle of known size in a known place, drawn without `usmicro.phantom`."""

import cv2
import numpy as np


def speckle(rows, columns, *, seed=0, across=6.0, along=3.0, mean=90.0):
    """Return log-compressed speckle; `across` and `along` are the widths of a point in pixels."""
    random = np.random.default_rng(seed)
    field = random.normal(size=(2, rows + 40, columns + 40)).astype(np.float32)
    real, imaginary = (
        cv2.GaussianBlur(part, (0, 0), sigmaX=across / 2.355, sigmaY=along / 2.355)[20:-20, 20:-20]
        for part in field
    )
    level = 20 * np.log10(np.hypot(real, imaginary) + 1e-9)
    return np.clip(np.round(mean + 4 * (level - level.mean())), 3, 250).astype(np.uint8)


def wedge(rows, columns, *, apex, opening, inner, outer):
    """Return the mask of a sector: apex (x, y), half the opening angle in radians, both radii."""
    y, x = np.mgrid[:rows, :columns].astype(float)
    dx, dy = x - apex[0], y - apex[1]
    radius = np.hypot(dx, dy)
    return (np.abs(np.arctan2(dx, dy)) <= opening) & (radius >= inner) & (radius <= outer)


def framed(picture, *, top=60, left=80, bottom=50, right=90):
    """Draw a screen around a picture: black border, header text, a grey bar and a depth scale."""
    rows, columns = picture.shape
    screen = np.zeros((rows + top + bottom, columns + left + right), np.uint8)
    screen[top : top + rows, left : left + columns] = picture
    for row, text in enumerate(("GENERAL HOSPITAL 12:30", "L12-4 FR 22Hz MI 1.1")):
        cv2.putText(screen, text, (10, 20 + 18 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    screen[top : top + 120, 20:32] = np.linspace(255, 0, 120).astype(np.uint8)[:, None]
    for tick in range(top, top + rows, 40):
        screen[tick, left + columns + 6 : left + columns + 14] = 255
    return screen


def draw_plus(image, x, y, *, arm=5, level=255):
    image[y, x - arm : x + arm + 1] = level
    image[y - arm : y + arm + 1, x] = level


def draw_focus(image, x, y, *, width=7.0, peak=150.0):
    """Add a round echo with a width at half maximum in pixels."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    added = peak * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / width**2)
    image[:] = np.clip(image + added, 0, 255).astype(np.uint8)
