"""Video files for tests: frames, and a function that writes them with OpenCV."""

import os

import cv2
import numpy as np
import pytest

# OpenCV reads this once per process, and these tests write videos before they read any
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
ROWS, COLUMNS = np.mgrid[:64, :96]
FRAMES = np.stack(
    [np.clip(np.stack([ROWS * 2 + 8 * i, COLUMNS, 160 - ROWS], axis=-1), 0, 255) for i in range(10)]
).astype(np.uint8)
"""Ten smooth frames that differ, shape (10, 64, 96, 3), RGB."""


def write_video(path, codec="MJPG", frames=FRAMES, colour=True):
    """Write frames as a video and return its path.

    OpenCV writes the file under a plain name, since FFmpeg interprets some names; the file is then
    renamed.
    """
    plain = path.parent / f"plain{path.suffix}"
    size = (frames.shape[2], frames.shape[1])
    fourcc = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(plain), cv2.CAP_FFMPEG, fourcc, 25, size, colour)
    if not writer.isOpened():
        pytest.skip(f"this OpenCV does not write {codec}")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]) if colour else frame)
    writer.release()
    os.rename(plain, path)
    return path


def are_similar(found, frames=FRAMES, tolerance=6.0):
    """Return True if the mean absolute difference of the pixel values is below `tolerance`."""
    return np.abs(np.stack(found).astype(int) - frames).mean() < tolerance
