from dataclasses import replace

import numpy as np
import pytest

from usmicro.labelling.labels import label_foci
from usmicro.model.anatomy import Anatomy
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View


@pytest.fixture
def view():
    shape = (200, 300)
    grid = Grid(left=0, top=0, step_x=1, step_y=1, pixel_mm=0.1, spacing=Spacing(0.1, 0.1, "given"))
    full = np.ones(shape, bool)
    return View(
        np.full(shape, 90, np.float32),
        full,
        ~full,
        grid,
        ScanLines("linear", face=0, middle_x=149.5),
        speckle_size=(3, 2),
    )


def anatomy(view, *, mass=None, duct=None, nonmass=None, confidence=0.9):
    def drawn(box):
        image = np.zeros(view.shape, np.int32)
        if box:
            image[box[1] : box[3], box[0] : box[2]] = 1
        return image

    masses = drawn(mass)
    return Anatomy(
        pixel_mm=view.grid.pixel_mm,
        mass_probability=masses.astype(np.float32),
        masses=masses,
        mass_confidence=(confidence,) if mass else (),
        duct_probability=drawn(duct) * np.float32(1),
        ducts=drawn(duct),
        duct_confidence=(0.9,) if duct else (),
        nonmass=drawn(nonmass) > 0,
    )


def test_a_focus_is_labelled_by_what_it_lies_in(view):
    found = anatomy(view, mass=(50, 50, 120, 120), duct=(180, 60, 290, 80))
    mass, duct, neither = label_foci(view, found, [80, 240, 150], [80, 70, 150])
    assert (mass.label, mass.mass, mass.distance_to_mass) == ("intramass", 1, 0)
    assert (duct.label, duct.duct) == ("intraductal", 1)
    assert neither.label == "extramass"
    assert neither.mass is None
    assert neither.distance_to_mass == pytest.approx(np.hypot(31, 31), abs=1)
    assert all(0.5 < place.confidence <= 1 for place in (mass, duct, neither))


def test_confidence_falls_towards_the_edge_and_with_the_confidence_of_the_mass(view):
    places = label_foci(view, anatomy(view, mass=(50, 50, 120, 120)), [85, 52, 49, 46], [85] * 4)
    inside = [
        place.confidence if place.label == "intramass" else 1 - place.confidence for place in places
    ]
    assert inside == sorted(inside, reverse=True)
    doubtful = label_foci(view, anatomy(view, mass=(50, 50, 120, 120), confidence=0.6), [85], [85])[
        0
    ]
    assert doubtful.confidence < places[0].confidence


def test_a_duct_inside_a_mass_is_part_of_the_mass_and_one_that_enters_it_is_not(view):
    within = anatomy(view, mass=(50, 50, 150, 120), duct=(60, 70, 140, 80))
    assert label_foci(view, within, [100], [75])[0].label == "intramass"
    entering = anatomy(view, mass=(50, 50, 150, 120), duct=(120, 70, 280, 80))
    assert label_foci(view, entering, [130], [75])[0].label == "intraductal"


def test_places_do_not_depend_on_what_was_asked_of_the_anatomy_before(view):
    found = anatomy(view, mass=(50, 50, 150, 120), duct=(60, 70, 290, 80))
    first = label_foci(view, found, [85, 200], [85, 75])
    assert label_foci(view, found, [30, 85, 200], [30, 85, 75])[1:] == first
    coarser = replace(view, grid=replace(view.grid, pixel_mm=0.2))  # smoothed over fewer pixels
    anew = anatomy(view, mass=(50, 50, 150, 120), duct=(60, 70, 290, 80))
    assert (
        label_foci(coarser, found, [52], [52])
        == label_foci(coarser, anew, [52], [52])
        != label_foci(view, found, [52], [52])
    )


def test_reasons_give_mm_only_where_they_are_known(view):
    found = anatomy(view, mass=(50, 50, 120, 120), nonmass=(0, 150, 300, 200))
    assert "mm inside a mass" in label_foci(view, found, [85], [85])[0].reason
    outside = label_foci(view, found, [200], [180])[0]
    assert outside.nonmass
    assert "nonmass area" in outside.reason
    unknown = replace(view, grid=replace(view.grid, spacing=Spacing()))
    assert "px inside a mass" in label_foci(unknown, found, [85], [85])[0].reason


def test_nothing_found_is_said(view):
    place = label_foci(view, anatomy(view), [10], [10])[0]
    assert (place.label, place.distance_to_mass) == ("extramass", None)
    assert 0.8 < place.confidence < 1  # a mass may have been missed
    assert place.reason == "No mass or duct was found."
