import numpy as np
import pytest

from usmicro.foci.false_alarm import (
    ANCHORS,
    FEWEST,
    LEAST,
    LOG10_PROBABILITY,
    STANDARDISED,
    USUAL,
    SpeckleResponses,
)

RESPONSES = LEAST + np.random.default_rng(1).gamma(3.0, 0.2, 4000)


def test_anchors_are_quantiles_of_the_responses():
    found = SpeckleResponses.of(RESPONSES)
    assert found.blobs == RESPONSES.size
    for level, share in zip((found.lower, found.upper), ANCHORS, strict=True):
        assert np.mean(level >= RESPONSES) == pytest.approx(share, abs=1e-3)


def test_a_view_of_few_blobs_takes_the_usual_anchors():
    found = SpeckleResponses.of(RESPONSES[: FEWEST - 1])
    assert (found.lower, found.upper) == USUAL


@pytest.mark.parametrize(("scale", "shift"), [(2.0, 0.0), (0.5, 0.3)])
def test_stretched_responses_are_as_probable(scale, shift):
    plain = SpeckleResponses.of(RESPONSES).false_alarm(RESPONSES)
    stretched = RESPONSES * scale + shift
    np.testing.assert_allclose(
        SpeckleResponses.of(stretched).false_alarm(stretched), plain, rtol=1e-6
    )


def test_stronger_responses_are_less_probable_far_beyond_the_table():
    found = SpeckleResponses.of(RESPONSES)
    levels = found.lower + (found.upper - found.lower) * np.linspace(STANDARDISED[0], 20, 200)
    assert (np.diff(found.false_alarm(levels)) < 0).all()
    assert (np.diff(LOG10_PROBABILITY) < 0).all()


def test_a_handful_of_strong_foci_hardly_changes_what_speckle_does():
    with_foci = np.concatenate([RESPONSES, np.full(20, 10.0)])
    plain, among_foci = (
        SpeckleResponses.of(part).false_alarm(RESPONSES) for part in (RESPONSES, with_foci)
    )
    np.testing.assert_allclose(np.log10(among_foci), np.log10(plain), rtol=0.07)
