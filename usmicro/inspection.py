"""Inspection: what loading and preparation find in a scan, as text and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.doppler.velocity import velocity
from usmicro.errors import ImageError, ScanError
from usmicro.loading import load
from usmicro.loading.spacing import checked_spacing
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, Frame
from usmicro.model.scan import Device, Scan, Spacing
from usmicro.model.view import View
from usmicro.preparation import prepare
from usmicro.settings import Settings
from usmicro.writing.drawing import (
    GREEN,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    WHITE,
    YELLOW,
    Pen,
    enlarge,
    outline,
    rgb_of,
    scaled,
)

DRAWN_SCAN_LINES = 9
"""Number of scan lines that are drawn. Chosen by eye on the sample scans."""
VELOCITY_COLOURS = ((0, 90, 220), (235, 235, 235), (230, 120, 0))
"""RGB colours of flow away from the transducer at the velocity limit, of no flow, and of flow
towards the transducer at the limit: blue and orange, which people with any colour vision can tell
apart. Chosen by eye."""
BLOCKS, LEAST_BLOCK = 30, 16
"""Pixels outside the tissue are averaged over blocks: this many in the height of the picture, each
of at least 16 pixels, so that names in a header cannot be read. Chosen by eye on the sample
scans."""
LINE_UNITS = 1000
"""The width of the picture in widths of a drawn line. Chosen by eye."""
BAR_MARGIN, TEXT_GAP = 8, 4
"""Distance of the velocity scale from the corner of the picture and from its text, in widths of a
drawn line. Chosen by eye."""
VELOCITY_TEXT, POWER_TEXT = "away -1   0   1 towards", "power 0 to 1"


@dataclass(frozen=True)
class Inspection:
    """A scan, its first frame and the views of that frame."""

    scan: Scan
    frame: Frame
    """First frame."""
    frames: int
    """Number of frames that could be read."""
    views: list[View]
    """Views of the first frame; empty if it cannot be prepared."""
    problem: str = ""
    """Reason why there are no views; otherwise empty."""


def inspect(
    path: Path, settings: Settings | None = None, *, spacing_mm: float | None = None
) -> Inspection:
    """Load a scan, count its frames and prepare the first one.

    Parameters
    ----------
    path : path
    settings : Settings, optional
    spacing_mm : float, optional
        Pixel spacing in mm, for a file that has none.

    Raises
    ------
    ScanError
        If the file cannot be read.
    UsageError
        If `spacing_mm` is not positive.
    """
    settings = settings or Settings()
    given = None if spacing_mm is None else checked_spacing(spacing_mm, spacing_mm, "--spacing")
    scan = load(path, spacing=given, settings=settings.loading)
    frames = scan.frames()
    first = next(frames, None)
    if first is None:
        raise ScanError(f"{path}: holds no frame; expected at least one")
    count = 1 + sum(1 for _ in frames)
    try:
        views = prepare(
            first, spacing=scan.spacing, regions=scan.regions, settings=settings.preparation
        )
    except ImageError as error:
        return Inspection(scan, first, count, [], str(error))
    return Inspection(scan, first, count, views)


def describe(inspection: Inspection) -> list[str]:
    """Return lines of text on file, frames, regions, tissue, scan geometry, colour and notes."""
    scan, frame = inspection.scan, inspection.frame
    declared = (
        "" if scan.declared_frames == inspection.frames else f" of {scan.declared_frames} declared"
    )
    kind = "grey" if frame.ndim == 2 else "RGB"
    lines = [
        _line("file", scan.name.encode("utf-8", "backslashreplace").decode()),
        _line("frames", f"{inspection.frames}{declared}"),
        _line(
            "size",
            f"{scan.rows} rows x {scan.columns} columns, {kind}, {frame.dtype.itemsize * 8} bit",
        ),
        _line("spacing", _spacing(scan.spacing)),
        *([_line("device", device)] if (device := _device(scan.device)) else []),
        _line("decoder", scan.decoder),
    ]
    for region in scan.regions:
        columns = f"columns {region.left} to {region.right - 1}"
        rows = f"rows {region.top} to {region.bottom - 1}"
        spacing = f", {_spacing(region.spacing)}" if region.spacing.known else ""
        lines.append(_line("region", f"{region.kind}: {columns}, {rows}{spacing}"))
    for view in inspection.views:
        lines += _view_lines(view)
    if inspection.problem:
        lines.append(_line("problem", inspection.problem))
    warnings = dict.fromkeys(chain(scan.warnings, *(view.warnings for view in inspection.views)))
    lines += [_line("warning", str(warning)) for warning in warnings]
    notes = dict.fromkeys(chain(scan.notes, *(view.notes for view in inspection.views)))
    return lines + [_line("note", note) for note in notes]


def _view_lines(view: View) -> list[str]:
    """Return the lines of text on one view."""
    pixel_mm, known = view.grid.pixel_mm, view.grid.spacing.known
    unit = "mm" if known else "mm (assumed)"
    rows, columns = np.nonzero(view.tissue)
    depth = float(view.scan_lines.depth(columns, rows).max()) * pixel_mm
    area = f", {view.tissue.sum() * pixel_mm**2 / 100:.1f} cm2" if known else ""
    corners = (
        *view.grid.to_image(columns.min(), rows.min()),
        *view.grid.to_image(columns.max(), rows.max()),
    )
    left, top, right, bottom = (round(float(value)) for value in corners)
    across, along = (size * pixel_mm for size in view.speckle_size)
    speckle = f"{across:.2f} across x {along:.2f} {unit} along the scan lines"
    lines = [
        _line("tissue", f"columns {left} to {right}, rows {top} to {bottom}{area}"),
        _line("  geometry", f"{view.scan_lines.geometry}, depth {depth:.0f} {unit}"),
        _line("  spacing", _spacing(view.grid.spacing)),
        _line("  speckle size", speckle),
        _line("  graphics", f"{_percent_of_tissue(view.graphics, view):.1f} % of the tissue"),
    ]
    if (colour := view.colour) is not None:
        box, flow = (_percent_of_tissue(mask, view) for mask in (colour.box, colour.mask))
        bar = "no colour bar found"
        if colour.bar is not None:
            bar = f"{colour.bar.kind} bar of {len(colour.bar.colours)} colours"
        power = ", power Doppler" if colour.power else ""
        text = f"box {box:.0f} %, flow {flow:.1f} % of the tissue; {bar}{power}"
        lines.append(_line("  colour flow", text))
    return lines


def _percent_of_tissue(mask: BoolImage, view: View) -> float:
    return float(100 * (mask & view.tissue).sum() / view.tissue.sum())


def draw_views(inspection: Inspection) -> ByteImage:
    """Draw the views on the first frame.

    Colours: outline of the tissue green, burned-in graphics orange, scan lines blue, colour box
    purple, colour bar yellow. If the frame shows colour flow, a second picture to the right shows
    its velocity as a fraction of the limit, from blue (away from the transducer) to orange
    (towards it), or its power. The more closely a colour matches the bar, the less grey shows
    through.

    Returns
    -------
    array, shape (rows, columns, 3), uint8 RGB
    """
    shape = inspection.frame.shape[:2]
    shown = np.zeros(shape, bool)
    for view in inspection.views:
        shown |= _in_image(view, view.tissue, shape)
    picture = rgb_of(inspection.frame)
    if inspection.views:
        picture[~shown] = _unreadable(picture)[~shown]
    picture, scale = enlarge(picture)
    pen = Pen(picture, unit=max(1.0, picture.shape[1] / LINE_UNITS))
    for view in inspection.views:
        outline(pen, _in_image(view, view.tissue, shape), scale, GREEN)
        outline(pen, _in_image(view, view.graphics, shape), scale, ORANGE)
        for line in _scan_lines(view):
            points = zip(*view.grid.to_image(line[:, 0], line[:, 1]), strict=True)
            pen.line([scaled(point, scale) for point in points], SKY_BLUE)
        if view.colour is not None:
            outline(pen, _in_image(view, view.colour.box, shape), scale, PURPLE)
            if view.colour.bar is not None:
                left, top, right, bottom = view.colour.bar.box
                corners = [
                    (left, top),
                    (right - 1, top),
                    (right - 1, bottom - 1),
                    (left, bottom - 1),
                ]
                pen.line([scaled(corner, scale) for corner in corners], YELLOW, closed=True)
    flows = [
        view for view in inspection.views if view.colour is not None and view.colour.mask.any()
    ]
    return np.hstack([picture, _draw_flow(flows, inspection.frame, shown)]) if flows else picture


def _draw_flow(views: list[View], frame: Frame, shown: BoolImage) -> ByteImage:
    """Draw the flow of some views in VELOCITY_COLOURS on the dimmed grey tissue, with a scale.

    `shown` is the tissue of all views, shape (rows, columns); the result has the shape
    (rows, columns, 3), uint8 RGB.
    """
    grey = cv2.cvtColor(rgb_of(frame), cv2.COLOR_RGB2GRAY) // 2 * shown
    picture = np.repeat(grey[..., None], 3, axis=2)
    power = False
    for view in views:
        assert view.colour is not None
        power |= view.colour.power
        fraction, quality = velocity(view.colour)
        layers = [np.nan_to_num(fraction), quality, view.colour.mask.astype(np.float32)]
        value, match, has_flow = (_resampled(layer, view, picture.shape) for layer in layers)
        opacity = (has_flow * match)[..., None]
        flow = velocity_colours(value)
        picture = np.rint(picture * (1 - opacity) + flow * opacity).astype(np.uint8)
    picture, _ = enlarge(picture)
    pen = Pen(picture, unit=max(1.0, picture.shape[1] / LINE_UNITS))
    width, height = pen.extent(VELOCITY_TEXT)
    values = np.linspace(0 if power else -1, 1, width, dtype=np.float32)
    bar = velocity_colours(np.tile(values, (height, 1)))
    left = round(BAR_MARGIN * pen.unit)
    bottom = picture.shape[0] - left
    bar = bar[:, : picture.shape[1] - left]
    picture[max(bottom - height, 0) : bottom, left : left + width] = bar
    text = POWER_TEXT if power else VELOCITY_TEXT
    pen.text(text, left, bottom - height - TEXT_GAP * pen.unit, WHITE)
    return picture


def velocity_colours(value: FloatImage) -> FloatImage:
    """Return the colours of velocities.

    Parameters
    ----------
    value : array, shape (...), float32
        Velocity as a fraction of the limit, negative away from the transducer.

    Returns
    -------
    array, shape (..., 3), float32
        RGB, 0 to 255, interpolated between VELOCITY_COLOURS.
    """
    away, none, towards = (np.array(colour, np.float32) for colour in VELOCITY_COLOURS)
    fraction = np.clip(value, -1, 1)[..., None]
    end = np.where(fraction < 0, away, towards)
    return np.asarray(none * (1 - np.abs(fraction)) + end * np.abs(fraction), dtype=np.float32)


def _unreadable(picture: ByteImage) -> ByteImage:
    """Dim a picture and average it over blocks, so that text in it cannot be read."""
    rows, columns = picture.shape[:2]
    block = max(LEAST_BLOCK, rows // BLOCKS)
    blocks = (max(1, columns // block), max(1, rows // block))
    averaged = cv2.resize(picture, blocks, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(averaged, (columns, rows), interpolation=cv2.INTER_NEAREST)
    return np.asarray(enlarged // 2, dtype=np.uint8)


def _scan_lines(view: View) -> list[NDArray[np.float64]]:
    """Return scan lines from the transducer face to the end of the tissue.

    They are spread evenly over the tissue; each is an array of two (x, y) positions in grid
    pixels, shape (2, 2).
    """
    rows, columns = np.nonzero(view.tissue)
    geometry = view.scan_lines
    deepest = float(geometry.depth(columns, rows).max())
    if geometry.geometry == "linear":
        starts = np.linspace(columns.min(), columns.max(), DRAWN_SCAN_LINES + 2)[1:-1]
        return [np.array([[x, geometry.face], [x, geometry.face + deepest]]) for x in starts]
    angles = np.arctan2(columns - geometry.apex_x, rows - geometry.apex_y)
    ends = np.array([geometry.face, geometry.face + deepest])
    apex = np.array([geometry.apex_x, geometry.apex_y])
    drawn = np.linspace(angles.min(), angles.max(), DRAWN_SCAN_LINES + 2)[1:-1]
    return [apex + ends[:, None] * np.array([np.sin(angle), np.cos(angle)]) for angle in drawn]


def _resampled(layer: FloatImage | ByteImage, view: View, shape: tuple[int, ...]) -> FloatImage:
    """Resample an array of the grid to the input image, shape (rows, columns, ...)."""
    size = (shape[1], shape[0])
    return np.asarray(cv2.warpAffine(layer, view.grid.image_matrix, size, flags=cv2.INTER_NEAREST))


def _in_image(view: View, mask: BoolImage, shape: tuple[int, ...]) -> BoolImage:
    """Resample a mask of the grid to the input image."""
    return np.asarray(_resampled(mask.astype(np.uint8), view, shape) > 0)


def _device(device: Device) -> str:
    return ", ".join(
        text for text in (device.manufacturer, device.model, device.transducer) if text
    )


def _spacing(spacing: Spacing) -> str:
    if not spacing.known:
        shape = (
            ""
            if spacing.aspect is None
            else f", a pixel is {spacing.aspect:.4g} times as high as wide"
        )
        return f"{'rejected' if spacing.source == 'rejected' else 'unknown'}{shape}"
    return f"{spacing.x_mm:.4g} x {spacing.y_mm:.4g} mm (x, y), from: {spacing.source}"


def _line(name: str, text: str) -> str:
    return f"{name:<16}{text}"
