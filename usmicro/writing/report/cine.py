"""Frames of a cine for the player of the report, and what each of them shows.

DIR/report/frames has a folder for each cine: the pictures of its frames, and cine.json.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import Frame
from usmicro.model.findings import Focus, MassPoint, TrackPoint
from usmicro.model.frame_outlines import Corners, FrameOutlines
from usmicro.writing.contact_sheet import ContactSheet
from usmicro.writing.drawing import AREAS
from usmicro.writing.files import write_atomically
from usmicro.writing.frame_files import CINE, FramesAt, remove_frames, shown_frames, thinned
from usmicro.writing.indexed_png import encode_with_drawing
from usmicro.writing.report.pictures import encode_frame, svg_path, tissue_box

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

FRAMES = "report/frames"
"""Folder of the frames in the output folder of a run."""
POSITION_DIGITS, CONFIDENCE_DIGITS, TIME_DIGITS = 1, 3, 4
"""Decimal places of positions in pixels, of confidences and evidence, and of times in s: finer than
the player can show, and a third of the bytes of all digits."""


def frames_folder(out: Path, stem: str) -> Path:
    """Return the folder for the frames of the input with this stem."""
    return out / FRAMES / stem


def chosen_frames(analysis: AnalysisLike, most: int) -> list[int]:
    """Return the frames that the player of the report gets, in order.

    They are the frames that show a listed focus or a mass, and the key frame. If there are too
    many, the key frame and the best frames of the foci are taken first, in the order of their
    confidence. The others are spread evenly.

    Parameters
    ----------
    analysis : AnalysisLike
    most : int
        Largest number of frames.

    Returns
    -------
    list of int
        Indices in the scan; empty if nothing was found.
    """
    if not analysis.foci and not analysis.mass_tracks:
        return []
    first = [analysis.frame, *(focus.frame for focus in analysis.foci)]
    return thinned(shown_frames(analysis), first, most)


def write_frames(
    analysis: AnalysisLike,
    outlines: FrameOutlines,
    frames: Iterable[tuple[int, Frame]],
    folder: Path,
) -> list[Path]:
    """Write the pictures of some frames, and cine.json; return the paths of the files.

    All pictures show the same part of the image: the box around the tissue of the key frame.

    Parameters
    ----------
    analysis : AnalysisLike
    outlines : FrameOutlines
    frames : iterable of (number, frame)
        Index and pixels of each frame to write.
    folder : Path

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    box = tissue_box(analysis.labels)
    points, centres = _by(analysis.tracks, "frame"), _by(analysis.mass_tracks, "frame")
    times = analysis.scan.frame_times
    entries, written, size = [], [], 0
    for number, frame in frames:
        picture = folder / f"{number:05d}.jpg"
        encoded = encode_frame(frame, outlines.tissue(number), box)
        write_atomically(picture, encoded)
        written.append(picture)
        size += len(encoded)
        areas = outlines.of_frame(number)
        entries.append(
            {
                "frame": number,
                "time_s": round(times[number], TIME_DIGITS) if number < len(times) else None,
                "picture": picture.name,
                "foci": [
                    [
                        point.focus,
                        round(point.x_px, POSITION_DIGITS),
                        round(point.y_px, POSITION_DIGITS),
                        round(point.confidence, CONFIDENCE_DIGITS),
                    ]
                    for point in points.get(number, ())
                ],
                "outlines": {
                    name: path
                    for value, name, _ in AREAS
                    if (path := svg_path(areas.get(int(value), ())))
                },
                "tops": mass_tops(areas.get(AreaLabel.MASS, ()), centres.get(number, ())),
            }
        )
    analysed, tracks = outlines.analysed, _by(analysis.tracks, "focus")
    content = {
        "frames": entries,
        "tracks": [_track(focus, tracks[focus.focus], analysed) for focus in analysis.foci],
        "twinkling": _twinkling(analysis),
        "analysed": len(analysed),
        "first_frame": analysed[0],
        "last_frame": analysed[-1],
        "frame_rate": frame_rate(times),
        "bytes": size,
    }
    write_atomically(folder / CINE, json.dumps(content, separators=(",", ":")).encode("ascii"))
    return [*written, folder / CINE]


