"""Warnings: what may be wrong with the results of a scan or of a run, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class WarningCode(StrEnum):
    """Kinds of warnings: the values of the column `warnings` in images.csv."""

    SPACING_REJECTED = "spacing-rejected"
    SPACING_DIFFERS = "spacing-differs"
    REGION_UNCALIBRATED = "region-uncalibrated"
    REGIONS_DO_NOT_FIT = "regions-do-not-fit"
    PIXEL_SHAPE = "pixel-shape"
    COLOUR_UNDECIDED = "colour-undecided"
    GREY_LEVELS = "grey-levels"
    FRAMES_NOT_READ = "frames-not-read"
    GEOMETRY_NOT_APPLIED = "geometry-not-applied"
    NOT_ULTRASOUND = "not-ultrasound"
    OTHER_BODY_PART = "other-body-part"
    WIDE_SECTOR = "wide-sector"
    DEEP_FIELD = "deep-field"
    UNUSUAL_TEXTURE = "unusual-texture"
    MASK_NOT_USED = "mask-not-used"
    MASK_UNUSUAL = "mask-unusual"
    MASK_SHARED = "mask-shared"
    MASK_MISSING = "mask-missing"
    MASK_WITHOUT_SCAN = "mask-without-scan"
    SPACING_WITHOUT_SCAN = "spacing-without-scan"
    GROUP_WITHOUT_SCAN = "group-without-scan"
    GROUP_MISSING = "group-missing"
    DETECTIONS_OUTSIDE = "detections-outside"
    FILES_PASSED_OVER = "files-passed-over"
    FORMER_RESULT = "former-result"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a kind of warning means."""

    title: str
    """What was found, as a short sentence without its full stop."""
    advice: str
    """What to do, as a sentence."""

    def about(self, text: str) -> str:
        """Return the explanation of a warning whose text says what was found in a scan."""
        end = "" if text.endswith(("?", ".")) else "."
        return f"{self.title}: {text}{end} {self.advice}"


