"""The frames of a TIFF file: pages, stacks stored in one page, volumes and channels.

References
----------
TIFF 6.0; SGI TIFF extension ImageDepth; ImageJ `TiffDecoder`: "images" of the description follow
one another in the file if there is only one page.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import ScanError
from usmicro.loading.formats import DAMAGED, check_frame_count
from usmicro.loading.pillow_image import is_unsupported
from usmicro.loading.tiff_stack import (
    METADATA_TAGS,
    PAGE_NAME,
    Stack,
    has_rgb_names,
    read_stack,
)
from usmicro.model.arrays import Frame
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

SIZE = (256, 257)
"""Numbers of the tags ImageWidth and ImageLength."""
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES, PLANAR = 258, 262, 277, 284
_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _COMPRESSION, _FILL_ORDER, _PREDICTOR = 254, 255, 259, 266, 317
_STRIP_OFFSETS, _STRIP_LENGTHS, _TILE_WIDTH, _SAMPLE_FORMAT, _DEPTH = 273, 279, 322, 339, 32997
WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = range(4)
"""Values of PhotometricInterpretation."""
_SIGNED = 2
"""Value of SampleFormat."""
_REDUCED_OR_MASK = 1 | 4
"""Bits of NewSubfileType: a reduced copy, a transparency mask."""
_OLD_REDUCED = 2
"""Value of SubfileType for a reduced copy."""
_ORIENTATION = 274
_USED_TAGS = (
    *SIZE,
    *(BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES, PLANAR, PAGE_NAME, _ORIENTATION),
    *(_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _COMPRESSION, _FILL_ORDER, _PREDICTOR),
    *(_STRIP_OFFSETS, _STRIP_LENGTHS, _TILE_WIDTH, _SAMPLE_FORMAT, _DEPTH),
)


class Tags(dict[int, Any]):
    """The tags of a page that are used here."""

    def __init__(self, tags: dict[int, Any], prefix: bytes, *, is_readable: bool) -> None:
        super().__init__(tags)
        self.is_readable = is_readable
        """True if Pillow reads the page."""
        self.prefix = prefix
        """b"II" if the file is little-endian, otherwise b"MM"."""


@dataclass(frozen=True, slots=True)
class RawLayout:
    """Layout of images that are stored uncompressed, without strips or tiles between their rows."""

    dtype: str
    """Type of the values with their byte order, for NumPy."""
    rows: int
    columns: int
    samples: int
    """Number of values of a pixel, 1 or 3."""
    separate_planes: bool
    """True if the colours are stored one after the other."""
    white_is_zero: bool

    @property
    def length(self) -> int:
        """Number of bytes of an image."""
        return self.rows * self.columns * self.samples * np.dtype(self.dtype).itemsize

    def decode(self, data: bytes) -> Frame:
        """Return the image of these bytes, grey or RGB, in the byte order of this machine."""
        values = np.frombuffer(data, self.dtype).astype(np.dtype(self.dtype).newbyteorder("="))
        image: Frame
        if self.separate_planes:
            image = np.moveaxis(values.reshape(self.samples, self.rows, self.columns), 0, -1)
        else:
            image = values.reshape(self.rows, self.columns, self.samples)
        if self.samples == 1:
            image = image[..., 0]
        return np.invert(image) if self.white_is_zero else np.ascontiguousarray(image)


@dataclass(frozen=True, slots=True)
class FrameImages:
    """The images of a file that form its frames.

    Each frame has one image, or three that are its red, green and blue channel. An image is the
    number of a page, or of an image of an animation. If `raw` is given, it is an offset in the
    file.
    """

    frames: tuple[tuple[int, ...], ...]
    """The images of each frame."""
    raw: RawLayout | None = None
    """Layout of the images of a TIFF file that are read directly; None if Pillow reads them."""
    remarks: tuple[Remark, ...] = ()


def find_frames(path: Path, image: Any, most_frames: int) -> FrameImages:
    """Find the frames of a TIFF file that Pillow has opened.

    Parameters
    ----------
    path : Path
    image : PIL.TiffImagePlugin.TiffImageFile
    most_frames : int
        Largest accepted number of frames.

    Raises
    ------
    ScanError
        If there are too many images, they are a volume in a layout that is not read, or they have
        signed 8-bit values.
    """
    pages = _page_tags(image)
    check_frame_count(path, len(pages), most_frames)
    main, remarks = _main_pages(pages)
    first = pages[main[0]]
    _check_values(path, first)
    columns, rows = (int(first.get(tag, 0)) for tag in SIZE)
    stack = read_stack(first, rows, columns, int(first.get(SAMPLES, 1)))
    depth = int(first.get(_DEPTH, 1) or 1)
    size = os.path.getsize(path)
    raw = _raw_layout(first)
    if depth > 1:
        offsets = [_raw_offset(pages[page]) for page in main]
        is_same = all(
            _raw_layout(pages[page]) == raw and int(pages[page].get(_DEPTH, 1) or 1) == depth
            for page in main
        )
        if raw is None or None in offsets or not is_same:
            raise ScanError(
                f"{path}: a TIFF volume of {depth} planes in a layout that is not read "
                "(compressed, in tiles, or not the same on all pages); save its planes as pages"
            )
        starts = [start for start in offsets if start is not None]
        if max(starts) + depth * raw.length > size:
            raise ScanError(f"{path}: the file is shorter than its {depth} planes; {DAMAGED}")
        places = [start + k * raw.length for start in starts for k in range(depth)]
        remarks.append(f"the planes of a TIFF volume are read as {len(places)} frames")
        return _with_channels(places, raw, Stack(), [], remarks)
    if stack.images > len(main) and len(pages) == 1 and raw is not None:
        start = _raw_offset(first)
        if start is not None and start + stack.images * raw.length <= size:
            places = [start + k * raw.length for k in range(stack.images)]
            return _with_channels(places, raw, stack, [], remarks)
    if stack.images > len(main):
        remarks.append(
            ScanWarning(
                WarningCode.FRAMES_NOT_READ,
                f"the {stack.writer} description names {stack.images} images, but "
                f"{len(main)} could be found in the file",
            )
        )
        stack = Stack()
    return _with_channels(main, None, stack, [pages[page] for page in main], remarks)


def _page_tags(image: Any) -> list[Tags]:
    """Return the tags of every page; Pillow replaces them when it goes to another page."""
    pages: list[Tags] = []
    # the number of pages that Pillow gives is an error if it does not read one of them
    for page in itertools.count():
        is_readable = True
        try:
            image.seek(page)
        except EOFError:
            break
        except (OSError, SyntaxError, KeyError) as error:
            if not is_unsupported(error):
                raise
            is_readable = False
        present = {tag: image.tag_v2[tag] for tag in _USED_TAGS if tag in image.tag_v2}
        if page == 0:
            present |= {tag: image.tag_v2[tag] for tag in METADATA_TAGS if tag in image.tag_v2}
        pages.append(Tags(present, image.tag_v2.prefix, is_readable=is_readable))
    return pages


def _main_pages(pages: list[Tags]) -> tuple[list[int], list[Remark]]:
    """Return the numbers of the pages that are frames, and remarks on the others.

    Frames have the size and the number of bits of the first page that is no reduced copy.
    """
    reduced = [page for page, tags in enumerate(pages) if _is_reduced(tags)]
    if len(reduced) == len(pages):
        reduced = []
    full = [page for page in range(len(pages)) if page not in set(reduced)]
    kind = _kind(pages[full[0]])
    main = [page for page in full if _kind(pages[page]) == kind]
    remarks: list[Remark] = []
    if reduced:
        remarks.append(
            f"{len(reduced)} of {len(pages)} TIFF pages are left out: "
            "they are marked as reduced copies or masks"
        )
    if len(main) < len(full):
        remarks.append(
            ScanWarning(
                WarningCode.FRAMES_NOT_READ,
                f"{len(full) - len(main)} of {len(pages)} TIFF pages are left out: they differ "
                "from the first in their size or in the bits of their pixels",
            )
        )
    return main, remarks


def _is_reduced(tags: Tags) -> bool:
    """Return True if a page is marked as a thumbnail, a level of a pyramid or a mask."""
    return bool(
        int(tags.get(_SUBFILE_TYPE, 0)) & _REDUCED_OR_MASK
        or tags.get(_OLD_SUBFILE_TYPE, 0) == _OLD_REDUCED
    )


def _kind(tags: Tags) -> tuple[object, ...]:
    """Return what the pages that are frames must have in common.

    That is their size, bits, format of the values and orientation, and whether Pillow reads them.
    """
    return (
        *(tags.get(tag) for tag in SIZE),
        max(_all(tags, BITS_PER_SAMPLE, 1)),
        max(_all(tags, _SAMPLE_FORMAT, 1)),
        tags.get(_ORIENTATION, 1),
        tags.is_readable,
    )


def _all(tags: Tags, tag: int, default: int) -> tuple[int, ...]:
    """Return all values of a tag."""
    value = tags.get(tag, default)
    return tuple(value) if isinstance(value, tuple) else (value,)


def _check_values(path: Path, tags: Tags) -> None:
    """Refuse values that Pillow would read wrongly without a message.

    Raises
    ------
    ScanError
    """
    bits, sample_format = max(_all(tags, BITS_PER_SAMPLE, 1)), max(_all(tags, _SAMPLE_FORMAT, 1))
    if sample_format == _SIGNED and bits == 8:
        raise ScanError(
            f"{path}: signed 8-bit pixels have no display brightness; "
            "convert the image to unsigned 8-bit grey"
        )


def _raw_layout(tags: Tags) -> RawLayout | None:
    """Return the layout of a page whose pixels can be read directly, otherwise None."""
    bits, photometric = set(_all(tags, BITS_PER_SAMPLE, 1)), tags.get(PHOTOMETRIC)
    samples = int(tags.get(SAMPLES, 1))
    columns, rows = (int(tags.get(tag, 0)) for tag in SIZE)
    is_plain = (
        tags.get(_COMPRESSION, 1) == 1
        and tags.get(_FILL_ORDER, 1) == 1
        and tags.get(_PREDICTOR, 1) == 1
        and _TILE_WIDTH not in tags
        and set(_all(tags, _SAMPLE_FORMAT, 1)) == {1}
        and bits in ({8}, {16})
    )
    is_grey = samples == 1 and photometric in (WHITE_IS_ZERO, _BLACK_IS_ZERO)
    is_image = is_grey or (samples == 3 and photometric == _RGB)
    if not (is_plain and is_image and rows and columns):
        return None
    order = "<" if tags.prefix == b"II" else ">"
    return RawLayout(
        f"{order}u{max(bits) // 8}",
        rows,
        columns,
        samples,
        samples > 1 and tags.get(PLANAR, 1) == 2,
        photometric == WHITE_IS_ZERO,
    )


def _raw_offset(tags: Tags) -> int | None:
    """Return the offset of the first strip of a page; None if the strips have gaps between them."""
    starts, lengths = _all(tags, _STRIP_OFFSETS, 0), _all(tags, _STRIP_LENGTHS, 0)
    follows = all(
        start + length == following
        for start, length, following in zip(starts, lengths, starts[1:], strict=False)
    )
    return starts[0] if follows and starts[0] > 0 else None


def _with_channels(
    images: list[int],
    raw: RawLayout | None,
    stack: Stack,
    page_tags: list[Tags],
    remarks: list[Remark],
) -> FrameImages:
    """Join the images of red, green and blue channels to frames."""
    step = stack.channel_step
    is_rgb = stack.is_rgb and len(images) % (3 * step) == 0
    if not is_rgb and has_rgb_names(page_tags):
        is_rgb, step = True, 1
    samples = raw.samples if raw is not None else int(page_tags[0].get(SAMPLES, 1))
    has_palette = raw is None and page_tags[0].get(PHOTOMETRIC) == _PALETTE
    if is_rgb and samples == 1 and not has_palette:
        remarks.append("the red, green and blue channels are stored as images of their own")
        starts = [i for i in range(len(images)) if i // step % 3 == 0]
        frames = tuple((images[i], images[i + step], images[i + 2 * step]) for i in starts)
        return FrameImages(frames, raw, tuple(remarks))
    if stack.channels > 1 and samples == 1 and len(images) > 1:
        remarks.append(
            f"the {stack.writer} description names {stack.channels} channels, "
            "each of which is read as a frame of its own"
        )
    return FrameImages(tuple((image,) for image in images), raw, tuple(remarks))
