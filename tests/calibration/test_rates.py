import numpy as np
import pytest

from usmicro.calibration.rates import Expected, expected_foci, rate_per_image, threshold_for
from usmicro.foci.models import read_focus_models
from usmicro.foci.operating_point import confidence_at

CURVE = read_focus_models().curve
EXPECTED = expected_foci(CURVE)


def rate_at(threshold, false, images):
    return float((np.asarray(false) >= threshold).sum() / images)


def test_the_expected_rate_is_that_of_the_curve():
    rates, confidences = np.array(CURVE).T
    log_odds = np.log(confidences) - np.log1p(-confidences)
    assert EXPECTED.rate(log_odds) == pytest.approx(rates)
    outside = EXPECTED.rate(np.array([log_odds[0] + 1, log_odds[-1] - 1]))
    assert outside[0] == pytest.approx(rates[0])
    assert outside[1] > rates[-1]


def test_without_images_the_shipped_threshold_is_chosen():
    chosen = threshold_for(0.5, [], 0, EXPECTED)
    assert chosen == pytest.approx(confidence_at(CURVE, 0.5), rel=0.02)


@pytest.mark.parametrize("asked", [0.2, 0.5, 2.0])
def test_with_many_images_the_rate_is_that_asked_for(asked):
    images = 2000
    false = np.random.default_rng(0).beta(0.3, 3, 8 * images)
    chosen = threshold_for(asked, false, images, EXPECTED)
    assert rate_at(chosen, false, images) == pytest.approx(asked, rel=0.05)


def test_few_images_change_the_threshold_less_than_many():
    # five times as many false foci as expected
    def chosen(images):
        rates = np.arange(1, 5 * images * 2) / (5 * images)
        return threshold_for(0.5, [confidence_at(CURVE, rate) for rate in rates], images, EXPECTED)

    shipped = confidence_at(CURVE, 0.5)
    assert shipped < chosen(2) < chosen(10) < chosen(100)
    assert chosen(100) == pytest.approx(confidence_at(CURVE, 0.1), rel=0.2)


def test_a_higher_rate_gives_a_lower_threshold():
    false = np.random.default_rng(1).beta(0.3, 3, 400)
    chosen = [threshold_for(rate, false, 50, EXPECTED) for rate in (0.1, 0.5, 1, 3)]
    assert chosen == sorted(chosen, reverse=True)


def test_a_rate_below_every_threshold_gives_the_highest():
    assert threshold_for(0.01, np.ones(50), 10, EXPECTED) > 0.999


def test_a_rate_that_nothing_exceeds_gives_the_lowest_threshold():
    assert threshold_for(20, [], 1000, Expected(((0.9, 0.1), (0.1, 0.2)), 2.0)) < 1e-4


def test_the_interval_is_that_of_a_poisson_count():
    # exact 95 % interval of a count of 10: 4.80 to 18.39
    groups = [str(i) for i in range(20)]
    rate = rate_per_image([1, 0] * 10, groups)
    assert rate.value == 0.5
    assert (20 * rate.low, 20 * rate.high) == pytest.approx((4.795, 18.39), rel=1e-3)


def test_no_false_ones_have_an_upper_limit():
    rate = rate_per_image([0] * 20, [str(i) for i in range(20)])
    assert (rate.value, rate.low) == (0, 0)
    assert rate.high == pytest.approx(3.689 / 20, rel=1e-3)


def test_counts_that_scatter_and_alike_images_of_a_patient_widen_the_interval():
    apart = [str(i) for i in range(20)]
    even, uneven = [1, 0] * 10, [10, *[0] * 19]
    together = [str(i // 10) for i in range(20)]

    def width(counts, groups):
        rate = rate_per_image(counts, groups)
        return rate.high - rate.low

    assert width(uneven, apart) > 1.5 * width(even, apart)
    assert width([*[1] * 10, *[0] * 10], together) > 1.5 * width([*[1] * 10, *[0] * 10], apart)


def test_the_interval_covers_the_true_rate():
    random = np.random.default_rng(2)
    groups = [str(i) for i in range(40)]
    inside = 0
    for _ in range(200):
        rate = rate_per_image(random.poisson(0.5 * random.gamma(0.5, 2, 40)), groups)
        inside += rate.low <= 0.5 <= rate.high
    assert inside / 200 > 0.88
