"""PNG, JPEG, BMP and TIFF to a Scan.

Pillow decodes: it gives palettes, 1-bit, CMYK, transparency and orientation right and knows the size before decoding. OpenCV
decodes 16-bit colour, which Pillow cuts to 8 bits.
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
from usmicro.loading.bit_depth import stretch, used_range
from usmicro.loading.formats import checked_frames, checked_size, decoding
from usmicro.model.arrays import Frame
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

_TIFF_SUBFILE, _TIFF_BITS, _TIFF_PHOTOMETRIC, _ORIENTATION, _TIFF_PLANAR = 254, 258, 262, 274, 284
_TIFF_SIZE = (256, 257)
_WHITE_IS_ZERO = 0
_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_CONVERTED = {
    "1": "1-bit pixels: black and white only, so that speckle and foci cannot be told apart",
    "CMYK": "CMYK pixels were converted to RGB without their colour profile",
    "YCbCr": "",
    "L": "",
    "RGB": "",
    "RGBX": "",
    "P": "",
}


def load_raster(path: Path, content: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a PNG, JPEG, BMP or TIFF file; its pixels are decoded page by page when the frames are read.

    Grey stays grey, palettes and CMYK become RGB, pixels that are transparent become black, and an orientation in the file is
    obeyed. 16-bit pixels are stretched so that the highest bit used in the file becomes the top bit.

    Parameters
    ----------
    path : Path
    content : {"png", "jpeg", "bmp", "tiff"}
        What the file holds, as `content_of` says.
    name : str
        What tables call the image.
    settings : LoadingSettings

    Raises
    ------
    ScanError
        If the file is damaged, too large, or holds pixels of a kind that has no display brightness (floating point, 32 bits).
    """
    import PIL

    notes = []
    with (
        decoding(path, f"expected a {content.upper()} image, but it cannot be read"),
        opened(path, content) as image,
    ):
        checked_size(path, image.size[1], image.size[0], settings.largest_image)
        if content == "tiff":
            checked_frames(path, image.n_frames, settings.most_frames)
        pages, other = _frame_pages(image) if content == "tiff" else ([0], [])
        image.seek(0)
        mode, orientation = image.mode, _orientation(path, image, content)
        # of a TIFF that is to be turned, Pillow gives the size before or after turning, by its version
        stored = tuple(image.tag_v2[tag] for tag in _TIFF_SIZE) if content == "tiff" else image.size
        columns, rows = stored if orientation < 5 else stored[::-1]
        deep_colour = _is_deep_colour(path, image, content, orientation)
    if mode not in _CONVERTED and mode not in _DEEP_GREY and mode not in _WITH_ALPHA:
        raise ScanError(
            f"{path}: pixels of the kind {mode!r} (floating point, Lab or the like) have no display brightness; "
            "convert the image to 8-bit or 16-bit grey or to RGB"
        )
    if other:
        notes.append(
            f"{len(other)} of {len(pages) + len(other)} TIFF pages have another size than the first and are left out"
        )
    if _CONVERTED.get(mode):
        notes.append(_CONVERTED[mode])
    if orientation != 1:
        notes.append(f"turned as its EXIF orientation {orientation} says")
    library = f"Pillow {PIL.__version__}"
    if mode in _DEEP_GREY or deep_colour:
        notes.append(
            "16-bit pixels were stretched so that the highest bit used in the file is the top bit"
        )
    if deep_colour:
        import cv2

        library = f"OpenCV {cv2.__version__}"
    read = partial(_frames, path, content, pages, deep_colour)
    return Scan(name, path, rows, columns, len(pages), read, decoder=library, notes=tuple(notes))


@contextmanager
def opened(path: Path, content: str) -> Iterator[Any]:
    """Open with one format's own class: `PIL.Image.open` would guess, and has a size limit that a user cannot set."""
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    classes: dict[str, Any] = {
        "png": PngImagePlugin.PngImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
    }
    # not by its name: Pillow 13 would map the file into memory, and then breaks an uncompressed grey TIFF that is to be turned
    with path.open("rb") as file, classes[content](file) as image:
        yield image


def _frame_pages(image: Any) -> tuple[list[int], list[int]]:
    """Pages of a TIFF that are frames, of the size of the first, and those that are not (thumbnails, pyramid levels)."""
    frames: list[int] = []
    other: list[int] = []
    for page in range(image.n_frames):
        image.seek(page)
        if page == 0:
            size = image.size
        reduced = bool(image.tag_v2.get(_TIFF_SUBFILE, 0) & 1)
        (frames if image.size == size and not (reduced and page) else other).append(page)
    return frames, other


