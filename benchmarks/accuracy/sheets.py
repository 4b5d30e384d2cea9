"""Contact sheets of overlays with the truth drawn in: `python -m benchmarks.accuracy.sheets DATA OUT.png`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.__main__ import limited
from benchmarks.accuracy.cases import Truth, find_cases, open_case, phantom_cases
from usmicro.analysis import analyze
from usmicro.errors import UsmicroError
from usmicro.model.arrays import ByteImage

TRUE = (0, 255, 0)
"""Colour of what is true: outlines of masses, crosses beside foci."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one sheet of tiles, row by row in the order of the cases."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy.sheets", description=__doc__
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument(
        "--only", action="append", metavar="SET", help="only this data set, or `phantom`"
    )
    parser.add_argument("--phantoms", type=int, default=0, metavar="N")
    parser.add_argument("--limit", type=int, default=12, metavar="N", help="cases of each data set")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--tile", type=int, default=480, metavar="PIXELS", help="edge of a tile")
    options = parser.parse_args(arguments)
    try:
        tiles = []
        for case in limited(
            [*find_cases(options.data), *phantom_cases(options.phantoms)],
            options.limit,
            options.only,
        ):
            scan, truth = open_case(case)
            analysis = analyze(scan)
            tiles.append(
                fitted(
                    with_truth(analysis.overlay(), truth, analysis.frame), options.tile, case.name
                )
            )
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    cv2.imwrite(str(options.out), cv2.cvtColor(sheet(tiles, options.columns), cv2.COLOR_RGB2BGR))
    return 0


def with_truth(overlay: ByteImage, truth: Truth, frame: int) -> ByteImage:
    """Draw the true outlines and a tick to the left of each true focus."""
    drawn = overlay.copy()
    if truth.masses is not None:
        outlines, _ = cv2.findContours(
            (truth.masses > 0).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(drawn, outlines, -1, TRUE, 1)
    for target in truth.targets or ():
        x, y, diameter = target.at(frame)
        end = round(x - diameter / 2 - 4)
        cv2.line(drawn, (end - 6, round(y)), (end, round(y)), TRUE, 1)
    return drawn


def fitted(image: ByteImage, edge: int, name: str) -> ByteImage:
    """An image scaled into a square tile, with its name below."""
    scale = edge / max(image.shape[:2])
    small = cv2.resize(
        image,
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    tile = np.zeros((edge + 20, edge, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:edge, :edge]
    cv2.putText(
        tile, name, (4, edge + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA
    )
    return tile


def sheet(tiles: Sequence[ByteImage], columns: int) -> ByteImage:
    """Tiles side by side, the last row filled with black."""
    blank = np.zeros_like(tiles[0])
    rows = [
        [*tiles[i : i + columns], *[blank] * (columns - len(tiles[i : i + columns]))]
        for i in range(0, len(tiles), columns)
    ]
    return np.vstack([np.hstack(row) for row in rows])


if __name__ == "__main__":
    sys.exit(main())
