"""Simulated views of speckle with shadows."""

from dataclasses import replace

import cv2
import numpy as np

from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View

ACROSS, ALONG = 5.0, 3.2
"""Measured full widths at half maximum of the grey autocovariance of `speckle`."""
GREY_PER_DB = 255 / 60


def speckle(seed, shape=(500, 480)):
    """Fully developed speckle, log-compressed over 60 dB, its mean mid-grey."""
    random = np.random.default_rng(seed)
    real, imaginary = (
        cv2.GaussianBlur(random.normal(size=shape), (0, 0), sigmaX=2.75, sigmaY=1.75)
        for _ in range(2)
    )
    intensity = real**2 + imaginary**2
    return (GREY_PER_DB * (10 * np.log10(intensity / intensity.mean()) + 35)).astype(np.float32)


def view_of(grey, **changes):
    """View of a linear scan with pixels of 0.08 mm; `changes` replace its fields."""
    grey = np.clip(grey, 0, 255).astype(np.float32)
    everywhere = np.ones(grey.shape, bool)
    view = View(
        grey,
        everywhere,
        ~everywhere,
        Grid(0, 0, 1, 1, 0.08, Spacing(0.08, 0.08, "given")),
        ScanLines("linear", 0.0),
        (ACROSS, ALONG),
    )
    return replace(view, **changes)


def darkened(grey, x, y, *, width, length, decibels):
    """The image with a rectangular shadow below (x, y)."""
    grey = grey.copy()
    rows = slice(int(y), int(y + length))
    columns = slice(int(x - width / 2), int(x + width / 2) + 1)
    grey[rows, columns] -= decibels * GREY_PER_DB
    return grey


def sector_of(polar, face):
    """View of a scan-converted polar image, and a function from its positions to those of the view.

    Rows of the polar image are ranges, columns are angles; its column step is the arc length at
    the middle range.
    """
    middle = face + polar.shape[0] / 2
    apex_x, apex_y = 400.0, -face + 20
    rows, columns = np.mgrid[:620, :800].astype(np.float32)
    range_ = np.hypot(columns - apex_x, rows - apex_y) - face
    angle = np.arctan2(columns - apex_x, rows - apex_y)
    column = (angle * middle + polar.shape[1] / 2).astype(np.float32)
    grey = cv2.remap(
        polar.astype(np.float32),
        column,
        range_.astype(np.float32),
        cv2.INTER_LINEAR,
        borderValue=-1,
    )
    tissue = (
        (column >= 1)
        & (column <= polar.shape[1] - 2)
        & (range_ >= 1)
        & (range_ <= polar.shape[0] - 2)
    )
    view = view_of(
        np.where(tissue, grey, 0),
        tissue=tissue,
        scan_lines=ScanLines("sector", face, apex_x, apex_y, apex_x),
    )
    return view, lambda x, y: (
        apex_x + (face + y) * np.sin((x - polar.shape[1] / 2) / middle),
        apex_y + (face + y) * np.cos((x - polar.shape[1] / 2) / middle),
    )
