"""Video to a Scan: MP4, QuickTime, AVI and Matroska files, and MPEG-2, H.264 and HEVC inside DICOM, which pydicom does not decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from usmicro.errors import ScanError
from usmicro.loading.dicom.fragments import Stretch
from usmicro.loading.formats import checked_frames, decoding, is_stream, kind_of, uid_name
from usmicro.loading.video.container import look
from usmicro.loading.video.ffmpeg import Stream, Survey, decoded, survey
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

TOLERATED = (2, 0.02)
"""Frames, or their share, that a whole file may fall short of what it states: a recorder may count a frame that repeats the one before
without storing it."""


def load_video(path: Path, content: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read what an MP4, MOV, AVI, MKV or WebM file holds; it is decoded once to count its frames, and again when they are read.

    Such files state no pixel spacing. Frames are RGB, or grey if the codec stores no colour.

    Parameters
    ----------
    path : Path
    content : {"mp4", "avi", "matroska"}
        What the file holds, as `content_of` says.
    name : str
        What tables call the image.
    settings : LoadingSettings

    Raises
    ------
    ScanError
        If the file is damaged, too large, or no frame can be decoded.
    CodecError
        If this OpenCV has no FFmpeg.
    """
    stream = Stream(path)
    with decoding(path, "expected a video, but it cannot be read"):
        container = look(path, content)
        found = survey(stream, settings.largest_image, cut=container.cut)
    promised = found.stated or found.frames
    checked_frames(path, found.frames, settings.most_frames)
    if container.counted:
        count, fault, notes = _reckoned(found.frames, promised, container.cut)
    else:
        promised = max(promised, found.frames) if container.cut else found.frames
        count, fault, notes = _reckoned(found.frames, promised, container.cut)
        if not fault and found.stated not in (0, found.frames):
            notes.append(
                f"by its duration and rate the file has about {found.stated} frames, {found.frames} were decoded"
            )
    if fault and settings.keep_truncated:
        notes.append(fault)
    if found.turn:
        notes.append(f"the file asks to be turned by {found.turn} degrees, which is left to OpenCV")
    if not fault:
        promised = count  # what counts is what decodes
    read = partial(_frames, stream, found, count, "" if settings.keep_truncated else fault)
    return Scan(
        name,
        path,
        found.rows,
        found.columns,
        promised,
        read,
        decoder=found.decoder,
        notes=tuple(notes),
    )


def read_video(
    path: Path,
    syntax: str,
    fragments: list[Stretch],
    shape: tuple[int, int],
    promised: int,
    settings: LoadingSettings,
    *,
    cut: bool,
) -> tuple[Callable[[], Iterator[Frame]], str, list[str]]:
    """How to read the frames of a video stream in a DICOM file, the decoder's name, and notes.

    Parameters
    ----------
    path : Path
    syntax : str
        Transfer syntax, for the decoder's name; what the stream holds decides how it is decoded.
    fragments : list of (offset, length)
    shape : (rows, columns)
        What the header says.
    promised : int
        Frames that the header says.
    settings : LoadingSettings
    cut : bool
        Whether the file ends inside the stream.

    Raises
    ------
    ScanError
        If there is no stream, it is of another kind or size, or no frame can be decoded; when read, if a frame is missing.
    CodecError
        If this OpenCV has no FFmpeg.
    """
    syntax_name = uid_name(syntax)
    if not fragments:
        raise ScanError(
            f"{path}: {'the file is truncated: ' if cut else ''}it holds no video stream; copy it again from its source"
        )
    with path.open("rb") as file:
        file.seek(fragments[0][0])
        head = file.read(min(fragments[0][1], 256))
    if not is_stream(head):
        raise ScanError(
            f"{path}: expected a video stream, {syntax_name}, found {kind_of(head)}; the file is damaged"
        )
    stream = Stream(path, tuple(fragments))
    with decoding(path, f"expected a video stream, {syntax_name}, but it cannot be read"):
        found = survey(stream, settings.largest_image, cut=cut)
    if (found.rows, found.columns) != shape:
        raise ScanError(
            f"{path}: the video has {found.rows} rows x {found.columns} columns where the header says {shape[0]} x {shape[1]}; "
            "the file is damaged"
        )
    count, fault, notes = _reckoned(found.frames, promised, cut)
    if count > promised:
        notes = [
            f"holds {count} frames where the header says {promised}; the first {promised} are read"
        ]
        count = promised
    if fault and settings.keep_truncated:
        notes.append(fault)
    return (
        partial(_frames, stream, found, count, "" if settings.keep_truncated else fault),
        f"{found.decoder}, {syntax_name}",
        notes,
    )


def _reckoned(decoded_frames: int, promised: int, cut: bool) -> tuple[int, str, list[str]]:
    """Frames to use, what is wrong if too many are missing, and notes.

    The last frame of a file that was cut is left out: FFmpeg decodes what there is of it and fills the rest.
    """
    usable = max(decoded_frames - cut, 1)
    if cut and usable < promised:
        return usable, f"{usable} of {promised} frames could be read; the file is truncated", []
    if promised - decoded_frames > max(TOLERATED[0], TOLERATED[1] * promised):
        return (
            decoded_frames,
            f"{decoded_frames} of {promised} frames could be read; the video ends early or is damaged",
            [],
        )
    different = decoded_frames != promised
    return (
        decoded_frames,
        "",
        [f"the file promises {promised} frames, {decoded_frames} were decoded"]
        if different
        else [],
    )


def _frames(stream: Stream, found: Survey, count: int, fault: str) -> Iterator[Frame]:
    """Yield the frames one at a time; raise ScanError after the last if there is a fault."""
    yield from decoded(stream, found, count)
    if fault:
        raise ScanError(
            f"{stream.path}: {fault}; copy it again from its source, or set loading.keep_truncated = true to use the frames that are there"
        )
