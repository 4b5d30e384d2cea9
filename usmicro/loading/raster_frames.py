"""Decoding of the frames of PNG, JPEG, BMP, TIFF and GIF files, one at a time.

OpenCV decodes 16-bit colour, which Pillow reduces to 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import ScanError
from usmicro.loading.formats import DAMAGED, scan_errors
from usmicro.loading.picture_header import first_png_alpha, png_without_animation
from usmicro.loading.pillow_image import open_image
from usmicro.loading.tiff import PHOTOMETRIC, WHITE_IS_ZERO, FrameImages
from usmicro.loading.turning import UPRIGHT, Turn
from usmicro.model.arrays import Frame
from usmicro.model.pixel_values import rescale, used_value_range

MODES_16_BIT_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Pillow modes of grey images with more than 8 bits."""
MODES_WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
"""Pillow modes with an alpha channel."""
_PREMULTIPLIED = "RGBa"
"""Pillow's name of stored colours that are already multiplied by alpha."""


@dataclass(frozen=True, slots=True)
class Raster:
    """A file and how its frames are decoded."""

    path: Path
    file_format: str
    found: FrameImages
    """Images that form the frames."""
    is_16_bit_colour: bool = False
    """True if OpenCV decodes it."""
    is_rgb: bool = False
    """True if every frame is made RGB."""
    is_grey: bool = False
    """True if all colours of the file are grey, and every frame is made grey."""
    is_opaque: bool = False
    """True if transparency is ignored."""
    significant_bits: int = 0
    """Number of bits of 16 that are significant according to the file; 0 if it does not say."""
    turn: Turn = UPRIGHT
    """Turn that the orientation tag prescribes."""
    is_16_bit: bool = False
    """True if the pixels have 16 bits."""

    @property
    def decoder(self) -> str:
        """Library that decodes the pixels."""
        if self.found.raw is not None:
            return f"NumPy {np.__version__}"
        if self.is_16_bit_colour:
            import cv2

            return f"OpenCV {cv2.__version__}"
        import PIL

        return f"Pillow {PIL.__version__}"


def raster_frames(raster: Raster) -> Iterator[Frame]:
    """Yield the frames one at a time; 16-bit pixels are rescaled with one range.

    Raises
    ------
    ScanError
        If a frame cannot be decoded, has another size than the first, or has values that do not fit
        into 16 bits.
    """
    decoded = _decoded_frames(raster)
    first = next(decoded)
    if first.dtype == np.uint8:
        yield first
        yield from decoded
        return
    black, white = used_value_range(_decoded_frames(raster))
    if black < 0 or white > 65535:
        raise ScanError(
            f"{raster.path}: the pixel values range from {black} to {white}, "
            "expected 0 to 65535; convert the image to 8 or 16 bits"
        )
    if raster.significant_bits and white >= 2**raster.significant_bits:
        white = 65535  # the significant bits are the upper ones
    for frame in _decoded_frames(raster):
        yield rescale(frame, black, white)


def _decoded_frames(raster: Raster) -> Iterator[Frame]:
    """Yield the frames as they are stored, upright, all of the same size and kind."""
    shape: tuple[int, ...] = ()
    for number, images in enumerate(_images_of_frames(raster), start=1):
        frame = np.stack(images, axis=-1) if len(images) == 3 else images[0]
        if raster.is_grey and frame.ndim == 3:
            frame = frame[..., 0]
        if raster.is_rgb and frame.ndim == 2:
            frame = np.repeat(frame[..., np.newaxis], 3, axis=2)
        shape = shape or frame.shape
        if frame.shape != shape and frame.shape[:2] == shape[:2]:
            frame = _of_kind(frame, shape)
        if frame.shape != shape:
            raise ScanError(
                f"{raster.path}: frame {number} has {frame.shape[0]} rows x {frame.shape[1]} "
                f"columns, expected {shape[0]} x {shape[1]} as in the first; "
                "save its frames with one size"
            )
        yield np.ascontiguousarray(frame)


def _of_kind(frame: Frame, shape: tuple[int, ...]) -> Frame:
    """Return a frame of `shape`: RGB if it has three axes, otherwise grey."""
    if len(shape) == 3:
        return np.repeat(frame[..., np.newaxis], 3, axis=2)
    import cv2

    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))


def _images_of_frames(raster: Raster) -> Iterator[list[Frame]]:
    """Yield the images of each frame: one, or three channels."""
    if raster.found.raw is not None:
        images = _raw_images(raster)
    elif raster.is_16_bit_colour:
        images = _16_bit_colour_images(raster)
    else:
        images = _pillow_images(raster)
    for frame in raster.found.frames:
        yield [next(images) for _ in frame]


def _raw_images(raster: Raster) -> Iterator[Frame]:
    """Yield the images of a TIFF file that are stored without compression, upright."""
    raw = raster.found.raw
    if raw is None:
        return
    with raster.path.open("rb") as file:
        for number, offset in enumerate(_flat(raster.found), start=1):
            file.seek(offset)
            data = file.read(raw.length)
            if len(data) < raw.length:
                raise ScanError(
                    f"{raster.path}: image {number} can no longer be read; "
                    "the file may have changed: run again"
                )
            yield raster.turn(raw.decode(data))


