"""What `usmicro.analyze` takes, and its messages about what it does not take."""

import subprocess
import sys

import numpy as np
import pytest

import usmicro
from usmicro.errors import ImageError, ScanError, SettingsError, UsageError
from usmicro.model.scan import Scan
from usmicro.phantom import simulate
from usmicro.settings import FociSettings, LoadingSettings, Settings


@pytest.fixture(scope="module")
def phantom():
    return simulate(11)


@pytest.fixture(scope="module")
def analysis(phantom):
    return usmicro.analyze(phantom.scan())


def same(one, other):
    assert one.foci.to_rows() == other.foci.to_rows()
    assert one.masses.to_rows() == other.masses.to_rows()
    assert one.candidates.to_rows() == other.candidates.to_rows()
    assert one.summary == other.summary
    np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image / 255.0,
        lambda image: image.tolist(),
        lambda image: image[np.newaxis],
    ],
    ids=["array", "float", "list", "one frame"],
)
def test_an_array_gives_the_findings_of_its_scan(phantom, analysis, change):
    same(usmicro.analyze(change(phantom.frames[0]), spacing=phantom.spacing), analysis)


def test_a_path_gives_the_findings_of_the_loaded_scan(sample_data):
    path = sample_data / "mass_linear.png"
    by_path = usmicro.analyze(str(path), spacing=(0.08, 0.08))
    same(by_path, usmicro.analyze(usmicro.load(path, spacing=0.08)))
    same(by_path, usmicro.analyze(source=usmicro.load(path), spacing=0.08))
    assert by_path.summary.spacing_source == "given"


def test_a_cine_of_colours_and_one_image_are_told_apart_by_shape(phantom):
    image = np.repeat(phantom.frames[0][..., None], 3, axis=2)
    rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    assert usmicro.analyze(rgba).summary.frames == 1
    cine = usmicro.analyze(np.stack([image, image]))
    assert cine.summary.frames == 2
    with pytest.raises(ImageError, match="may be a grey cine of 3 frames"):
        usmicro.analyze(np.moveaxis(image, 2, 0))


def test_settings_of_loading_hold_for_a_path(sample_data):
    settings = Settings(loading=LoadingSettings(largest_image=100))
    with pytest.raises(ScanError, match="above the limit of 100"):
        usmicro.analyze(sample_data / "mass_linear.png", settings=settings)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"settings": {"foci": {}}}, SettingsError, r"found dict; .*read_settings\(path\)"),
        ({"settings": "settings.toml"}, SettingsError, "expected usmicro.Settings, found str"),
        ({"settings": FociSettings()}, SettingsError, "found FociSettings"),
        ({"masks": "masks"}, UsageError, "found str; usmicro.run reads masks from a folder"),
        ({"masks": np.zeros((9, 9))}, UsageError, r'found ndarray; .*\{"masses": mask\}'),
        ({"detector": "module:function"}, UsageError, "detector: expected a function"),
        ({"spacing": "0.08"}, UsageError, "spacing: expected a number of mm"),
        ({"spacing": (1, 2, 3)}, UsageError, r"found \(1, 2, 3\)"),
        ({"each_frame": 7}, UsageError, "each_frame: expected a function"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_computed(phantom, arguments, error, words):
    with pytest.raises(error, match=words):
        usmicro.analyze(phantom.frames[0], **arguments)


def test_a_group_of_settings_that_is_a_dictionary_is_refused():
    with pytest.raises(SettingsError, match=r"foci: expected usmicro.settings.FociSettings, found"):
        Settings(foci={"minimum_confidence": 0})


def test_a_scan_without_tissue_says_so():
    with pytest.raises(ScanError, match="array: no tissue found"):
        usmicro.analyze(np.zeros((200, 200)))
    with pytest.raises(ScanError, match="nothing: no tissue found"):
        usmicro.analyze(Scan.of_array(np.zeros((200, 200)), name="nothing"))


def test_public_modules_are_there_after_the_import_alone():
    code = (
        "import usmicro, sys\n"
        "assert 'numpy' not in sys.modules\n"
        "assert issubclass(usmicro.errors.ScanError, usmicro.errors.UsmicroError)\n"
        "assert callable(usmicro.evaluate)\n"
        "import usmicro.evaluation\n"
        "assert callable(usmicro.evaluate)\n"
        "assert usmicro.evaluation.evaluate is usmicro.evaluate\n"
        "assert usmicro.settings.Settings is usmicro.Settings\n"
        "assert callable(usmicro.phantom.simulate)\n"
        "assert {name for name in usmicro.__all__ if not hasattr(usmicro, name)} == set()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
