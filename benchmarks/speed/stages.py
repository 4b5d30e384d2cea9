"""Compare kernels of the stages: blobs, background rings, scan lines, palette colours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import skimage.feature
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, map_coordinates
from scipy.spatial import cKDTree

from benchmarks.speed.comparison import Comparison, Function, Peer, check_agreement
from benchmarks.speed.inputs import SPACING_MM, Inputs
from benchmarks.speed.peers import import_if_installed
from usmicro.foci import find_foci
from usmicro.foci.clumps import find_clumps
from usmicro.foci.detection import blob_responses
from usmicro.foci.scale_space import scale_space
from usmicro.kernels import clumps, colour, ranks, scan_lines
from usmicro.kernels import foci as kernels
from usmicro.model.arrays import ByteImage, FloatImage
from usmicro.model.scan import Spacing
from usmicro.model.view import View
from usmicro.posterior.mass_profile import mass_profile
from usmicro.preparation import prepare
from usmicro.settings import FociSettings, ShadowSettings

feature: Any = skimage.feature
"""The module, whose functions have no type hints."""

SCALES = 6
"""Number of scales of the blob detectors."""

FINEST_MM = 0.16
"""Gaussian scale of the finest blobs, mm; the scales grow by the square root of 2."""

RINGS = 2000
"""Number of background rings."""

INNER_PX, OUTER_PX, STEP_PX = 8, 40, 3
"""Inner and outer radius of a ring, and the spacing of its samples, pixels of the grid."""

QUANTILES = np.array([0.5, 0.75], np.float32)
"""Quantiles of a ring."""

NUMPY_RINGS = 100
"""Number of rings that NumPy is timed on."""

LINES, SAMPLES = 512, 700
"""Number of scan lines, and of samples of a line."""

COLOURS, PALETTE = 20000, 256
"""Number of colours, and of colours of the palette."""

AREA_LEVELS = 14
"""Number of grey levels at which bright areas are cut out."""

LEAST_AREA, LARGEST_SIDE = 30, 50
"""Smallest number of pixels, and largest width and height in pixels, of a bright area."""

MASS_MM = (15.0, 10.5)
"""Width and height of the mass behind which tissue is assessed, mm."""

MASS_CENTRE = (0.5, 0.4)
"""Centre of this mass, as fractions of the width and height of the view."""

RANKED, FLANK, DEPTHS, HALF_WINDOW = 112, 84, 210, 2
"""Number of scan lines that are ranked, of lines of a flank, and of depths, and half of the window:
those behind this mass."""

SEED = 3
"""Seed of the places of rings, of the colours and of the ranked samples."""


def view_of(inputs: Inputs) -> View:
    """Return the prepared view of the scan."""
    return prepare(inputs.bytes, spacing=Spacing(SPACING_MM, SPACING_MM, "given"))[0]


def blobs_with_maxima(view: View) -> int:
    """Return the number of blob maxima over all scales; their positions are computed too."""
    count = 0
    for scale in scale_space(view, FINEST_MM, FINEST_MM * 2 ** ((SCALES - 1) / 2))[:SCALES]:
        shape = scale.smooth.shape
        most = scale.smooth.size // 4
        position, strength = np.empty((most, 2), np.float32), np.empty(most, np.float32)
        count += kernels.blob_maxima(
            scale.smooth, np.ones(shape, bool), np.float32(0.5), position, strength
        )
    return count


def check_blob_position() -> str:
    """Compare the position of one blob with that of scikit-image."""
    rows, columns = np.indices((256, 256))
    image = (20 + 100 * np.exp(-0.5 * ((columns - 100.4) ** 2 + (rows - 141.7) ** 2) / 9)).astype(
        np.float32
    )
    smooth = cv2.GaussianBlur(image, (0, 0), 2)
    position, strength = np.empty((500, 2), np.float32), np.empty(500, np.float32)
    kernels.blob_maxima(smooth, np.ones(image.shape, bool), np.float32(1), position, strength)
    expected = feature.blob_log(image / 255, 1, 6, num_sigma=6, threshold=0.05)[0, 1::-1]
    return check_agreement(
        position[0], expected, within=1, name="scikit-image, position of a blob in pixels"
    )


def detectors(inputs: Inputs) -> dict[str, Peer]:
    """Return detectors of other libraries, set for foci of a few pixels."""
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
    if trackpy := import_if_installed("trackpy"):
        peers["trackpy locate"] = Peer(
            lambda: trackpy.locate(grey, 9, minmass=200, engine="numba"), remark="one scale"
        )
    if sep := import_if_installed("sep"):

        def extract() -> Any:
            background = sep.Background(grey)
            sep.set_extract_pixstack(grey.size)
            return sep.extract(grey - background.back(), 3.0, err=background.globalrms)

        peers["sep extract"] = Peer(extract, remark="one scale")
    if photutils := import_if_installed("photutils.detection"):
        peers["photutils DAOStarFinder"] = Peer(
            lambda: photutils.DAOStarFinder(threshold=40, fwhm=5)(grey), remark="one scale"
        )
    return peers


def areas_in_scipy(levels: ByteImage, thresholds: NDArray[np.int32]) -> set[tuple[int, ...]]:
    """Return the number of pixels and the box of each bright area, level by level."""
    out: set[tuple[int, ...]] = set()
    for threshold in thresholds:
        labels, _ = label(levels >= threshold, structure=np.ones((3, 3)))
        counts = np.bincount(labels.ravel())
        for number, (down, across) in enumerate(find_objects(labels), start=1):
            height, width = down.stop - down.start, across.stop - across.start
            if counts[number] >= LEAST_AREA and max(height, width) <= LARGEST_SIDE:
                box = across.start, down.start, across.stop - 1, down.stop - 1
                out.add((int(counts[number]), *box))
    return out


def profile_of_mass(view: View) -> Function:
    """Return a function that measures the tissue behind a mass in the scan."""
    width, height = (view.grid.pixels(size) for size in MASS_MM)
    y, x = np.indices(view.shape)
    across = (x - MASS_CENTRE[0] * view.shape[1]) / width
    down = (y - MASS_CENTRE[1] * view.shape[0]) / height
    mass = np.asarray(across**2 + down**2 <= 0.25)
    return lambda: mass_profile(view, mass, ShadowSettings())


def ranks_comparison(rng: np.random.Generator) -> Comparison:
    """Return the row of the ranks behind a mass."""
    values, left, right = (
        rng.normal(90, 20, (DEPTHS, lines)).astype(np.float32) for lines in (RANKED, FLANK, FLANK)
    )
    everywhere = np.ones(values.shape, bool)

    def ours() -> NDArray[np.float64]:
        rank, level = np.empty(values.shape), np.empty(DEPTHS)
        ranks.ranks_at_equal_depth(values, everywhere, left, right, HALF_WINDOW, 1, rank, level)
        return rank

    def in_numpy() -> NDArray[np.float64]:
        rank = np.zeros(values.shape)
        for step in range(DEPTHS):
            window = slice(max(step - HALF_WINDOW, 0), step + HALF_WINDOW + 1)
            for flank in (left, right):
                reference = np.sort(flank[window], axis=None)
                for side in ("left", "right"):
                    rank[step] += np.searchsorted(reference, values[step], side) / reference.size
        return rank / 4

    return Comparison(
        "ranks behind a mass",
        ours,
        peers={"NumPy": Peer(in_numpy, remark="sorts each window")},
        bytes_moved=DEPTHS * (RANKED * 13 + 2 * FLANK * 4),
        check=lambda: check_agreement(ours(), in_numpy(), within=1e-9, name="NumPy"),
    )


def comparisons(inputs: Inputs) -> list[Comparison]:
    """Return the rows of the stages."""
    view = view_of(inputs)
    pixels = view.grey.size
    rng = np.random.default_rng(SEED)
    rows, columns = view.shape
    levels = np.clip(view.grey, 0, 255).astype(np.uint8)
    x, y = (rng.uniform(50, n - 50, RINGS).astype(np.float32) for n in (columns, rows))
    inner, outer = (np.full(RINGS, radius, np.float32) for radius in (INNER_PX, OUTER_PX))
    step = np.full(RINGS, STEP_PX, np.int32)

    def rings() -> FloatImage:
        out, counts = np.empty((RINGS, 2), np.float32), np.empty(RINGS, np.float32)
        kernels.ring_quantiles(
            levels, view.usable, x, y, inner, outer, step, QUANTILES, out, counts
        )
        return out

    def rings_in_numpy(count: int) -> FloatImage:
        # offsets are multiples of the step
        reach = OUTER_PX // STEP_PX * STEP_PX
        samples = slice(-reach, reach + 1, STEP_PX)
        dy, dx = (grid.ravel() for grid in np.mgrid[samples, samples])
        ring = (dx**2 + dy**2 > INNER_PX**2) & (dx**2 + dy**2 <= OUTER_PX**2)
        out = np.empty((count, 2), np.float32)
        for i in range(count):
            r, c = round(float(y[i])) + dy[ring], round(float(x[i])) + dx[ring]
            inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
            r, c = r[inside], c[inside]
            out[i] = np.quantile(levels[r, c][view.usable[r, c]], QUANTILES)
        return out

    smooth = cv2.GaussianBlur(cv2.resize(view.grey, None, fx=0.5, fy=0.5), (0, 0), 2)
    area_levels = np.clip(smooth, 0, 255).astype(np.uint8)
    thresholds = np.unique(np.linspace(20, 200, AREA_LEVELS).astype(np.int32))[::-1].copy()

    def areas() -> set[tuple[int, ...]]:
        found = np.empty((4000, 8), np.int32)
        every = np.ones(area_levels.shape, bool)
        count = clumps.components_by_level(
            area_levels, every, thresholds, LEAST_AREA, LARGEST_SIDE, found
        )
        return {tuple(row) for row in found[:count, 2:7].tolist()}

    start = np.linspace(2, columns - 3, LINES).astype(np.float32)
    dx, dy = np.linspace(-0.2, 0.2, LINES).astype(np.float32), np.full(LINES, 0.9, np.float32)
    zeros, everywhere = np.zeros(LINES, np.float32), np.ones(view.shape, bool)
    across = start[:, None] + np.arange(SAMPLES) * dx[:, None]
    along = np.arange(SAMPLES) * dy[:, None]
    inside = (across >= 0) & (across <= columns - 1) & (along <= rows - 1)

    def line_samples() -> FloatImage:
        out = np.empty((LINES, SAMPLES), np.float32)
        scan_lines.sample_along_rays(view.grey, everywhere, start, zeros, dx, dy, out)
        return out

    map_x, map_y = across.astype(np.float32), along.astype(np.float32)
    colours, palette = (rng.uniform(0, 100, (n, 3)).astype(np.float32) for n in (COLOURS, PALETTE))

    def palette_distances() -> FloatImage:
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
            check=check_blob_position,
        ),
        Comparison(
            "focus candidates, whole detection", lambda: blob_responses(view, FociSettings())
        ),
        Comparison(
            "find_foci, preparation included",
            lambda: find_foci(inputs.bytes, spacing=SPACING_MM),
            peers={"scikit-image blob_log": detectors(inputs)["scikit-image blob_log"]},
        ),
        Comparison("clumps, whole detection", lambda: find_clumps(view, view.grey, FociSettings())),
        Comparison(
            f"bright areas at {AREA_LEVELS} grey levels",
            areas,
            peers={
                "SciPy label": Peer(
                    lambda: areas_in_scipy(area_levels, thresholds), remark="each level by itself"
                )
            },
            check=lambda: check_agreement(
                np.array(sorted(areas())),
                np.array(sorted(areas_in_scipy(area_levels, thresholds))),
                within=0,
                name="SciPy, sizes and boxes",
            ),
        ),
        Comparison(
            f"quantiles of {RINGS} rings",
            rings,
            peers={
                "NumPy": Peer(
                    lambda: rings_in_numpy(NUMPY_RINGS),
                    RINGS / NUMPY_RINGS,
                    "timed on 1/20 of the rings",
                )
            },
            check=lambda: check_agreement(
                rings()[:NUMPY_RINGS],
                rings_in_numpy(NUMPY_RINGS),
                within=2,
                name="NumPy, grey levels",
            ),
        ),
        Comparison(
            f"{LINES} scan lines of {SAMPLES} samples",
            line_samples,
            peers={
                "SciPy map_coordinates": Peer(
                    lambda: map_coordinates(view.grey, (map_y, map_x), order=1)
                ),
                "OpenCV remap": Peer(
                    lambda: cv2.remap(view.grey, map_x, map_y, cv2.INTER_LINEAR),
                    remark="positions rounded to 1/32 pixel",
                ),
            },
            bytes_moved=LINES * SAMPLES * 8,
            operations=LINES * SAMPLES * 13,
            check=lambda: check_agreement(
                line_samples()[inside],
                map_coordinates(view.grey, (map_y, map_x), order=1)[inside],
                within=0.1,
                name="SciPy, grey levels",
            ),
        ),
        Comparison(
            f"nearest of {PALETTE} colours, {COLOURS} times",
            palette_distances,
            peers={"SciPy cKDTree": Peer(lambda: cKDTree(palette).query(colours))},
            bytes_moved=COLOURS * 20,
            operations=COLOURS * PALETTE * 8,
            check=lambda: check_agreement(
                palette_distances(), cKDTree(palette).query(colours)[0], within=1e-3, name="SciPy"
            ),
        ),
        ranks_comparison(rng),
        Comparison(f"tissue behind a mass of {MASS_MM[0]:g} mm", profile_of_mass(view)),
    ]
