"""Contact sheet of a cine: each listed focus on the frame that shows it best, with surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage, Frame, area_of
from usmicro.model.findings import Focus, Summary
from usmicro.model.frame_outlines import Corners
from usmicro.writing.drawing import LABEL_COLOURS, ORANGE, WHITE, Pen, rgb_of
from usmicro.writing.legend import STRIP
from usmicro.writing.overlays import draw_focus, ring_radius
from usmicro.writing.polygons import outline_corners

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

# Sizes in pixels of the sheet. All were chosen by eye on simulated cines.
TILE = 240
"""Side of a crop."""
GAP = 8
"""Distance between crops, and margin of the sheet."""
LINE = 18
"""Height of a line of text."""
CAPTION_LINES = 2
"""Lines of text below a crop."""
TEXT_RISE = 5
"""Distance from the bottom of a line to the bottom of its text."""
CELL_WIDTH, CELL_HEIGHT = TILE + GAP, TILE + CAPTION_LINES * LINE + GAP
"""Size of a crop with its text."""
HEAD = LINE + 2 * GAP
"""Height of the heading."""
COLUMNS = 4
"""Number of crops side by side."""
MOST_CROPS = 60
"""Largest number of crops, those of the highest confidence: more would be a sheet of over 4000
rows."""
CROP_MM = 12.0
"""Side of a crop with a known pixel spacing, mm: a focus with the tissue of a small mass around
it."""
CROP_SHARE = 0.25
"""Side of a crop without a pixel spacing, as a share of the shorter side of the scan: about 12 mm
of a depth of 45 mm."""


def frames_of_foci(analysis: AnalysisLike) -> list[int]:
    """Return the indices of the frames that the contact sheet shows, in order."""
    return sorted({focus.frame for focus in analysis.foci[:MOST_CROPS]})


class ContactSheet:
    """Draws each listed focus of a cine on the frame on which its confidence is highest.

    Masses of that frame are outlined, and pixels that are no tissue on it are black.

    Parameters
    ----------
    analysis : AnalysisLike
        Foci are in order of their confidence.
    """

    def __init__(self, analysis: AnalysisLike) -> None:
        self._analysis = analysis
        self._foci = analysis.foci[:MOST_CROPS]
        height = HEAD + -(-len(self._foci) // COLUMNS) * CELL_HEIGHT
        self._pen = Pen(np.full((height, COLUMNS * CELL_WIDTH + GAP, 3), STRIP, np.uint8))
        self._pen.text(_heading(analysis, len(self._foci)), GAP, GAP + LINE - TEXT_RISE, WHITE)

    def add(self, number: int, frame: Frame) -> None:
        """Draw the foci of a frame of `frames_of_foci`, given its index in the scan."""
        shown = [(i, focus) for i, focus in enumerate(self._foci) if focus.frame == number]
        if not shown:
            return
        outlines = self._analysis.outlines
        masses: Sequence[Corners] = ()
        tissue = ~area_of(self._analysis.labels, AreaLabel.NOT_TISSUE)
        if outlines is not None:
            masses = outlines.of_frame(number).get(AreaLabel.MASS, [])
            tissue = outlines.tissue(number)
        picture = rgb_of(frame)
        picture[~tissue] = 0
        for index, focus in shown:
            left = GAP + index % COLUMNS * CELL_WIDTH
            top = HEAD + index // COLUMNS * CELL_HEIGHT
            crop = _crop(self._analysis.summary, focus, picture, masses)
            self._pen.picture[top : top + TILE, left : left + TILE] = crop
            for line, text in enumerate(_caption(self._analysis, focus), start=1):
                self._pen.text(text, left, top + TILE + line * LINE - TEXT_RISE, WHITE)

    @property
    def picture(self) -> ByteImage:
        """The sheet, shape (rows, columns, 3), uint8 RGB."""
        return self._pen.picture


def _heading(analysis: AnalysisLike, shown: int) -> str:
    listed = len(analysis.foci)
    if not listed:
        return "No foci are listed."
    count = f"{listed} foci" if listed > 1 else "1 focus"
    if shown < listed:
        count = f"the {shown} most confident of {count} (all are in foci.csv)"
    side = "" if analysis.summary.spacing_x_mm is None else f", {CROP_MM:g} mm wide"
    return f"{count}, each on its best frame{side}"


def _caption(analysis: AnalysisLike, focus: Focus) -> tuple[str, str]:
    time = ""
    if focus.frame < len(analysis.scan.frame_times):
        time = f", {analysis.scan.frame_times[focus.frame]:.2f} s"
    return (
        f"{focus.focus}: {focus.label}, confidence {focus.confidence:.2f}",
        f"frame {focus.frame}{time}",
    )


def _crop(
    summary: Summary, focus: Focus, picture: ByteImage, masses: Sequence[Corners]
) -> ByteImage:
    """Return the surroundings of a focus at the size of a tile, with its ring.

    Parameters
    ----------
    summary : Summary
    focus : Focus
    picture : array, shape (rows, columns, 3), uint8 RGB
        The frame, black outside the tissue.
    masses : sequence of array, shape (n, 2)
        Outlines of the masses on the frame.
    """
    if summary.spacing_x_mm is None or summary.spacing_y_mm is None:
        width = height = CROP_SHARE * min(picture.shape[:2])
    else:
        width, height = CROP_MM / summary.spacing_x_mm, CROP_MM / summary.spacing_y_mm
    scale = np.array([TILE / width, TILE / height])
    # pixel centres lie at whole numbers in both pictures
    offset = TILE / 2 - 0.5 - scale * (focus.x_px, focus.y_px)
    to_tile = np.column_stack([np.diag(scale), offset])
    tile = np.asarray(
        cv2.warpAffine(picture, to_tile, (TILE, TILE), flags=cv2.INTER_LINEAR), np.uint8
    )
    pen = Pen(tile)
    for corners in masses:
        pen.line(corners * scale + offset, ORANGE, closed=True)
    if focus.outline_px is not None:
        clump = outline_corners(focus.outline_px)
        pen.line(clump * scale + offset, LABEL_COLOURS[focus.label], closed=True)
    centre = TILE / 2 - 0.5
    draw_focus(pen, focus, (centre, centre), ring_radius(focus, float(scale[0]), pen.unit))
    return tile
