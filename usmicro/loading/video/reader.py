"""Loading of MP4, QuickTime, AVI and Matroska files, and of video streams in DICOM files.

pydicom does not decode MPEG-2, H.264 and HEVC streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from usmicro.errors import ScanError
from usmicro.loading.dicom.fragments import ByteRange
from usmicro.loading.formats import (
    DAMAGED,
    HEAD_BYTES,
    TRUNCATED,
    VIDEO_FORMATS,
    check_frame_count,
    format_of_bytes,
    is_video_stream,
    scan_errors,
    uid_name,
)
from usmicro.loading.pixel_shape import checked_aspect
from usmicro.loading.video.container import Container, read_container, read_display
from usmicro.loading.video.display import Display, not_applied
from usmicro.loading.video.ffmpeg import (
    VideoProperties,
    VideoStream,
    decoded_frames,
    linked,
    probe,
)
from usmicro.loading.video.uncompressed import read_uncompressed
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode, separated
from usmicro.settings import LoadingSettings

_MISSING_FRAMES, _MISSING_FRACTION = 2, 0.02
"""A complete file may lack this many of its declared frames, or this fraction of them if that is
more: some recorders count a repeated frame without storing it. Chosen by eye; no measurement is
recorded."""


@dataclass(frozen=True, slots=True)
class DicomVideo:
    """A video stream of a DICOM file that was opened."""

    read: Callable[[], Iterator[Frame]]
    """Yields the frames. It raises ScanError after the last one if frames are missing."""
    decoder: str
    """Library, codec and transfer syntax, for `Scan.decoder`."""
    frames: int
    """Value of `Scan.declared_frames`: the number in the header if frames are missing, otherwise
    the number of frames that are read."""
    aspect: float | None
    """Height of a pixel over its width according to the stream; None if square or unknown."""
    remarks: tuple[Remark, ...]


def load_video(path: Path, file_format: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read an MP4, MOV, AVI, MKV or WebM file.

    The video is decoded once to count its frames, and again when they are read. Frames are RGB, or
    grey if the codec stores no colour. They are cropped, turned and mirrored as in a player. Video
    files have no pixel spacing, but may give the shape of a pixel.

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
        display = read_display(path, file_format)
        if display.shown_frames == 0:
            raise ScanError(
                f"{path}: its edit list shows none of its {display.stored_frames} stored frames; "
                "save the video again without the edit list, for example with "
                "ffmpeg -ignore_editlist 1 -i INPUT -c copy OUTPUT.mp4"
            )
        decode, video = _opened(stream, file_format, container, settings)
        display = display.fitted_to(video.rows, video.columns)
    check_frame_count(path, video.frames, settings.most_frames)
    declared_frames = _declared_frames(video, container, display)
    count, fault, remarks = _usable_frames(
        video.frames, declared_frames, container.truncated, display
    )
    is_estimate_off = video.declared_frames not in (0, video.frames)
    if not container.counts_frames and not fault and is_estimate_off:
        remarks.append(
            f"duration and frame rate in the file give about {video.declared_frames} frames, "
            f"but {video.frames} were decoded"
        )
    if fault and settings.keep_truncated:
        remarks.append(fault)
    aspect, of_aspect = _aspect(video, display)
    notes, warnings = separated(
        [*remarks, *_remarks_on_decoding(video), *display.notes(), *of_aspect]
    )
    read = partial(_frames, path, decode, display, count, "" if settings.keep_truncated else fault)
    rows, columns = display.shown_size(video.rows, video.columns)
    return Scan(
        name,
        path,
        rows,
        columns,
        # without a fault, the frames that can be decoded are the reliable number
        declared_frames if fault else count,
        read,
        spacing=Spacing(aspect=display.turn.of_aspect(aspect)),
        decoder=video.decoder,
        notes=notes,
        warnings=warnings,
        frame_times=(
            ()
            if video.frame_rate is None or count < 2
            else tuple(frame / video.frame_rate for frame in range(count))
        ),
    )


def _opened(
    stream: VideoStream, file_format: str, container: Container, settings: LoadingSettings
) -> tuple[Callable[[int], Iterator[Frame]], VideoProperties]:
    """Return a function that yields the first frames of a file, and its properties.

    Raises
    ------
    ScanError
    CodecError
    """
    raw = read_uncompressed(stream.path, settings.largest_image) if file_format == "avi" else None
    if raw is None:
        video = probe(stream, settings.largest_image, truncated=container.truncated)
        return partial(decoded_frames, stream, video), video
    if not raw.offsets:
        reason = TRUNCATED if container.truncated else DAMAGED
        raise ScanError(f"{stream.path}: the video has no complete frame; {reason}")
    return raw.frames, VideoProperties(
        rows=raw.rows,
        columns=raw.columns,
        # an incomplete frame at the end counts here, as FFmpeg decodes such a frame
        frames=len(raw.offsets) + container.truncated,
        declared_frames=raw.declared_frames,
        decoder="NumPy, uncompressed",
        is_grey=raw.palette.ndim == 1 and raw.bits == 8,
        aspect=raw.aspect,
    )


def _declared_frames(video: VideoProperties, container: Container, display: Display) -> int:
    """Return the number of frames that should be decoded from a file."""
    declared_frames = video.declared_frames or video.frames
    if not container.counts_frames:
        # the declared number is an estimate, used only if the file is known to be incomplete
        return max(declared_frames, video.frames) if container.truncated else video.frames
    if display.shown_frames is not None:
        return display.shown_frames
    return max(declared_frames - display.empty_frames, 1)


def _aspect(video: VideoProperties, display: Display) -> tuple[float | None, list[Remark]]:
    """Return the shape of a stored pixel, None if square or unknown, and notes."""
    aspect = video.aspect if display.aspect is None else display.aspect
    return checked_aspect(aspect, "the video")


def _remarks_on_decoding(video: VideoProperties) -> list[Remark]:
    """Return a warning if the frames may not be those of the file."""
    if not video.is_in_doubt:
        return []
    return [
        ScanWarning(
            WarningCode.GREY_LEVELS,
            "frames repeat, and it could not be checked whether OpenCV converts them: "
            "of an interlaced video it does not",
        )
    ]


def open_dicom_video(
    path: Path,
    syntax: str,
    fragments: list[ByteRange],
    shape: tuple[int, int],
    declared_frames: int,
    settings: LoadingSettings,
    *,
    truncated: bool,
) -> DicomVideo:
    """Open a video stream in a DICOM file.

    The pixels are used as they are stored: the header describes those.

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
    DicomVideo

    Raises
    ------
    ScanError
        If there is no stream, it is of another kind or size, or no frame can be decoded.
    CodecError
        If this OpenCV has no FFmpeg.
    """
    syntax_name = uid_name(syntax)
    if not fragments:
        reason = TRUNCATED if truncated else DAMAGED
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
    display = _display_in_dicom(stream, head)
    expected = declared_frames
    if display.shown_frames is not None:
        expected = min(expected, display.shown_frames)
    count, fault, remarks = _usable_frames(video.frames, expected, truncated, display)
    check_frame_count(path, count, settings.most_frames)
    missing = declared_frames - count
    # FFmpeg does not follow every edit list
    if expected < declared_frames and missing > 0 and not fault:
        remarks.append(
            ScanWarning(
                WarningCode.FRAMES_NOT_READ,
                f"{missing} of the {declared_frames} frames of the header are hidden by an edit "
                "list of the video",
            )
        )
    if display.changes:
        remarks.append(not_applied("a crop, rotation or mirroring of the video in the DICOM file"))
    if fault and settings.keep_truncated:
        remarks.append(fault)
    aspect, of_aspect = _aspect(video, display)
    decode = partial(decoded_frames, stream, video)
    read = partial(
        _frames, path, decode, Display(), count, "" if settings.keep_truncated else fault
    )
    return DicomVideo(
        read,
        f"{video.decoder}, {syntax_name}",
        declared_frames if fault else count,
        aspect,
        (*remarks, *_remarks_on_decoding(video), *display.remarks, *of_aspect),
    )


def _display_in_dicom(stream: VideoStream, head: bytes) -> Display:
    """Return how a player shows the video file in a DICOM file; `head` are its first bytes.

    Most DICOM files hold a stream without a container, which prescribes nothing.
    """
    file_format = format_of_bytes(head)
    if file_format not in VIDEO_FORMATS:
        return Display()
    with linked(stream) as copy:
        return read_display(copy, file_format)


def _usable_frames(
    frames: int, declared_frames: int, truncated: bool, display: Display
) -> tuple[int, str, list[Remark]]:
    """Decide how many decoded frames are used.

    The last frame of a truncated file is not used: FFmpeg decodes an incomplete frame and fills in
    the rest.

    Returns
    -------
    count : int
        Number of frames that are used.
    fault : str
        The fault if too many frames are missing; otherwise empty.
    remarks : list of Remark
    """
    usable = max(frames - truncated, 1)
    if truncated and usable < declared_frames:
        fault = f"{usable} of {declared_frames} frames could be read; the file is truncated"
        return usable, fault, []
    remarks: list[Remark] = []
    if display.shown_frames is not None:
        remarks.append(
            f"the file is trimmed: its edit list shows {display.shown_frames} of "
            f"{display.stored_frames} stored frames, as a player does"
        )
    if display.empty_frames:
        remarks.append(
            f"{display.empty_frames} frames are stored empty, which repeats the frame before; "
            "each frame is read once"
        )
    if declared_frames - frames > max(_MISSING_FRAMES, _MISSING_FRACTION * declared_frames):
        missing = f"{frames} of {declared_frames} frames could be read"
        if display.shown_frames is not None:  # FFmpeg does not follow every edit list
            return frames, "", [*remarks, ScanWarning(WarningCode.FRAMES_NOT_READ, missing)]
        stored = display.stored_frames
        if stored is not None and stored <= frames:
            return frames, f"{missing}; the file holds no more", remarks
        return frames, f"{missing}; the others are missing or damaged", remarks
    if frames != declared_frames:
        remarks.append(f"the file declares {declared_frames} frames, but {frames} were decoded")
    return frames, "", remarks


def _frames(
    path: Path,
    decode: Callable[[int], Iterator[Frame]],
    display: Display,
    count: int,
    fault: str,
) -> Iterator[Frame]:
    """Yield the frames one at a time, as they are shown.

    Raises
    ------
    ScanError
        After the last frame if there is a fault.
    """
    for frame in decode(count):
        yield display.apply(frame) if display.changes else frame
    if fault:
        raise ScanError(
            f"{path}: {fault}: copy it again from its source, "
            "or set loading.keep_truncated = true to use the frames that could be read"
        )
