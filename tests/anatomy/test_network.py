import numpy as np
import pytest

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.ducts import NETWORK as DUCTS
from usmicro.anatomy.masses import NETWORK, SIZE
from usmicro.anatomy.network import (
    CHANNELS,
    averaged_with_mirror_image,
    equalised,
    network_input,
    predict,
    probable_parts,
)
from usmicro.anatomy.nonmass import NETWORK as NONMASS
from usmicro.errors import SettingsError
from usmicro.model.view import Grid, ScanLines, View
from usmicro.settings import AnatomySettings


@pytest.fixture
def grey() -> np.ndarray:
    return np.random.default_rng(3).gamma(2.0, 30.0, (96, 80)).astype(np.float32)


def view_of(grey: np.ndarray, tissue: np.ndarray | None = None) -> View:
    everywhere = np.ones(grey.shape, np.bool_)
    grid, scan_lines = (
        Grid(0.0, 0.0, 1.0, 1.0, 0.2),
        ScanLines("linear", 0.0, middle_x=grey.shape[1] / 2),
    )
    return View(
        grey, everywhere if tissue is None else tissue, ~everywhere, grid, scan_lines, (2.0, 1.5)
    )


def test_the_rank_is_the_same_under_every_rising_map_and_the_level_under_a_linear_one(grey):
    tissue = np.ones(grey.shape, np.bool_)
    rank, level = equalised(grey, tissue)
    other, linear = equalised(0.4 * grey + 30, tissue)
    np.testing.assert_allclose(other, rank, atol=1e-3)
    np.testing.assert_allclose(linear, level, atol=1e-3)
    np.testing.assert_allclose(equalised(np.sqrt(grey), tissue)[0], rank, atol=5e-3)
    assert rank.mean() == pytest.approx(0.5, abs=1e-3)
    assert (level.min(), level.max()) == (0, 1)


def test_what_is_no_tissue_counts_for_nothing(grey):
    tissue = np.ones(grey.shape, np.bool_)
    tissue[:, :20] = False
    planes = network_input(grey, tissue)
    assert planes.shape == (CHANNELS, *grey.shape)
    assert (planes[:, ~tissue] == 0).all()
    louder = np.where(tissue, grey, 255).astype(np.float32)
    np.testing.assert_array_equal(network_input(louder, tissue), planes)


@pytest.mark.parametrize(("connectivity", "sizes"), [(4, [2, 6, 8]), (8, [2, 14])])
def test_the_parts_of_a_probability_are_in_their_boxes(connectivity, sizes):
    probability = np.full((20, 30), 0.5, np.float32)
    probability[3:5, 4:8] = probability[5:8, 8:10] = probability[15, 20:22] = 0.9
    found, again = [], np.zeros(probability.shape, int)
    for box, inside in probable_parts(probability, connectivity):
        assert inside.any(axis=0).all()
        assert inside.any(axis=1).all()
        again[box] += inside
        found.append(inside.sum())
    assert sorted(found) == sizes
    np.testing.assert_array_equal(again, probability > 0.5)
    assert not list(probable_parts(np.zeros((5, 6), np.float32), connectivity))


def test_the_mean_with_the_mirror_image_is_that_of_the_mirror_image(grey):
    prediction, mirrored = (
        averaged_with_mirror_image(
            predict(view_of(np.ascontiguousarray(image)), NETWORK, SIZE), NETWORK
        )
        for image in (grey, grey[:, ::-1])
    )
    np.testing.assert_allclose(mirrored.logit[:, ::-1], prediction.logit, atol=1e-3)
    assert prediction.logit.shape == SIZE
    assert prediction.logit_on(view_of(grey)).shape == grey.shape


@pytest.mark.parametrize("network", [NETWORK, DUCTS], ids=["masses", "ducts"])
def test_both_ways_to_run_a_network_say_the_same(grey, network):
    one, other = (
        predict(view_of(grey), network, SIZE, plain=plain).logit for plain in (False, True)
    )
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_full_view_is_judged_as_one_with_a_missing_pixel(grey):
    nearly = np.ones(grey.shape, np.bool_)
    nearly[0, 0] = False
    full, other = (predict(view_of(grey, tissue), NETWORK, SIZE) for tissue in (None, nearly))
    np.testing.assert_allclose(full.rank[4:], other.rank[4:], atol=0.01)
    np.testing.assert_allclose(full.logit[100:], other.logit[100:], atol=0.5)


def test_a_network_of_ones_own_takes_the_place_of_the_mass_model(grey):
    view = view_of(grey)
    own = find_anatomy(view, AnatomySettings(mass_network=str(DUCTS)))
    assert np.abs(own.mass_probability - find_anatomy(view).mass_probability).max() > 1e-3


def test_a_network_that_cannot_be_used_is_named(grey, tmp_path):
    missing, text = tmp_path / "missing.onnx", tmp_path / "text.onnx"
    text.write_text("no network")
    for file, found in ((missing, "no such file"), (text, "cannot read")):
        with pytest.raises(SettingsError, match=found) as raised:
            find_anatomy(view_of(grey), AnatomySettings(mass_network=str(file)))
        assert str(file) in str(raised.value)


def test_the_networks_are_small_enough_to_ship():
    assert sum(file.stat().st_size for file in (NETWORK, DUCTS, NONMASS)) < 8_000_000
