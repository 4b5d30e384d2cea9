import pytest

pytest.importorskip("highdicom")

from usmicro.writing.dicom.measurements import frames_text


def test_frame_numbers_are_written_as_ranges():
    assert frames_text([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert frames_text([4]) == "4"
    assert frames_text([]) == ""
