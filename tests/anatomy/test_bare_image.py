"""Masses and ducts of a plain array are those of the analysis."""

import numpy as np
import pytest

import usmicro
from usmicro.errors import ImageError, UsageError
from usmicro.phantom import simulate
from usmicro.settings import AnatomySettings


@pytest.fixture(scope="module")
def phantom():
    return simulate(11)


@pytest.fixture(scope="module")
def analysis(phantom):
    return usmicro.analyze(phantom.frames[0], spacing=phantom.spacing)


@pytest.mark.parametrize(
    ("find", "label", "name"),
    [(usmicro.find_masses, 1, "mass"), (usmicro.find_ducts, 2, "duct")],
)
def test_the_areas_are_those_of_the_analysis(phantom, analysis, find, label, name):
    areas = find(phantom.frames[0], spacing=phantom.spacing)
    assert len(areas) == len(areas.confidence) == areas.labels.max() > 0
    assert set(np.unique(areas.labels)) == set(range(len(areas) + 1))
    visible = areas.labels > 0
    if name == "mass":  # the label image shows ducts over masses
        visible &= analysis.labels != 2
    np.testing.assert_array_equal(visible, analysis.labels == label)
    np.testing.assert_array_equal(areas.probability, analysis.maps[name])
    assert ((areas.confidence > 0) & (areas.confidence <= 1)).all()
    mean_inside, mean_outside = (areas.probability[areas.labels > 0].mean(),
                                 areas.probability[areas.labels == 0].mean())  # fmt: skip
    assert mean_inside > 0.5 > mean_outside


def test_settings_decide_what_is_listed(phantom):
    strict = AnatomySettings(mass_threshold=1.0, duct_threshold=1.0)
    image, spacing = phantom.frames[0], phantom.spacing
    assert len(usmicro.find_masses(image, spacing=spacing, settings=strict)) == 0
    assert len(usmicro.find_ducts(image, spacing=spacing, settings=strict)) == 0


def test_found_masses_can_be_given_back_as_masks(phantom, analysis):
    found = usmicro.find_masses(phantom.frames[0], spacing=phantom.spacing)
    again = usmicro.analyze(
        phantom.frames[0], spacing=phantom.spacing, masks={"masses": found.labels}
    )
    assert len(again.masses) == len(found)
    assert {mass.source for mass in again.masses} == {"given"}


@pytest.mark.parametrize("find", [usmicro.find_masses, usmicro.find_ducts])
def test_wrong_arguments_are_refused(find):
    with pytest.raises(ImageError, match="found a cine of 5 frames"):
        find(np.zeros((5, 300, 300), np.uint8))
    with pytest.raises(ImageError, match="no tissue"):
        find(np.zeros((300, 300)))
    with pytest.raises(UsageError, match="positive spacing"):
        find(np.ones((300, 300)), spacing=-1)
