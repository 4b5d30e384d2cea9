import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.phantom.envelopes import envelope_of
from usmicro.errors import SettingsError, UsageError
from usmicro.phantom import PhantomSettings, Truth, phantom_set, random_settings, simulate
from usmicro.phantom.scan_conversion import Probe

LINEAR = PhantomSettings(width=30.0, depth=30.0, spacing=0.08, looks=2)
SECTOR = PhantomSettings(geometry="sector", width=36.0, depth=30.0, spacing=0.11, looks=2)


@pytest.mark.parametrize(
    "settings", [replace(LINEAR, tint=True, calipers=True, screen=True, ruler=True), SECTOR]
)
def test_a_seed_gives_the_same_bytes_and_another_seed_another_scan(settings):
    first, again, other = simulate(3, settings), simulate(3, settings), simulate(4, settings)
    assert first.frames.tobytes() == again.frames.tobytes()
    assert first.truth.to_dict() == again.truth.to_dict()
    assert first.frames.tobytes() != other.frames.tobytes()


@pytest.mark.parametrize("base", [LINEAR, SECTOR])
def test_bright_spots_are_at_the_true_positions_of_the_foci(base):
    settings = replace(
        base,
        coarse=0.0,
        least_contrast=16.0,
        most_contrast=20.0,
        intramass=5,
        cysts=0.0,
        screen=True,
    )
    offsets = []
    for seed in range(3):
        phantom = simulate(seed, settings)
        image = cv2.GaussianBlur(phantom.frames[0].astype(np.float32), (0, 0), 1)
        for focus in phantom.truth.foci:
            x, y = round(focus.x_px[0]), round(focus.y_px[0])
            near = image[y - 5 : y + 6, x - 5 : x + 6]
            row, column = np.unravel_index(near.argmax(), near.shape)
            offsets.append(np.hypot(column - 5 + x - focus.x_px[0], row - 5 + y - focus.y_px[0]))
    assert len(offsets) > 10
    assert np.median(offsets) < 1.2
    assert np.mean(np.array(offsets) <= 2.2) > 0.85


def test_labels_agree_with_the_label_images():
    settings = replace(LINEAR, nonmass=1, in_nonmass=2, masses=1, ducts=2, cysts=0.0, looks=1)
    labels = set()
    for seed in range(3):
        truth = simulate(seed, settings).truth
        for focus in truth.foci:
            x, y = round(focus.x_px[0]), round(focus.y_px[0])
            labels.add(focus.label)
            assert truth.tissue[y, x]
            assert truth.mass_labels[y, x] == (focus.mass or 0)
            assert truth.duct_labels[y, x] == (focus.duct or 0)
            assert truth.nonmass[y, x] or not focus.nonmass
            assert (focus.kind == "coarse") == (focus.diameter_mm >= 0.5)
    assert labels == {"intramass", "extramass", "intraductal"}


def test_masses_are_darker_than_their_surroundings_and_have_the_size_of_their_labels():
    phantom = simulate(6, replace(LINEAR, cysts=1.0, ducts=0, extramass=0))
    truth, (mass,) = phantom.truth, phantom.truth.masses
    inside = truth.mass_labels == mass.number
    envelope = envelope_of(phantom.frames[0], phantom.settings)
    around = cv2.dilate(inside.astype(np.uint8), np.ones((41, 41), np.uint8)).astype(bool) & ~inside
    assert envelope[inside].mean() < 0.2 * envelope[around].mean()
    assert mass.area_mm2 == pytest.approx(inside.sum() * phantom.settings.spacing**2)


@pytest.mark.parametrize("settings", [LINEAR, SECTOR])
def test_beam_space_and_pixels_map_to_each_other(settings):
    probe = Probe.of(settings)
    u, d = np.array([-10.0, 0.0, 4.5]), np.array([1.0, 12.0, 27.0])
    np.testing.assert_allclose(probe.beam(*probe.position(u, d)), (u, d), atol=1e-9)
    x, y = probe.to_pixels(u, d)
    pixel_u, pixel_d = probe.pixel_beams
    for column, row, across, along in zip(
        np.rint(x).astype(int), np.rint(y).astype(int), u, d, strict=True
    ):
        assert pixel_u[row, column] == pytest.approx(across, abs=settings.spacing)
        assert pixel_d[row, column] == pytest.approx(along, abs=settings.spacing)


def test_the_tissue_of_a_sector_is_on_rays_from_its_apex():
    truth = simulate(0, SECTOR).truth
    (view,) = truth.views
    rows, columns = np.nonzero(truth.tissue)
    assert view.apex_px is not None
    distance = np.hypot(columns - view.apex_px[0], rows - view.apex_px[1]) * view.spacing_mm
    angle = np.arctan2(columns - view.apex_px[0], rows - view.apex_px[1])
    assert distance.min() == pytest.approx(SECTOR.radius, abs=2 * SECTOR.spacing)
    assert distance.max() == pytest.approx(SECTOR.radius + SECTOR.depth, abs=2 * SECTOR.spacing)
    assert np.abs(angle).max() == pytest.approx(SECTOR.width / 2 / SECTOR.radius, abs=0.005)
    assert view.face_px * view.spacing_mm == pytest.approx(SECTOR.radius)


