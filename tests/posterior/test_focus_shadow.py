from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View
from usmicro.posterior.focus_shadow import focus_shadows, posterior
from usmicro.settings import ShadowSettings

ACROSS, ALONG = 5.0, 3.2
"""Measured full widths at half maximum of the grey autocovariance of `speckle`."""
GREY_PER_DB = 255 / 60


def speckle(seed, shape=(500, 480)):
    """Fully developed speckle, log-compressed over 60 dB, its mean in the middle of the grey scale."""
    random = np.random.default_rng(seed)
    real, imaginary = (
        cv2.GaussianBlur(random.normal(size=shape), (0, 0), sigmaX=2.75, sigmaY=1.75)
        for _ in range(2)
    )
    intensity = real**2 + imaginary**2
    return (GREY_PER_DB * (10 * np.log10(intensity / intensity.mean()) + 35)).astype(np.float32)


def view_of(grey, **changes):
    grey = np.clip(grey, 0, 255).astype(np.float32)
    everywhere = np.ones(grey.shape, bool)
    view = View(
        grey,
        everywhere,
        ~everywhere,
        Grid(0, 0, 1, 1, 0.08, Spacing(0.08, 0.08, "given")),
        ScanLines("linear", 0.0),
        (ACROSS, ALONG),
    )
    return replace(view, **changes)


def darkened(grey, x, y, *, width, length, decibels):
    """A rectangle of shadow below (x, y)."""
    grey = grey.copy()
    grey[int(y) : int(y + length), int(x - width / 2) : int(x + width / 2) + 1] -= (
        decibels * GREY_PER_DB
    )
    return grey


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


def test_a_bright_tail_is_no_shadow():
    grey = darkened(speckle(1), 240, 200, width=9, length=80, decibels=-9)
    (shadow,) = focus_shadows(view_of(grey), [240], [195], [8])
    assert shadow.verdict == "no"
    assert shadow.drop < 0
    assert shadow.p > 0.5
    assert shadow.length is None


def test_flat_speckle_shows_shadow_about_as_often_as_the_p_value_says():
    p = []
    for seed in range(20):
        random = np.random.default_rng(1000 + seed)
        x, y = random.uniform(60, 420, 100), random.uniform(10, 400, 100)
        p += [shadow.p for shadow in focus_shadows(view_of(speckle(seed)), x, y, np.full(100, 6.0))]
    p = np.array(p)
    assert 0.003 < (p < 0.01).mean() < 0.017
    assert 0.03 < (p < 0.05).mean() < 0.07


def test_gain_and_slope_of_the_grey_scale_do_not_matter():
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


def test_each_focus_is_judged_by_itself():
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


def sector_of(polar, face):
    """A polar image, range by angle, scan-converted; its arc length equals its column step at `middle`."""
    middle = face + polar.shape[0] / 2
    apex_x, apex_y = 400.0, -face + 20
    rows, columns = np.mgrid[:620, :800].astype(np.float32)
    range_ = np.hypot(columns - apex_x, rows - apex_y) - face
    angle = np.arctan2(columns - apex_x, rows - apex_y)
    column = (angle * middle + polar.shape[1] / 2).astype(np.float32)
    grey = cv2.remap(
        polar.astype(np.float32),
        column,
        range_.astype(np.float32),
        cv2.INTER_LINEAR,
        borderValue=-1,
    )
    tissue = (
        (column >= 1)
        & (column <= polar.shape[1] - 2)
        & (range_ >= 1)
        & (range_ <= polar.shape[0] - 2)
    )
    view = view_of(
        np.where(tissue, grey, 0),
        tissue=tissue,
        scan_lines=ScanLines("sector", face, apex_x, apex_y, apex_x),
    )
    return view, lambda x, y: (
        apex_x + (face + y) * np.sin((x - polar.shape[1] / 2) / middle),
        apex_y + (face + y) * np.cos((x - polar.shape[1] / 2) / middle),
    )


def test_a_sector_scan_gives_what_its_scan_lines_give():
    polar = darkened(speckle(6), 120, 200, width=9, length=100, decibels=8)
    polar = np.clip(darkened(polar, 350, 150, width=9, length=100, decibels=8), 0, 255)
    x, y, diameter = (
        np.array([120.0, 350.0, 240.0]),
        np.array([195.0, 145.0, 200.0]),
        np.full(3, 8.0),
    )
    straight = focus_shadows(view_of(polar), x, y, diameter)
    view, place = sector_of(polar, face=400.0)
    fanned = focus_shadows(view, *place(x, y), diameter)
    assert (
        [shadow.verdict for shadow in fanned]
        == [shadow.verdict for shadow in straight]
        == ["yes", "yes", "no"]
    )
    assert_allclose(
        [shadow.drop for shadow in fanned], [shadow.drop for shadow in straight], atol=0.3
    )


