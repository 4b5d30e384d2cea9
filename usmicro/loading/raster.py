"""Loading of PNG, JPEG, BMP, TIFF and GIF files.

Pillow decodes them: it handles palettes, 1-bit pixels, CMYK, transparency, orientation and
animations, and gives the size before decoding.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from usmicro.errors import ScanError
from usmicro.loading.formats import check_frame_count, check_image_size, scan_errors
from usmicro.loading.picture_header import (
    check_jpeg,
    gif_blocks,
    orientation_of,
    pixel_shape,
    png_notes,
    significant_bits,
)
from usmicro.loading.pillow_image import open_image, unsupported_errors
from usmicro.loading.raster_frames import (
    MODES_16_BIT_GREY,
    MODES_WITH_ALPHA,
    Raster,
    has_uniform_alpha,
    raster_frames,
)
from usmicro.loading.tiff import (
    BITS_PER_SAMPLE,
    PLANAR,
    SIZE,
    FrameImages,
    find_frames,
)
from usmicro.loading.turning import turn_of_orientation
from usmicro.model.scan import Scan, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode, separated
from usmicro.settings import LoadingSettings

_MODE_NOTES = {
    "1": "1-bit pixels: black and white only, so speckle and foci cannot be distinguished",
    "CMYK": "CMYK pixels were converted to RGB without their colour profile",
    "YCbCr": "",
    "L": "",
    "RGB": "",
    "RGBX": "",
    "P": "",
}
"""Pillow modes that are read besides 16-bit grey and those with alpha, each with a note for the
scan, which may be empty."""

_LEFT_OUT = (
    "the picture for programs that show no animation is left out; it is not part of the animation"
)
"""Note on an animated PNG file."""


def load_raster(path: Path, file_format: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a PNG, JPEG, BMP, TIFF or GIF file.

    The pixels are decoded image by image when the frames are read. The pages of a TIFF file and the
    images of an animation are frames. Grey images stay grey, and so does a GIF file with grey
    palettes alone. Other palettes and CMYK are converted to RGB. Transparent pixels become black.
    The image is rotated and mirrored according to its orientation tag. 16-bit pixels are rescaled
    so that the highest bit used in the file becomes the top bit.

    Parameters
    ----------
    path : Path
    file_format : {"png", "jpeg", "bmp", "tiff", "gif"}
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
    is_tiff = file_format == "tiff"
    remarks: list[Remark] = []
    with scan_errors(path, f"expected a {file_format.upper()} image, but it cannot be read"):
        if file_format == "jpeg":
            remarks += check_jpeg(path)
        with open_image(path, file_format) as image:
            check_image_size(path, image.size[1], image.size[0], settings.largest_image)
            if is_tiff:
                found = find_frames(path, image, settings.most_frames)
            else:
                check_frame_count(path, getattr(image, "n_frames", 1), settings.most_frames)
                found = _images(image, remarks)
            check_frame_count(path, len(found.frames), settings.most_frames)
            remarks += found.remarks
            with unsupported_errors(path, file_format):
                image.seek(0 if found.raw is not None else found.frames[0][0])
            mode, orientation = image.mode, orientation_of(path, image, file_format)
            # the size that Pillow returns for a TIFF with an orientation depends on its version
            stored = tuple(image.tag_v2[tag] for tag in SIZE) if is_tiff else image.size
            check_image_size(path, stored[1], stored[0], settings.largest_image)
            is_16_bit_colour = found.raw is None and _is_16_bit_colour(
                path, image, file_format, orientation
            )
            aspect, of_aspect = pixel_shape(path, image, file_format)
            remarks += of_aspect
            if file_format == "png":
                remarks += png_notes(path, image)
            has_alpha = mode in MODES_WITH_ALPHA or "transparency" in image.info
    if mode not in _MODE_NOTES and mode not in MODES_16_BIT_GREY and mode not in MODES_WITH_ALPHA:
        raise ScanError(
            f"{path}: pixels of the kind {mode!r} (such as floating point or Lab) have no display "
            "brightness; convert the image to 8-bit or 16-bit grey or to RGB"
        )
    if is_16_bit_colour and file_format == "png":
        found, remarks = _without_animation(found, remarks)
    turn = turn_of_orientation(orientation)
    blocks = gif_blocks(path) if file_format == "gif" else None
    is_grey = blocks is not None and blocks.is_grey
    raster = Raster(
        path,
        file_format,
        found,
        is_16_bit_colour=is_16_bit_colour,
        is_rgb=file_format == "gif" and not is_grey,
        is_grey=is_grey,
        significant_bits=significant_bits(path) if file_format == "png" else 0,
        turn=turn,
        is_16_bit=is_16_bit_colour or mode in MODES_16_BIT_GREY or _has_16_bits(found),
    )
    if has_alpha:
        raster, of_alpha = _without_uniform_alpha(raster)
        remarks += of_alpha
    remarks += _notes(mode, orientation, str(turn), raster)
    notes, warnings = separated(remarks)
    rows, columns = turn.of_size(stored[1], stored[0])
    return Scan(
        name,
        path,
        rows,
        columns,
        len(found.frames),
        partial(raster_frames, raster),
        spacing=Spacing(aspect=turn.of_aspect(aspect)),
        decoder=raster.decoder,
        notes=notes,
        warnings=warnings,
        frame_times=blocks.frame_times(len(found.frames)) if blocks else (),
    )


def _images(image: Any, remarks: list[Remark]) -> FrameImages:
    """Return the images of a file that is not a TIFF: one, or those of an animation."""
    count = getattr(image, "n_frames", 1)
    first = 0
    if count > 1 and getattr(image, "default_image", False):
        first = 1
        remarks.append(_LEFT_OUT)
    return FrameImages(tuple((number,) for number in range(first, count)))


def _has_16_bits(found: FrameImages) -> bool:
    """Return True if the images are read directly and have 16 bits."""
    return found.raw is not None and found.raw.dtype.endswith("2")


def _without_animation(
    found: FrameImages, remarks: list[Remark]
) -> tuple[FrameImages, list[Remark]]:
    """Return the first picture of a PNG file, and the remarks with a warning about the others.

    The images of an animation with 16 bits per channel are not read.
    """
    count = len(found.frames)
    is_animated = found.frames[0] == (0,)  # the first picture is part of the animation
    if is_animated and count == 1:
        return found, remarks
    what = "the first" if is_animated else "the picture for programs that show no animation"
    text = (
        f"{count - is_animated} of {count} images of the animation were not read: with 16 bits per "
        f"channel only {what} is"
    )
    warning = ScanWarning(WarningCode.FRAMES_NOT_READ, text)
    kept = [remark for remark in remarks if remark != _LEFT_OUT]
    return FrameImages(((0,),)), [*kept, warning]


def _without_uniform_alpha(raster: Raster) -> tuple[Raster, list[Remark]]:
    """Return how to decode a file with alpha, as opaque if alpha is uniform, and a note on that."""
    with scan_errors(raster.path, "its transparency cannot be decoded"):
        is_uniform = has_uniform_alpha(raster)
    if not is_uniform:
        return raster, []
    return replace(raster, is_opaque=True), [
        "the alpha channel is the same everywhere and below its maximum, so it was taken as unused "
        "and the image as opaque"
    ]


def _notes(mode: str, orientation: int, turn: str, raster: Raster) -> list[Remark]:
    """Return notes on what was converted."""
    notes: list[Remark] = []
    if _MODE_NOTES.get(mode):
        notes.append(_MODE_NOTES[mode])
    if orientation != 1:
        notes.append(f"the image was {turn} by its orientation tag ({orientation})")
    if raster.is_16_bit:
        notes.append(
            "16-bit pixels were rescaled so that the highest bit used in the file is the top bit"
        )
    return notes


def _is_16_bit_colour(path: Path, image: Any, file_format: str, orientation: int) -> bool:
    """Return True if the image has several channels of 16 bits, which OpenCV decodes.

    Raises
    ------
    ScanError
        If the image is of that kind, but its layout cannot be read.
    """
    if image.mode in MODES_16_BIT_GREY:
        return False
    if file_format == "png":
        has_16_bits = bool(image.tile) and "16" in str(image.tile[0][3])
        readable = image.mode in ("RGB", "RGBA")
    else:
        is_tiff = file_format == "tiff"
        bits = image.tag_v2.get(BITS_PER_SAMPLE, (8,)) if is_tiff else (8,)
        has_16_bits = max(bits if isinstance(bits, tuple) else (bits,)) == 16
        readable = (
            has_16_bits
            and image.mode == "RGB"
            and image.tag_v2.get(PLANAR, 1) == 1
            and orientation == 1
        )
    if has_16_bits and not readable:
        raise ScanError(
            f"{path}: 16-bit pixels in a layout that is not read (separate planes, transparency "
            "or rotation); convert the image to 8 bits"
        )
    return has_16_bits
