import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from usmicro.evaluation.metrics import auc, bootstrap, dice, free_response, kappa, match


def test_auc_of_known_rankings():
    assert auc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert auc([4, 3, 2, 1], [0, 0, 1, 1]) == 0
    assert auc([1, 1, 1], [0, 1, 1]) == 0.5
    assert auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == 0.75
    assert np.isnan(auc([1, 2], [1, 1]))


def test_auc_is_the_fraction_of_pairs_in_order():
    random = np.random.default_rng(0)
    scores, positive = random.integers(0, 5, 60), random.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert_allclose(auc(scores, positive), np.mean(pairs))
    assert_allclose(auc(-scores, positive), 1 - np.mean(pairs))


def test_kappa_of_a_two_by_two_table():
    # of 50 cases both raters say yes to 20 and no to 15: agreement 0.7, expected by chance 0.5
    one = ["yes"] * 25 + ["no"] * 25
    other = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert_allclose(kappa(one, other), 0.4)
    assert kappa(one, one) == 1
    assert np.isnan(kappa(["no", "no"], ["no", "no"]))


def test_dice_of_overlapping_squares():
    one, other = np.zeros((2, 10, 10), bool)
    one[:4, :4] = True
    other[2:6, :4] = True
    assert dice(one, other) == 0.5
    assert dice(one, ~one) == 0
    assert dice(one & ~one, other & ~other) == 1


def test_match_is_one_to_one_by_falling_confidence():
    detections = match([[10, 10], [11, 10], [50, 50]], [0.5, 0.9, 0.7], [[10, 10, 4]])
    assert_array_equal(detections.confidence, [0.9, 0.7, 0.5])
    assert_array_equal(detections.target, [0, -1, -1])
    assert_array_equal(detections.false_positive, [False, True, True])


def test_a_detection_hits_within_the_least_distance_or_the_radius_of_the_target():
    assert match([[15.9, 10]], [1], [[10, 10, 4]]).target[0] == 0
    assert match([[16.1, 10]], [1], [[10, 10, 4]]).target[0] == -1
    assert match([[19, 10]], [1], [[10, 10, 20]]).target[0] == 0


def test_a_detection_on_an_ignored_mark_is_not_a_false_positive():
    detections = match([[10, 10], [30, 30], [31, 30]], [3, 2, 1], [[10, 10, 4]], [[30, 30, 4]])
    assert not detections.false_positive.any()
    # a target within reach is hit even if an ignored mark is nearer
    assert match([[10, 10]], [1], [[12, 10, 4]], [[10, 10, 4]]).target[0] == 0


def test_match_without_detections_or_targets():
    assert len(match([], [], [[1, 1, 1]]).confidence) == 0
    assert match([[1, 1]], [1], []).false_positive.all()


def test_free_response_of_two_images():
    # three targets; by falling confidence: hit, false positive, hit, false positive
    first = match([[10, 10], [90, 90]], [0.9, 0.8], [[10, 10, 4], [50, 50, 4]])
    second = match([[20, 20], [90, 90]], [0.7, 0.6], [[20, 20, 4]])
    curve = free_response([first, second])
    assert_allclose(curve.threshold, [0.9, 0.8, 0.7, 0.6])
    assert_allclose(curve.sensitivity, [1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert_allclose(curve.false_positives, [0, 0.5, 0.5, 1])
    assert_allclose(
        [curve.sensitivity_at(rate) for rate in (0, 0.49, 0.5, 3)], [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    )


def test_equal_confidences_share_a_threshold():
    tied = match([[10, 10], [90, 90]], [1, 1], [[10, 10, 4]])
    curve = free_response([tied])
    assert curve.sensitivity_at(0.5) == 0
    assert curve.sensitivity_at(1) == 1


def test_a_weight_repeats_an_image():
    first = match([[10, 10]], [0.9], [[10, 10, 4]])
    second = match([[90, 90]], [0.8], [[20, 20, 4]])
    weighted, repeated = (
        free_response([first, second], [1, 3]),
        free_response([first, second, second, second]),
    )
    assert_allclose(weighted.sensitivity_at(1), repeated.sensitivity_at(1))
    assert weighted.sensitivity_at(1) == 0.25


def test_the_bootstrap_interval_of_a_mean_is_as_wide_as_expected_and_reproducible():
    values = np.random.default_rng(1).normal(3, 1, 200)
    estimate = bootstrap(lambda drawn: float(values[drawn].mean()), 200)
    assert_allclose(estimate.value, values.mean())
    expected = 1.96 * values.std() / np.sqrt(200)
    assert_allclose(
        [estimate.value - estimate.low, estimate.high - estimate.value], expected, rtol=0.15
    )
    assert estimate == bootstrap(lambda drawn: float(values[drawn].mean()), 200)


def test_the_threshold_at_a_rate_is_the_lowest_with_at_most_that_rate():
    points = [[10, 10], [90, 90], [20, 20], [80, 80]]
    curve = free_response([match(points, [0.9, 0.8, 0.7, 0.6], [[10, 10, 4], [20, 20, 4]])])
    assert [curve.threshold_at(rate) for rate in (0, 1, 2)] == [0.9, 0.7, 0.6]
    assert free_response([match([[1, 1]], [0.5], [])]).threshold_at(0.5) == np.inf


@pytest.mark.parametrize("count", [0, 3])
def test_the_bootstrap_is_nan_without_measurable_draws(count):
    estimate = bootstrap(lambda drawn: float("nan"), count, rounds=5)
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_whole_groups_are_drawn():
    drawn_pairs = set()

    def statistic(drawn):
        drawn_pairs.update({tuple(drawn[i : i + 2]) for i in range(0, len(drawn), 2)})
        return float(len(drawn))

    bootstrap(
        statistic, 6, groups=[np.array([0, 1]), np.array([2, 3]), np.array([4, 5])], rounds=50
    )
    assert drawn_pairs == {(0, 1), (2, 3), (4, 5)}


def test_correlated_images_have_a_wider_interval_if_they_are_drawn_in_groups():
    values = np.repeat([0.0, 1.0] * 5, 10)
    groups = [np.arange(10 * i, 10 * i + 10) for i in range(10)]
    single = bootstrap(lambda drawn: float(values[drawn].mean()), len(values))
    grouped = bootstrap(lambda drawn: float(values[drawn].mean()), len(values), groups=groups)
    assert grouped.high - grouped.low > 2 * (single.high - single.low)
    assert grouped.value == single.value
