import pickle

import numpy as np
import pytest

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.loading.stored_frames import with_stored_frames


@pytest.mark.parametrize("name", ["mass_linear.png", "colour_cine.dcm", "mass_regions.dcm"])
def test_a_stored_scan_is_the_same_after_pickling(sample_data, tmp_path, name):
    scan = load(sample_data / name)
    stored = pickle.loads(pickle.dumps(with_stored_frames(scan, tmp_path / "frames")))
    expected = list(scan.frames())
    for _ in range(2):  # it can be read again
        frames = list(stored.frames())
        assert len(frames) == len(expected)
        for frame, original in zip(frames, expected, strict=True):
            assert frame.dtype == original.dtype
            np.testing.assert_array_equal(frame, original)
    assert stored.path is None
    for field in ("name", "spacing", "regions", "notes", "device", "frame_times", "decoder"):
        assert getattr(stored, field) == getattr(scan, field)


def test_a_frame_that_cannot_be_read_is_an_error(sample_data, tmp_path):
    content = (sample_data / "mass_linear.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content)
    scan = load(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ScanError, match=r"a\.png"):
        with_stored_frames(scan, tmp_path / "frames")
