"""Regions that overlap."""

import pytest

from usmicro.model.regions import free_fraction, tissue_parts
from usmicro.model.scan import Region, Spacing
from usmicro.model.warnings import ScanWarning, WarningCode

NEAR, FAR = Spacing(0.05, 0.05, "region"), Spacing(0.1, 0.1, "region")


def tissue(left, top, right, bottom, spacing=NEAR, *, low=False, kind="tissue", face_row=None):
    return Region(kind, left, top, right, bottom, spacing, low_priority=low, face_row=face_row)


def regions_of(*regions):
    """Return the regions that are analysed, and the number of notes."""
    parts, notes = tissue_parts(regions)
    return [part.region for part in parts], len(notes)


WHOLE = tissue(0, 0, 100, 100)


def test_repeated_region_is_one():
    assert regions_of(WHOLE, WHOLE) == ([WHOLE], 0)


def test_region_that_is_one_pixel_smaller_is_one_with_the_other():
    assert regions_of(tissue(0, 0, 99, 99), WHOLE) == ([WHOLE], 1)
    assert not tissue_parts([tissue(0, 0, 99, 99), WHOLE])[0][0].joined


def test_regions_of_one_picture_are_joined():
    (part,), notes = tissue_parts([tissue(0, 0, 60, 100), tissue(40, 0, 100, 100)])
    assert part.region == WHOLE
    assert part.joined
    assert "analysed as one" in notes[0]


def test_three_regions_of_one_picture_are_joined():
    thirds = [tissue(0, 0, 40, 100), tissue(60, 0, 100, 100), tissue(30, 0, 70, 100)]
    assert regions_of(*thirds) == ([WHOLE], 2)


def test_halves_of_a_dual_view_that_share_a_column_stay_apart():
    left, right = tissue(0, 0, 51, 100), tissue(50, 0, 100, 100)
    (first, second), notes = tissue_parts([left, right])
    assert (first.region, second.region) == (left, right)
    assert (first.covered, second.covered) == ((), (left,))  # the larger one has the column
    assert len(notes) == 1


def test_region_of_high_priority_wins_over_a_larger_one():
    inset = tissue(60, 60, 100, 100, FAR)
    (first, second), _ = tissue_parts([tissue(0, 0, 100, 100, low=True), inset])
    assert first.covered == (inset,)
    assert (second.region, second.covered) == (inset, ())


def test_larger_region_wins_at_the_same_priority():
    inset = tissue(60, 60, 100, 100, FAR)
    (part,), (warning,) = tissue_parts([inset, WHOLE])
    assert part.region == WHOLE
    assert isinstance(warning, ScanWarning)
    assert warning.code == WarningCode.SPACING_DIFFERS
    assert "not analysed on its own" in warning.text


def test_inset_of_low_priority_is_only_noted():
    (part,), (note,) = tissue_parts([tissue(60, 60, 100, 100, FAR, low=True), WHOLE])
    assert part.region == WHOLE
    assert isinstance(note, str)


def test_part_of_a_smaller_region_remains():
    right = tissue(70, 0, 130, 100, FAR)
    (first, second), _ = tissue_parts([WHOLE, right])
    assert first.covered == ()
    assert (second.region, second.covered) == (right, (WHOLE,))


def test_pixels_that_are_left_out_are_counted():
    _, notes = tissue_parts([WHOLE, tissue(50, 0, 102, 100, FAR)])
    assert "4 % of its pixels are left out" in str(notes[0])


def test_each_pixel_belongs_to_one_part():
    regions = [
        tissue(0, 0, 60, 60),
        tissue(40, 40, 100, 100, FAR),
        tissue(20, 30, 90, 70, Spacing(0.2, 0.2, "region"), low=True),
    ]
    parts, _ = tissue_parts(regions)
    for row in range(0, 100, 3):
        for column in range(0, 100, 3):
            point = tissue(column, row, column + 1, row + 1)
            owners = [
                part
                for part in parts
                if free_fraction(point, [part.region]) == 0
                and free_fraction(point, part.covered) == 1
            ]
            inside = any(free_fraction(point, [region]) == 0 for region in regions)
            assert len(owners) == inside


def test_colour_box_is_part_of_its_tissue():
    box = tissue(20, 20, 80, 80, kind="colour flow", low=False)
    assert regions_of(tissue(0, 0, 100, 100, low=True), box)[0] == [
        tissue(0, 0, 100, 100, low=True)
    ]
    assert regions_of(box)[0] == [box]


def test_colour_flow_beside_the_tissue_is_analysed():
    beside = tissue(100, 0, 200, 100, kind="colour flow")
    assert regions_of(WHOLE, beside) == ([WHOLE, beside], 0)


@pytest.mark.parametrize("kind", ["spectral", "m-mode"])
def test_spectrum_over_tissue_of_low_priority_is_left_out(kind):
    spectrum = tissue(0, 60, 100, 100, Spacing(), kind=kind)
    (part,), _ = tissue_parts([tissue(0, 0, 100, 100, low=True), spectrum])
    assert part.covered == (spectrum,)
    everything = tissue(0, 0, 100, 100, Spacing(), kind=kind)
    (part,), _ = tissue_parts([tissue(0, 0, 100, 100, low=True), everything])
    assert part.covered == ()


def test_other_kinds_are_not_analysed():
    assert regions_of(tissue(0, 0, 50, 50, kind="other")) == ([], 0)


def test_joined_regions_keep_a_common_row_at_depth_0():
    first, second = tissue(0, 0, 60, 100, face_row=-9.0), tissue(40, 0, 100, 100, face_row=-9.0)
    assert tissue_parts([first, second])[0][0].region.face_row == -9.0
    third = tissue(40, 0, 100, 100, face_row=-5.0)
    assert tissue_parts([first, third])[0][0].region.face_row is None
