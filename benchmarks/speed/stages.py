"""Kernels of the stages beside other implementations: blobs, background rings, beams, colours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import skimage.feature
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from benchmarks.speed.comparison import Comparison, Peer, agreeing
from benchmarks.speed.inputs import SPACING, Inputs
from benchmarks.speed.peers import installed
from usmicro.foci.detection import blob_responses
from usmicro.foci.scale_space import scale_space
from usmicro.kernels import colour
from usmicro.kernels import foci as kernels
from usmicro.kernels import scan_lines
from usmicro.model.arrays import FloatImage
from usmicro.model.scan import Spacing
from usmicro.model.view import View
from usmicro.preparation import prepare
from usmicro.settings import FociSettings

feature: Any = skimage.feature
SCALES = 6
RINGS = 2000
RAYS, STEPS = 512, 700
COLOURS, PALETTE = 20000, 256
SEED = 3


def view_of(inputs: Inputs) -> View:
    """The scan as the stages see it."""
    return prepare(inputs.bytes, spacing=Spacing(SPACING, SPACING, "given"))[0]


def blobs_with_maxima(view: View) -> int:
    """Blob maxima of six scales, positions included."""
    found = 0
    for scale in scale_space(view, 0.16, 0.16 * 2 ** ((SCALES - 1) / 2))[:SCALES]:
        shape = scale.smooth.shape
        position, strength = (
            np.empty((scale.smooth.size // 4, 2), np.float32),
            np.empty(scale.smooth.size // 4, np.float32),
        )
        found += kernels.blob_maxima(
            scale.smooth, np.ones(shape, bool), np.float32(0.5), position, strength
        )
    return found


def planted_blob() -> str:
    """Both find one blob of known place."""
    rows, columns = np.indices((256, 256))
    image = (20 + 100 * np.exp(-0.5 * ((columns - 100.4) ** 2 + (rows - 141.7) ** 2) / 9)).astype(
        np.float32
    )
    smooth = cv2.GaussianBlur(image, (0, 0), 2)
    position, strength = np.empty((500, 2), np.float32), np.empty(500, np.float32)
    kernels.blob_maxima(smooth, np.ones(image.shape, bool), np.float32(1), position, strength)
    theirs = feature.blob_log(image / 255, 1, 6, num_sigma=6, threshold=0.05)[0, 1::-1]
    return agreeing(position[0], theirs, within=1, what="scikit-image, place of a blob in pixels")


def detectors(inputs: Inputs) -> dict[str, Peer]:
    """Blob and point detectors of other libraries at their usual settings for this size of focus."""
    grey, scaled = inputs.grey, inputs.grey / 255
    peers = {
        "scikit-image blob_log": Peer(
            lambda: feature.blob_log(scaled, 1, 6, num_sigma=SCALES, threshold=0.1),
            remark="Laplacian",
        ),
        "scikit-image blob_dog": Peer(
            lambda: feature.blob_dog(scaled, 1, 6, threshold=0.1), remark="differences of Gaussians"
        ),
    }
    if trackpy := installed("trackpy"):
        peers["trackpy locate"] = Peer(
            lambda: trackpy.locate(grey, 9, minmass=200, engine="numba"), remark="one scale"
        )
    if sep := installed("sep"):

        def extract() -> Any:
            background = sep.Background(grey)
            sep.set_extract_pixstack(grey.size)
            return sep.extract(grey - background.back(), 3.0, err=background.globalrms)

        peers["sep extract"] = Peer(extract, remark="one scale")
    if photutils := installed("photutils.detection"):
        peers["photutils DAOStarFinder"] = Peer(
            lambda: photutils.DAOStarFinder(threshold=40, fwhm=5)(grey), remark="one scale"
        )
    return peers


def comparisons(inputs: Inputs) -> list[Comparison]:
    """All of them."""
    view = view_of(inputs)
    pixels = view.grey.size
    rng = np.random.default_rng(SEED)
    rows, columns = view.shape
    levels = np.clip(view.grey, 0, 255).astype(np.uint8)
    x, y = (rng.uniform(50, n - 50, RINGS).astype(np.float32) for n in (columns, rows))
    inner, outer, step = (
        np.full(RINGS, 8, np.float32),
        np.full(RINGS, 40, np.float32),
        np.full(RINGS, 3, np.int32),
    )
    shares = np.array([0.5, 0.75], np.float32)

    def rings() -> FloatImage:
        out, counted = np.empty((RINGS, 2), np.float32), np.empty(RINGS, np.float32)
        kernels.ring_quantiles(levels, view.usable, x, y, inner, outer, step, shares, out, counted)
        return out

    def rings_in_numpy(count: int) -> FloatImage:
        dy, dx = (grid.ravel() for grid in np.mgrid[-39:40:3, -39:40:3])
        ring = (dx**2 + dy**2 > 64) & (dx**2 + dy**2 <= 1600)
        out = np.empty((count, 2), np.float32)
        for i in range(count):
            r, c = round(float(y[i])) + dy[ring], round(float(x[i])) + dx[ring]
            inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
            r, c = r[inside], c[inside]
            out[i] = np.quantile(levels[r, c][view.usable[r, c]], shares)
        return out

    start = np.linspace(2, columns - 3, RAYS).astype(np.float32)
    dx, dy = np.linspace(-0.2, 0.2, RAYS).astype(np.float32), np.full(RAYS, 0.9, np.float32)
    zeros, everywhere = np.zeros(RAYS, np.float32), np.ones(view.shape, bool)
    across, along = start[:, None] + np.arange(STEPS) * dx[:, None], np.arange(STEPS) * dy[:, None]
    inside = (across >= 0) & (across <= columns - 1) & (along <= rows - 1)

    def walk() -> FloatImage:
        out = np.empty((RAYS, STEPS), np.float32)
        scan_lines.sample_along_rays(view.grey, everywhere, start, zeros, dx, dy, out)
        return out

    map_x, map_y = across.astype(np.float32), along.astype(np.float32)
    colours, palette = (rng.uniform(0, 100, (n, 3)).astype(np.float32) for n in (COLOURS, PALETTE))

    def nearest() -> FloatImage:
        index, distance = np.empty(COLOURS, np.int32), np.empty(COLOURS, np.float32)
        colour.nearest_palette_colours(colours, palette, 1.0, 0.0, index, distance)
        return distance

    return [
        Comparison(
            f"blobs, {SCALES} scales with maxima",
            lambda: blobs_with_maxima(view),
            peers=detectors(inputs),
            bytes_moved=8 * pixels * 3,
            operations=pixels * 3 * 60,
            check=planted_blob,
        ),
        Comparison(
            "foci candidates, all of detection", lambda: blob_responses(view, FociSettings())
        ),
        Comparison(
            f"quantiles of {RINGS} rings",
            rings,
            peers={"NumPy": Peer(lambda: rings_in_numpy(100), RINGS / 100, "timed on a twentieth")},
            check=lambda: agreeing(
                rings()[:100], rings_in_numpy(100), within=2, what="NumPy, grey levels"
            ),
        ),
        Comparison(
            f"{RAYS} beams of {STEPS} steps",
            walk,
            peers={
                "SciPy map_coordinates": Peer(
                    lambda: map_coordinates(view.grey, (map_y, map_x), order=1)
                ),
                "OpenCV remap": Peer(
                    lambda: cv2.remap(view.grey, map_x, map_y, cv2.INTER_LINEAR),
                    remark="positions to 1/32 pixel",
                ),
            },
            bytes_moved=RAYS * STEPS * 8,
            operations=RAYS * STEPS * 13,
            check=lambda: agreeing(
                walk()[inside],
                map_coordinates(view.grey, (map_y, map_x), order=1)[inside],
                within=0.1,
                what="SciPy, grey levels",
            ),
        ),
        Comparison(
            f"nearest of {PALETTE} colours, {COLOURS} times",
            nearest,
            peers={"SciPy cKDTree": Peer(lambda: cKDTree(palette).query(colours))},
            bytes_moved=COLOURS * 20,
            operations=COLOURS * PALETTE * 8,
            check=lambda: agreeing(
                nearest(), cKDTree(palette).query(colours)[0], within=1e-3, what="SciPy"
            ),
        ),
    ]
