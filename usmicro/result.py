"""Objects that `usmicro.analyze` returns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from usmicro.labelling.clusters import measure_clusters
from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.findings import (
    Candidate,
    Cluster,
    Focus,
    Mass,
    MassPoint,
    Summary,
    TrackPoint,
    TwinklingPoint,
    column_names,
)
from usmicro.model.frame_outlines import FrameOutlines
from usmicro.model.probability_maps import ProbabilityMaps
from usmicro.model.scan import Scan
from usmicro.model.warnings import ScanWarning
from usmicro.settings import Settings

if TYPE_CHECKING:
    import pandas

Row = TypeVar(
    "Row",
    bound=Focus | Mass | Cluster | TrackPoint | MassPoint | TwinklingPoint | Candidate,
)


class Table(list[Row], Generic[Row]):
    """A list of findings that converts to rows or, with pandas installed, to a data frame."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one dictionary for each finding; values that were not measured are None."""
        return [{name: getattr(row, name) for name in column_names(type(row))} for row in self]

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas data frame; needs pandas, which usmicro does not install."""
        import pandas

        return pandas.DataFrame(self.to_rows())

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from usmicro.writing.notebook import rows_html

        return rows_html(self.to_rows()) or "<p>No rows.</p>"


@dataclass(frozen=True)
class FrameFindings:
    """The listed foci on one frame."""

    frame: int
    """Index of the frame in the scan."""
    time_s: float | None
    """Time since the first frame in s; None if the file does not give it."""
    foci: Table[TrackPoint] = field(default_factory=Table)


@dataclass(frozen=True)
class Analysis:
    """The findings of usmicro on one scan."""

    scan: Scan
    settings: Settings
    foci: Table[Focus]
    """Foci that are listed, the most confident first; see `FociSettings`."""
    masses: Table[Mass]
    """Masses, by number."""
    summary: Summary
    """Findings on the image as a whole."""
    frame: int
    """Index of the key frame: the frame whose foci have the highest sum of confidences. The
    overlay and the label image show it."""
    image: Frame = field(repr=False)
    """Pixels of the key frame, shape (rows, columns) or (rows, columns, 3)."""
    labels: ByteImage = field(repr=False)
    """Label image of the key frame, shape (rows, columns), uint8: 0 tissue, 1 mass, 2 duct,
    3 nonmass area, 255 not tissue (`usmicro.model.anatomy.AreaLabel`)."""
    maps: ProbabilityMaps = field(
        default_factory=lambda: ProbabilityMaps((0, 0), ()), repr=False, compare=False
    )
    """Probability that each pixel of the key frame lies in a "mass" or a "duct": `maps["mass"]` is
    an array of shape (rows, columns), float32, 0 outside the tissue."""
    tracks: Table[TrackPoint] = field(default_factory=Table, repr=False)
    """Of a cine, each listed focus on each frame that shows it, by focus and frame."""
    mass_tracks: Table[MassPoint] = field(default_factory=Table, repr=False)
    """Of a cine, each mass on each frame that shows it, by mass and frame."""
    twinkling: Table[TwinklingPoint] = field(default_factory=Table, repr=False)
    """Of a colour cine, how much the colours at each listed focus look like twinkling, by focus and
    frame."""
    candidates: Table[Candidate] = field(default_factory=Table, repr=False)
    """Every candidate for a focus on the key frame with what was measured of it, the most confident
    first, and why it is listed or not."""
    outlines: FrameOutlines | None = field(default=None, repr=False, compare=False)
    """Of a cine, the outlines of masses, ducts and nonmass areas on every frame, simplified, and
    the tissue; None for a still."""
    detector: str = ""
    """Name of the user's detector that found the foci; empty if the program did."""
    masks: str = ""
    """Where the user's outlines come from: the name of a function, or "given"; empty if there are
    none."""
    notes: tuple[str, ...] = ()
    """Fallbacks and other facts that a reader of the results must know."""
    warnings: tuple[ScanWarning, ...] = ()
    """What may be wrong with the results."""
    seconds: dict[str, float] = field(default_factory=dict, repr=False, compare=False)
    """Time spent in each stage, in seconds."""

    @property
    def clusters(self) -> Table[Cluster]:
        """Clusters that the foci form, by number."""
        return Table(measure_clusters(self.foci))

    @property
    def frames(self) -> list[FrameFindings]:
        """The listed foci frame by frame; the index is that of the frame in the scan."""
        points = self.tracks if self.summary.frames > 1 else _points_of_still(self.foci)
        count = max([self.scan.declared_frames, *(point.frame + 1 for point in points)])
        times: Sequence[float | None] = self.scan.frame_times
        frames = [
            FrameFindings(frame, times[frame] if frame < len(times) else None)
            for frame in range(count)
        ]
        for point in points:
            frames[point.frame].foci.append(point)
        return frames

    def overlay(self) -> ByteImage:
        """Draw the findings on the key frame.

        Returns
        -------
        array, shape (rows, columns, 3), uint8 RGB
            Enlarged if the scan is small, with a legend below.
        """
        from usmicro.writing.overlays import draw

        return draw(self)

    def contact_sheet(self) -> ByteImage:
        """Draw each listed focus on its best frame, with its surroundings.

        The frames are read from the scan again. Of a still image it shows the foci of its only
        frame.

        Returns
        -------
        array, shape (rows, columns, 3), uint8 RGB

        Raises
        ------
        ScanError
            If the frames cannot be read any more.
        """
        from usmicro.loading.second_reading import frames_at
        from usmicro.writing.contact_sheet import ContactSheet, frames_of_foci

        sheet = ContactSheet(self)
        for number, frame in frames_at(self.scan, frames_of_foci(self)):
            sheet.add(number, frame)
        return sheet.picture

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the findings to a folder: tables, overlay, label image, report and run.json.

        The files are those of `usmicro.run` over this scan alone, so `usmicro.read_results`,
        `usmicro evaluate` and `usmicro compare` read them. DICOM results and COCO files need a run.

        Parameters
        ----------
        folder : path
            A new or empty folder, unless `overwrite` is True.
        overwrite : bool
            Delete what a former run or `save` wrote to the folder.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UsageError
            If the folder may not be written to, or the name of the scan cannot name files.
        ScanError
            If the frames of a cine cannot be read any more.
        """
        # runs stand above results, so this function is looked up when it is called
        saving = import_module("usmicro.batch.saving")
        written: Path = saving.save_analysis(self, folder, overwrite=overwrite)
        return written

    def __repr__(self) -> str:
        from usmicro.writing.notebook import analysis_text

        return analysis_text(self)

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from usmicro.writing.notebook import analysis_html

        return analysis_html(self)

    def _repr_png_(self) -> bytes:
        """Return the PNG that a program without HTML shows."""
        from usmicro.writing import encode_with_drawing

        return encode_with_drawing(self.overlay())


def _points_of_still(foci: Iterable[Focus]) -> list[TrackPoint]:
    """Return the foci of a single frame in the form of tracks."""
    return [
        TrackPoint(
            focus=focus.focus,
            frame=focus.frame,
            time_s=None,
            x_px=focus.x_px,
            y_px=focus.y_px,
            x_mm=focus.x_mm,
            depth_mm=focus.depth_mm,
            confidence=focus.confidence,
        )
        for focus in foci
    ]
