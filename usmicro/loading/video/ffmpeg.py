"""Decoding of a video stream, one frame at a time, with the FFmpeg in OpenCV.

FFmpeg never sees the name of a user's file. A name may request a sequence of images
(`%03d.png`) or another protocol (`concat:`), or it may not be UTF-8. FFmpeg gets a link with a
neutral name in a private folder, or a copy of the stream from a DICOM file. Formats that could make
it open other files (playlists, scripts) are refused before, by their first bytes.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.dicom.fragments import ByteRange
from usmicro.loading.formats import (
    HEAD_BYTES,
    TRUNCATED,
    check_image_size,
    format_of_bytes,
    scan_errors,
)
from usmicro.loading.video import interlacing
from usmicro.model.arrays import Frame

_GREY_PIXEL_FORMATS = ("Y800", "GREY")
"""OpenCV's names of pixel formats with one channel."""
_UNCOMPRESSED = (0, *(int.from_bytes(name, "little") for name in (b"DIB ", b"WRAW", b"cyuv")))
"""OpenCV's numbers of codecs of uncompressed frames."""
_TOP_DOWN_PIXEL_FORMATS = (
    *_GREY_PIXEL_FORMATS,
    *("I420", "IYUV", "YV12", "Y42B", "444P", "Y41B", "YUY2", "UYVY", "NV12", "NV21"),
)
"""OpenCV's names of pixel formats that are never stored bottom-up: grey and YUV."""
_COPY_BLOCK_BYTES = 2**20
"""Number of bytes that are copied at a time. Chosen by eye; no measurement is recorded."""
_MOST_DECLARED_FRAMES = 1e9
"""A declared number of frames above this is ignored: a stream without a duration can give any
number. Chosen by eye; no measurement is recorded."""
_HIGHEST_FRAME_RATE = 1000.0
"""A frame rate above this is ignored: streams without one give any number. Chosen by judgement."""
_FRAMES_AFTER_REPETITION = 50
"""Number of frames after the first repeated one that are checked for their conversion. A frame that
is not converted repeats the one before. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """Position of an encoded video."""

    path: Path
    fragments: tuple[ByteRange, ...] = ()
    """Byte ranges of the file that form the stream; empty for the whole file."""


@dataclass(frozen=True, slots=True)
class VideoProperties:
    """Properties of a video stream that was decoded once."""

    rows: int
    columns: int
    frames: int
    """Number of frames that could be decoded."""
    declared_frames: int
    """Number of frames that the container declares, in some formats an estimate; 0 if unknown."""
    decoder: str
    """Library and codec, for `Scan.decoder`."""
    is_grey: bool
    """True if the stream has no colour."""
    aspect: float | None
    """Height of a pixel over its width according to container or codec; None if they do not say."""
    frame_rate: float | None = None
    """Frames per second; None if unknown."""
    is_in_doubt: bool = False
    """True if it could not be found out whether OpenCV converts the frames to RGB."""


def probe(stream: VideoStream, largest_image: int, *, truncated: bool = False) -> VideoProperties:
    """Decode a stream once and return its properties.

    All frames are decoded to count them, since neither containers nor headers give their number
    reliably.

    Parameters
    ----------
    stream : VideoStream
    largest_image : int
        Largest accepted number of pixels of a frame; it is checked before decoding.
    truncated : bool
        True if the file is known to be truncated, for the error message.

    Returns
    -------
    VideoProperties

    Raises
    ------
    ScanError
        If FFmpeg cannot open the stream, a frame is too large, or no frame can be decoded.
    CodecError
        If this OpenCV has no FFmpeg, or does not convert the frames to RGB.
    """
    import cv2

    if truncated:
        reason = TRUNCATED
    else:
        reason = (
            "its codec is not in the FFmpeg of OpenCV, or the file is damaged: "
            "convert it, or copy it again from its source"
        )
    checks_frames = interlacing.may_fail()
    with _opened(stream) as video:
        if not video.isOpened():
            raise ScanError(f"{stream.path}: expected a video, but it cannot be opened; {reason}")
        rows = round(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        columns = round(video.get(cv2.CAP_PROP_FRAME_WIDTH))
        check_image_size(stream.path, rows, columns, largest_image)
        _check_pixels(stream, video)
        done, image = video.read()
        if not done:
            raise ScanError(f"{stream.path}: no frame of the video could be decoded; {reason}")
        frames, first_repeated = 1, 0
        previous = image
        while video.grab():
            frames += 1
            if not first_repeated and checks_frames:
                following = video.retrieve()[1]
                if following is None or np.array_equal(previous, following):
                    first_repeated = frames
                previous = following
        pixel_format = _four_characters(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT))
        properties = VideoProperties(
            rows=image.shape[0],
            columns=image.shape[1],
            frames=frames,
            declared_frames=_declared_frames(video),
            decoder=f"OpenCV {cv2.__version__} with FFmpeg, "
            f"{_four_characters(video.get(cv2.CAP_PROP_FOURCC))}",
            is_grey=pixel_format in _GREY_PIXEL_FORMATS,
            aspect=_aspect(video),
            frame_rate=_frame_rate(video),
        )
    if checks_frames and (first_repeated or frames == 1):
        unconverted = _has_unconverted_frames(stream, first_repeated + _FRAMES_AFTER_REPETITION)
        if unconverted:
            raise CodecError(
                f"{stream.path}: the video is interlaced, and OpenCV {cv2.__version__} does not "
                f"convert its frames; {interlacing.REMEDY}"
            )
        properties = replace(properties, is_in_doubt=unconverted is None)
    return properties


def _check_pixels(stream: VideoStream, video: Any) -> None:
    """Refuse uncompressed RGB frames that may be stored bottom-up.

    OpenCV with FFmpeg 8 writes outside its memory when it converts them.

    Raises
    ------
    ScanError
    """
    import cv2

    codec = round(video.get(cv2.CAP_PROP_FOURCC))
    pixel_format = _four_characters(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT))
    if codec in _UNCOMPRESSED and pixel_format not in _TOP_DOWN_PIXEL_FORMATS:
        offset = stream.fragments[0][0] if stream.fragments else 0
        with stream.path.open("rb") as file:
            file.seek(offset)
            head = file.read(HEAD_BYTES)
        if format_of_bytes(head) != "mp4":  # frames of QuickTime are stored top-down
            raise ScanError(
                f"{stream.path}: uncompressed frames in a layout that is not read "
                f"({pixel_format}); convert the video"
            )


def _has_unconverted_frames(stream: VideoStream, count: int) -> bool | None:
    """Return True if one of the first `count` frames is not converted; None if unknown."""
    with linked(stream) as file:
        return interlacing.has_unconverted_frames(file, count)


def container_frames(stream: VideoStream) -> int:
    """Return the number of frames that the container of a stream declares; 0 if unknown.

    No frame is decoded.
    """
    with _opened(stream) as video:
        return _declared_frames(video) if video.isOpened() else 0


def _declared_frames(video: Any) -> int:
    """Return the number of frames that an open video declares; 0 if unknown."""
    import cv2

    declared = float(video.get(cv2.CAP_PROP_FRAME_COUNT))
    return round(declared) if 0 < declared < _MOST_DECLARED_FRAMES else 0


def decoded_frames(stream: VideoStream, properties: VideoProperties, count: int) -> Iterator[Frame]:
    """Yield the first `count` frames of a stream.

    The frames are as they are stored, not turned or cropped for display. OpenCV chooses colour
    range and colour matrix. Damage within a frame is not noticed, since FFmpeg conceals it; only
    lost frames are noticed.

    Yields
    ------
    array, shape (rows, columns, 3) RGB, or (rows, columns) if the stream has no colour; uint8

    Raises
    ------
    ScanError
        If a frame has another size than the first, or can no longer be read.
    """
    import cv2

    with _opened(stream) as video:
        for number in range(1, count + 1):
            with scan_errors(stream.path, f"frame {number} of {count} cannot be decoded"):
                done, image = video.read() if video.isOpened() else (False, None)
            if not done or image is None:
                raise ScanError(
                    f"{stream.path}: frame {number} of {count} can no longer be read; "
                    "the file may have changed: run again"
                )
            rows, columns = image.shape[:2]
            if (rows, columns) != (properties.rows, properties.columns):
                raise ScanError(
                    f"{stream.path}: frame {number} has {rows} rows x {columns} columns, "
                    f"expected {properties.rows} x {properties.columns} as in the first frame; "
                    "split the video where its size changes"
                )
            if properties.is_grey:
                yield np.ascontiguousarray(image[..., 0])
            else:
                yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@contextmanager
def _opened(stream: VideoStream) -> Iterator[Any]:
    """Give a `cv2.VideoCapture` of the stream.

    A copy of a stream from a DICOM file is deleted at the end or, where the system allows it, as
    soon as it is open.
    """
    # otherwise FFmpeg writes messages to the terminal
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
        raise CodecError(
            f"{stream.path}: this OpenCV has no FFmpeg and cannot read videos; "
            "install one that can: pip install opencv-python-headless"
        )
    with linked(stream) as file:
        with _quiet_opencv(), scan_errors(stream.path, "its video stream cannot be opened"):
            # one thread gives the same pixels on any machine, and one process needs one core; the
            # named backend prevents that OpenCV reads a sequence of images
            video = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        # OpenCV takes a mirroring for a rotation, so that the caller turns the frames itself; set
        # here, since OpenCV refuses it among the parameters above
        video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        try:
            if os.name == "posix":
                file.unlink()  # an open file needs no name: nothing stays if the process is killed
            yield video
        finally:
            video.release()


@contextmanager
def linked(stream: VideoStream) -> Iterator[Path]:
    """Give a file with a neutral name that is a link to the video, or a copy of the stream."""
    # only its owner can read a temporary folder
    with tempfile.TemporaryDirectory(prefix="usmicro-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "stream"
        with scan_errors(
            stream.path, "its video stream cannot be copied into the folder for temporary files"
        ):
            link_or_copy(stream, file)
        yield file


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep the warnings of OpenCV off the terminal.

    This affects the whole process, so it is used only while a file is opened.
    """
    import cv2

    module = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # OpenCV 5, OpenCV 4
    level = module.getLogLevel()
    module.setLogLevel(0)
    try:
        yield
    finally:
        module.setLogLevel(level)


