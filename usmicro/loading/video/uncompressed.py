"""Reading of AVI files with uncompressed frames.

Such frames are usually stored bottom-up. Since OpenCV 4.13, which contains FFmpeg 8, their
conversion writes outside its memory and may end the process, so OpenCV is not used for them.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usmicro.errors import ScanError
from usmicro.loading.formats import check_image_size
from usmicro.loading.video.avi import video_streams
from usmicro.model.arrays import Frame

_NO_COMPRESSION, _BIT_FIELDS = 0, 3
"""Values of biCompression."""
_BITS = (8, 16, 24, 32)
"""Numbers of bits of a pixel that are read."""


@dataclass(frozen=True, slots=True)
class UncompressedVideo:
    """The uncompressed frames of an AVI file."""

    path: Path
    rows: int
    columns: int
    bits: int
    """Number of bits of a pixel: 8 with a palette, 16 with 5 for each colour, 24 or 32."""
    is_top_down: bool
    palette: Frame
    """Colours of 8-bit pixels, shape (256, 3) RGB, or (256,) if all are grey."""
    offsets: array[int]
    """Position of each frame in the file."""
    declared_frames: int
    aspect: float | None
    """Height of a pixel over its width; None if the file does not say."""

    @property
    def row_bytes(self) -> int:
        """Number of bytes of a row, a multiple of 4."""
        return (self.columns * self.bits + 31) // 32 * 4

    def frames(self, count: int) -> Iterator[Frame]:
        """Yield the first `count` frames, RGB or grey, upright.

        Raises
        ------
        ScanError
            If the file has changed.
        """
        length = self.row_bytes * self.rows
        with self.path.open("rb") as file:
            for number, offset in enumerate(self.offsets[:count], start=1):
                file.seek(offset)
                data = file.read(length)
                if len(data) < length:
                    raise ScanError(
                        f"{self.path}: frame {number} of {count} can no longer be read; "
                        "the file may have changed: run again"
                    )
                yield self._decoded(np.frombuffer(data, np.uint8).reshape(self.rows, -1))

    def _decoded(self, stored: Frame) -> Frame:
        """Return a frame, given the bytes of its rows."""
        rows = stored if self.is_top_down else stored[::-1]
        if self.bits == 8:
            return self.palette[rows[:, : self.columns]]
        if self.bits == 16:
            values = np.ascontiguousarray(rows).view("<u2")[:, : self.columns]
            colours = np.stack([values >> 10 & 31, values >> 5 & 31, values & 31], axis=-1)
            return ((colours * 255 + 15) // 31).astype(np.uint8)
        channels = self.bits // 8
        pixels = rows[:, : self.columns * channels].reshape(self.rows, self.columns, channels)
        return np.ascontiguousarray(pixels[..., 2::-1])


def read_uncompressed(path: Path, largest_image: int) -> UncompressedVideo | None:
    """Return the uncompressed video of an AVI file; None if its frames are compressed.

    Raises
    ------
    ScanError
        If the frames are too large, too short or of a kind that is not read.
    """
    videos = video_streams(path)
    if not videos or len(videos[0].bitmap) < 40:
        return None
    video = videos[0]
    _, columns, rows, _, bits, compression = struct.unpack_from("<IiiHHI", video.bitmap)
    if compression == _BIT_FIELDS or (compression == _NO_COMPRESSION and bits not in _BITS):
        raise ScanError(
            f"{path}: expected uncompressed pixels of 8, 16, 24 or 32 bits, found {bits} bits"
            f"{' with bit fields' if compression == _BIT_FIELDS else ''}; convert the video"
        )
    if compression != _NO_COMPRESSION:
        return None
    check_image_size(path, abs(rows), columns, largest_image)
    result = UncompressedVideo(
        path,
        abs(rows),
        columns,
        bits,
        rows < 0,
        _palette(video.bitmap),
        video.offsets,
        video.declared_frames,
        _aspect(video.shape, abs(rows), columns),
    )
    expected = result.row_bytes * result.rows
    for number, length in enumerate(video.lengths, start=1):
        if length < expected:
            raise ScanError(
                f"{path}: frame {number} has {length} bytes, expected {expected} for "
                f"{result.rows} rows x {result.columns} columns of {bits} bits; convert the video"
            )
    return result


def _palette(bitmap: bytes) -> Frame:
    """Return the colours of 8-bit pixels; grey levels if the file has none."""
    stored = np.frombuffer(bitmap[40 : 40 + 4 * 256], np.uint8)
    colours = stored[: len(stored) // 4 * 4].reshape(-1, 4)[:, 2::-1]
    if len(colours) == 0:
        return np.arange(256, dtype=np.uint8)
    table = np.zeros((256, 3), np.uint8)
    table[: len(colours)] = colours
    is_grey = (table == table[:, :1]).all()
    return table[:, 0].copy() if is_grey else table


def _aspect(shape: tuple[int, int] | None, rows: int, columns: int) -> float | None:
    """Return the height of a pixel over its width, given the shape of the whole frame."""
    if shape is None or not all(shape):
        return None
    return (shape[1] / rows) / (shape[0] / columns)
