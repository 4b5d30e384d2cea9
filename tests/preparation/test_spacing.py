import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from usmicro import analyze, load
from usmicro.model.scan import Spacing
from usmicro.model.warnings import WarningCode
from usmicro.preparation import prepare
from usmicro.preparation.spacing import credible, nominal_pixel_mm, pixel_aspect

SAMPLE = Path(__file__).parents[2] / "sample_data" / "mass_linear.png"


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        (Spacing(0.1, 0.1, "given"), 1.0),
        (Spacing(0.1, 0.16, "given"), 1.6),
        (Spacing(0.1, 0.06, "given"), 0.6),
        (Spacing(), 1.0),
        (Spacing(aspect=2.0), 2.0),
        (Spacing(aspect=40.0), 1.0),
        (Spacing(0.1, None, "given"), 1.0),
        (Spacing(0.0, 0.1, "given"), 1.0),
        (Spacing(0.1, np.nan, "given"), 1.0),
        (Spacing(np.inf, 0.1, "given"), 1.0),
        (Spacing(0.1, 5.0, "given"), 1.0),
    ],
)
def test_aspect_is_height_over_width_of_a_pixel_if_plausible(spacing, expected):
    assert pixel_aspect(spacing) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("factor", "guess"),
    [
        (0.1, "in cm"),
        (0.001, "in m"),
        (1000, "in micrometres"),
        (10, "in tenths of a mm"),
    ],
)
def test_spacing_in_another_unit_is_rejected_and_the_unit_is_guessed(factor, guess):
    true_mm = nominal_pixel_mm(600, 500, sector=False)
    spacing, remarks = credible(
        Spacing(true_mm * factor, true_mm * factor, "given"), 600, 500, sector=False
    )
    assert (spacing.known, spacing.source) == (False, "rejected")
    (warning,) = remarks
    assert warning.code == WarningCode.SPACING_REJECTED
    assert warning.text.endswith(f": is it {guess}?")


@pytest.mark.parametrize("given", ["pixels per mm", "dots per inch"])
def test_number_of_pixels_for_a_length_is_recognised(given):
    true_mm = nominal_pixel_mm(600, 500, sector=False)
    value = {"pixels per mm": 1, "dots per inch": 25.4}[given] / true_mm
    _, (warning,) = credible(Spacing(value, value, "given"), 600, 500, sector=False)
    assert warning.text.endswith(f": is it given as {given}?")


@pytest.mark.parametrize("depth_mm", [8.5, 20.0, 40.0, 90.0, 150.0])
def test_depths_of_breast_and_other_scans_are_credible(depth_mm):
    height = 500
    spacing = Spacing(depth_mm / height, depth_mm / height, "given")
    assert credible(spacing, 600, height, sector=depth_mm > 60) == (spacing, ())


@pytest.mark.parametrize("depth_mm", [1.0, 7.9, 251.0, 4000.0])
def test_depths_that_no_breast_has_are_rejected(depth_mm):
    spacing = Spacing(depth_mm / 500, depth_mm / 500, "region")
    rejected, (warning,) = credible(spacing, 600, 500, sector=False)
    assert rejected.source == "rejected"
    assert f"{depth_mm:.3g} mm deep" in warning.text


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -0.1])
def test_value_that_is_no_length_is_rejected(value):
    assert credible(Spacing(0.1, value, "region"), 600, 500, sector=False)[0].source == "rejected"


def test_analysis_with_a_rejected_spacing_reports_no_mm_and_warns_once():
    analysis = analyze(load(SAMPLE, spacing=Spacing(0.007, 0.007, "given")))
    summary = analysis.summary
    assert (summary.spacing_x_mm, summary.spacing_y_mm) == (None, None)
    assert summary.spacing_source == "rejected"
    assert [warning.code for warning in analysis.warnings] == [WarningCode.SPACING_REJECTED]
    assert analysis.foci
    assert analysis.masses
    assert {focus.diameter_mm for focus in analysis.foci} == {None}
    assert {mass.width_mm for mass in analysis.masses} == {None}


def test_known_shape_of_pixels_without_mm_gives_the_grid_of_the_true_shape():
    image = next(load(SAMPLE).frames())
    rows, columns = image.shape[:2]
    stretched = cv2.resize(image, (2 * columns, rows), interpolation=cv2.INTER_CUBIC)
    square = prepare(image)[0]
    view = prepare(stretched, spacing=Spacing(aspect=2.0))[0]
    assert view.grid.pixel_mm == pytest.approx(square.grid.pixel_mm, rel=0.03)
    assert view.grid.step_x / view.grid.step_y == pytest.approx(2.0)
    assert np.subtract(view.shape, square.shape) == pytest.approx([0, 0], abs=12)
