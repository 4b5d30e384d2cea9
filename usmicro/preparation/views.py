"""Preparation of a frame: one View for each tissue region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from usmicro.errors import ImageError
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, Frame
from usmicro.model.scan import Region, Spacing
from usmicro.model.view import ColourFlow, View
from usmicro.model.warnings import Remark, separated
from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.colour.separation import ScreenColour, separate_colour
from usmicro.preparation.graphics.calipers import find_calipers
from usmicro.preparation.graphics.text import find_graphics
from usmicro.preparation.grid import grid_over, on_grid, sampled, touched
from usmicro.preparation.inpainting import inpainted
from usmicro.preparation.scan_area import ScanArea, Side, find_scan_areas
from usmicro.preparation.scan_lines import fit_scan_lines
from usmicro.preparation.spacing import credible, nominal_pixel_mm, pixel_aspect
from usmicro.preparation.speckle_size import measure_speckle_size
from usmicro.settings import PreparationSettings

USUAL_SPECKLE_SIZE = (5.0, 3.0)
"""Speckle size across and along the beam, in grid pixels, that is assumed if it cannot be measured.
Chosen by eye on the development scans; no measurement is recorded."""
WORD_PER_BYTE = np.float32(257)
"""Ratio of the largest values of 16 and of 8 bits: 65535 / 255."""


def prepare(
    frame: Frame,
    *,
    spacing: Spacing = Spacing(),  # noqa: B008  (frozen)
    regions: Sequence[Region] = (),
    settings: PreparationSettings = PreparationSettings(),  # noqa: B008  (frozen)
    cache: ScreenCache | None = None,
) -> list[View]:
    """Prepare a frame for the stages.

    Parameters
    ----------
    frame : array, shape (rows, columns) or (rows, columns, 3) RGB, uint8 or uint16
        Display grey levels or colours; echogenic is bright.
    spacing : Spacing
        Pixel spacing of the frame. The spacing of a region, if known, takes precedence there.
    regions : sequence of Region
        Regions of the screen that the file declares. Without a tissue region or a region of colour
        flow, the tissue is found from the pixels alone.
    settings : PreparationSettings
    cache : ScreenCache, optional
        Cache of a cine, whose frames must be given in order. What its screen shows all the time is
        found only once.

    Returns
    -------
    list of View
        One for each tissue region, from left to right; never empty.

    Raises
    ------
    ImageError
        If the array is not a frame, or if no tissue is found on it.
    """
    grey, luminance, colours = _grey_and_colours(frame)
    colour = None
    if colours is not None:
        tissue_regions = _tissue_regions(regions)
        flow_spacing = _spacing_in(tissue_regions[0], spacing) if tissue_regions else spacing
        colour = separate_colour(colours, regions, cache, aspect=pixel_aspect(flow_spacing))
    screen = _Screen(grey, luminance, colours, colour)
    areas = _areas(grey, regions, spacing, cache)
    if not areas:
        raise ImageError(
            f"no tissue found on a frame of {grey.shape[0]} x {grey.shape[1]} pixels "
            f"(grey levels {grey.min()} to {grey.max()}); expected a B-mode scan: check that the "
            "image is not blank and not a worksheet"
        )
    return [
        _view(screen, area, own_spacing, settings, cache, number=number)
        for number, (area, own_spacing) in enumerate(areas)
    ]


@dataclass(frozen=True, slots=True)
class _Screen:
    """A frame, and the colour on it; all arrays have its rows and columns."""

    grey: ByteImage
    """Luminance with 8 bits."""
    luminance: Frame
    """Luminance with all bits, uint8 or uint16."""
    rgb: ByteImage | None
    """RGB, shape (rows, columns, 3); None for a grey frame."""
    colour: ScreenColour | None
    """None if nothing is coloured."""


def _grey_and_colours(frame: Frame) -> tuple[ByteImage, Frame, ByteImage | None]:
    """Return the luminance with 8 bits and with all bits, and the RGB frame or None if grey."""
    array = np.asarray(frame)
    if (
        array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] != 3)
        or array.dtype not in (np.uint8, np.uint16)
        or array.size == 0
    ):
        raise ImageError(
            "expected a frame of shape (rows, columns) or (rows, columns, 3), uint8 or uint16; "
            f"found shape {array.shape}, {array.dtype}; pass one frame, grey or RGB"
        )
    array = np.ascontiguousarray(array)
    luminance = array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2GRAY)
    grey = luminance
    if array.dtype == np.uint16:
        grey, array = (
            np.round(values / WORD_PER_BYTE).astype(np.uint8) for values in (luminance, array)
        )
    return np.asarray(grey), np.asarray(luminance), array if array.ndim == 3 else None


def _areas(
    grey: ByteImage, regions: Sequence[Region], spacing: Spacing, cache: ScreenCache | None
) -> list[tuple[ScanArea, Spacing]]:
    """Return the scan areas with their spacing.

    They are searched for in each declared tissue region, or else on the whole frame.
    """
    declared = _tissue_regions(regions)
    find = _find_areas if cache is None else cache.scan_areas
    if not declared:
        whole = (0, 0, grey.shape[1], grey.shape[0])
        areas = find(grey, whole, aspect=pixel_aspect(spacing), single=False)
        return [(area, spacing) for area in areas]
    found = []
    for region in declared:
        window = (slice(region.top, region.bottom), slice(region.left, region.right))
        part = (region.left, region.top, region.right, region.bottom)
        own_spacing = _spacing_in(region, spacing)
        for area in find(grey[window], part, aspect=pixel_aspect(own_spacing), single=True):
            mask = np.zeros(grey.shape, dtype=bool)
            mask[window] = area.mask
            left, top, right, bottom = area.box
            box = (left + region.left, top + region.top, right + region.left, bottom + region.top)
            found.append((ScanArea(mask, box, _moved(area.sides, region)), own_spacing))
    return found


def _tissue_regions(regions: Sequence[Region]) -> list[Region]:
    """Return the declared regions that show tissue, or else colour flow, from left to right."""
    tissue = [region for region in regions if region.kind == "tissue"]
    flow = [region for region in regions if region.kind == "colour flow"]
    return sorted(tissue or flow, key=lambda region: (region.left, region.top))


def _spacing_in(region: Region, spacing: Spacing) -> Spacing:
    """Return the spacing of a region if it is known, or else that of the frame."""
    return region.spacing if region.spacing.known else spacing


def _find_areas(
    grey: ByteImage, part: tuple[int, int, int, int], *, aspect: float, single: bool
) -> list[ScanArea]:
    """Find the scan areas of a part of the screen without a cache."""
    return find_scan_areas(grey, aspect=aspect, single=single)


def _moved(sides: tuple[Side, Side] | None, region: Region) -> tuple[Side, Side] | None:
    """Convert sides from the pixels of a region to those of the frame."""
    if sides is None:
        return None
    left, right = (
        Side(side.offset + region.left - side.slope * region.top, side.slope) for side in sides
    )
    return left, right


def _levels(luminance: Frame) -> FloatImage:
    """Return the grey level, 0 to 255, with all bits."""
    levels = luminance.astype(np.float32)
    return levels / WORD_PER_BYTE if luminance.dtype == np.uint16 else levels


def _view(
    screen: _Screen,
    area: ScanArea,
    spacing: Spacing,
    settings: PreparationSettings,
    cache: ScreenCache | None,
    *,
    number: int,
) -> View:
    """Resample one scan area to its grid, and find what is drawn over its tissue."""
    colour = screen.colour
    left, top, right, bottom = area.box
    size, sector = (right - left, bottom - top), area.sides is not None
    spacing, of_spacing = credible(spacing, *size, sector=sector)
    remarks: list[Remark] = [*of_spacing]
    nominal = nominal_pixel_mm(*size, sector=sector, aspect=pixel_aspect(spacing))
    if not spacing.known:
        remarks.append(
            f"spacing unknown: scales rest on an estimate of {nominal:.3f} mm per pixel, and "
            "nothing is given in mm"
        )
    grid, shape = grid_over(area.box, spacing, nominal, settings.grid_mm)
    window = (slice(top, bottom), slice(left, right))
    grey = screen.grey[window]
    # single coloured pixels are as sharp as graphics
    echoes = area.mask[window] if colour is None else area.mask[window] & ~colour.mask[window]

    def find_graphics_now() -> BoolImage:
        return find_graphics(grey, echoes, _calipers(grey, area.mask[window], cache, number))

    if cache is None:
        in_image = find_graphics_now()
    else:
        in_image = cache.graphics_on(number, grey, find_graphics_now)
    if colour is not None:
        in_image = (in_image & ~colour.mask[window]) | colour.interface[window]
    tissue = sampled(area.mask, grid, shape)
    graphics = touched(in_image, grid, shape) & tissue
    flow = None
    if colour is not None and screen.rgb is not None and colour.box[window].any():
        flow = ColourFlow(
            rgb=sampled(screen.rgb, grid, shape),
            mask=sampled(colour.mask, grid, shape) & tissue & ~graphics,
            box=sampled(colour.box, grid, shape) & tissue,
            bar=colour.bar,
            power=colour.power,
            contaminated=touched(colour.contaminated[window], grid, shape) & tissue,
        )
    hidden = graphics if flow is None else graphics | flow.hidden
    image = inpainted(on_grid(_levels(screen.luminance[window]), grid, shape), hidden)
    scan_lines = fit_scan_lines(tissue, area.sides, grid)

    def measure_speckle_size_now() -> tuple[float, float] | None:
        return measure_speckle_size(image, tissue & ~hidden, scan_lines)

    if cache is None:
        speckle_size = measure_speckle_size_now()
    else:
        speckle_size = cache.speckle_size(number, grey, measure_speckle_size_now)
    if speckle_size is None:
        remarks.append(
            "no tissue is homogeneous enough to measure the speckle size; a usual size is assumed"
        )
        speckle_size = USUAL_SPECKLE_SIZE
    notes, warnings = separated(remarks)
    return View(
        image, tissue, graphics, grid, scan_lines, speckle_size, flow, number, notes, warnings
    )


def _calipers(
    grey: ByteImage, tissue: BoolImage, cache: ScreenCache | None, number: int
) -> BoolImage:
    """Return the calipers of a scan area, those of a recent frame if the cache has them."""
    if cache is None:
        return find_calipers(grey, tissue)
    return cache.recent(("calipers", number, grey.shape), lambda: find_calipers(grey, tissue))
