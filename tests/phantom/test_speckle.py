from dataclasses import replace

import numpy as np
import pytest

from tests.phantom.envelopes import envelope_of
from usmicro.phantom import FocusShape, Outline, PhantomSettings, Scene, simulate
from usmicro.phantom.anatomy import render
from usmicro.phantom.scan_conversion import LINE_STEP, SAMPLE_STEP, Probe
from usmicro.phantom.scene import MassShape
from usmicro.phantom.simulation import echoes
from usmicro.phantom.speckle import (
    MEAN_ENVELOPE,
    compressed,
    filtered,
    k_shape,
    k_snr,
    resolution,
    scatterer_power,
    scatterers,
)

PLAIN = PhantomSettings(
    anatomy=False, masses=0, ducts=0, intramass=0, intraductal=0, extramass=0, looks=1
)


def homogeneous_envelope(snr: float, seed: int = 0) -> np.ndarray:
    settings = PhantomSettings(anatomy=False, snr=snr)
    probe = Probe.of(settings)
    rng = np.random.default_rng(seed)
    power = scatterer_power(rng, np.full(probe.shape, k_shape(snr), np.float32), settings, probe)
    return np.abs(filtered(scatterers(rng, power, settings, probe), settings, probe))


@pytest.mark.parametrize("snr", [1.2, 1.35, 1.6, 1.85])
def test_k_shape_is_the_inverse_of_k_snr(snr):
    assert k_snr(k_shape(snr)) == pytest.approx(snr, rel=1e-6)


def test_k_speckle_with_a_large_shape_is_rayleigh():
    assert k_snr(1e4) == pytest.approx(1.913, abs=0.002)


@pytest.mark.parametrize("snr", [1.35, 1.6, 1.88])
def test_speckle_has_the_amplitude_snr_of_the_settings_and_unit_power(snr):
    envelope = homogeneous_envelope(snr)
    assert envelope.mean() / envelope.std() == pytest.approx(snr, abs=0.07)
    assert np.mean(envelope**2) == pytest.approx(1, abs=0.05)


def test_compounding_raises_the_snr_by_less_than_independent_speckle():
    one, four = (
        envelope_of(simulate(2, replace(PLAIN, looks=looks)).frames[0], PLAIN) for looks in (1, 4)
    )
    gain = (four.mean() / four.std()) / (one.mean() / one.std())
    assert 1.15 < gain < 1.9


def point_width(depth: float) -> tuple[float, float]:
    """Lateral and axial full width at half maximum of a point at a depth in mm, in mm."""
    probe = Probe.of(PLAIN)
    field = np.zeros(probe.shape, np.complex64)
    row, column = round((depth - float(probe.d[0])) / SAMPLE_STEP), probe.shape[1] // 2
    field[row, column] = 1
    image = np.abs(filtered(field, PLAIN, probe))
    across, along = image[row], image[:, column]
    lateral = float(np.sum(across > across.max() / 2)) * LINE_STEP
    axial = float(np.sum(along > along.max() / 2)) * SAMPLE_STEP
    return lateral, axial


def test_the_point_spread_function_has_the_resolution_and_widens_with_depth():
    widths = {depth: point_width(depth) for depth in (16.0, 26.0, 36.0)}
    for depth, (lateral, axial) in widths.items():
        expected_lateral, expected_axial = resolution(PLAIN, depth)
        assert lateral == pytest.approx(expected_lateral, abs=1.5 * LINE_STEP)
        assert axial == pytest.approx(expected_axial, abs=1.5 * SAMPLE_STEP)
    assert widths[36.0][0] > 1.3 * widths[16.0][0]


def test_the_display_is_linear_in_db():
    settings = PhantomSettings()
    envelope = np.geomspace(0.06, 10, 50).astype(np.float32)
    np.testing.assert_allclose(
        envelope_of(compressed(envelope, settings), settings), envelope, rtol=1e-3
    )


