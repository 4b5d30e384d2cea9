"""A detector of the user's own: a function that finds the foci of a frame in place of the program.

Its foci are then treated like the program's own: shadow, twinkling and label are assessed, and they
are followed over a cine, put in the tables and drawn. Their confidence is the detector's score.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ScanError, UsageError
from usmicro.foci.blobs import Blobs
from usmicro.foci.features import measure_blobs
from usmicro.foci.scale_space import FWHM, filled_outside, scale_space
from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.findings import Candidates
from usmicro.model.scan import Scan, Spacing
from usmicro.model.user_function import error_words, frame_copy, function_name
from usmicro.model.view import View
from usmicro.model.warnings import Remark, ScanWarning, WarningCode
from usmicro.settings import FociSettings, Settings

Floats = NDArray[np.float64]
DetectorFunction = Callable[[ByteImage, Spacing], tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]]
"""Function of a frame, uint8 of shape (rows, columns) or (rows, columns, 3) RGB, and the pixel
spacing. It returns four arrays of the same length: column, row and diameter of each focus in pixels
of the frame, with the centre of the first pixel at 0, and its score from 0 to 1."""

RETURNED = ("x_px", "y_px", "diameter_px", "score")
"""Names of the arrays that a detector returns, in order."""
EXPECTED = f"four arrays of the same length ({', '.join(RETURNED)})"


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFoci:
    """Foci of one view that a detector of the user found; a `FociOfView` of `foci.assessment`."""

    candidates: Candidates
    confidence: Floats
    """Score of each, shape (n,)."""
    detector: str
    """Name of the detector."""

    def take(self, which: NDArray[np.intp]) -> DetectedFoci:
        """Return the foci with these indices."""
        return replace(
            self, candidates=self.candidates.take(which), confidence=self.confidence[which]
        )

    def reasons(self) -> list[str]:
        """Name what decided the confidence of each focus."""
        return [f"It is the score of the detector {self.detector}."] * len(self.candidates)

    def lowered_by(self) -> list[str]:
        """Name what lowered the confidence of each focus: nothing that is known."""
        return [""] * len(self.candidates)

    @property
    def has_rule_of_clumps(self) -> NDArray[np.bool_]:
        """False for each focus."""
        return np.zeros(len(self.candidates), bool)

    @property
    def parts(self) -> Candidates:
        """Candidates that clumps replaced: none."""
        return self.candidates.take(np.empty(0, int))

    @property
    def parts_confidence(self) -> Floats:
        """Confidence of each of the `parts`."""
        return np.empty(0)


@dataclass(slots=True)
class Detections:
    """The foci that a detector found on one frame; arrays have shape (n,)."""

    x_px: Floats
    y_px: Floats
    diameter_px: Floats
    score: Floats
    detector: str
    """Name of the detector."""
    placed: NDArray[np.bool_] = field(init=False)
    """True for those that lie in the tissue of a view so far."""

    def __post_init__(self) -> None:
        self.placed = np.zeros(len(self.x_px), bool)

    def on_view(self, view: View, settings: FociSettings) -> DetectedFoci:
        """Return those that lie in the tissue of a view, the highest scores first, as candidates.

        Their positions and diameters are those of the detector. The contrast is measured as that of
        the program's own candidates; it is NaN where graphics or colour hide the echo. Their
        probability of a false alarm is not measured, and NaN.
        """
        x, y = view.grid.from_image(self.x_px, self.y_px)
        rows, columns = view.shape
        inside = (x >= -0.5) & (x < columns - 0.5) & (y >= -0.5) & (y < rows - 0.5) & ~self.placed
        row = np.clip(np.rint(y), 0, rows - 1).astype(int)
        column = np.clip(np.rint(x), 0, columns - 1).astype(int)
        inside &= view.tissue[row, column]
        self.placed |= inside
        found = np.flatnonzero(inside)
        found = found[np.lexsort((self.x_px[found], self.y_px[found], -self.score[found]))]
        pixel = np.sqrt(view.grid.step_x * view.grid.step_y)
        candidates = _measured(view, x[found], y[found], self.diameter_px[found] / pixel, settings)
        hidden = ~view.usable[row[found], column[found]]
        contrast = np.where(hidden, np.nan, candidates.contrast)
        return DetectedFoci(
            replace(candidates, contrast=contrast), self.score[found], self.detector
        )


def _measured(
    view: View, x: Floats, y: Floats, diameter: Floats, settings: FociSettings
) -> Candidates:
    """Return foci at grid positions as candidates; arrays have shape (n,), in grid pixels."""
    images = {1: filled_outside(view.grey, view.tissue)}
    scales = scale_space(view, settings.smallest, settings.largest, images)
    sigma = np.array([scale.sigma for scale in scales])
    own_sigma = np.maximum(diameter / FWHM, 1e-6)
    nearest = np.abs(np.log(own_sigma[:, np.newaxis] / sigma)).argmin(axis=1)
    blobs = Blobs(x, y, nearest, np.zeros(len(x)), scales, images)
    measured = measure_blobs(view, settings, blobs, np.full(len(x), np.nan))
    return replace(
        measured,
        x=x,
        y=y,
        diameter=diameter,
        width=diameter,
        height=diameter,
        coarse=diameter >= view.grid.pixels(settings.coarse),
    )


@dataclass(slots=True)
class UserDetector:
    """A detector of the user while it is used on one scan."""

    function: DetectorFunction
    count: int = 0
    """Number of foci that it found so far."""
    outside: list[tuple[int, float, float]] = field(default_factory=list)
    """Frame, column and row of those that lie in no tissue."""

    @property
    def name(self) -> str:
        """Name of the function, with its module."""
        return function_name(self.function)

    def detect(self, frame: Frame, number: int, scan: Scan) -> Detections:
        """Call the detector on a frame.

        Parameters
        ----------
        frame : array, shape (rows, columns) or (rows, columns, 3)
            It gets a copy with 8 bits.
        number : int
            Index of the frame, from 0.
        scan : Scan

        Raises
        ------
        ScanError
            If the detector fails, or returns something else than expected.
        """
        where = f"{scan.name}: the detector {self.name}"
        try:
            returned: Any = self.function(frame_copy(frame), scan.spacing)
        except Exception as error:  # a function of the user may raise anything
            raise ScanError(f"{where} failed on frame {number}: {error_words(error)}") from error
        x, y, diameter, score = _checked(returned, f"{where} on frame {number}")
        self.count += len(x)
        return Detections(x, y, diameter, score, detector=self.name)

    def add_unplaced(self, detections: Detections, number: int) -> None:
        """Count the detections on a frame that lie in the tissue of none of its views."""
        for i in np.flatnonzero(~detections.placed):
            self.outside.append((number, float(detections.x_px[i]), float(detections.y_px[i])))

    def remarks(self) -> list[Remark]:
        """Return what a reader of the results must know."""
        remarks: list[Remark] = [
            f"the foci are those of the detector {self.name}; their confidence is its score"
        ]
        if self.outside:
            frame, x, y = self.outside[0]
            remarks.append(
                ScanWarning(
                    WarningCode.DETECTIONS_OUTSIDE,
                    f"{len(self.outside)} of {self.count} positions of the detector {self.name}, "
                    f"the first at column {x:.6g}, row {y:.6g} of frame {frame}",
                )
            )
        return remarks


def _checked(returned: Any, where: str) -> list[Floats]:
    """Return the four arrays that a detector returned; `where` begins the error messages."""
    try:
        items = list(returned)
    except TypeError:
        items = []
    if len(items) != len(RETURNED):
        found = f"{len(items)} values" if items else type(returned).__name__
        raise ScanError(
            f"{where}: expected {EXPECTED}, found {found}; return four empty arrays if there is no "
            "focus"
        )
    arrays = []
    for name, item in zip(RETURNED, items, strict=True):
        try:
            array = np.asarray(item, dtype=np.float64)
        except Exception as error:  # an object of another library may raise anything
            raise ScanError(
                f"{where}: expected numbers as {name}, found {type(item).__name__} "
                f"({error_words(error)})"
            ) from error
        if array.ndim != 1:
            raise ScanError(
                f"{where}: expected {name} of the shape (n,), found the shape {array.shape}"
            )
        if wrong := int(np.count_nonzero(~np.isfinite(array))):
            raise ScanError(f"{where}: expected finite {name}, found {wrong} NaN or infinite")
        arrays.append(array)
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ScanError(f"{where}: expected {EXPECTED}, found the lengths {_joined(lengths)}")
    _, _, diameter, score = arrays
    if (diameter <= 0).any():
        raise ScanError(
            f"{where}: expected each diameter_px above 0, found {diameter.min():.6g}; give the "
            "size of your smallest target if the detector measures none"
        )
    if len(score) and not (score.min() >= 0 and score.max() <= 1):
        raise ScanError(
            f"{where}: expected each score from 0 to 1, found {score.min():.6g} to "
            f"{score.max():.6g}; divide by the largest possible score, or apply a sigmoid"
        )
    return arrays


def _joined(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def checked_detector(detector: DetectorFunction | None) -> UserDetector | None:
    """Return a detector for one scan.

    Raises
    ------
    UsageError
        If it is no function.
    """
    if detector is None:
        return None
    if not callable(detector):
        raise UsageError(
            "detector: expected a function of a frame and its spacing that returns "
            f"{EXPECTED}, found {detector!r}; a name is loaded with "
            'usmicro.load_detector("module:function")'
        )
    return UserDetector(detector)


def listing_all_detections(settings: Settings) -> Settings:
    """Return settings that list every focus of a detector, unless they say from which score.

    `foci.false_positives_per_image` was measured with the program's own confidence and says nothing
    about the scores of another detector.
    """
    if settings.foci.minimum_confidence >= 0:
        return settings
    return replace(settings, foci=replace(settings.foci, minimum_confidence=0.0))


def load_detector(name: str) -> DetectorFunction:
    """Import a detector by its name.

    Parameters
    ----------
    name : str
        "module:function". The module is searched for where Python searches, and then in the current
        folder. The function may be an attribute of an object, as in "module:model.detect".

    Raises
    ------
    UsageError
        If there is no such module or function, or if the module cannot be imported.
    """
    what = f"detector {name}"
    module_name, separator, path = name.partition(":")
    if not (separator and module_name and path) or os.sep in module_name:
        raise UsageError(
            f"{what}: expected module:function, such as my_detector:detect for the function detect "
            "in my_detector.py"
        )
    folder = os.getcwd()
    try:
        if find_spec(module_name) is None and folder not in sys.path:
            # at the end, so that no file there hides another module
            sys.path.append(folder)
        if find_spec(module_name) is None:
            raise UsageError(
                f"{what}: no module {module_name} found on Python's path or in {folder}; expected "
                f"a file {module_name.replace('.', os.sep)}.py"
            )
        target: Any = import_module(module_name)
    except UsageError:
        raise
    except Exception as error:  # a module of the user may raise anything
        raise UsageError(
            f"{what}: {module_name} cannot be imported: {error_words(error)}"
        ) from error
    for part in path.split("."):
        if not hasattr(target, part):
            raise UsageError(f"{what}: {module_name} has no {path}; expected a function")
        target = getattr(target, part)
    if not callable(target):
        raise UsageError(f"{what}: expected a function, found {type(target).__name__}")
    function: DetectorFunction = target
    return function
