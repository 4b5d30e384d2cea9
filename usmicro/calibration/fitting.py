"""Fit the settings of a site to a labelled run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.calibration.confidence import fit_cross_validated
from usmicro.calibration.files import write_files
from usmicro.calibration.labelled import (
    Labelled,
    folds_of,
    labelled_foci,
    labelled_masses,
    labelled_scores,
)
from usmicro.calibration.rates import (
    EXPECTED_CALCIFIED,
    EXPECTED_MASSES,
    Expected,
    Rate,
    expected_foci,
    rate_per_image,
    threshold_for,
)
from usmicro.calibration.result import Calibration, Choice
from usmicro.errors import UsageError
from usmicro.evaluation.evaluate import listed_from
from usmicro.evaluation.matching import compare
from usmicro.evaluation.metrics import LEAST_DISTANCE_PX, bootstrap
from usmicro.evaluation.sources import read_labels
from usmicro.foci.models import read_focus_models
from usmicro.foci.operating_point import listing_confidence
from usmicro.foci.site import model_confidence, site_confidence
from usmicro.settings import CalibrationSettings, Settings, with_values
from usmicro.writing.report.run import Run, read_run

Floats = NDArray[np.float64]

FALSE_FOCI, FALSE_MASSES, FALSE_CALCIFIED = 0.5, 0.1, 0.1
"""Default rates: false foci and false masses per image, and share of the images without
calcifications that are called calcified."""

LEAST_FALSE = 5
"""Smallest number of false findings that a site must be expected to have at the rate asked for.
With 10 images at 0.5 false foci each, calibration comes closer to the rate than the defaults do, on
average over five hospitals: 0.58 instead of 0.75 in the mean error of the logarithm of the rate
(`python -m benchmarks.calibration`)."""


def calibrate(
    results: str | Path,
    truth: str | Path,
    *,
    out: str | Path | None = None,
    false_foci: float = FALSE_FOCI,
    false_masses: float | None = None,
    false_calcified: float | None = None,
    least_distance: float = LEAST_DISTANCE_PX,
) -> Calibration:
    """Fit settings to a site, from a run of its scans and their labels.

    The run must have kept every candidate (`foci.minimum_confidence=0`). Offset and slope of the
    confidence are fitted, and thresholds are chosen for the rates. Both are pulled towards what was
    measured in other hospitals, the more the fewer images there are.

    Parameters
    ----------
    results : path
        The --out folder of a finished run.
    truth : path
        What `usmicro.evaluation.evaluate` reads, such as the review.csv that a report exports.
    out : path, optional
        File of settings, such as calibration.toml. A page of the same name that ends with .html is
        written beside it. If not given, nothing is written.
    false_foci : float
        False foci per image.
    false_masses : float, optional
        False masses per image. If not given, 0.1, where the labels allow it.
    false_calcified : float, optional
        Share of the images without calcifications that are called calcified. If not given, 0.1,
        where the labels allow it.
    least_distance : float
        As in `usmicro.evaluation.evaluate`.

    Returns
    -------
    Calibration

    Raises
    ------
    UsageError
        If the run did not keep every candidate, the labels do not fit it or do not say what a rate
        needs, there are too few labelled images, or the output cannot be written.
    SettingsError
        If the settings of the run are unknown to this version.
    """
    _check_rates(false_foci, false_masses, false_calcified, least_distance)
    run = read_run(Path(results))
    if listed_from(run.record) > 0:
        raise UsageError(
            f"{run.folder}: the run lists foci from a confidence of {listed_from(run.record):.3g} "
            "on, but calibration needs every candidate; analyse the scans again, into another "
            "folder, with usmicro run --set foci.minimum_confidence=0, and use that run with the "
            "same labels"
        )
    settings = _settings_of(run)
    default = listing_confidence(replace(settings.foci, minimum_confidence=-1.0))
    labels = read_labels(Path(truth), run, listed=default, least_distance=least_distance)
    comparison = compare(run, labels.truth, least_distance=least_distance)
    remarks = list(comparison.remarks)
    if settings.foci.models:
        remarks.append(
            f"the run used the models {settings.foci.models}; the rates that are expected are "
            "those of the models of the package"
        )
    foci = labelled_foci(comparison, settings.foci)
    if text := _too_few(foci, false_foci, "have marked foci", "--false-foci"):
        raise UsageError(f"{truth}: {text}")
    fit = fit_cross_validated(
        foci, (settings.foci.confidence_offset, settings.foci.confidence_slope)
    )
    fitted = replace(
        settings,
        foci=replace(settings.foci, confidence_offset=fit.offset, confidence_slope=fit.slope),
    )
    expected = expected_foci(read_focus_models("").curve)

    def on_scale(confidence: float) -> float:
        return float(f"{site_confidence(confidence, fitted.foci):.6g}")

    before = model_confidence(default, settings.foci)
    choice = _choice(foci, before, false_foci, expected, "foci.minimum_confidence", "false foci")
    choices = [replace(choice, old=on_scale(choice.old), new=on_scale(choice.new))]
    values: dict[str, dict[str, Any]] = {"foci": {"minimum_confidence": choices[0].new}}
    others: tuple[tuple[str, str, float | None, float, str, Expected, list[Labelled], str], ...] = (
        ("anatomy.mass_threshold", "false masses", false_masses, FALSE_MASSES, "--false-masses",
         EXPECTED_MASSES, labelled_masses(comparison, run, labels.truth),
         "have outlined masses"),
        ("labels.calcification", "images called calcified", false_calcified, FALSE_CALCIFIED,
         "--false-calcified", EXPECTED_CALCIFIED, labelled_scores(comparison),
         "are labelled as without calcification"),
    )  # fmt: skip
    for setting, what, asked, usual, option, prior, images, which in others:
        group, _, name = setting.partition(".")
        if text := _too_few(images, asked or usual, which, option):
            if asked is not None:
                raise UsageError(f"{truth}: {text}")
            remarks.append(f"{setting} is not calibrated: {text}")
            continue
        present = float(getattr(getattr(settings, group), name))
        least = present if setting == "anatomy.mass_threshold" else 0.0
        choice = _choice(images, present, asked or usual, prior, setting, what, least)
        if least and choice.new == least:
            remarks.append(
                f"{setting} stays at {present:g}: the run has no masses of a lower confidence; run "
                f"with a lower --set {setting}, if more false masses are acceptable"
            )
        elif least:
            remarks.append(
                f"{setting} changes from {present:g} to {choice.new:g}, which changes the "
                "confidence of some foci; for exact rates, run again with this calibration and "
                "--set foci.minimum_confidence=0, and calibrate that run"
            )
        choices.append(choice)
        values.setdefault(group, {})[name] = choice.new
    remarks.append(
        "shadow.posterior_shadowing and shadow.posterior_enhancement are not calibrated: no labels "
        "that are read state posterior features of masses"
    )
    calibrated = with_values(fitted, values, source="calibration")
    result = Calibration(
        settings=calibrated,
        changed={},
        choices=tuple(choices),
        loss_before=fit.loss_before,
        loss_after=fit.loss_after,
        run=_run_hash(run),
        by_patient=any(image.truth.patient for image in comparison.images),
        remarks=tuple(remarks),
        foci=tuple(foci),
    )
    named = CalibrationSettings(source=_source(result))
    calibrated = replace(calibrated, calibration=named)
    result = replace(result, settings=calibrated, changed=_changed(calibrated))
    if out is not None:
        write_files(result, Path(out))
    return result


def _check_rates(foci: float, masses: float | None, share: float | None, distance: float) -> None:
    for option, value, least, most in (
        ("--false-foci", foci, 0.05, 20.0),  # the limits of foci.false_positives_per_image
        ("--false-masses", masses, 0.01, 20.0),
        ("--false-calcified", share, 0.01, 1.0),
    ):
        if value is not None and not least <= value <= most:
            raise UsageError(f"{option} {value:g}: expected a number from {least:g} to {most:g}")
    if not (math.isfinite(distance) and distance > 0):
        raise UsageError(f"--distance {distance:g}: expected a number of pixels above 0")


def _settings_of(run: Run) -> Settings:
    return with_values(Settings(), run.record["settings"], source=f"{run.folder / 'run.json'}")


def _too_few(images: Sequence[Labelled], asked: float, which: str, option: str) -> str:
    """Return what to do if there are too few images for a rate; empty if there are enough."""
    count = sum(image.counts for image in images)
    needed = math.ceil(LEAST_FALSE / asked)
    if count >= needed:
        return ""
    return (
        f"images of the run that {which}: {count}; {option} {asked:g} needs at "
        f"least {needed}, so that {LEAST_FALSE} false ones can be expected among them; label "
        f"{needed - count} more, or ask for a higher rate"
    )


def _choice(
    images: Sequence[Labelled],
    present: float,
    asked: float,
    expected: Expected,
    setting: str,
    what: str,
    least: float = 0.0,
) -> Choice:
    """Choose a threshold of at least `least`, and cross-validate it."""

    def chosen(among: Sequence[Labelled]) -> float:
        counted = [image for image in among if image.counts]
        false = np.concatenate([np.empty(0), *(image.false for image in counted)])
        return max(threshold_for(asked, false, len(counted), expected), least)

    folds = folds_of(images)
    without = {
        fold: chosen([image for image, own in zip(images, folds, strict=True) if own != fold])
        for fold in np.unique(folds).tolist()
    }
    thresholds = np.array([without[fold] for fold in folds.tolist()])
    before = np.full(len(images), present)
    counted = [image for image in images if image.counts]
    return Choice(
        setting=setting,
        what=f"{what} per image",
        asked=asked,
        old=present,
        new=chosen(images),
        images=len(counted),
        groups=len({image.group for image in counted}),
        true=sum(image.true for image in images),
        rate_before=_rate(images, before),
        rate_after=_rate(images, thresholds),
        found_before=_share_found(images, before),
        found_after=_share_found(images, thresholds),
    )


def _rate(images: Sequence[Labelled], thresholds: Floats) -> Rate:
    counted = [(i, t) for i, t in zip(images, thresholds, strict=True) if i.counts]
    return rate_per_image(
        [int((image.false >= t).sum()) for image, t in counted],
        [image.group for image, _ in counted],
    )


def _share_found(images: Sequence[Labelled], thresholds: Floats) -> Rate | None:
    """Return the share of the true findings that are found, with its interval over groups."""
    true = np.array([image.true for image in images])
    if not true.any():
        return None
    found = np.array([(i.found >= t).sum() for i, t in zip(images, thresholds, strict=True)])
    _, group = np.unique([image.group for image in images], return_inverse=True)
    groups = [np.flatnonzero(group == number) for number in range(int(group.max()) + 1)]

    def share(drawn: NDArray[np.intp]) -> float:
        return float(found[drawn].sum() / true[drawn].sum()) if true[drawn].any() else math.nan

    estimate = bootstrap(share, len(images), groups=groups)
    return Rate(estimate.value, estimate.low, estimate.high)


def _run_hash(run: Run) -> str:
    """Return a short hash of the tables of a run, which does not depend on its folder or time."""
    content = repr(sorted((name, rows) for name, rows in run.foci.items()))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _source(result: Calibration) -> str:
    """Describe a calibration in one line."""
    foci = result.choices[0]
    rate = foci.rate_after
    patients = f" of {foci.groups} patients" if result.by_patient else ""
    return (
        f"run {result.run}: {foci.images} images{patients}, {foci.true} foci; {foci.asked:g} false "
        f"foci per image asked for, {rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f}) found by "
        "cross-validation"
    )


def _changed(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the values that differ from the defaults, by group and name."""
    usual: Mapping[str, Mapping[str, Any]] = asdict(Settings())
    is_other: Callable[[str, str, Any], bool] = lambda g, n, v: usual[g][n] != v  # noqa: E731
    changed = {
        group: {name: value for name, value in values.items() if is_other(group, name, value)}
        for group, values in asdict(settings).items()
    }
    return {group: values for group, values in changed.items() if values}
