"""Pictures of each step on one scan: `python -m benchmarks.documents.steps SCAN DIR`.

docs/method.md names the command that wrote its pictures. It takes a few seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.analysis import analyze
from usmicro.anatomy import find_anatomy
from usmicro.errors import UsmicroError
from usmicro.foci.assessment import assess_foci
from usmicro.foci.blobs import Blobs
from usmicro.foci.detection import blob_responses
from usmicro.foci.operating_point import listing_confidence
from usmicro.loading import load
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.findings import Candidates
from usmicro.model.scan import Scan, Spacing
from usmicro.model.view import View
from usmicro.posterior.focus_shadow import focus_shadows
from usmicro.posterior.sampling import strips_behind
from usmicro.preparation import prepare
from usmicro.result import Analysis
from usmicro.settings import Settings
from usmicro.writing import write_atomically
from usmicro.writing.drawing import (
    GREEN,
    LABEL_COLOURS,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    WHITE,
    YELLOW,
    Pen,
    outline,
    rgb_of,
)

WIDTH = 480
"""Columns of a picture."""
PALETTE_COLOURS = 256
"""Number of colours of a picture. A palette keeps files small: speckle hardly compresses."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
SHADES = cv2.COLORMAP_VIRIDIS
"""Colour map with even lightness, readable with any colour vision."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Results of each stage on the first view of a scan."""

    scan: Scan
    view: View
    anatomy: Anatomy
    blobs: Blobs
    candidates: Candidates
    confidence: NDArray[np.float64]
    analysis: Analysis

    @classmethod
    def of(cls, scan: Scan, settings: Settings) -> Stages:
        """Run the stages on the first frame."""
        view = prepare(
            next(scan.frames()),
            spacing=scan.spacing,
            regions=scan.regions,
            settings=settings.preparation,
        )[0]
        anatomy = find_anatomy(view, settings.anatomy)
        foci = assess_foci(view, anatomy, settings.foci, settings.shadow)
        blobs = blob_responses(view, settings.foci)
        analysis = analyze(scan, settings=settings)
        return cls(scan, view, anatomy, blobs, foci.candidates, foci.confidence, analysis)

    @property
    def listed(self) -> Candidates:
        """Candidates that are confident enough to be listed."""
        return self.candidates.take(
            self.confidence >= listing_confidence(self.analysis.settings.foci)
        )


