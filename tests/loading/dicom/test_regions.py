import math

import numpy as np
import pytest
from pydicom.sequence import Sequence

from usmicro.errors import UsageError
from usmicro.loading import load
from usmicro.loading.dicom.regions import read_regions
from usmicro.model.scan import Region, Spacing


@pytest.fixture
def scan_with(write_dicom, grey, region):
    """Return a function that loads a scan of 96 rows x 64 columns with regions.

    Each region is given by the attributes that differ from those of the `region` fixture.
    """

    def scan(*changes, spacing=None, spacing_wins=False, **attributes):
        path = write_dicom(
            grey,
            SequenceOfUltrasoundRegions=Sequence([region(**change) for change in changes]),
            **attributes,
        )
        return load(path, spacing=spacing, spacing_wins=spacing_wins)

    return scan


def approx(x_mm, y_mm, source):
    return Spacing(pytest.approx(x_mm), pytest.approx(y_mm), source)


def test_tissue_region_gives_the_spacing(scan_with):
    scan = scan_with({"PhysicalDeltaX": 0.008, "PhysicalDeltaY": -0.012})
    assert scan.regions == (Region("tissue", 10, 20, 50, 80, approx(0.08, 0.12, "region")),)
    assert scan.spacing == approx(0.08, 0.12, "region")
    assert scan.notes == ()


@pytest.mark.parametrize(
    ("spatial_format", "data_type", "kind"),
    [
        (1, 1, "tissue"),
        (1, 2, "colour flow"),
        (2, 1, "m-mode"),
        (3, 3, "spectral"),
        (3, 4, "spectral"),
        (3, 1, "spectral"),
        (5, 0xE, "colour bar"),
        (1, 0xE, "colour bar"),
        (5, 0xD, "grey bar"),
        (0, 0, "other"),
        (4, 10, "other"),
    ],
)
def test_kind_of_region_follows_from_format_and_data_type(
    scan_with, spatial_format, data_type, kind
):
    scan = scan_with({"RegionSpatialFormat": spatial_format, "RegionDataType": data_type})
    assert [region.kind for region in scan.regions] == [kind]
    assert scan.spacing.known == (kind in ("tissue", "colour flow"))


@pytest.mark.parametrize("value", [0, math.nan, math.inf, -math.inf, 1e-9, 5.0, None])
def test_implausible_spacing_is_not_used_and_noted(scan_with, value):
    scan = scan_with({"PhysicalDeltaX": value})
    assert scan.regions[0].spacing.x_mm is None
    assert scan.regions[0].spacing.y_mm == pytest.approx(0.1)
    assert not scan.spacing.known
    assert any("PhysicalDeltaX" in note for note in scan.notes)


@pytest.mark.parametrize("unit", [0, 1, 4, None])
def test_spacing_in_other_units_than_cm_is_not_used(scan_with, unit):
    scan = scan_with({"PhysicalUnitsXDirection": unit, "PhysicalUnitsYDirection": unit})
    assert scan.regions[0].spacing == Spacing()
    assert scan.spacing.source == "none"


def test_two_tissue_regions_keep_their_own_spacing(scan_with):
    left = {"RegionLocationMaxX1": 30}
    right = {"RegionLocationMinX0": 31, "PhysicalDeltaX": 0.02, "PhysicalDeltaY": 0.02}
    scan = scan_with(left, right, left)
    assert [(region.left, region.right, region.spacing.x_mm) for region in scan.regions] == [
        (10, 31, pytest.approx(0.1)),
        (31, 50, pytest.approx(0.2)),
    ]
    assert scan.spacing == approx(0.1, 0.1, "region")


def test_tissue_region_gives_the_spacing_at_any_position(scan_with):
    flow = {"RegionDataType": 2, "PhysicalDeltaX": 0.05, "PhysicalDeltaY": 0.05}
    assert scan_with(flow, {}).spacing == approx(0.1, 0.1, "region")
    assert scan_with(flow).spacing == approx(0.5, 0.5, "region")


def test_region_beyond_the_image_is_cropped_and_noted(scan_with):
    scan = scan_with({"RegionLocationMaxX1": 90, "RegionLocationMinY0": 2**32 - 5})
    assert scan.regions == (Region("tissue", 10, 0, 64, 80, approx(0.1, 0.1, "region")),)
    assert any("extends outside" in note for note in scan.notes)


