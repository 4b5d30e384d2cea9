import numpy as np
import pytest

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.cine_cache import AnatomyCache, moved
from usmicro.phantom import simulate
from usmicro.preparation import prepare
from usmicro.settings import AnatomySettings
from usmicro.tracking.motion import reduced_tissue, tissue_shift

SETTINGS = AnatomySettings()


@pytest.fixture(scope="module")
def frame():
    phantom = simulate(12)
    return phantom.frames[0], phantom.spacing


def view_of(image, spacing):
    return prepare(np.ascontiguousarray(image), spacing=spacing)[0]


def find(cache, view, shift=None):
    return cache.find(view, reduced_tissue(view.grey, view.tissue), shift, SETTINGS)


def test_noise_leaves_the_anatomy_and_another_image_finds_it_anew(frame):
    image, spacing = frame
    cache = AnatomyCache()
    first = find(cache, view_of(image, spacing))
    noisy = np.clip(image + np.random.default_rng(1).normal(0, 8, image.shape), 0, 255).astype(
        np.uint8
    )
    assert find(cache, view_of(noisy, spacing), (0.3, -0.2)) is first
    mirrored = view_of(image[:, ::-1], spacing)
    np.testing.assert_array_equal(
        find(cache, mirrored).masses, find_anatomy(mirrored, SETTINGS).masses
    )


def test_what_moves_as_a_whole_takes_its_anatomy_along(frame):
    image, spacing = frame
    cache = AnatomyCache()
    view = view_of(image, spacing)
    first = find(cache, view)
    away = 16
    other = find(cache, view_of(np.roll(image, away, axis=1), spacing))
    over = away / view.grid.step_x
    assert other is not first
    (rows, columns), (new_rows, new_columns) = (
        np.nonzero(anatomy.masses) for anatomy in (first, other)
    )
    assert new_columns.mean() - columns.mean() == pytest.approx(over, abs=1)
    assert new_rows.mean() == pytest.approx(rows.mean(), abs=1)
    assert other.mass_confidence == first.mass_confidence


def test_slow_movement_does_not_add_up(frame):
    image, spacing = frame
    cache = AnatomyCache()
    view = view_of(image, spacing)
    before = np.nonzero(find(cache, view).masses)[1].mean()
    for step in range(2, 40, 2):
        found = find(
            cache, view_of(np.roll(image, step, axis=1), spacing), (2 / view.grid.step_x, 0.0)
        )
        assert np.nonzero(found.masses)[1].mean() - before == pytest.approx(
            step / view.grid.step_x, abs=3
        )


def test_a_sweep_has_new_masses_on_each_frame_and_new_ducts_on_every_second(frame):
    image, spacing = frame
    other = simulate(13).frames[0]
    views = [
        view_of(np.rint(image * (1 - share) + other * share).astype(np.uint8), spacing)
        for share in (0.0, 0.4, 0.8)
    ]
    cache = AnatomyCache()
    first, second, third = (find(cache, view) for view in views)
    # the first frame may be one of a cine that stands still, and is treated like a still image
    alone = [
        find_anatomy(view, SETTINGS, mirrored=number == 0) for number, view in enumerate(views)
    ]
    for found, expected in zip((first, second, third), alone, strict=True):
        np.testing.assert_array_equal(found.mass_probability, expected.mass_probability)
    over, down = (
        np.rint(tissue_shift(*(reduced_tissue(view.grey, view.tissue) for view in views[:2])))
        .astype(int)
        .tolist()
    )
    kept = moved(first, (over, down), views[1].tissue)
    np.testing.assert_array_equal(second.duct_probability, kept.duct_probability)
    np.testing.assert_array_equal(second.ducts, kept.ducts)
    assert second.duct_confidence == first.duct_confidence
    assert not (second.nonmass & (second.masses > 0)).any()
    assert np.abs(second.duct_probability - alone[1].duct_probability).max() > 0.01
    np.testing.assert_array_equal(third.duct_probability, alone[2].duct_probability)
    np.testing.assert_array_equal(third.nonmass, alone[2].nonmass)


def test_moving_there_and_back_changes_only_the_rim(frame):
    image, spacing = frame
    anatomy = find_anatomy(view_of(image, spacing), SETTINGS)
    everywhere = np.ones(anatomy.masses.shape, bool)
    back = moved(moved(anatomy, (9, -7), everywhere), (-9, 7), everywhere)
    for name in ("mass_probability", "masses", "duct_probability", "ducts", "nonmass"):
        one, other = getattr(anatomy, name), getattr(back, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one[7:-7, 9:-9], other[7:-7, 9:-9])
    assert not moved(anatomy, (3, 3), ~everywhere).masses.any()
