"""Uncompressed AVI files are read without OpenCV, which may crash on them."""

import struct

import cv2
import numpy as np
import pytest

from tests.helpers.video_boxes import uncompressed_avi
from tests.helpers.videos import FRAMES
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.settings import LoadingSettings

ODD = FRAMES[:3, :31, :45]
"""Frames whose rows do not fill a multiple of 4 bytes."""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes and loads a file; OpenCV must not be used."""
    monkeypatch.setattr(cv2, "VideoCapture", None)

    def write_and_load(frames=ODD, change=lambda data: data, settings=None, **options):
        (tmp_path / "a.avi").write_bytes(change(uncompressed_avi(frames, **options)))
        return load(tmp_path / "a.avi", settings=settings)

    return write_and_load


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("bits", [16, 24, 32])
def test_colours_are_read_upright(write, top_down, bits):
    scan = write(top_down=top_down, bits=bits)
    decoded = np.stack(list(scan.frames()))
    np.testing.assert_allclose(decoded.astype(int), ODD, atol=7 if bits == 16 else 0)
    assert (scan.rows, scan.columns, scan.declared_frames) == (31, 45, 3)
    assert (scan.notes, scan.warnings) == ((), ())


@pytest.mark.parametrize("grey", [False, True])
def test_palettes_are_applied(write, grey):
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    if grey:
        palette = np.repeat(palette[:, :1], 3, axis=1)
    indices = ODD[..., 0]
    scan = write(indices, top_down=False, bits=8, palette=palette)
    expected = palette[indices][..., 0] if grey else palette[indices]
    np.testing.assert_array_equal(np.stack(list(scan.frames())), expected)


def test_pixels_without_a_palette_are_grey_levels(write):
    scan = write(ODD[..., 0], top_down=False, bits=8, palette=np.zeros((0, 3), np.uint8))
    np.testing.assert_array_equal(np.stack(list(scan.frames())), ODD[..., 0])


def test_truncated_file_gives_its_complete_frames(write):
    for cut in (2, 2000, 5000):
        with pytest.raises(ScanError, match=r"[12] of 3 frames could be read; .* truncated"):
            list(write(change=lambda data, cut=cut: data[:-cut], top_down=False).frames())
        kept = write(
            change=lambda data, cut=cut: data[:-cut],
            top_down=False,
            settings=LoadingSettings(keep_truncated=True),
        )
        decoded = list(kept.frames())
        np.testing.assert_array_equal(np.stack(decoded), ODD[: len(decoded)])
    with pytest.raises(ScanError, match="no complete frame; the file is truncated"):
        write(change=lambda data: data[:300], top_down=False)


def test_other_pixels_and_sizes_are_refused(write):
    def with_bitmap(offset, value):
        def change(data):
            at = data.index(b"strf") + 8 + offset
            return data[:at] + value + data[at + len(value) :]

        return change

    with pytest.raises(ScanError, match="found 4 bits; convert"):
        write(change=with_bitmap(14, b"\4\0"), top_down=False)
    with pytest.raises(ScanError, match="with bit fields; convert"):
        write(change=with_bitmap(16, b"\3"), top_down=False)
    with pytest.raises(ScanError, match=r"frame 1 has \d+ bytes, expected"):
        write(change=with_bitmap(8, struct.pack("<i", 90)), top_down=False)
    with pytest.raises(ScanError, match="above the limit"):
        write(top_down=False, settings=LoadingSettings(largest_image=100))
