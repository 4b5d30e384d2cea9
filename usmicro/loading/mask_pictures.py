"""Reading of masks that are pictures: label images, binary masks and flat colours on black."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ScanError
from usmicro.loading.dicom.segmentation import Structure
from usmicro.loading.mask_pixels import BAND, FEW_VALUES, MOST_BETWEEN, Pixels, decoded
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

LABELS: dict[Structure, int] = {
    "mass": AreaLabel.MASS,
    "duct": AreaLabel.DUCT,
    "nonmass": AreaLabel.NONMASS,
}
"""Values of the structures in the label images that a run writes; 0 is tissue."""
_PLATEAU = 5
"""Side of a square of equal values, pixels, that is an area of its own and not a smooth edge.
Chosen by judgement."""
_FLAT = 3
"""Side of a square of equal values, pixels, that no smooth edge has. Every seventh of the 2,481
masks, as it is and resized in 21 ways: only 15 of 7,810 pictures get a warning, all of them made
four times smaller and larger again."""
_FARTHEST_EDGE = 8
"""Distance from the outlined pixels, pixels, beyond which no smooth edge reaches: two pixels of a
mask that was enlarged four times."""
_LEAST_FAR = 0.25
"""Fraction of the largest value below which pixels farther away may be the corner of a smooth edge.
Chosen by judgement."""
_MOST_FAR = 4
"""Number of pixels farther away that get no warning: small areas that were made smooth. Chosen by
judgement."""
_MOST_DIFFERENCE = {"jpeg": 6}
"""Largest difference of values in such a square, of 255, by format; 0 for other formats. Flat areas
of a JPEG stay within 3 on either side, see `BAND`."""
_SMALL_COLOUR = 0.01
"""Fraction of the outlined pixels below which a colour is an artefact of a smooth edge between two
colours. Chosen by judgement."""
_LARGEST_BORDER, _INVERTED_BORDER = 0.5, 0.9
"""Fractions of the border of an image that a mask covers: above the first there is a warning, from
the second on the mask is refused as inverted. The largest of the 2,481 masks of BrEaST, BUS-BRA,
BUSI and BUS-UCLM at hand is 0.48."""
_CONTOUR_RATIO = 2.0
"""Area within the outer contour of a mask, relative to the area of the mask, from which on there is
a warning. Chosen by judgement: filled masks have 1.0."""
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
    "(0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue, which is at the border)"
)


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
        True if the picture is known to be a label image of a run.
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
    pixels = decoded(path, shape)
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
    area = _outlined(path, pixels, structure, remarks)
    if not area.any():
        remarks.append(f"{path.name} outlines nothing, so the image has no such area")
    else:
        remarks += _unusual_shape(path, area)
    return {"mass" if structure == "any" else structure: area}


def _labels(pixels: Pixels, *, written_by_run: bool) -> NDArray[np.integer] | None:
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
    if not written_by_run:
        if 0 not in present:  # the lowest number is often the background
            return None
        if AreaLabel.NOT_TISSUE in present:
            if not _are_labels_with_255(values):
                return None
        elif not present & {AreaLabel.DUCT, AreaLabel.NONMASS}:
            return None
    return values.astype(np.int64)


def _are_labels_with_255(values: NDArray[Any]) -> bool:
    """Return True if two labels have areas, or one has and 255 is at the border, as not tissue.

    Otherwise the picture may be a binary mask with stray pixels of low values.
    """
    levels = values.astype(np.float32)
    areas = sum(_has_plateau(levels, levels == label, 0) for label in LABELS.values())
    border = (values[0], values[-1], values[:, 0], values[:, -1])
    is_at_border = any((side == AreaLabel.NOT_TISSUE).any() for side in border)
    return areas > 1 or (areas == 1 and is_at_border)


def _has_lesion_colours(colours: NDArray[Any]) -> bool:
    """Return True if the colours are black, full red and full green, at least one of the latter."""
    if colours.ndim != 3:
        return False
    present = set(map(tuple, np.unique(colours.reshape(-1, 3), axis=0).tolist()))
    red_green = {(255, 0, 0), (0, 255, 0)}
    return bool(present & red_green) and present <= {(0, 0, 0), *red_green}


def _outlined(path: Path, pixels: Pixels, structure: Structure, remarks: list[Remark]) -> BoolImage:
    """Return the area that a binary mask, or one with flat colours on black, outlines.

    Warnings are appended to `remarks`.
    """
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
    most_difference = _MOST_DIFFERENCE.get(pixels.file_format, 0)
    low, high = values <= BAND * largest, values >= (1 - BAND) * largest
    between = ~(low | high)
    has_other_levels = between.mean() > MOST_BETWEEN or _has_plateau(
        values, between, most_difference
    )
    if not most_difference:
        has_other_levels |= _has_plateau(values, low & (values > 0), 0)
    if has_other_levels:
        raise _wrong_values(path, pixels)
    if not most_difference:
        remarks += _stray_values(path, values, low, between)
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


def _stray_values(
    path: Path, values: NDArray[np.float32], low: BoolImage, between: BoolImage
) -> list[ScanWarning]:
    """Return a warning if pixels have a third value that no smooth edge explains.

    Parameters
    ----------
    path : Path
    values : array, shape (rows, columns), float32
    low, between : array, shape (rows, columns), bool
        Pixels that are near 0, and pixels that are near neither 0 nor the largest value.
    """
    if between.any():  # a smooth edge, which has low values, too
        stray = _beside_smooth_edges(values, between, ~(low | between))
    else:
        stray = low & (values > 0)
    if not stray.any():
        return []
    found = [f"{value:g}" for value in np.unique(values[stray])[:FEW_VALUES].tolist()]
    text = (
        f"{path.name} has {int(stray.sum())} pixels with the value {' or '.join(found)}, expected "
        f"0 or {float(values.max()):g}; they were cut at half"
    )
    return [ScanWarning(WarningCode.MASK_UNUSUAL, text)]


def _beside_smooth_edges(
    values: NDArray[np.float32], between: BoolImage, high: BoolImage
) -> BoolImage:
    """Return the pixels of `between` that are in no smooth edge: in a flat square, or far from it.

    Parameters
    ----------
    values : array, shape (rows, columns), float32
    between, high : array, shape (rows, columns), bool
        Pixels that are near neither 0 nor the largest value, and pixels that are near the latter.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    is_flat = maximum_filter(values, _FLAT) == minimum_filter(values, _FLAT)
    stray = between & maximum_filter(is_flat & between, _FLAT)
    far = between & (values >= _LEAST_FAR * values.max())
    far &= ~maximum_filter(high, 2 * _FARTHEST_EDGE + 1)
    return np.asarray(stray | far if np.count_nonzero(far) > _MOST_FAR else stray)


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


