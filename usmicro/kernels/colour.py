"""Colour frames: conversion, chroma, nearest palette colours, phases of flow, steep lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float1D, jit

FIXED_POINT_BITS = 14
"""Fractional bits of the coefficients of the conversion from YBR, enough for results that are exact
to the rounded grey level."""
RED_PER_CR = np.int32(22970)
"""1.402 * 2^14; this and the next three are from DICOM PS3.3 C.7.6.3.1.2, YBR_FULL."""
GREEN_PER_CB = np.int32(5638)
"""0.344136 * 2^14."""
GREEN_PER_CR = np.int32(11700)
"""0.714136 * 2^14."""
BLUE_PER_CB = np.int32(29032)
"""1.772 * 2^14."""
LEAST_SQUARED_TINT = np.float32(1e-6)
"""Added to the squared chroma of a tint, squared grey levels, so that neutral grey does not divide
by 0. Far below the square of one grey level, and chosen without a measurement."""


@jit
def rgb_of_ybr(frame: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Convert a frame from DICOM's YBR_FULL to RGB, in fixed-point arithmetic.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        Luminance, blue chrominance and red chrominance, each of full range.
    out : array, shape (rows, columns, 3), uint8
        Receives red, green and blue.

    References
    ----------
    DICOM PS3.3 C.7.6.3.1.2.
    """
    rows, columns, _ = frame.shape
    half, largest = np.int32(1 << (FIXED_POINT_BITS - 1)), np.int32(255)
    zero, offset = np.int32(0), np.int32(128)
    for r in range(rows):
        for c in range(columns):
            luminance = np.int32(frame[r, c, 0])
            cb = np.int32(frame[r, c, 1]) - offset
            cr = np.int32(frame[r, c, 2]) - offset
            red = luminance + ((RED_PER_CR * cr + half) >> FIXED_POINT_BITS)
            darkening = (GREEN_PER_CB * cb + GREEN_PER_CR * cr + half) >> FIXED_POINT_BITS
            blue = luminance + ((BLUE_PER_CB * cb + half) >> FIXED_POINT_BITS)
            out[r, c, 0] = min(max(red, zero), largest)
            out[r, c, 1] = min(max(luminance - darkening, zero), largest)
            out[r, c, 2] = min(max(blue, zero), largest)


@jit
def has_chroma_above(frame: NDArray[np.uint8], level: int) -> bool:
    """Return True if red or blue differs from green by more than a level in any pixel.

    The largest difference is compared once for each row, since a comparison for each pixel would
    keep LLVM from vectorising the loop.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    level : int
        Grey levels.
    """
    rows, columns, _ = frame.shape
    for r in range(rows):
        largest = np.int32(0)
        for c in range(columns):
            green = np.int32(frame[r, c, 1])
            red_chroma = abs(np.int32(frame[r, c, 0]) - green)
            blue_chroma = abs(np.int32(frame[r, c, 2]) - green)
            largest = max(largest, red_chroma, blue_chroma)
        if largest > level:
            return True
    return False


@jit
def chroma_histograms(
    frame: NDArray[np.uint8], most: int, red: NDArray[np.int32], blue: NDArray[np.int32]
) -> None:
    """Count the pixels of a frame by green level and chroma.

    Pixels without chroma come in runs of one level. Each run is counted in a register and added
    once, since successive additions to one counter in memory would wait for each other.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    most : int
        Largest chroma that is counted, grey levels. A pixel is skipped if its red or blue differs
        more from green.
    red, blue : array, shape (256, 2 * most + 1), int32
        The counts are added: row green, column `most` + red - green or `most` + blue - green.
    """
    rows, columns, _ = frame.shape
    run_level, run_length = np.int32(0), 0
    for r in range(rows):
        for c in range(columns):
            green = np.int32(frame[r, c, 1])
            red_chroma = np.int32(frame[r, c, 0]) - green
            blue_chroma = np.int32(frame[r, c, 2]) - green
            if red_chroma == 0 and blue_chroma == 0:
                if green != run_level:
                    red[run_level, most] += run_length
                    blue[run_level, most] += run_length
                    run_level, run_length = green, 0
                run_length += 1
            elif abs(red_chroma) <= most and abs(blue_chroma) <= most:
                red[green, red_chroma + most] += 1
                blue[green, blue_chroma + most] += 1
    red[run_level, most] += run_length
    blue[run_level, most] += run_length


