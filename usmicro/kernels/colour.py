"""Kernels for colour Doppler: chroma against the grey curve, and the nearest colour of a bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float1D, jit


@jit
def rgb_of_ybr(frame: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """RGB of luminance, blue and red chrominance of full range, (rows, columns, 3); see DICOM PS3.3 C.7.6.3.1.2."""
    rows, columns, _ = frame.shape
    half, largest = np.int32(1 << 13), np.int32(255)
    for r in range(rows):
        for c in range(columns):
            luminance = np.int32(frame[r, c, 0])
            blue, red = (
                np.int32(frame[r, c, 1]) - np.int32(128),
                np.int32(frame[r, c, 2]) - np.int32(128),
            )
            out[r, c, 0] = min(
                max(luminance + ((np.int32(22970) * red + half) >> 14), np.int32(0)), largest
            )
            out[r, c, 1] = min(
                max(
                    luminance - ((np.int32(5638) * blue + np.int32(11700) * red + half) >> 14),
                    np.int32(0),
                ),
                largest,
            )
            out[r, c, 2] = min(
                max(luminance + ((np.int32(29032) * blue + half) >> 14), np.int32(0)), largest
            )


@jit
def has_chroma_above(frame: NDArray[np.uint8], most: int) -> bool:
    """Whether any pixel's red or blue differs from its green by more than `most`; (rows, columns, 3), RGB."""
    rows, columns, _ = frame.shape
    for r in range(rows):
        largest = np.int32(0)
        for c in range(columns):
            green = np.int32(frame[r, c, 1])
            largest = max(
                largest,
                abs(np.int32(frame[r, c, 0]) - green),
                abs(np.int32(frame[r, c, 2]) - green),
            )
        if largest > most:
            return True
    return False


@jit
def chroma_histograms(
    frame: NDArray[np.uint8], most: int, red: NDArray[np.int32], blue: NDArray[np.int32]
) -> None:
    """Count red - green and blue - green by green level into (256, 2 * most + 1); stronger chroma is left out."""
    rows, columns, _ = frame.shape
    level, run = (
        np.int32(0),
        0,
    )  # of pixels without chroma: they come in runs of one level, which would wait for their one counter
    for r in range(rows):
        for c in range(columns):
            green = np.int32(frame[r, c, 1])
            red_chroma = np.int32(frame[r, c, 0]) - green
            blue_chroma = np.int32(frame[r, c, 2]) - green
            if red_chroma == 0 and blue_chroma == 0:
                if green != level:
                    red[level, most] += run
                    blue[level, most] += run
                    level, run = green, 0
                run += 1
            elif abs(red_chroma) <= most and abs(blue_chroma) <= most:
                red[green, red_chroma + most] += 1
                blue[green, blue_chroma + most] += 1
    red[level, most] += run
    blue[level, most] += run


@jit
def chroma_deviation(
    frame: NDArray[np.uint8], red: Float1D, blue: Float1D, out: NDArray[np.uint8]
) -> None:
    """Distance of every pixel's chroma from the segment between neutral grey and the tint of its green level, 0 to 255."""
    rows, columns, _ = frame.shape
    for r in range(rows):
        for c in range(columns):
            green = np.int32(frame[r, c, 1])
            x = np.float32(np.int32(frame[r, c, 0]) - green)
            y = np.float32(np.int32(frame[r, c, 2]) - green)
            if x == 0 and y == 0:  # most pixels of most frames
                out[r, c] = 0
                continue
            tint_x = red[green]
            tint_y = blue[green]
            share = (x * tint_x + y * tint_y) / (
                tint_x * tint_x + tint_y * tint_y + np.float32(1e-6)
            )
            share = min(max(share, np.float32(0)), np.float32(1))
            out[r, c] = np.uint8(max(abs(x - share * tint_x), abs(y - share * tint_y)))


