"""From pictures of tissue to what a scanner shows and stores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

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
from usmicro.phantom.scan_conversion import Probe
from usmicro.phantom.scene import Scene
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.truth import TrueColour, TrueVessel, Truth

TINT = (0.925, 0.978, 1.083)
"""Red, green and blue of the blue-grey tint over grey."""
BOX_TINT = (1.12, 0.98, 0.86)
"""The same of the sepia that some scanners lay over the echoes in the colour box."""
GAP = 6
"""Black columns between two tissue regions."""


@dataclass(frozen=True)
class Panel:
    """One tissue region before it is put on a screen: pictures and truth of its own."""

    probe: Probe
    scene: Scene
    grey: ByteImage
    """(frames, rows, columns)"""
    truth: Truth
    colour: ColourFrames | None = None


def compose(
    panels: list[Panel], settings: PhantomSettings, seed: int
) -> tuple[ByteImage, Truth, tuple[Region, ...]]:
    """Frames as they are stored, their truth, and the regions that a DICOM file would declare."""
    count = panels[0].grey.shape[0]
    header = 56 if settings.screen else 0
    left = 62 if settings.screen or (settings.colour and settings.colour_bar == "left") else 0
    beside = settings.screen or (settings.colour and settings.colour_bar == "right")
    right = 64 if beside else 34 if settings.ruler else 0
    below = (
        56 if settings.colour and settings.colour_bar == "lying" else 30 if settings.screen else 0
    )
    columns = left + sum(panel.grey.shape[2] for panel in panels) + GAP * (len(panels) - 1) + right
    rows = header + max(panel.grey.shape[1] for panel in panels) + below
    screen = np.zeros((count, rows, columns), np.uint8)
    truths, corner = [], left
    for number, panel in enumerate(panels):
        height, width = panel.grey.shape[1:]
        screen[:, header : header + height, corner : corner + width] = panel.grey
        truths.append(placed(panel.truth, corner, header, rows, columns, number))
        corner += width + GAP
    truth = merged(truths)
    ink = Ink.blank(rows, columns)
    draw_interface(ink, truth, panels[0].probe, settings, seed, header, columns - right)

    frames: ByteImage = screen
    regions = [
        Region(
            "tissue",
            v.left,
            v.top,
            v.right,
            v.bottom,
            Spacing(v.spacing_mm, v.spacing_mm, "region"),
        )
        for v in truth.views
    ]
    if settings.tint or settings.colour or not ink.is_grey:
        frames = np.repeat(screen[..., None], 3, axis=3)
    if settings.tint:
        frames = np.clip(np.rint(frames * np.asarray(TINT, np.float32)), 0, 255).astype(np.uint8)
    colour = panels[0].colour
    if colour is not None and panels[0].scene.box is not None:
        bar = draw_colour_bar(ink, settings, truth, columns - right)
        true_colour, region = lay_colour(
            frames, ink, panels[0], colour, bar, settings, left, header
        )
        truth = replace(truth, colour=true_colour)
        regions += [region, *([] if bar is None else [Region("colour bar", *bar)])]
    frames = np.stack([ink.over(frame) for frame in frames])
    if settings.jpeg_quality:
        frames = np.stack([through_jpeg(frame, settings.jpeg_quality) for frame in frames])
    return frames, replace(truth, overlay=ink.mask), tuple(regions)


def draw_interface(
    ink: Ink,
    truth: Truth,
    probe: Probe,
    settings: PhantomSettings,
    seed: int,
    header: int,
    right: int,
) -> None:
    """Header, ruler, grey bar, calipers, text and body mark."""
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
        ink.text(
            "RT BREAST 10H", view.left + 0.55 * (view.right - view.left), view.bottom - 40, size=0.5
        )
    if settings.screen and settings.body_mark:
        draw_body_mark(ink, 34, rows - 60)


def draw_colour_bar(
    ink: Ink, settings: PhantomSettings, truth: Truth, right: int
) -> tuple[int, int, int, int] | None:
    """The colour bar with its limits beside or below the picture; left, top, right and bottom of it, None where there is none."""
    if settings.colour_bar == "none":
        return None
    limit, shift = settings.velocity_limit, settings.baseline_shift
    high, low = (
        ("MAX", "MIN")
        if settings.colour_map == "power"
        else (f"+{(1 + shift) * limit:.1f}", f"-{(1 - shift) * limit:.1f}")
    )
    colours = bar_colours(settings.colour_map, 140, 16, shift=shift)
    view = truth.views[0]
    if settings.colour_bar == "lying":  # flow towards the transducer to the right
        left, top = view.left + 60, view.bottom + 12
        ink.paint(left, top, np.ascontiguousarray(colours[::-1].transpose(1, 0, 2)))
        ink.text(low, left - 44, top + 12, size=0.4)
        ink.text(
            high if settings.colour_map == "power" else f"{high} cm/s",
            left + 146,
            top + 12,
            size=0.4,
        )
        return left, top, left + 140, top + 16
    left, top = (18 if settings.colour_bar == "left" else right + 32), view.top + 34
    ink.paint(left, top, colours)
    ink.text(high, left - 10, top - 8, size=0.4)
    ink.text(low, left - 10, top + 158, size=0.4)
    if settings.colour_map != "power":
        ink.text("cm/s", left - 10, top + 174, size=0.4)
    return left, top, left + 16, top + 140


def lay_colour(
    frames: ByteImage,
    ink: Ink,
    panel: Panel,
    colour: ColourFrames,
    bar: tuple[int, int, int, int] | None,
    settings: PhantomSettings,
    left: int,
    top: int,
) -> tuple[TrueColour, Region]:
    """Draw the colour data on the frames and the outline of the box on the ink; their truth and region."""
    box = panel.scene.box
    assert box is not None
    power = settings.colour_map == "power"
    count, rows, columns = frames.shape[:3]
    height, width = panel.grey.shape[1:]
    shown = np.zeros((count, rows, columns), np.bool_)
    velocity = np.zeros((count, rows, columns), np.float32)
    inside = (slice(None), slice(top, top + height), slice(left, left + width))
    shown[inside] = colour.shown
    velocity[inside] = colour.phase / np.float32(np.pi) * np.float32(settings.velocity_limit)
    values = colour.power if power else colour.phase / np.float32(np.pi)
    variance = colour.variance[colour.shown] if settings.colour_map == "variance" else None
    rgb = coloured(
        values[colour.shown], settings.colour_map, shift=settings.baseline_shift, variance=variance
    )
    echoes, opacity = frames[inside], np.float32(settings.colour_opacity)
    if settings.box_style == "tinted":
        echoes[:, colour.box] = np.clip(
            np.rint(echoes[:, colour.box] * np.asarray(BOX_TINT, np.float32)), 0, 255
        ).astype(np.uint8)
    echoes[colour.shown] = np.rint(opacity * rgb + (1 - opacity) * echoes[colour.shown]).astype(
        np.uint8
    )

    def pixels(u: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = panel.probe.to_pixels(u + box.lateral_shift(d), d)
        return np.column_stack([np.asarray(x) + left, np.asarray(y) + top])

    across, along = np.linspace(box.first, box.last, 30), np.linspace(box.top, box.bottom, 30)
    edges = [
        pixels(across, np.full(30, box.top)),
        pixels(np.full(30, box.last), along),
        pixels(across[::-1], np.full(30, box.bottom)),
        pixels(np.full(30, box.first), along[::-1]),
    ]
    if settings.box_style == "outline":
        ink.line(np.concatenate(edges), closed=True)
    corners = tuple((float(edge[0, 0]), float(edge[0, 1])) for edge in edges)
    vessels = []
    for vessel in panel.scene.vessels:
        x, y = panel.probe.to_pixels(*panel.probe.beam(*np.asarray(vessel.path).T))
        vessels.append(
            TrueVessel(
                x_px=tuple((x + left).tolist()),
                y_px=tuple((y + top).tolist()),
                radius_mm=vessel.radius,
                velocity_cm_s=vessel.velocity,
            )
        )
    truth = TrueColour(
        colour_map=settings.colour_map,
        power=power,
        velocity_limit_cm_s=settings.velocity_limit,
        box_px=corners,
        bar_px=bar,
        vessels=tuple(vessels),
        flash_frames=colour.flash_frames,
        shown=shown & ~ink.mask,
        velocity=np.where(ink.mask, 0, velocity),
    )
    y, x = np.nonzero(colour.box)
    spacing = Spacing(settings.spacing, settings.spacing, "region")
    region = Region(
        "colour flow",
        left + int(x.min()),
        top + int(y.min()),
        left + int(x.max()) + 1,
        top + int(y.max()) + 1,
        spacing,
    )
    return truth, region


def through_jpeg(frame: ByteImage, quality: int) -> ByteImage:
    """A frame after JPEG compression."""
    channels = frame if frame.ndim == 2 else frame[..., ::-1]
    _, data = cv2.imencode(".jpg", channels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = np.asarray(
        cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if frame.ndim == 2 else cv2.IMREAD_COLOR),
        dtype=np.uint8,
    )
    return back if frame.ndim == 2 else back[..., ::-1]


def placed(truth: Truth, left: int, top: int, rows: int, columns: int, number: int) -> Truth:
    """The truth of a panel on a screen of this size, with its corner at (left, top)."""

    def image(panel: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros((rows, columns), panel.dtype)
        out[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        return out

    view = truth.views[0]
    apex = None if view.apex_px is None else (view.apex_px[0] + left, view.apex_px[1] + top)
    face = view.face_px + top if view.geometry == "linear" else view.face_px
    return replace(
        truth,
        views=(
            replace(
                view,
                left=left,
                top=top,
                right=view.right + left,
                bottom=view.bottom + top,
                face_px=face,
                apex_px=apex,
            ),
        ),
        foci=tuple(
            replace(
                focus,
                x_px=tuple(x + left for x in focus.x_px),
                y_px=tuple(y + top for y in focus.y_px),
                view=number,
            )
            for focus in truth.foci
        ),
        masses=tuple(
            replace(mass, x_px=mass.x_px + left, y_px=mass.y_px + top, view=number)
            for mass in truth.masses
        ),
        mass_labels=image(truth.mass_labels),
        duct_labels=image(truth.duct_labels),
        nonmass=image(truth.nonmass),
        tissue=image(truth.tissue),
        overlay=image(truth.overlay),
    )


def merged(truths: list[Truth]) -> Truth:
    """One truth of several panels on one screen; masses and ducts are numbered on."""
    whole = truths[0]
    for truth in truths[1:]:
        masses, ducts = int(whole.mass_labels.max()), int(whole.duct_labels.max())
        whole = replace(
            whole,
            views=whole.views + truth.views,
            foci=whole.foci
            + tuple(
                replace(
                    focus,
                    mass=None if focus.mass is None else focus.mass + masses,
                    duct=None if focus.duct is None else focus.duct + ducts,
                )
                for focus in truth.foci
            ),
            masses=whole.masses
            + tuple(replace(mass, number=mass.number + masses) for mass in truth.masses),
            mass_labels=np.where(
                truth.mass_labels > 0, truth.mass_labels + masses, whole.mass_labels
            ).astype(np.int32),
            duct_labels=np.where(
                truth.duct_labels > 0, truth.duct_labels + ducts, whole.duct_labels
            ).astype(np.int32),
            nonmass=whole.nonmass | truth.nonmass,
            tissue=whole.tissue | truth.tissue,
        )
    return whole