@jit
def chroma_deviation(
    frame: NDArray[np.uint8], red: Float1D, blue: Float1D, out: NDArray[np.uint8]
) -> None:
    """Compute how far the chroma of each pixel deviates from the tint of the grey image.

    The chroma (red - green, blue - green) is compared with the nearest point of the line segment
    from neutral grey (0, 0) to the tint of the same green level.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    red, blue : array, shape (256,), float32
        Tint by green level: red - green and blue - green, grey levels.
    out : array, shape (rows, columns), uint8
        Receives the larger of the deviations in red and in blue, grey levels, rounded down.
    """
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
            squared_tint = tint_x * tint_x + tint_y * tint_y + LEAST_SQUARED_TINT
            share = (x * tint_x + y * tint_y) / squared_tint
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
    """Find the nearest palette colour of each colour, when the palette is mixed with grey.

    A palette colour p becomes opacity * p + (1 - opacity) * g, with the grey level g from 0 to
    `most_grey` that brings it nearest. All squared distances of a colour are computed before the
    smallest is searched for, so that LLVM vectorises the computation.

    Parameters
    ----------
    colours : array, shape (n, 3), float32
        RGB, 0 to 255.
    palette : array, shape (m, 3), float32
        RGB, 0 to 255.
    opacity : float
        Share of the palette colour in the mixture, 0 to 1.
    most_grey : float
        Largest grey level in the mixture.
    index : array, shape (n,), int32
        Receives the index of the nearest palette colour, the first of equally near ones.
    distance : array, shape (n,), float32
        Receives its Euclidean distance in RGB.
    """
    third = np.float32(1 / 3)
    share = np.float32(opacity)
    most = np.float32(1 - opacity) * np.float32(most_grey)
    squares = np.empty(palette.shape[0], np.float32)
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
    coloured: Bool2D,
    steps: NDArray[np.int32],
    pairs: NDArray[np.int32],
    cosines: Float1D,
    opposed: NDArray[np.int32],
) -> None:
    """Compare the phases of all pairs of coloured pixels that lie a given step apart.

    Parameters
    ----------
    phasor : array, shape (rows, columns), complex64
        Unit phasor of each coloured pixel.
    coloured : array, shape (rows, columns), bool
    steps : array, shape (n, 2), int32
        Step in columns and in rows, pixels. The step in rows is not negative.
    pairs : array, shape (n,), int32
        Receives the number of pairs of each step.
    cosines : array, shape (n,), float32
        Receives the sum of the cosines of their phase differences.
    opposed : array, shape (n,), int32
        Receives the number of negative cosines.
    """
    rows, columns = coloured.shape
    for k in range(steps.shape[0]):
        over, down = steps[k, 0], steps[k, 1]
        count = negative = 0
        total = np.float32(0)
        for r in range(rows - down):
            for c in range(max(-over, 0), columns - max(over, 0)):
                if coloured[r, c] and coloured[r + down, c + over]:
                    first, second = phasor[r, c], phasor[r + down, c + over]
                    cosine = first.real * second.real + first.imag * second.imag
                    count += 1
                    negative += cosine < 0
                    total += cosine
        pairs[k], cosines[k], opposed[k] = count, total, negative


@jit
def count_patch_pixels(
    patches: NDArray[np.int32], chosen: NDArray[np.bool_], mask: Bool2D
) -> tuple[int, int]:
    """Count the pixels of the chosen patches inside and outside a mask.

    Parameters
    ----------
    patches : array, shape (rows, columns), int32
        Number of the patch of each pixel, 0 to n - 1.
    chosen : array, shape (n,), bool
        True for the patches that are counted, by number.
    mask : array, shape (rows, columns), bool

    Returns
    -------
    inside, outside : int
    """
    rows, columns = patches.shape
    inside = outside = 0
    for r in range(rows):
        for c in range(columns):
            counted = chosen[patches[r, c]]
            inside += counted & mask[r, c]
            outside += counted & (not mask[r, c])
    return inside, outside


@jit
def chain_lengths(mask: NDArray[np.bool_], out: NDArray[np.int32]) -> None:
    """Compute the length of the longest steep chain that each pixel of a mask is connected to.

    A chain takes one pixel in each of successive rows, at most one column beside the one above. Its
    length is computed at its lower end, and passed on to the pixels that lead there from above.

    Parameters
    ----------
    mask : array, shape (rows, columns), bool
    out : array, shape (rows, columns), int32
        Receives the lengths, rows; 0 outside the mask.
    """
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
    for r in range(rows - 2, -1, -1):
        for c in range(columns):
            if mask[r, c]:
                for k in range(max(c - 1, 0), min(c + 2, columns)):
                    out[r, c] = max(out[r, c], out[r + 1, k])
