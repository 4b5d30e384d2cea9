import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.posterior.scans import GREY_PER_DB, darkened, sector_of, speckle, view_of
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid
from usmicro.posterior.focus_shadow import focus_shadows
from usmicro.settings import ShadowSettings


def test_a_shadow_is_found_with_its_sign_and_length():
    lengths = []
    for seed in range(6):
        grey = darkened(speckle(seed), 240, 200, width=9, length=45, decibels=9)
        (shadow,) = focus_shadows(view_of(grey), [240], [195], [8])
        assert shadow.verdict == "yes"
        assert shadow.drop > 1
        assert shadow.p < 0.01
        lengths.append(shadow.length)
    assert_allclose(np.median(lengths), 45, atol=8)


def test_the_shadow_of_a_clump_is_measured_behind_its_whole_width_and_below_its_lower_edge():
    grey = darkened(speckle(2), 240, 212, width=50, length=80, decibels=6)
    wide, narrow = (
        focus_shadows(view_of(grey), [240], [200], [width], height=[24])[0] for width in (50, 6)
    )
    assert wide.verdict == "yes"
    assert narrow.verdict == "no"  # its flanks lie in the same shadow
    half = darkened(speckle(2), 228, 212, width=8, length=80, decibels=6)
    (partial,) = focus_shadows(view_of(half), [240], [200], [50], height=[24])
    assert partial.drop < 0.5 * wide.drop


def test_a_bright_tail_is_not_a_shadow():
    grey = darkened(speckle(1), 240, 200, width=9, length=80, decibels=-9)
    (shadow,) = focus_shadows(view_of(grey), [240], [195], [8])
    assert shadow.verdict == "no"
    assert shadow.drop < 0
    assert shadow.p > 0.5
    assert shadow.length is None


def test_p_values_are_calibrated_on_speckle_without_shadow():
    p_values = []
    for seed in range(20):
        random = np.random.default_rng(1000 + seed)
        x, y = random.uniform(60, 420, 100), random.uniform(10, 400, 100)
        shadows = focus_shadows(view_of(speckle(seed)), x, y, np.full(100, 6.0))
        p_values += [shadow.p for shadow in shadows]
    p = np.array(p_values)
    assert 0.003 < (p < 0.01).mean() < 0.017
    assert 0.03 < (p < 0.05).mean() < 0.07


def test_gain_and_slope_of_the_grey_scale_do_not_change_the_shadow():
    grey = np.clip(darkened(speckle(3), 240, 200, width=9, length=80, decibels=6), 0, 255)
    (one,) = focus_shadows(view_of(grey), [240], [195], [8])
    (other,) = focus_shadows(view_of(0.5 * grey + 60), [240], [195], [8])
    assert_allclose([other.drop, other.p, other.length], [one.drop, one.p, one.length], rtol=1e-3)


def test_a_mirrored_scan_gives_the_same_shadows():
    grey = darkened(speckle(4), 200, 200, width=9, length=80, decibels=6)
    view, mirrored = view_of(grey), view_of(grey[:, ::-1].copy())
    x, y, diameter = (
        np.array([200.0, 90.0, 300.5]),
        np.array([195.0, 50.0, 100.0]),
        np.array([8.0, 3.0, 12.0]),
    )
    for one, other in zip(
        focus_shadows(view, x, y, diameter),
        focus_shadows(mirrored, 479 - x, y, diameter),
        strict=True,
    ):
        assert one.verdict == other.verdict
        assert_allclose([other.drop, other.p], [one.drop, one.p], rtol=1e-3)


def test_each_focus_is_assessed_independently():
    view = view_of(speckle(5))
    x, y, diameter = (
        np.array([100.0, 200.0, 478.0]),
        np.array([50.0, 100.0, 60.0]),
        np.array([4.0, 9.0, 4.0]),
    )
    together = focus_shadows(view, x, y, diameter)
    alone = [focus_shadows(view, [a], [b], [c])[0] for a, b, c in zip(x, y, diameter, strict=True)]
    assert together == alone
    assert focus_shadows(view, [], [], []) == []


