import numpy as np
import pytest

from tests.foci.test_measures import anatomy_of, candidates_at
from tests.posterior.scans import speckle, view_of
from usmicro.anatomy.ducts import NETWORK as DUCTS
from usmicro.errors import SettingsError
from usmicro.foci.appearance import BATCH, LARGEST_LOG_ODDS, appearance, network_log_odds
from usmicro.foci.models import read_focus_models
from usmicro.foci.patches import GREY_STEPS_MM, PLANES, SIZE, focus_patches

NETWORK = read_focus_models().network


@pytest.fixture(scope="module")
def patches():
    """Patches of noise, more than two batches."""
    noise = np.random.default_rng(8).normal(size=(2 * BATCH + 7, PLANES, SIZE, SIZE))
    noise[:, len(GREY_STEPS_MM) :] = np.abs(noise[:, len(GREY_STEPS_MM) :]) / 4
    return noise.astype(np.float32)


def test_the_log_odds_do_not_depend_on_how_many_other_candidates_there_are(patches):
    together = network_log_odds(patches, NETWORK)
    assert together.shape == (len(patches),)
    assert len(np.unique(together)) > BATCH / 2
    for count in (1, 5, BATCH, BATCH + 1, 2 * BATCH):
        np.testing.assert_allclose(
            network_log_odds(patches[:count], NETWORK), together[:count], atol=1e-4
        )


def test_the_log_odds_follow_the_order_of_the_candidates(patches):
    order = np.random.default_rng(9).permutation(len(patches))
    np.testing.assert_allclose(
        network_log_odds(patches[order], NETWORK),
        network_log_odds(patches, NETWORK)[order],
        atol=1e-4,
    )


def test_the_log_odds_are_the_same_on_every_call(patches):
    first = network_log_odds(patches, NETWORK)
    np.testing.assert_array_equal(network_log_odds(patches, NETWORK), first)


def test_no_candidates_have_no_log_odds(patches):
    assert network_log_odds(patches[:0], NETWORK).shape == (0,)


def test_the_log_odds_are_limited(patches):
    log_odds = network_log_odds(1000 * patches, NETWORK)
    assert np.abs(log_odds).max() == LARGEST_LOG_ODDS


def test_the_appearance_is_that_of_the_patches_around_the_candidates():
    view, candidates = view_of(speckle(3, (200, 300))), candidates_at([50, 150, 250], [40, 100, 9])
    anatomy = anatomy_of(view.shape, mass=0.4)
    np.testing.assert_array_equal(
        appearance(view, candidates, anatomy, NETWORK),
        network_log_odds(focus_patches(view, candidates, anatomy), NETWORK),
    )


def test_a_bright_spot_looks_more_like_a_focus_than_the_speckle_around_it():
    grey = 0.5 * speckle(4, (300, 400))
    rows, columns = np.indices(grey.shape)
    places = np.array([[60, 60], [200, 80], [330, 150], [100, 230]])
    for x, y in places:
        grey += 120 * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 2.5**2)
    view = view_of(grey)
    anatomy = anatomy_of(view.shape, mass=0.9)
    spots, tissue = (
        appearance(view, candidates_at(*(places + shift).T), anatomy, NETWORK) for shift in (0, 25)
    )
    assert spots.min() > tissue.max()


def test_what_is_no_network_for_patches_is_refused(patches, tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    for file, found in (
        (text, "cannot read"),
        (tmp_path / "missing.onnx", "no such file"),
        (DUCTS, "expected a network"),
    ):
        with pytest.raises(SettingsError, match=found) as raised:
            network_log_odds(patches, file)
        assert str(file) in str(raised.value)


def test_the_network_is_small():
    assert NETWORK.stat().st_size < 300_000
