"""The result of a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from usmicro.calibration.labelled import Labelled
from usmicro.calibration.rates import Rate
from usmicro.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A threshold that was chosen for a rate, and what it gives.

    The figures after calibration are cross-validated: each image is judged by a threshold that was
    chosen without its patient.
    """

    setting: str
    """Name of the setting, such as "anatomy.mass_threshold"."""
    what: str
    """What the rate counts, such as "false foci per image"."""
    asked: float
    """Rate that was asked for."""
    old: float
    """Value of the setting before calibration, on the scale after it."""
    new: float
    """Chosen value."""
    images: int
    """Number of images on which the rate is counted."""
    groups: int
    """Number of their patients; an image without patient counts as one."""
    true: int
    """Number of true findings."""
    rate_before: Rate
    rate_after: Rate
    found_before: Rate | None
    """Share of the true findings that are found; None without any."""
    found_after: Rate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Settings that were fitted to a site."""

    settings: Settings
    """The settings of the run with the fitted values."""
    changed: Mapping[str, Mapping[str, Any]]
    """The values of `settings` that differ from the defaults, by group and name."""
    choices: tuple[Choice, ...]
    """Foci first, then masses and the calcification of images, if they were calibrated."""
    loss_before: float
    """Mean logarithmic loss of the confidence of the candidates before calibration."""
    loss_after: float
    """The same after calibration, cross-validated."""
    run: str
    """Short hash of the tables of the run."""
    by_patient: bool
    """True if patients are known, so that the cross-validation leaves out whole patients."""
    remarks: tuple[str, ...] = ()
    """What was not calibrated, and what to do."""
    foci: tuple[Labelled, ...] = field(default=(), repr=False)
    """The labelled foci of each image, with the confidences of the models."""
