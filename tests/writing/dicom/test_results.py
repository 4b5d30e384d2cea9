import shutil
import subprocess
from dataclasses import fields, replace
from typing import get_args, get_type_hints

import numpy as np
import pydicom
import pytest
from pydicom.sr.coding import Code

from tests.helpers.dicom_results import IDENTITY, items, write_source
from tests.helpers.finished_analysis import made_analysis
from usmicro.errors import DicomResultError
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom.source import NO_DATE, read_source
from usmicro.writing.tables import cell

highdicom = pytest.importorskip("highdicom", reason='needs highdicom: pip install "usmicro[dicom]"')

from usmicro.writing.dicom import codes, write_results  # noqa: E402


def test_the_report_names_a_detector_of_the_user(tmp_path):
    analysis = replace(made_analysis(rows=401, columns=635), detector="my_module.detect")
    source = write_source(tmp_path / "scan.dcm", analysis.labels.shape, 1)
    areas = FrameAreas()
    areas.add(0, analysis.labels)
    report = tmp_path / "scan.sr.dcm"
    write_results(
        analysis,
        areas,
        read_source(source),
        "fingerprint",
        report=report,
        segmentation=tmp_path / "scan.seg.dcm",
    )
    assert b"foci found by my_module.detect" in report.read_bytes()


@pytest.mark.parametrize("kind", [3, 4], ids=["report", "segmentation"])
def test_results_refer_to_the_source_and_repeat_its_patient_and_study(written, kind):
    result, source = pydicom.dcmread(written[kind]), pydicom.dcmread(written[2])
    for name in (
        *IDENTITY,
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "ReferringPhysicianName",
    ):
        assert str(result[name].value) == str(source[name].value), name
    assert result.SeriesInstanceUID != source.SeriesInstanceUID
    referred = {
        item.ReferencedSOPInstanceUID: item.ReferencedSOPClassUID
        for item in items(result)
        if "ReferencedSOPInstanceUID" in item
    }
    assert referred == {source.SOPInstanceUID: source.SOPClassUID}
    assert [item.CodingSchemeDesignator for item in result.CodingSchemeIdentificationSequence] == [
        codes.SCHEME
    ]


def test_the_report_is_read_back_exactly(written):
    analysis, areas, _, file, _ = written
    content = highdicom.sr.srread(file).content
    groups = content.get_planar_roi_measurement_groups(finding_type=codes.FOCUS)
    assert len(groups) == len(analysis.foci) > 1
    for group, focus in zip(groups, analysis.foci, strict=True):
        assert group.roi.graphic_type.value == "POINT"
        np.testing.assert_allclose(
            group.roi.value, [[focus.x_px + 0.5, focus.y_px + 0.5]], rtol=1e-6
        )
        check_frame(group, focus.frame if analysis.frame else None)
        check_values(group, focus, codes.FOCUS_MEASURED, codes.FOCUS_STATED)
        assert group.tracking_identifier.startswith(f"focus {focus.focus}")
        (reason,) = [item for item in group[0].ContentSequence if item.name == codes.REASON]
        assert (reason.value_type.value, reason.value) == ("TEXT", focus.label_reason)
        shown = [item.value for item in group[0].ContentSequence if item.name == codes.FRAMES]
        assert shown == ([f"1-{analysis.summary.frames}"] if analysis.tracks else [])
    (mass_group,) = content.get_planar_roi_measurement_groups(finding_type=codes.MASS)
    check_values(mass_group, analysis.masses[0], codes.MASS_MEASURED, codes.MASS_STATED)
    check_frame(mass_group, analysis.frame or None)
    shown = [item.value for item in mass_group[0].ContentSequence if item.name == codes.FRAMES]
    assert shown == ([f"1-{analysis.summary.frames}"] if analysis.mass_tracks else [])
    outline = np.asarray(mass_group.roi.value)
    assert mass_group.roi.graphic_type.value == "POLYLINE"
    np.testing.assert_array_equal(outline[0], outline[-1])
    rows, columns = np.nonzero(areas.area(analysis.frame, 1))
    np.testing.assert_allclose(outline.min(axis=0), (columns.min(), rows.min()), atol=0.5)
    np.testing.assert_allclose(outline.max(axis=0), (columns.max() + 1, rows.max() + 1), atol=0.5)
    (image,) = content.get_image_measurement_groups(finding_type=codes.IMAGE)
    check_values(image, analysis.summary, codes.IMAGE_MEASURED, ())
    assert len(image.get_qualitative_evaluations(codes.CALCIFICATION)) == len(
        analysis.summary.calcification.split("+")
    )


def check_frame(group, frame):
    """Check the frame that a region refers to: counted from 1, none in an image of one frame."""
    reference = group.roi.ContentSequence[0].ReferencedSOPSequence[0]
    assert reference.get("ReferencedFrameNumber") == (None if frame is None else frame + 1)


def check_values(group, finding, measured, stated):
    for one in measured:
        found = group.get_measurements(one.concept)
        value = getattr(finding, one.field)
        assert len(found) == (value is not None), one.field
        if found:
            assert found[0].value == float(cell(float(value) * one.factor)), one.field
            assert found[0].unit == one.unit
    for one in stated:
        (found,) = group.get_qualitative_evaluations(one.concept)
        assert found.value == one.words[getattr(finding, one.field)]


def words_of(hint: object) -> set[object]:
    """Return the words that a type allows, without None."""
    return set().union(
        *(words_of(part) if get_args(part) else {part} for part in get_args(hint))
    ) - {type(None)}


