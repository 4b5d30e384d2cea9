"""The user's masks: the same for every frame, given for each frame, or returned by a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ScanError, UsageError
from usmicro.model.arrays import ByteImage, Frame, LabelImage
from usmicro.model.scan import Scan, Spacing, UserMasks
from usmicro.model.user_function import error_words, frame_copy, function_name
from usmicro.numerics.components import label_components

MasksLike = UserMasks | Mapping[str, ArrayLike | None]
"""`UserMasks`, or a mapping with any of the keys "masses", "ducts" and "nonmass"."""
MaskFunction = Callable[[ByteImage, Spacing], MasksLike | None]
"""Function of a frame, uint8 of shape (rows, columns) or (rows, columns, 3) RGB, and the pixel
spacing. It returns the masks of that frame. For None, the areas are detected automatically."""

PARTS = ("masses", "ducts", "nonmass")
"""Fields of `UserMasks` and keys of a mapping."""


def check_masks(masks: object) -> None:
    """Check the type of what a caller gave as masks.

    Raises
    ------
    UsageError
        If it is neither `UserMasks`, nor a mapping, nor a function, nor None.
    """
    if masks is None or isinstance(masks, (UserMasks, Mapping)) or callable(masks):
        return
    hint = 'for a mask of masses pass {"masses": mask}'
    if isinstance(masks, (str, os.PathLike)):
        hint = "usmicro.run reads masks from a folder"
    raise UsageError(
        f"masks: expected UserMasks, a dictionary with the keys {', '.join(PARTS)}, or a function "
        f"of a frame and its spacing, found {type(masks).__name__}; {hint}"
    )


def user_masks_on_frame(
    masks: MasksLike | MaskFunction, frame: Frame, number: int, scan: Scan
) -> UserMasks | None:
    """Return the user's masks of one frame.

    Parameters
    ----------
    masks : UserMasks, mapping or function
        A function gets a copy of the frame, which it may change.
    frame : array, shape (rows, columns) or (rows, columns, 3)
    number : int
        Index of the frame, from 0.
    scan : Scan

    Returns
    -------
    UserMasks or None
        None if the function returns None.

    Raises
    ------
    ScanError
        If the function fails, or if the masks do not fit the frame.
    """
    if callable(masks):
        source = f"the masks function {function_name(masks)}"
        try:
            given = masks(frame_copy(frame), scan.spacing)
        except Exception as error:  # a function of the user may raise anything
            raise ScanError(
                f"{scan.name}: {source} failed on frame {number}: {error_words(error)}"
            ) from error
    else:
        given, source = masks, "masks"
    if given is None:
        return None
    where, shape = f"{scan.name}: {source}", frame.shape[:2]
    if not isinstance(given, UserMasks):
        return _of_mapping(given, shape, where)
    given = given.on_frame(number)
    for part in PARTS:
        if (labels := getattr(given, part)) is not None:
            _check_shape(labels, shape, f"{where}: {part}")
    return given


def _of_mapping(given: object, shape: tuple[int, ...], where: str) -> UserMasks:
    """Return the masks in a mapping; `where` begins the error messages."""
    if not isinstance(given, Mapping):
        raise ScanError(
            f"{where}: expected UserMasks, a dictionary with the keys {', '.join(PARTS)}, or None, "
            f"found {type(given).__name__}; "
            'for a mask of masses pass {"masses": mask}'
        )
    if unknown := sorted(map(str, set(given) - set(PARTS))):
        raise ScanError(
            f"{where}: expected the keys {', '.join(PARTS)}, found {', '.join(unknown)}"
        )
    labels = {
        part: _labels(given[part], shape, f"{where}: {part}")
        for part in PARTS
        if given.get(part) is not None
    }
    nonmass = labels.get("nonmass")
    return UserMasks(
        labels.get("masses"), labels.get("ducts"), None if nonmass is None else nonmass > 0
    )


def _labels(values: ArrayLike, shape: tuple[int, ...], what: str) -> LabelImage:
    """Return a label image; `what` begins the error messages.

    A binary array, with 0 and one other value, is split into its connected components. Other
    arrays keep their numbers.
    """
    array = np.asarray(values)
    _check_shape(array, shape, what)
    if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
        raise ScanError(
            f"{what}: expected bool or whole numbers, found {array.dtype}; "
            "compare a probability with a threshold first"
        )
    present = np.unique(array)
    if present[0] < 0 or present[-1] > np.iinfo(np.int32).max:
        raise ScanError(
            f"{what}: expected 0 outside and 1 to n inside, found {present[0]} to {present[-1]}"
        )
    return (
        label_components(array != 0) if np.count_nonzero(present) <= 1 else array.astype(np.int32)
    )


def _check_shape(array: NDArray[np.generic], shape: tuple[int, ...], what: str) -> None:
    if array.shape != shape:
        raise ScanError(
            f"{what}: expected the size of the frame, {shape[0]} rows x {shape[1]} columns, "
            f"found an array of shape {array.shape}"
        )
