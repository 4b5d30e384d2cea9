"""Frames of a video stream, one at a time, through the FFmpeg in OpenCV.

FFmpeg never sees the name that a user gave a file: a name may ask it for a sequence of images (`%03d.png`), for another protocol
(`concat:`), or be no UTF-8. It is given a link, or the stream copied out of a DICOM file, in a private folder under a name that means
nothing. What could make it open other files by content (playlists, scripts) is refused by its first bytes before.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.dicom.fragments import Stretch
from usmicro.loading.formats import checked_size, decoding
from usmicro.model.arrays import Frame

_GREY = ("Y800", "GREY")
"""Pixel formats of one channel, as OpenCV names them."""
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Stream:
    """Where an encoded video lies."""

    path: Path
    fragments: tuple[Stretch, ...] = ()
    """Stretches of the file that make the stream; none: the whole file."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a stream holds."""

    rows: int
    columns: int
    frames: int
    """Frames that could be decoded."""
    stated: int
    """Frames that the container says it has, an estimate in some; 0 where it does not say."""
    codec: str
    """Four characters, as OpenCV names it."""
    grey: bool
    turn: int
    """Degrees by which the file asks to be turned, which is left to OpenCV."""

    @property
    def decoder(self) -> str:
        """Library and codec, for `Scan.decoder`."""
        import cv2

        return f"OpenCV {cv2.__version__} with FFmpeg, {self.codec}"


def survey(stream: Stream, largest: int, *, cut: bool = False) -> Survey:
    """Decode a stream once to count its frames: neither containers nor headers can be trusted to say how many there are.

    Parameters
    ----------
    stream : Stream
    largest : int
        Pixels that a frame may have; checked before the first is decoded.
    cut : bool
        Whether the stream is known to end too early, for the words of an error.

    Raises
    ------
    ScanError
        If FFmpeg cannot open it, a frame is too large, or none can be decoded.
    CodecError
        If this OpenCV has no FFmpeg.
    """
    import cv2

    fault = (
        "the file is truncated"
        if cut
        else "the file is damaged, or of a codec that FFmpeg in OpenCV does not know"
    )
    remedy = "copy it again from its source, or convert it"
    with _opened(stream) as video:
        if not video.isOpened():
            raise ScanError(
                f"{stream.path}: expected a video, but it cannot be opened: {fault}; {remedy}"
            )
        rows, columns = (
            round(video.get(side)) for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
        )
        checked_size(stream.path, rows, columns, largest)
        done, image = video.read()
        if not done:
            raise ScanError(
                f"{stream.path}: no frame of the video could be decoded: {fault}; {remedy}"
            )
        frames = 1
        while video.grab():
            frames += 1
        stated = video.get(cv2.CAP_PROP_FRAME_COUNT)
        return Survey(
            rows=image.shape[0],
            columns=image.shape[1],
            frames=frames,
            stated=round(stated) if 0 < stated < 1e9 else 0,
            codec=_four_characters(video.get(cv2.CAP_PROP_FOURCC)),
            grey=_four_characters(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) in _GREY,
            turn=round(video.get(cv2.CAP_PROP_ORIENTATION_META)) % 360,
        )


def decoded(stream: Stream, found: Survey, count: int) -> Iterator[Frame]:
    """Yield the first `count` frames: (rows, columns, 3) RGB, or (rows, columns) if the stream has no colour; uint8.

    Colour range and matrix are what OpenCV makes of them. FFmpeg patches over damage inside a frame: only frames that are lost are noticed.

    Raises
    ------
    ScanError
        If a frame has another size than the first, or is no longer there.
    """
    import cv2

    with _opened(stream) as video:
        for number in range(1, count + 1):
            with decoding(
                stream.path, f"frame {number} of {count} cannot be decoded; the file is damaged"
            ):
                done, image = video.read() if video.isOpened() else (False, None)
            if not done or image is None:
                raise ScanError(
                    f"{stream.path}: frame {number} of {count} cannot be read any more; was the file changed? Run again"
                )
            if image.shape[:2] != (found.rows, found.columns):
                raise ScanError(
                    f"{stream.path}: frame {number} has {image.shape[0]} rows x {image.shape[1]} columns where the first has "
                    f"{found.rows} x {found.columns}; expected one size: cut the video where its size changes"
                )
            yield (
                np.ascontiguousarray(image[..., 0])
                if found.grey
                else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            )


@contextmanager
def _opened(stream: Stream) -> Iterator[Any]:
    """A `cv2.VideoCapture` of the stream, released at the end; what was copied out of a DICOM file is gone by then at the latest."""
    os.environ.setdefault(
        "OPENCV_FFMPEG_LOGLEVEL", "-8"
    )  # FFmpeg writes its complaints to the terminal otherwise
    import cv2

    if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
        raise CodecError(
            f"{stream.path}: this OpenCV has no FFmpeg and reads no video. Install one that has: pip install opencv-python-headless"
        )
    with tempfile.TemporaryDirectory(
        prefix="usmicro-", ignore_cleanup_errors=True
    ) as folder:  # only its owner may look into it
        file = Path(folder) / "stream"
        with decoding(
            stream.path, "its video stream cannot be put into the folder for temporary files"
        ):
            _provide(stream, file)
        with _quiet(), decoding(stream.path, "its video stream cannot be opened"):
            # one thread: the same pixels anywhere, and one process a core; the backend named, so that none reads a sequence of images
            video = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            if os.name == "posix":
                file.unlink()  # an open file needs no name here: nothing is left even if the process is killed
            yield video
        finally:
            video.release()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV's own warnings off the terminal; for the whole process, so only while a file is opened."""
    import cv2

    module = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # OpenCV 5, 4
    level = module.getLogLevel()
    module.setLogLevel(0)
    try:
        yield
    finally:
        module.setLogLevel(level)


def _provide(stream: Stream, file: Path) -> None:
    """Put the stream where FFmpeg is to read it: a link to a video file, a copy of the fragments in a DICOM file."""
    if not stream.fragments:
        try:
            file.symlink_to(os.path.abspath(stream.path))
        except OSError:  # Windows lets few users make links
            shutil.copyfile(stream.path, file)
        return
    with stream.path.open("rb") as source, open(file, "xb", opener=_private) as target:
        for offset, length in stream.fragments:
            source.seek(offset)
            while length > 0 and (block := source.read(min(length, _BLOCK))):
                target.write(block)
                length -= len(block)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _four_characters(value: float) -> str:
    return struct.pack("<I", int(value) & 0xFFFFFFFF).decode("latin-1").strip("\0 ") or "no name"
