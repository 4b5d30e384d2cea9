"""PNG, JPEG, BMP and TIFF to a Scan.

Pillow decodes: it gives palettes, 1-bit, CMYK, transparency and orientation right and knows the size before decoding. OpenCV
decodes 16-bit colour, which Pillow cuts to 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.arrays import Frame
from usmicro.errors import ScanError
from usmicro.loading.content import checked_size, decoding
from usmicro.loading.depth import stretch, used_range
from usmicro.scan import Scan
from usmicro.settings import LoadingSettings

_TIFF_BITS, _TIFF_ORIENTATION, _TIFF_PLANAR, _TIFF_SUBFILE = 258, 274, 284, 254
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
    with decoding(path, f"expected a {content.upper()} image, but it cannot be read"), opened(path, content) as image:
        orientation = 1 if content == "tiff" else image.getexif().get(_TIFF_ORIENTATION, 1)  # Pillow turns TIFF by itself
        columns, rows = image.size if orientation < 5 else image.size[::-1]
        checked_size(path, rows, columns, settings.largest_image)
        pages, other = _pages(image) if content == "tiff" else ([0], [])
        image.seek(pages[0])
        mode, deep = image.mode, _deep_colour(image, content)
        if other:
            notes.append(f"{len(other)} of {len(pages) + len(other)} TIFF pages have another size than the first and are left out")
    if mode not in _CONVERTED and mode not in _DEEP_GREY and mode not in _WITH_ALPHA:
        raise ScanError(
            f"{path}: pixels of the kind {mode!r} (floating point, Lab or the like) have no display brightness; "
            "convert the image to 8-bit or 16-bit grey or to RGB"
        )
    if _CONVERTED.get(mode):
        notes.append(_CONVERTED[mode])
    if orientation != 1:
        notes.append(f"turned as its EXIF orientation {orientation} says")
    if mode in _DEEP_GREY or deep == "opencv":
        notes.append("16-bit pixels were stretched so that the highest bit used in the file is the top bit")
    if deep == "pillow":
        notes.append("16-bit colour in an unusual layout: the upper 8 bits are used")
    library = "Pillow " + PIL.__version__
    if deep == "opencv":
        import cv2

        library = "OpenCV " + cv2.__version__
    read = partial(_frames, path, content, pages, deep == "opencv")
    return Scan(name, path, rows, columns, len(pages), read, decoder=library, notes=tuple(notes))


def opened(path: Path, content: str) -> Any:
    """Open with one format's own class: `PIL.Image.open` would guess, and has a size limit that a user cannot set."""
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    classes = {
        "png": PngImagePlugin.PngImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
    }
    return classes[content](path)


def _pages(image: Any) -> tuple[list[int], list[int]]:
    """Pages of a TIFF that are frames, of the size of the first, and those that are not (thumbnails, pyramid levels)."""
    frames, other = [], []
    for page in range(image.n_frames):
        image.seek(page)
        if page == 0:
            size = image.size
        reduced = bool(image.tag_v2.get(_TIFF_SUBFILE, 0) & 1)
        (frames if image.size == size and not (reduced and page) else other).append(page)
    return frames, other


def _deep_colour(image: Any, content: str) -> str:
    """Which library decodes 16-bit colour, or "" if the image is not that."""
    if image.mode not in ("RGB", "RGBA"):
        return ""
    if content == "png":
        return "opencv" if image.tile and "16" in str(image.tile[0][3]) else ""
    if content == "tiff" and max(image.tag_v2.get(_TIFF_BITS, (8,))) == 16:
        plain = image.tag_v2.get(_TIFF_PLANAR, 1) == 1 and image.tag_v2.get(_TIFF_ORIENTATION, 1) == 1 and image.mode == "RGB"
        return "opencv" if plain else "pillow"
    return ""


def _frames(path: Path, content: str, pages: list[int], deep: bool) -> Iterator[Frame]:
    """Yield the pages as frames, one at a time."""
    decode = partial(_deep_page, path) if deep else partial(_page, path, content)
    image = decode(pages[0])
    if image.dtype == np.uint8:
        yield image
        for page in pages[1:]:
            yield decode(page)
        return
    black, white = used_range(decode(page) for page in pages)  # one range for all pages
    if black < 0 or white > 65535:
        raise ScanError(f"{path}: its pixel values reach from {black} to {white}; expected 0 to 65535: convert the image to 8 or 16 bits")
    for page in pages:
        yield stretch(decode(page), black, white)


def _page(path: Path, content: str, page: int) -> Frame:
    from PIL import ImageOps

    with decoding(path, f"page {page + 1} cannot be decoded; the file is damaged or truncated"), opened(path, content) as image:
        image.seek(page)
        image.load()
        if content != "tiff":
            image = ImageOps.exif_transpose(image)
        if image.mode in _DEEP_GREY:
            values = np.asarray(image)
            # Pillow inverts 8-bit pixels whose 0 is white, but not 16-bit ones
            return 65535 - values if content == "tiff" and image.tag_v2.get(262) == 0 and values.dtype == np.uint16 else values
        if image.mode in _WITH_ALPHA or "transparency" in image.info:
            rgba = np.asarray(image.convert("RGBA"), dtype=np.uint16)
            return ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)
        return np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _deep_page(path: Path, page: int) -> Frame:
    import cv2

    with decoding(path, f"page {page + 1} cannot be decoded; the file is damaged or truncated"):
        done, images = cv2.imreadmulti(str(path), page, 1, flags=cv2.IMREAD_UNCHANGED)
        if not done or images[0].ndim != 3 or images[0].dtype != np.uint16:
            raise ScanError(f"{path}: page {page + 1} cannot be decoded; the file is damaged or truncated")
        colour = images[0]
        if colour.shape[2] == 4:
            colour = (colour[..., :3].astype(np.uint32) * colour[..., 3:] // 65535).astype(np.uint16)
        return np.ascontiguousarray(colour[..., ::-1])
