"""Frames of array files and volumes, whose values may have any number type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ImageError, ScanError
from usmicro.model import pixel_values
from usmicro.model.arrays import Frame


def display_frames(
    path: Path, read: Callable[[], Iterator[NDArray[Any]]], *, uint8_as_stored: bool = False
) -> Iterator[Frame]:
    """Yield frames of any number type as uint8 or uint16, by `usmicro.model.pixel_values`.

    Parameters
    ----------
    path : Path
        File, for error messages.
    read : function
        Returns the frames from the first; it is called twice.
    uint8_as_stored : bool
        True if the file has uint8 grey levels or RGB, which are yielded as they are; `read` is then
        called once.

    Raises
    ------
    ScanError
        If the values have no display brightness.
    """
    if uint8_as_stored:
        yield from read()
        return
    try:
        yield from pixel_values.display_frames(read)
    except ImageError as error:
        raise ScanError(f"{path}: {error}") from error


def rescaling_notes(dtype: np.dtype[Any]) -> list[str]:
    """Return the note on pixels that `display_frames` rescales."""
    if dtype in (np.uint8, np.bool_):
        return []
    if dtype.kind == "f":
        return [
            f"pixels of the type {dtype} are converted: values from 0 to 1 are multiplied by 255, "
            "others with fractions are rounded, and whole numbers are rescaled so that the "
            "highest bit used in the file is the top bit"
        ]
    return [
        f"pixels of the type {dtype} are rescaled so that the highest bit used in the file is the "
        "top bit"
    ]
