import numpy as np
import pytest

from usmicro.foci.false_alarm import (
    ANCHORS,
    DEFAULT_ANCHORS,
    LEAST_BLOBS,
    LEAST_RESPONSE,
    LOG10_PROBABILITY,
    STANDARDISED,
    SpeckleResponses,
)

RESPONSES = LEAST_RESPONSE + np.random.default_rng(1).gamma(3.0, 0.2, 4000)


def test_the_anchors_are_quantiles_of_the_responses():
    scale_of_view = SpeckleResponses.of(RESPONSES)
    assert scale_of_view.blobs == RESPONSES.size
    for level, share in zip((scale_of_view.lower, scale_of_view.upper), ANCHORS, strict=True):
        assert np.mean(level >= RESPONSES) == pytest.approx(share, abs=1e-3)


def test_a_view_with_few_blobs_has_the_default_anchors():
    scale_of_view = SpeckleResponses.of(RESPONSES[: LEAST_BLOBS - 1])
    assert (scale_of_view.lower, scale_of_view.upper) == DEFAULT_ANCHORS


@pytest.mark.parametrize(("scale", "offset"), [(2.0, 0.0), (0.5, 0.3)])
def test_probabilities_do_not_depend_on_scale_and_offset_of_the_responses(scale, offset):
    plain = SpeckleResponses.of(RESPONSES).false_alarm(RESPONSES)
    stretched = RESPONSES * scale + offset
    np.testing.assert_allclose(
        SpeckleResponses.of(stretched).false_alarm(stretched), plain, rtol=1e-6
    )


def test_probability_falls_with_the_response_also_beyond_the_table():
    scale_of_view = SpeckleResponses.of(RESPONSES)
    levels = scale_of_view.lower + (scale_of_view.upper - scale_of_view.lower) * np.linspace(
        STANDARDISED[0], 20, 200
    )
    assert (np.diff(scale_of_view.false_alarm(levels)) < 0).all()
    assert (np.diff(LOG10_PROBABILITY) < 0).all()


def test_a_few_strong_foci_hardly_change_the_probabilities():
    with_foci = np.concatenate([RESPONSES, np.full(20, 10.0)])
    plain, among_foci = (
        SpeckleResponses.of(part).false_alarm(RESPONSES) for part in (RESPONSES, with_foci)
    )
    np.testing.assert_allclose(np.log10(among_foci), np.log10(plain), rtol=0.07)
