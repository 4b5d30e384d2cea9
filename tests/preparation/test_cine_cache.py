from dataclasses import replace

import cv2
import numpy as np
import pytest

from usmicro.phantom import PhantomSettings, random_settings, simulate
from usmicro.preparation import ScreenCache, prepare
from usmicro.preparation.cine_cache import RECENT_FRAMES, SPECKLE_FRAMES


@pytest.fixture(scope="module")
def clip():
    changes = {
        "colour_bar": "left",
        "box_style": "outline",
        "baseline_shift": 0.0,
        "colour_opacity": 1.0,
        "jpeg_quality": 0,
    }
    return simulate(3001, replace(random_settings(3001, "vessel"), **changes))


def assert_same_views(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.tissue, other.tissue)
        # tissue that looks like a faint caliper moves, and an outline may move by a pixel
        for mine, its in (
            (one.graphics, other.graphics),
            (one.colour.box, other.colour.box),
            (one.colour.mask, other.colour.mask),
        ):
            assert np.mean(mine != its) < 0.01


def test_a_cache_does_not_change_the_views(clip):
    cache = ScreenCache()
    for frame in clip.frames[:6]:
        cached = cache.box
        with_cache = prepare(frame, spacing=clip.spacing, regions=clip.regions, cache=cache)
        assert_same_views(with_cache, prepare(frame, spacing=clip.spacing, regions=clip.regions))
        assert cached is None or cache.box is cached


def test_a_colour_box_that_moves_is_found_again(clip):
    cache = ScreenCache()
    moved = [np.ascontiguousarray(np.roll(frame, 25, axis=1)) for frame in clip.frames[:2]]
    prepare(clip.frames[0], spacing=clip.spacing, cache=cache)
    before = cache.box
    assert_same_views(
        prepare(moved[1], spacing=clip.spacing, cache=cache),
        prepare(moved[1], spacing=clip.spacing),
    )
    assert cache.box is not before


def test_a_colour_bar_that_changes_is_read_again(clip):
    cache = ScreenCache()
    prepare(clip.frames[0], spacing=clip.spacing, cache=cache)
    cached, (bar,) = cache.bars, cache.bars.bars
    prepare(clip.frames[1], spacing=clip.spacing, cache=cache)
    assert cache.bars is cached
    left, top, right, bottom = bar.box
    inverted = clip.frames[2].copy()
    inverted[top:bottom, left:right] = inverted[top:bottom, left:right][::-1]
    (view, *_) = prepare(inverted, spacing=clip.spacing, cache=cache)
    np.testing.assert_array_equal(view.colour.bar.colours, bar.colours[::-1])


def test_a_scan_area_that_shrinks_is_found_again(clip):
    cache = ScreenCache()
    (before,) = prepare(clip.frames[0], spacing=clip.spacing, cache=cache)
    (same_place,) = prepare(clip.frames[1], spacing=clip.spacing, cache=cache)
    np.testing.assert_array_equal(same_place.tissue, before.tissue)
    cut = clip.frames[2].copy()
    cut[cut.shape[0] * 2 // 3 :] = 0
    (after,) = prepare(cut, spacing=clip.spacing, cache=cache)
    assert after.tissue.shape[0] < 0.75 * before.tissue.shape[0]


def test_calipers_that_appear_are_found_within_a_second(clip):
    cache = ScreenCache()
    drawn = clip.frames[0].copy()
    row, column = np.array(drawn.shape[:2]) // 2 + 60
    drawn[row, column - 5 : column + 6] = 140  # too faint for its strokes to be found
    drawn[row - 5 : row + 6, column] = 140
    prepare(clip.frames[0], spacing=clip.spacing, cache=cache)
    for _ in range(RECENT_FRAMES + 1):
        view = prepare(drawn, spacing=clip.spacing, cache=cache)[0]
    grid = view.grid
    assert view.graphics[
        round((row - grid.top) / grid.step_y), round((column - grid.left) / grid.step_x)
    ]


def test_a_graphic_that_is_not_found_on_a_frame_is_kept_if_it_is_as_bright():
    cache = ScreenCache()
    grey, seen, unseen = (
        np.full((40, 60), 60, np.uint8),
        np.zeros((40, 60), bool),
        np.zeros((40, 60), bool),
    )
    grey[10, 20] = grey[30, 50] = 230
    seen[10, 20] = seen[30, 50] = True
    cache.graphics_on(0, grey, lambda: seen)
    for _ in range(4):  # the search is repeated in these frames
        assert cache.graphics_on(0, grey, lambda: unseen)[10, 20]
    grey[10, 20] = 70
    again = cache.graphics_on(0, grey, lambda: unseen)
    assert again[30, 50]
    assert not again[10, 20]
    assert not cache.graphics_on(1, grey, lambda: unseen).any()


def test_a_graphic_that_appears_is_found_within_three_frames():
    cache = ScreenCache()
    grey, seen = np.full((40, 60), 60, np.uint8), np.zeros((40, 60), bool)
    seen[10, 20] = True
    found = [
        cache.graphics_on(0, grey, lambda shown=shown: shown)[10, 20]
        for shown in (~seen & seen, seen, seen, seen)
    ]
    assert found == [False, False, False, True]


def zoomed(frame, factor):
    """Enlarge the picture around its centre inside an unchanged scan area."""
    rows, columns = frame.shape[:2]
    shift = (columns / 2 * (1 - factor), rows / 2 * (1 - factor))
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])
    return cv2.warpAffine(frame, matrix, (columns, rows), flags=cv2.INTER_LINEAR)


