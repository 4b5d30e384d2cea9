"""Masses keep one number while their outlines overlap; outlines made by hand."""

import numpy as np
import pytest

from usmicro.tracking.mass_linking import LOST_FRAMES, MassLinker


def labels_of(*boxes, shape=(120, 160)):
    """A label image with a rectangle (left, top, right, bottom) for each mass."""
    labels = np.zeros(shape, np.int32)
    for number, (left, top, right, bottom) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = number
    return labels


def link(linker, index, *boxes, shift=(0.0, 0.0)):
    return linker.update(index, labels_of(*boxes), range(1, len(boxes) + 1), shift)


def test_a_mass_whose_section_grows_and_moves_its_centre_is_one_mass():
    linker = MassLinker()
    assert link(linker, 0, (20, 20, 30, 30)) == [1]
    assert link(linker, 1, (20, 20, 60, 50)) == [1]
    assert link(linker, 2, (40, 30, 110, 80)) == [1]


def test_masses_beside_each_other_are_two_and_keep_their_numbers_in_any_order():
    linker = MassLinker()
    left, right = (10, 10, 30, 30), (31, 10, 51, 30)
    assert link(linker, 0, left, right) == [1, 2]
    assert link(linker, 1, right, left) == [2, 1]


@pytest.mark.parametrize("shift", [(40.0, 0.0), (-18.0, 33.0)])
def test_an_outline_moves_along_with_the_tissue(shift):
    linker = MassLinker()
    link(linker, 0, (50, 40, 70, 60))
    x, y = (int(value) for value in shift)
    assert link(linker, 1, (50 + x, 40 + y, 70 + x, 60 + y), shift=shift) == [1]
    still = MassLinker()
    link(still, 0, (50, 40, 70, 60))
    assert link(still, 1, (50 + x, 40 + y, 70 + x, 60 + y), shift=None) == [2]


@pytest.mark.parametrize(("missing", "number"), [(LOST_FRAMES, 1), (LOST_FRAMES + 1, 2)])
def test_a_mass_that_is_lost_for_long_is_a_new_one(missing, number):
    linker = MassLinker()
    link(linker, 0, (50, 40, 70, 60))
    for index in range(1, missing + 1):
        assert link(linker, index) == []
    assert link(linker, missing + 1, (50, 40, 70, 60)) == [number]
