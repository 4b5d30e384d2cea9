import numpy as np
import pytest

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.memory import AnatomyMemory
from usmicro.phantom import simulate
from usmicro.preparation import prepare
from usmicro.scan import GivenMasks
from usmicro.settings import AnatomySettings


@pytest.fixture(scope="module")
def frame():
    phantom = simulate(12)
    return phantom.frames[0], phantom.spacing


def view_of(image, spacing):
    return prepare(image, spacing=spacing)[0]


def test_noise_leaves_the_anatomy_and_movement_finds_it_anew(frame):
    image, spacing = frame
    memory, settings = AnatomyMemory(), AnatomySettings()
    first = memory.find(view_of(image, spacing), settings, None)
    noisy = np.clip(image + np.random.default_rng(1).normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    assert memory.find(view_of(noisy, spacing), settings, None) is first
    moved_view = view_of(np.ascontiguousarray(np.roll(image, 60, axis=1)), spacing)
    moved = memory.find(moved_view, settings, None)
    assert moved is not first
    np.testing.assert_array_equal(moved.masses, find_anatomy(moved_view, settings).masses)


def test_slow_movement_does_not_add_up(frame):
    image, spacing = frame
    memory, settings, found = AnatomyMemory(), AnatomySettings(), []
    for step in range(0, 60, 4):
        found.append(memory.find(view_of(np.ascontiguousarray(np.roll(image, step, axis=1)), spacing), settings, None))
    assert len({id(anatomy) for anatomy in found}) > 3


def test_given_outlines_are_taken_on_every_frame(frame):
    image, spacing = frame
    memory, settings = AnatomyMemory(), AnatomySettings()
    for left in (20, 60):
        masses = np.zeros(image.shape[:2], np.int32)
        masses[40:80, left : left + 40] = 1
        view = view_of(image, spacing)
        given = memory.find(view, settings, GivenMasks(masses=masses))
        column = np.nonzero(given.masses)[1].mean()
        assert column == pytest.approx((left + 19.5 - view.grid.left) / view.grid.step_x, abs=3)
