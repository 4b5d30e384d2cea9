"""Frames of a cine that are written as pictures: which, and the files of a former run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.errors import UsageError
from usmicro.model.arrays import Frame

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

FramesAt = Callable[[Sequence[int]], Iterable[tuple[int, Frame]]]
"""Function that reads frames with the given numbers, and yields (number, frame)."""

CINE = "cine.json"
"""Name of the file beside the frames of the report that says what they show."""
_WRITTEN = re.compile(rf"\d{{5,}}\.(png|jpg)|{re.escape(CINE)}")
"""Names of the files in a folder of frames. The picture of a frame is named by its index in the
scan."""


def shown_frames(analysis: AnalysisLike) -> list[int]:
    """Return the frames that show listed foci or masses, and the key frame, in order."""
    foci = {point.frame for point in analysis.tracks}
    masses = {point.frame for point in analysis.mass_tracks}
    return sorted({analysis.frame} | foci | masses)


def thinned(frames: Sequence[int], first: Sequence[int], most: int) -> list[int]:
    """Choose some frames, evenly spread.

    Parameters
    ----------
    frames : sequence of int
        Frames in order.
    first : sequence of int
        Frames among them that are taken before all others, the most important first.
    most : int
        Largest number of frames.

    Returns
    -------
    list of int
        The chosen frames in order.
    """
    if len(frames) <= most:
        return list(frames)
    kept = set(list(dict.fromkeys(first))[:most])
    others = [frame for frame in frames if frame not in kept]
    count = most - len(kept)
    # the middles of `count` parts of equal length
    return sorted(kept | {others[(2 * i + 1) * len(others) // (2 * count)] for i in range(count)})


def remove_frames(folder: Path) -> None:
    """Delete the frames that a former run wrote into a folder, and the folder if it is then empty.

    Raises
    ------
    UsageError
        If a frame cannot be deleted.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _WRITTEN.fullmatch(path.name) and not path.is_dir():
            try:
                path.unlink()
            except OSError as error:
                raise UsageError(
                    f"{path}: cannot be deleted ({error.strerror}); make it writable"
                ) from error
    with suppress(OSError):  # other files are in it
        folder.rmdir()
