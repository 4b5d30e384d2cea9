"""What the loader and the preparation understand of a scan, in words and as a picture; nothing is analysed."""

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
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, Frame
from usmicro.model.scan import Scan, Spacing
from usmicro.model.view import View
from usmicro.preparation import prepare
from usmicro.settings import Settings
from usmicro.writing.overlays import (
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

RAYS = 9
FLOW = ((0, 90, 220), (235, 235, 235), (230, 120, 0))
"""Colours of flow away from the transducer at the limit, of none, and of flow towards it."""


@dataclass(frozen=True)
class Inspection:
    """A scan, its first frame and what the stages would see of it."""

    scan: Scan
    frame: Frame
    frames: int
    """Frames that could be read."""
    views: list[View]
    problem: str = ""
    """Why there are no views."""


def inspect(path: Path, settings: Settings | None = None) -> Inspection:
    """Load a scan, count its frames and prepare the first.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    settings = settings or Settings()
    scan = load(path, settings=settings.loading)
    frames = scan.frames()
    first = next(frames, None)
    if first is None:
        raise ScanError(f"{path}: holds no frame")
    count = 1 + sum(1 for _ in frames)
    try:
        return Inspection(
            scan,
            first,
            count,
            prepare(
                first, spacing=scan.spacing, regions=scan.regions, settings=settings.preparation
            ),
        )
    except ImageError as error:
        return Inspection(scan, first, count, [], str(error))


def describe(inspection: Inspection) -> list[str]:
    """Lines for a person: frames, size, spacing, regions, geometry, tissue, colour, overlays, decoder, notes."""
    scan, frame = inspection.scan, inspection.frame
    promised = (
        "" if scan.declared_frames == inspection.frames else f" of {scan.declared_frames} promised"
    )
    kind = "grey" if frame.ndim == 2 else "RGB"
    lines = [
        _line("file", scan.name.encode("utf-8", "backslashreplace").decode()),
        _line("frames", f"{inspection.frames}{promised}"),
        _line(
            "size",
            f"{scan.rows} rows x {scan.columns} columns, {kind}, {frame.dtype.itemsize * 8} bit",
        ),
        _line("spacing", _spacing(scan.spacing)),
        _line("decoder", scan.decoder),
    ]
    for region in scan.regions:
        own = f", {_spacing(region.spacing)}" if region.spacing.known else ""
        lines.append(
            _line(
                "region",
                f"{region.kind}: columns {region.left} to {region.right - 1}, rows {region.top} to {region.bottom - 1}{own}",
            )
        )
    for view in inspection.views:
        lines += _view_lines(view)
    if inspection.problem:
        lines.append(_line("problem", inspection.problem))
    notes = dict.fromkeys(chain(scan.notes, *(view.notes for view in inspection.views)))
    return lines + [_line("note", note) for note in notes]


def _view_lines(view: View) -> list[str]:
    unit = "mm" if view.grid.spacing.known else "mm (assumed)"
    rows, columns = np.nonzero(view.tissue)
    depth = float(view.scan_lines.depth(columns, rows).max()) * view.grid.pixel_mm
    area = (
        f", {view.tissue.sum() * view.grid.pixel_mm**2 / 100:.1f} cm2"
        if view.grid.spacing.known
        else ""
    )
    corners = (
        *view.grid.to_image(columns.min(), rows.min()),
        *view.grid.to_image(columns.max(), rows.max()),
    )
    left, top, right, bottom = (round(float(value)) for value in corners)
    across, along = (size * view.grid.pixel_mm for size in view.speckle_size)
    lines = [
        _line("tissue", f"columns {left} to {right}, rows {top} to {bottom}{area}"),
        _line("  geometry", f"{view.scan_lines.geometry}, depth {depth:.0f} {unit}"),
        _line("  spacing", _spacing(view.grid.spacing)),
        _line("  speckle cell", f"{across:.2f} across x {along:.2f} {unit} along the beam"),
        _line(
            "  overlays",
            f"{100 * (view.graphics & view.tissue).sum() / view.tissue.sum():.1f} % of the tissue",
        ),
    ]
    if (colour := view.colour) is not None:
        box, flow = (
            100 * (mask & view.tissue).sum() / view.tissue.sum()
            for mask in (colour.box, colour.mask)
        )
        bar = (
            "no colour bar found"
            if colour.bar is None
            else f"{colour.bar.kind} bar of {len(colour.bar.colours)} colours"
        )
        lines.append(
            _line(
                "  colour flow",
                f"box {box:.0f} %, flow {flow:.1f} % of the tissue; {bar}{', power Doppler' if colour.power else ''}",
            )
        )
    return lines


def draw_views(inspection: Inspection) -> ByteImage:
    """Draw on the first frame: tissue outline (green), overlays (orange), beams (blue), colour box (purple), colour bar (yellow).

    Where it shows colour flow, a second picture to the right has what the colours mean: the velocity as a fraction of the limit, from
    blue (away from the transducer) to orange (towards it), or the power. The surer a colour was matched, the less grey shows through.

    Returns
    -------
    array, shape (rows, columns, 3), uint8 RGB
    """
    shape = inspection.frame.shape[:2]
    seen = np.zeros(shape, bool)
    for view in inspection.views:
        seen |= _in_image(view, view.tissue, shape)
    picture = rgb_of(inspection.frame)
    if inspection.views:
        picture[~seen] = _unreadable(picture)[~seen]
    picture, scale = enlarge(picture)
    pen = Pen(picture, unit=max(1.0, picture.shape[1] / 1000))
    for view in inspection.views:
        outline(pen, _in_image(view, view.tissue, shape), scale, GREEN)
        outline(pen, _in_image(view, view.graphics, shape), scale, ORANGE)
        for ray in _rays(view):
            pen.line(
                [
                    scaled(point, scale)
                    for point in zip(*view.grid.to_image(ray[:, 0], ray[:, 1]), strict=True)
                ],
                SKY_BLUE,
            )
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
    return np.hstack([picture, _draw_flow(flows, inspection.frame, seen)]) if flows else picture


def _draw_flow(views: list[View], frame: Frame, seen: BoolImage) -> ByteImage:
    """The grey tissue with the flow of some views in the colours of FLOW, and their scale."""
    grey = cv2.cvtColor(rgb_of(frame), cv2.COLOR_RGB2GRAY) // 2 * seen
    picture = np.repeat(grey[..., None], 3, axis=2)
    power = False
    for view in views:
        assert view.colour is not None
        power |= view.colour.power
        fraction, quality = velocity(view.colour)
        shift_x, shift_y = view.grid.to_image(0.0, 0.0)
        to_image = np.array([[view.grid.step_x, 0, shift_x], [0, view.grid.step_y, shift_y]])
        layers = [np.nan_to_num(fraction), quality, view.colour.mask.astype(np.float32)]
        value, sure, shown = (
            cv2.warpAffine(part, to_image, picture.shape[1::-1], flags=cv2.INTER_NEAREST)
            for part in layers
        )
        opacity = (shown * sure)[..., None]
        picture = np.rint(picture * (1 - opacity) + flow_colours(value) * opacity).astype(np.uint8)
    picture, _ = enlarge(picture)
    pen = Pen(picture, unit=max(1.0, picture.shape[1] / 1000))
    width, height = pen.extent("away -1   0   1 towards")
    bar = flow_colours(
        np.tile(np.linspace(0 if power else -1, 1, width, dtype=np.float32), (height, 1))
    )
    left, bottom = round(8 * pen.unit), picture.shape[0] - round(8 * pen.unit)
    picture[max(bottom - height, 0) : bottom, left : left + width] = bar[
        :, : picture.shape[1] - left
    ]
    pen.text(
        "power 0 to 1" if power else "away -1   0   1 towards",
        left,
        bottom - height - 4 * pen.unit,
        WHITE,
    )
    return picture


def flow_colours(value: FloatImage) -> FloatImage:
    """Colours of velocities as fractions of the limit, told apart by any eye: shape (..., 3), 0 to 255."""
    at = np.clip(value, -1, 1)[..., None]
    end = np.where(at < 0, np.array(FLOW[0], np.float32), np.array(FLOW[2], np.float32))
    return np.asarray(
        np.array(FLOW[1], np.float32) * (1 - np.abs(at)) + end * np.abs(at), dtype=np.float32
    )


def _unreadable(picture: ByteImage) -> ByteImage:
    """Dimmed and in coarse blocks: one sees that something is there, but not the name that a header shows."""
    rows, columns = picture.shape[:2]
    block = max(16, rows // 30)
    coarse = cv2.resize(
        picture, (max(1, columns // block), max(1, rows // block)), interpolation=cv2.INTER_AREA
    )
    return np.asarray(
        cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_NEAREST) // 2, dtype=np.uint8
    )


def _rays(view: View) -> list[NDArray[np.float64]]:
    """Some beams, each as grid positions (n, 2) from the transducer face to the end of the tissue."""
    rows, columns = np.nonzero(view.tissue)
    deepest = float(view.scan_lines.depth(columns, rows).max())
    if view.scan_lines.geometry == "linear":
        starts = np.linspace(columns.min(), columns.max(), RAYS + 2)[1:-1]
        return [
            np.array([[x, view.scan_lines.face], [x, view.scan_lines.face + deepest]])
            for x in starts
        ]
    angles = np.arctan2(columns - view.scan_lines.apex_x, rows - view.scan_lines.apex_y)
    ends = np.array([view.scan_lines.face, view.scan_lines.face + deepest])
    apex = np.array([view.scan_lines.apex_x, view.scan_lines.apex_y])
    chosen = np.linspace(angles.min(), angles.max(), RAYS + 2)[1:-1]
    return [apex + ends[:, None] * np.array([np.sin(angle), np.cos(angle)]) for angle in chosen]


def _in_image(view: View, mask: BoolImage, shape: tuple[int, ...]) -> BoolImage:
    """A mask of the grid in pixels of the input image."""
    shift_x, shift_y = view.grid.to_image(0.0, 0.0)
    to_image = np.array([[view.grid.step_x, 0, shift_x], [0, view.grid.step_y, shift_y]])
    return np.asarray(
        cv2.warpAffine(
            mask.astype(np.uint8), to_image, (shape[1], shape[0]), flags=cv2.INTER_NEAREST
        )
        > 0
    )


def _spacing(spacing: Spacing) -> str:
    if not spacing.known:
        return "unknown"
    return f"{spacing.x_mm:.4g} x {spacing.y_mm:.4g} mm (x, y), from: {spacing.source}"


def _line(what: str, words: str) -> str:
    return f"{what:<16}{words}"
