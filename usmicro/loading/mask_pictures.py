"""Reading of masks that are pictures: label images, binary masks and flat colours on black."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ScanError
from usmicro.loading.dicom.segmentation import Structure
from usmicro.loading.formats import STILL_FORMATS, detect_format, format_of_bytes, scan_errors
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

LABELS: dict[Structure, int] = {
    "mass": AreaLabel.MASS,
    "duct": AreaLabel.DUCT,
    "nonmass": AreaLabel.NONMASS,
}
"""Values of the structures in the label images that a run writes; 0 is tissue."""
_FEW_VALUES = 8
"""Largest number of colours of a picture that is a mask without further examination. A label image
has at most five, a scan has more than a hundred. Also the number of values that a message lists."""
_BAND = 0.04
"""Width of the bands at 0 and at the largest value in which values count as 0 and as the largest
one, as a fraction of the latter: 10 of 255. In a JPEG of quality 75 or more, flat areas stay within
3 of 255. Chosen by judgement."""
_MOST_BETWEEN = 0.1
"""Largest fraction of the pixels of a mask between the two bands: smooth edges and JPEG artefacts.
In simulated masks they are up to 3 %, in scans of the data sets more than 40 %."""
_PLATEAU = 5
"""Side of a square of equal values, pixels, that is an area of its own and not a smooth edge.
Chosen by judgement."""
_SAME = {"jpeg": 6}
"""Largest difference of values in such a square, of 255, by format; 0 for other formats."""
_SMALL_COLOUR = 0.01
"""Fraction of the outlined pixels below which a colour is an artefact of a smooth edge between two
colours. Chosen by judgement."""
_LARGEST_BORDER, _INVERTED_BORDER = 0.5, 0.9
"""Fraction of the border of an image that masks cover: above the first there is a warning, from the
second on the mask is refused as inverted. The largest of the 2,481 masks of BrEaST, BUS-BRA, BUSI
and BUS-UCLM at hand is 0.48."""
_FLAT_BYTES = 0.02
"""Bytes per pixel below which a PNG cannot hold speckle. Masks of the four data sets have at most
0.021, scans at least 0.5."""
_CACHED_PICTURES = 65536
"""Number of pictures of which it is remembered whether they look like masks, as many as masks in a
folder. Chosen by judgement."""
_COLOUR_NAMES: dict[tuple[int, int, int], str] = {
    (1, 0, 0): "red",
    (0, 1, 0): "green",
    (0, 0, 1): "blue",
    (1, 1, 0): "yellow",
    (1, 0, 1): "magenta",
    (0, 1, 1): "cyan",
    (1, 1, 1): "white",
}
_LESION_COLOURS = frozenset(("red", "green"))
"""Colours of malignant and benign masses in BUS-UCLM."""
_EXPECTED = (
    "expected a mask with 0 and one other value, or labels "
    "(0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue)"
)
_16_BIT_GREY = ("I;16", "I;16B", "I;16L", "I;16N")
_WHITE_IS_ZERO, _TIFF_PHOTOMETRIC = 0, 262


@dataclass(frozen=True, slots=True)
class _Pixels:
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


def read_picture(
    path: Path,
    shape: tuple[int, int],
    structure: Structure,
    *,
    written_by_run: bool,
    remarks: list[Remark],
) -> dict[Structure, BoolImage]:
    """Read a mask that is a picture.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Rows and columns of the image.
    structure : str
        What the mask outlines according to its name.
    written_by_run : bool
        True if the mask lies in the output folder of a run.
    remarks : list of Remark
        Notes and warnings are appended.

    Returns
    -------
    dict
        The area of each structure, shape (rows, columns). A label image has all three structures.

    Raises
    ------
    ScanError
        If the mask cannot be read, has another size than the image, or is neither a label image nor
        a binary mask.
    """
    pixels = _decoded(path, shape)
    if (
        structure == "any"
        and (labels := _labels(pixels, written_by_run=written_by_run)) is not None
    ):
        if not written_by_run:
            remarks.append(
                f"{path.name} was read as a label image "
                "(1 mass, 2 duct, 3 nonmass area, 255 not tissue)"
            )
        return {labelled: labels == label for labelled, label in LABELS.items()}
    area = _outlined(path, pixels, structure)
    if not area.any():
        remarks.append(f"{path.name} outlines nothing, so the image has no such area")
    elif warning := _border_warning(path, area):
        remarks.append(warning)
    return {"mass" if structure == "any" else structure: area}


def _labels(pixels: _Pixels, *, written_by_run: bool) -> NDArray[np.integer] | None:
    """Return the labels of a label image; None if the picture is none.

    Palette images have their labels as indices, unless their palette shows the colours of BUS-UCLM.
    """
    if pixels.file_format == "jpeg":  # does not keep such values
        return None
    values = pixels.grey if pixels.indices is None else pixels.indices
    if values is None or (pixels.indices is not None and _has_lesion_colours(pixels.colours)):
        return None
    present = set(np.unique(values).tolist())
    if not present <= {0, *LABELS.values(), AreaLabel.NOT_TISSUE}:
        return None
    # without a 0, the lowest number is often the background
    beyond_binary = present & {AreaLabel.DUCT, AreaLabel.NONMASS} or present >= {
        AreaLabel.MASS,
        AreaLabel.NOT_TISSUE,
    }
    is_label_image = written_by_run or (0 in present and beyond_binary)
    return values.astype(np.int64) if is_label_image else None


def _has_lesion_colours(colours: NDArray[Any]) -> bool:
    """Return True if the colours are black, full red and full green, at least one of the latter."""
    if colours.ndim != 3:
        return False
    present = set(map(tuple, np.unique(colours.reshape(-1, 3), axis=0).tolist()))
    red_green = {(255, 0, 0), (0, 255, 0)}
    return bool(present & red_green) and present <= {(0, 0, 0), *red_green}


def _outlined(path: Path, pixels: _Pixels, structure: Structure) -> BoolImage:
    """Return the area that a binary mask, or one with flat colours on black, outlines."""
    values = pixels.brightness
    if not np.isfinite(values).all() or values.min() < 0:
        raise ScanError(f"{path}: {_EXPECTED}, found negative or missing values; correct the mask")
    largest = float(values.max())
    if largest == 0:
        return np.zeros(values.shape, dtype=bool)
    if pixels.file_format == "jpeg" and largest < 64:
        raise ScanError(
            f"{path}: the largest value of this JPEG is {largest:.0f}, expected 255: JPEG does not "
            "keep small values; save the mask as PNG"
        )
    least_difference = _SAME.get(pixels.file_format, 0)
    low, high = values <= _BAND * largest, values >= (1 - _BAND) * largest
    between = ~(low | high)
    has_other_levels = between.mean() > _MOST_BETWEEN or _has_plateau(
        values, between, least_difference
    )
    if not least_difference:
        has_other_levels |= _has_plateau(values, low & (values > 0), 0)
    if has_other_levels:
        raise _wrong_values(path, pixels)
    if structure == "any" and pixels.colours.ndim == 3:
        _check_colours(path, pixels.colours[high])
    return np.asarray(values > largest / 2)


def _has_plateau(
    values: NDArray[np.float32], candidates: BoolImage, most_difference: float
) -> bool:
    """Return True if a square of nearly equal values lies among the candidate pixels."""
    from scipy.ndimage import maximum_filter, minimum_filter

    rows, columns = np.nonzero(candidates)
    if len(rows) < _PLATEAU**2:
        return False
    part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    values, candidates = values[part], candidates[part]
    difference = maximum_filter(values, _PLATEAU, mode="nearest")
    difference -= minimum_filter(values, _PLATEAU, mode="nearest")
    inside = minimum_filter(candidates, _PLATEAU, mode="constant", cval=False)
    return bool((inside & (difference <= most_difference)).any())


def _check_colours(path: Path, colours: NDArray[Any]) -> None:
    """Refuse a mask with several colours, other than the two of BUS-UCLM.

    Parameters
    ----------
    path : Path
    colours : array, shape (pixels, 3)
        Colours of the outlined pixels.
    """
    is_strong = colours > colours.max(axis=-1, keepdims=True) / 2
    kinds, counts = np.unique(is_strong, axis=0, return_counts=True)
    names = [
        _COLOUR_NAMES[bool(kind[0]), bool(kind[1]), bool(kind[2])]
        for kind, count in zip(kinds, counts, strict=True)
        if count >= _SMALL_COLOUR * len(colours)
    ]
    if len(names) > 1 and not set(names) <= _LESION_COLOURS:
        raise ScanError(
            f"{path}: expected one colour on black, or red and green as in BUS-UCLM, found the "
            f"coloured areas {', '.join(sorted(names))}, which may be different structures; give "
            "one mask for each structure, such as NAME_mass.png and NAME_duct.png"
        )


def _border_warning(path: Path, area: BoolImage) -> ScanWarning | None:
    """Return a warning if an outlined area covers most of the border of the image.

    Raises
    ------
    ScanError
        If it covers nearly all of it, as in an inverted mask.
    """
    border = np.concatenate((area[0], area[-1], area[1:-1, 0], area[1:-1, -1]))
    covered = float(border.mean())
    if covered >= _INVERTED_BORDER:
        raise ScanError(
            f"{path}: expected black outside the outlined areas, but {covered:.0%} of the border "
            "of the picture is not black, as in an inverted mask; invert the mask, or copy the "
            "run.json of its run beside it if it is a label image of a run"
        )
    if covered <= _LARGEST_BORDER:
        return None
    return ScanWarning(
        WarningCode.MASK_UNUSUAL,
        f"{path.name} outlines {covered:.0%} of the border of the image; is it inverted?",
    )


def _wrong_values(path: Path, pixels: _Pixels) -> ScanError:
    """Return the error for a picture that is neither a label image nor a binary mask."""
    values = pixels.grey
    if values is None:
        return ScanError(
            f"{path}: expected a mask with flat colours on black, found a coloured image with "
            "other shades; give its labels as grey values"
        )
    present = [f"{value:g}" for value in np.unique(values).tolist()]
    more = ", ..." if len(present) > _FEW_VALUES else ""
    return ScanError(
        f"{path}: {_EXPECTED}, found the values {', '.join(present[:_FEW_VALUES])}{more}; "
        "correct the mask or leave it out"
    )


def looks_like_mask(path: Path) -> bool:
    """Return True if a picture has few colours, or nearly all its pixels have two values.

    It is cached until the file changes.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror or error}") from error
    return _cached_look(path, status.st_mtime_ns, status.st_size)


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
        pixels = _pixels(image, file_format)
    values = pixels.brightness
    largest = float(values.max())
    if len(np.unique(values)) <= _FEW_VALUES:
        return True
    between = (values > _BAND * largest) & (values < (1 - _BAND) * largest)
    return bool(between.mean() <= _MOST_BETWEEN)


