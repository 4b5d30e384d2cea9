"""Loading of PNG, JPEG, BMP and TIFF files.

Pillow decodes them: it handles palettes, 1-bit pixels, CMYK, transparency and orientation, and
gives the size before decoding. OpenCV decodes 16-bit colour, which Pillow reduces to 8 bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import ScanError
from usmicro.loading.bit_depth import rescale, used_value_range
from usmicro.loading.formats import DAMAGED, check_frame_count, check_image_size, scan_errors
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

_TIFF_SUBFILE_TYPE, _TIFF_BITS_PER_SAMPLE, _TIFF_PHOTOMETRIC, _TIFF_PLANAR = 254, 258, 262, 284
_TIFF_SIZE = (256, 257)
"""Numbers of the TIFF tags ImageWidth and ImageLength."""
_ORIENTATION = 274
"""Number of the orientation tag, which is the same in TIFF and EXIF."""
_WHITE_IS_ZERO = 0
_TRANSPOSED = 5
"""First value of the orientation tag at which rows and columns are swapped; 8 is the last."""
_16_BIT_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Pillow modes of grey images with more than 8 bits."""
_WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
"""Pillow modes with an alpha channel."""
_MODE_NOTES = {
    "1": "1-bit pixels: black and white only, so speckle and foci cannot be distinguished",
    "CMYK": "CMYK pixels were converted to RGB without their colour profile",
    "YCbCr": "",
    "L": "",
    "RGB": "",
    "RGBX": "",
    "P": "",
}
"""The other Pillow modes that are read, each with a note for the scan, which may be empty."""


def load_raster(path: Path, file_format: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a PNG, JPEG, BMP or TIFF file.

    The pixels are decoded page by page when the frames are read. Grey images stay grey. Palettes
    and CMYK are converted to RGB. Transparent pixels become black. The image is rotated and
    mirrored according to its orientation tag. 16-bit pixels are rescaled so that the highest bit
    used in the file becomes the top bit.

    Parameters
    ----------
    path : Path
    file_format : {"png", "jpeg", "bmp", "tiff"}
        Format of the file, from `detect_format`.
    name : str
        Name of the image in tables.
    settings : LoadingSettings

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is damaged or too large, or if its pixels have no display brightness
        (floating point, 32 bits).
    """
    import PIL

    is_tiff = file_format == "tiff"
    with (
        scan_errors(path, f"expected a {file_format.upper()} image, but it cannot be read"),
        open_image(path, file_format) as image,
    ):
        check_image_size(path, image.size[1], image.size[0], settings.largest_image)
        if is_tiff:
            check_frame_count(path, image.n_frames, settings.most_frames)
        pages, left_out = _frame_pages(image) if is_tiff else ([0], [])
        image.seek(0)
        mode, orientation = image.mode, _orientation(path, image, file_format)
        # the size that Pillow returns for a TIFF with an orientation depends on Pillow's version
        stored_size = tuple(image.tag_v2[tag] for tag in _TIFF_SIZE) if is_tiff else image.size
        columns, rows = stored_size if orientation < _TRANSPOSED else stored_size[::-1]
        is_16_bit_colour = _is_16_bit_colour(path, image, file_format, orientation)
    if mode not in _MODE_NOTES and mode not in _16_BIT_GREY and mode not in _WITH_ALPHA:
        raise ScanError(
            f"{path}: pixels of the kind {mode!r} (such as floating point or Lab) have no display "
            "brightness; convert the image to 8-bit or 16-bit grey or to RGB"
        )
    notes = []
    if left_out:
        total = len(pages) + len(left_out)
        notes.append(
            f"{len(left_out)} of {total} TIFF pages are left out: "
            "their size differs from that of the first page, or they are reduced copies"
        )
    if _MODE_NOTES.get(mode):
        notes.append(_MODE_NOTES[mode])
    if orientation != 1:
        notes.append(f"the image was turned upright by its orientation tag ({orientation})")
    decoder = f"Pillow {PIL.__version__}"
    if mode in _16_BIT_GREY or is_16_bit_colour:
        notes.append(
            "16-bit pixels were rescaled so that the highest bit used in the file is the top bit"
        )
    if is_16_bit_colour:
        import cv2

        decoder = f"OpenCV {cv2.__version__}"
    read = partial(_frames, path, file_format, pages, is_16_bit_colour)
    return Scan(name, path, rows, columns, len(pages), read, decoder=decoder, notes=tuple(notes))


@contextmanager
def open_image(path: Path, file_format: str) -> Iterator[Any]:
    """Open an image with the Pillow class of its format.

    `PIL.Image.open` is not used: it detects the format by itself, and it has a size limit that is
    not in the settings of a run.
    """
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    classes: dict[str, Any] = {
        "png": PngImagePlugin.PngImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
    }
    # given a path, Pillow 13 maps the file into memory, and then fails on an uncompressed grey
    # TIFF that has to be rotated
    with path.open("rb") as file, classes[file_format](file) as image:
        yield image


def _frame_pages(image: Any) -> tuple[list[int], list[int]]:
    """Return the page numbers of a TIFF that are frames, and those that are left out.

    Frames have the size of the first page. Thumbnails and pyramid levels are left out.
    """
    frames: list[int] = []
    left_out: list[int] = []
    for page in range(image.n_frames):
        image.seek(page)
        if page == 0:
            size = image.size
        reduced = bool(image.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & 1)
        (frames if image.size == size and not (reduced and page) else left_out).append(page)
    return frames, left_out


def _orientation(path: Path, image: Any, file_format: str) -> int:
    """Return the orientation tag of the current page, from 1 (upright) to 8."""
    from PIL import Image

    if file_format == "tiff":
        orientation = image.tag_v2.get(_ORIENTATION, 1)
    elif file_format == "png":  # Pillow decodes all pixels before it reads a chunk behind them
        exif = Image.Exif()
        exif.load(_png_chunk(path, b"eXIf"))
        orientation = exif.get(_ORIENTATION, 1)
    else:
        orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _upright(stored: Frame, orientation: int) -> Frame:
    """Rotate and mirror an image according to its orientation tag."""
    if orientation >= _TRANSPOSED:
        stored = stored.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    return np.ascontiguousarray(stored)


def _png_chunk(path: Path, chunk_type: bytes) -> bytes:
    """Return the content of the first chunk of a type in a PNG file; empty if there is none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] == chunk_type:
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
    return b""


