import shutil
import subprocess
from dataclasses import fields, replace
from typing import get_args, get_type_hints

import numpy as np
import pydicom
import pytest
from pydicom.sr.coding import Code

from tests.helpers.finished_analysis import made_analysis
from usmicro.errors import DicomResultError
from usmicro.loading.dicom.segmentation import read_segmentation
from usmicro.loading.masks import read_masks
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom.source import NO_DATE, read_source
from usmicro.writing.tables import cell

highdicom = pytest.importorskip("highdicom", reason='needs highdicom: pip install "usmicro[dicom]"')

from usmicro.writing.dicom import codes, write_results  # noqa: E402

IDENTITY = {
    "PatientName": "Müller^Änne",
    "PatientID": "X-1",
    "PatientBirthDate": "19610203",
    "PatientSex": "F",
    "AccessionNumber": "A1",
}
FRAMES = 3


@pytest.fixture(scope="module", params=[1, FRAMES], ids=["single", "cine"])
def written(request, tmp_path_factory):
    """Return an analysis of one frame or a cine, its anatomy, the source and both results."""
    folder = tmp_path_factory.mktemp("dicom")
    # the number of pixels is not a multiple of 8
    analysis = made_analysis(rows=401, columns=635, frames=request.param)
    analysis = in_last_frame(analysis, request.param - 1)
    areas = FrameAreas()
    for frame in range(request.param):
        areas.add(frame, np.roll(analysis.labels, 5 * (request.param - 1 - frame), axis=1))
    source = write_source(folder / "scan.dcm", analysis.labels.shape, request.param)
    files = folder / "a" / "scan.sr.dcm", folder / "a" / "scan.seg.dcm"
    write_results(
        analysis, areas, read_source(source), "fingerprint", report=files[0], segmentation=files[1]
    )
    return analysis, areas, source, *files


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


def in_last_frame(analysis, frame):
    """Return the same findings, measured on another frame."""
    foci = type(analysis.foci)(replace(focus, frame=frame) for focus in analysis.foci)
    masses = type(analysis.masses)(replace(mass, frame=frame) for mass in analysis.masses)
    return replace(analysis, foci=foci, masses=masses, frame=frame)


def write_source(path, shape, frames, **more):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPClassUID = (
        pydicom.uid.UltrasoundMultiFrameImageStorage
        if frames > 1
        else pydicom.uid.UltrasoundImageStorage
    )
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = (
        f"1.2.840.{frames}.{number}" for number in (1, 2, 3)
    )
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = (
        data.SOPClassUID,
        data.SOPInstanceUID,
    )
    data.Modality, data.StudyDate, data.StudyTime = "US", "20240517", "101112"
    data.StudyID, data.ReferringPhysicianName, data.Manufacturer = "S1", "Doe^J", "Maker"
    for name, value in {**IDENTITY, **more}.items():
        setattr(data, name, value)
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = (
        *shape,
        1,
        "MONOCHROME2",
    )
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if frames > 1:
        data.NumberOfFrames = frames
    pixels = bytes(shape[0] * shape[1] * frames)
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data.save_as(path, enforce_file_format=True)
    return path


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


def items(dataset):
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from items(item)


def test_the_segmentation_is_read_back_exactly(written):
    analysis, areas, source, _, file = written
    frames = analysis.frame + 1
    back = read_segmentation(
        file, analysis.labels.shape, frames=frames, image_uid=pydicom.dcmread(source).SOPInstanceUID
    )
    assert back.structures == {1: "mass", 2: "duct", 3: "nonmass"}
    for frame in range(frames):
        found = {number: np.zeros(areas.shape, bool) for number in (1, 2, 3)}
        for number, area in back.areas(frame):
            found[number] |= area
        for number in (1, 2, 3):
            np.testing.assert_array_equal(found[number], areas.area(frame, number))
            assert found[number].any()


def test_highdicom_reads_the_segmentation_too(written):
    analysis, areas, source, _, file = written
    segmentation = highdicom.seg.segread(file)
    uid = pydicom.dcmread(source).SOPInstanceUID
    if analysis.frame:
        pixels = segmentation.get_pixels_by_source_frame(uid, list(range(1, analysis.frame + 2)))
    else:
        pixels = segmentation.get_pixels_by_source_instance([uid])
    for frame in range(analysis.frame + 1):
        for number in (1, 2, 3):
            np.testing.assert_array_equal(
                pixels[frame, ..., number - 1] > 0, areas.area(frame, number)
            )


def test_a_structure_that_was_not_found_has_one_empty_frame(tmp_path):
    analysis = made_analysis()
    analysis.labels[analysis.labels == 2] = 0
    areas = FrameAreas()
    areas.add(0, analysis.labels)
    source = read_source(write_source(tmp_path / "s.dcm", analysis.labels.shape, 1))
    write_results(
        analysis,
        areas,
        source,
        "fingerprint",
        report=tmp_path / "r.dcm",
        segmentation=tmp_path / "g.dcm",
    )
    back = read_segmentation(tmp_path / "g.dcm", analysis.labels.shape, image_uid=source.uid)
    assert sorted(stored.segment or 0 for stored in back.stored_frames) == [1, 2, 3]
    assert not any(area.any() for number, area in back.areas(0) if number == 2)


