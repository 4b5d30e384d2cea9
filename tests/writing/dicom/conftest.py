"""Results of made-up analyses as DICOM files."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.dicom_results import FRAMES, in_last_frame, write_source
from tests.helpers.finished_analysis import made_analysis
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom.source import read_source


@pytest.fixture(scope="package")
def write_results():
    """The function that writes both results."""
    pytest.importorskip("highdicom", reason='needs highdicom: pip install "usmicro[dicom]"')
    from usmicro.writing.dicom import write_results

    return write_results


@pytest.fixture(scope="package", params=[1, FRAMES], ids=["single", "cine"])
def written(request, tmp_path_factory, write_results):
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


@pytest.fixture
def two_masses(tmp_path, write_results):
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
