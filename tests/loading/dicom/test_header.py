"""Modality, device and body part in DICOM headers."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.model.scan import Device
from usmicro.model.warnings import WarningCode

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def codes(write_dicom, grey):
    """Return a function that loads a file and returns the codes of its warnings."""

    def read(**attributes):
        return [warning.code for warning in load(write_dicom(grey, **attributes)).warnings]

    return read


@pytest.mark.parametrize(
    ("sop_class", "modality", "warned"),
    [
        (US_IMAGE, "US", False),
        (US_IMAGE, "", False),
        (US_IMAGE, "IVUS", False),
        (CAPTURE, "US", False),
        (CAPTURE, "OT", True),
        (CAPTURE, "", True),
        (US_IMAGE, "MG", True),
        (CT_IMAGE, "US", True),
    ],
)
def test_file_that_does_not_say_ultrasound_gives_a_warning(codes, sop_class, modality, warned):
    expected = [WarningCode.NOT_ULTRASOUND] if warned else []
    assert codes(SOPClassUID=sop_class, Modality=modality) == expected


def test_name_in_place_of_a_modality_is_not_repeated(write_dicom, grey):
    path = write_dicom(grey, SOPClassUID=CT_IMAGE, Modality="DOEJANE")
    with pytest.raises(ScanError, match="modality not recognised"):
        load(path)


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_device_is_read(write_dicom, grey):
    scan = load(
        write_dicom(
            grey,
            Manufacturer=" Acme \n Imaging",
            ManufacturerModelName="Sono\x00 9000\x1b",
            TransducerData=["L12-5", "UNUSED", "UNUSED"],
            TransducerType="LINEAR",
        )
    )
    assert scan.device == Device("Acme Imaging", "Sono 9000", "L12-5, LINEAR")


@pytest.mark.filterwarnings("ignore:The value length")
def test_device_is_empty_if_unknown_and_limited_if_long(write_dicom, grey):
    assert load(write_dicom(grey)).device == Device()
    long = load(write_dicom(grey, Manufacturer="x" * 500, TransducerData=["y" * 40, "z" * 40]))
    assert long.device.manufacturer == "x" * 64
    assert len(long.device.transducer) == 64


def test_latin_1_names_are_read(write_dicom, grey):
    scan = load(
        write_dicom(grey, SpecificCharacterSet="ISO_IR 100", Manufacturer="Gerät", Modality="US")
    )
    assert scan.device.manufacturer == "Gerät"


def test_undecodable_name_of_a_device_prints_nothing(write_dicom, grey, recwarn, capfd):
    path = write_dicom(grey, SpecificCharacterSet="ISO 2022 IR 87", Manufacturer="Acme")
    path.write_bytes(path.read_bytes().replace(b"Acme", b"\x1b$~A"))
    recwarn.clear()
    assert load(path).device.manufacturer
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize(
    "part", ["BREAST", "Breast", "L_BREAST", "BRUST", "MAMMA", "AXILLA", "UNKNOWN", "", "SKIN"]
)
def test_breast_and_unspecific_body_parts_give_no_warning(codes, part):
    assert codes(BodyPartExamined=part) == []


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("part", ["THYROID", "HEART", "ABDOMEN", "CHEST", "Lower Leg"])
def test_another_body_part_gives_a_warning_that_names_it(write_dicom, grey, part):
    (warning,) = load(write_dicom(grey, BodyPartExamined=part)).warnings
    assert warning.code == WarningCode.OTHER_BODY_PART
    assert part.upper() in warning.text


def test_text_that_may_be_a_name_is_not_repeated(write_dicom, grey):
    (warning,) = load(write_dicom(grey, BodyPartExamined="DOE JANE")).warnings
    assert warning.code == WarningCode.OTHER_BODY_PART
    assert "DOE" not in warning.text


def region_code(meaning):
    """Return an AnatomicRegionSequence."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "SCT", meaning
    return Sequence([code])


def test_anatomic_region_counts_as_well(codes):
    assert codes(AnatomicRegionSequence=region_code("Thyroid")) == [WarningCode.OTHER_BODY_PART]
    assert codes(AnatomicRegionSequence=region_code("Structure of left breast")) == []
    assert codes(BodyPartExamined="CHEST", AnatomicRegionSequence=region_code("Breast")) == []


def test_study_description_is_not_read(codes):
    assert codes(StudyDescription="Echo of the heart", ProtocolName="Cardiac") == []
