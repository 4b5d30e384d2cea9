"""Videos that the tests read: frames, and files that OpenCV writes of them."""

import os

import cv2
import numpy as np
import pytest

os.environ.setdefault(
    "OPENCV_FFMPEG_LOGLEVEL", "-8"
)  # read once a process, and these tests write videos before they read one
ROWS, COLUMNS = np.mgrid[:64, :96]
FRAMES = np.stack(
    [np.clip(np.stack([ROWS * 2 + 8 * i, COLUMNS, 160 - ROWS], axis=-1), 0, 255) for i in range(10)]
).astype(np.uint8)


def write(path, codec="MJPG", frames=FRAMES, colour=True):
    """A video of these frames; OpenCV writes it under a plain name."""
    plain = path.parent / f"plain{path.suffix}"
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(
        str(plain), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 25, size, colour
    )
    if not writer.isOpened():
        pytest.skip(f"this OpenCV does not write {codec}")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]) if colour else frame)
    writer.release()
    os.rename(plain, path)
    return path


def close(found, frames=FRAMES, off=6.0):
    return np.abs(np.stack(found).astype(int) - frames).mean() < off