def read_cine(file: Path) -> dict[str, Any] | None:
    """Return the content of cine.json; None if it is missing or damaged."""
    try:
        content = json.loads(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "frames" in content else None


def mass_tops(
    outlines: Sequence[Corners], centres: Sequence[MassPoint]
) -> list[tuple[int, float, float]]:
    """Return where to write the number of each mass that a frame shows.

    That is the highest point of its outline. Masses that share an outline have their numbers at
    their centres, and so have masses without an outline.

    Parameters
    ----------
    outlines : sequence of array, shape (n, 2)
        Outlines of all masses on the frame.
    centres : sequence of MassPoint
        Masses of the table on this frame.

    Returns
    -------
    list of (number, column, row)
    """
    nearest = [
        max(
            range(len(outlines)),
            key=lambda i: cv2.pointPolygonTest(outlines[i], (centre.x_px, centre.y_px), True),
        )
        if outlines
        else None
        for centre in centres
    ]
    tops = []
    for centre, index in zip(centres, nearest, strict=True):
        x, y = centre.x_px, centre.y_px
        if index is not None and nearest.count(index) == 1:
            corners = outlines[index]
            y = float(corners[:, 1].min())
            x = float(corners[corners[:, 1] == y, 0].mean())
        tops.append((centre.mass, round(x, POSITION_DIGITS), round(y, POSITION_DIGITS)))
    return tops


def frame_rate(times: Sequence[float]) -> float | None:
    """Return the mean number of frames per second; None if the file gives no times."""
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return round((len(times) - 1) / (times[-1] - times[0]), 3)


def runs_of(frames: Iterable[int], analysed: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last frame of each run of successive analysed frames.

    Parameters
    ----------
    frames : iterable of int
        Frames that show a focus, in order.
    analysed : sequence of int
        All frames that were analysed, in order.
    """
    index = {frame: i for i, frame in enumerate(analysed)}
    runs = []
    for _, run in groupby(enumerate(frames), lambda pair: index[pair[1]] - pair[0]):
        numbers = [frame for _, frame in run]
        runs.append((numbers[0], numbers[-1]))
    return runs


def _track(focus: Focus, points: Iterable[TrackPoint], analysed: Sequence[int]) -> dict[str, Any]:
    frames = [point.frame for point in points]
    return {
        "focus": focus.focus,
        "label": focus.label,
        "first": frames[0],
        "last": frames[-1],
        "best": focus.frame,
        "frames": runs_of(frames, analysed),
    }


def _twinkling(analysis: AnalysisLike) -> dict[str, list[tuple[int, float]]]:
    """Return the evidence for twinkling by focus: frame and evidence."""
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for point in analysis.twinkling:
        found[str(point.focus)].append((point.frame, round(point.evidence, CONFIDENCE_DIGITS)))
    return dict(found)


def _by(points: Iterable[Any], name: str) -> Mapping[int, list[Any]]:
    """Return points by one of their numbers, in the same order."""
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for point in points:
        found[getattr(point, name)].append(point)
    return found


def write_cine(
    analysis: AnalysisLike,
    frames_at: FramesAt,
    *,
    sheet: Path,
    folder: Path,
    most: int,
) -> tuple[Path, ...]:
    """Write the contact sheet of a cine and the frames for the report, in one reading of the scan.

    Files of a former run are deleted, also those of a scan that is a still now.

    Parameters
    ----------
    analysis : AnalysisLike
    frames_at : function
        Yields (number, frame) for the frames of the scan with the given numbers.
    sheet : Path
        File of the contact sheet.
    folder : Path
        Folder of the frames.
    most : int
        Largest number of frames.

    Returns
    -------
    tuple of Path
        Files that were written; none for a still.
    """
    sheet.unlink(missing_ok=True)
    remove_frames(folder)
    outlines = analysis.outlines
    if outlines is None:
        return ()
    crops = ContactSheet(analysis, outlines)
    stored = frozenset(chosen_frames(analysis, most))
    wanted = sorted(stored.union(crops.frames))

    def pass_on() -> Iterator[tuple[int, Frame]]:
        for number, frame in frames_at(wanted):
            crops.add(number, frame)
            if number in stored:
                yield number, frame

    read = pass_on()
    written = write_frames(analysis, outlines, read, folder) if stored else []
    for _ in read:  # without frames to store, the crops are still to be drawn
        pass
    if analysis.foci:
        write_atomically(sheet, encode_with_drawing(crops.picture))
        written.append(sheet)
    return tuple(written)
