"""Chosen frames of a scan, from another reading of its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from usmicro.errors import ScanError
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan


def frames_at(scan: Scan, numbers: Iterable[int]) -> Iterator[tuple[int, Frame]]:
    """Read a scan again and yield some of its frames, one at a time.

    Parameters
    ----------
    scan : Scan
    numbers : iterable of int
        Indices of the frames; each is yielded once. The frames behind the last one are not decoded.

    Yields
    ------
    (number, frame)
        In rising order of the numbers.

    Raises
    ------
    ScanError
        If a frame is missing or cannot be read.
    """
    wanted = iter(sorted(set(numbers)))
    following = next(wanted, None)
    if following is None:
        return
    for number, frame in enumerate(scan.frames()):
        if number == following:
            yield number, frame
            following = next(wanted, None)
            if following is None:
                return
    raise ScanError(
        f"{scan.name}: frame {following} is not in the file any more; "
        "do not change a file while it is analysed"
    )
