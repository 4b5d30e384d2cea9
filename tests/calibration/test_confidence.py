import numpy as np
import pytest

from usmicro.calibration.confidence import fit_confidence, fit_cross_validated
from usmicro.calibration.labelled import FOLDS, Labelled, folds_of


def site(images, offset, slope, seed=0, candidates=40):
    """Images whose candidates are foci with the probability of a shifted confidence."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(images):
        log_odds = random.normal(-2, 2, candidates)
        is_focus = random.random(candidates) < 1 / (1 + np.exp(-offset - slope * log_odds))
        confidence = 1 / (1 + np.exp(-log_odds))
        found.append(
            Labelled(
                group=f"patient {number}",
                false=confidence[~is_focus],
                found=confidence[is_focus],
                true=int(is_focus.sum()),
            )
        )
    return found


def test_a_shifted_site_is_recovered_from_many_images():
    fit = fit_cross_validated(site(600, offset=-1.2, slope=1.3))
    assert fit.offset == pytest.approx(-1.2, abs=0.15)
    assert fit.slope == pytest.approx(1.3, abs=0.1)
    assert fit.loss_after < fit.loss_before


def test_a_site_like_the_others_keeps_its_confidence():
    fit = fit_cross_validated(site(600, offset=0.0, slope=1.0))
    assert (fit.offset, fit.slope) == pytest.approx((0, 1), abs=0.1)


def test_few_candidates_change_little():
    offset, slope = fit_confidence(np.array([0.2, 0.6]), np.array([False, False]))
    assert -0.8 < offset < 0
    assert slope == pytest.approx(1, abs=0.1)
    assert fit_confidence(np.empty(0), np.empty(0, bool)) == (0, 1)


def test_a_fit_that_is_worse_on_other_patients_is_not_used():
    # each patient has nothing but foci or nothing but others: what one says, the next refutes
    confidence = np.full(40, 0.5)
    images = [
        Labelled(
            group=f"patient {number}",
            false=confidence[: 40 * (number % 2)],
            found=confidence[: 40 * ((number + 1) % 2)],
            true=40 * ((number + 1) % 2),
        )
        for number in range(8)
    ]
    fit = fit_cross_validated(images, (0.0, 1.0))
    if fit.loss_after == fit.loss_before:
        assert (fit.offset, fit.slope) == (0.0, 1.0)
    else:
        assert fit.loss_after < fit.loss_before


def test_folds_keep_patients_together_and_are_of_like_size():
    images = [image for image in site(35, 0, 1, candidates=1) for _ in range(2)]
    folds = folds_of(images)
    assert (folds[::2] == folds[1::2]).all()
    sizes = np.bincount(folds[::2], minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 1
    assert (folds_of(images[::-1])[::-1] == folds).all()
