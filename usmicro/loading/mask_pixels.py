"""Decoding of pictures that are masks, and the distinction of masks from scans by their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ScanError
from usmicro.loading.formats import (
    STILL_FORMATS,
    detect_format,
    file_state,
    format_of_bytes,
    scan_errors,
)
from usmicro.loading.pillow_image import pillow_plugin
from usmicro.loading.raster_frames import MODES_16_BIT_GREY, MODES_WITH_ALPHA
from usmicro.loading.tiff import PHOTOMETRIC, WHITE_IS_ZERO
from usmicro.settings import LoadingSettings

FEW_VALUES = 8
"""Largest number of colours of a picture that is a mask without further examination. A label image
has at most five, a scan has more than a hundred. Also the number of values that a message lists."""
BAND = 0.04
"""Values this near 0 count as 0, and values this near the largest one count as that, as a fraction
of the largest: 10 of 255. In a JPEG of quality 75 or more, flat areas stay within
3 of 255. Chosen by judgement."""
MOST_BETWEEN = 0.1
"""Largest fraction of the pixels of a mask between the two bands: smooth edges and JPEG artefacts.
Every eighth picture of BrEaST, BUS-BRA, BUSI and BUS-UCLM: scans have at least 0.58, masks at most
0.012 after saving as JPEG of quality 75, and 0.031 after resizing to one half and back."""
_FLAT_BYTES = 0.02
"""Bytes per pixel below which a PNG cannot hold speckle, so that it need not be decoded. Nearly all
masks of the four data sets have less, the 201 scans that are PNG at least 0.5."""
_LARGEST_EXAMINED = LoadingSettings().largest_image
"""Number of pixels above which a picture is not decoded to see whether it is a mask: a damaged or
hostile file may declare more than the memory holds. The same as for scans."""
_CACHED_PICTURES = 65536
"""Number of pictures of which it is remembered whether they look like masks, as many as masks in a
folder. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The decoded pixels of a picture."""

    colours: NDArray[Any]
    """Shape (rows, columns) if grey, else (rows, columns, 3); transparent pixels are black."""
    indices: NDArray[np.integer] | None
    """Indices of a palette image, shape (rows, columns)."""
    file_format: str

    @property
    def grey(self) -> NDArray[Any] | None:
        """Grey values, shape (rows, columns); None if the picture is coloured."""
        if self.colours.ndim == 2:
            return self.colours
        first = self.colours[..., 0]
        return first if (self.colours == first[..., np.newaxis]).all() else None

    @property
    def brightness(self) -> NDArray[np.float32]:
        """Largest channel of each pixel, shape (rows, columns)."""
        values = self.colours if self.colours.ndim == 2 else self.colours.max(axis=-1)
        return values.astype(np.float32)


def looks_like_mask(path: Path) -> bool:
    """Return True if a picture has few colours, or nearly all its pixels have two values.

    It is cached until the file changes.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    return _cached_look(path, *file_state(path))


@lru_cache(maxsize=_CACHED_PICTURES)
def _cached_look(path: Path, modified_ns: int, size: int) -> bool:
    """Examine a file; its modification time and size are part of the cache key."""
    with scan_errors(path, "the picture cannot be read"), path.open("rb") as file:
        return picture_looks_like_mask(file, size)


def picture_looks_like_mask(file: IO[bytes], size: int) -> bool:
    """Return True if a picture looks like a mask, as `looks_like_mask`, but of an open file.

    Parameters
    ----------
    file : binary file
    size : int
        Size of the file, bytes.

    Raises
    ------
    Exception
        Any error of the decoder.
    """
    head = file.read(256)
    file.seek(0)
    file_format = format_of_bytes(head)
    if file_format not in STILL_FORMATS:
        return False
    if file_format == "png":
        columns, rows = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
        if head[24] == 1 or (rows * columns and size < _FLAT_BYTES * rows * columns):
            return True
    with _opened(file, file_format) as image:
        if image.size[0] * image.size[1] > _LARGEST_EXAMINED:
            return False
        pixels = _pixels(image, file_format)
    values = pixels.brightness
    largest = float(values.max())
    if len(np.unique(values)) <= FEW_VALUES:
        return True
    between = (values > BAND * largest) & (values < (1 - BAND) * largest)
    return bool(between.mean() <= MOST_BETWEEN)


