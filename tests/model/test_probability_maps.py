"""Probability maps at image size."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import usmicro
from usmicro.model.scan import Region, Scan
from usmicro.phantom import simulate


@pytest.fixture(scope="module")
def phantom():
    return simulate(11)


@pytest.fixture(scope="module")
def analysis(phantom):
    return usmicro.analyze(phantom.scan())


@pytest.mark.parametrize("name", ["mass", "duct"])
def test_a_map_has_the_size_of_the_image_and_probabilities_in_the_tissue(analysis, name):
    values = analysis.maps[name]
    assert values.shape == analysis.labels.shape
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= 1
    assert (values[analysis.labels == 255] == 0).all()
    assert (values[analysis.labels != 255] > 0).mean() > 0.99
    label = {"mass": 1, "duct": 2}[name]
    assert values[analysis.labels == label].mean() > 0.7
    assert values[analysis.labels == 0].mean() < 0.1


def test_the_names_are_listed_and_others_are_refused(analysis):
    assert list(analysis.maps) == ["mass", "duct"]
    with pytest.raises(KeyError, match="there are mass, duct"):
        analysis.maps["masses"]
    assert repr(analysis.maps) == "<probability maps mass, duct, 571 x 543>"


def test_the_outline_of_a_mass_lies_where_its_map_falls(analysis):
    """A shift between the map and the label image would show as unequal overlap."""
    inside = analysis.maps["mass"] > 0.5
    drawn = analysis.labels == 1
    assert (inside & drawn).sum() / (inside | drawn).sum() > 0.95


def test_given_outlines_are_the_map(phantom):
    masses = np.zeros(phantom.frames.shape[1:3], bool)
    masses[200:300, 200:320] = True
    analysis = usmicro.analyze(phantom.scan(), masks={"masses": masses})
    values = analysis.maps["mass"]
    assert (values[210:290, 210:310] == 1).all()
    tissue = analysis.labels != 255
    far = tissue & ~np.pad(masses, 10)[10:-10, 10:-10]
    far[190:310, 190:330] = False
    assert (values[far] == 0).all()
    assert np.mean((values > 0.5) == masses) > 0.995


def test_each_view_has_its_part_of_the_map(phantom, analysis):
    image = phantom.frames[0]
    rows, width = image.shape
    screen = np.zeros((rows, 2 * width + 20), np.uint8)
    screen[:, :width], screen[:, width + 20 :] = image, image
    regions = tuple(
        Region("tissue", left, 0, left + width, rows, phantom.spacing) for left in (0, width + 20)
    )
    both = usmicro.analyze(replace(Scan.of_array(screen), regions=regions)).maps["mass"]
    np.testing.assert_allclose(both[:, :width], both[:, width + 20 :], atol=1e-3)
    assert (both[:, width : width + 20] == 0).all()
    assert both.max() > 0.9


def test_a_map_survives_pickling_and_is_that_of_the_key_frame(phantom, analysis):
    again = pickle.loads(pickle.dumps(analysis.maps))
    np.testing.assert_array_equal(again["mass"], analysis.maps["mass"])
    black = np.zeros_like(phantom.frames[0])
    cine = usmicro.analyze(
        Scan.of_array(np.stack([black, phantom.frames[0]]), spacing=phantom.spacing)
    )
    assert cine.frame == 1
    np.testing.assert_array_equal(cine.maps["mass"], analysis.maps["mass"])


def test_the_maps_are_kept_without_a_copy_of_the_grids(analysis):
    """A run makes no map: only the grids of the analysis are kept, 9 bytes for each pixel."""
    kept = sum(
        array.nbytes
        for view in analysis.maps._views
        for array in (view.mass, view.duct, view.tissue)
    )
    pixels = sum(view.mass.size for view in analysis.maps._views)
    assert kept == 9 * pixels
