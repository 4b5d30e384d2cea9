"""Echoes of foci, each with a given contrast."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.model.arrays import FloatImage
from usmicro.phantom.anatomy import smooth_noise
from usmicro.phantom.clump_shapes import distance_to_discs
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import FocusShape
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.speckle import ComplexImage, blur, psf_sigmas

LOCAL_MEAN_SIGMA = 1.0
"""Standard deviation of the Gaussian weights of the local mean envelope, mm."""

SHAPE_ORDERS = (2, 3, 5, 7)
"""Orders of the waves of the irregular outline of a coarse focus."""

RIM_WIDTH = 0.4
"""Thickness of the calcified edge of a focus with the form of a rim, mm."""

EDGE_WIDTH = 0.05
"""Width of the soft edge of a focus, mm.

The edge keeps the position of a focus that is smaller than a sample.
"""


def local_mean(envelope: FloatImage, probe: Probe) -> FloatImage:
    """Return the local mean envelope in beam space, to which the contrast of a focus refers."""
    lines = LOCAL_MEAN_SIGMA / float(probe.line_spacing(probe.depth / 2))
    samples = LOCAL_MEAN_SIGMA / SAMPLE_STEP
    return np.asarray(cv2.GaussianBlur(envelope, (0, 0), lines, sigmaY=samples))


def add_focus(
    field: ComplexImage,
    focus: FocusShape,
    level: float,
    rng: np.random.Generator,
    settings: PhantomSettings,
    probe: Probe,
) -> None:
    """Add the echo of a focus to a filtered field in beam space.

    The peak of the echo is `focus.contrast_db` over the envelope `level`.
    """
    u, d = (float(value) for value in probe.beam(focus.x, focus.z))
    column, row = (u - float(probe.u[0])) / LINE_STEP, (d - float(probe.d[0])) / SAMPLE_STEP
    lines, samples = (float(value) for value in psf_sigmas(settings, probe, d))
    spacing = float(probe.line_spacing(d))

    # a patch around the focus; x and y are in mm from its centre
    reach_x = int(2 * focus.half_width / spacing + 4 * lines) + 3
    reach_y = int(2 * focus.half_height / SAMPLE_STEP + 4 * samples) + 3
    left, top = round(column) - reach_x, round(row) - reach_y
    x = (np.arange(left, left + 2 * reach_x + 1) - column)[None, :] * spacing
    y = (np.arange(top, top + 2 * reach_y + 1) - row)[:, None] * SAMPLE_STEP
    x, y = np.broadcast_arrays(x, y)

    radius = focus.diameter / 2
    angle, size = np.arctan2(y, x), (x.shape[0], x.shape[1])
    raggedness, surface_phase, strength = np.zeros(size), np.zeros(size), np.ones(size)
    if focus.kind == "coarse":  # a rough lump, brightest where the sound meets it
        for order in SHAPE_ORDERS:
            raggedness += rng.uniform(0, 0.3 / np.sqrt(order)) * np.cos(
                order * angle + rng.uniform(0, 2 * np.pi)
            )
        strength *= np.exp(-0.5 * np.clip(1 + y / focus.half_height, 0, 2)) * (
            1 + 0.35 * smooth_noise(rng, size, 0.3 / spacing, 0.3 / SAMPLE_STEP)
        )
        surface_phase += 1.1 * smooth_noise(rng, size, 0.4 / spacing, 0.4 / SAMPLE_STEP)
    if focus.discs:
        from_edge = distance_to_discs(focus.discs, x, y) - radius * 0.2 * raggedness
        if focus.form == "rim":
            from_edge = np.abs(from_edge + RIM_WIDTH / 2) - RIM_WIDTH / 2
    else:
        from_edge = np.hypot(x, y) - radius * (1 + raggedness)
    body = (0.5 - 0.5 * np.tanh(from_edge / EDGE_WIDTH)) * np.maximum(strength, 0)
    source = body * np.exp(1j * (rng.uniform(0, 2 * np.pi) + surface_phase))
    echo = blur(source.astype(np.complex64), lines, samples)
    echo *= level * 10 ** (focus.contrast_db / 20) / np.abs(echo).max()

    # the part of the patch that is inside the field
    rows, columns = field.shape
    above, before = max(-top, 0), max(-left, 0)
    part = echo[above : rows - top, before : columns - left]
    first_row, first_column = top + above, left + before
    field[first_row : first_row + part.shape[0], first_column : first_column + part.shape[1]] += (
        part
    )