def _unusual_shape(path: Path, area: BoolImage) -> list[ScanWarning]:
    """Return warnings if an area covers most of the border of the image, or is only a contour.

    Raises
    ------
    ScanError
        If it covers nearly all of the border, as in an inverted mask.
    """
    border = np.concatenate((area[0], area[-1], area[1:-1, 0], area[1:-1, -1]))
    covered = float(border.mean())
    if covered >= _INVERTED_BORDER:
        raise ScanError(
            f"{path}: expected black outside the outlined areas, but {covered:.0%} of the border "
            "of the picture is not black, as in an inverted mask; invert the mask, or copy the "
            "run.json of its run beside it if it is a label image of a run"
        )
    from scipy.ndimage import binary_fill_holes

    texts = []
    if covered > _LARGEST_BORDER:
        texts.append(f"outlines {covered:.0%} of the border of the image; is it inverted?")
    filled = int(binary_fill_holes(area).sum()) / int(area.sum())
    if filled >= _CONTOUR_RATIO:
        texts.append(
            f"encloses {filled:.1f} times its own area; is it a contour that is not filled?"
        )
    return [ScanWarning(WarningCode.MASK_UNUSUAL, f"{path.name} {text}") for text in texts]


def _wrong_values(path: Path, pixels: Pixels) -> ScanError:
    """Return the error for a picture that is neither a label image nor a binary mask."""
    values = pixels.grey
    if values is None:
        return ScanError(
            f"{path}: expected a mask with flat colours on black, found a coloured image with "
            "other shades; give its labels as grey values"
        )
    present = [f"{value:g}" for value in np.unique(values).tolist()]
    more = ", ..." if len(present) > FEW_VALUES else ""
    return ScanError(
        f"{path}: {_EXPECTED}, found the values {', '.join(present[:FEW_VALUES])}{more}; "
        "correct the mask or leave it out"
    )
