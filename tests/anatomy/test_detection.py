from dataclasses import replace

import cv2
import numpy as np
import pytest

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.mask_resampling import on_grid
from usmicro.errors import ImageError
from usmicro.model.scan import UserMasks
from usmicro.model.view import ColourFlow, Grid, ScanLines, View
from usmicro.phantom import phantom_set, random_settings, simulate
from usmicro.preparation import prepare
from usmicro.settings import AnatomySettings

PIXEL_MM = 0.08


def speckle(rows: int, columns: int, seed: int) -> np.ndarray:
    """Fully developed speckle of unit mean amplitude."""
    generator = np.random.default_rng(seed)
    field = generator.standard_normal((2, rows, columns)).astype(np.float32)
    field = np.stack([cv2.GaussianBlur(part, (0, 0), sigmaX=2.2, sigmaY=1.2) for part in field])
    amplitude = np.hypot(*field)
    return amplitude / amplitude.mean()


def tissue(seed: int = 1, rows: int = 500, columns: int = 480) -> np.ndarray:
    """Echo level in dB: skin, fat, glandular tissue, pectoral fascia and muscle."""
    level = np.full((rows, columns), -16.0, np.float32)
    level[round(9 / PIXEL_MM) :] = -6.0
    level[round(30 / PIXEL_MM) :] = -18.0
    for depth in (0.0, 9.0, 30.0):
        row = round(depth / PIXEL_MM)
        level[row : row + 10] = 0.0
    generator = np.random.default_rng(seed)
    uneven = cv2.GaussianBlur(
        generator.standard_normal((rows, columns)).astype(np.float32), (0, 0), 25
    )
    return level + 2.5 * uneven / uneven.std()


def as_view(level_db: np.ndarray, seed: int = 2) -> View:
    rows, columns = level_db.shape
    speckle_db = 20 * np.log10(speckle(rows, columns, seed) + 1e-3)
    return view_of(np.clip(160 + 4.25 * (level_db + speckle_db), 0, 255).astype(np.float32))


def view_of(grey: np.ndarray) -> View:
    everywhere = np.ones(grey.shape, np.bool_)
    scan_lines = ScanLines("linear", 0.0, middle_x=grey.shape[1] / 2)
    return View(
        grey, everywhere, ~everywhere, Grid(0.0, 0.0, 1.0, 1.0, PIXEL_MM), scan_lines, (5.2, 2.8)
    )


def ellipse(
    shape: tuple[int, int], x_mm: float, y_mm: float, half_width_mm: float, half_height_mm: float
) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]] * PIXEL_MM
    return ((x - x_mm) / half_width_mm) ** 2 + ((y - y_mm) / half_height_mm) ** 2 < 1


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def scene() -> tuple[View, np.ndarray]:
    """A view with one mass, and the mass."""
    level = tissue()
    mass = ellipse(level.shape, 20, 19, 7, 5)
    level[mass] = -22
    return as_view(level), mass


@pytest.fixture(scope="module")
def found(scene):
    return find_anatomy(scene[0])


def test_a_dark_ellipse_is_one_mass_with_its_outline(scene, found):
    view, mass = scene
    assert len(found.mass_confidence) == found.masses.max() == 1
    assert dice(found.masses > 0, mass) > 0.85
    assert found.mass_confidence[0] > 0.5
    assert found.mass_probability.dtype == np.float32
    assert found.mass_probability[mass].mean() > found.mass_probability[~mass].mean() + 0.6
    assert found.given == ()
    for image in (found.mass_probability, found.masses, found.ducts, found.nonmass):
        assert image.shape == view.shape


@pytest.mark.parametrize(("gain", "contrast"), [(-20, 1.0), (0, 0.7), (15, 0.8)])
def test_gain_and_contrast_change_little(scene, found, gain, contrast):
    view, _ = scene
    other = find_anatomy(
        replace(view, grey=np.clip(view.grey * contrast + gain, 0, 255).astype(np.float32))
    )
    assert dice(other.masses > 0, found.masses > 0) > 0.95
    assert np.abs(other.mass_probability - found.mass_probability).mean() < 0.02


def test_a_linear_map_of_the_grey_changes_nothing(scene, found):
    view, _ = scene
    other = find_anatomy(replace(view, grey=view.grey * np.float32(0.5) + 3))
    np.testing.assert_allclose(other.mass_probability, found.mass_probability, atol=5e-3)


