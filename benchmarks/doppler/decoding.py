"""Compare the decoded colours of a frame with the simulated flow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from usmicro.doppler.velocity import velocity
from usmicro.evaluation.metrics import dice
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import Scan
from usmicro.phantom import Phantom
from usmicro.preparation import prepare

VELOCITY_TOLERANCE = 0.05
"""Largest error of a velocity that counts as right, as a fraction of the limit."""


@dataclass(frozen=True)
class DecodedFrame:
    """Accuracy of the colours decoded on one frame."""

    box: float
    """Dice coefficient of the colour box with the true box."""
    flow: float
    """Dice coefficient of the coloured pixels with the true ones; NaN if there are none."""
    bar: bool
    """True if a colour bar was found."""
    close: float = np.nan
    """Fraction of the coloured pixels whose velocity is right within VELOCITY_TOLERANCE; NaN for
    power Doppler, and if there is no flow."""
    error: float = np.nan
    """Median error of the velocity as a fraction of the limit; NaN likewise."""
    sign: float = np.nan
    """Fraction of the coloured pixels with the right direction; NaN likewise."""


def compare_colours(phantom: Phantom, scan: Scan, frame: int) -> DecodedFrame:
    """Compare the colour box, the coloured pixels and the velocity of one frame."""
    colour = phantom.truth.colour
    assert colour is not None
    assert colour.shown is not None
    assert colour.velocity is not None
    (view, *_) = prepare(phantom.frames[frame], spacing=scan.spacing, regions=scan.regions)
    flow = view.colour
    if flow is None:
        return DecodedFrame(0.0, 0.0 if colour.shown[frame].any() else np.nan, False)
    rows, columns = np.indices(view.shape)
    x, y = (np.rint(at).astype(int) for at in view.grid.to_image(columns, rows))
    is_inside = (x >= 0) & (x < phantom.frames.shape[2]) & (y >= 0) & (y < phantom.frames.shape[1])
    x, y = np.where(is_inside, x, 0), np.where(is_inside, y, 0)
    box = np.zeros(phantom.frames.shape[1:3], np.uint8)
    cv2.fillPoly(box, [np.rint(np.array(colour.box_px)).astype(np.int32)], 1)
    shown: BoolImage = colour.shown[frame][y, x] & is_inside & ~view.graphics
    decoded = DecodedFrame(
        box=dice(flow.box, (box[y, x] > 0) & view.tissue),
        flow=dice(flow.mask, shown) if shown.any() or flow.mask.any() else np.nan,
        bar=flow.bar is not None,
    )
    both = shown & flow.mask
    if colour.power or not both.any() or not colour.vessels:
        return decoded
    true = colour.velocity[frame][y, x][both] / np.float32(colour.velocity_limit_cm_s)
    fraction = velocity(flow)[0][both]
    # velocities wrap around at the limit: both ends of the range are the same phase
    error = np.abs(np.angle(np.exp(1j * np.pi * (fraction - true)))) / np.pi
    return replace(
        decoded,
        close=float((error <= VELOCITY_TOLERANCE).mean()),
        error=float(np.median(error)),
        sign=float((fraction * true > 0).mean()),
    )