@pytest.fixture(scope="module")
def b_mode_cine():
    return simulate(4, PhantomSettings(width=30.0, depth=28.0, frames=3))


def test_the_speckle_size_is_measured_again_after_a_zoom(b_mode_cine):
    first, second, third = b_mode_cine.frames
    cache = ScreenCache()
    before, same, after = (
        prepare(frame, spacing=b_mode_cine.spacing, cache=cache)[0]
        for frame in (first, second, zoomed(third, 2))
    )
    (without_cache,) = prepare(zoomed(third, 2), spacing=b_mode_cine.spacing)
    assert same.speckle_size == before.speckle_size
    assert after.tissue.shape == before.tissue.shape
    assert after.speckle_size == without_cache.speckle_size
    assert np.prod(after.speckle_size) > 1.5 * np.prod(before.speckle_size)


PICTURE = np.random.default_rng(0).integers(30, 220, (480, 640), np.uint8)
OTHER_PICTURE = np.random.default_rng(1).integers(30, 220, (480, 640), np.uint8)


def sizes(cache, pictures, measured):
    """Return the speckle sizes of successive pictures, and the number of measurements."""
    left = iter(measured)
    count = 0

    def measure():
        nonlocal count
        count += 1
        return next(left)

    return [cache.speckle_size(0, picture, measure) for picture in pictures], count


def test_a_speckle_size_that_only_fluctuates_is_kept():
    pictures = [PICTURE] * (3 * SPECKLE_FRAMES)
    found, count = sizes(ScreenCache(), pictures, [(6.0, 3.0), (7.0, 3.2), (5.2, 2.9)])
    assert set(found) == {(6.0, 3.0)}
    assert count == 3


def test_a_slow_zoom_is_noticed_at_the_next_regular_measurement():
    pictures = [PICTURE] * (SPECKLE_FRAMES + 1)
    found, _ = sizes(ScreenCache(), pictures, [(6.0, 3.0), (9.0, 4.5)])
    assert found[-2:] == [(6.0, 3.0), (9.0, 4.5)]


def test_the_speckle_size_is_measured_again_if_the_picture_changes_suddenly():
    pictures = [PICTURE, PICTURE, OTHER_PICTURE, OTHER_PICTURE]
    found, count = sizes(ScreenCache(), pictures, [(6.0, 3.0), (9.0, 4.5)])
    assert found == [(6.0, 3.0)] * 2 + [(9.0, 4.5)] * 2
    assert count == 2


def test_the_speckle_size_is_measured_again_if_the_scan_area_changes_size():
    pictures = [PICTURE, PICTURE[:300]]
    found, _ = sizes(ScreenCache(), pictures, [(6.0, 3.0), (9.0, 4.5)])
    assert found == [(6.0, 3.0), (9.0, 4.5)]


def test_a_frame_without_homogeneous_tissue_keeps_the_last_speckle_size():
    pictures = [PICTURE, OTHER_PICTURE, PICTURE, OTHER_PICTURE]
    found, _ = sizes(ScreenCache(), pictures, [None, (6.0, 3.0), None, (6.1, 3.0)])
    assert found == [None, (6.0, 3.0), (6.0, 3.0), (6.0, 3.0)]


def test_uniform_frames_cause_no_error():
    black, grey = np.zeros((480, 640), np.uint8), np.full((480, 640), 90, np.uint8)
    found, _ = sizes(ScreenCache(), [black, grey, grey], [(6.0, 3.0)] * 3)
    assert found == [(6.0, 3.0)] * 3