def test_the_mirror_image_has_nearly_the_mirrored_anatomy(scene, found):
    view, _ = scene
    other = find_anatomy(replace(view, grey=np.ascontiguousarray(view.grey[:, ::-1])))
    assert len(other.mass_confidence) == len(found.mass_confidence)
    assert dice(other.masses[:, ::-1] > 0, found.masses > 0) > 0.95


def test_the_same_view_gives_the_same_bytes(scene, found):
    again = find_anatomy(scene[0])
    assert again.mass_probability.tobytes() == found.mass_probability.tobytes()
    assert again.masses.tobytes() == found.masses.tobytes()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_pure_speckle_has_neither_mass_nor_duct(seed):
    anatomy = find_anatomy(as_view(np.full((500, 480), -10.0, np.float32), seed))
    assert anatomy.masses.max() == 0
    assert anatomy.mass_confidence == ()
    assert anatomy.ducts.max() == 0


@pytest.mark.parametrize("level", [0.0, 90.0, 255.0])
def test_a_constant_image_has_nothing(level):
    anatomy = find_anatomy(view_of(np.full((300, 320), level, np.float32)))
    assert anatomy.masses.max() == 0
    assert anatomy.ducts.max() == 0
    assert np.isfinite(anatomy.mass_probability).all()


def test_a_view_without_tissue_and_a_tiny_one_have_nothing():
    view = view_of(np.zeros((200, 200), np.float32))
    assert find_anatomy(replace(view, tissue=np.zeros((200, 200), np.bool_))).masses.max() == 0
    assert find_anatomy(view_of(np.full((3, 2), 50, np.float32))).mass_probability.shape == (3, 2)


def test_nothing_is_found_outside_the_tissue(scene):
    view, _ = scene
    inside = np.ones(view.shape, np.bool_)
    inside[:, : view.shape[1] // 3] = False
    anatomy = find_anatomy(replace(view, tissue=inside))
    assert (anatomy.mass_probability[~inside] == 0).all()
    assert (anatomy.masses[~inside] == 0).all()


def test_a_threshold_of_one_leaves_no_mass(scene):
    settings = AnatomySettings(mass_threshold=1.0, duct_threshold=1.0)
    anatomy = find_anatomy(scene[0], settings)
    assert anatomy.masses.max() == 0
    assert anatomy.ducts.max() == 0


def test_simulated_nonmass_areas_are_found_and_masses_are_none():
    found, extra = [], []
    for seed in range(40, 46):
        phantom = simulate(seed, replace(random_settings(seed, "mixed"), nonmass=1))
        scan = phantom.scan()
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            truth, anatomy = (
                on_grid(phantom.truth.nonmass.astype(np.int32), view) > 0,
                find_anatomy(view),
            )
            assert not (anatomy.nonmass & ((anatomy.masses > 0) | (anatomy.ducts > 0))).any()
            if truth.any():
                found.append(anatomy.nonmass[truth].mean())
            extra.append(anatomy.nonmass[~truth].mean())
    assert np.mean(np.array(found) > 0.3) >= 0.5, found
    assert np.mean(extra) < 0.02


def test_given_masks_override_and_keep_their_numbers(scene):
    view, _ = scene
    masses = np.zeros(view.shape, np.int32)
    masses[50:120, 60:160], masses[300:360, 200:300] = 2, 5
    ducts = np.zeros(view.shape, np.int32)
    ducts[200:210, 50:200] = 3
    nonmass = np.zeros(view.shape, np.bool_)
    nonmass[400:450, 100:200] = True
    anatomy = find_anatomy(view, given=UserMasks(masses, ducts, nonmass))
    np.testing.assert_array_equal(anatomy.masses, masses)
    np.testing.assert_array_equal(anatomy.ducts, ducts)
    np.testing.assert_array_equal(anatomy.nonmass, nonmass)
    assert anatomy.mass_confidence == (1.0,) * 5
    assert anatomy.given == ("masses", "ducts", "nonmass")
    assert anatomy.mass_probability[80, 100] == 1
    assert anatomy.mass_probability[200, 400] == 0
    edge = anatomy.mass_probability[80, 155:166]
    assert (np.diff(edge) <= 0).all()
    assert 0 < edge[5] < 1


def test_given_masks_are_carried_to_the_grid(scene):
    view, _ = scene
    view = replace(view, grid=Grid(10.0, 20.0, 2.0, 2.0, PIXEL_MM))
    masses = np.zeros((1100, 1000), np.int32)
    masses[220:420, 110:310] = 1
    anatomy = find_anatomy(view, given=UserMasks(masses=masses))
    rows, columns = np.nonzero(anatomy.masses)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 199, 50, 149)
    assert anatomy.given == ("masses",)


