"""Frames of a cine for the player of the report: a picture of each, and what was found on it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import Frame
from usmicro.model.findings import MassPoint
from usmicro.model.frame_outlines import Corners, FrameOutlines
from usmicro.writing.coco_frames import remove_frames, shown_frames
from usmicro.writing.drawing import AREAS
from usmicro.writing.files import write_atomically
from usmicro.writing.report.pictures import encode_picture, svg_path

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

FILMS = "report/frames"
"""Folder of the films below the folder of a run; each has a folder of its own."""
FILM_RECORD = "cine.json"
"""Name of the file with the findings on the frames of a film."""
FRAME_SIDE, FRAME_QUALITY = 600, 60
"""Largest side in pixels, and JPEG quality of a frame, of which there are many. 100 frames of a
simulated sweep, whose speckle compresses least, had 3.4 MB at 560 pixels and 4.1 MB at 640; those
of a colour cine of 320 x 240 pixels had 1.6 MB."""


class FilmFrames(NamedTuple):
    """Frames of a film, as indices in the scan, in order."""

    stored: list[int]
    """All frames of the film."""
    even: list[int]
    """Those that are spread evenly over the analysed frames, whatever was found. A reader who must
    not see the findings is shown only these, since the others tell where findings are."""


def chosen_frames(analysis: AnalysisLike, analysed: Sequence[int], most: int) -> FilmFrames:
    """Return the frames of a film: all that were analysed, or a choice if they are too many.

    Half of the choice is spread evenly over the analysed frames. The other half shows listed foci
    or masses: first the key frame and the best frames of the foci, the most confident first, then
    an even spread of the rest.

    Parameters
    ----------
    analysis : AnalysisLike
    analysed : sequence of int
        All frames that were analysed, in order.
    most : int
        Largest number of frames.
    """
    if len(analysed) <= most:
        return FilmFrames(list(analysed), list(analysed))
    even = spread(analysed, most // 2)
    free = most - len(even)
    best = dict.fromkeys([analysis.frame, *(focus.frame for focus in analysis.foci)])
    kept = [frame for frame in best if frame not in set(even)][:free]
    others = [frame for frame in shown_frames(analysis) if frame not in {*even, *kept}]
    places = min(free - len(kept), len(others))
    thinned = [others[i * len(others) // places] for i in range(places)]
    return FilmFrames(sorted([*even, *kept, *thinned]), even)


def spread(frames: Sequence[int], most: int) -> list[int]:
    """Return at most `most` frames at equal steps, so that they play at an even pace."""
    if not most:
        return []
    step = math.ceil(len(frames) / most)
    return list(frames[(len(frames) - 1) % step // 2 :: step])


class FilmWriter:
    """Writes the frames of a film and its record; those of an earlier run are deleted.

    Pixels that are no tissue are black. All pictures show the box of the tissue of the key frame.

    Parameters
    ----------
    analysis : AnalysisLike
    outlines : FrameOutlines
        Outlines and tissue of each frame.
    folder : Path
    even : sequence of int
        Frames that are spread evenly, as `chosen_frames` returns them.

    Raises
    ------
    UsageError
        If a file cannot be written or deleted; also by the methods.
    """

    def __init__(
        self,
        analysis: AnalysisLike,
        outlines: FrameOutlines,
        folder: Path,
        *,
        even: Sequence[int] = (),
    ) -> None:
        remove_frames(folder)
        self._even = list(even)
        self._analysis, self._outlines, self._folder = analysis, outlines, folder
        self._foci: defaultdict[int, list[list[float]]] = defaultdict(list)
        self._centres: defaultdict[int, list[MassPoint]] = defaultdict(list)
        for point in analysis.tracks:
            values = [point.x_px, point.y_px, point.confidence]
            self._foci[point.frame].append([point.focus, *(round(value, 3) for value in values)])
        for centre in analysis.mass_tracks:
            self._centres[centre.frame].append(centre)
        self._written: list[Path] = []
        self._entries: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, number: int, frame: Frame) -> None:
        """Write a frame, given its index in the scan; frames must be added in order."""
        analysis, picture = self._analysis, self._folder / f"{number:06d}.jpg"
        content = encode_picture(
            frame,
            analysis.labels,
            tissue=self._outlines.tissue(number),
            side=FRAME_SIDE,
            quality=FRAME_QUALITY,
        )
        write_atomically(picture, content)
        self._written.append(picture)
        self._bytes += len(content)
        areas = self._outlines.of_frame(number)
        outlines = {
            name: path for value, name, _ in AREAS if (path := svg_path(areas.get(value, ())))
        }
        times = analysis.scan.frame_times
        self._entries.append(
            {
                "frame": number,
                "time_s": round(times[number], 4) if number < len(times) else None,
                "picture": picture.name,
                "foci": self._foci[number],
                "outlines": outlines,
                "tops": tops_of(areas.get(AreaLabel.MASS, ()), self._centres[number]),
            }
        )

    def close(self) -> list[Path]:
        """Write the record; return the files that were written, the record last."""
        analysis, record = self._analysis, self._folder / FILM_RECORD
        analysed = self._outlines.analysed
        values = {
            "frames": self._entries,
            "tracks": list(_track_bars(analysis, analysed)),
            "twinkling": _twinkling(analysis),
            "even": self._even,
            "analysed": analysis.summary.frames,
            "first_frame": analysed[0],
            "last_frame": analysed[-1],
            "frame_rate": _frame_rate(analysis.scan.frame_times),
            "bytes": self._bytes,
        }
        content = json.dumps(values, separators=(",", ":"), allow_nan=False).encode()
        write_atomically(record, content)
        return [*self._written, record]


def read_film(folder: Path) -> dict[str, Any] | None:
    """Return the record of a film; None if the image has none or it is damaged."""
    try:
        record = json.loads((folder / FILM_RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def tops_of(
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
        tops.append((centre.mass, round(x, 1), round(y, 1)))
    return tops


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


def _track_bars(analysis: AnalysisLike, analysed: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the bar of each listed focus on the timeline: the runs of frames that show it."""
    foci = {focus.focus: focus for focus in analysis.foci}
    for number, points in groupby(analysis.tracks, key=lambda point: point.focus):
        frames = [point.frame for point in points]
        yield {
            "focus": number,
            "label": foci[number].label,
            "first": frames[0],
            "last": frames[-1],
            "best": foci[number].frame,
            "frames": runs_of(frames, analysed),
        }


def _twinkling(analysis: AnalysisLike) -> dict[str, list[list[float]]]:
    """Return the evidence for twinkling of each focus that ever has colour, by focus and frame."""
    evidence: defaultdict[str, list[list[float]]] = defaultdict(list)
    for point in analysis.twinkling:
        evidence[str(point.focus)].append([point.frame, round(point.evidence, 3)])
    return {
        focus: points for focus, points in evidence.items() if any(value for _, value in points)
    }


def _frame_rate(times: Sequence[float]) -> float | None:
    """Return the mean frame rate in frames per second; None if the file does not give times."""
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return round((len(times) - 1) / (times[-1] - times[0]), 3)
