"""Views: from the frame of a scan to one View for each tissue region."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from usmicro.errors import ImageError
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, Frame
from usmicro.model.scan import Region, Spacing
from usmicro.model.view import ColourFlow, View
from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.colour.separation import ScreenColour, separate_colour
from usmicro.preparation.graphics.calipers import find_calipers
from usmicro.preparation.graphics.text import find_graphics
from usmicro.preparation.grid import (
    credible,
    grid_over,
    nominal_pixel_mm,
    on_grid,
    pixel_aspect,
    sampled,
    touched,
)
from usmicro.preparation.inpainting import inpainted
from usmicro.preparation.scan_area import ScanArea, Side, find_scan_areas
from usmicro.preparation.scan_lines import fit_scan_lines
from usmicro.preparation.speckle_size import measure_speckle_size
from usmicro.settings import PreparationSettings

USUAL_CELL = (5.0, 3.0)
"""Speckle cell in grid pixels, taken where none can be measured."""


def prepare(
    frame: Frame,
    *,
    spacing: Spacing = Spacing(),  # noqa: B008  (frozen)
    regions: Sequence[Region] = (),
    settings: PreparationSettings = PreparationSettings(),  # noqa: B008  (frozen)
    cache: ScreenCache | None = None,
) -> list[View]:
    """Prepare a frame for the stages: one View a tissue region, from left to right.

    Parameters
    ----------
    frame : array, shape (rows, columns) or (rows, columns, 3) RGB, uint8 or uint16
        Bright is echogenic.
    spacing : Spacing
        Of the whole frame; a tissue region that knows its own wins.
    regions : sequence of Region
        What the file declares about its screen; without any, tissue is found from the pixels alone.
    settings : PreparationSettings
    memory : ScreenCache, optional
        Of a cine whose frames come in order: what its screen shows all the time is found once.

    Returns
    -------
    list of View
        Never empty.

    Raises
    ------
    ImageError
        If the array is not a frame, or no tissue is found on it.
    """
    grey, luminance, colours = _grey_and_colours(frame)
    colour = None
    if colours is not None:
        shown = _tissue_regions(regions)
        flow_spacing = _spacing_in(shown[0], spacing) if shown else spacing
        colour = separate_colour(colours, regions, cache, aspect=pixel_aspect(flow_spacing))
    views: list[View] = []
    for area, own_spacing in _areas(grey, regions, spacing, cache):
        views.append(
            _view(
                grey,
                luminance,
                colours,
                colour,
                area,
                own_spacing,
                settings,
                cache,
                number=len(views),
            )
        )
    if not views:
        raise ImageError(
            f"no tissue found on a frame of {grey.shape[0]} x {grey.shape[1]} pixels (grey levels {grey.min()} to {grey.max()}); "
            "expected a B-mode scan: check that the image is not blank and not a worksheet"
        )
    return views


def _grey_and_colours(frame: Frame) -> tuple[ByteImage, Frame, ByteImage | None]:
    """Luminance as 8 bit and with all bits, and the RGB frame if it is one."""
    array = np.asarray(frame)
    if (
        array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] != 3)
        or array.dtype not in (np.uint8, np.uint16)
        or array.size == 0
    ):
        raise ImageError(
            f"expected a frame of shape (rows, columns) or (rows, columns, 3), uint8 or uint16; found shape {array.shape}, {array.dtype}"
        )
    array = np.ascontiguousarray(array)
    luminance = array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2GRAY)
    grey = luminance
    if array.dtype == np.uint16:
        grey, array = (
            np.round(values / np.float32(257)).astype(np.uint8) for values in (luminance, array)
        )
    return np.asarray(grey), np.asarray(luminance), array if array.ndim == 3 else None


def _areas(
    grey: ByteImage, regions: Sequence[Region], spacing: Spacing, cache: ScreenCache | None
) -> list[tuple[ScanArea, Spacing]]:
    """Scan areas with their spacing: inside each declared tissue region, else wherever they are found."""
    declared = _tissue_regions(regions)
    find = _find_areas if cache is None else cache.scan_areas
    if not declared:
        whole = (0, 0, grey.shape[1], grey.shape[0])
        areas = find(grey, whole, aspect=pixel_aspect(spacing), single=False)
        return [(area, spacing) for area in areas]
    found = []
    for region in declared:
        window = (slice(region.top, region.bottom), slice(region.left, region.right))
        box = (region.left, region.top, region.right, region.bottom)
        own_spacing = _spacing_in(region, spacing)
        for area in find(grey[window], box, aspect=pixel_aspect(own_spacing), single=True):
            mask = np.zeros(grey.shape, dtype=bool)
            mask[window] = area.mask
            left, top, right, bottom = area.box
            box = (left + region.left, top + region.top, right + region.left, bottom + region.top)
            found.append((ScanArea(mask, box, _moved(area.sides, region)), own_spacing))
    return found


def _tissue_regions(regions: Sequence[Region]) -> list[Region]:
    """Return the declared regions that show echoes, from left to right."""
    tissue = [region for region in regions if region.kind == "tissue"]
    flow = [region for region in regions if region.kind == "colour flow"]
    return sorted(tissue or flow, key=lambda region: (region.left, region.top))


def _spacing_in(region: Region, spacing: Spacing) -> Spacing:
    """Return the region's own spacing, or that of the frame where it has none."""
    return region.spacing if region.spacing.known else spacing