def test_an_empty_given_mask_means_no_mass(scene):
    anatomy = find_anatomy(scene[0], given=UserMasks(masses=np.zeros(scene[0].shape, np.int32)))
    assert anatomy.masses.max() == 0
    assert anatomy.mass_probability.max() == 0


def test_a_mask_of_three_dimensions_is_refused(scene):
    with pytest.raises(ImageError, match="two-dimensional label image"):
        find_anatomy(scene[0], given=UserMasks(masses=np.zeros((10, 10, 3), np.int32)))


def with_tube(level: np.ndarray, distance: np.ndarray, radius_mm: float) -> np.ndarray:
    """Draw a dark lumen and an echogenic wall, given the distance to the middle line in mm."""
    level = level.copy()
    level[(distance >= radius_mm) & (distance < radius_mm + 0.3)] += 5
    level[distance < radius_mm] = -26
    return level


@pytest.mark.parametrize("slope", [0.0, 0.3, -0.4])
def test_a_dark_tube_with_walls_is_a_duct(slope):
    level = tissue(seed=6)
    y, x = np.mgrid[: level.shape[0], : level.shape[1]] * PIXEL_MM
    along = np.clip(x, 11, 27) - 19
    distance = np.hypot(x - 19 - along, (y - 19 - slope * along))
    anatomy = find_anatomy(as_view(with_tube(level, distance, 1.0)))
    assert anatomy.ducts.max() == 1
    assert dice(anatomy.ducts > 0, distance < 1.3) > 0.7
    assert not (anatomy.masses > 0)[distance < 1].any()


def test_a_tube_with_blood_in_it_is_a_vessel_and_no_duct():
    level = tissue(seed=6)
    y, x = np.mgrid[: level.shape[0], : level.shape[1]] * PIXEL_MM
    distance = np.hypot(x - np.clip(x, 11, 27), y - 19)
    view = as_view(with_tube(level, distance, 1.0))
    box, rgb = np.ones(view.shape, bool), np.zeros((*view.shape, 3), np.uint8)
    twinkling = (distance < 1) & (x > 14) & (x < 15)
    for coloured, ducts in ((distance < 0.8, 0), (twinkling, 1)):
        assert (
            find_anatomy(replace(view, colour=ColourFlow(rgb, coloured, box))).ducts.max() == ducts
        )


@pytest.mark.parametrize("top_mm", [2, 12])
def test_a_shadow_is_no_duct(top_mm):
    level = tissue(seed=7)
    x = np.arange(level.shape[1]) * PIXEL_MM
    level[round(top_mm / PIXEL_MM) :, np.abs(x - 20) < 1.2] -= 14
    assert find_anatomy(as_view(level)).ducts.max() == 0


@pytest.mark.parametrize("width_mm", [1.0, 2.0])
def test_a_shadow_from_the_skin_is_no_mass(width_mm):
    level = tissue(seed=7)
    x = np.arange(level.shape[1]) * PIXEL_MM
    level[round(2 / PIXEL_MM) :] -= (12 * np.exp(-(((x - 20) / width_mm) ** 2) / 2)).astype(
        np.float32
    )
    assert find_anatomy(as_view(level)).masses.max() == 0


def test_given_ducts_are_no_masses(scene):
    view, mass = scene
    assert find_anatomy(view, given=UserMasks(ducts=mass.astype(np.int32))).masses.max() == 0


def test_phantom_masses_are_found():
    overlaps = []
    for phantom in phantom_set("mixed", (1, 2, 3, 4)):
        scan = phantom.scan()
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            truth, masses = on_grid(phantom.truth.mass_labels, view), find_anatomy(view).masses
            for number in np.unique(truth[truth > 0]):
                touching = np.unique(masses[(truth == number) & (masses > 0)])
                overlaps.append(
                    dice(np.isin(masses, touching), truth == number) if len(touching) else 0.0
                )
    assert np.mean(np.array(overlaps) > 0.5) >= 0.6, overlaps
