from dataclasses import replace

import numpy as np
import pydicom
import pytest

from tests.helpers.dicom_results import write_source
from tests.helpers.finished_analysis import made_analysis
from usmicro.loading.dicom.segmentation import read_segmentation
from usmicro.loading.masks import read_masks
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom.source import read_source

highdicom = pytest.importorskip("highdicom", reason='needs highdicom: pip install "usmicro[dicom]"')

from usmicro.writing.dicom import codes, write_results  # noqa: E402


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


def read_back(analysis, folder):
    """Write the results of an analysis of one frame, and read the Segmentation."""
    areas = FrameAreas()
    areas.add(0, analysis.labels)
    source = read_source(write_source(folder / "s.dcm", analysis.labels.shape, 1))
    write_results(
        analysis,
        areas,
        source,
        "fingerprint",
        report=folder / "r.dcm",
        segmentation=folder / "g.dcm",
    )
    return read_segmentation(folder / "g.dcm", analysis.labels.shape, image_uid=source.uid)


def test_a_structure_that_was_not_found_has_one_empty_frame(tmp_path):
    analysis = made_analysis()
    analysis.labels[analysis.labels == 2] = 0
    back = read_back(analysis, tmp_path)
    assert sorted(stored.segment or 0 for stored in back.stored_frames) == [1, 2, 3]
    assert not any(area.any() for number, area in back.areas(0) if number == 2)


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
    back = read_back(analysis, tmp_path)
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
