"""PNG files of grey and of tinted pictures with coloured drawings, with a palette.

A palette of the levels of the scan, grey or tinted, and of a few colours needs a third of the bytes
of RGB, and the filters of PNG work as on a grey picture. OpenCV writes no palettes, so the indices
are encoded as a grey picture, whose header is then changed: both kinds store a byte for each pixel
in the same way (PNG specification, third edition, sections 7.2 and 11.2).
"""

from __future__ import annotations

import zlib
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage
from usmicro.writing.masks import encode_png

GREY_LEVELS = 192
"""Grey levels of the palette; the other entries are colours. A level differs from the true grey by
at most 0.7 of 255. Chosen by eye on scans of BUS-BRA and the samples; fewer levels would save 4 %
of the bytes for each tenth (`python -m benchmarks.speed`)."""
COLOURS = 256 - GREY_LEVELS
MOST_COLOURED = 0.1
"""Largest share of pixels in other colours than those of the scan: more, as of colour Doppler, need
more colours than the palette has. Drawings on the samples colour at most 5 %."""
TINT_DIFFERENCE = 16
"""Largest difference of a channel of a pixel of a tinted scan from its entry in the palette. Lossy
coding varies the tint by so much. Chosen by eye on scans of BUSI and BUS-UCLM."""
TINT_STEP = 61
"""Every so many pixels a pixel is used to measure the tint."""
MOST_DIFFERENCE = 100.0
"""Largest distance in RGB of coloured pixels, all but one in a hundred, from their entry of the
palette. On overlays of grey samples it is 25 to 76. On one of a colour cine with few colours, where
rings turned grey, it was 144; such a picture is written in RGB."""
CELL_BITS = 4
"""Bits of each channel that decide which colours share an entry of the palette."""
_OPTIONS = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)
"""Differences of neighbours, the default of OpenCV, without a search for repetitions, which speckle
has not. On an overlay of BUS-BRA 174 kB in 5.0 ms; 191 kB in 6.4 ms with the search, 158 kB in
6.4 ms with a choice of the filter for each row."""
_PALETTE_TYPE = 3
_HEADER_END = 33
"""Length in bytes of the signature and the header chunk of a PNG file."""
_TYPE_AT = 25
"""Position of the colour type in the file."""


def encode_with_drawing(picture: ByteImage) -> bytes:
    """Encode a grey or tinted picture with what is drawn on it; equal pixels give equal bytes.

    Parameters
    ----------
    picture : array, shape (rows, columns, 3), uint8 RGB

    Returns
    -------
    bytes
        A PNG file: with a palette, or in RGB if many pixels have other colours.
    """
    red, green, blue = cv2.split(picture)
    coloured = cv2.bitwise_or(cv2.bitwise_xor(red, green), cv2.bitwise_xor(green, blue))
    levels, ramp = green, np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    if cv2.countNonZero(coloured) > MOST_COLOURED * coloured.size:
        levels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        ramp = _tint(picture, levels)
        differences = (
            cv2.absdiff(channel, cv2.LUT(levels, np.ascontiguousarray(of_levels)))
            for channel, of_levels in zip((red, green, blue), ramp.T, strict=True)
        )
        coloured = cv2.subtract(reduce(cv2.max, differences), TINT_DIFFERENCE)
    at = np.flatnonzero(cv2.min(coloured, 1).view(bool))
    if len(at) > MOST_COLOURED * coloured.size:
        return encode_png(picture)
    nearest = np.rint(np.arange(256) * ((GREY_LEVELS - 1) / 255)).astype(np.uint8)
    indices = np.asarray(cv2.LUT(levels, nearest))
    chosen = ramp[np.rint(np.linspace(0, 255, GREY_LEVELS)).astype(np.uint8)]
    palette, entries, difference = _palette(picture.reshape(-1, 3)[at], chosen)
    if difference > MOST_DIFFERENCE:
        return encode_png(picture)
    indices.reshape(-1)[at] = entries
    done, encoded = cv2.imencode(".png", indices, _OPTIONS)
    assert done, "OpenCV can encode every 8-bit image as PNG"
    return _with_palette(encoded.tobytes(), palette)


