"""The number of frames that a file declares, found without decoding all of them."""

from __future__ import annotations

from pathlib import Path

from usmicro.errors import UsmicroError
from usmicro.loading import load
from usmicro.loading.formats import (
    ARRAY_FORMATS,
    STILL_FORMATS,
    VIDEO_FORMATS,
    VOLUME_FORMATS,
    detect_format,
)


def declared_frames(path: Path) -> int:
    """Return the number of frames that a file declares; 1 if it cannot be told.

    It is an estimate of the work that the file takes, so no error is raised.
    """
    try:
        file_format = detect_format(path)
        if file_format == "dicom":
            return _in_dicom(path)
        if file_format in VIDEO_FORMATS:
            return _in_video(path)
        if file_format in STILL_FORMATS:
            return _in_picture(path, file_format)
        if file_format in (*ARRAY_FORMATS, *VOLUME_FORMATS):
            return load(path).declared_frames
    except (UsmicroError, OSError, ValueError, AttributeError, TypeError):
        pass  # whatever is wrong with the file is reported when it is loaded
    return 1


def _in_dicom(path: Path) -> int:
    from pydicom import dcmread

    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["NumberOfFrames"])
        return max(1, int(header.get("NumberOfFrames") or 1))
    except Exception:  # for a damaged file pydicom raises errors of almost any type
        return 1


def _in_video(path: Path) -> int:
    from usmicro.loading.video.ffmpeg import VideoStream, container_frames

    return max(1, container_frames(VideoStream(path)))


def _in_picture(path: Path, file_format: str) -> int:
    from usmicro.loading.picture_header import png_chunk
    from usmicro.loading.raster import load_raster
    from usmicro.settings import LoadingSettings

    if file_format in ("jpeg", "bmp"):
        return 1
    if file_format == "png":  # the chunk of an animated PNG begins with the number of frames
        return max(1, int.from_bytes(png_chunk(path, b"acTL")[:4], "big"))
    return load_raster(
        path, file_format, name=path.name, settings=LoadingSettings()
    ).declared_frames
