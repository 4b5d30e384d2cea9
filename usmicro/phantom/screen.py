"""Compose tissue regions, colour data and graphics to the frames that a scanner stores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage
from usmicro.model.scan import Region, Spacing
from usmicro.phantom.colour_maps import bar_colours, coloured
from usmicro.phantom.doppler import ColourFrames
from usmicro.phantom.overlays import (
    Ink,
    draw_bar,
    draw_body_mark,
    draw_calipers,
    draw_ruler,
    grey_scale,
)
from usmicro.phantom.placement import merged, moved
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import ColourBox, Scene, VesselShape
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.truth import TrueColour, TrueVessel, TrueView, Truth

TINT = (0.925, 0.978, 1.083)
"""Factors of red, green and blue of a blue-grey tint of the whole screen."""
BOX_TINT = (1.12, 0.98, 0.86)
"""Factors of red, green and blue of the sepia tint of the echoes in the colour box."""
GAP = 6
"""Black columns between two tissue regions."""

HEADER_ROWS, LEFT_COLUMNS = 56, 62
"""Rows above and columns left of the tissue on a whole screen, or beside a colour bar."""

RIGHT_COLUMNS, RULER_COLUMNS = 64, 34
"""Columns right of the tissue on a whole screen or beside a colour bar, and beside a ruler only."""

ROWS_BELOW, ROWS_BELOW_WITH_BAR = 30, 56
"""Rows below the tissue on a whole screen, and on a screen with a horizontal colour bar."""

BAR_LENGTH, BAR_WIDTH = 140, 16
"""Size of the colour bar, pixels."""

EDGE_POINTS = 30
"""Number of points on each edge of the colour box."""


@dataclass(frozen=True)
class Panel:
    """One tissue region before it is placed on a screen."""

    probe: Probe
    scene: Scene
    grey: ByteImage
    """Grey levels, shape (frames, rows, columns)."""
    truth: Truth
    """Truth, in pixels of the panel."""
    colour: ColourFrames | None = None


def compose(
    panels: list[Panel], settings: PhantomSettings, seed: int
) -> tuple[ByteImage, Truth, tuple[Region, ...]]:
    """Compose panels side by side to a screen.

    Returns
    -------
    frames : array, shape (frames, rows, columns) or (frames, rows, columns, 3)
        Frames as a scanner stores them.
    truth : Truth
        Truth in pixels of the screen.
    regions : tuple of Region
        Regions as a DICOM file declares them.
    """
    count = panels[0].grey.shape[0]
    bar_place = settings.colour_bar if settings.colour else "none"
    header = HEADER_ROWS if settings.screen else 0
    left = LEFT_COLUMNS if settings.screen or bar_place == "left" else 0
    right = RULER_COLUMNS if settings.ruler else 0
    if settings.screen or bar_place == "right":
        right = RIGHT_COLUMNS
    below = ROWS_BELOW if settings.screen else 0
    if bar_place == "lying":
        below = ROWS_BELOW_WITH_BAR
    columns = left + sum(panel.grey.shape[2] for panel in panels) + GAP * (len(panels) - 1) + right
    rows = header + max(panel.grey.shape[1] for panel in panels) + below
    screen = np.zeros((count, rows, columns), np.uint8)
    truths, corner = [], left
    for number, panel in enumerate(panels):
        height, width = panel.grey.shape[1:]
        screen[:, header : header + height, corner : corner + width] = panel.grey
        truths.append(moved(panel.truth, corner, header, rows, columns, number))
        corner += width + GAP
    truth = merged(truths)
    ink = Ink.blank(rows, columns)
    draw_interface(ink, truth, panels[0].probe, settings, seed, header, columns - right)

    frames: ByteImage = screen
    regions = [_tissue_region(view) for view in truth.views]
    if settings.tint or settings.colour or not ink.is_grey:
        frames = np.repeat(screen[..., None], 3, axis=3)
    if settings.tint:
        frames = np.clip(np.rint(frames * np.asarray(TINT, np.float32)), 0, 255).astype(np.uint8)
    colour = panels[0].colour
    if colour is not None and panels[0].scene.box is not None:
        bar = draw_colour_bar(ink, settings, truth, columns - right)
        true_colour, region = draw_colour(
            frames, ink, panels[0], colour, bar, settings, left, header
        )
        truth = replace(truth, colour=true_colour)
        regions += [region, *([] if bar is None else [Region("colour bar", *bar)])]
    frames = np.stack([ink.over(frame) for frame in frames])
    if settings.jpeg_quality:
        frames = np.stack([through_jpeg(frame, settings.jpeg_quality) for frame in frames])
    return frames, replace(truth, overlay=ink.mask), tuple(regions)


def _tissue_region(view: TrueView) -> Region:
    spacing = Spacing(view.spacing_mm, view.spacing_mm, "region")
    return Region("tissue", view.left, view.top, view.right, view.bottom, spacing)


def draw_interface(
    ink: Ink,
    truth: Truth,
    probe: Probe,
    settings: PhantomSettings,
    seed: int,
    header: int,
    right: int,
) -> None:
    """Draw header, ruler, grey bar, calipers, text and body mark, where the settings have them.

    `header` is the number of rows above the tissue, `right` the first column right of it.
    """
    rows = ink.alpha.shape[0]
    face = header - probe.origin[1] / probe.spacing
    if settings.screen and settings.header:
        ink.text(f"PHANTOM {seed:06d}", 8, 18)
        ink.text("SIMULATED BREAST", 8, 36)
        ink.text("L12-4  MI 0.9  TIS 0.2", right - 180, 18)
        ink.text(f"DR {settings.dynamic_range:.0f}  {settings.depth / 10:.1f} cm", right - 180, 36)
    if settings.ruler:
        draw_ruler(ink, right + 4, face, probe.spacing, settings.depth)
    if settings.screen and settings.grey_bar and not settings.colour:
        draw_bar(ink, 20, header + 20, 14, grey_scale(200))
    if settings.calipers:
        draw_calipers(ink, truth)
    if settings.text:
        view = truth.views[0]
        column = view.left + 0.55 * (view.right - view.left)
        ink.text("RT BREAST 10H", column, view.bottom - 40, size=0.5)
    if settings.screen and settings.body_mark:
        draw_body_mark(ink, 34, rows - 60)


def draw_colour_bar(
    ink: Ink, settings: PhantomSettings, truth: Truth, right: int
) -> tuple[int, int, int, int] | None:
    """Draw the colour bar with its limits beside or below the tissue.

    `right` is the first column right of the tissue.

    Returns
    -------
    (int, int, int, int) or None
        Left, top, right and bottom of the bar; right and bottom are one past the end. None if the
        settings have no bar.
    """
    if settings.colour_bar == "none":
        return None
    limit, shift = settings.velocity_limit, settings.baseline_shift
    is_power = settings.colour_map == "power"
    high, low = f"+{(1 + shift) * limit:.1f}", f"-{(1 - shift) * limit:.1f}"
    if is_power:
        high, low = "MAX", "MIN"
    colours = bar_colours(settings.colour_map, BAR_LENGTH, BAR_WIDTH, shift=shift)
    view = truth.views[0]
    if settings.colour_bar == "lying":  # flow towards the transducer to the right
        left, top = view.left + 60, view.bottom + 12
        ink.paint(left, top, np.ascontiguousarray(colours[::-1].transpose(1, 0, 2)))
        ink.text(low, left - 44, top + 12, size=0.4)
        ink.text(high if is_power else f"{high} cm/s", left + BAR_LENGTH + 6, top + 12, size=0.4)
        return left, top, left + BAR_LENGTH, top + BAR_WIDTH
    left, top = (18 if settings.colour_bar == "left" else right + 32), view.top + 34
    ink.paint(left, top, colours)
    ink.text(high, left - 10, top - 8, size=0.4)
    ink.text(low, left - 10, top + BAR_LENGTH + 18, size=0.4)
    if not is_power:
        ink.text("cm/s", left - 10, top + BAR_LENGTH + 34, size=0.4)
    return left, top, left + BAR_WIDTH, top + BAR_LENGTH


def draw_colour(
    frames: ByteImage,
    ink: Ink,
    panel: Panel,
    colour: ColourFrames,
    bar: tuple[int, int, int, int] | None,
    settings: PhantomSettings,
    left: int,
    top: int,
) -> tuple[TrueColour, Region]:
    """Draw the colour data on the frames, and the outline of the colour box as a graphic.

    Parameters
    ----------
    frames : array, shape (frames, rows, columns, 3)
        Changed in place.
    ink : Ink
    panel : Panel
    colour : ColourFrames
    bar : (int, int, int, int) or None
        See `draw_colour_bar`.
    settings : PhantomSettings
    left, top : int
        Corner of the panel on the screen.

    Returns
    -------
    TrueColour, Region
        Truth, and region of the colour box.
    """
    box = panel.scene.box
    assert box is not None, "colour data have a colour box"
    is_power = settings.colour_map == "power"
    count, rows, columns = frames.shape[:3]
    height, width = panel.grey.shape[1:]
    shown = np.zeros((count, rows, columns), np.bool_)
    velocity = np.zeros((count, rows, columns), np.float32)
    inside = (slice(None), slice(top, top + height), slice(left, left + width))
    shown[inside] = colour.shown
    velocity[inside] = colour.phase / np.float32(np.pi) * np.float32(settings.velocity_limit)
    _mix_colours(frames[inside], colour, settings)
    edges = _box_edges(panel.probe, box, left, top)
    if settings.box_style == "outline":
        ink.line(np.concatenate(edges), closed=True)
    truth = TrueColour(
        colour_map=settings.colour_map,
        power=is_power,
        velocity_limit_cm_s=settings.velocity_limit,
        box_px=tuple((float(edge[0, 0]), float(edge[0, 1])) for edge in edges),
        bar_px=bar,
        vessels=tuple(
            _true_vessel(vessel, panel.probe, left, top) for vessel in panel.scene.vessels
        ),
        flash_frames=colour.flash_frames,
        shown=shown & ~ink.mask,
        velocity=np.where(ink.mask, 0, velocity),
    )
    y, x = np.nonzero(colour.box)
    region = Region(
        "colour flow",
        left + int(x.min()),
        top + int(y.min()),
        left + int(x.max()) + 1,
        top + int(y.max()) + 1,
        Spacing(settings.spacing, settings.spacing, "region"),
    )
    return truth, region


def _mix_colours(echoes: ByteImage, colour: ColourFrames, settings: PhantomSettings) -> None:
    """Draw colours on the frames of a panel, shape (frames, rows, columns, 3), in place."""
    is_power = settings.colour_map == "power"
    values = colour.power if is_power else colour.phase / np.float32(np.pi)
    variance = colour.variance[colour.shown] if settings.colour_map == "variance" else None
    rgb = coloured(
        values[colour.shown], settings.colour_map, shift=settings.baseline_shift, variance=variance
    )
    if settings.box_style == "tinted":
        tinted = np.rint(echoes[:, colour.box] * np.asarray(BOX_TINT, np.float32))
        echoes[:, colour.box] = np.clip(tinted, 0, 255).astype(np.uint8)
    opacity = np.float32(settings.colour_opacity)
    mixed = opacity * rgb + (1 - opacity) * echoes[colour.shown]
    echoes[colour.shown] = np.rint(mixed).astype(np.uint8)


def _box_edges(probe: Probe, box: ColourBox, left: int, top: int) -> list[NDArray[np.float64]]:
    """Return the upper, right, lower and left edge of the colour box, clockwise.

    Each has the shape (`EDGE_POINTS`, 2) with column and row on the screen.
    """

    def pixels(u: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = probe.to_pixels(u + box.lateral_shift(d), d)
        return np.column_stack([np.asarray(x) + left, np.asarray(y) + top])

    across = np.linspace(box.first, box.last, EDGE_POINTS)
    along = np.linspace(box.top, box.bottom, EDGE_POINTS)
    return [
        pixels(across, np.full(EDGE_POINTS, box.top)),
        pixels(np.full(EDGE_POINTS, box.last), along),
        pixels(across[::-1], np.full(EDGE_POINTS, box.bottom)),
        pixels(np.full(EDGE_POINTS, box.first), along[::-1]),
    ]


def _true_vessel(vessel: VesselShape, probe: Probe, left: int, top: int) -> TrueVessel:
    x, y = probe.to_pixels(*probe.beam(*np.asarray(vessel.path).T))
    return TrueVessel(
        x_px=tuple((x + left).tolist()),
        y_px=tuple((y + top).tolist()),
        radius_mm=vessel.radius,
        velocity_cm_s=vessel.velocity,
    )


def through_jpeg(frame: ByteImage, quality: int) -> ByteImage:
    """Return a frame, grey or RGB, after JPEG compression."""
    is_grey = frame.ndim == 2
    bgr = frame if is_grey else frame[..., ::-1]
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flag = cv2.IMREAD_GRAYSCALE if is_grey else cv2.IMREAD_COLOR
    decoded = np.asarray(cv2.imdecode(data, flag), dtype=np.uint8)
    return decoded if is_grey else decoded[..., ::-1]
