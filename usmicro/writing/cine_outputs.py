"""Pictures of a cine: its contact sheet, and the frames that the report plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.model.arrays import ByteImage, Frame
from usmicro.writing.areas import FrameAreas
from usmicro.writing.contact_sheet import ContactSheet, frames_of_foci
from usmicro.writing.files import write_atomically
from usmicro.writing.indexed_png import encode_with_drawing
from usmicro.writing.report.film import FILMS, FilmWriter, chosen_frames

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

CONTACT_SHEETS = "contact_sheets"
"""Folder of the contact sheets below the folder of a run."""


def contact_sheet_file(out: Path, stem: str) -> Path:
    """Return the path of the contact sheet of the input with this stem."""
    return out / CONTACT_SHEETS / f"{stem}.png"


def film_folder(out: Path, stem: str) -> Path:
    """Return the folder of the film of the input with this stem."""
    return out / FILMS / stem


class CineOutputs:
    """Writes the pictures of a cine; collects the areas of its frames during the analysis.

    Parameters
    ----------
    out : Path
        Folder of the run.
    stem : str
        Path of the files of this input below the folders of the run, without suffix.
    film_frames : int
        Largest number of frames of the film; 0 for no film.
    """

    def __init__(self, out: Path, stem: str, film_frames: int) -> None:
        self._out, self._stem, self._film_frames = out, stem, film_frames
        self._areas = FrameAreas()

    @property
    def each_frame(self) -> Callable[[int, ByteImage], None] | None:
        """Function that the analysis must call with the label image of each frame."""
        return self._areas.add if self._film_frames else None

    def write(
        self,
        analysis: AnalysisLike,
        frames_at: Callable[[Sequence[int]], Iterable[tuple[int, Frame]]],
    ) -> tuple[Path, ...]:
        """Write the contact sheet and the film.

        Parameters
        ----------
        analysis : AnalysisLike
        frames_at : function
            Yields (number, frame) for the frames of the scan with the given numbers.

        Returns
        -------
        tuple of Path
            The files that were written.

        Raises
        ------
        UsageError
            If a file cannot be written.
        """
        sheet = ContactSheet(analysis)
        in_sheet = set(frames_of_foci(analysis))
        in_film = set(chosen_frames(analysis, self._film_frames))
        film = FilmWriter(analysis, self._areas, film_folder(self._out, self._stem))
        for number, frame in frames_at(sorted(in_sheet | in_film)):
            if number in in_sheet:
                sheet.add(number, frame)
            if number in in_film:
                film.add(number, frame)
        file = contact_sheet_file(self._out, self._stem)
        write_atomically(file, encode_with_drawing(sheet.picture))
        return file, *(film.close() if in_film else ())
