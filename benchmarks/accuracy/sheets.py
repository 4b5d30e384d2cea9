"""Contact sheet of overlays with the truth: `python -m benchmarks.accuracy.sheets DATA OUT.png`.

It needs the data sets of docs/accuracy.md and analyses `--limit` scans of each, at 0.2 to 0.4 s per
scan. It writes one PNG. The picture shows the scans of the data sets, whose licences may forbid to
publish it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.cases import (
    Truth,
    find_cases,
    open_case,
    phantom_cases,
    select_cases,
)
from usmicro.analysis import analyze
from usmicro.errors import UsmicroError
from usmicro.model.arrays import ByteImage

TRUTH_COLOUR = (0, 255, 0)
"""Colour of the true outlines and of the ticks beside true foci, RGB."""

NAME_HEIGHT = 20
"""Rows below a tile for the name of the scan, pixels."""

TICK_GAP, TICK_LENGTH = 4, 6
"""Gap between a true focus and its tick, and length of the tick, pixels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheet with one tile per case, row by row; return 0, or 2 for wrong usage."""
    options = make_parser().parse_args(arguments)
    try:
        cases = [*find_cases(options.data), *phantom_cases(options.phantoms)]
        tiles = []
        for case in select_cases(cases, options.limit, options.only):
            scan, truth = open_case(case)
            analysis = analyze(scan)
            overlay = draw_truth(analysis.overlay(), truth, analysis.frame)
            tiles.append(make_tile(overlay, options.tile, case.name))
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    picture = arrange_tiles(tiles, options.columns)
    cv2.imwrite(str(options.out), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Describe the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy.sheets", description=__doc__
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with the data sets")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument(
        "--only", action="append", metavar="SET", help="only this data set, or `phantom`"
    )
    parser.add_argument(
        "--phantoms", type=int, default=0, metavar="N", help="simulated scans of each set"
    )
    parser.add_argument("--limit", type=int, default=12, metavar="N", help="cases of each data set")
    parser.add_argument("--columns", type=int, default=4, help="tiles in a row")
    parser.add_argument("--tile", type=int, default=480, metavar="PIXELS", help="side of a tile")
    return parser


def draw_truth(overlay: ByteImage, truth: Truth, frame: int) -> ByteImage:
    """Draw the true outlines, and a tick to the left of each true focus.

    Parameters
    ----------
    overlay : array, shape (rows, columns, 3)
    truth : Truth
    frame : int
        Frame that the overlay shows.
    """
    drawn = overlay.copy()
    if truth.masses is not None:
        masses = (truth.masses > 0).astype(np.uint8)
        outlines, _ = cv2.findContours(masses, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, TRUTH_COLOUR, 1)
    for target in truth.targets or ():
        x, y, diameter = target.at(frame)
        end = round(x - diameter / 2 - TICK_GAP)
        cv2.line(drawn, (end - TICK_LENGTH, round(y)), (end, round(y)), TRUTH_COLOUR, 1)
    return drawn


def make_tile(image: ByteImage, side: int, name: str) -> ByteImage:
    """Scale an image into a square of `side` pixels, with its name below."""
    scale = side / max(image.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=interpolation)
    tile = np.zeros((side + NAME_HEIGHT, side, 3), np.uint8)
    tile[: scaled.shape[0], : scaled.shape[1]] = scaled[:side, :side]
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
    cv2.putText(tile, name, (4, side + NAME_HEIGHT - 6), font, 0.45, white, 1, cv2.LINE_AA)
    return tile


def arrange_tiles(tiles: Sequence[ByteImage], columns: int) -> ByteImage:
    """Arrange tiles in rows; the last row is filled with black."""
    black = np.zeros_like(tiles[0])
    rows = []
    for start in range(0, len(tiles), columns):
        row = list(tiles[start : start + columns])
        rows.append(np.hstack(row + [black] * (columns - len(row))))
    return np.vstack(rows)


if __name__ == "__main__":
    sys.exit(main())
