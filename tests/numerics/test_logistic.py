import numpy as np
import pytest

from usmicro.numerics.logistic import Logistic, read_models, write_models


def test_the_probability_follows_the_logistic_function():
    model = Logistic(-1.0, {"size": 2.0, "contrast": 0.5})
    features = {"size": np.array([0.0, 1.0]), "contrast": 2.0, "unused": np.nan}
    expected = 1 / (1 + np.exp(-np.array([0.0, 2.0])))
    np.testing.assert_allclose(model.probability(features), expected)


@pytest.mark.parametrize("size", [-1e9, 1e9])
def test_extreme_features_give_probabilities_within_0_and_1(size):
    assert 0 < Logistic(0.0, {"size": 1.0}).probability({"size": size}) < 1


def test_written_models_are_read_back_and_others_are_kept(tmp_path):
    file = tmp_path / "models.json"
    first, second = Logistic(1.0, {"a": 2.0}), Logistic(-0.1, {})
    write_models({"first": first}, file)
    write_models({"second": second}, file)
    assert read_models(file) == {"first": first, "second": second}
