"""Check that OpenCV converts the frames of a video.

OpenCV 4.13, 4.14 and 5.0, which contain FFmpeg 8, do not convert interlaced frames to RGB. They
return the memory as it was: the frame before, or pixels of another file. OpenCV reports success and
gives no property that tells, but FFmpeg writes a message. It goes to the terminal, if at all, and
the level of messages is fixed for a process. So another process decodes the frames in doubt.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_FIRST_VERSION = (4, 13)
"""First version of OpenCV that does not convert interlaced frames; measured with 4.10, 4.12, 4.13,
4.14 and 5.0 on H.264, MPEG-2, MPEG-4, FFV1 and DV."""
_MESSAGE = b"interlaced to progressive"
"""Part of the message of FFmpeg (libswscale)."""
_TIMEOUT_S = 120.0
"""The other process is stopped after this time; a frame takes a few ms. Chosen by judgement."""
_PROGRAM = """
import sys
import cv2
video = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
for _ in range(int(sys.argv[2])):
    if not video.read()[0]:
        break
"""
REMEDY = (
    "convert it with a program that removes interlacing, such as ffmpeg -i INPUT -vf yadif "
    "OUTPUT.mp4, or install an OpenCV that reads it: "
    'pip install "opencv-python-headless<4.13"'
)
"""What to do about an interlaced video."""


def may_fail() -> bool:
    """Return True if the installed OpenCV may return frames that it did not convert."""
    import cv2

    major, minor = (int(part) for part in cv2.__version__.split(".")[:2])
    return (major, minor) >= _FIRST_VERSION


def has_unconverted_frames(file: Path, count: int) -> bool | None:
    """Return True if one of the first `count` frames of a video is not converted.

    Parameters
    ----------
    file : Path
        Has a name that FFmpeg does not interpret.
    count : int

    Returns
    -------
    bool or None
        None if it could not be found out.
    """
    environment = {
        **os.environ,
        "OPENCV_FFMPEG_LOGLEVEL": "16",  # errors
        "OPENCV_LOG_LEVEL": "SILENT",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(file), str(count)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # OpenCV writes the messages there
            stderr=subprocess.STDOUT,
            cwd=file.parent,  # holds no module that Python could import
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if _MESSAGE in done.stdout:
        return True
    return False if done.returncode == 0 else None
