import numpy as np
import pytest

from usmicro.doppler.velocity import QUALITY_WITHOUT_BAR, decode, find_opacity, velocity
from usmicro.model.view import ColourBar, ColourFlow
from usmicro.phantom import PhantomSettings, simulate
from usmicro.phantom.colour_maps import colour_table, coloured
from usmicro.preparation.colour.separation import separate_colour


def bar_of(name, kind="velocity"):
    """Colour bar of a named map, its baseline in the middle or, for power, at the end."""
    table = colour_table(name)
    return ColourBar(kind, table, 127.5 if kind == "velocity" else 255.0, (0, 0, 10, 256))


@pytest.mark.parametrize("name", ["red-blue", "red-blue plain", "red-green", "yellow-green"])
def test_decoded_velocities_equal_those_that_were_coloured(name):
    true = np.linspace(-0.97, 0.97, 400, dtype=np.float32)
    decoded, quality = decode(coloured(true, name), bar_of(name))
    np.testing.assert_allclose(decoded, true, atol=0.02)
    assert quality.min() > 0.99


def test_power_is_an_amplitude():
    true = np.linspace(0.05, 1, 100, dtype=np.float32)
    decoded, _ = decode(coloured(true, "power"), bar_of("power", "power"), power=True)
    np.testing.assert_allclose(decoded, true, atol=0.02)


def test_a_shifted_baseline_shifts_the_velocities():
    table = colour_table("red-blue")
    bar = ColourBar("velocity", table, 80.0, (0, 0, 10, 256))
    decoded, _ = decode(table[[0, 80, 255]], bar)
    np.testing.assert_allclose(decoded, [80 / 127.5, 0, -175 / 127.5], atol=0.02)
    # both ends have the same phase, so aliased flow is continuous
    assert np.exp(1j * np.pi * (decoded[0] - decoded[2])).real > 0.99


def test_a_variance_map_gives_the_velocity_of_its_row():
    rows = colour_table("red-blue")[::8]
    green = np.stack(
        [np.clip(rows + np.array([0, k * 20, 0]), 0, 255) for k in range(4)], axis=1
    ).astype(np.uint8)
    decoded, _ = decode(green[[2, 28], 2], ColourBar("variance", green, 15.5, (0, 0, 4, 32)))
    np.testing.assert_allclose(decoded, [(15.5 - 2) / 15.5, (15.5 - 28) / 15.5], atol=0.1)


def test_without_a_bar_the_sign_is_right_and_the_quality_low():
    true = np.linspace(-0.9, 0.9, 100, dtype=np.float32)
    decoded, quality = decode(coloured(true, "red-blue"), None)
    np.testing.assert_array_equal(np.sign(decoded), np.sign(true))
    assert quality.max() <= QUALITY_WITHOUT_BAR + 1e-6


def test_a_colour_that_is_not_on_the_bar_has_no_quality():
    _, quality = decode(np.array([[0, 255, 0]], np.uint8), bar_of("red-blue"))
    assert quality[0] < 0.01


@pytest.mark.parametrize("opacity", [0.6, 0.8, 1.0])
def test_colours_mixed_with_grey_echoes_are_decoded(opacity):
    rng = np.random.default_rng(3)
    true = rng.uniform(-0.95, 0.95, 800).astype(np.float32)
    grey = rng.uniform(0, 100, (800, 1))
    mixed = np.rint(opacity * coloured(true, "red-blue") + (1 - opacity) * grey).astype(np.uint8)
    assert find_opacity(mixed, bar_of("red-blue")) == pytest.approx(opacity, abs=0.051)
    decoded, quality = decode(mixed, bar_of("red-blue"), opacity=opacity)
    assert np.quantile(np.abs(decoded - true), 0.95) < 0.03
    assert quality.min() > 0.9


def test_pixels_without_flow_have_no_velocity():
    rgb, box = np.full((4, 5, 3), (200, 0, 0), np.uint8), np.ones((4, 5), bool)
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    fraction, quality = velocity(ColourFlow(rgb, mask, box, bar_of("red-blue plain")))
    np.testing.assert_array_equal(np.isfinite(fraction), mask)
    assert (quality[~mask] == 0).all()


@pytest.mark.parametrize(("quality", "error"), [(0, 0.02), (80, 0.06)])
def test_velocities_of_a_simulated_scan_are_read_back(quality, error):
    phantom = simulate(3, PhantomSettings(colour=True, vessels=3, jpeg_quality=quality, frames=1))
    frame, truth = phantom.frames[0], phantom.truth.colour
    screen = separate_colour(frame)
    decoded, _ = velocity(ColourFlow(frame, screen.mask, screen.box, screen.bar, screen.power))
    both = screen.mask & truth.shown[0]
    assert both.sum() > 0.9 * truth.shown[0].sum()
    true = truth.velocity[0] / truth.velocity_limit_cm_s
    difference = np.angle(np.exp(1j * np.pi * (decoded - true))) / np.pi  # aliased ones agree
    assert np.median(np.abs(difference[both])) < error