class Sheet:
    """A picture of a view, on which marks are placed in grid pixels."""

    def __init__(self, view: View, base: ByteImage | None = None, shade: float = 1.0) -> None:
        self.scale = WIDTH / view.shape[1]
        grey = np.where(view.tissue, view.grey * shade, 0)
        picture = rgb_of(np.clip(np.rint(grey), 0, 255).astype(np.uint8)) if base is None else base
        size = (WIDTH, round(view.shape[0] * self.scale))
        self.picture = np.ascontiguousarray(
            cv2.resize(
                picture, size, interpolation=cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
            )
        )
        self.pen = Pen(self.picture)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Convert a grid position to a position in the picture."""
        return (x + 0.5) * self.scale - 0.5, (y + 0.5) * self.scale - 0.5

    def outline(self, area: BoolImage, colour: tuple[int, int, int]) -> None:
        """Draw the outline of an area of the grid."""
        outline(self.pen, area, self.scale, colour)

    def ring(self, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
        """Draw a circle of a radius in grid pixels, and of 5 pixels at least."""
        self.pen.ring(self.at(x, y), max(5.0, radius * self.scale), colour)

    def text(self, words: str, x: float, y: float, colour: tuple[int, int, int]) -> None:
        """Write to the right of a grid position."""
        column, row = self.at(x, y)
        place = (round(column) + 8, round(row) + 4)
        cv2.putText(self.picture, words, place, FONT, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(self.picture, words, place, FONT, 0.4, colour, 1, cv2.LINE_AA)


def shade_of(share: float) -> tuple[int, int, int]:
    """Return the colour of a value from 0 (blue) to 1 (yellow)."""
    # the darkest quarter of the colours would not show on the scan
    level = 255 * (0.25 + 0.75 * np.clip(share, 0, 1))
    blue, green, red = cv2.applyColorMap(np.array([[level]], np.uint8), SHADES)[0, 0]
    return int(red), int(green), int(blue)


def pictures(stages: Stages) -> Iterator[tuple[str, ByteImage]]:
    """Yield the name and the RGB picture of each step, in order."""
    for draw in (
        scan_as_read,
        tissue_and_overlays,
        mass_probability,
        blobs_and_candidates,
        confidence_of_candidates,
        shadows,
        labels,
    ):
        yield draw.__name__.replace("_", "-"), draw(stages)


def scan_as_read(stages: Stages) -> ByteImage:
    """Draw the frame as it is in the file."""
    frame = rgb_of(stages.analysis.image)
    size = (WIDTH, round(frame.shape[0] * WIDTH / frame.shape[1]))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def tissue_and_overlays(stages: Stages) -> ByteImage:
    """Draw the frame with the tissue outlined and the burned-in graphics filled."""
    view, frame = stages.view, rgb_of(stages.analysis.image)
    left, top = view.grid.to_image(0.0, 0.0)
    to_image = np.array([[view.grid.step_x, 0, left], [0, view.grid.step_y, top]])
    size = (frame.shape[1], frame.shape[0])
    tissue, overlay = (
        cv2.warpAffine(mask.astype(np.uint8), to_image, size, flags=cv2.INTER_NEAREST) > 0
        for mask in (view.tissue, view.graphics)
    )
    frame[overlay & tissue] = YELLOW
    frame[~tissue] //= 2
    picture = scan_as_read(stages)
    shown = cv2.resize(frame, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_AREA)
    outline(Pen(shown), tissue, WIDTH / size[0], GREEN)
    return np.asarray(shown, dtype=np.uint8)


def mass_probability(stages: Stages) -> ByteImage:
    """Draw the mass probability and the outlines of all areas."""
    view, anatomy = stages.view, stages.anatomy
    shades = cv2.applyColorMap(np.rint(anatomy.mass_probability * 255).astype(np.uint8), SHADES)[
        ..., ::-1
    ].astype(np.float32)
    opacity = (0.6 * anatomy.mass_probability)[..., None]
    mixed = np.where(view.tissue, view.grey, 0)[..., None] * (1 - opacity) + shades * opacity
    sheet = Sheet(view, np.ascontiguousarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8)))
    sheet.outline(anatomy.masses > 0, ORANGE)
    sheet.outline(anatomy.ducts > 0, PURPLE)
    sheet.outline(anatomy.nonmass, GREEN)
    return sheet.picture


def blobs_and_candidates(stages: Stages) -> ByteImage:
    """Draw bright blobs as dots, lighter for larger responses, and rings around candidates."""
    sheet, blobs, candidates = Sheet(stages.view, shade=0.6), stages.blobs, stages.candidates
    low, high = np.quantile(blobs.response, (0.5, 1)) if len(blobs.response) else (0.0, 1.0)
    for x, y, response in zip(blobs.x[::-1], blobs.y[::-1], blobs.response[::-1], strict=True):
        column, row = sheet.at(x, y)
        cv2.circle(
            sheet.picture,
            (round(column), round(row)),
            1,
            shade_of((response - low) / max(high - low, 1e-9)),
            -1,
            cv2.LINE_AA,
        )
    for x, y, diameter in zip(candidates.x, candidates.y, candidates.diameter, strict=True):
        sheet.ring(x, y, diameter, SKY_BLUE)
    return sheet.picture


def confidence_of_candidates(stages: Stages) -> ByteImage:
    """Draw rings around the candidates in the colour of their confidence.

    The confidence is written beside those that are listed.
    """
    sheet, candidates, least = (
        Sheet(stages.view),
        stages.candidates,
        listing_confidence(stages.analysis.settings.foci),
    )
    order = np.argsort(stages.confidence, kind="stable")
    for i in order:
        sheet.ring(
            candidates.x[i], candidates.y[i], candidates.diameter[i], shade_of(stages.confidence[i])
        )
    for i in order:
        if stages.confidence[i] >= least:
            sheet.text(f"{stages.confidence[i]:.2f}", candidates.x[i], candidates.y[i], WHITE)
    return sheet.picture


def shadows(stages: Stages) -> ByteImage:
    """Draw the strip and its two flanks behind each listed focus, with the p value."""
    view, foci, settings = stages.view, stages.listed, stages.analysis.settings.shadow
    sheet = Sheet(view)
    found = focus_shadows(
        view, foci.x, foci.y, foci.width, settings, stages.anatomy.masses, foci.height
    )
    steps = view.grid.pixels(settings.length)
    colours, flank = {"yes": ORANGE, "no": SKY_BLUE, "not assessable": WHITE}, (120, 120, 120)
    strips = strips_behind(view, foci.x, foci.y, foci.width, foci.height)
    starts = np.stack([strips.x, strips.y], axis=-1).reshape(*strips.shape, 2)
    ways = np.stack([strips.dx, strips.dy], axis=-1).reshape(*strips.shape, 2)
    for i, shadow in enumerate(found):
        for part in range(3):
            first, last = starts[i, part, 0], starts[i, part, -1]
            corners = (
                first,
                last,
                last + steps * ways[i, part, -1],
                first + steps * ways[i, part, 0],
            )
            sheet.pen.line(
                [sheet.at(*corner) for corner in corners],
                colours[shadow.verdict] if part == 1 else flank,
                closed=True,
            )
        words = (
            "not assessable"
            if shadow.p is None
            else f"p = {shadow.p:.2g}"
            if shadow.p >= 0.001
            else "p < 0.001"
        )
        sheet.text(words, foci.x[i], foci.y[i], colours[shadow.verdict])
    return sheet.picture


def labels(stages: Stages) -> ByteImage:
    """Draw the outlines of all areas, and the listed foci with their labels."""
    view, analysis = stages.view, stages.analysis
    sheet = Sheet(view)
    sheet.outline(stages.anatomy.masses > 0, ORANGE)
    sheet.outline(stages.anatomy.ducts > 0, PURPLE)
    sheet.outline(stages.anatomy.nonmass, GREEN)
    for focus in analysis.foci:
        x, y = view.grid.from_image(focus.x_px, focus.y_px)
        sheet.ring(
            x, y, (focus.diameter_px or 0.0) / 2 / view.grid.step_x, LABEL_COLOURS[focus.label]
        )
        sheet.text(focus.label, x, y, LABEL_COLOURS[focus.label])
    return sheet.picture


def encode(picture: ByteImage) -> bytes:
    """Encode a picture as PNG with a palette."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(picture).quantize(
        PALETTE_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    ).save(file, "PNG", optimize=True)
    return file.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures and print counts; return 0, or 2 if the scan cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.documents.steps",
        description="Pictures of each step on one scan.",
    )
    parser.add_argument(
        "scan", type=Path, metavar="SCAN", help="such as sample_data/mass_calipers.png"
    )
    parser.add_argument("out", type=Path, metavar="DIR", help="folder for steps-*.png")
    parser.add_argument("--spacing", type=float, metavar="MM", help="for a scan that carries none")
    options = parser.parse_args(arguments)
    spacing = (
        None if options.spacing is None else Spacing(options.spacing, options.spacing, "given")
    )
    try:
        stages = Stages.of(load(options.scan, spacing=spacing), Settings())
        for number, (name, picture) in enumerate(pictures(stages), start=1):
            write_atomically(options.out / f"steps-{number}-{name}.png", encode(picture))
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{len(stages.blobs.x)} blobs, {len(stages.candidates)} candidates, "
        f"{len(stages.analysis.foci)} foci listed"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