def _find_areas(
    grey: ByteImage, place: tuple[int, int, int, int], *, aspect: float, single: bool
) -> list[ScanArea]:
    return find_scan_areas(grey, aspect=aspect, single=single)


def _moved(sides: tuple[Side, Side] | None, region: Region) -> tuple[Side, Side] | None:
    """Sides found in a region, on the frame."""
    if sides is None:
        return None
    left, right = (
        Side(side.offset + region.left - side.slope * region.top, side.slope) for side in sides
    )
    return left, right


def _levels(luminance: Frame) -> FloatImage:
    """Grey levels, 0 to 255, with all bits."""
    levels = luminance.astype(np.float32)
    return levels / np.float32(257) if luminance.dtype == np.uint16 else levels


def _view(
    grey: ByteImage,
    luminance: Frame,
    colours: ByteImage | None,
    colour: ScreenColour | None,
    area: ScanArea,
    spacing: Spacing,
    settings: PreparationSettings,
    cache: ScreenCache | None,
    *,
    number: int,
) -> View:
    """One scan area on its grid."""
    left, top, right, bottom = area.box
    spacing, notes = credible(spacing, right - left, bottom - top)
    nominal = nominal_pixel_mm(right - left, bottom - top, sector=area.sides is not None)
    if not spacing.known:
        notes = (
            *notes,
            f"spacing unknown: scales rest on an estimate of {nominal:.3f} mm a pixel, and nothing is given in mm",
        )
    grid, shape = grid_over(area.box, spacing, nominal, settings.grid_mm)
    window = (slice(top, bottom), slice(left, right))
    # lone colour pixels are as sharp as graphics
    shown = area.mask[window] if colour is None else area.mask[window] & ~colour.mask[window]

    def graphics_now() -> BoolImage:
        return find_graphics(
            grey[window], shown, _marks(grey[window], area.mask[window], cache, number)
        )

    graphics = (
        graphics_now() if cache is None else cache.graphics_on(number, grey[window], graphics_now)
    )
    if colour is not None:
        graphics = (graphics & ~colour.mask[window]) | colour.interface[window]
    tissue = sampled(area.mask, grid, shape)
    overlay = touched(graphics, grid, shape) & tissue
    flow = None
    if colour is not None and colours is not None and colour.box[window].any():
        flow = ColourFlow(
            rgb=sampled(colours, grid, shape),
            mask=sampled(colour.mask, grid, shape) & tissue & ~overlay,
            box=sampled(colour.box, grid, shape) & tissue,
            bar=colour.bar,
            power=colour.power,
            contaminated=touched(colour.contaminated[window], grid, shape) & tissue,
        )
    hidden = overlay if flow is None else overlay | flow.hidden
    image = inpainted(on_grid(_levels(luminance[window]), grid, shape), hidden)
    scan_lines = fit_scan_lines(tissue, area.sides, grid)

    def speckle_size_now() -> tuple[float, float] | None:
        return measure_speckle_size(image, tissue & ~hidden, scan_lines)

    if cache is None:
        speckle_size = speckle_size_now()
    else:
        speckle_size = cache.speckle_size(number, grey[window], speckle_size_now)
    if speckle_size is None:
        notes = (
            *notes,
            "no tissue homogeneous enough to measure the speckle cell; a usual one is taken",
        )
    return View(
        image, tissue, overlay, grid, scan_lines, speckle_size or USUAL_CELL, flow, number, notes
    )


def _marks(grey: ByteImage, tissue: BoolImage, cache: ScreenCache | None, number: int) -> BoolImage:
    """Caliper marks of a scan area: those that are known, or else found."""
    if cache is None:
        return find_calipers(grey, tissue)
    return cache.recent(("marks", number, grey.shape), lambda: find_calipers(grey, tissue))