def test_tissue_pixels_have_echoes_and_other_pixels_are_black():
    phantom = simulate(1, replace(SECTOR, screen=True, header=True))
    outside = ~phantom.truth.tissue & ~phantom.truth.overlay
    assert not phantom.frames[0][outside].any()
    assert (phantom.frames[0][phantom.truth.tissue] > 0).mean() > 0.9


def test_burned_in_graphics_are_in_the_overlay_and_change_nothing_else():
    plain, with_graphics = (
        simulate(8, replace(LINEAR, calipers=graphics, text=graphics, cysts=0.0))
        for graphics in (False, True)
    )
    changed = plain.frames[0] != with_graphics.frames[0]
    assert changed.any()
    assert not (changed & ~with_graphics.truth.overlay).any()
    assert plain.truth.foci == with_graphics.truth.foci


def test_regions_contain_the_tissue_and_two_views_are_side_by_side():
    phantom = simulate(2, PhantomSettings(width=20.0, depth=24.0, views=2, screen=True))
    first, second = phantom.regions
    assert first.right < second.left
    for number, region in enumerate((first, second)):
        assert region.kind == "tissue"
        assert phantom.truth.tissue[region.top : region.bottom, region.left : region.right].all()
        assert region.spacing.x_mm == phantom.settings.spacing
        assert all(
            region.left <= focus.x_px[0] < region.right
            for focus in phantom.truth.foci
            if focus.view == number
        )
    numbers = [mass.number for mass in phantom.truth.masses]
    assert numbers == [1, 2]
    assert np.unique(phantom.truth.mass_labels).tolist() == [0, 1, 2]


@pytest.mark.parametrize("settings", [replace(LINEAR, nonmass=1, colour=True, frames=2), SECTOR])
def test_truth_survives_json(settings):
    truth = simulate(5, settings).truth
    again = Truth.from_dict(json.loads(json.dumps(truth.to_dict())))
    assert again.to_dict() == truth.to_dict()
    for name in ("mass_labels", "duct_labels", "nonmass", "tissue", "overlay"):
        np.testing.assert_array_equal(getattr(again, name), getattr(truth, name))
    assert [focus.label for focus in again.foci] == [focus.label for focus in truth.foci]


def test_a_phantom_is_a_scan():
    phantom = simulate(0, PhantomSettings(frames=2, width=15.0, depth=15.0))
    scan = phantom.scan()
    frames = list(scan.frames())
    assert (scan.rows, scan.columns) == frames[0].shape
    assert scan.declared_frames == len(frames) == 2
    assert scan.regions[0].kind == "tissue"


def test_tissue_moves_by_the_true_motion():
    phantom = simulate(
        3, replace(LINEAR, frames=4, motion=0.3, anatomy=False, masses=0, ducts=0, extramass=3)
    )
    first = phantom.frames[0].astype(np.float32)
    for number in range(1, 4):
        across, along = np.array(phantom.truth.motion_mm[number]) / phantom.settings.spacing
        (dx, dy), _ = cv2.phaseCorrelate(
            first[40:-40, 40:-40], phantom.frames[number].astype(np.float32)[40:-40, 40:-40]
        )
        assert (dx, dy) == pytest.approx((across, along), abs=0.6)
        focus = phantom.truth.foci[0]
        assert focus.x_px[number] - focus.x_px[0] == pytest.approx(across, abs=1e-6)


@pytest.mark.parametrize(
    "kind",
    ["mixed", "faint", "no foci", "no masses", "speckle", "twinkling", "vessel", "flash", "noise"],
)
def test_random_settings_vary_with_the_seed_and_are_repeatable(kind):
    settings = [random_settings(seed, kind) for seed in range(6)]
    assert len(set(settings)) == 6
    assert settings == [random_settings(seed, kind) for seed in range(6)]


def test_a_set_without_foci_has_none():
    (phantom,) = phantom_set("speckle", [4])
    assert phantom.truth.foci == ()
    assert phantom.name == "speckle-4"


def test_a_set_without_masses_keeps_its_other_foci():
    truths = [phantom.truth for phantom in phantom_set("no masses", [4, 5])]
    assert not any(truth.masses or truth.mass_labels.any() for truth in truths)
    assert (
        {"intraductal"}
        <= {focus.label for truth in truths for focus in truth.foci}
        <= {"intraductal", "extramass"}
    )


def test_errors_of_wrong_settings_state_what_is_expected():
    with pytest.raises(SettingsError, match="linear, sector"):
        PhantomSettings(geometry="phased")
    with pytest.raises(SettingsError, match="most_contrast"):
        PhantomSettings(least_contrast=20, most_contrast=10)
    with pytest.raises(SettingsError, match="views = 2: expected 1 with colour Doppler"):
        PhantomSettings(colour=True, views=2)
    with pytest.raises(UsageError, match="mixed"):
        random_settings(0, "everything")  # type: ignore[arg-type]
