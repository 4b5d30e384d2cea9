"""Loading of scan files."""

from __future__ import annotations

import os
from pathlib import Path

from usmicro.errors import ScanError, UsageError
from usmicro.model.scan import Scan, Spacing, SpacingLike, spacing_of
from usmicro.settings import LoadingSettings

__all__ = ["load"]


def load(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    spacing: SpacingLike | None = None,
    spacing_wins: bool = False,
    settings: LoadingSettings | None = None,
) -> Scan:
    """Read the header of a scan file.

    The pixels are decoded when `Scan.frames` is used. A video is also decoded here once, to count
    its frames.

    Parameters
    ----------
    path : str or Path
        A DICOM, PNG, JPEG, BMP, TIFF, GIF, MP4, MOV, AVI, MKV, WebM, NPY, NPZ, NIfTI, NRRD or
        MetaImage file. The format is detected from its content, not from its suffix.
    name : str, optional
        Name of the image in tables; the file name if not given.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres in mm, for a file that has no spacing of its own, as
        `--spacing` does. A pair is (between columns, between rows).
    spacing_wins : bool
        True if `spacing` also replaces the spacing in the file, that of its regions included.
    settings : LoadingSettings, optional

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is missing, damaged, too large, not an image, or not ultrasound.
    CodecError
        If no installed package reads it or decodes its pixels.
    UsageError
        If `path` is no path, or `spacing` is not positive.
    """
    from usmicro.loading.formats import (
        ARRAY_FORMATS,
        EXPECTED_FORMATS,
        STILL_FORMATS,
        VIDEO_FORMATS,
        VOLUME_FORMATS,
        detect_format,
    )
    from usmicro.loading.zip_archive import is_zip, zip_members

    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(
            f"expected the path of a scan file, found {type(path).__name__}; an array is given to "
            "usmicro.analyze, or made a scan with usmicro.Scan.of_array"
        )
    if spacing is not None and not isinstance(spacing, Spacing):
        spacing = spacing_of(spacing)
    path = Path(path)
    settings = LoadingSettings() if settings is None else settings
    if not path.is_file():
        found, hint = "no such file", ""
        if path.is_dir():
            found, hint = "a folder", "; for all scans in it use usmicro.run"
        elif "://" in str(path) or ":/" in str(path):
            found, hint = "an address or no such file", "; usmicro.run reads addresses"
        raise ScanError(f"{path}: {found}; expected one {EXPECTED_FORMATS} file{hint}")
    if is_zip(path):
        zip_members(path)  # the error of a damaged archive says so
        raise ScanError(
            f"{path}: expected one scan, found a zip archive; give it to `usmicro run`, which "
            "reads the scans in archives on this machine, or unpack it"
        )
    file_format = detect_format(path)
    if file_format == "dicom":
        from usmicro.loading.dicom.reader import load_dicom

        scan = load_dicom(path, name=name or path.name, settings=settings)
    elif file_format in VIDEO_FORMATS:
        from usmicro.loading.video.reader import load_video

        scan = load_video(path, file_format, name=name or path.name, settings=settings)
    elif file_format in STILL_FORMATS:
        from usmicro.loading.raster import load_raster

        scan = load_raster(path, file_format, name=name or path.name, settings=settings)
    elif file_format in ARRAY_FORMATS:
        from usmicro.loading.array_file import load_array

        scan = load_array(path, file_format, name=name or path.name, settings=settings)
    elif file_format in VOLUME_FORMATS:
        from usmicro.loading.volume import load_volume

        scan = load_volume(path, file_format, name=name or path.name, settings=settings)
    else:
        words = {"empty": "an empty file", "unknown": "a file of an unknown format"}
        found = words.get(file_format, file_format)
        raise ScanError(
            f"{path}: expected a {EXPECTED_FORMATS} file, found {found}; convert it or leave it out"
        )
    if spacing is None:
        return scan
    from usmicro.loading.spacing import with_user_spacing

    return with_user_spacing(scan, spacing, overrides=spacing_wins)