def _opened(file: IO[bytes], file_format: str) -> Any:
    """Open a picture with the Pillow class of its format.

    `PIL.Image.open` is not used: it has a limit on the size that is not in the settings of a run.
    """
    from PIL import Image

    Image.init()
    factory, _ = Image.OPEN[file_format.upper()]
    return factory(file, "")


def _decoded(path: Path, shape: tuple[int, int]) -> _Pixels:
    """Decode a mask and check its size."""
    file_format = detect_format(path)
    if file_format not in STILL_FORMATS:
        raise ScanError(
            f"{path}: expected a mask as PNG, BMP, TIFF, JPEG or DICOM Segmentation, "
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


def _pixels(image: Any, file_format: str) -> _Pixels:
    """Decode the pixels of an open picture, turned upright by its orientation tag.

    Raises
    ------
    ScanError, Exception
        If the kind of pixels is not read; any error of the decoder.
    """
    from PIL import ImageOps

    layout = image.tile[0][3] if image.tile else ""
    raw_mode = layout if isinstance(layout, str) else layout[0] if layout else ""
    is_grey = image.mode in (*_16_BIT_GREY, "I")
    if "16" in str(raw_mode) and file_format in ("png", "tiff") and not is_grey:
        raise ValueError("16-bit colours are not read in a mask; save it with 8 bits")
    photometric = image.tag_v2.get(_TIFF_PHOTOMETRIC) if file_format == "tiff" else None
    image.load()
    if file_format != "tiff":  # Pillow itself turns a TIFF
        image = ImageOps.exif_transpose(image)
    indices = np.asarray(image) if image.mode == "P" else None
    if image.mode == "PA":
        indices = np.asarray(image)[..., 0]
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        return _Pixels(_on_black(rgba[..., :3], rgba[..., 3]), indices, file_format)
    if image.mode not in ("1", "L", "I", "F", *_16_BIT_GREY):
        image = image.convert("RGB")
    values = np.asarray(image)
    if photometric == _WHITE_IS_ZERO and values.dtype == np.uint16:  # Pillow inverts only 8 bits
        values = np.invert(values)
    return _Pixels(values, indices, file_format)


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