@pytest.fixture
def two_masses(tmp_path):
    """Return the files of a cine with two masses that touch, and the area of each mass by frame.

    The second mass is larger on the second frame.
    """
    analysis, areas = made_analysis(frames=2), FrameAreas()
    row, column = np.mgrid[: analysis.labels.shape[0], : analysis.labels.shape[1]]
    there = [
        [np.hypot(column - 150, row - 200) < 60, np.hypot(column - 260, row - 200) < radius]
        for radius in (55, 65)
    ]
    for frame, masses in enumerate(there):
        labels = np.where(masses[0] | masses[1], 1, 0).astype(np.uint8)
        labels[row > 350] = 2
        areas.add(frame, labels)
    first = replace(analysis.masses[0], mass=1, x_px=150.0, y_px=200.0)
    second = replace(analysis.masses[0], mass=2, x_px=260.0, y_px=200.0, frame=1)
    analysis = replace(analysis, masses=type(analysis.masses)([first, second]))
    source = write_source(tmp_path / "scan.dcm", analysis.labels.shape, 2)
    files = tmp_path / "scan.sr.dcm", tmp_path / "scan.seg.dcm"
    write_results(
        analysis, areas, read_source(source), "fingerprint", report=files[0], segmentation=files[1]
    )
    return source, *files, there


def test_a_mass_has_the_same_identifiers_in_segmentation_and_report(two_masses):
    source, report, file, there = two_masses
    data = pydicom.dcmread(file)
    assert [segment.SegmentLabel for segment in data.SegmentSequence] == [
        "Mass 1",
        "Mass 2",
        "Duct",
        "Nonmass area",
    ]
    groups = highdicom.sr.srread(report).content.get_planar_roi_measurement_groups(
        finding_type=codes.MASS
    )
    assert [segment.TrackingUID for segment in data.SegmentSequence[:2]] == [
        group.tracking_uid for group in groups
    ]
    assert [segment.TrackingID for segment in data.SegmentSequence[:2]] == [
        group.tracking_identifier for group in groups
    ]
    assert not [segment for segment in data.SegmentSequence[2:] if "TrackingUID" in segment]
    pixels = highdicom.seg.segread(file).get_pixels_by_source_frame(
        pydicom.dcmread(source).SOPInstanceUID, [1, 2]
    )
    for frame, masses in enumerate(there):
        assert ((pixels[frame, ..., 0] > 0) | (pixels[frame, ..., 1] > 0)).tolist() == (
            masses[0] | masses[1]
        ).tolist()
        for index, (mass, other) in enumerate([masses, masses[::-1]]):
            own = pixels[frame, ..., index] > 0
            assert (own & mass).sum() > 0.98 * (mass & ~other).sum()
            assert (own & other & ~mass).sum() < 0.02 * other.sum()


def test_each_segment_of_a_mass_is_read_as_a_mass(two_masses):
    source, _, file, there = two_masses
    back = read_masks(file.parent, source.name, there[0][0].shape, scan=source, frames=2)
    for frame, masses in enumerate(there):
        found = back.on_frame(frame).masses
        assert np.unique(found).tolist() == [0, 1, 2]
        for number, (mass, other) in enumerate([masses, masses[::-1]], start=1):
            assert (found[mass & ~other] == number).mean() > 0.98


def test_without_masses_there_is_one_empty_segment_of_masses(tmp_path):
    analysis = made_analysis()
    analysis = replace(analysis, masses=type(analysis.masses)([]))
    analysis.labels[analysis.labels == 1] = 0
    areas = FrameAreas()
    areas.add(0, analysis.labels)
    source = read_source(write_source(tmp_path / "s.dcm", analysis.labels.shape, 1))
    write_results(
        analysis,
        areas,
        source,
        "fingerprint",
        report=tmp_path / "r.dcm",
        segmentation=tmp_path / "g.dcm",
    )
    back = read_segmentation(tmp_path / "g.dcm", analysis.labels.shape, image_uid=source.uid)
    assert back.structures == {1: "mass", 2: "duct", 3: "nonmass"}
    assert {number for number, area in back.areas(0) if area.any()} == {2, 3}


def test_segmentation_with_user_masks_is_semi_automatic(written, tmp_path):
    analysis, areas, source, *_ = written
    for given, algorithm_type in ((False, "AUTOMATIC"), (True, "SEMIAUTOMATIC")):
        write_results(
            analysis,
            areas,
            read_source(source),
            "m",
            report=tmp_path / "r",
            segmentation=tmp_path / "s",
            given=given,
        )
        assert {
            segment.SegmentAlgorithmType
            for segment in pydicom.dcmread(tmp_path / "s").SegmentSequence
        } == {algorithm_type}


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
