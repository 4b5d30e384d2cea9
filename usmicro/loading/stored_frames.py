"""A scan whose frames are stored in a temporary file, so that another process can read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan


def with_stored_frames(scan: Scan, file: Path) -> Scan:
    """Write the frames of a scan to a file, one at a time, and return the scan that reads it.

    The returned scan is the same in everything else but its path, and can be pickled.

    Parameters
    ----------
    scan : Scan
    file : path
        New file.

    Raises
    ------
    ScanError
        If a frame of the scan cannot be read.
    OSError
        If the file cannot be written.
    """
    with open(file, "wb") as stream:
        for frame in scan.frames():
            np.save(stream, frame, allow_pickle=False)
    return replace(scan, path=None, read=partial(_stored_frames, file.absolute()))


def _stored_frames(file: Path) -> Iterator[Frame]:
    """Yield the arrays in a file that holds one behind the other."""
    with open(file, "rb") as stream:
        while stream.peek(1):
            yield np.load(stream, allow_pickle=False)
