"""Loading: file to Scan."""

from __future__ import annotations

from pathlib import Path

from usmicro.errors import ScanError
from usmicro.model.scan import Scan, Spacing
from usmicro.settings import LoadingSettings

__all__ = ["load"]


def load(
    path: str | Path,
    *,
    name: str | None = None,
    spacing: Spacing | None = None,
    spacing_wins: bool = False,
    settings: LoadingSettings | None = None,
) -> Scan:
    """Read what a scan file says of itself; its pixels are decoded when `Scan.frames` is used, a video's also to count its frames.

    Parameters
    ----------
    path : str or Path
        A DICOM, PNG, JPEG, BMP, TIFF, MP4, MOV, AVI, MKV or WebM file; what it holds decides, not its ending.
    name : str, optional
        What tables call the image; the file name if not given.
    spacing : Spacing, optional
        Used if the file has no spacing of its own.
    spacing_wins : bool
        Use `spacing` also against what the file says, in its regions too.
    settings : LoadingSettings, optional

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is missing, damaged, too large, not an image, or not ultrasound.
    CodecError
        If no installed package decodes its pixels.
    UsageError
        If `spacing` is not positive.
    """
    from usmicro.loading.formats import EXPECTED, READ, VIDEO, content_of

    path = Path(path)
    settings = LoadingSettings() if settings is None else settings
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise ScanError(f"{path}: {found}; expected one {EXPECTED} file")
    content = content_of(path)
    if content == "dicom":
        from usmicro.loading.dicom.reader import load_dicom

        scan = load_dicom(path, name=name or path.name, settings=settings)
    elif content in VIDEO:
        from usmicro.loading.video.reader import load_video

        scan = load_video(path, content, name=name or path.name, settings=settings)
    elif content in READ:
        from usmicro.loading.raster import load_raster

        scan = load_raster(path, content, name=name or path.name, settings=settings)
    else:
        found = {"empty": "an empty file", "unknown": "a file of an unknown kind"}.get(
            content, content
        )
        raise ScanError(f"{path}: expected a {EXPECTED} file, found {found}; convert or remove it")
    if spacing is None:
        return scan
    from usmicro.loading.spacing import with_given

    return with_given(scan, spacing, wins=spacing_wins)
