"""Echoes of foci, each with the contrast asked for."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.model.arrays import FloatImage
from usmicro.phantom.anatomy import smooth_noise
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import FocusShape
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.speckle import ComplexImage, blur, sigmas

NEIGHBOURHOOD = 1.0
"""Standard deviation of the Gaussian weights of the local mean envelope, mm."""


def local_mean(envelope: FloatImage, probe: Probe) -> FloatImage:
    """Local mean envelope that the contrast of a focus refers to."""
    lateral = NEIGHBOURHOOD / float(probe.line_spacing(probe.depth / 2))
    return np.asarray(
        cv2.GaussianBlur(envelope, (0, 0), lateral, sigmaY=NEIGHBOURHOOD / SAMPLE_STEP)
    )


def add_focus(
    field: ComplexImage,
    focus: FocusShape,
    level: float,
    rng: np.random.Generator,
    settings: PhantomSettings,
    probe: Probe,
) -> None:
    """Add the echo of a focus to a filtered field, its peak `contrast_db` over the envelope `level`."""
    u, d = (float(value) for value in probe.beam(focus.x, focus.z))
    column, row = (u - float(probe.u[0])) / LINE_STEP, (d - float(probe.d[0])) / SAMPLE_STEP
    lines, samples = (float(value) for value in sigmas(settings, probe, d))
    spacing = float(probe.line_spacing(d))
    reach_x, reach_y = (
        int(focus.diameter / spacing + 4 * lines) + 3,
        int(focus.diameter / SAMPLE_STEP + 4 * samples) + 3,
    )
    left, top = round(column) - reach_x, round(row) - reach_y
    x = (np.arange(left, left + 2 * reach_x + 1) - column)[None, :] * spacing
    y = (np.arange(top, top + 2 * reach_y + 1) - row)[:, None] * SAMPLE_STEP
    radius = focus.diameter / 2
    x, y = np.broadcast_arrays(x, y)
    angle, size = np.arctan2(y, x), (x.shape[0], x.shape[1])
    ragged, surface, strength = np.zeros(size), np.zeros(size), np.ones(size)
    if focus.kind == "coarse":  # a rough lump, brightest where the sound meets it
        for order in (2, 3, 5, 7):
            ragged += rng.uniform(0, 0.3 / np.sqrt(order)) * np.cos(
                order * angle + rng.uniform(0, 2 * np.pi)
            )
        strength *= np.exp(-0.5 * np.clip(1 + y / radius, 0, 2)) * (
            1 + 0.35 * smooth_noise(rng, size, 0.3 / spacing, 0.3 / SAMPLE_STEP)
        )
        surface += 1.1 * smooth_noise(rng, size, 0.4 / spacing, 0.4 / SAMPLE_STEP)
    # a soft edge keeps the sub-sample position of a focus that is smaller than the sampling
    body = (0.5 - 0.5 * np.tanh((np.hypot(x, y) - radius * (1 + ragged)) / 0.05)) * np.maximum(
        strength, 0
    )
    echo = blur(
        (body * np.exp(1j * (rng.uniform(0, 2 * np.pi) + surface))).astype(np.complex64),
        lines,
        samples,
    )
    echo *= level * 10 ** (focus.contrast_db / 20) / np.abs(echo).max()
    rows, columns = field.shape
    above, before = max(-top, 0), max(-left, 0)
    part = echo[above : rows - top, before : columns - left]
    field[
        top + above : top + above + part.shape[0], left + before : left + before + part.shape[1]
    ] += part