EXPLANATIONS: dict[str, Explanation] = {
    WarningCode.SPACING_REJECTED: Explanation(
        "The pixel spacing is impossible and was not used; no mm are reported",
        "Correct the spacing: it is the distance between pixel centres in mm, not in cm.",
    ),
    WarningCode.SPACING_DIFFERS: Explanation(
        "The tissue regions of the image have different pixel spacings",
        "Use the mm of each focus and mass, but not in a region that was left out; images.csv "
        "gives no spacing for the whole image.",
    ),
    WarningCode.REGION_UNCALIBRATED: Explanation(
        "A tissue region has no pixel spacing; no mm are reported for its findings",
        "Give the spacing of the image in a --spacing table if all of its regions share it.",
    ),
    WarningCode.REGIONS_DO_NOT_FIT: Explanation(
        "The ultrasound regions do not fit the pixels, as if the picture had been resized after "
        "export; no mm are reported",
        "Export the file again at its original size, or give its spacing in a --spacing table.",
    ),
    WarningCode.PIXEL_SHAPE: Explanation(
        "The pixels are not square, and one number does not say which side it measures; no mm are "
        "reported",
        "Give a --spacing table with the columns image, spacing_x_mm and spacing_y_mm.",
    ),
    WarningCode.COLOUR_UNDECIDED: Explanation(
        "The file does not say how its colours are stored",
        "Look at the overlay; if its colours are wrong, export the file again uncompressed.",
    ),
    WarningCode.GREY_LEVELS: Explanation(
        "The grey levels may not be those that the scanner displayed",
        "Look at the overlay; if it is too dark, too bright or inverted, export the file again.",
    ),
    WarningCode.FRAMES_NOT_READ: Explanation(
        "Some frames of the file were not read",
        "Export the missing frames separately if you need them.",
    ),
    WarningCode.GEOMETRY_NOT_APPLIED: Explanation(
        "The file asks for a rotation, mirroring or trimming that was not applied",
        "Convert the file so that its pixels are stored as they are displayed.",
    ),
    WarningCode.NOT_ULTRASOUND: Explanation(
        "The file does not say that it is ultrasound; it was analysed as ultrasound",
        "Leave the file out if it is not an ultrasound scan.",
    ),
    WarningCode.OTHER_BODY_PART: Explanation(
        "The DICOM header names another body part than the breast",
        "Leave the file out if it is not a breast scan.",
    ),
    WarningCode.WIDE_SECTOR: Explanation(
        "The field of view is a wide sector, as cardiac and abdominal probes have it",
        "Leave the file out if it is not a breast scan.",
    ),
    WarningCode.DEEP_FIELD: Explanation(
        "The field of view is deeper than 8 cm, which is unusual for a breast",
        "Leave the file out if it is not a breast scan; otherwise check its spacing.",
    ),
    WarningCode.UNUSUAL_TEXTURE: Explanation(
        "The image looks unlike the breast scans that the program was developed with",
        "Look at the overlay, and leave the file out if it is not a B-mode scan of a breast.",
    ),
    WarningCode.MASK_NOT_USED: Explanation(
        "A mask was found but not used",
        "Correct the mask or its name.",
    ),
    WarningCode.MASK_UNUSUAL: Explanation(
        "A mask has an unusual shape, as if it were inverted or a contour that is not filled, or "
        "pixels of a third value",
        "Look at the overlay; invert, fill or correct the mask if needed.",
    ),
    WarningCode.MASK_SHARED: Explanation(
        "One mask belongs to several scans by its name and was used for each of them",
        "Give each scan a mask of its own, in the same subfolder as the scan.",
    ),
    WarningCode.MASK_MISSING: Explanation(
        "Images have no mask in the masks folder; their areas were detected automatically",
        "Check the names of the masks if these images should have one.",
    ),
    WarningCode.MASK_WITHOUT_SCAN: Explanation(
        "Masks match no scan",
        "Check the names of the masks.",
    ),
    WarningCode.SPACING_WITHOUT_SCAN: Explanation(
        "Rows of the spacing table match no scan",
        "Check the names in the column image.",
    ),
    WarningCode.GROUP_WITHOUT_SCAN: Explanation(
        "Rows of the table of groups match no scan",
        "Check the names in the column image, patient or study.",
    ),
    WarningCode.GROUP_MISSING: Explanation(
        "Images are in no group; they are counted in the last row of groups.csv",
        "Add them to the table of groups if they should have one.",
    ),
    WarningCode.DETECTIONS_OUTSIDE: Explanation(
        "The user's detector gave positions outside the tissue, which were left out",
        "Check that it returns columns before rows, in pixels of the frame, and ignores text and "
        "scales.",
    ),
    WarningCode.FILES_PASSED_OVER: Explanation(
        "Files were passed over because they are not scans that can be read",
        "Convert them to one of the supported formats if they are scans.",
    ),
    WarningCode.FORMER_RESULT: Explanation(
        "The result is of a former run, and its input, masks or settings have changed since",
        "Run again with --resume and without --limit to compute it again.",
    ),
}
"""Meaning of each kind of warning; docs/warnings.md repeats them."""


@dataclass(frozen=True, slots=True)
class ScanWarning:
    """A warning about one scan: a value in its results may be wrong."""

    code: WarningCode
    text: str
    """What was found in this scan."""

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


Remark = str | ScanWarning
"""A note or a warning; the functions of a stage collect both in one list."""


def separated(remarks: Iterable[Remark]) -> tuple[tuple[str, ...], tuple[ScanWarning, ...]]:
    """Return the notes and the warnings among remarks, each once, in order of appearance."""
    unique = list(dict.fromkeys(remarks))
    notes = tuple(remark for remark in unique if isinstance(remark, str))
    return notes, tuple(remark for remark in unique if isinstance(remark, ScanWarning))


MOST_EXAMPLES = 3
"""Number of examples that are kept of each kind of warning of a run. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class RunWarning:
    """A kind of warning in a run, with the number of times that it was found."""

    code: WarningCode
    count: int
    """Number of images, masks, rows or files that it concerns."""
    examples: tuple[str, ...] = ()
    """A few of them, each with what was found; empty if names must not be shown."""

    @property
    def explanation(self) -> Explanation:
        """What this kind of warning means."""
        return EXPLANATIONS[self.code]
