"""Pictures of a cine: its contact sheet, and the frames that the report plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.model.arrays import Frame
from usmicro.writing.coco_frames import remove_frames
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


def write_cine(
    analysis: AnalysisLike,
    frames_at: Callable[[Sequence[int]], Iterable[tuple[int, Frame]]],
    *,
    out: Path,
    stem: str,
    film_frames: int,
) -> tuple[Path, ...]:
    """Write the contact sheet and the film of a cine, in one reading of the scan.

    Those of a former run are deleted, also if the scan is a still now.

    Parameters
    ----------
    analysis : AnalysisLike
    frames_at : function
        Yields (number, frame) for the frames of the scan with the given numbers.
    out : Path
        Folder of the run.
    stem : str
        Path of the files of this input below the folders of the run, without suffix.
    film_frames : int
        Largest number of frames of the film; 0 for no film.

    Returns
    -------
    tuple of Path
        The files that were written; none for a still.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    file, folder = contact_sheet_file(out, stem), film_folder(out, stem)
    file.unlink(missing_ok=True)
    remove_frames(folder)
    if analysis.outlines is None:
        return ()
    sheet = ContactSheet(analysis)
    chosen = chosen_frames(analysis, analysis.outlines.analysed, film_frames)
    in_film = set(chosen.stored)
    film = FilmWriter(analysis, analysis.outlines, folder, even=chosen.even)
    for number, frame in frames_at(sorted(in_film.union(frames_of_foci(analysis)))):
        sheet.add(number, frame)
        if number in in_film:
            film.add(number, frame)
    write_atomically(file, encode_with_drawing(sheet.picture))
    return file, *(film.close() if in_film else ())
