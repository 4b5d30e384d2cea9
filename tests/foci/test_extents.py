import numpy as np
import pytest

from usmicro.foci import find_candidates
from usmicro.foci.extents import true_diameters
from usmicro.phantom import PhantomSettings, phantom_set, simulate
from usmicro.phantom.scene import FocusShape, Scene
from usmicro.preparation import prepare


def test_the_correction_of_a_diameter_scales_and_grows_with_contrast():
    width, contrast = np.array([5.0, 9.0, 20.0]), np.array([1.5, 3.0, 5.0])
    diameter = true_diameters(width, contrast, 4.0)
    np.testing.assert_allclose(true_diameters(3 * width, contrast, 12.0), 3 * diameter)
    assert (true_diameters(width, 1.2 * contrast, 4.0) < diameter).all()
    assert (true_diameters(width + 1, contrast, 4.0) > diameter).all()
    # a wide focus of the contrast at which half of the height lies at the edge keeps its width
    assert true_diameters(np.array([100.0]), np.array([4.7]), 4.0)[0] == pytest.approx(
        100, rel=0.01
    )


@pytest.mark.parametrize("contrast_db", [8.0, 12.0, 18.0])
def test_diameters_of_small_foci_are_right_at_every_contrast(contrast_db):
    settings = PhantomSettings(anatomy=False, masses=0, ducts=0)
    diameters = np.linspace(0.4, 0.9, 6)
    ratios = []
    for seed in range(3):
        places = [
            FocusShape(4.0 * column - 10, row, diameter, contrast_db, "extramass")
            for column, diameter in enumerate(np.roll(diameters, seed))
            for row in (10.0, 14.0, 18.0, 22.0)
        ]
        phantom = simulate(seed, settings, scene=Scene().with_foci(*places))
        view = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)[0]
        candidates = find_candidates(view)
        for focus in phantom.truth.foci:
            x, y = view.grid.from_image(focus.x_px[0], focus.y_px[0])
            distance = np.hypot(candidates.x - x, candidates.y - y) * view.grid.pixel_mm
            if distance.min() < focus.diameter_mm / 2:
                measured = candidates.diameter[distance.argmin()] * view.grid.pixel_mm
                ratios.append(measured / focus.diameter_mm)
    assert len(ratios) > 30
    assert np.median(ratios) == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_diameters_of_rough_lumps_are_unbiased():
    ratios = []
    for phantom in phantom_set("mixed", range(3000, 3060)):
        view = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)[0]
        candidates = find_candidates(view)
        x, y = view.grid.to_image(candidates.x, candidates.y)
        for focus in phantom.truth.foci:
            distance = np.hypot(x - focus.x_px[0], y - focus.y_px[0]) * phantom.spacing.x_mm
            if focus.diameter_mm >= 0.6 and distance.min() < focus.diameter_mm / 2:
                ratios.append(
                    candidates.diameter[distance.argmin()] * view.grid.pixel_mm / focus.diameter_mm
                )
    assert len(ratios) > 25
    assert np.median(ratios) == pytest.approx(1, abs=0.15)
