"""What the description of a TIFF file says about a stack: number of images and channels.

ImageJ, tifffile and OME-TIFF write it into the tag ImageDescription of the first page.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_RGB = ("red", "green", "blue")
_DESCRIPTION, PAGE_NAME = 270, 285
_IMAGEJ_COUNTS, _IMAGEJ_DATA = 50838, 50839
"""Numbers of the TIFF tags with the metadata of ImageJ."""
METADATA_TAGS = (_DESCRIPTION, _IMAGEJ_COUNTS, _IMAGEJ_DATA)
"""Tags of the first page that describe the whole file."""
_LUT_BYTES = 3 * 256
_OME_COLOURS = (0xFF0000FF, 0x00FF00FF, 0x0000FFFF)
"""Red, green and blue in OME: red in the highest byte, opacity in the lowest."""
_LONGEST_DESCRIPTION = 4 * 2**20
"""Later characters of a description are not read. An OME description has about 100 bytes for each
plane. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as its description gives it."""

    writer: str = ""
    """Program or standard that wrote the description; empty if there is none."""
    images: int = 1
    """Number of images of the stack; each channel counts."""
    channels: int = 1
    """Number of channels of a frame that are images of their own."""
    channel_step: int = 1
    """Distance of an image to the next channel of the same frame, in images."""
    is_rgb: bool = False
    """True if there are three channels shown in red, green and blue."""


def read_stack(tags: Mapping[int, Any], rows: int, columns: int, samples: int) -> Stack:
    """Return what the tags of the first page say about the stack.

    Parameters
    ----------
    tags : mapping from tag number to value
    rows, columns, samples : int
        Size and number of samples per pixel of the first page.
    """
    description = str(tags.get(_DESCRIPTION) or "")[:_LONGEST_DESCRIPTION]
    try:
        if description.startswith("ImageJ="):
            return _imagej(tags, description)
        if "<OME" in description[:2000]:
            return _ome(description, samples)
        if description.startswith("{"):
            return _shaped(description, rows * columns * samples)
    except (ValueError, KeyError, TypeError, OverflowError):
        pass  # a person may have written a description that only looks like that of a program
    return Stack()


def has_rgb_names(page_tags: Sequence[Mapping[int, Any]]) -> bool:
    """Return True if the names of pages are red, green and blue, again and again."""
    names = [str(tags.get(PAGE_NAME) or "").strip().lower() for tags in page_tags]
    return (
        len(names) >= 3
        and len(names) % 3 == 0
        and all(name.startswith(_RGB[i % 3]) for i, name in enumerate(names))
    )


def _imagej(tags: Mapping[int, Any], description: str) -> Stack:
    """Read the description of ImageJ, lines of name=value. Channels vary fastest."""
    values = dict(line.split("=", 1) for line in description.splitlines() if "=" in line)
    parts = [int(values.get(name, 1)) for name in ("channels", "slices", "frames")]
    if min(parts) < 1:
        raise ValueError(description)
    channels = parts[0]
    is_rgb = channels == 3 and values.get("mode") == "composite" and _has_rgb_luts(tags)
    return Stack("ImageJ", max(int(values.get("images", 1)), math.prod(parts)), channels, 1, is_rgb)


def _has_rgb_luts(tags: Mapping[int, Any]) -> bool:
    """Return True if ImageJ shows three channels in red, green and blue, as without tables."""
    counts, data = tags.get(_IMAGEJ_COUNTS), tags.get(_IMAGEJ_DATA)
    if not counts or not data:
        return True
    counts = (counts,) if isinstance(counts, int) else tuple(counts)
    data = bytes(data) if isinstance(data, bytes | tuple) else b""
    luts, position = [], counts[0]
    for count in counts[1:]:
        if count == _LUT_BYTES:
            luts.append(data[position : position + count])
        position += count
    if not luts:
        return True
    ends = [tuple(lut[255::256]) for lut in luts[:3]]
    return ends == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def _shaped(description: str, values_of_image: int) -> Stack:
    """Read the description of tifffile, the shape of an array in JSON."""
    content = json.loads(description)
    shape = [int(number) for number in content["shape"]]
    values = math.prod(shape)
    if min(shape) < 1 or values % values_of_image:
        raise ValueError(description)
    return Stack("tifffile", values // values_of_image)


def _ome(description: str, samples: int) -> Stack:
    """Read the attributes of Pixels and Channel in an OME description.

    They are searched for as text: a parser of XML would also follow what a file defines.
    """
    pixels = re.findall(r"<(?:\w+:)?Pixels\b([^>]*)>", description)
    sizes = []
    for attributes in pixels:
        found = dict(re.findall(r'\b(Size[CZT]|DimensionOrder)\s*=\s*"([^"]*)"', attributes))
        sizes.append(found)
    if not sizes:
        return Stack()
    images = sum(
        math.prod(int(found.get(f"Size{axis}", 1)) for axis in "ZT")
        * max(1, int(found.get("SizeC", 1)) // samples)
        for found in sizes
    )
    first = sizes[0]
    channels = max(1, int(first.get("SizeC", 1)) // samples)
    order = first.get("DimensionOrder", "XYCZT")
    before = order[2 : order.index("C")] if "C" in order else ""
    step = math.prod(int(first.get(f"Size{axis}", 1)) for axis in before)
    return Stack("OME", images, channels, step, channels == 3 and _has_ome_rgb(description))


def _has_ome_rgb(description: str) -> bool:
    """Return True if the first three channels have the names or colours red, green and blue."""
    channels = re.findall(r"<(?:\w+:)?Channel\b([^>]*)>", description)[:3]
    if len(channels) < 3:
        return False
    names = [re.search(r'\bName\s*=\s*"([^"]*)"', channel) for channel in channels]
    if all(name and name[1].lower().startswith(_RGB[i]) for i, name in enumerate(names)):
        return True
    colours = [re.search(r'\bColor\s*=\s*"(-?\d+)"', channel) for channel in channels]
    return all(
        colour and int(colour[1]) % 2**32 == _OME_COLOURS[i] for i, colour in enumerate(colours)
    )
