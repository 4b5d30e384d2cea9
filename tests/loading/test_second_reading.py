import numpy as np
import pytest

from usmicro.errors import ScanError
from usmicro.loading.second_reading import frames_at
from usmicro.model.scan import Scan


def scan_of(frames, read=None):
    stack = np.arange(frames, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 5), np.uint8)
    return Scan("cine", None, 4, 5, frames, read or (lambda: iter(stack)))


def test_frames_come_once_and_in_order():
    found = list(frames_at(scan_of(9), [7, 2, 2, 4]))
    assert [number for number, _ in found] == [2, 4, 7]
    assert all((frame == number).all() for number, frame in found)


def test_nothing_is_read_behind_the_last_frame():
    def read():
        yield np.zeros((4, 5), np.uint8)
        raise AssertionError("read too far")

    assert len(list(frames_at(scan_of(9, read), [0]))) == 1
    assert list(frames_at(scan_of(9, read), [])) == []


def test_a_missing_frame_is_an_error():
    with pytest.raises(ScanError, match="cine: frame 5 is not in the file"):
        list(frames_at(scan_of(3), [1, 5]))
