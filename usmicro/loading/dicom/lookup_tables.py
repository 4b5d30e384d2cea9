"""Look-up tables and colour palettes of a DICOM header.

References
----------
DICOM PS3.3, C.7.6.3.1.5, C.7.9.2 and C.11.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLOURS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = range(3)
"""Kinds of segments of a segmented palette."""


@dataclass(frozen=True)
class LookupTable:
    """A table of output values for successive input values."""

    first: int
    """Input value of the first entry; lower values get the first entry, higher ones the last."""
    entries: NDArray[np.uint16]

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Return the entries of values, rounded to integers."""
        places = np.rint(np.asarray(values, dtype=float)).astype(np.int64) - self.first
        return np.asarray(self.entries[np.clip(places, 0, self.entries.size - 1)])


def grey_table(item: Any, *, is_little_endian: bool) -> LookupTable:
    """Return the table of an item of a Modality or VOI LUT Sequence.

    Raises
    ------
    ValueError
        If the item has no valid table.
    """
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if descriptor is None or data is None or len(descriptor) != 3:
        raise ValueError("a look-up table lacks its descriptor or its data")
    return _table(descriptor, data, is_little_endian=is_little_endian)


def palette(header: Any, *, is_little_endian: bool) -> list[LookupTable]:
    """Return the tables of red, green and blue of a palette; their entries have 8 or 16 bits.

    Raises
    ------
    ValueError
        If the header has no valid palette.
    """
    tables = []
    for colour in _COLOURS:
        descriptor = header.get(f"{colour}PaletteColorLookupTableDescriptor")
        data = header.get(f"{colour}PaletteColorLookupTableData")
        segments = header.get(f"Segmented{colour}PaletteColorLookupTableData")
        if descriptor is None or len(descriptor) != 3 or (data is None and segments is None):
            raise ValueError(f"the header lacks the {colour.lower()} palette or its descriptor")
        if data is not None:
            tables.append(_table(descriptor, data, is_little_endian=is_little_endian))
            continue
        width = 1 if int(descriptor[2]) <= 8 else 2
        words = np.frombuffer(segments, _dtype(width, is_little_endian=is_little_endian))
        entries = np.asarray(_expanded(words.tolist(), width), np.uint16)
        tables.append(LookupTable(int(descriptor[1]), entries))
    return tables


def _dtype(width: int, *, is_little_endian: bool) -> np.dtype[Any]:
    return np.dtype(f"{'<' if is_little_endian else '>'}u{width}")


def _table(descriptor: Sequence[Any], data: Any, *, is_little_endian: bool) -> LookupTable:
    """Return a table from its descriptor: number of entries, first input value, bits of entry."""
    count, first, bits = int(descriptor[0]) or 1 << 16, int(descriptor[1]), int(descriptor[2])
    if isinstance(data, bytes | bytearray):
        # entries of 8 bits have a byte each, or a word each; an odd number of bytes is padded
        width = 2 if len(data) >= 2 * count or (bits > 8 and len(data) > count + 1) else 1
        entries = np.frombuffer(data, _dtype(width, is_little_endian=is_little_endian))
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF
    if entries.size < count:
        raise ValueError(f"a look-up table has {entries.size} entries, its descriptor says {count}")
    return LookupTable(first, entries[:count].astype(np.uint16))


def _expanded(words: list[int], width: int) -> list[int]:
    """Return the entries of a segmented palette of `width` bytes per word."""
    entries: list[int] = []
    position, most = 0, 1 << 16
    while position + 1 < len(words) and len(entries) <= most:
        kind, length = words[position : position + 2]
        position += 2
        if kind == _DISCRETE:
            entries += words[position : position + length]
            position += length
        elif kind == _LINEAR and entries:
            entries += _ramp(entries[-1], words[position], length)
            position += 1
        elif kind == _INDIRECT:
            size = 4 // width
            start = sum(word << (8 * width * i) for i, word in enumerate(words[position:][:size]))
            entries += _copied(words, start // width, length, entries)
            position += size
        else:
            raise ValueError("the segments of the colour palette are damaged")
    if not entries or len(entries) > most:
        raise ValueError("the segments of the colour palette are damaged")
    return entries


def _copied(words: list[int], start: int, count: int, entries: list[int]) -> list[int]:
    """Return the entries of `count` earlier discrete and linear segments from a place on."""
    copied: list[int] = []
    for _ in range(count):
        if start + 2 >= len(words) or words[start] == _INDIRECT:
            raise ValueError("the segments of the colour palette are damaged")
        kind, length = words[start : start + 2]
        if kind == _DISCRETE:
            copied += words[start + 2 : start + 2 + length]
            start += 2 + length
        else:
            copied += _ramp((copied or entries)[-1], words[start + 2], length)
            start += 3
    return copied


def _ramp(before: int, last: int, length: int) -> list[int]:
    """Return the entries of a linear segment that follows the entry `before`."""
    values = np.rint(np.linspace(before, last, length + 1)[1:])
    return [int(value) for value in values]