def _flat(found: FrameImages) -> list[int]:
    """Return the images of all frames in order."""
    return [image for frame in found.frames for image in frame]


def _pillow_images(raster: Raster) -> Iterator[Frame]:
    """Yield images as Pillow decodes them, upright."""
    with ExitStack() as stack:
        with scan_errors(raster.path, "cannot be opened"):
            image = stack.enter_context(open_image(raster.path, raster.file_format))
        for number in _flat(raster.found):
            with scan_errors(raster.path, _page_problem(raster.file_format, number)):
                frame = _pillow_image(raster, image, number)
            yield frame


def _pillow_image(raster: Raster, image: Any, number: int) -> Frame:
    """Decode one image to grey or RGB pixels, upright."""
    image.seek(number)
    is_tiff = raster.file_format == "tiff"
    # Pillow itself applies the orientation of a TIFF
    turn = UPRIGHT if is_tiff else raster.turn
    white_is_zero = is_tiff and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO
    is_premultiplied = _load(image)
    if image.mode in MODES_16_BIT_GREY:
        pixels = np.asarray(image)
        if white_is_zero and pixels.dtype == np.uint16:  # Pillow inverts only 8-bit pixels
            pixels = np.invert(pixels)
    elif image.mode in MODES_WITH_ALPHA or "transparency" in image.info:
        rgba = np.asarray(image if image.mode == "RGBA" else image.convert("RGBA"))
        # colours that are multiplied by alpha are those over black
        pixels = _over_black(rgba, is_opaque=raster.is_opaque or is_premultiplied)
    else:
        mode = "L" if image.mode in ("1", "L") else "RGB"
        # Pillow would copy an image that has the mode already
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return turn(np.array(pixels))


def _load(image: Any) -> bool:
    """Decode the current image; return True if its colours are multiplied by alpha.

    Pillow would divide such colours by alpha, which loses them where alpha is 0.
    """
    tiles = []
    for codec, box, offset, args in image.tile:
        values = (args,) if isinstance(args, str) else args
        if isinstance(values, tuple) and values and values[0] == _PREMULTIPLIED:
            tiles.append((codec, box, offset, ("RGBA", *values[1:])))
    if not tiles or len(tiles) < len(image.tile):
        image.load()
        return False
    # in newer versions of Pillow a tile is a named tuple
    make = getattr(type(image.tile[0]), "_make", tuple)
    image.tile = [make(tile) for tile in tiles]
    image.load()
    return True


def _over_black(rgba: Frame, *, is_opaque: bool) -> Frame:
    """Return the colours over a black background."""
    pixels, alpha = rgba[..., :3], rgba[..., 3]
    if not is_opaque and (clear := alpha < 255).any():
        pixels = pixels.copy()
        pixels[clear] = (pixels[clear].astype(np.uint16) * alpha[clear, np.newaxis] + 127) // 255
    return pixels


def has_uniform_alpha(raster: Raster) -> bool:
    """Return True if alpha has the same value, below its maximum, in all pixels of all frames.

    Some programs leave the fourth channel at 0. Images are decoded until one shows the contrary.
    """
    if raster.file_format == "png" and first_png_alpha(raster.path) == 255:
        return False
    values: set[int] = set()
    with open_image(raster.path, raster.file_format) as image:
        for number in _flat(raster.found):
            image.seek(number)
            _load(image)
            if image.mode in MODES_WITH_ALPHA or "transparency" in image.info:
                alpha = np.asarray(image.convert("RGBA"))[..., 3]
            else:
                return False
            values |= {int(alpha.min()), int(alpha.max())}
            if len(values) > 1 or values == {255}:
                return False
    return len(values) == 1


def _16_bit_colour_images(raster: Raster) -> Iterator[Frame]:
    """Yield images with 16 bits per channel as uint16 RGB; transparent pixels become black."""
    import cv2

    for _ in _pillow_images(raster):
        pass  # Pillow reports damage as an error; OpenCV would print it to the terminal
    # the bytes are passed, since OpenCV cannot open every file name on Windows
    content = raster.path.read_bytes()
    if raster.file_format == "png":  # versions of OpenCV differ in the picture that they decode
        content = png_without_animation(content)
    data = np.frombuffer(content, dtype=np.uint8)
    for number in _flat(raster.found):
        problem = _page_problem(raster.file_format, number)
        with scan_errors(raster.path, problem):
            done, images = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(number, number + 1))
            if not done or images[0].ndim != 3 or images[0].dtype != np.uint16:
                raise ScanError(f"{raster.path}: {problem}; {DAMAGED}")
            bgr = images[0]
            if bgr.shape[2] == 4 and not raster.is_opaque:
                alpha = bgr[..., 3:]
                bgr = (bgr[..., :3].astype(np.uint32) * alpha // 65535).astype(np.uint16)
        yield raster.turn(bgr[..., 2::-1])


def _page_problem(file_format: str, number: int) -> str:
    """Return the description of a decoding error for its message; `number` counts from 0."""
    what = "page" if file_format == "tiff" else "image"
    return f"{what} {number + 1} cannot be decoded"
