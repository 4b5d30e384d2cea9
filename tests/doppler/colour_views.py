"""Views whose colours show a given Doppler phase."""

import numpy as np

from usmicro.doppler.colour_evidence import Colours
from usmicro.model.scan import Spacing
from usmicro.model.view import ColourBar, ColourFlow, Grid, ScanLines, View
from usmicro.phantom.colour_maps import colour_table, coloured
from usmicro.settings import TwinklingSettings

SIZE, PIXEL_MM, CELL = 300, 0.08, 5
"""Rows and columns of a view; edge of a pixel in mm and of a colour cell in pixels."""
BAR = ColourBar("velocity", colour_table("red-blue"), 127.5, (0, 0, 8, 256))
FOCUS = 150.0, 120.0, 6.0
"""Column, row and diameter of the focus, pixels."""


def view_of(phase, shown, *, power=False, box=None):
    """View of 24 mm x 24 mm that shows a phase (radians) in the pixels of the mask `shown`."""
    shape = (SIZE, SIZE)
    flow = coloured((phase / np.pi).astype(np.float32), "red-blue")
    rgb = np.where(shown[..., None], flow, np.uint8(80)).astype(np.uint8)
    if box is None:
        box = np.zeros(shape, bool)
        box[20:280, 20:280] = True
    return View(
        grey=np.full(shape, 80, np.float32),
        tissue=np.ones(shape, bool),
        graphics=np.zeros(shape, bool),
        grid=Grid(0, 0, 1, 1, PIXEL_MM, Spacing(PIXEL_MM, PIXEL_MM, "given")),
        scan_lines=ScanLines("linear", 0),
        speckle_size=(4, 3),
        colour=ColourFlow(rgb, shown & box, box, BAR, power),
    )


def random_cells(rng):
    """An independent uniform phase for each colour cell, at pixel size."""
    phase = rng.uniform(-np.pi, np.pi, (SIZE // CELL, SIZE // CELL))
    return np.repeat(np.repeat(phase, CELL, axis=0), CELL, axis=1)


def nothing():
    """Mask without pixels."""
    return np.zeros((SIZE, SIZE), bool)


def tail():
    """Mask of the focus and its tail."""
    shown = nothing()
    shown[116:172, 142:159] = True
    return shown


def twinkling_frames(count, seed=0):
    """Views of a focus that twinkles."""
    rng = np.random.default_rng(seed)
    return [view_of(random_cells(rng), tail()) for _ in range(count)]


def vessel_frames(count, peak, *, slope=0.4):
    """Views of a laminar, pulsatile vessel through the focus; a peak phase over pi aliases."""
    rows, columns = np.indices((SIZE, SIZE))
    across = np.abs((rows - 120) - slope * (columns - 150)) / np.hypot(1, slope) / 14
    beats = peak * (0.4 + 0.6 * np.abs(np.sin(np.arange(count))))
    return [view_of(np.angle(np.exp(1j * beat * (1 - across**2))), across < 1) for beat in beats]


def evidence_of(view, x, y, diameter, settings=None):
    """Colour evidence of one frame at one focus."""
    return Colours(view, settings or TwinklingSettings()).at(x, y, diameter)