def test_a_sector_scan_has_the_shadows_of_its_polar_image():
    polar = darkened(speckle(6), 120, 200, width=9, length=100, decibels=8)
    polar = np.clip(darkened(polar, 350, 150, width=9, length=100, decibels=8), 0, 255)
    x, y, diameter = (
        np.array([120.0, 350.0, 240.0]),
        np.array([195.0, 145.0, 200.0]),
        np.full(3, 8.0),
    )
    linear = focus_shadows(view_of(polar), x, y, diameter)
    view, to_sector = sector_of(polar, face=400.0)
    sector_x, sector_y = to_sector(x, y)
    sector = focus_shadows(view, sector_x, sector_y, diameter)
    assert (
        [shadow.verdict for shadow in sector]
        == [shadow.verdict for shadow in linear]
        == ["yes", "yes", "no"]
    )
    assert_allclose(
        [shadow.drop for shadow in sector], [shadow.drop for shadow in linear], atol=0.3
    )


@pytest.mark.parametrize(("x", "y"), [(240, 490), (2, 200), (478, 200)])
def test_a_strip_that_leaves_the_tissue_is_not_assessable(x, y):
    (shadow,) = focus_shadows(view_of(speckle(7)), [x], [y], [5])
    assert shadow.verdict == "not assessable"
    assert "leaves the tissue" in shadow.reason
    assert shadow.drop is shadow.p is shadow.length is None


def test_text_behind_the_focus_makes_the_shadow_not_assessable():
    text = np.zeros((500, 480), bool)
    text[205:330, 230:250] = True
    (shadow,) = focus_shadows(view_of(speckle(8), graphics=text), [240], [195], [5])
    assert shadow.verdict == "not assessable"
    assert "Text or colour" in shadow.reason


def test_a_strip_at_the_noise_floor_is_not_assessable():
    grey = speckle(9)
    grey[250:] = np.random.default_rng(1).integers(0, 2, (250, 480))
    (shadow,) = focus_shadows(view_of(grey), [240], [260], [5])
    assert shadow.verdict == "not assessable"
    assert "noise floor" in shadow.reason


def test_strip_and_flanks_are_compared_within_the_same_mass_only():
    masses = np.zeros((500, 480), np.int32)
    masses[150:400, 236:300] = 1
    grey = speckle(10) - 12 * GREY_PER_DB * (masses > 0)
    x, y, diameter = [243.0, 270.0], [200.0, 200.0], [5.0, 5.0]
    edge, middle = focus_shadows(view_of(grey), x, y, diameter, masses=masses)
    assert edge.verdict == "not assessable"
    assert "same tissue" in edge.reason
    assert middle.verdict == "no"
    # a thin dark mass looks like a shadow where its outline is not given
    thin = np.zeros((500, 480), np.int32)
    thin[150:400, 236:245] = 1
    (without_outline,) = focus_shadows(
        view_of(speckle(10) - 12 * GREY_PER_DB * (thin > 0)), [240], [200], [5]
    )
    assert without_outline.verdict == "yes"


def test_a_bright_point_in_one_flank_does_not_make_a_shadow():
    grey = speckle(11)
    grey[220:230, 246:254] = 255
    (shadow,) = focus_shadows(view_of(grey), [240], [195], [5])
    assert shadow.verdict == "no"


def test_the_length_of_the_strip_is_a_setting():
    grey = darkened(speckle(16), 240, 200, width=9, length=200, decibels=9)
    shadows = [
        focus_shadows(view_of(grey), [240], [195], [8], ShadowSettings(length=length))[0]
        for length in (4.0, 12.0)
    ]
    assert shadows[0].length < shadows[1].length
    assert_allclose(shadows[1].length, 12 / 0.08, atol=15)


def test_the_reason_of_a_verdict_states_its_drop_length_and_p():
    grey = darkened(speckle(3), 240, 200, width=9, length=80, decibels=3.5)
    (shadow,) = focus_shadows(view_of(grey), [240], [195], [8])
    by = r"Darker than both flanks by (\S+) times their grey-level spread"
    words = by + r" over (\S+) mm \(p = (\S+)\)\."
    drop, length, p = (float(number) for number in re.fullmatch(words, shadow.reason).groups())
    assert shadow.verdict == "yes"
    assert_allclose(drop, shadow.drop, rtol=0.05)
    assert_allclose(length, shadow.length * 0.08, atol=0.051)
    assert_allclose(p, shadow.p, rtol=0.05)


def test_the_reason_has_no_length_where_the_spacing_is_unknown():
    grey = darkened(speckle(3), 240, 200, width=9, length=80, decibels=9)
    view = view_of(grey, grid=Grid(0, 0, 1, 1, 0.08, Spacing()))
    (shadow,) = focus_shadows(view, [240], [195], [8])
    assert shadow.verdict == "yes"
    assert "mm" not in shadow.reason
    assert shadow.reason.endswith("grey-level spread (p < 0.0001).")


