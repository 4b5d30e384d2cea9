"""Compare kernels of the preparation: colour, calipers, inpainting, quantiles, textures, masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmarks.speed.comparison import Comparison, Peer, check_agreement
from benchmarks.speed.inputs import Inputs
from usmicro.kernels import colour, levels, masks
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.numerics.quantiles import masked_quantiles
from usmicro.preparation.colour.separation import GREY_CHROMA, is_grey
from usmicro.preparation.connected_parts import ConnectedParts
from usmicro.preparation.graphics.calipers import DRAWINGS, find_calipers
from usmicro.preparation.graphics.symbols import find_symbols
from usmicro.preparation.inpainting import inpainted

SEED = 5
"""Seed of the ends of the drawn distances."""

TINT = (6.0, -9.0)
"""Red and blue chroma of the tinted frame: red minus green and blue minus green, grey levels."""

GRAIN = 11.0
"""Grain of a usual scan in grey levels: the median of 200 scans of BUS-BRA and 100 of the visual
readings."""

FLOW = (slice(300, 420), slice(400, 620))
"""Rows and columns of a red patch in the tinted frame."""

TEXT_LINES, DISTANCES = 6, 3
"""Number of lines of text, and of lines between calipers, that hide pixels."""

FACTORS = (2, 4, 8)
"""Factors by which the grids of large scales are coarser than the working grid."""

LEVELS_PER_GREY = np.float32(8)
"""Levels of the texture per grey level of the Laplacian."""

QUANTILE = 0.01
"""Quantile that is computed in a mask."""


def tinted_frame(inputs: Inputs) -> ByteImage:
    """Return the scan as a tinted RGB frame with a red patch."""
    green = inputs.bytes.astype(np.float32)
    tinted = np.stack([green + TINT[0], green, green + TINT[1]], axis=-1)
    frame = np.clip(tinted, 0, 255).astype(np.uint8)
    frame[(*FLOW, 0)] = 230
    return frame


def hidden_pixels(shape: tuple[int, int]) -> BoolImage:
    """Return a mask of lines of text and of distances drawn across the image."""
    rng = np.random.default_rng(SEED)
    drawn = np.zeros(shape, np.uint8)
    for row in range(1, TEXT_LINES + 1):
        cv2.putText(drawn, "1 D 12.3 mm", (40, 30 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 1, 2)
    for _ in range(DISTANCES):
        ends = rng.integers(0, shape[::-1], size=(2, 2))
        cv2.line(drawn, ends[0].tolist(), ends[1].tolist(), 1, 3)
    return drawn > 0


def comparisons(inputs: Inputs) -> list[Comparison]:
    """Return the rows of the preparation."""
    frame = tinted_frame(inputs)
    pixels = inputs.grey.size
    hidden, everywhere = hidden_pixels(inputs.grey.shape), np.ones(inputs.grey.shape, bool)
    inside = everywhere.view(np.uint8)
    thin = np.asarray(cv2.morphologyEx(inputs.bytes, cv2.MORPH_TOPHAT, np.ones((9, 9), np.uint8)))
    usable = ~hidden
    red, blue = (np.full(256, chroma, np.float32) for chroma in TINT)
    ybr = np.ascontiguousarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]])
    templates = [_drawing(text) for _, text in DRAWINGS.values()]
    grey_frame = np.repeat(inputs.bytes[..., None], 3, axis=2)

    def from_ybr() -> ByteImage:
        out = np.empty_like(frame)
        colour.rgb_of_ybr(ybr, out)
        return out

    def from_ybr_in_opencv() -> ByteImage:
        luminance, blue_chroma, red_chroma = cv2.split(ybr)
        return np.asarray(
            cv2.cvtColor(cv2.merge([luminance, red_chroma, blue_chroma]), cv2.COLOR_YCrCb2RGB),
            dtype=np.uint8,
        )

    def deviation() -> ByteImage:
        out = np.empty(frame.shape[:2], np.uint8)
        colour.chroma_deviation(frame, red, blue, out)
        return out

    def deviation_in_numpy() -> FloatImage:
        green = frame[..., 1].astype(np.int32)
        x, y = frame[..., 0] - green, frame[..., 2] - green
        tint_x, tint_y = red[green], blue[green]
        along = np.clip((x * tint_x + y * tint_y) / np.maximum(tint_x**2 + tint_y**2, 1e-6), 0, 1)
        return np.asarray(
            np.maximum(abs(x - along * tint_x), abs(y - along * tint_y)), dtype=np.float32
        )

    def grey_in_numpy() -> bool:
        green = grey_frame[..., 1].astype(np.int16)
        return bool(
            max(np.abs(grey_frame[..., 0] - green).max(), np.abs(grey_frame[..., 2] - green).max())
            <= GREY_CHROMA
        )

    def filled_in_scipy() -> FloatImage:
        rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
        return np.asarray(inputs.grey[rows, columns])

    def quantile() -> float:
        return masked_quantiles(inputs.grey, usable, (QUANTILE,))[0]

    def quantile_in_numpy() -> float:
        return float(np.quantile(inputs.grey[usable], QUANTILE))

    def texture() -> ByteImage:
        out = np.empty(inputs.grey.shape, np.uint8)
        levels.laplacian_levels(inputs.grey, LEVELS_PER_GREY, out)
        return out

    def texture_in_opencv() -> ByteImage:
        return np.asarray(
            cv2.convertScaleAbs(
                cv2.Laplacian(inputs.grey, cv2.CV_32F, ksize=1), alpha=float(LEVELS_PER_GREY)
            )
        )

    # OpenCV is faster if the sides can be halved three times; few working grids have such sides
    odd = np.ascontiguousarray(usable[:-1, :-1])
    coarse_shapes = [tuple(-(-size // factor) for size in odd.shape) for factor in FACTORS]

    def coarse_masks() -> list[BoolImage]:
        out = [np.empty(shape, np.bool_) for shape in coarse_shapes]
        for mask in out:
            masks.majority_covered(odd, mask)
        return out

    def coarse_masks_in_opencv() -> list[BoolImage]:
        image = odd.astype(np.float32)
        return [
            np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA) > 0.5)
            for shape in coarse_shapes
        ]

    bright = (inputs.bytes > np.median(inputs.bytes)).view(np.uint8)

    def parts() -> NDArray[np.int32]:
        found = ConnectedParts.of(bright, hidden)
        return ordered(np.column_stack([found.area, found.box, found.marked]))

    def parts_in_opencv() -> NDArray[np.int32]:
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
        marks = np.bincount(labels[hidden], minlength=len(statistics))
        left, top, width, height, area = statistics[1:].T
        return ordered(np.column_stack([area, left, top, left + width, top + height, marks[1:]]))

    def ordered(measures: NDArray[np.int32]) -> NDArray[np.int32]:
        return measures[np.lexsort(measures.T)].astype(np.int32)

    return [
        Comparison(
            "RGB of a YBR frame",
            from_ybr,
            peers={"OpenCV": Peer(from_ybr_in_opencv, remark="includes reordering the channels")},
            bytes_moved=6 * pixels,
            check=lambda: check_agreement(
                from_ybr(), from_ybr_in_opencv(), within=1, name="OpenCV, levels"
            ),
        ),
        Comparison(
            "chroma deviation from the tint",
            deviation,
            peers={"NumPy": Peer(deviation_in_numpy)},
            bytes_moved=4 * pixels,
            check=lambda: check_agreement(
                deviation(), deviation_in_numpy(), within=1, name="NumPy, levels"
            ),
        ),
        Comparison(
            "test if an RGB frame is grey",
            lambda: is_grey(grey_frame),
            peers={"NumPy": Peer(grey_in_numpy)},
            bytes_moved=3 * pixels,
            check=lambda: check_agreement(
                is_grey(grey_frame), grey_in_numpy(), within=0, name="NumPy"
            ),
        ),
        Comparison(
            f"calipers of {len(templates)} kinds",
            lambda: find_calipers(inputs.bytes, everywhere),
            peers={
                "OpenCV matchTemplate": Peer(
                    lambda: [
                        cv2.matchTemplate(inputs.bytes, drawing, cv2.TM_CCOEFF_NORMED)
                        for drawing in templates
                    ],
                    remark="without the high-pass filter",
                )
            },
        ),
        Comparison(
            "hard-edged symbols",
            lambda: find_symbols(inputs.bytes, everywhere, inside, thin, ~everywhere, GRAIN),
        ),
        Comparison(
            "area, box and marks of the parts of a mask",
            parts,
            peers={
                "OpenCV statistics": Peer(
                    parts_in_opencv, remark="numbers the parts and measures centroids, too"
                )
            },
            check=lambda: check_agreement(
                parts(), parts_in_opencv(), within=0, name="OpenCV, pixels"
            ),
        ),
        Comparison(
            f"inpainting of {100 * hidden.mean():.0f} % of the pixels",
            lambda: inpainted(inputs.grey, hidden),
            peers={
                "OpenCV inpaint": Peer(
                    lambda: cv2.inpaint(inputs.bytes, hidden.view(np.uint8), 3, cv2.INPAINT_TELEA),
                    remark="weighted mean of the neighbourhood; bytes",
                ),
                "SciPy distance transform": Peer(
                    filled_in_scipy, remark="value of the nearest pixel"
                ),
            },
        ),
        Comparison(
            "quantile of an image in a mask",
            quantile,
            peers={"NumPy": Peer(quantile_in_numpy)},
            bytes_moved=5 * pixels,
            check=lambda: check_agreement(quantile(), quantile_in_numpy(), within=0, name="NumPy"),
        ),
        Comparison(
            "magnitude of the Laplacian in levels",
            texture,
            peers={"OpenCV": Peer(texture_in_opencv)},
            bytes_moved=5 * pixels,
            operations=6 * pixels,
            check=lambda: check_agreement(
                texture(), texture_in_opencv(), within=1, name="OpenCV, levels"
            ),
        ),
        Comparison(
            f"mask on {len(FACTORS)} coarser grids, odd sides",
            coarse_masks,
            peers={"OpenCV resize": Peer(coarse_masks_in_opencv)},
            bytes_moved=pixels * (1 + sum(factor**-2 for factor in FACTORS)),
            check=lambda: check_agreement(
                _concatenated(coarse_masks()),
                _concatenated(coarse_masks_in_opencv()),
                within=0,
                name="OpenCV",
            ),
        ),
    ]


def _drawing(text: str) -> ByteImage:
    """Return the drawing of a caliper, "#" as 255 and everything else as 0."""
    lines = [line.strip() for line in text.strip().splitlines()]
    width = max(map(len, lines))
    return np.array(
        [[255 * (character == "#") for character in line.ljust(width, ".")] for line in lines],
        np.uint8,
    )


def _concatenated(masks_to_join: list[BoolImage]) -> BoolImage:
    """Return the pixels of all masks as one array, shape (n,)."""
    return np.concatenate([mask.ravel() for mask in masks_to_join])
