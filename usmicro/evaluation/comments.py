"""The comments of readers on foci, masses and images."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from usmicro.evaluation.metrics import LEAST_DISTANCE_PX
from usmicro.evaluation.review_rows import MassReview, Review, ReviewRow
from usmicro.evaluation.targets import Target

Row = TypeVar("Row", bound=ReviewRow)
Place = tuple[float, float]
"""Column and row, pixels of the image."""


@dataclass(frozen=True, slots=True)
class Comments:
    """The comments of all readers; each text names its reader if there are several readers."""

    foci: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """Those on listed foci, by image and number."""
    masses: dict[str, list[str]] = field(default_factory=dict)
    """Those on masses, by image; each names its mass."""
    images: dict[str, list[str]] = field(default_factory=dict)
    """Those on images as a whole, by image."""
    marks: dict[str, list[tuple[Place, str]]] = field(default_factory=dict)
    """Those on foci that the run does not list, by image, with their position."""

    def on_focus(self, image: str, number: int) -> str:
        """Return the comments on a listed focus; empty if there are none."""
        return "; ".join(self.foci.get((image, number), ()))

    def on_mark(self, image: str, mark: Target) -> str:
        """Return the comments on a true focus that the run does not list.

        They lie within half its diameter or 6 pixels, since a mark of several readers lies at the
        mean of their positions.
        """
        x, y, diameter = mark.at(0)
        reach = max(LEAST_DISTANCE_PX, diameter / 2)
        near = self.marks.get(image, ())
        return "; ".join(text for at, text in near if math.dist(at, (x, y)) <= reach)

    def on_image(self, image: str) -> str:
        """Return the comments on an image and on its masses."""
        return "; ".join([*self.images.get(image, ()), *self.masses.get(image, ())])

    def on_masses(self, image: str) -> str:
        """Return the comments on the masses of an image."""
        return "; ".join(self.masses.get(image, ()))


def comments_of(review: Review) -> Comments:
    """Collect the comments of a review."""
    several = len(review.readers) > 1
    foci: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    masses: defaultdict[str, list[str]] = defaultdict(list)
    images: defaultdict[str, list[str]] = defaultdict(list)
    marks: defaultdict[str, list[tuple[Place, str]]] = defaultdict(list)

    def text(row: ReviewRow) -> str:
        return f"{row.reader or 'no name'}: {row.comment}" if several else row.comment

    for image in _commented(review.images):
        images[image.image].append(text(image))
    for focus in _commented(review.foci):
        _add_focus(foci, marks, focus.image, focus.focus, (focus.x_px, focus.y_px), text(focus))
    for mass in _commented(review.masses):
        masses[mass.image].append(f"{_mass_name(mass)}: {text(mass)}")
    for other in review.comments:
        if other.kind == "focus":
            place = (other.x_px, other.y_px)
            _add_focus(foci, marks, other.image, other.number, place, text(other))
        else:
            number = "" if other.number is None else f" {other.number}"
            masses[other.image].append(f"mass{number}: {text(other)}")
    return Comments(dict(foci), dict(masses), dict(images), dict(marks))


def _commented(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that have a comment."""
    return [row for row in rows if row.comment]


def _add_focus(
    foci: defaultdict[tuple[str, int], list[str]],
    marks: defaultdict[str, list[tuple[Place, str]]],
    image: str,
    number: int | None,
    place: Place,
    text: str,
) -> None:
    if number is None:
        marks[image].append((place, text))
    else:
        foci[image, number].append(text)


def _mass_name(mass: MassReview) -> str:
    return "drawn mass" if mass.mass is None else f"mass {mass.mass}"