def test_the_reason_of_no_shadow_states_p():
    grey = darkened(speckle(1), 240, 200, width=9, length=80, decibels=-9)
    (brighter,) = focus_shadows(view_of(grey), [240], [195], [8])
    assert brighter.reason == f"Not darker than both flanks (p = {brighter.p:.2g})."
    random = np.random.default_rng(2)
    x, y = random.uniform(60, 420, 100), random.uniform(10, 400, 100)
    for shadow in focus_shadows(view_of(speckle(2)), x, y, np.full(100, 6.0)):
        if shadow.verdict == "no":
            darker = "significantly darker" if shadow.drop > 0 else "darker"
            assert shadow.reason == f"Not {darker} than both flanks (p = {shadow.p:.2g})."


@pytest.mark.slow
def test_random_places_in_real_tissue_rarely_have_a_shadow(data_folder):
    from usmicro.loading import load
    from usmicro.preparation import prepare

    random = np.random.default_rng(0)
    verdicts = []
    for path in sorted((data_folder / "breast-lesions-usg" / "images").glob("*.png"))[::8]:
        view = prepare(next(load(path).frames()), spacing=Spacing(0.09, 0.09, "given"))[0]
        rows, columns = np.nonzero(view.usable)
        chosen = random.integers(len(rows), size=100)
        verdicts += [
            shadow.verdict
            for shadow in focus_shadows(view, columns[chosen], rows[chosen], np.full(100, 4.0))
        ]
    assert verdicts.count("yes") < 0.04 * (len(verdicts) - verdicts.count("not assessable"))


def test_the_profile_shows_what_was_compared():
    grey = darkened(speckle(2), 240, 200, width=9, length=45, decibels=12)
    view = view_of(grey)
    (shadow,) = focus_shadows(view, [240], [195], [8])
    profile = shadow.profile
    start = view.speckle_size[1]  # the strips begin one resolution cell below the focus
    assert_allclose(profile.depth_px, start + np.arange(len(profile.strip)), rtol=1e-6)
    assert_allclose(profile.depth_mm, 0.08 * profile.depth_px, rtol=1e-6)
    flanks = np.minimum(profile.left, profile.right)
    inside = profile.depth_px < shadow.length - 2 * start
    assert np.mean((flanks - profile.strip)[inside]) > 8 * GREY_PER_DB
    assert np.mean((flanks - profile.strip)[profile.depth_px > shadow.length]) < 0


def test_the_profile_scales_with_the_grey_scale():
    grey = np.clip(darkened(speckle(5), 240, 200, width=9, length=60, decibels=6), 0, 255)
    (shadow,) = focus_shadows(view_of(grey), [240], [195], [8])
    profile = shadow.profile
    falls = profile.left + profile.right - 2 * profile.strip
    (same,) = focus_shadows(view_of(0.5 * grey + 60), [240], [195], [8])
    halved = same.profile.left + same.profile.right - 2 * same.profile.strip
    assert_allclose(halved, 0.5 * falls, atol=0.5)


def test_the_profile_has_no_value_where_text_covers_a_strip():
    grey = speckle(3)
    graphics = np.zeros(grey.shape, bool)
    graphics[215:225, 230:250] = True
    (shadow,) = focus_shadows(view_of(grey, graphics=graphics), [240], [195], [8])
    profile = shadow.profile
    hidden = np.isnan(profile.strip)
    assert 8 <= hidden.sum() <= 13
    np.testing.assert_array_equal(hidden, np.isnan(profile.left))
    rows = 199 + profile.depth_px[hidden]
    assert rows.min() > 213
    assert rows.max() < 227


def test_a_shadow_that_is_not_assessable_has_no_profile():
    (shadow,) = focus_shadows(view_of(speckle(1)), [240], [495], [8])
    assert shadow.verdict == "not assessable"
    assert shadow.profile is None


def test_without_spacing_the_profile_has_no_mm():
    grid = Grid(0, 0, 2, 0.5, 0.08, Spacing())
    (shadow,) = focus_shadows(view_of(speckle(1), grid=grid), [240], [195], [8])
    assert shadow.profile.depth_mm is None
    assert_allclose(np.diff(shadow.profile.depth_px), 1, rtol=1e-5)  # sqrt(2 * 0.5)