def _orientation(path: Path, image: Any, content: str) -> int:
    """EXIF orientation of the page; from 5 on rows and columns change places."""
    from PIL import Image

    if content == "tiff":
        orientation = image.tag_v2.get(_ORIENTATION, 1)
    elif content == "png":  # Pillow would decode all pixels to look behind them
        exif = Image.Exif()
        exif.load(_png_chunk(path, b"eXIf"))
        orientation = exif.get(_ORIENTATION, 1)
    else:
        orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _upright(stored: Frame, orientation: int) -> Frame:
    """Turn an image as its EXIF orientation says."""
    if orientation >= 5:
        stored = stored.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    return np.ascontiguousarray(stored)


def _png_chunk(path: Path, wanted: bytes) -> bytes:
    """Content of the first chunk of a kind in a PNG file; empty if there is none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] == wanted:
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
    return b""


def _is_deep_colour(path: Path, image: Any, content: str, orientation: int) -> bool:
    """Whether the pixels have 16 bits in each of several channels, which OpenCV decodes."""
    if image.mode in _DEEP_GREY:
        return False
    if content == "png":
        deep = bool(image.tile) and "16" in str(image.tile[0][3])
        readable = image.mode in ("RGB", "RGBA")
    else:
        deep = content == "tiff" and max(image.tag_v2.get(_TIFF_BITS, (8,))) == 16
        readable = (
            deep
            and image.mode == "RGB"
            and image.tag_v2.get(_TIFF_PLANAR, 1) == 1
            and orientation == 1
        )
    if deep and not readable:
        raise ScanError(
            f"{path}: 16-bit pixels in a layout that is not read (planes, transparency or turned); convert the image to 8 bits"
        )
    return deep


def _frames(path: Path, content: str, pages: list[int], deep_colour: bool) -> Iterator[Frame]:
    """Yield the pages as frames, one at a time, 16-bit pixels stretched."""
    decode = (
        partial(_deep_colour_pages, path, content)
        if deep_colour
        else partial(_decoded_pages, path, content)
    )
    decoded = decode(pages)
    first = next(decoded)
    if first.dtype == np.uint8:
        yield first
        yield from decoded
        return
    black, white = used_range(decode(pages))  # one range for all pages
    if black < 0 or white > 65535:
        raise ScanError(
            f"{path}: its pixel values reach from {black} to {white}; expected 0 to 65535: convert the image to 8 or 16 bits"
        )
    for frame in decode(pages):
        yield stretch(frame, black, white)


def _decoded_pages(path: Path, content: str, pages: list[int]) -> Iterator[Frame]:
    with ExitStack() as opening:
        with decoding(path, "it cannot be opened"):
            image = opening.enter_context(opened(path, content))
        for page in pages:
            with decoding(path, _fault(page)):
                frame = _decoded(path, image, content, page)
            yield frame


def _decoded(path: Path, image: Any, content: str, page: int) -> Frame:
    image.seek(page)
    orientation = (
        1 if content == "tiff" else _orientation(path, image, content)
    )  # Pillow turns TIFF by itself
    white_is_zero = content == "tiff" and image.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    image.load()
    if image.mode in _DEEP_GREY:
        pixels = np.asarray(image)
        if white_is_zero and pixels.dtype == np.uint16:  # Pillow inverts only 8-bit ones
            pixels = np.invert(pixels)
    elif image.mode in _WITH_ALPHA or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        pixels, alpha = rgba[..., :3].copy(), rgba[..., 3]
        clear = alpha < 255
        pixels[clear] = (pixels[clear].astype(np.uint16) * alpha[clear, np.newaxis] + 127) // 255
    else:
        pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    return _upright(np.array(pixels), orientation)


def _deep_colour_pages(path: Path, content: str, pages: list[int]) -> Iterator[Frame]:
    """Yield pages of 16 bits a channel: RGB, transparent pixels black."""
    import cv2

    for _ in _decoded_pages(path, content, pages):
        pass  # Pillow says what is damaged; OpenCV would write it to the terminal
    with opened(path, content) as image:
        orientation = _orientation(path, image, content)
    data = np.fromfile(
        path, dtype=np.uint8
    )  # by its bytes: OpenCV cannot open every file name on Windows
    for page in pages:
        with decoding(path, _fault(page)):
            done, images = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
            if not done or images[0].ndim != 3 or images[0].dtype != np.uint16:
                raise ScanError(f"{path}: {_fault(page)}")
            colour = images[0]
            if colour.shape[2] == 4:
                colour = (colour[..., :3].astype(np.uint32) * colour[..., 3:] // 65535).astype(
                    np.uint16
                )
        yield _upright(colour[..., 2::-1], orientation)


def _fault(page: int) -> str:
    return f"page {page + 1} cannot be decoded; the file is damaged or truncated"
