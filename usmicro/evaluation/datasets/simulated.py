"""The true foci of a simulated scan, in the form in which marks of real scans are read."""

from __future__ import annotations

from usmicro.evaluation.targets import Target
from usmicro.phantom.simulation import Phantom


def targets_of_phantom(phantom: Phantom) -> tuple[Target, ...]:
    """Return the true foci of a simulated scan, in pixels of its frames.

    Twinkling is None if the scan has no colour Doppler.
    """
    return tuple(
        Target(
            x=tuple(focus.x_px),
            y=tuple(focus.y_px),
            diameter=focus.diameter_mm / phantom.settings.spacing,
            contrast_db=focus.contrast_db,
            label=focus.label,
            shadow=focus.shadow,
            twinkling=focus.twinkling if phantom.settings.colour else None,
        )
        for focus in phantom.truth.foci
    )
