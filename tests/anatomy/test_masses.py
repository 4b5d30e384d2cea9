import numpy as np
import pytest

import usmicro
from usmicro.anatomy.masses import (
    BORDER,
    DOUBTFUL_MEAN,
    NETWORK,
    SIZE,
    cut_at_necks,
    predict_masses,
    regions,
)
from usmicro.anatomy.network import averaged_with_mirror_image, predict
from usmicro.preparation import prepare

ROWS, COLUMNS = 100, 200
Y, X = np.mgrid[:ROWS, :COLUMNS]


def disc(x: float, y: float, radius: float) -> np.ndarray:
    return np.hypot(X - x, Y - y) < radius


def bridge(thickness: float, left: int = 50, right: int = 150) -> np.ndarray:
    return (np.abs(Y - 50) <= thickness / 2) & (left < X) & (right > X)


def drawn(parts: list[tuple[tuple[slice, slice], np.ndarray]]) -> np.ndarray:
    """Number of every pixel."""
    out = np.zeros((ROWS, COLUMNS), int)
    for number, (box, inside) in enumerate(parts, start=1):
        assert not out[box][inside].any(), "parts overlap"
        out[box][inside] = number
    return out


@pytest.mark.parametrize(
    "region",
    [disc(50, 50, 30), bridge(60), disc(50, 50, 30) | disc(75, 50, 25)],
    ids=["disc", "block", "lobulated"],
)
def test_a_region_without_neck_stays_as_it_is(region):
    np.testing.assert_array_equal(drawn(cut_at_necks(region, 25.0)) == 1, region)


def test_two_masses_that_a_thin_neck_joins_are_two():
    one, other = disc(50, 50, 30), disc(150, 50, 25)
    parts = cut_at_necks(one | other | bridge(5), 25.0)
    assert len(parts) == 2
    found = drawn(parts)
    for mass in (one, other):
        (number,) = np.unique(found[mass])
        assert number > 0
        assert (found == number).sum() < 1.05 * mass.sum()


def test_a_neck_wider_than_asked_for_is_kept():
    region = disc(50, 50, 30) | disc(150, 50, 25) | bridge(9)
    assert len(cut_at_necks(region, 6.0)) == 1
    assert len(cut_at_necks(region, 25.0)) == 2


def test_a_tail_is_cut_off_and_the_corners_of_a_spindle_stay():
    mass = disc(50, 50, 30)
    assert (drawn(cut_at_necks(mass | bridge(5), 25.0)) > 0).sum() < 1.05 * mass.sum()
    spindle = np.abs(Y - 50) / 20 + np.abs(X - 100) / 60 < 1
    assert (drawn(cut_at_necks(spindle, 25.0)) > 0).sum() > 0.95 * spindle.sum()


def test_turning_a_region_turns_its_parts():
    region = disc(50, 50, 30) | disc(150, 50, 25) | bridge(5)
    turned = drawn(cut_at_necks(region[::-1, ::-1].copy(), 25.0))[::-1, ::-1]
    np.testing.assert_array_equal(turned > 0, drawn(cut_at_necks(region, 25.0)) > 0)


@pytest.mark.parametrize(
    ("name", "is_doubtful"),
    [
        ("mass_linear.png", False),
        ("no_foci.png", False),
        ("mass_sector.png", True),
        ("ducts_nonmass.png", True),
    ],
)
def test_the_mirror_image_is_judged_only_if_a_region_is_doubtful(sample_data, name, is_doubtful):
    scan = usmicro.load(sample_data / name)
    (view,) = prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions)
    alone = predict(view, NETWORK, SIZE, border=BORDER)
    found = regions(view, alone, alone.probability_on(view))
    assert any(region.features["mean"] < DOUBTFUL_MEAN for region in found) == is_doubtful
    both = averaged_with_mirror_image(alone, NETWORK, border=BORDER)
    prediction, probability, again = predict_masses(view)
    np.testing.assert_array_equal(prediction.logit, (both if is_doubtful else alone).logit)
    np.testing.assert_array_equal(probability, prediction.probability_on(view))
    assert len(again) == len(regions(view, prediction, probability))
    plain, _, _ = predict_masses(view, mirrored=False)
    np.testing.assert_array_equal(plain.logit, alone.logit)
