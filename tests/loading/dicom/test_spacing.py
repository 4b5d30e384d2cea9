import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from usmicro.loading import load
from usmicro.model.scan import Spacing
from usmicro.model.warnings import WarningCode


def test_pixel_spacing_is_row_distance_first(write_dicom, grey):
    assert load(write_dicom(grey, PixelSpacing=[0.2, 0.1])).spacing == Spacing(
        0.1, 0.2, "pixel spacing"
    )
    assert load(write_dicom(grey, NominalScannedPixelSpacing=[0.2, 0.1])).spacing == Spacing(
        0.1, 0.2, "pixel spacing"
    )


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize("value", [[0, 0.1], [-0.1, 0.1], [0.1], ["nan", 0.1]])
def test_implausible_pixel_spacing_is_not_used_and_noted(write_dicom, grey, value):
    scan = load(write_dicom(grey, PixelSpacing=value))
    assert scan.spacing == Spacing()
    assert any("PixelSpacing" in note for note in scan.notes)


def test_impossible_pixel_spacing_is_rejected_with_a_warning(write_dicom, grey):
    scan = load(write_dicom(grey, PixelSpacing=[100, 100]))
    assert scan.spacing == Spacing(source="rejected", aspect=1.0)
    assert [warning.code for warning in scan.warnings] == [WarningCode.SPACING_REJECTED]


@pytest.mark.parametrize(
    ("ratio", "aspect"),
    [([2, 1], 2.0), ([1, 2], 0.5), ([600, 800], 0.75), ([1, 1], None), ([7, 7], None)],
)
def test_pixel_aspect_ratio_is_height_over_width(write_dicom, grey, ratio, aspect):
    scan = load(write_dicom(grey, PixelAspectRatio=ratio))
    assert scan.spacing == Spacing(aspect=aspect)
    assert scan.notes == ()


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS")
@pytest.mark.parametrize("ratio", [[0, 1], [1, 0], [-2, 1], [2], [9, 1], [1, 2, 3]])
def test_pixel_aspect_ratio_that_is_no_ratio_is_noted(write_dicom, grey, ratio):
    scan = load(write_dicom(grey, PixelAspectRatio=ratio))
    assert scan.spacing == Spacing()
    assert any("PixelAspectRatio is not used" in note for note in scan.notes)


def test_spacing_wins_over_a_contradicting_pixel_aspect_ratio(write_dicom, grey, region):
    scan = load(write_dicom(grey, PixelSpacing=[0.2, 0.1], PixelAspectRatio=[2, 1]))
    assert (scan.spacing, scan.notes) == (Spacing(0.1, 0.2, "pixel spacing"), ())
    scan = load(write_dicom(grey, PixelSpacing=[0.1, 0.1], PixelAspectRatio=[2, 1]))
    assert scan.spacing == Spacing(0.1, 0.1, "pixel spacing")
    assert any("PixelAspectRatio gives pixels 2 times as high" in note for note in scan.notes)
    regions = Sequence([region()])
    scan = load(write_dicom(grey, SequenceOfUltrasoundRegions=regions, PixelAspectRatio=[2, 1]))
    assert scan.spacing.source == "region"
    assert any("PixelAspectRatio gives" in note for note in scan.notes)


def test_region_wins_over_a_contradicting_pixel_spacing(write_dicom, grey, region):
    regions = Sequence([region()])
    for pixel_spacing, notes in (([0.1, 0.1], 0), ([0.2, 0.2], 1)):
        scan = load(
            write_dicom(grey, SequenceOfUltrasoundRegions=regions, PixelSpacing=pixel_spacing)
        )
        assert scan.spacing.source == "region"
        assert len(scan.notes) == notes


def measures(*spacings):
    """Return functional groups, each with a pixel spacing."""
    groups = []
    for spacing in spacings:
        item, group = Dataset(), Dataset()
        item.PixelSpacing = list(spacing)
        group.PixelMeasuresSequence = Sequence([item])
        groups.append(group)
    return Sequence(groups)


VOLUME = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.2"}


@pytest.mark.parametrize("keyword", ["Shared", "PerFrame"])
def test_spacing_of_a_volume_comes_from_its_functional_groups(write_dicom, cine, keyword):
    groups = measures(*[(0.2, 0.1)] * (1 if keyword == "Shared" else 8))
    scan = load(write_dicom(cine, **VOLUME, **{f"{keyword}FunctionalGroupsSequence": groups}))
    assert scan.spacing == Spacing(0.1, 0.2, "pixel spacing")


def test_frames_of_different_spacing_give_none(write_dicom, cine):
    groups = measures(*[(0.1, 0.1)] * 7, (0.2, 0.2))
    scan = load(write_dicom(cine, **VOLUME, PerFrameFunctionalGroupsSequence=groups))
    assert scan.spacing == Spacing()
    assert any("the frames have different ones" in note for note in scan.notes)
