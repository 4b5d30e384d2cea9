"""Opening of PNG, JPEG, BMP, TIFF and GIF files with Pillow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from usmicro.errors import ScanError

_PLUGINS = {"png": "Png", "jpeg": "Jpeg", "bmp": "Bmp", "tiff": "Tiff", "gif": "Gif"}
"""Beginning of the names that Pillow gives to a format."""
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|cannot handle|unknown (pixel mode|data organization)|"
    r"decoder .* not available",
    re.IGNORECASE,
)
"""Messages of Pillow about files that may be valid but are not read."""
_BASELINE_TAGS = range(254, 533)
"""Numbers of the tags of TIFF 6.0."""


@contextmanager
def open_image(path: Path, file_format: str) -> Iterator[Any]:
    """Open an image with the Pillow class of its format.

    `PIL.Image.open` is not used: it detects the format by itself, and it has a size limit that is
    not in the settings of a run.

    Raises
    ------
    ScanError
        If Pillow says that it does not read a file of this kind.
    """
    # given a path, Pillow 13 maps the file into memory, and then fails on an uncompressed grey
    # TIFF that has to be rotated
    with path.open("rb") as file:
        with unsupported_errors(path, file_format):
            opened = _image_class(file_format)(file)
        with opened as image:
            yield image


def pillow_plugin(file_format: str) -> Any:
    """Return the module of Pillow that reads a format.

    Pillow would import those of all formats, which is a noticeable part of a short run.
    """
    return import_module(f"PIL.{_PLUGINS[file_format]}ImagePlugin")


@cache
def _image_class(file_format: str) -> Any:
    """Return the class of images of a format."""
    if file_format != "gif":
        return getattr(pillow_plugin(file_format), f"{_PLUGINS[file_format]}ImageFile")
    from PIL import GifImagePlugin

    class GifImageFile(GifImagePlugin.GifImageFile):
        """A GIF file whose grey ramp is a palette, too.

        Pillow leaves such a palette out, and then also the palettes of later images.
        """

        def _is_palette_needed(self, p: bytes) -> bool:
            return True

    return GifImageFile


@contextmanager
def unsupported_errors(path: Path, file_format: str) -> Iterator[None]:
    """Turn errors of Pillow about a valid image that it does not read into a ScanError."""
    try:
        yield
    except (OSError, SyntaxError, KeyError) as error:
        if not is_unsupported(error):
            raise
        what = f"compression {error}" if str(error).isdigit() else str(error)
        raise ScanError(
            f"{path}: a {file_format.upper()} image of a kind that is not read ({what}); "
            "convert it to 8-bit or 16-bit grey or to RGB without compression"
        ) from error


def is_unsupported(error: Exception) -> bool:
    """Return True if an error of Pillow says that it does not read images of this kind."""
    text = str(error)
    # Pillow looks a compression up by its number; another number is that of a missing tag
    is_compression = text.isdigit() and int(text) not in _BASELINE_TAGS
    return is_compression or bool(_UNSUPPORTED.search(text))
