import numpy as np
import pytest

from training.logistic import fit_logistic


@pytest.fixture
def rows():
    """Return two features and a target that follows a logistic model of them."""
    generator = np.random.default_rng(2)
    features = {"a": generator.normal(3, 2, 4000), "b": generator.normal(0, 0.1, 4000)}
    log_odds = -1 + 0.5 * features["a"] - 8 * features["b"]
    return features, generator.random(4000) < 1 / (1 + np.exp(-log_odds))


def test_the_coefficients_of_the_true_model_are_found(rows):
    model = fit_logistic(*rows)
    assert model.intercept == pytest.approx(-1, abs=0.25)
    assert model.weights["a"] == pytest.approx(0.5, abs=0.06)
    assert model.weights["b"] == pytest.approx(-8, abs=1)


def test_without_penalty_the_mean_probability_is_the_mean_target(rows):
    features, target = rows
    model = fit_logistic(features, target, ridge=0)
    assert np.mean(model.probability(features)) == pytest.approx(target.mean(), abs=1e-3)


def test_a_row_of_double_weight_counts_like_two_rows(rows):
    features, target = ({name: values[:50] for name, values in rows[0].items()}, rows[1][:50])
    weight = np.where(np.arange(50) < 20, 2.0, 1.0)
    repeated = np.concatenate([np.arange(50), np.arange(20)])
    weighted = fit_logistic(features, target, weight)
    twice = fit_logistic({n: v[repeated] for n, v in features.items()}, target[repeated])
    # the scale of the features, to which the penalty refers, is that of the rows without weights
    assert weighted.weights["a"] == pytest.approx(twice.weights["a"], rel=0.05)


def test_a_larger_ridge_gives_smaller_coefficients(rows):
    small, large = fit_logistic(*rows, ridge=1e-3), fit_logistic(*rows, ridge=1.0)
    assert abs(large.weights["a"]) < abs(small.weights["a"])
