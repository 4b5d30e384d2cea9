"""Times of the frames from a DICOM header."""

import pytest
from pydicom.dataset import Dataset

from usmicro.loading.dicom.frame_times import frame_times


def header(**values):
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"FrameTime": "50"}, (0.0, 0.05, 0.1)),
        ({"CineRate": "20"}, (0.0, 0.05, 0.1)),
        ({"FrameTimeVector": ["0", "40", "60"]}, (0.0, 0.04, 0.1)),
        ({"FrameTimeVector": ["0", "40"], "FrameTime": "50"}, (0.0, 0.05, 0.1)),
        ({"FrameTime": "0"}, ()),
        ({"FrameTime": "-3", "CineRate": "0"}, ()),
        ({}, ()),
    ],
)
def test_the_first_valid_time_counts(values, expected):
    assert frame_times(header(**values), 3) == pytest.approx(expected)


def test_a_single_frame_has_no_time():
    assert frame_times(header(FrameTime="50"), 1) == ()