def test_every_word_of_a_table_has_a_code_that_dicom_allows():
    from usmicro.model.findings import Focus, Mass

    for kind, stated in ((Focus, codes.FOCUS_STATED), (Mass, codes.MASS_STATED)):
        for one in stated:
            assert set(one.words) == words_of(get_type_hints(kind)[one.field]), one.field
            assert len(set(one.words.values())) == len(one.words)
        assert {one.field for one in stated} <= {field.name for field in fields(kind)}
    listed = [value for value in vars(codes).values() if isinstance(value, Code)]
    listed += [
        one.concept
        for table in (
            codes.FOCUS_MEASURED,
            codes.FOCUS_STATED,
            codes.MASS_MEASURED,
            codes.MASS_STATED,
        )
        for one in table
    ]
    for code in listed:
        assert len(code.value) <= 16, code
        assert len(code.meaning) <= 64, code
        assert code.scheme_designator in ("DCM", "SCT", "UCUM", codes.SCHEME)


def test_equal_results_have_equal_bytes_and_other_results_another_uid(written, tmp_path):
    analysis, areas, source, *former = written
    for fingerprint in ("fingerprint", "other"):
        files = tmp_path / f"{fingerprint}.sr.dcm", tmp_path / f"{fingerprint}.seg.dcm"
        write_results(
            analysis,
            areas,
            read_source(source),
            fingerprint,
            report=files[0],
            segmentation=files[1],
        )
    for file, kind in zip(former, ("sr", "seg"), strict=True):
        assert (tmp_path / f"fingerprint.{kind}.dcm").read_bytes() == file.read_bytes()
        other = pydicom.dcmread(tmp_path / f"other.{kind}.dcm")
        assert other.SOPInstanceUID != pydicom.dcmread(file).SOPInstanceUID


def test_dciodvfy_finds_no_error_in_results_of_two_masses(two_masses):
    for file in two_masses[1:3]:
        check_with_dciodvfy(file)


@pytest.mark.parametrize("kind", [3, 4], ids=["report", "segmentation"])
def test_dciodvfy_finds_no_error(written, kind):
    check_with_dciodvfy(written[kind])


def check_with_dciodvfy(file):
    if (program := shutil.which("dciodvfy")) is None:
        pytest.skip("needs dciodvfy: apt-get install dicom3tools")
    said = subprocess.run([program, str(file)], capture_output=True, text=True).stderr.splitlines()
    assert said, "dciodvfy should name at least the kind of object"
    assert not [line for line in said if line.startswith(("Error", "Abort"))]
    # dciodvfy warns of the private scheme
    assert not [line for line in said if line.startswith("Warning") and codes.SCHEME not in line]


def test_dsrdump_reads_the_report(written):
    if (program := shutil.which("dsrdump")) is None:
        pytest.skip("needs dsrdump: apt-get install dcmtk")
    said = subprocess.run(
        [program, str(written[3])], capture_output=True, text=True, errors="replace"
    )
    assert said.returncode == 0
    assert not [line for line in said.stderr.splitlines() if line.startswith("E:")]
    assert said.stdout.count('Finding")=(ECHOGENIC_FOCUS') == len(written[0].foci)


def test_only_references_to_cines_have_a_frame_number(tmp_path):
    # some scanners write NumberOfFrames = 1
    single = write_source(tmp_path / "s.dcm", (4, 4), 1, NumberOfFrames=1)
    assert read_source(single).frame_number(0) is None
    assert read_source(write_source(tmp_path / "c.dcm", (4, 4), 2)).frame_number(1) == 2


def test_a_scan_that_is_not_dicom_has_no_results_and_the_error_says_why(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DicomResultError, match="not a DICOM file"):
        read_source(tmp_path / "scan.png")
    path = write_source(tmp_path / "s.dcm", (4, 4), 1, StudyInstanceUID="")
    with pytest.raises(DicomResultError, match="StudyInstanceUID"):
        read_source(path)


def test_values_that_dicom_does_not_allow_are_left_empty_and_not_repeated_in_notes(tmp_path):
    path = write_source(tmp_path / "s.dcm", (4, 4), 1, PatientSex="WOMAN", StudyDate="17052024")
    source = read_source(path)
    assert source.dataset.PatientSex == source.dataset.StudyDate == ""
    assert source.date == NO_DATE
    assert len(source.notes) == 2
    assert not [note for note in source.notes if "WOMAN" in note or "1705" in note]


def test_an_archive_stores_and_returns_the_results(written, orthanc):
    api = pytest.importorskip("dicomweb_client.api", reason="needs dicomweb-client")
    _, _, source, *files = written
    client, image = api.DICOMwebClient(orthanc), pydicom.dcmread(source)
    results = [pydicom.dcmread(file) for file in files]
    client.store_instances([image, *results])
    for result, modality in zip(results, ("SR", "SEG"), strict=True):
        (series,) = client.search_for_series(
            image.StudyInstanceUID, search_filters={"SeriesInstanceUID": result.SeriesInstanceUID}
        )
        assert series["00080060"]["Value"] == [modality]
        back = client.retrieve_instance(
            image.StudyInstanceUID, result.SeriesInstanceUID, result.SOPInstanceUID
        )
        assert back == result
    (study,) = client.search_for_studies(
        search_filters={"StudyInstanceUID": image.StudyInstanceUID}
    )
    assert study["00100020"]["Value"] == [IDENTITY["PatientID"]]
