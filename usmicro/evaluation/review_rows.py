"""Rows of a review: decisions of readers on foci, masses and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from usmicro.evaluation.review_cells import Outline

Decision = Literal["accepted", "rejected", "added"]
MOST_EXAMPLES = 3
"""Number of lines that the message about a problem names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """What all rows of a review have."""

    file: str
    """Name of the file."""
    line: int
    """Line of the file, counted from 1, on which the row ends."""
    image: str
    """Name of the image as in images.csv of the run."""
    reader: str
    """Name of the reader; empty if not given."""
    comment: str
    run: str
    """Which run was reviewed; empty if the file does not say."""
    blind: bool
    """True if it was said before the findings were shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusReview(ReviewRow):
    """A decision on a focus. Positions and words are those after the changes of the reader."""

    decision: Decision
    focus: int | None
    """Number of the focus in foci.csv of the run. None if the reader added it, or if another run
    was reviewed and this run has no focus there."""
    frame: int
    x_px: float
    y_px: float
    diameter_px: float | None
    label: str | None
    """One of "intramass", "extramass" and "intraductal"; None if not said or rejected."""
    shadow: str | None
    """One of "yes", "no" and "not assessable"; None likewise."""
    twinkling: str | None
    """One of "yes", "possible", "no" and "not assessable"; None likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MassReview(ReviewRow):
    """A decision on a mass."""

    decision: Decision
    mass: int | None
    """Number of the mass in masses.csv of the run; None likewise."""
    frame: int
    x_px: float
    y_px: float
    outline: Outline | None
    """Corners of the outline that the reader drew, (column, row); None if the outline is that of
    the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingComment(ReviewRow):
    """A comment on a listed focus or mass on which the reader has not decided."""

    kind: Literal["focus", "mass"]
    number: int | None
    """Number of the focus or mass in the tables of the run; None as in `FocusReview`."""
    frame: int
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReview(ReviewRow):
    """What a reader says about an image as a whole."""

    calcification: str | None
    """ "none", "present", descriptors joined by `+`, or "unsure"; None if not answered."""
    reviewed: bool
    """True if the reader has read the whole image, so that what is not marked is not there."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows of a review that cannot be used, or not completely, for one reason."""

    reason: str
    rows: tuple[tuple[str, str], ...]
    """Place and finding of each row."""

    @property
    def text(self) -> str:
        """The message: how many rows, why, and examples."""
        examples = "; ".join(
            f"{place}: {found}" if found else place for place, found in self.rows[:MOST_EXAMPLES]
        )
        more = " and others" if len(self.rows) > MOST_EXAMPLES else ""
        count = len(self.rows)
        rows = "1 row" if count == 1 else f"{count} rows"
        return f"review: {self.reason}: {rows} ({examples}{more})"


@dataclass(frozen=True, slots=True)
class Review:
    """The usable rows of one or several review files."""

    files: tuple[Path, ...]
    foci: list[FocusReview] = field(default_factory=list)
    masses: list[MassReview] = field(default_factory=list)
    images: list[ImageReview] = field(default_factory=list)
    comments: list[FindingComment] = field(default_factory=list)
    """Comments on findings without a decision; the other rows have their own."""
    problems: list[Problem] = field(default_factory=list)
    fits: bool = True
    """True if the numbers of foci and masses are those of the run. If not, another run was
    reviewed, and its foci and masses were found in this run by their position."""

    @property
    def readers(self) -> list[str]:
        """Names of the readers, sorted."""
        rows = (*self.images, *self.foci, *self.masses, *self.comments)
        return sorted({row.reader for row in rows})

    def of_reader(self, reader: str) -> Review:
        """Return the rows of one reader."""
        return Review(
            self.files,
            [row for row in self.foci if row.reader == reader],
            [row for row in self.masses if row.reader == reader],
            [row for row in self.images if row.reader == reader],
            [row for row in self.comments if row.reader == reader],
            self.problems,
            self.fits,
        )

    @property
    def reviewed_images(self) -> list[str]:
        """Images that any reader has read completely, sorted."""
        return sorted({row.image for row in self.images if row.reviewed})
