from dataclasses import replace

import numpy as np
import pytest

from training.found_regions import (
    FoundRegions,
    confidences_of,
    count_covered,
    fit_confidence,
    masses_on,
    union_of,
)
from training.held_out import ALL
from training.mass_confidence import measured, reliability
from training.outlines import simulated_scans
from training.pictures import reduced
from usmicro.anatomy.network import Region
from usmicro.numerics.logistic import Logistic

SHARES = {"one": 1.0, "other": 1.0}
BY_PEAK = Logistic(0.0, {"peak": 1.0})


def region(peak, rows=slice(2, 6), columns=slice(2, 6)):
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    return Region((rows, columns), np.ones(shape, np.bool_), {"peak": peak})


def found(peaks_and_matches, source="one", *, is_normal=False):
    """Return a picture with a mass in rows and columns 2 to 5, and with these regions."""
    truth = np.zeros((12, 12), np.bool_)
    truth[2:6, 2:6] = not is_normal
    regions = [region(peak) for peak, _ in peaks_and_matches]
    matches = [match for _, match in peaks_and_matches]
    matched = [int(match > 0) for match in matches]
    return FoundRegions(source, 1, regions, matches, matched, truth, is_normal)


@pytest.fixture(scope="module")
def random_scans():
    generator = np.random.default_rng(4)
    scans = []
    for source, offset in (("one", 0.0), ("other", 1.0)):
        for _ in range(60):
            peak = generator.normal(offset, 2)
            is_mass = generator.random() < 1 / (1 + np.exp(-peak + offset))
            scans.append(found([(peak, 0.9 * is_mass)], source))
    return scans


def test_a_source_counts_the_same_whatever_its_size(random_scans):
    doubled = random_scans + [scan for scan in random_scans if scan.source == "other"]
    model, same = (
        fit_confidence(scans, ("peak",), SHARES, 0.5) for scans in (random_scans, doubled)
    )
    assert same.weights["peak"] == pytest.approx(model.weights["peak"], abs=1e-3)
    assert same.intercept == pytest.approx(model.intercept, abs=1e-3)
    assert model.weights["peak"] > 0.4


def test_a_share_moves_the_model_towards_its_source(random_scans):
    models = [
        fit_confidence(random_scans, ("peak",), {"one": share, "other": 1.0}, 0.5)
        for share in (100.0, 0.01)
    ]
    at_zero = [float(model.probability({"peak": 0.0})) for model in models]
    assert at_zero[0] > at_zero[1] + 0.1  # the masses of "other" have larger peaks


def test_a_group_of_its_own_has_its_own_share(random_scans):
    normal = [replace(found([(0.0, 0.0)], "one"), is_normal=True)] * 5
    shares = {"one": 1.0, "other": 1.0, "normal": 1.0}

    def group(scan):
        return "normal" if scan.is_normal else scan.source

    one, ten = (
        fit_confidence(random_scans + times * normal, ("peak",), shares, 0.5, group)
        for times in (1, 10)
    )
    assert one.intercept == pytest.approx(ten.intercept, abs=0.05)
    assert one.intercept < fit_confidence(random_scans, ("peak",), SHARES, 0.5).intercept - 0.3


def test_only_confident_regions_are_in_the_union():
    scan = found([(3.0, 1.0)])
    scan = replace(scan, regions=[*scan.regions, region(-3.0, slice(8, 11), slice(8, 11))])
    confidence = confidences_of(BY_PEAK, scan)
    np.testing.assert_array_equal(union_of(scan, confidence, 0.5), scan.truth)
    assert union_of(scan, confidence, 0.0).sum() == scan.truth.sum() + 9
    assert not union_of(scan, confidence, 1.0).any()


def test_covered_areas_are_counted_one_by_one():
    truth = np.zeros((10, 30), np.bool_)
    truth[2:6, 2:12] = truth[2:6, 18:28] = True
    covering = np.zeros_like(truth)
    covering[2:6, 2:7] = True
    assert count_covered(covering, truth) == (1, 2)
    covering[2:6, 18:20] = True  # 20 % of the second
    assert count_covered(covering, truth) == (1, 2)
    assert count_covered(truth, truth) == (2, 2)
    assert count_covered(covering, np.zeros_like(truth)) == (0, 0)


def test_normal_images_are_measured_apart():
    scans = [
        found([(3.0, 1.0)]),
        found([(-3.0, 1.0)]),
        found([(3.0, 0.0), (2.0, 0.0)], is_normal=True),
        found([], is_normal=True),
    ]
    figures = measured(scans, BY_PEAK, 0.5)
    assert figures["images with a mass"] == 2
    assert figures["Dice, mean"] == pytest.approx(0.5)
    assert figures["masses found"] == pytest.approx(0.5)
    assert figures["false masses per image"] == 0
    assert figures["normal images"] == 2
    assert figures["masses per normal image"] == pytest.approx(1)
    without_normal = measured(scans[:2], BY_PEAK, 0.5)
    assert without_normal["masses per normal image"] is None


def test_a_mass_that_two_regions_find_counts_once():
    figures = measured([found([(3.0, 0.6), (3.0, 0.6)])], BY_PEAK, 0.5)
    assert figures["masses found"] == 1


def test_a_true_confidence_equals_the_share_of_masses():
    generator = np.random.default_rng(8)
    scans = []
    for peak in generator.normal(0, 2, 4000):
        is_mass = generator.random() < 1 / (1 + np.exp(-peak))
        scans.append(found([(peak, 0.9 * is_mass)]))
    for row in reliability(scans, BY_PEAK).values():
        assert row["share true"] == pytest.approx(row["mean confidence"], abs=0.05)


@pytest.mark.slow
def test_the_mass_of_a_simulated_scan_is_found():
    picture = next(
        picture
        for scan in simulated_scans(range(20, 40))
        if (picture := reduced(scan)).outline.any()
    )
    scan = masses_on(picture, ALL)
    assert max(scan.match) > 0.5
    assert not scan.is_normal
