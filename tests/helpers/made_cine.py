"""Stored frames of a cine in a report, made without a cine."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.helpers.made_run import report_data
from usmicro.writing.report.embedding import safe_json

FOLDER = "report/frames/cine"
STORED = (*range(10, 30), *range(40, 48), 55)
"""Numbers of the frames that are stored, of the frames 0 to 59."""
EVEN = (16, 28, 40)
"""Those of them that were chosen whatever was found."""
LAST, KEY, RATE = 59, 20, 20.0
TRACKS = {1: (10, 18, 12), 2: (15, 29, 20), 3: (42, 55, 50)}
"""First, last and best frame of each focus; the best frame of focus 3 is not stored."""


def make_cine(
    page: Path, image: str, *, stored: tuple[int, ...] = STORED, copies: int = 0
) -> dict[str, Any]:
    """Turn an image of a written report into a cine with stored frames.

    The first focus moves to the right by two pixels a frame, the others stay. Each of `copies` more
    tracks has a focus of its own.

    Returns
    -------
    dict
        The data of the image, as the page holds it.
    """
    text = page.read_text(encoding="utf-8")
    data = report_data(text)
    entry: dict[str, Any] = next(entry for entry in data["images"] if entry["image"] == image)
    columns = data["columns"]["foci"]
    index = {name: columns.index(name) for name in ("focus", "frame", "x_px", "y_px", "label")}
    foci, tracks = entry["tables"]["foci"], dict(TRACKS)
    for number in range(4, 4 + copies):
        row = list(foci[number % 3])
        row[index["focus"]], row[index["x_px"]] = number, 60 + 5 * (number % 100)
        row[index["y_px"]] = 80 + 3 * (number % 80)
        foci.append(row)
        first = number * 7 % 50
        tracks[number] = (first, min(LAST, first + 3 + number % 9), first + 1)
    for row in foci:
        row[index["frame"]] = tracks[row[index["focus"]]][2]

    def found_on(frame: int) -> list[list[float]]:
        """Return number, position and confidence of the foci of a frame."""
        found = []
        for row in foci:
            number = row[index["focus"]]
            first, last, best = tracks[number]
            if first <= frame <= last:
                moved = 2 * (frame - best) if number == 1 else 0
                at = (row[index["x_px"]] + moved, row[index["y_px"]])
                found.append([number, *at, round(0.9 - 0.02 * abs(frame - best), 3)])
        return found

    left, top, width, height = entry["box"]
    folder = page.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(2).rayleigh(40, (height, width)).clip(0, 255).astype(np.uint8)
    written = 0
    for frame in stored:
        picture = np.roll(noise, 2 * frame, axis=1)
        cv2.putText(picture, str(frame), (10, 90), cv2.FONT_HERSHEY_SIMPLEX, 3, 255, 6)
        content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
        (folder / f"{frame:05d}.jpg").write_bytes(content)
        written += len(content)
    mass = f"M{left + 250} {top + 100}l90 0l0 80l-90 0z"
    entry |= {"frames": LAST + 1, "key_frame": KEY, "foci": len(foci)}
    entry["cine"] = {
        "folder": FOLDER,
        "frames": [
            {
                "frame": frame,
                "time_s": frame / RATE,
                "picture": f"{frame:05d}.jpg",
                "foci": found_on(frame),
                "outlines": {"mass": mass} if frame < 30 else {},
                "tops": [[1, left + 295, top + 100]] if frame < 30 else [],
            }
            for frame in stored
        ],
        "tracks": [
            {
                "focus": row[index["focus"]],
                "label": row[index["label"]],
                "first": tracks[row[index["focus"]]][0],
                "last": tracks[row[index["focus"]]][1],
                "best": tracks[row[index["focus"]]][2],
                "frames": [list(tracks[row[index["focus"]]][:2])],
            }
            for row in foci
        ],
        "twinkling": {
            "1": [[frame, round(0.5 + 0.04 * (frame - 10), 3)] for frame in range(10, 19)],
            "2": [[frame, 0.2] for frame in range(15, 30)],
        },
        "even": list(EVEN),
        "analysed": LAST + 1,
        "first_frame": 0,
        "last_frame": LAST,
        "frame_rate": RATE,
        "bytes": written,
    }
    replaced = re.sub(
        r'(<script type="application/json" id="report-data">).*?(</script>)',
        lambda found: found[1] + safe_json(data) + found[2],
        text,
        flags=re.DOTALL,
    )
    page.write_text(replaced, encoding="utf-8")
    assert json.loads(safe_json(data)) == data
    return entry
