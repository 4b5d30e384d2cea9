from dataclasses import replace

import numpy as np
import pytest

from usmicro.labelling.labels import describe_calcification, find_clusters, place_foci
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
        masses.astype(np.float32),
        masses,
        (confidence,) if mass else (),
        drawn(duct) * np.float32(1),
        drawn(duct),
        (0.9,) if duct else (),
        drawn(nonmass) > 0,
    )


def test_a_focus_is_labelled_by_what_it_lies_in(view):
    found = anatomy(view, mass=(50, 50, 120, 120), duct=(180, 60, 290, 80))
    mass, duct, neither = place_foci(view, found, [80, 240, 150], [80, 70, 150])
    assert (mass.label, mass.mass, mass.mass_distance) == ("intramass", 1, 0)
    assert (duct.label, duct.duct) == ("intraductal", 1)
    assert neither.label == "extramass"
    assert neither.mass is None
    assert neither.mass_distance == pytest.approx(np.hypot(31, 31), abs=1)
    assert all(0.5 < place.confidence <= 1 for place in (mass, duct, neither))


def test_confidence_falls_towards_the_edge_and_with_the_confidence_of_the_mass(view):
    places = place_foci(view, anatomy(view, mass=(50, 50, 120, 120)), [85, 52, 49, 46], [85] * 4)
    inside = [
        place.confidence if place.label == "intramass" else 1 - place.confidence for place in places
    ]
    assert inside == sorted(inside, reverse=True)
    doubtful = place_foci(view, anatomy(view, mass=(50, 50, 120, 120), confidence=0.6), [85], [85])[
        0
    ]
    assert doubtful.confidence < places[0].confidence


def test_a_duct_inside_a_mass_is_part_of_the_mass_and_one_that_enters_it_is_not(view):
    within = anatomy(view, mass=(50, 50, 150, 120), duct=(60, 70, 140, 80))
    assert place_foci(view, within, [100], [75])[0].label == "intramass"
    entering = anatomy(view, mass=(50, 50, 150, 120), duct=(120, 70, 280, 80))
    assert place_foci(view, entering, [130], [75])[0].label == "intraductal"


def test_places_do_not_depend_on_what_was_asked_of_the_anatomy_before(view):
    found = anatomy(view, mass=(50, 50, 150, 120), duct=(60, 70, 290, 80))
    first = place_foci(view, found, [85, 200], [85, 75])
    assert place_foci(view, found, [30, 85, 200], [30, 85, 75])[1:] == first
    coarser = replace(view, grid=replace(view.grid, pixel_mm=0.2))  # smoothed over fewer pixels
    anew = anatomy(view, mass=(50, 50, 150, 120), duct=(60, 70, 290, 80))
    assert (
        place_foci(coarser, found, [52], [52])
        == place_foci(coarser, anew, [52], [52])
        != place_foci(view, found, [52], [52])
    )


def test_reasons_give_mm_only_where_they_are_known(view):
    found = anatomy(view, mass=(50, 50, 120, 120), nonmass=(0, 150, 300, 200))
    assert "mm inside a mass" in place_foci(view, found, [85], [85])[0].reason
    outside = place_foci(view, found, [200], [180])[0]
    assert outside.nonmass
    assert "nonmass area" in outside.reason
    unknown = replace(view, grid=replace(view.grid, spacing=Spacing()))
    assert "px inside a mass" in place_foci(unknown, found, [85], [85])[0].reason


def test_nothing_found_is_said(view):
    place = place_foci(view, anatomy(view), [10], [10])[0]
    assert (place.label, place.mass_distance) == ("extramass", None)
    assert 0.8 < place.confidence < 1  # a mass may have been missed
    assert place.reason == "No mass was found and no duct."


def test_clusters_are_groups_of_three_within_the_distance():
    places = np.array([[x, 0] for x in (0, 2, 4, 40, 42, 100, 101, 102, 103)])
    assert find_clusters(places) == [1, 1, 1, None, None, 2, 2, 2, 2]
    order = [8, 3, 0, 5, 2, 7, 1, 4, 6]
    assert find_clusters(places[order]) == [find_clusters(places)[i] for i in order]
    assert find_clusters(places[:2]) == [None, None]


def test_the_descriptor_joins_what_is_there():
    assert describe_calcification([]) == "none"
    assert (
        describe_calcification(["extramass", "intramass", "extramass"])
        == "in a mass+outside a mass"
    )
    assert describe_calcification(["intraductal"]) == "intraductal"
