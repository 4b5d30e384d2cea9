"""Which axes of an array are frames, rows, columns and colours: one rule for all arrays.

It holds for arrays in memory and for array files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ImageError

LAYOUTS = (
    "(rows, columns), (rows, columns, 3 or 4), (frames, rows, columns) or "
    "(frames, rows, columns, 3 or 4)"
)
"""Shapes of arrays that are read, for messages."""
CHANNELS = (1, 3, 4)
"""Lengths of the last axis that are grey, RGB and RGB with alpha."""
LEAST_COLUMNS = 5
"""Smallest width of a frame of a cine: an axis of 2 may be grey and alpha, and no scan is as
narrow."""
_COLOUR_MODES = {
    "P": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
    "RGBX": "RGB",
    "LA": "RGBA",
    "La": "RGBA",
    "PA": "RGBA",
    "RGBa": "RGBA",
}
"""Modes of a Pillow image whose channels are not grey levels or RGB, and what they become."""


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """The axes of an array."""

    frames: int
    rows: int
    columns: int
    is_cine: bool
    """True if the first axis is that of the frames."""
    has_alpha: bool
    """True if the last axis has 4 channels."""
    is_plain: bool
    """True if each frame has the shape (rows, columns) or (rows, columns, 3)."""


def layout_of(shape: tuple[int, ...], *, cine: bool = False) -> ArrayLayout:
    """Return the layout of an array from its shape.

    The last axis is that of the colours if its length is 1, 3 or 4. An array of shape (3 or 4,
    rows, columns) may be a short grey cine, or a colour image whose channels come first.

    Parameters
    ----------
    shape : tuple of int
    cine : bool
        True if the latter is known to be a cine.

    Raises
    ------
    ImageError
        If the array has another shape, no pixels, or if its shape is ambiguous.
    """
    found = f"an array of the shape {shape}"
    if len(shape) not in (2, 3, 4) or (len(shape) == 4 and shape[3] not in CHANNELS):
        hint = "; reshape it"
        if len(shape) == 4 and shape[1] in CHANNELS:
            hint = "; if the channels come before the rows: np.moveaxis(array, 1, -1)"
        raise ImageError(f"expected an array of the shape {LAYOUTS}, found {found}{hint}")
    channels = shape[-1] if len(shape) >= 3 and shape[-1] in CHANNELS else 0
    is_cine = len(shape) - bool(channels) == 3
    frames, rows, columns = shape[:3] if is_cine else (1, *shape[:2])
    if frames * rows * columns == 0:
        raise ImageError(f"expected an array of the shape {LAYOUTS}, found {found}, which is empty")
    if is_cine and not channels and frames in (3, 4) and not cine:
        raise ImageError(
            f"{found} may be a grey cine of {frames} frames, or a colour image whose channels come "
            "first; for the cine: usmicro.Scan.of_array(array), or an .npz file with "
            "the name frames; for the image: np.moveaxis(array, 0, -1)"
        )
    if is_cine and columns < LEAST_COLUMNS:
        raise ImageError(
            f"expected an array of the shape {LAYOUTS}, found {found}, whose frames would be "
            f"{columns} columns wide; of grey with alpha pass array[..., 0]"
        )
    return ArrayLayout(frames, rows, columns, is_cine, channels == 4, channels in (0, 3))


def pixel_array(source: Any) -> NDArray[np.generic]:
    """Return what a caller gave as an array of numbers.

    Parameters
    ----------
    source : object
        An array, a nested list of numbers, a Pillow image, or another object that NumPy converts,
        such as a tensor.

    Raises
    ------
    ImageError
        If it is something else.
    """
    kind = type(source)
    expected = f"expected an array of the shape {LAYOUTS}, found"
    if not isinstance(source, (list, tuple)) and (
        isinstance(source, type)
        or not (hasattr(source, "__array__") or hasattr(source, "__array_interface__"))
    ):
        raise ImageError(f"{expected} {kind.__name__}, which is no array{_remedy(source)}")
    if isinstance(source, np.ma.MaskedArray) and np.ma.is_masked(source):
        raise ImageError(f"{expected} an array with masked pixels; fill them: array.filled(0)")
    if isinstance(source, Sequence) and len(source) > 0 and hasattr(source[0], "__array__"):
        raise ImageError(
            f"{expected} a {kind.__name__} of {len(source)} arrays; for the frames of one cine "
            "pass np.stack(frames), for several scans use usmicro.run or a loop"
        )
    if kind.__module__.partition(".")[0] == "PIL" and hasattr(source, "mode"):
        source = _pillow_image(source)
    try:
        array = np.asarray(source)
    except Exception as error:  # an object of another library may raise anything
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise ImageError(f"{expected} {kind.__name__}, which is no array ({words})") from error
    if array.dtype.kind not in "buif":
        hint = "; take its magnitude first" if array.dtype.kind == "c" else _remedy(source)
        raise ImageError(f"{expected} {kind.__name__} with values of the type {array.dtype}{hint}")
    return array


def _remedy(source: Any) -> str:
    """Return what to do with an object that is no array, for its message; may be empty."""
    if isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        return "; pass the path of the file, or decode it to an array"
    if hasattr(type(source), "pixel_array"):  # a DICOM data set of pydicom
        return "; pass the path of the file, which says more than its pixels"
    if type(source).__module__.partition(".")[0] == "SimpleITK":
        return "; pass SimpleITK.GetArrayFromImage(image), or the path of the file"
    if isinstance(source, Iterator):
        return "; for the frames of one cine pass np.stack(list(frames))"
    return ""


def _pillow_image(image: Any) -> Any:
    """Return a Pillow image whose channels are grey levels or RGB."""
    if getattr(image, "n_frames", 1) > 1:
        raise ImageError(
            f"expected one image, found a Pillow image with {image.n_frames} frames; pass the path "
            "of the file"
        )
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert(_COLOUR_MODES[image.mode]) if image.mode in _COLOUR_MODES else image
