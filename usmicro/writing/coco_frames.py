"""Frames of a cine for coco.json: a picture of each, and a file with their annotations.

A run writes coco.json at its end, from the results of all inputs. Until then the annotations of the
frames wait in one file for each cine, one line for each frame, so that memory does not grow with
their number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from usmicro.errors import UsageError
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, Frame, LabelImage, area_of
from usmicro.model.findings import Focus, Mass, MassPoint, TrackPoint
from usmicro.writing.areas import ANATOMY, FrameAreas
from usmicro.writing.coco import (
    area_annotations,
    as_json,
    encode_image,
    focus_annotation,
    mass_annotations,
)
from usmicro.writing.files import replacing, write_atomically
from usmicro.writing.polygons import divide_among

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

STORED = (*ANATOMY, AreaLabel.NOT_TISSUE)
"""Values of the label image of a frame that are stored until the frames are written."""
_FRAME_FILE = re.compile(r"\d{6,}\.(png|jpg)|cine\.json")
"""Name of the picture of a frame, which is its index in the scan, or of the record of a film."""


def frames_folder(images: Path, stem: str) -> Path:
    """Return the folder for the frames of a cine below the folder of the pictures."""
    return images / f"{stem}.frames"


def remove_frames(folder: Path) -> None:
    """Delete the frames that a former run wrote into a folder, and the folder if it is then empty.

    Raises
    ------
    UsageError
        If a frame cannot be deleted.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _FRAME_FILE.fullmatch(path.name):
            try:
                path.unlink()
            except OSError as error:
                raise UsageError(
                    f"{path}: cannot be deleted ({error.strerror}); make it writable"
                ) from error
    with suppress(OSError):  # other files are in it
        folder.rmdir()


def shown_frames(analysis: AnalysisLike) -> list[int]:
    """Return the frames that show listed foci or masses, and the key frame, in order."""
    foci = {point.frame for point in analysis.tracks}
    masses = {point.frame for point in analysis.mass_tracks}
    return sorted({analysis.frame} | foci | masses)


def write_frames(
    analysis: AnalysisLike,
    areas: FrameAreas,
    frames: Iterable[tuple[int, Frame]],
    *,
    images: Path,
    stem: str,
    annotations: Path,
) -> list[Path]:
    """Write the pictures of some frames of a cine, and their annotations.

    Parameters
    ----------
    analysis : AnalysisLike
    areas : FrameAreas
        Areas of each frame with the values STORED.
    frames : iterable of (number, frame)
        Index and pixels of each frame to write.
    images : Path
        Folder of the pictures.
    stem : str
        Path of the files of this input below the folder, without suffix.
    annotations : Path
        File for the annotations, one line of JSON for each frame.

    Returns
    -------
    list of Path
        Files that were written.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    folder = frames_folder(images, stem)
    remove_frames(folder)
    foci = {focus.focus: focus for focus in analysis.foci}
    masses = {mass.mass: mass for mass in analysis.masses}
    points: defaultdict[int, list[TrackPoint]] = defaultdict(list)
    centres: defaultdict[int, list[MassPoint]] = defaultdict(list)
    for point in analysis.tracks:
        points[point.frame].append(point)
    for centre in analysis.mass_tracks:
        centres[centre.frame].append(centre)
    written = []
    with replacing(annotations) as lines:
        for number, frame in frames:
            labels = label_image_of(areas, number)
            picture = folder / f"{number:06d}.png"
            write_atomically(picture, encode_image(frame, labels))
            written.append(picture)
            entry = {
                "file_name": picture.relative_to(images).as_posix(),
                "width": labels.shape[1],
                "height": labels.shape[0],
                "attributes": {"image": analysis.scan.name, "frame": number},
            }
            drawn = [
                *frame_masses(labels, [_mass_on(masses[one.mass], one) for one in centres[number]]),
                *area_annotations(labels),
                *frame_foci(foci, points[number]),
            ]
            lines.write(as_json({"image": entry, "annotations": drawn}) + b"\n")
    return [*written, annotations]


def label_image_of(areas: FrameAreas, frame: int) -> ByteImage:
    """Return the label image of a frame from its stored areas, shape (rows, columns)."""
    labels = np.zeros(areas.shape, np.uint8)
    for value in STORED:
        labels[areas.area(frame, value)] = value
    return labels


def frame_masses(labels: ByteImage, masses: Sequence[Mass]) -> Iterator[dict[str, Any]]:
    """Yield the annotations of the masses of the table that a frame shows.

    Parameters
    ----------
    labels : array, shape (rows, columns), uint8
        Label image.
    masses : sequence of Mass
        With their centroids on this frame. Areas without one of them are of masses that are not in
        the table, and get no annotation.
    """
    if not masses:
        return
    area = _parts_at(area_of(labels, AreaLabel.MASS), masses)
    for annotation in mass_annotations(divide_among(area, masses), masses):
        attributes = annotation["attributes"]
        yield annotation | {"attributes": {"track_id": attributes["mass"], **attributes}}


def _parts_at(area: BoolImage, masses: Sequence[Mass]) -> BoolImage:
    """Return the connected parts of an area that are nearest to the centroids of masses."""
    parts: LabelImage = cv2.connectedComponents(area.astype(np.uint8))[1]
    rows, columns = np.nonzero(parts)
    if not len(rows):
        return area
    chosen = [
        parts[rows[nearest], columns[nearest]]
        for mass in masses
        for nearest in [int(((columns - mass.x_px) ** 2 + (rows - mass.y_px) ** 2).argmin())]
    ]
    return np.asarray(np.isin(parts, chosen))


def _mass_on(mass: Mass, point: MassPoint) -> Mass:
    """Return a mass with its position on a frame."""
    return replace(mass, frame=point.frame, x_px=point.x_px, y_px=point.y_px)


def frame_foci(foci: dict[int, Focus], points: Sequence[TrackPoint]) -> Iterator[dict[str, Any]]:
    """Yield the annotations of the listed foci that a frame shows.

    Parameters
    ----------
    foci : dict of int to Focus
        Listed foci by number.
    points : sequence of TrackPoint
        The foci on this frame.
    """
    for point in points:
        focus = foci[point.focus]
        # the outline and the depth of a clump are those of its best frame: both move with it
        moved = replace(
            focus,
            frame=point.frame,
            x_px=point.x_px,
            y_px=point.y_px,
            x_mm=point.x_mm,
            depth_mm=point.depth_mm,
            outline_px=_moved_outline(focus, point),
        )
        annotation = focus_annotation(moved)
        attributes = {
            "track_id": focus.focus,
            **annotation["attributes"],
            "frame_confidence": round(point.confidence, 6),
        }
        yield annotation | {"attributes": attributes}


def _moved_outline(focus: Focus, point: TrackPoint) -> str | None:
    """Return the outline of a clump, moved to where it lies on another frame."""
    if focus.outline_px is None:
        return None
    dx, dy = point.x_px - focus.x_px, point.y_px - focus.y_px
    corners = (corner.split(",") for corner in focus.outline_px.split())
    return " ".join(f"{float(x) + dx:.1f},{float(y) + dy:.1f}" for x, y in corners)
