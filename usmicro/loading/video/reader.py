"""Loading of MP4, QuickTime, AVI and Matroska files, and of video streams in DICOM files.

pydicom does not decode MPEG-2, H.264 and HEVC streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from usmicro.errors import ScanError
from usmicro.loading.dicom.fragments import ByteRange
from usmicro.loading.formats import (
    DAMAGED,
    HEAD_BYTES,
    check_frame_count,
    format_of_bytes,
    is_video_stream,
    scan_errors,
    uid_name,
)
from usmicro.loading.video.container import read_container
from usmicro.loading.video.ffmpeg import VideoProperties, VideoStream, decoded_frames, probe
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

_MISSING_FRAMES, _MISSING_FRACTION = 2, 0.02
"""A complete file may lack this many of its declared frames, or this fraction of them if that is
more: some recorders count a repeated frame without storing it. Chosen by eye; no measurement is
recorded."""


def load_video(path: Path, file_format: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read an MP4, MOV, AVI, MKV or WebM file.

    The video is decoded once to count its frames, and again when they are read. Frames are RGB, or
    grey if the codec stores no colour. Video files have no pixel spacing.

    Parameters
    ----------
    path : Path
    file_format : {"mp4", "avi", "matroska"}
        Format of the file, from `detect_format`.
    name : str
        Name of the image in tables.
    settings : LoadingSettings

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is damaged or too large, or no frame can be decoded.
    CodecError
        If this OpenCV has no FFmpeg.
    """
    stream = VideoStream(path)
    with scan_errors(path, "expected a video, but it cannot be read"):
        container = read_container(path, file_format)
        video = probe(stream, settings.largest_image, truncated=container.truncated)
    check_frame_count(path, video.frames, settings.most_frames)
    declared_frames = video.declared_frames or video.frames
    if not container.counts_frames:
        declared_frames = (
            max(declared_frames, video.frames) if container.truncated else video.frames
        )
    count, fault, notes = _usable_frames(video.frames, declared_frames, container.truncated)
    is_estimate_wrong = video.declared_frames not in (0, video.frames)
    if not container.counts_frames and not fault and is_estimate_wrong:
        notes.append(
            f"duration and frame rate in the file give about {video.declared_frames} frames, "
            f"but {video.frames} were decoded"
        )
    if fault and settings.keep_truncated:
        notes.append(fault)
    if video.rotation:
        notes.append(
            f"the file prescribes a rotation by {video.rotation} degrees, which OpenCV applies"
        )
    if not fault:
        declared_frames = count  # the frames that can be decoded are the reliable number
    read = partial(_frames, stream, video, count, "" if settings.keep_truncated else fault)
    return Scan(
        name,
        path,
        video.rows,
        video.columns,
        declared_frames,
        read,
        decoder=video.decoder,
        notes=tuple(notes),
    )


def open_dicom_video(
    path: Path,
    syntax: str,
    fragments: list[ByteRange],
    shape: tuple[int, int],
    declared_frames: int,
    settings: LoadingSettings,
    *,
    truncated: bool,
) -> tuple[Callable[[], Iterator[Frame]], str, list[str]]:
    """Open a video stream in a DICOM file.

    Parameters
    ----------
    path : Path
    syntax : str
        UID of the transfer syntax, for the name of the decoder. The content of the stream decides
        how it is decoded.
    fragments : list of (offset, length)
        Byte ranges of the stream in the file.
    shape : tuple of int
        Rows and columns in the header.
    declared_frames : int
        Number of frames in the header.
    settings : LoadingSettings
    truncated : bool
        True if the file ends within the stream.

    Returns
    -------
    read : function
        Yields the frames. It raises ScanError after the last one if frames are missing.
    decoder : str
        Library, codec and transfer syntax, for `Scan.decoder`.
    notes : list of str

    Raises
    ------
    ScanError
        If there is no stream, it is of another kind or size, or no frame can be decoded.
    CodecError
        If this OpenCV has no FFmpeg.
    """
    syntax_name = uid_name(syntax)
    if not fragments:
        reason = "the file is truncated: copy it again from its source" if truncated else DAMAGED
        raise ScanError(f"{path}: expected a video stream, {syntax_name}, found none; {reason}")
    offset, length = fragments[0]
    with path.open("rb") as file:
        file.seek(offset)
        head = file.read(min(length, HEAD_BYTES))
    if not is_video_stream(head):
        raise ScanError(
            f"{path}: expected a video stream, {syntax_name}, found {format_of_bytes(head)}; "
            f"{DAMAGED}"
        )
    stream = VideoStream(path, tuple(fragments))
    with scan_errors(path, f"expected a video stream, {syntax_name}, but it cannot be read"):
        video = probe(stream, settings.largest_image, truncated=truncated)
    if (video.rows, video.columns) != shape:
        raise ScanError(
            f"{path}: the video has {video.rows} rows x {video.columns} columns, "
            f"expected {shape[0]} x {shape[1]} as in the header; {DAMAGED}"
        )
    count, fault, notes = _usable_frames(video.frames, declared_frames, truncated)
    if count > declared_frames:
        notes = [
            f"the file has {count} frames, but the header declares {declared_frames}; "
            f"the first {declared_frames} are read"
        ]
        count = declared_frames
    if fault and settings.keep_truncated:
        notes.append(fault)
    read = partial(_frames, stream, video, count, "" if settings.keep_truncated else fault)
    return read, f"{video.decoder}, {syntax_name}", notes


def _usable_frames(
    frames: int, declared_frames: int, truncated: bool
) -> tuple[int, str, list[str]]:
    """Decide how many decoded frames are used.

    The last frame of a truncated file is not used: FFmpeg decodes an incomplete frame and fills in
    the rest.

    Returns
    -------
    count : int
        Number of frames that are used.
    fault : str
        The fault if too many frames are missing; otherwise empty.
    notes : list of str
    """
    usable = max(frames - truncated, 1)
    if truncated and usable < declared_frames:
        fault = f"{usable} of {declared_frames} frames could be read; the file is truncated"
        return usable, fault, []
    if declared_frames - frames > max(_MISSING_FRAMES, _MISSING_FRACTION * declared_frames):
        fault = (
            f"{frames} of {declared_frames} frames could be read; "
            "the video ends early or is damaged"
        )
        return frames, fault, []
    notes = []
    if frames != declared_frames:
        notes.append(f"the file declares {declared_frames} frames, but {frames} were decoded")
    return frames, "", notes


def _frames(stream: VideoStream, video: VideoProperties, count: int, fault: str) -> Iterator[Frame]:
    """Yield the frames one at a time.

    Raises
    ------
    ScanError
        After the last frame if there is a fault.
    """
    yield from decoded_frames(stream, video, count)
    if fault:
        raise ScanError(
            f"{stream.path}: {fault}: copy it again from its source, "
            "or set loading.keep_truncated = true to use the frames that could be read"
        )
