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


def test_kappa_of_a_textbook_table():
    # 20 both yes, 15 both no, 5 and 10 of 50 in disagreement: agreement 0.7, by chance 0.5
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


def test_match_is_one_to_one_and_strongest_first():
    found = match([[10, 10], [11, 10], [50, 50]], [0.5, 0.9, 0.7], [[10, 10, 4]])
    assert_array_equal(found.confidence, [0.9, 0.7, 0.5])
    assert_array_equal(found.target, [0, -1, -1])
    assert_array_equal(found.counts, [False, True, True])


def test_match_reaches_as_far_as_the_target():
    assert match([[15.9, 10]], [1], [[10, 10, 4]]).target[0] == 0
    assert match([[16.1, 10]], [1], [[10, 10, 4]]).target[0] == -1
    assert match([[19, 10]], [1], [[10, 10, 20]]).target[0] == 0


def test_match_leaves_out_what_lies_on_an_ignored_mark():
    found = match([[10, 10], [30, 30], [31, 30]], [3, 2, 1], [[10, 10, 4]], [[30, 30, 4]])
    assert not found.counts.any()
    # a target wins over an ignored mark at the same place
    assert match([[10, 10]], [1], [[12, 10, 4]], [[10, 10, 4]]).target[0] == 0


def test_match_without_detections_or_targets():
    assert len(match([], [], [[1, 1, 1]]).confidence) == 0
    assert match([[1, 1]], [1], []).counts.all()


def test_free_response_by_hand():
    # two images, three targets; by falling confidence: hit, false, hit, false
    first = match([[10, 10], [90, 90]], [0.9, 0.8], [[10, 10, 4], [50, 50, 4]])
    second = match([[20, 20], [90, 90]], [0.7, 0.6], [[20, 20, 4]])
    curve = free_response([first, second])
    assert_allclose(curve.threshold, [0.9, 0.8, 0.7, 0.6])
    assert_allclose(curve.sensitivity, [1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert_allclose(curve.false_positives, [0, 0.5, 0.5, 1])
    assert_allclose(
        [curve.sensitivity_at(rate) for rate in (0, 0.49, 0.5, 3)], [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    )


def test_free_response_does_not_part_ties():
    tied = match([[10, 10], [90, 90]], [1, 1], [[10, 10, 4]])
    curve = free_response([tied])
    assert curve.sensitivity_at(0.5) == 0
    assert curve.sensitivity_at(1) == 1


def test_free_response_weights_count_images():
    first = match([[10, 10]], [0.9], [[10, 10, 4]])
    second = match([[90, 90]], [0.8], [[20, 20, 4]])
    weighted, repeated = (
        free_response([first, second], [1, 3]),
        free_response([first, second, second, second]),
    )
    assert_allclose(weighted.sensitivity_at(1), repeated.sensitivity_at(1))
    assert weighted.sensitivity_at(1) == 0.25


def test_bootstrap_covers_the_mean_and_repeats_itself():
    values = np.random.default_rng(1).normal(3, 1, 200)
    estimate = bootstrap(lambda drawn: float(values[drawn].mean()), 200)
    assert_allclose(estimate.value, values.mean())
    expected = 1.96 * values.std() / np.sqrt(200)
    assert_allclose(
        [estimate.value - estimate.low, estimate.high - estimate.value], expected, rtol=0.15
    )
    assert estimate == bootstrap(lambda drawn: float(values[drawn].mean()), 200)


@pytest.mark.parametrize("count", [0, 3])
def test_bootstrap_of_nothing_measurable_is_nan(count):
    estimate = bootstrap(lambda drawn: float("nan"), count, rounds=5)
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_groups_are_drawn_whole():
    seen = set()

    def statistic(drawn):
        seen.update({tuple(drawn[i : i + 2]) for i in range(0, len(drawn), 2)})
        return float(len(drawn))

    bootstrap(
        statistic, 6, groups=[np.array([0, 1]), np.array([2, 3]), np.array([4, 5])], rounds=50
    )
    assert seen == {(0, 1), (2, 3), (4, 5)}


def test_images_of_one_group_have_a_wider_interval_than_as_many_single_ones():
    values = np.repeat([0.0, 1.0] * 5, 10)
    groups = [np.arange(10 * i, 10 * i + 10) for i in range(10)]
    alone = bootstrap(lambda drawn: float(values[drawn].mean()), len(values))
    together = bootstrap(lambda drawn: float(values[drawn].mean()), len(values), groups=groups)
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.value == alone.value
