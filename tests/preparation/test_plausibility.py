import csv
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from tests.helpers.drawn_screens import speckle, wedge
from usmicro.loading import load
from usmicro.model.scan import Spacing
from usmicro.model.warnings import WarningCode
from usmicro.phantom import PhantomSettings, simulate
from usmicro.preparation import prepare
from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.plausibility import field_angle, field_depth_mm
from usmicro.preparation.texture import texture_measures, texture_model, write_texture_model


def codes(view):
    return {warning.code for warning in view.warnings}


def sector(degrees, *, inner=60, outer=420):
    half = np.radians(degrees / 2)
    inside = wedge(480, 760, apex=(380, -20), opening=half, inner=inner, outer=outer)
    return np.where(inside, speckle(480, 760), 0).astype(np.uint8)


@pytest.mark.parametrize(("degrees", "wide"), [(40, False), (52, False), (70, True), (90, True)])
def test_a_wide_sector_gets_a_warning(degrees, wide):
    (view,) = prepare(sector(degrees))
    assert abs(field_angle(view) - degrees) < 4
    assert (WarningCode.WIDE_SECTOR in codes(view)) == wide


@pytest.mark.parametrize(("mm", "deep"), [(0.20, False), (0.25, True)])
def test_a_deep_field_gets_a_warning(mm, deep):
    (view,) = prepare(speckle(360, 400), spacing=Spacing(mm, mm, "given"))
    assert field_depth_mm(view) == pytest.approx(360 * mm, abs=1)
    assert (WarningCode.DEEP_FIELD in codes(view)) == deep


def test_an_unknown_spacing_says_nothing_about_the_depth():
    (view,) = prepare(speckle(360, 400))
    assert field_depth_mm(view) is None
    assert WarningCode.DEEP_FIELD not in codes(view)


@pytest.mark.parametrize("name", ["camera", "astronaut", "chelsea", "moon", "clock", "page"])
def test_a_photograph_or_page_gets_a_warning(name):
    (view,) = prepare(getattr(skimage.data, name)())
    assert WarningCode.UNUSUAL_TEXTURE in codes(view)


@pytest.mark.parametrize("dim", [0.3, 0.6])
def test_a_dim_photograph_gets_a_warning(dim):
    (view,) = prepare((skimage.data.camera() * dim).astype(np.uint8))
    assert WarningCode.UNUSUAL_TEXTURE in codes(view)


@pytest.mark.parametrize("mean", [60, 128])
def test_noise_gets_a_warning(mean):
    noise = np.random.default_rng(0).normal(mean, 25, (400, 500))
    (view,) = prepare(np.clip(noise, 0, 255).astype(np.uint8))
    assert WarningCode.UNUSUAL_TEXTURE in codes(view)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("geometry", ["linear", "sector"])
def test_simulated_breasts_get_no_warning(seed, geometry):
    phantom = simulate(seed, PhantomSettings(geometry=geometry))
    (view,) = prepare(next(phantom.scan().frames()), spacing=phantom.spacing)
    assert view.warnings == ()


def test_the_sample_scans_get_no_warning(sample_data):
    for file in sorted([*sample_data.glob("*.png"), *sample_data.glob("*.dcm")]):
        scan = load(file)
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            assert view.warnings == (), file.name


def test_black_parts_hardly_change_the_texture():
    frame = next(simulate(0).scan().frames())
    half = frame.copy()
    half[frame.shape[0] // 2 :] = 0
    (whole,), (upper,) = prepare(frame), prepare(half)
    assert whole.warnings == upper.warnings == ()


def test_the_first_frame_of_a_cine_decides():
    cache = ScreenCache()
    warnings = [
        prepare(frame, cache=cache)[0].warnings for frame in (sector(90), sector(84), sector(90))
    ]
    assert warnings[0]
    assert warnings[0] == warnings[1] == warnings[2]


def test_a_dark_view_has_no_texture():
    frame = np.clip(speckle(200, 200) // 16, 0, 9).astype(np.uint8)
    for view in prepare(frame):
        assert texture_measures(view) is None
        assert WarningCode.UNUSUAL_TEXTURE not in codes(view)


def test_a_written_model_is_read_again(tmp_path):
    model = texture_model()
    write_texture_model(model, tmp_path / "model.json")
    again = texture_model(Path(tmp_path / "model.json"))
    assert again.mean == model.mean
    assert again.limit == model.limit
    np.testing.assert_array_equal(again.whitening, model.whitening)


@pytest.mark.slow
def test_no_scan_of_four_public_data_sets_gets_a_warning(data_folder):
    with (data_folder / "breast-lesions-usg" / "cases.csv").open(encoding="utf-8") as file:
        mm = {row["Image_filename"]: 10 * float(row["Pixel_size"]) for row in csv.DictReader(file)}
    kinds = {WarningCode.WIDE_SECTOR, WarningCode.DEEP_FIELD, WarningCode.UNUSUAL_TEXTURE}
    count = 0
    for dataset in ("breast-lesions-usg", "bus-bra", "busi", "bus-uclm"):
        for path in sorted((data_folder / dataset / "images").iterdir()):
            known = dataset == "breast-lesions-usg"
            spacing = Spacing(mm[path.name], mm[path.name], "given") if known else Spacing()
            for view in prepare(next(load(path).frames()), spacing=spacing):
                assert not kinds & codes(view), path.name
            count += 1
    assert count == 2715