def test_an_s_shaped_grey_map_keeps_black_middle_and_white():
    envelope = np.geomspace(0.001, 100, 200).astype(np.float32)
    straight = compressed(envelope, PhantomSettings())
    curved = compressed(envelope, PhantomSettings(curve=0.6))
    assert (np.diff(curved) >= 0).all()
    for grey in (0.0, 127.5, 255.0):
        assert np.interp(grey, straight, curved) == pytest.approx(grey, abs=0.5)
    dark = (straight > 10) & (straight < 110)
    assert (curved[dark] < straight[dark]).all()


def test_the_reference_envelope_has_the_grey_level_of_the_settings():
    assert compressed(np.float32([MEAN_ENVELOPE]), PhantomSettings(grey=97))[0] == pytest.approx(97)


@pytest.mark.parametrize(
    ("contrast", "diameter"), [(8.0, 0.3), (14.0, 0.3), (14.0, 1.2), (20.0, 0.4)]
)
def test_foci_have_the_contrast_of_the_scene(contrast, diameter):
    foci = tuple(
        FocusShape(x, z, diameter, contrast, "extramass")
        for x in (-12.0, -6.0, 0.0, 6.0, 12.0)
        for z in (8.0, 16.0, 24.0, 32.0)
    )
    probe = Probe.of(PLAIN)
    scene = Scene(foci=foci)
    _, peaks = echoes(
        np.random.default_rng(1),
        scene,
        render(np.random.default_rng(0), scene, PLAIN, probe),
        PLAIN,
        probe,
    )
    # speckle is added with a random phase, so single peaks scatter, more so in coarse foci
    assert np.median(peaks) == pytest.approx(contrast, abs=1.5)


def mean_level(image: np.ndarray, settings: PhantomSettings, rows: slice, columns: slice) -> float:
    return float(20 * np.log10(envelope_of(image[rows, columns], settings).mean()))


def test_the_tissue_behind_a_focus_is_darker_by_about_the_loss_of_its_shadow():
    settings = replace(PLAIN, looks=3)
    scene = Scene(foci=(FocusShape(0.0, 12.0, 1.5, 18.0, "extramass", shadow_db=12.0),))
    image = simulate(4, settings, scene=scene).frames[0]
    x, y = image.shape[1] // 2, round(12 / settings.spacing)
    behind = slice(y + round(1.5 / settings.spacing), y + round(5 / settings.spacing))
    shadow = mean_level(image, settings, behind, slice(x - 6, x + 7))
    beside = mean_level(
        image,
        settings,
        behind,
        slice(x + round(4 / settings.spacing), x + round(10 / settings.spacing)),
    )
    before = mean_level(
        image,
        settings,
        slice(y - round(5 / settings.spacing), y - round(1.5 / settings.spacing)),
        slice(x - 6, x + 7),
    )
    assert -13 < shadow - beside < -6
    assert abs(before - beside) < 3


@pytest.mark.parametrize(
    ("feature", "loss"), [("shadowing", 10.0), ("enhancement", -6.0), ("none", 0.0)]
)
def test_tissue_behind_a_mass_has_its_posterior_feature(feature, loss):
    settings = replace(PLAIN, looks=3)
    mass = MassShape(Outline(0.0, 14.0, 5.0, 3.5), posterior=feature, posterior_db=loss)
    image = simulate(5, settings, scene=Scene(masses=(mass,))).frames[0]
    middle, rows = (
        image.shape[1] // 2,
        slice(round(20 / settings.spacing), round(28 / settings.spacing)),
    )
    behind = mean_level(image, settings, rows, slice(middle - 20, middle + 20))
    beside = mean_level(
        image,
        settings,
        rows,
        slice(middle + round(9 / settings.spacing), middle + round(15 / settings.spacing)),
    )
    assert behind - beside == pytest.approx(-loss, abs=2.0)