def _opened(file: IO[bytes], file_format: str) -> Any:
    """Open a picture with the Pillow class of its format.

    `PIL.Image.open` is not used: it has a limit on the size that is not in the settings of a run.
    """
    from PIL import Image

    pillow_plugin(file_format)  # adds its format to OPEN
    factory, _ = Image.OPEN[file_format.upper()]
    return factory(file, "")


def decoded(path: Path, shape: tuple[int, int]) -> Pixels:
    """Decode a mask and check its size."""
    file_format = detect_format(path)
    if file_format not in STILL_FORMATS:
        raise ScanError(
            f"{path}: expected a mask as PNG, BMP, TIFF, JPEG, GIF or DICOM Segmentation, "
            f"found {file_format}; convert it or leave it out"
        )
    with (
        scan_errors(path, "the mask cannot be read"),
        path.open("rb") as file,
        _opened(file, file_format) as image,
    ):
        pages = getattr(image, "n_frames", 1)
        if pages > 1:
            raise ScanError(
                f"{path}: the mask has {pages} pages, expected one picture, which is used for all "
                "frames; give a DICOM Segmentation for outlines of single frames"
            )
        columns, rows = image.size
        pixels = None
        if sorted((rows, columns)) == sorted(shape):  # its orientation tag may exchange them
            pixels = _pixels(image, file_format)
            rows, columns = pixels.colours.shape[:2]
        if pixels is None or (rows, columns) != shape:
            raise ScanError(
                f"{path}: the mask has {rows} rows x {columns} columns, "
                f"expected {shape[0]} x {shape[1]} as in its image; give a mask of the same size"
            )
    return pixels


def _pixels(image: Any, file_format: str) -> Pixels:
    """Decode the pixels of an open picture, turned upright by its orientation tag.

    Raises
    ------
    ScanError, Exception
        If the kind of pixels is not read; any error of the decoder.
    """
    from PIL import ImageOps

    layout = image.tile[0][3] if image.tile else ""
    raw_mode = layout if isinstance(layout, str) else layout[0] if layout else ""
    is_grey = image.mode in MODES_16_BIT_GREY
    if "16" in str(raw_mode) and file_format in ("png", "tiff") and not is_grey:
        raise ValueError("16-bit colours are not read in a mask; save it with 8 bits")
    photometric = image.tag_v2.get(PHOTOMETRIC) if file_format == "tiff" else None
    image.load()
    if file_format != "tiff":  # Pillow itself turns a TIFF
        image = ImageOps.exif_transpose(image)
    indices = np.asarray(image) if image.mode == "P" else None
    if image.mode == "PA":
        indices = np.asarray(image)[..., 0]
    if image.mode in MODES_WITH_ALPHA or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        return Pixels(_on_black(rgba[..., :3], rgba[..., 3]), indices, file_format)
    if image.mode not in ("1", "L", "F", *MODES_16_BIT_GREY):
        image = image.convert("RGB")
    values = np.asarray(image)
    if photometric == WHITE_IS_ZERO and values.dtype == np.uint16:  # Pillow inverts only 8 bits
        values = np.invert(values)
    return Pixels(values, indices, file_format)


def _on_black(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Return the colours of a picture with black in place of transparent pixels.

    An alpha channel with one value says nothing. If everything visible is black, the alpha channel
    itself is the mask.
    """
    least, most = int(alpha.min()), int(alpha.max())
    if least == most:
        return colours
    visible = alpha > (least + most) / 2
    if not colours[visible].any():
        return np.asarray(visible * np.uint8(255))
    return np.where(visible[..., np.newaxis], colours, 0)
