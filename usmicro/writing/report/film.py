"""Frames of a cine for the player of the report: a picture of each, and what was found on it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, Frame
from usmicro.model.findings import MassPoint
from usmicro.writing.areas import FrameAreas
from usmicro.writing.coco_frames import remove_frames, shown_frames
from usmicro.writing.drawing import AREAS
from usmicro.writing.files import write_atomically
from usmicro.writing.report.pictures import encode_picture, outline_path

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

FILMS = "report/frames"
"""Folder of the films below the folder of a run; each has a folder of its own."""
FILM_RECORD = "cine.json"
"""Name of the file with the findings on the frames of a film."""
FRAME_SIDE, FRAME_QUALITY = 640, 60
"""Largest side in pixels, and JPEG quality of a frame: about 30 kB, so that 100 frames take 3 MB.
Chosen by eye on simulated cines."""


def chosen_frames(analysis: AnalysisLike, most: int) -> list[int]:
    """Return the frames of a film: those that show listed foci or masses, thinned evenly.

    The key frame and the best frame of each focus are kept first, those of the most confident foci
    if they alone are too many.

    Parameters
    ----------
    analysis : AnalysisLike
    most : int
        Largest number of frames.

    Returns
    -------
    list of int
        Indices in the scan, in order.
    """
    if not most:
        return []
    shown = shown_frames(analysis)
    if len(shown) <= most:
        return shown
    best = dict.fromkeys([analysis.frame, *(focus.frame for focus in analysis.foci)])
    kept = set(list(best)[:most])
    others = [frame for frame in shown if frame not in kept]
    places = min(most - len(kept), len(others))
    return sorted(kept | {others[i * len(others) // places] for i in range(places)})


class FilmWriter:
    """Writes the frames of a film and its record; those of an earlier run are deleted.

    Pixels that are no tissue on the key frame are black, and all pictures show its tissue box.

    Parameters
    ----------
    analysis : AnalysisLike
    areas : FrameAreas
        Areas of each frame.
    folder : Path

    Raises
    ------
    UsageError
        If a file cannot be written or deleted; also by the methods.
    """

    def __init__(self, analysis: AnalysisLike, areas: FrameAreas, folder: Path) -> None:
        remove_frames(folder)
        self._analysis, self._areas, self._folder = analysis, areas, folder
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
        content = encode_picture(frame, analysis.labels, side=FRAME_SIDE, quality=FRAME_QUALITY)
        write_atomically(picture, content)
        self._written.append(picture)
        self._bytes += len(content)
        outlines = {
            name: path
            for value, name, _ in AREAS
            if (path := outline_path(self._areas.area(number, value)))
        }
        times = analysis.scan.frame_times
        self._entries.append(
            {
                "frame": number,
                "time_s": round(times[number], 4) if number < len(times) else None,
                "picture": picture.name,
                "foci": self._foci[number],
                "outlines": outlines,
                "tops": tops_of(self._areas.area(number, AreaLabel.MASS), self._centres[number]),
            }
        )

    def close(self) -> list[Path]:
        """Write the record; return the files that were written, the record last."""
        analysis, record = self._analysis, self._folder / FILM_RECORD
        values = {
            "frames": self._entries,
            "tracks": list(_track_bars(analysis)),
            "twinkling": _twinkling(analysis),
            "analysed": analysis.summary.frames,
            "first_frame": 0,
            "last_frame": analysis.scan.declared_frames - 1,
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


def tops_of(area: BoolImage, centres: Sequence[MassPoint]) -> list[tuple[int, float, float]]:
    """Return where to write the number of each mass on a frame: the highest point of its outline.

    Parameters
    ----------
    area : array, shape (rows, columns), bool
        Area of all masses of the frame.
    centres : sequence of MassPoint
        Centroids of the masses on this frame.

    Returns
    -------
    list of (number, column, row)
    """
    contours = cv2.findContours(area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    tops = []
    for centre in centres:
        x, y = centre.x_px, centre.y_px
        if contours:
            nearest = max(contours, key=lambda one: cv2.pointPolygonTest(one, (x, y), True))
            corners = nearest[:, 0]
            highest = corners[corners[:, 1] == corners[:, 1].min()]
            x, y = float(highest[:, 0].mean()), float(highest[0, 1])
        tops.append((centre.mass, round(x, 1), round(y, 1)))
    return tops


def _track_bars(analysis: AnalysisLike) -> Iterator[dict[str, Any]]:
    """Yield the bar of each listed focus on the timeline: the runs of frames that show it."""
    foci = {focus.focus: focus for focus in analysis.foci}
    for number, points in groupby(analysis.tracks, key=lambda point: point.focus):
        frames = [point.frame for point in points]
        step = max(1, round(analysis.scan.declared_frames / max(1, analysis.summary.frames)))
        runs = [[frames[0], frames[0]]]
        for frame in frames[1:]:
            if frame - runs[-1][1] <= step:
                runs[-1][1] = frame
            else:
                runs.append([frame, frame])
        yield {
            "focus": number,
            "label": foci[number].label,
            "first": frames[0],
            "last": frames[-1],
            "best": foci[number].frame,
            "frames": runs,
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