@jit
def nearest_palette_colours(
    colours: NDArray[np.float32],
    palette: NDArray[np.float32],
    opacity: float,
    most_grey: float,
    index: NDArray[np.int32],
    distance: Float1D,
) -> None:
    """Find for each of n colours the nearest of m palette colours, the first of equals; (n, 3) and (m, 3), RGB.

    A palette colour counts with the grey level from 0 to `most_grey` that brings it nearest when it is mixed with it at the opacity.
    """
    third = np.float32(1 / 3)
    share = np.float32(opacity)
    most = np.float32(1 - opacity) * np.float32(most_grey)
    squares = np.empty(
        palette.shape[0], np.float32
    )  # all of them first, so that they are computed side by side
    red, green, blue = share * palette[:, 0], share * palette[:, 1], share * palette[:, 2]
    for i in range(colours.shape[0]):
        if most > 0:
            for j in range(squares.size):
                a, b, c = colours[i, 0] - red[j], colours[i, 1] - green[j], colours[i, 2] - blue[j]
                grey = min(max((a + b + c) * third, np.float32(0)), most)
                a -= grey
                b -= grey
                c -= grey
                squares[j] = a * a + b * b + c * c
        else:
            for j in range(squares.size):
                a, b, c = colours[i, 0] - red[j], colours[i, 1] - green[j], colours[i, 2] - blue[j]
                squares[j] = a * a + b * b + c * c
        best = 0
        for j in range(1, squares.size):
            if squares[j] < squares[best]:
                best = j
        index[i] = best
        distance[i] = np.sqrt(squares[best])


@jit
def phase_pairs(
    phasor: NDArray[np.complex64],
    lit: Bool2D,
    steps: NDArray[np.int32],
    pairs: NDArray[np.int32],
    cosines: Float1D,
    against: NDArray[np.int32],
) -> None:
    """Compare the unit phasors of all lit pixels that lie a step apart, for each of n steps (columns, rows), rows not negative.

    Gives the number of pairs, the sum of the cosines of their phase differences, and how many of these are negative.
    """
    rows, columns = lit.shape
    for k in range(steps.shape[0]):
        over, down = steps[k, 0], steps[k, 1]
        count = opposed = 0
        total = np.float32(0)
        for r in range(rows - down):
            for c in range(max(-over, 0), columns - max(over, 0)):
                if lit[r, c] and lit[r + down, c + over]:
                    one, other = phasor[r, c], phasor[r + down, c + over]
                    cosine = one.real * other.real + one.imag * other.imag
                    count += 1
                    opposed += cosine < 0
                    total += cosine
        pairs[k], cosines[k], against[k] = count, total, opposed


@jit
def count_patch_pixels(
    patches: NDArray[np.int32], wanted: NDArray[np.bool_], mask: Bool2D
) -> tuple[int, int]:
    """How many pixels of the numbered patches that are `wanted` lie inside and outside of a mask."""
    rows, columns = patches.shape
    inside = outside = 0
    for r in range(rows):
        for c in range(columns):
            of_them = wanted[patches[r, c]]
            inside += of_them & mask[r, c]
            outside += of_them & (not mask[r, c])
    return inside, outside


@jit
def chain_lengths(mask: NDArray[np.bool_], out: NDArray[np.int32]) -> None:
    """Length of the longest chain through each pixel that takes one pixel of every row, each at most one column beside the last."""
    rows, columns = mask.shape
    for r in range(rows):
        for c in range(columns):
            longest = 0
            if mask[r, c]:
                if r > 0:
                    for k in range(max(c - 1, 0), min(c + 2, columns)):
                        longest = max(longest, out[r - 1, k])
                longest += 1
            out[r, c] = longest
    # a chain is as long everywhere as at its end
    for r in range(rows - 2, -1, -1):
        for c in range(columns):
            if mask[r, c]:
                for k in range(max(c - 1, 0), min(c + 2, columns)):
                    out[r, c] = max(out[r, c], out[r + 1, k])
