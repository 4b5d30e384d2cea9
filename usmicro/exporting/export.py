"""`usmicro export`: a finished run as files of other programs, one for each image."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from usmicro.errors import UsageError
from usmicro.evaluation.run_areas import outlined_masses, read_label_image
from usmicro.exporting.geojson import encode_geojson
from usmicro.exporting.markups import encode_markups
from usmicro.writing.files import write_atomically
from usmicro.writing.report.run import Row, Run, read_run


def _geojson(run: Run, image: Row) -> bytes:
    shared, masses = outlined_masses(run, image)
    rows = {row["mass"]: row for row in run.masses.get(image["image"], ())}
    return encode_geojson(
        read_label_image(run, image),
        shared,
        [rows[mass.mass] for mass in masses],
        run.foci.get(image["image"], ()),
        key_frame=run.key_frame(image["image"]),
    )


def _markups(run: Run, image: Row) -> bytes:
    return encode_markups(run.foci.get(image["image"], ()))


FORMATS: dict[str, tuple[str, Callable[[Run, Row], bytes]]] = {
    "geojson": (".geojson", _geojson),
    "markups": (".mrk.json", _markups),
}
"""Ending of the files and encoder of each format."""


def export(
    results: str | os.PathLike[str], format: str, *, out: str | os.PathLike[str] | None = None
) -> list[Path]:
    """Write the findings of a finished run as files of another program.

    Parameters
    ----------
    results : path
        Output folder of a finished run.
    format : str
        "geojson" for QuPath: masses, ducts and nonmass areas as areas, foci as points. "markups"
        for 3D Slicer: foci as a list of points.
    out : path, optional
        Folder for the files; files there with the same names are replaced. If not given, the folder
        `format` in that of the run; what a former export wrote there is deleted.

    Returns
    -------
    list of Path
        The file of each image that was analysed, in the order of their names.

    Raises
    ------
    UsageError
        If there is no such format, the folder has no finished run, or a file cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"export: there is no format {format!r}; give {' or '.join(FORMATS)}")
    run = read_run(Path(results))
    ending, encode = FORMATS[format]
    folder = run.folder / format if out is None else Path(out)
    if out is None:
        for file in folder.rglob(f"*{ending}"):  # of images that the run no longer has
            file.unlink()
    written: list[Path] = []
    for image in run.images:
        if image["status"] == "ok":
            file = folder / f"{run.stems[image['image']]}{ending}"
            write_atomically(file, encode(run, image))
            written.append(file)
    return written
