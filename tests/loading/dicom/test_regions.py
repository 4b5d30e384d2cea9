import math

import numpy as np
import pytest
from pydicom.sequence import Sequence

from usmicro.errors import UsageError
from usmicro.loading import load
from usmicro.loading.dicom.regions import read_regions
from usmicro.model.scan import Region, Spacing
from usmicro.model.warnings import WarningCode


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


@pytest.mark.parametrize("value", [0, math.nan, math.inf, -math.inf, None])
def test_missing_spacing_is_noted(scan_with, value):
    scan = scan_with({"PhysicalDeltaX": value})
    assert scan.regions[0].spacing.x_mm is None
    assert scan.regions[0].spacing.y_mm == pytest.approx(0.1)
    assert not scan.spacing.known
    assert any("PhysicalDeltaX" in note for note in scan.notes)


@pytest.mark.parametrize("value", [1e-9, 5.0])
def test_impossible_spacing_is_rejected_with_one_warning(scan_with, value):
    scan = scan_with({"PhysicalDeltaX": value, "PhysicalDeltaY": value})
    assert scan.regions[0].spacing == scan.spacing == Spacing(source="rejected", aspect=1.0)
    (warning,) = scan.warnings
    assert warning.code == WarningCode.SPACING_REJECTED
    assert "PhysicalDeltaX" in warning.text
    assert "PhysicalDeltaY" in warning.text
    given = Spacing(0.3, 0.3, "given")
    assert scan_with({"PhysicalDeltaX": value}, spacing=given).spacing == given


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
    assert scan.spacing == Spacing(source="region")  # no spacing is that of the whole image
    (warning,) = scan.warnings
    assert warning.code == WarningCode.SPACING_DIFFERS
    assert "0.1 x 0.1, 0.2 x 0.2 mm" in warning.text


def test_two_tissue_regions_of_the_same_spacing_give_that_of_the_image(scan_with):
    left = {"RegionLocationMaxX1": 29}
    right = {"RegionLocationMinX0": 30, "PhysicalDeltaX": 0.01 + 1e-9}
    scan = scan_with(left, right)
    assert scan.spacing == approx(0.1, 0.1, "region")
    assert scan.warnings == ()


def test_spacing_of_one_region_is_not_that_of_an_image_with_an_uncalibrated_one(scan_with):
    left = {"RegionLocationMaxX1": 30}
    right = {"RegionLocationMinX0": 31, "PhysicalUnitsXDirection": 0, "PhysicalUnitsYDirection": 0}
    scan = scan_with(left, right, PixelSpacing=[0.2, 0.2])
    assert scan.spacing == Spacing(source="region")
    assert [region.spacing.known for region in scan.regions] == [True, False]


def test_colour_box_does_not_calibrate_the_tissue_around_it(scan_with):
    tissue = {"PhysicalUnitsXDirection": 0, "PhysicalUnitsYDirection": 0}
    flow = {"RegionDataType": 2, "RegionLocationMinX0": 20, "RegionLocationMaxX1": 40}
    assert scan_with(tissue, flow).spacing == Spacing()


def test_tissue_region_gives_the_spacing_at_any_position(scan_with):
    flow = {"RegionDataType": 2, "PhysicalDeltaX": 0.05, "PhysicalDeltaY": 0.05}
    assert scan_with(flow, {}).spacing == approx(0.1, 0.1, "region")
    assert scan_with(flow).spacing == approx(0.5, 0.5, "region")


def test_region_that_begins_outside_the_image_is_cropped_and_noted(scan_with):
    scan = scan_with({"RegionLocationMinX0": 2**32 - 7, "RegionLocationMinY0": 2**32 - 5})
    assert scan.regions == (Region("tissue", 0, 0, 50, 80, approx(0.1, 0.1, "region")),)
    assert any("extends outside" in note for note in scan.notes)
    assert scan.warnings == ()


