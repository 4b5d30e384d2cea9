"""MPEG-2, H.264 and HEVC inside DICOM, which pydicom does not decode, through the FFmpeg in OpenCV."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from usmicro.arrays import Frame
from usmicro.errors import ScanError
from usmicro.loading.fragments import Stretch


def read_video(
    path: Path, syntax: str, fragments: list[Stretch], shape: tuple[int, int], promised: int, *, keep_truncated: bool
) -> tuple[Callable[[], Iterator[Frame]], str]:
    """How to read the frames of a video stream in a DICOM file, and the decoder's name.

    Raises
    ------
    ScanError
        If there is no complete stream; when read, if a frame is missing or has another size than the header says.
    """
    import cv2
    from pydicom.uid import UID

    if not fragments:
        raise ScanError(f"{path}: the video stream is not there to its end; the file is truncated; copy it again from its source")
    read = partial(_frames, path, tuple(fragments), shape, promised, keep_truncated)
    return read, f"OpenCV {cv2.__version__} with FFmpeg, {UID(syntax).name}"


def _frames(path: Path, fragments: tuple[Stretch, ...], shape: tuple[int, int], promised: int, keep_truncated: bool) -> Iterator[Frame]:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg writes its complaints to the terminal otherwise
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "stream"
        with path.open("rb") as source, stream.open("wb") as target:
            for offset, length in fragments:
                source.seek(offset)
                target.write(source.read(length))
        video = cv2.VideoCapture(str(stream), cv2.CAP_FFMPEG)
        found = 0
        try:
            while found < promised:
                done, image = video.read()
                if not done:
                    break
                if image.shape[:2] != shape:
                    raise ScanError(
                        f"{path}: frame {found + 1} holds {image.shape[0]} rows x {image.shape[1]} columns, the header says {shape}"
                    )
                found += 1
                yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        finally:
            video.release()
    if found == 0:
        raise ScanError(f"{path}: no frame of the video could be decoded; the file is damaged")
    if found < promised and not keep_truncated:
        raise ScanError(f"{path}: {found} of {promised} frames could be read; the video ends early")