def test_region_one_pixel_too_large_gets_no_note(scan_with):
    scan = scan_with({"RegionLocationMaxX1": 64})
    assert scan.regions[0].right == 64
    assert scan.notes == ()


def test_regions_of_a_larger_image_are_not_used(scan_with):
    scan = scan_with({"RegionLocationMaxX1": 127, "RegionLocationMaxY1": 191})
    assert (scan.regions, scan.spacing) == ((), Spacing())
    assert any("larger image" in note for note in scan.notes)


@pytest.mark.parametrize(
    "change", [{"RegionLocationMinX0": 60}, {"RegionLocationMinX0": 70, "RegionLocationMaxX1": 80}]
)
def test_region_outside_the_image_is_not_used(scan_with, change):
    scan = scan_with(change, {})
    assert len(scan.regions) == 1
    assert any("no pixel inside" in note for note in scan.notes)


def test_damaged_region_does_not_affect_the_others(scan_with):
    scan = scan_with({"RegionLocationMaxX1": None}, {})
    assert len(scan.regions) == 1
    assert any(
        "region 1" in note and "RegionLocationMaxX1 is missing" in note for note in scan.notes
    )


def test_damaged_sequence_is_noted():
    regions, notes = read_regions({"SequenceOfUltrasoundRegions": 7}, 10, 10)
    assert regions == ()
    assert "cannot be read" in notes[0]


def test_pixel_spacing_is_row_distance_first(write_dicom, grey):
    assert load(write_dicom(grey, PixelSpacing=[0.2, 0.1])).spacing == Spacing(
        0.1, 0.2, "pixel spacing"
    )
    assert load(write_dicom(grey, NominalScannedPixelSpacing=[0.2, 0.1])).spacing == Spacing(
        0.1, 0.2, "pixel spacing"
    )


def test_spacing_comes_from_region_then_pixel_spacing_then_user(scan_with):
    user_spacing = Spacing(0.3, 0.3, "given")
    assert scan_with({}, PixelSpacing=[0.2, 0.2]).spacing.source == "region"
    assert scan_with(
        {"PhysicalDeltaX": 0}, PixelSpacing=[0.2, 0.2], spacing=user_spacing
    ).spacing == Spacing(0.2, 0.2, "pixel spacing")
    assert scan_with({"PhysicalDeltaX": 0}, spacing=user_spacing).spacing == user_spacing
    assert scan_with({}, spacing=user_spacing).spacing == approx(0.1, 0.1, "region")


def test_user_spacing_that_wins_also_replaces_that_of_the_regions(scan_with):
    scan = scan_with({}, spacing=Spacing(0.3, 0.2), spacing_wins=True)
    assert scan.spacing == Spacing(0.3, 0.2, "given")
    assert scan.regions[0].spacing == Spacing()
    assert any("given by the user" in note for note in scan.notes)


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize("value", [[0, 0.1], [-0.1, 0.1], [100, 100], [0.1], ["nan", 0.1]])
def test_implausible_pixel_spacing_is_not_used_and_noted(write_dicom, grey, value):
    scan = load(write_dicom(grey, PixelSpacing=value))
    assert scan.spacing == Spacing()
    assert any("PixelSpacing" in note for note in scan.notes)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, None])
def test_user_spacing_must_be_positive(write_dicom, grey, value):
    with pytest.raises(UsageError):
        load(write_dicom(grey), spacing=Spacing(value, 0.1, "given"))


def test_regions_are_always_inside_the_image(region):
    random = np.random.default_rng(1)
    for _ in range(200):
        corners = random.integers(-50, 150, 4).tolist()
        names = (
            "RegionLocationMinX0",
            "RegionLocationMinY0",
            "RegionLocationMaxX1",
            "RegionLocationMaxY1",
        )
        item = region(**{name: value % 2**32 for name, value in zip(names, corners, strict=True)})
        regions, notes = read_regions({"SequenceOfUltrasoundRegions": [item]}, 96, 64)
        for cropped in regions:
            assert 0 <= cropped.left < cropped.right <= 64
            assert 0 <= cropped.top < cropped.bottom <= 96
        assert regions or notes
