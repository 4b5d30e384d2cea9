from dataclasses import replace

import numpy as np
import pytest

import usmicro
from usmicro.doppler.patches import colour_patch_heads
from usmicro.phantom import ColourBox, FocusShape, PhantomSettings, Scene, VesselShape, simulate
from usmicro.preparation import prepare
from usmicro.settings import TwinklingSettings

SETTINGS = PhantomSettings(
    width=26.0,
    depth=26.0,
    spacing=0.08,
    anatomy=False,
    colour=True,
    frames=10,
    colour_noise=0.0,
    motion=0.03,
)
BOX = ColourBox(-10.0, 10.0, 4.0, 22.0)
HIDDEN = FocusShape(-4.0, 9.0, 0.6, -20.0, "extramass", twinkling=True)
"""A focus that twinkles, with an echo no brighter than the speckle around it."""
VESSEL = VesselShape(
    tuple(zip(np.linspace(1, 9, 40).tolist(), np.linspace(8, 18, 40).tolist(), strict=True)),
    0.8,
    4.0,
)


def heads(phantom, frame: int = 0):
    """Heads of the colour patches of a frame in image pixels, (n, 2)."""
    (view,) = prepare(phantom.frames[frame], spacing=phantom.spacing, regions=phantom.regions)
    return np.column_stack(view.grid.to_image(*colour_patch_heads(view, TwinklingSettings())))


def test_a_focus_that_twinkles_lies_at_the_head_of_a_colour_patch():
    phantom = simulate(2, SETTINGS, scene=Scene(box=BOX, foci=(HIDDEN,), vessels=(VESSEL,)))
    (focus,) = phantom.truth.foci
    for frame in range(3):
        positions = heads(phantom, frame)
        from_focus = positions - (focus.x_px[frame], focus.y_px[frame])
        assert np.hypot(*from_focus.T).min() * SETTINGS.spacing < 1.5


def test_power_doppler_flashes_and_grey_frames_have_no_patches():
    scene = Scene(box=BOX, foci=(HIDDEN,))
    assert len(heads(simulate(2, replace(SETTINGS, colour_map="power"), scene=scene))) == 0
    flash = simulate(2, replace(SETTINGS, flash=1.0), scene=scene)
    assert len(heads(flash)) == 0
    grey = simulate(2, replace(SETTINGS, colour=False, frames=1), scene=Scene())
    assert len(heads(grey)) == 0


@pytest.fixture(scope="module")
def analysis():
    return usmicro.analyze(
        simulate(2, SETTINGS, scene=Scene(box=BOX, foci=(HIDDEN,), vessels=(VESSEL,))).scan()
    )


def test_twinkling_without_an_echo_is_listed_with_the_origin_twinkling(analysis):
    twinkling = [focus for focus in analysis.foci if focus.twinkling == "yes"]
    assert len(twinkling) == 1
    assert twinkling[0].origin == "twinkling"
    x, y = (13 - 4.0) / 0.08 + 62, 9 / 0.08
    assert np.hypot(twinkling[0].x_px - x, twinkling[0].y_px - y) * SETTINGS.spacing < 1.5


def test_a_focus_without_an_echo_has_no_measures_of_an_echo(analysis):
    for focus in analysis.foci:
        measures = (
            focus.diameter_px,
            focus.diameter_mm,
            focus.contrast,
            focus.false_alarm,
            focus.kind,
        )
        assert len({value is None for value in measures}) == 1
        assert focus.origin == "twinkling" or focus.contrast is not None


def test_a_vessel_alone_is_not_listed_as_a_focus():
    phantom = simulate(2, SETTINGS, scene=Scene(box=BOX, vessels=(VESSEL,)))
    assert all(focus.origin == "echo" for focus in usmicro.analyze(phantom.scan()).foci)
