import numpy as np
import pytest

from usmicro.foci.context import LEAST_SUM, context_features
from usmicro.foci.measures import log_odds

NEAR = ("log_near_3mm", "log_near_8mm")
ALONE = np.log(LEAST_SUM)


def context(x, confidence, y=None):
    """Context of candidates at columns `x` and rows `y`, in mm."""
    x = np.array(x, float)
    return context_features(x, np.zeros(len(x)) if y is None else y, np.array(confidence, float))


@pytest.fixture
def scattered():
    """Columns, rows and confidences of forty candidates within 20 mm."""
    random = np.random.default_rng(4)
    return random.uniform(0, 20, 40), random.uniform(0, 20, 40), random.uniform(0, 1, 40) ** 3


def test_a_single_candidate_has_no_context():
    features = context([5], [0.9])
    assert features["best_other"] == log_odds(np.zeros(1))
    for name in (*NEAR, "log_elsewhere"):
        assert features[name] == pytest.approx([ALONE])


def test_no_candidates_have_empty_context():
    assert {values.shape for values in context([], []).values()} == {(0,)}


def test_candidates_that_are_far_apart_are_no_neighbours():
    features = context([0, 30], [0.2, 0.7])
    for name in NEAR:
        assert features[name] == pytest.approx([ALONE, ALONE])
    assert features["log_elsewhere"] == pytest.approx(np.log(np.array([0.7, 0.2]) + LEAST_SUM))
    assert features["best_other"] == pytest.approx(log_odds(np.array([0.7, 0.2])))


@pytest.mark.parametrize(
    ("distance", "counts"), [(2.9, (True, True)), (3.1, (False, True)), (8.1, (False, False))]
)
def test_neighbours_count_within_their_radius(distance, counts):
    features = context([0, distance], [0.2, 0.7])
    for name, counted in zip(NEAR, counts, strict=True):
        assert features[name][0] == pytest.approx(np.log(0.7 * counted + LEAST_SUM))


def test_more_confident_neighbours_raise_the_context(scattered):
    x, y, confidence = scattered
    before = context_features(x, y, confidence)
    higher = np.minimum(confidence + 0.1, 1)
    higher[0] = confidence[0]
    for name, values in context_features(x, y, higher).items():
        assert np.all(values >= before[name] - 1e-12), name
        assert values[0] > before[name][0] or name in NEAR, name
    one_more = context_features(*(np.append(v, v[0]) for v in scattered))
    for name in (*NEAR, "log_elsewhere"):
        assert one_more[name][0] > before[name][0]


def test_the_context_of_a_candidate_does_not_depend_on_its_own_confidence(scattered):
    x, y, confidence = scattered
    before = context_features(x, y, confidence)
    for own in (0.0, 1.0):
        changed = confidence.copy()
        changed[7] = own
        for name, values in context_features(x, y, changed).items():
            assert values[7] == pytest.approx(before[name][7]), name


def test_the_context_follows_the_order_of_the_candidates(scattered):
    order = np.random.default_rng(5).permutation(len(scattered[0]))
    before, after = context_features(*scattered), context_features(*(v[order] for v in scattered))
    for name, values in after.items():
        np.testing.assert_allclose(values, before[name][order], atol=1e-9, err_msg=name)


def test_the_context_does_not_depend_on_where_the_candidates_lie(scattered):
    x, y, confidence = scattered
    before, moved = context_features(*scattered), context_features(-y + 100, x - 50, confidence)
    for name, values in moved.items():
        np.testing.assert_allclose(values, before[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("confidence", "others"),
    [
        ([0.5, 0.9, 0.2], [0.9, 0.5, 0.9]),
        ([0.9, 0.5, 0.9], [0.9, 0.9, 0.9]),
        ([0.3, 0.1], [0.1, 0.3]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_the_best_other_is_the_highest_confidence_of_the_others(confidence, others):
    features = context(range(len(confidence)), confidence)
    np.testing.assert_array_equal(features["best_other"], log_odds(np.array(others)))