def _frame_rate(video: Any) -> float | None:
    """Return the frames per second of an open video; None if unknown."""
    import cv2

    rate = float(video.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate <= _HIGHEST_FRAME_RATE else None


def _aspect(video: Any) -> float | None:
    """Return the height of a pixel over its width in an open video; None if unknown."""
    import cv2

    across, down = video.get(cv2.CAP_PROP_SAR_NUM), video.get(cv2.CAP_PROP_SAR_DEN)
    return float(down / across) if across > 0 and down > 0 else None


def link_or_copy(stream: VideoStream, file: Path) -> None:
    """Make `file` a link to a video file, or a copy of the stream in a DICOM file."""
    if not stream.fragments:
        try:
            file.symlink_to(os.path.abspath(stream.path))
        except OSError:  # on Windows few users may create links
            shutil.copyfile(stream.path, file)
        return
    with stream.path.open("rb") as source, open(file, "xb", opener=_open_private) as target:
        for offset, length in stream.fragments:
            source.seek(offset)
            while length > 0 and (block := source.read(min(length, _COPY_BLOCK_BYTES))):
                target.write(block)
                length -= len(block)


def _open_private(path: str, flags: int) -> int:
    """Open a file that only its owner can read and write."""
    return os.open(path, flags, 0o600)


def _four_characters(value: float) -> str:
    """Return the characters of a four-character code."""
    return struct.pack("<I", int(value) & 0xFFFFFFFF).decode("latin-1").strip("\0 ") or "no name"