def test_region_one_pixel_too_large_gets_no_note(scan_with):
    scan = scan_with({"RegionLocationMaxX1": 64})
    assert scan.regions[0].right == 64
    assert scan.notes == ()


def test_region_two_pixels_too_large_is_cropped_and_noted(scan_with):
    scan = scan_with({"RegionLocationMaxX1": 65})
    assert scan.regions[0].right == 64
    assert scan.spacing.known
    assert any("extends outside" in note for note in scan.notes)


@pytest.mark.parametrize(
    "change",
    [
        {"RegionLocationMaxX1": 66},
        {"RegionLocationMaxY1": 98},
        {"RegionLocationMaxX1": 127, "RegionLocationMaxY1": 191},
        {"RegionLocationMinX0": 70, "RegionLocationMaxX1": 80},
        {"RegionLocationMaxX1": 90, "RegionDataType": 2},
        {"RegionLocationMaxX1": 70, "RegionSpatialFormat": 0, "RegionDataType": 0},
    ],
)
def test_regions_of_a_larger_image_give_no_mm(scan_with, change):
    scan = scan_with({}, change, PixelSpacing=[0.2, 0.2])
    assert (scan.regions, scan.spacing) == ((), Spacing(source="rejected"))
    (warning,) = scan.warnings
    assert warning.code == WarningCode.REGIONS_DO_NOT_FIT
    assert "64 columns x 96 rows" in warning.text
    given = Spacing(0.3, 0.3, "given")
    assert not scan_with({}, change, spacing=given).spacing.known  # a number for all files
    assert scan_with({}, change, spacing=given, spacing_wins=True).spacing == given


def test_a_trace_that_ends_slightly_outside_is_only_cropped(scan_with):
    trace = {"RegionSpatialFormat": 4, "RegionDataType": 10, "RegionLocationMaxX1": 66}
    scan = scan_with({}, trace)
    assert scan.spacing.known
    assert scan.warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"RegionLocationMinX0": 49, "RegionLocationMaxX1": 10},
        {"RegionLocationMinY0": 79, "RegionLocationMaxY1": 20},
        {"RegionLocationMinX0": 0, "RegionLocationMaxX1": 2**32 - 1},
        {"RegionLocationMinX0": 2**32 - 9, "RegionLocationMaxX1": 2**32 - 2},
    ],
)
def test_region_without_pixels_is_not_used_and_noted(scan_with, change):
    scan = scan_with(change, {})
    assert len(scan.regions) == 1
    assert any("ultrasound region 1" in note and "not used" in note for note in scan.notes)


@pytest.mark.parametrize(
    ("reference", "face_row"),
    [
        ({}, None),
        ({"ReferencePixelY0": -15}, 5),
        ({"ReferencePixelY0": 4}, 24),
        ({"ReferencePixelY0": 0, "ReferencePixelPhysicalValueY": 0.5}, -30),
        ({"ReferencePixelY0": 10, "ReferencePixelPhysicalValueY": 0.2}, 10),
        ({"ReferencePixelY0": 0}, None),
        ({"ReferencePixelY0": -20, "ReferencePixelPhysicalValueY": 0.0}, None),
        ({"ReferencePixelY0": -15, "PhysicalDeltaY": -0.01}, None),
        ({"ReferencePixelY0": -15, "PhysicalUnitsYDirection": 0}, None),
        ({"ReferencePixelY0": -15, "ReferencePixelPhysicalValueY": math.nan}, None),
    ],
)
def test_reference_pixel_gives_the_row_at_depth_0(region, reference, face_row):
    regions, _ = read_regions({"SequenceOfUltrasoundRegions": [region(**reference)]}, 96, 64)
    assert regions[0].face_row == (None if face_row is None else pytest.approx(face_row))


@pytest.mark.parametrize(("flags", "low"), [(0, False), (1, True), (2, False), (3, True)])
def test_priority_is_read_from_the_flags(scan_with, flags, low):
    assert scan_with({"RegionFlags": flags}).regions[0].low_priority == low


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
