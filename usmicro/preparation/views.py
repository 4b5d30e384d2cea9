"""Preparation of a frame: one View for each tissue region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from usmicro.errors import ImageError
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, Frame
from usmicro.model.scan import Region, Spacing
from usmicro.model.view import ColourFlow, View
from usmicro.model.warnings import Remark, ScanWarning, separated
from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.colour.separation import ScreenColour, separate_colour
from usmicro.preparation.graphics.calipers import find_calipers
from usmicro.preparation.graphics.text import find_graphics
from usmicro.preparation.grid import grid_over, on_grid, sampled, touched
from usmicro.preparation.inpainting import inpainted
from usmicro.preparation.plausibility import unusual_for_a_breast
from usmicro.preparation.scan_lines import fit_scan_lines
from usmicro.preparation.spacing import credible, nominal_pixel_mm, pixel_aspect
from usmicro.preparation.speckle_size import measure_speckle_size
from usmicro.preparation.tissue_areas import TissueArea, at_declared_face, find_tissue_areas
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
        One for each tissue region, from left to right, those above one another from top to bottom;
        never empty.

    Raises
    ------
    ImageError
        If the array is not a frame, or if no tissue is found on it.
    """
    grey, luminance, colours = _grey_and_colours(frame)
    areas, regions = find_tissue_areas(grey, regions, spacing, cache)
    colour = None
    if colours is not None:
        flow_spacing = areas[0].spacing if areas else spacing
        colour = separate_colour(colours, regions, cache, aspect=pixel_aspect(flow_spacing))
    screen = _Screen(grey, luminance, colours, colour)
    if not areas:
        raise ImageError(
            f"no tissue found on a frame of {grey.shape[0]} x {grey.shape[1]} pixels "
            f"(grey levels {grey.min()} to {grey.max()}); expected a B-mode scan: check that the "
            "image is not blank and not a worksheet"
        )
    return [
        _view(screen, area, settings, cache, number=number) for number, area in enumerate(areas)
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


def _levels(luminance: Frame) -> FloatImage:
    """Return the grey level, 0 to 255, with all bits."""
    levels = luminance.astype(np.float32)
    return levels / WORD_PER_BYTE if luminance.dtype == np.uint16 else levels


def _view(
    screen: _Screen,
    declared: TissueArea,
    settings: PreparationSettings,
    cache: ScreenCache | None,
    *,
    number: int,
) -> View:
    """Resample one scan area to its grid, and find what is drawn over its tissue."""
    colour, area, mask = screen.colour, declared.area, declared.mask
    left, top, right, bottom = area.box
    size, sector = (right - left, bottom - top), area.sides is not None
    spacing, of_spacing = credible(declared.spacing, *size, sector=sector)
    remarks: list[Remark] = [*declared.remarks, *of_spacing]
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
    echoes = mask[window] if colour is None else mask[window] & ~colour.mask[window]

    def find_graphics_now() -> BoolImage:
        return find_graphics(grey, echoes, _calipers(grey, mask[window], cache, number))

    if cache is None:
        in_image = find_graphics_now()
    else:
        in_image = cache.graphics_on(number, grey, find_graphics_now)
    if colour is not None:
        in_image = (in_image & ~colour.mask[window]) | colour.interface[window]
    scanned = sampled(area.mask, grid, shape)
    tissue = scanned if declared.others is None else sampled(mask, grid, shape)
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
    scan_lines = fit_scan_lines(scanned, area.sides, grid)
    scan_lines, of_depth = at_declared_face(scan_lines, grid, declared.face_row)
    remarks += of_depth

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
    view = View(
        image, tissue, graphics, grid, scan_lines, speckle_size, flow, number, notes, warnings
    )
    return replace(view, warnings=(*warnings, *_unusual(view, cache)))


def _unusual(view: View, cache: ScreenCache | None) -> tuple[ScanWarning, ...]:
    """Return what is unusual in a view for a breast; in a cine the first frame decides."""
    if cache is None:
        return unusual_for_a_breast(view)
    return cache.once(("unusual", view.number), lambda: unusual_for_a_breast(view))


def _calipers(
    grey: ByteImage, tissue: BoolImage, cache: ScreenCache | None, number: int
) -> BoolImage:
    """Return the calipers of a scan area, those of a recent frame if the cache has them."""
    if cache is None:
        return find_calipers(grey, tissue)
    return cache.recent(("calipers", number, grey.shape), lambda: find_calipers(grey, tissue))