def _is_16_bit_colour(path: Path, image: Any, file_format: str, orientation: int) -> bool:
    """Return True if the image has several channels of 16 bits, which OpenCV decodes.

    Raises
    ------
    ScanError
        If the image is of that kind, but its layout cannot be read.
    """
    if image.mode in _16_BIT_GREY:
        return False
    if file_format == "png":
        has_16_bits = bool(image.tile) and "16" in str(image.tile[0][3])
        readable = image.mode in ("RGB", "RGBA")
    else:
        is_tiff = file_format == "tiff"
        has_16_bits = is_tiff and max(image.tag_v2.get(_TIFF_BITS_PER_SAMPLE, (8,))) == 16
        readable = (
            has_16_bits
            and image.mode == "RGB"
            and image.tag_v2.get(_TIFF_PLANAR, 1) == 1
            and orientation == 1
        )
    if has_16_bits and not readable:
        raise ScanError(
            f"{path}: 16-bit pixels in a layout that is not read (separate planes, transparency "
            "or rotation); convert the image to 8 bits"
        )
    return has_16_bits


def _frames(
    path: Path, file_format: str, pages: list[int], is_16_bit_colour: bool
) -> Iterator[Frame]:
    """Yield the pages as frames, one at a time; 16-bit pixels are rescaled with one range."""
    decode_pages = _16_bit_colour_pages if is_16_bit_colour else _decoded_pages
    decode = partial(decode_pages, path, file_format)
    decoded = decode(pages)
    first = next(decoded)
    if first.dtype == np.uint8:
        yield first
        yield from decoded
        return
    black, white = used_value_range(decode(pages))
    if black < 0 or white > 65535:
        raise ScanError(
            f"{path}: the pixel values range from {black} to {white}, expected 0 to 65535; "
            "convert the image to 8 or 16 bits"
        )
    for frame in decode(pages):
        yield rescale(frame, black, white)


def _decoded_pages(path: Path, file_format: str, pages: list[int]) -> Iterator[Frame]:
    """Yield pages as Pillow decodes them, upright."""
    with ExitStack() as stack:
        with scan_errors(path, "cannot be opened"):
            image = stack.enter_context(open_image(path, file_format))
        for page in pages:
            with scan_errors(path, _page_problem(page)):
                frame = _decoded_page(path, image, file_format, page)
            yield frame


def _decoded_page(path: Path, image: Any, file_format: str, page: int) -> Frame:
    """Decode one page to grey or RGB pixels, upright."""
    image.seek(page)
    is_tiff = file_format == "tiff"
    # Pillow itself applies the orientation of a TIFF
    orientation = 1 if is_tiff else _orientation(path, image, file_format)
    white_is_zero = is_tiff and image.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    image.load()
    if image.mode in _16_BIT_GREY:
        pixels = np.asarray(image)
        if white_is_zero and pixels.dtype == np.uint16:  # Pillow inverts only 8-bit pixels
            pixels = np.invert(pixels)
    elif image.mode in _WITH_ALPHA or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        pixels, alpha = rgba[..., :3].copy(), rgba[..., 3]
        clear = alpha < 255
        pixels[clear] = (pixels[clear].astype(np.uint16) * alpha[clear, np.newaxis] + 127) // 255
    else:
        pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    return _upright(np.array(pixels), orientation)


def _16_bit_colour_pages(path: Path, file_format: str, pages: list[int]) -> Iterator[Frame]:
    """Yield pages with 16 bits per channel as uint16 RGB; transparent pixels become black."""
    import cv2

    for _ in _decoded_pages(path, file_format, pages):
        pass  # Pillow reports damage as an error; OpenCV would print it to the terminal
    with open_image(path, file_format) as image:
        orientation = _orientation(path, image, file_format)
    # the bytes are passed, since OpenCV cannot open every file name on Windows
    data = np.fromfile(path, dtype=np.uint8)
    for page in pages:
        with scan_errors(path, _page_problem(page)):
            done, images = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
            if not done or images[0].ndim != 3 or images[0].dtype != np.uint16:
                raise ScanError(f"{path}: {_page_problem(page)}; {DAMAGED}")
            bgr = images[0]
            if bgr.shape[2] == 4:
                alpha = bgr[..., 3:]
                bgr = (bgr[..., :3].astype(np.uint32) * alpha // 65535).astype(np.uint16)
        yield _upright(bgr[..., 2::-1], orientation)


def _page_problem(page: int) -> str:
    """Return the description of a decoding error for its message; `page` counts from 0."""
    return f"page {page + 1} cannot be decoded"
