import numpy as np
import pytest

from usmicro.numerics.quantiles import masked_quantiles, quantile

SHARES = [0.0, 0.01, 0.25, 0.5, 0.75, 0.95, 1.0]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("count", [1, 2, 3, 50, 4001])
def test_quantiles_are_those_of_numpy(count, share):
    rng = np.random.default_rng(count)
    for values in (rng.normal(90, 80, count), rng.integers(0, 4, count)):
        for dtype in (np.float32, np.float64):
            expected = np.quantile(values.astype(dtype), share)
            assert quantile(values.astype(dtype), share) == pytest.approx(
                expected, rel=1e-6, abs=1e-6
            )


@pytest.mark.parametrize("share", SHARES)
def test_masked_quantiles_are_those_of_numpy(share):
    rng = np.random.default_rng(2)
    for grey in (
        rng.normal(90, 80, (40, 50)),
        rng.integers(0, 4, (40, 50)),
        np.full((40, 50), 300.0),
    ):
        grey, mask = grey.astype(np.float32), rng.random((40, 50)) < 0.5
        assert masked_quantiles(grey, mask, (share,))[0] == pytest.approx(
            np.quantile(grey[mask], share), rel=1e-6, abs=1e-6
        )


@pytest.mark.parametrize("count", [1, 2, 2000])
def test_several_quantiles_in_any_order_are_those_taken_one_by_one(count):
    rng = np.random.default_rng(3)
    grey, mask = rng.normal(90, 80, (40, 50)).astype(np.float32), np.zeros((40, 50), bool)
    mask.flat[:count] = True
    shares = [0.95, 0.0, 0.5, 0.5, 1.0, 0.01]
    expected = tuple(masked_quantiles(grey, mask, (share,))[0] for share in shares)
    assert masked_quantiles(grey, mask, shares) == expected