@pytest.mark.parametrize(("x", "y"), [(240, 490), (2, 200), (478, 200)])
def test_at_the_edge_nothing_is_assessed(x, y):
    (shadow,) = focus_shadows(view_of(speckle(7)), [x], [y], [5])
    assert shadow.verdict == "not assessable"
    assert "leaves the tissue" in shadow.reason
    assert shadow.drop is shadow.p is shadow.length is None


def test_text_behind_the_focus_is_named():
    overlay = np.zeros((500, 480), bool)
    overlay[205:330, 230:250] = True
    (shadow,) = focus_shadows(view_of(speckle(8), graphics=overlay), [240], [195], [5])
    assert shadow.verdict == "not assessable"
    assert "text or colour" in shadow.reason


def test_the_noise_floor_is_not_assessed():
    grey = speckle(9)
    grey[250:] = np.random.default_rng(1).integers(0, 2, (250, 480))
    (shadow,) = focus_shadows(view_of(grey), [240], [260], [5])
    assert shadow.verdict == "not assessable"
    assert "noise floor" in shadow.reason


def test_the_dark_inside_of_a_mass_is_compared_with_itself():
    masses = np.zeros((500, 480), np.int32)
    masses[150:400, 236:300] = 1
    grey = speckle(10) - 12 * GREY_PER_DB * (masses > 0)
    x, y, diameter = [243.0, 270.0], [200.0, 200.0], [5.0, 5.0]
    edge, middle = focus_shadows(view_of(grey), x, y, diameter, masses=masses)
    assert edge.verdict == "not assessable"
    assert "same tissue" in edge.reason
    assert middle.verdict == "no"
    # a thin mass looks like a shadow when its outline is not known
    thin = np.zeros((500, 480), np.int32)
    thin[150:400, 236:245] = 1
    (blind,) = focus_shadows(
        view_of(speckle(10) - 12 * GREY_PER_DB * (thin > 0)), [240], [200], [5]
    )
    assert blind.verdict == "yes"


def test_a_bright_point_in_one_flank_makes_no_shadow():
    grey = speckle(11)
    grey[220:230, 246:254] = 255
    (shadow,) = focus_shadows(view_of(grey), [240], [195], [5])
    assert shadow.verdict == "no"


def ellipse(shape, x, y, a, b):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1


def scan_with_mass(seed, *, behind=()):
    """Speckle with a dark mass; `behind` is (from, to, decibels) of columns below it."""
    grey = speckle(seed) - 15 * GREY_PER_DB  # breast tissue is darker than the middle of the scale
    mass = ellipse((500, 480), 240, 150, 80, 50)
    for first, last, decibels in behind:
        grey[150:, first:last] += decibels * GREY_PER_DB
    grey[mass] = speckle(seed)[mass] - 25 * GREY_PER_DB
    return grey, mass


@pytest.mark.parametrize(
    ("behind", "feature"),
    [
        ((), "none"),
        (((160, 321, -9),), "shadowing"),
        (((160, 321, 9),), "enhancement"),
        (((160, 225, -12), (225, 321, 9)), "combined"),
        (((160, 190, -15), (290, 321, -15)), "none"),  # edge shadow
    ],
)
def test_posterior_features(behind, feature):
    grey, mass = scan_with_mass(12, behind=behind)
    assert posterior(view_of(grey), mass).feature == feature


def test_the_posterior_score_is_negative_where_dark_and_mirrors():
    grey, mass = scan_with_mass(13, behind=((160, 321, -9),))
    one = posterior(view_of(grey), mass)
    other = posterior(view_of(grey[:, ::-1].copy()), mass[:, ::-1].copy())
    assert one.score < 0
    assert_allclose(other.score, one.score, atol=0.01)


def test_the_posterior_feature_of_a_sector_scan_equals_that_of_its_scan_lines():
    polar, mass = scan_with_mass(14, behind=((160, 321, -9),))
    polar = np.clip(polar, 0, 255)
    view, _ = sector_of(polar, face=400.0)
    fanned_mass = sector_of(255.0 * mass, face=400.0)[0].grey > 127
    straight, fanned = posterior(view_of(polar), mass), posterior(view, fanned_mass)
    assert fanned.feature == straight.feature == "shadowing"
    assert_allclose(fanned.score, straight.score, atol=0.08)


def test_a_mass_at_the_lower_edge_or_without_pixels_is_not_assessable():
    grey, _ = scan_with_mass(15)
    assert (
        posterior(view_of(grey), ellipse((500, 480), 240, 460, 80, 40)).feature == "not assessable"
    )
    assert posterior(view_of(grey), np.zeros((500, 480), bool)).score is None


def test_a_longer_strip_is_a_setting():
    grey = darkened(speckle(16), 240, 200, width=9, length=200, decibels=9)
    shadows = [
        focus_shadows(view_of(grey), [240], [195], [8], ShadowSettings(length=length))[0]
        for length in (4.0, 12.0)
    ]
    assert shadows[0].length < shadows[1].length
    assert_allclose(shadows[1].length, 12 / 0.08, atol=15)


@pytest.mark.slow
def test_random_places_in_real_tissue_rarely_show_shadow(data_folder):
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