def _tint(picture: ByteImage, levels: ByteImage) -> ByteImage:
    """Return the colour of the scan at each grey level, shape (256, 3), uint8.

    It is the mean colour of the pixels of that level: of all, then of those near the first mean, so
    that drawings do not count. Levels that do not occur get a colour between their neighbours'.
    """
    colours, level = picture.reshape(-1, 3)[::TINT_STEP], levels.reshape(-1)[::TINT_STEP]
    kept: NDArray[np.bool_] = np.ones(len(level), bool)
    for _ in range(2):
        count = np.bincount(level[kept], minlength=256)
        known = np.flatnonzero(count)
        ramp = np.empty((256, 3))
        for channel in range(3):
            total = np.bincount(level[kept], colours[kept, channel], minlength=256)
            ramp[:, channel] = np.interp(np.arange(256), known, total[known] / count[known])
        kept = np.all(np.abs(colours - ramp[level]) <= TINT_DIFFERENCE, axis=1)
        if not kept.any():
            break
    return np.rint(ramp).astype(np.uint8)


def _palette(pixels: ByteImage, scan: ByteImage) -> tuple[ByteImage, NDArray[np.uint8], float]:
    """Choose a palette: the levels of the scan, shape (GREY_LEVELS, 3), then colours.

    The colours are those of coloured pixels, shape (n, 3).

    Pixels with the same leading bits share a cell. The most frequent colour of each of the cells
    with most pixels enters the palette; the pixels of a cell take the nearest entry.

    Returns
    -------
    palette : array, shape (m, 3), uint8
    entries : array, shape (n,), uint8
        Index in the palette for each pixel.
    difference : float
        Distance in RGB from their entry that 99 % of the pixels do not exceed.
    """
    packed = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    colours, colour_of, counts = np.unique(packed, return_inverse=True, return_counts=True)
    by_count = np.argsort(-counts, kind="stable")
    channels = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=1)
    cell = (channels >> (8 - CELL_BITS)) @ (1 << CELL_BITS * np.arange(3))
    _, first, of_cell = np.unique(cell[by_count], return_index=True, return_inverse=True)
    in_cell = np.bincount(of_cell, counts[by_count])
    kept = by_count[first[np.argsort(-in_cell, kind="stable")[:COLOURS]]]
    palette = np.concatenate([scan, channels[kept]])
    entries, squared_distances = _nearest(channels, palette)
    distances = np.sqrt(squared_distances)[colour_of]
    difference = float(np.percentile(distances, 99)) if len(pixels) else 0.0
    return palette.astype(np.uint8), entries.astype(np.uint8)[colour_of], difference


def _nearest(
    colours: NDArray[np.int32], palette: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the nearest entry of a palette for each colour, and its squared distance in RGB.

    The arguments have shapes (n, 3) and (m, 3), the results (n,). Squared distances of colours are
    whole numbers below 2^24, which float32 holds exactly. The search tree of SciPy gives the same;
    its import takes longer than the search.
    """
    own, others = colours.astype(np.float32), palette.astype(np.float32)
    squares = own @ (np.float32(-2) * others.T)
    squares += np.square(others).sum(axis=1)
    entries = squares.argmin(axis=1)
    nearest = squares[np.arange(len(own)), entries] + np.square(own).sum(axis=1)
    return entries, nearest


def _with_palette(encoded: bytes, palette: ByteImage) -> bytes:
    """Return a grey PNG file as one whose bytes are indices of a palette, shape (n, 3)."""
    header = bytearray(encoded[:_HEADER_END])
    header[_TYPE_AT] = _PALETTE_TYPE
    header[-4:] = zlib.crc32(header[12:-4]).to_bytes(4, "big")
    content = b"PLTE" + palette.tobytes()
    length, check = len(content) - 4, zlib.crc32(content)
    chunk = length.to_bytes(4, "big") + content + check.to_bytes(4, "big")
    return bytes(header) + chunk + encoded[_HEADER_END:]
