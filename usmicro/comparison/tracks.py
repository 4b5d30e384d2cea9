"""Where the foci of cines lie on each frame that shows them."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from usmicro.errors import UsageError

Places = dict[int, tuple[float, float]]
"""Column and row in each frame, pixels."""


def read_tracks(folder: Path) -> dict[tuple[str, int], Places]:
    """Read tracks.csv of a run.

    Returns
    -------
    dict
        Places of each focus, by image and number; empty if the run has no such table, like one of
        version 0.1.0.

    Raises
    ------
    UsageError
        If the table is damaged.
    """
    tracks: dict[tuple[str, int], Places] = defaultdict(dict)
    file = folder / "tracks.csv"
    if not file.is_file():
        return tracks
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                place = float(row["x_px"]), float(row["y_px"])
                tracks[row["image"], int(row["focus"])][int(row["frame"])] = place
    except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
        raise UsageError(
            f"{file}: is damaged ({error}); write it again with usmicro run --resume"
        ) from error
    return tracks
