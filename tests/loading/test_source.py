"""What a caller may give as a scan."""

from pathlib import Path

import numpy as np
import pytest

import usmicro
from usmicro.errors import ImageError, ScanError, UsageError
from usmicro.loading.source import scan_of
from usmicro.model.scan import Scan, Spacing
from usmicro.settings import LoadingSettings

IMAGE = np.random.default_rng(1).integers(0, 256, (20, 30), dtype=np.uint8)


@pytest.fixture
def file(tmp_path):
    from PIL import Image

    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_path_an_array_and_a_scan_give_the_same_pixels(file):
    for source in (file, str(file), IMAGE, Scan.of_array(IMAGE), usmicro.load(file)):
        scan = scan_of(source, 0.08)
        np.testing.assert_array_equal(next(scan.frames()), IMAGE)
        assert scan.spacing == Spacing(0.08, 0.08, "given")
        assert not scan_of(source).spacing.known
        assert scan_of(source, Spacing()).spacing == scan_of(source).spacing


def test_a_scan_stays_itself_without_a_spacing():
    scan = Scan.of_array(IMAGE)
    assert scan_of(scan) is scan


def test_a_spacing_is_used_as_that_of_the_command_line_only_if_the_file_has_none(sample_data):
    path = sample_data / "mass_regions.dcm"
    own = usmicro.load(path)
    assert own.regions
    given = scan_of(path, 0.5)
    assert (given.spacing, given.regions) == (own.spacing, own.regions)
    assert scan_of(own, 0.5).regions == own.regions
    for scan in (given, scan_of(own, 0.5)):
        assert "the spacing that was given, 0.5 x 0.5 mm, is not used" in scan.notes[-1]
    assert scan_of(path).notes == own.notes
    same = Scan.of_array(IMAGE, spacing=0.1)
    assert scan_of(same, 0.1).notes == scan_of(IMAGE, 0.1).notes == ()
    wins = usmicro.load(path, spacing=0.5, spacing_wins=True)
    assert wins.spacing.x_mm == 0.5
    assert usmicro.load(path, spacing=(0.4, 0.5), spacing_wins=True).spacing.y_mm == 0.5


def test_only_a_path_is_loaded():
    with pytest.raises(UsageError, match=r"path of a scan file, found ndarray; .*Scan.of_array"):
        usmicro.load(IMAGE)


def test_settings_of_loading_are_used(file):
    with pytest.raises(ScanError, match="600 pixels, above the limit of 599"):
        scan_of(file, settings=LoadingSettings(largest_image=599))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("missing.png", ScanError, "no such file"),
        (Path("/"), ScanError, "a folder; expected one .* use usmicro.run"),
        ("s3://bucket/scan.dcm", ScanError, "usmicro.run reads addresses"),
        (None, UsageError, "expected the path of a scan, an array or a usmicro.Scan, found None"),
        (7, ImageError, "found int, which is no array"),
        (np.zeros((3, 20, 30), np.uint8), ImageError, "may be a grey cine of 3 frames"),
        ([IMAGE, IMAGE], ImageError, "a list of 2 arrays"),
    ],
)
def test_other_sources_are_refused(source, error, words):
    with pytest.raises(error, match=words):
        scan_of(source)
