"""Kernels of the preparation beside other implementations: YBR, chroma, caliper marks, hidden pixels, quantiles, textures."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from benchmarks.speed.comparison import Comparison, Peer, agreeing
from benchmarks.speed.inputs import Inputs
from usmicro.kernels import colour, levels, masks
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.numerics.quantiles import masked_quantile
from usmicro.preparation.colour.separation import GREY_CHROMA, is_grey
from usmicro.preparation.graphics.calipers import DRAWINGS, find_calipers
from usmicro.preparation.inpainting import inpainted

SEED = 5
TINT = (6.0, -9.0)
"""Red and blue chroma of the tinted frame."""
FLOW = (slice(300, 420), slice(400, 620))
"""Rows and columns of a patch of red."""
TEXTS, DISTANCES = 6, 3
"""Lines of text, and between calipers, that hide pixels."""
FACTORS = (2, 4, 8)
"""By which the grids of large scales are coarser."""
LEVELS_PER_GREY = np.float32(8)


def tinted(inputs: Inputs) -> ByteImage:
    """The scan as a tinted RGB frame with a patch of red."""
    levels_of = inputs.bytes.astype(np.float32)
    frame = np.clip(
        np.stack([levels_of + TINT[0], levels_of, levels_of + TINT[1]], axis=-1), 0, 255
    ).astype(np.uint8)
    frame[(*FLOW, 0)] = 230
    return frame


def hidden_pixels(shape: tuple[int, int]) -> BoolImage:
    """Lines of text, and distances drawn across the image."""
    rng = np.random.default_rng(SEED)
    drawn = np.zeros(shape, np.uint8)
    for row in range(1, TEXTS + 1):
        cv2.putText(drawn, "1 D 12.3 mm", (40, 30 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 1, 2)
    for _ in range(DISTANCES):
        ends = rng.integers(0, shape[::-1], size=(2, 2))
        cv2.line(drawn, ends[0].tolist(), ends[1].tolist(), 1, 3)
    return drawn > 0


def comparisons(inputs: Inputs) -> list[Comparison]:
    """All of them."""
    frame = tinted(inputs)
    pixels = inputs.grey.size
    hidden, everywhere = hidden_pixels(inputs.grey.shape), np.ones(inputs.grey.shape, bool)
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

    def departure() -> ByteImage:
        out = np.empty(frame.shape[:2], np.uint8)
        colour.chroma_deviation(frame, red, blue, out)
        return out

    def departure_in_numpy() -> FloatImage:
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
        return masked_quantile(inputs.grey, usable, 0.01)

    def quantile_in_numpy() -> float:
        return float(np.quantile(inputs.grey[usable], 0.01))

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

    # few working grids have sides that can be halved three times, which OpenCV has a faster way for
    odd = np.ascontiguousarray(usable[:-1, :-1])
    coarse = [tuple(-(-size // factor) for size in odd.shape) for factor in FACTORS]

    def coarser() -> list[BoolImage]:
        out = [np.empty(shape, np.bool_) for shape in coarse]
        for mask in out:
            masks.majority_covered(odd, mask)
        return out

    def coarser_in_opencv() -> list[BoolImage]:
        image = odd.astype(np.float32)
        return [
            np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA) > 0.5)
            for shape in coarse
        ]

    return [
        Comparison(
            "RGB of a YBR frame",
            from_ybr,
            peers={
                "OpenCV": Peer(from_ybr_in_opencv, remark="with the order of the channels changed")
            },
            bytes_moved=6 * pixels,
            check=lambda: agreeing(
                from_ybr(), from_ybr_in_opencv(), within=1, what="OpenCV, levels"
            ),
        ),
        Comparison(
            "chroma beside the tint of a frame",
            departure,
            peers={"NumPy": Peer(departure_in_numpy)},
            bytes_moved=4 * pixels,
            check=lambda: agreeing(
                departure(), departure_in_numpy(), within=1, what="NumPy, levels"
            ),
        ),
        Comparison(
            "whether an RGB frame is grey",
            lambda: is_grey(grey_frame),
            peers={"NumPy": Peer(grey_in_numpy)},
            bytes_moved=3 * pixels,
            check=lambda: agreeing(is_grey(grey_frame), grey_in_numpy(), within=0, what="NumPy"),
        ),
        Comparison(
            f"caliper marks of {len(templates)} kinds",
            lambda: find_calipers(inputs.bytes, everywhere),
            peers={
                "OpenCV matchTemplate": Peer(
                    lambda: [
                        cv2.matchTemplate(inputs.bytes, drawing, cv2.TM_CCOEFF_NORMED)
                        for drawing in templates
                    ],
                    remark="without the high pass that tells marks from echoes",
                )
            },
        ),
        Comparison(
            f"{100 * hidden.mean():.0f} % hidden pixels filled",
            lambda: inpainted(inputs.grey, hidden),
            peers={
                "OpenCV inpaint": Peer(
                    lambda: cv2.inpaint(inputs.bytes, hidden.view(np.uint8), 3, cv2.INPAINT_TELEA),
                    remark="weighted mean around; bytes",
                ),
                "SciPy distance transform": Peer(
                    filled_in_scipy, remark="the nearest pixel itself"
                ),
            },
        ),
        Comparison(
            "quantile of an image under a mask",
            quantile,
            peers={"NumPy": Peer(quantile_in_numpy)},
            bytes_moved=5 * pixels,
            check=lambda: agreeing(quantile(), quantile_in_numpy(), within=0, what="NumPy"),
        ),
        Comparison(
            "magnitude of the Laplacian in levels",
            texture,
            peers={"OpenCV": Peer(texture_in_opencv)},
            bytes_moved=5 * pixels,
            operations=6 * pixels,
            check=lambda: agreeing(texture(), texture_in_opencv(), within=1, what="OpenCV, levels"),
        ),
        Comparison(
            f"mask of odd sides on {len(FACTORS)} coarser grids",
            coarser,
            peers={"OpenCV resize": Peer(coarser_in_opencv)},
            bytes_moved=pixels * (1 + sum(factor**-2 for factor in FACTORS)),
            check=lambda: agreeing(
                _joined(coarser()), _joined(coarser_in_opencv()), within=0, what="OpenCV"
            ),
        ),
    ]


def _drawing(text: str) -> ByteImage:
    """A mark in black and white."""
    lines = [line.strip() for line in text.strip().splitlines()]
    width = max(map(len, lines))
    return np.array(
        [[255 * (character == "#") for character in line.ljust(width, ".")] for line in lines],
        np.uint8,
    )


def _joined(found: list[BoolImage]) -> BoolImage:
    return np.concatenate([mask.ravel() for mask in found])
