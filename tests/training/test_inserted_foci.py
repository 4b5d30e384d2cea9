import numpy as np
import pytest

from tests.foci.test_measures import anatomy_of
from tests.posterior.masses import ellipse
from tests.posterior.scans import speckle, view_of
from training.inserted_foci import MARGIN_MM, MOST_FOCI, SHARE_IN_MASS, with_inserted_foci

SHAPE = 250, 300


@pytest.fixture(scope="module")
def view():
    """Dark speckle, of which the left is text and the right is no tissue."""
    graphics, tissue = np.zeros(SHAPE, bool), np.ones(SHAPE, bool)
    graphics[:, :60] = True
    tissue[:, 240:] = False
    return view_of(0.3 * speckle(6, SHAPE), graphics=graphics, tissue=tissue)


MASS = ellipse(SHAPE, 150, 120, 40, 30).astype(np.int32)


def inserted(view, seed, masses=None):
    return with_inserted_foci(view, anatomy_of(SHAPE, masses), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_the_tissue_is_brighter_at_the_foci_and_the_same_elsewhere(view, seed):
    before = view.grey.copy()
    changed, x, y = inserted(view, seed)
    np.testing.assert_array_equal(view.grey, before)
    assert 1 <= len(x) == len(y) <= MOST_FOCI
    rise = changed.grey - before
    rows, columns = np.indices(SHAPE)
    distance = np.min([np.hypot(columns - a, rows - b) for a, b in zip(x, y, strict=True)], axis=0)
    for a, b in zip(x, y, strict=True):
        assert rise[np.hypot(columns - a, rows - b) < 2].mean() > 10
    assert np.abs(rise[distance > 40]).max() < 1
    assert rise[distance > 12].mean() < 0.1 * rise[distance < 3].mean()
    assert 0 <= changed.grey.min() <= changed.grey.max() <= 255
    assert changed.grey.dtype == np.float32


def test_foci_lie_in_usable_tissue_away_from_the_edge(view):
    margin = MARGIN_MM / view.grid.pixel_mm - 1
    for seed in range(40):
        _, x, y = inserted(view, seed)
        assert view.usable[np.rint(y).astype(int), np.rint(x).astype(int)].all()
        assert margin <= y.min() <= y.max() <= SHAPE[0] - 1 - margin
        assert x.min() > 59
        assert x.max() < 240


def test_most_foci_lie_in_the_mass(view):
    places = [inserted(view, seed, MASS)[1:] for seed in range(120)]
    x, y = (np.rint(np.concatenate(part)).astype(int) for part in zip(*places, strict=True))
    share = MASS[y, x].mean()
    elsewhere = (MASS * view.usable).sum() / view.usable.sum()
    assert share == pytest.approx(SHARE_IN_MASS + (1 - SHARE_IN_MASS) * elsewhere, abs=0.08)
    assert len({len(part) for part, _ in places}) == MOST_FOCI


def test_the_foci_depend_only_on_the_random_numbers(view):
    one, other = (inserted(view, 3, MASS) for _ in range(2))
    np.testing.assert_array_equal(one[0].grey, other[0].grey)
    np.testing.assert_array_equal(one[1:], other[1:])
    assert not np.array_equal(inserted(view, 4, MASS)[0].grey, one[0].grey)


def test_a_view_without_usable_tissue_gets_no_foci(view):
    empty = view_of(view.grey, graphics=np.ones(SHAPE, bool))
    changed, x, y = inserted(empty, 1)
    assert x.shape == y.shape == (0,)
    np.testing.assert_array_equal(changed.grey, empty.grey)
