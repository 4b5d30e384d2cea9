"""Differences between the findings of two runs on one image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from usmicro.comparison.tracks import Places
from usmicro.errors import UsageError
from usmicro.evaluation.metrics import Floats, dice
from usmicro.evaluation.overlaps import MIN_DICE
from usmicro.evaluation.pairs import match_nearest, reach
from usmicro.evaluation.run_areas import masses_of, outlined_masses
from usmicro.model.findings import Mass
from usmicro.writing.report.run import Run

MOVED_PX = 1.0
"""A focus has moved if its position differs by more than this, pixels of the image. Less cannot be
seen, and is less than a reader marks reproducibly."""
SAME_OUTLINE = 0.95
"""A mass has another outline if the Dice coefficient of both outlines is below this. Readers who
outline the same mass twice agree less well. Chosen by judgement; no measurement is recorded."""
SAME_CENTRE = 0.05
"""Largest distance of the centres of a mass whose outline is not stored, such as on another frame
than the key frame, as a fraction of the larger side of the image. Chosen by judgement; no
measurement is recorded."""
SAME_CONFIDENCE = 0.005
"""Confidences that differ by less are equal at the two decimals that the report shows."""

Kind = Literal["image", "focus", "mass"]
FOCUS_WORDS = ("label", "shadow", "twinkling")
"""Columns of foci.csv whose words are compared."""
MASS_WORDS = ("orientation", "posterior")
"""Columns of masses.csv whose words are compared."""
CHANGES: dict[Kind, tuple[str, ...]] = {
    "focus": ("gained", "lost", "moved", *FOCUS_WORDS),
    "mass": ("gained", "lost", "outline", *MASS_WORDS),
    "image": ("status", "size", "calcification", "only in A", "only in B"),
}
"""What may differ, for each kind of finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference. Values that do not apply are None."""

    image: str
    kind: Kind
    change: str
    """One of CHANGES."""
    a: int | None = None
    """Number of the focus or mass in the first run."""
    b: int | None = None
    """Number of the focus or mass in the second run."""
    frame: int | None = None
    """Frame of the position."""
    x_px: float | None = None
    """Column in the second run, or in the first if it is lost; pixels of the image."""
    y_px: float | None = None
    """Row, likewise."""
    before: str | None = None
    after: str | None = None
    distance_px: float | None = None
    """Distance of both positions."""
    dice: float | None = None
    """Dice coefficient of both outlines."""
    confidence_a: float | None = None
    confidence_b: float | None = None


@dataclass(slots=True)
class ImageDifferences:
    """The differences of one image."""

    image: str
    a: Mapping[str, Any] | None
    """Row of images.csv of the first run; None if it does not have the image."""
    b: Mapping[str, Any] | None
    """Row of images.csv of the second run, likewise."""
    rows: list[Difference] = field(default_factory=list)
    same_foci: int = 0
    """Number of foci that both runs found."""
    same_masses: int = 0
    other_confidence: int = 0
    """Number of these foci whose confidence differs."""

    def count(self, kind: Kind, change: str) -> int:
        """Return the number of differences of a kind."""
        return sum(row.kind == kind and row.change == change for row in self.rows)


class ImageComparer:
    """Compares single images of two runs."""

    def __init__(
        self,
        a: Run,
        b: Run,
        tracks_a: Mapping[tuple[str, int], Places],
        tracks_b: Mapping[tuple[str, int], Places],
        least_distance: float,
    ) -> None:
        self._a, self._b = a, b
        self._tracks_a, self._tracks_b = tracks_a, tracks_b
        self._least_distance = least_distance

    def compare(
        self, image: str, a: Mapping[str, Any] | None, b: Mapping[str, Any] | None
    ) -> ImageDifferences:
        """Compare an image; `a` and `b` are its rows of images.csv, None if there is none."""
        found = ImageDifferences(image, a, b)
        if a is None or b is None:
            change = "only in B" if a is None else "only in A"
            found.rows.append(Difference(image=image, kind="image", change=change))
            return found
        if a["status"] != "ok" or b["status"] != "ok":
            self._add_word(found, "status", a["status"], b["status"])
            return found
        sizes = [f"{row['columns']} x {row['rows']} x {row['frames']}" for row in (a, b)]
        self._add_word(found, "size", *sizes)
        if (a["columns"], a["rows"]) != (b["columns"], b["rows"]):
            return found
        self._add_word(found, "calcification", a["calcification"], b["calcification"])
        self._add_foci(found)
        self._add_masses(found, a, b)
        return found

    @staticmethod
    def _add_word(found: ImageDifferences, change: str, before: str, after: str) -> None:
        if before != after:
            found.rows.append(
                Difference(
                    image=found.image, kind="image", change=change, before=before, after=after
                )
            )

    # ---- foci ----

    def _add_foci(self, found: ImageDifferences) -> None:
        foci_a = self._a.foci.get(found.image, [])
        foci_b = self._b.foci.get(found.image, [])
        distance = self._focus_distances(found.image, foci_a, foci_b)
        diameters_a = [focus["diameter_px"] or 0.0 for focus in foci_a]
        diameters_b = [focus["diameter_px"] or 0.0 for focus in foci_b]
        pairs = match_nearest(distance, reach(diameters_a, diameters_b, self._least_distance))
        found.same_foci = len(pairs)
        partner = {b: a for a, b in pairs}
        matched_a = set(partner.values())
        for index, focus in enumerate(foci_a):
            if index not in matched_a:
                found.rows.append(_focus_row("lost", found.image, focus, None))
        for index, focus in enumerate(foci_b):
            if index not in partner:
                found.rows.append(_focus_row("gained", found.image, None, focus))
                continue
            before = foci_a[partner[index]]
            change = abs(focus["confidence"] - before["confidence"])
            found.other_confidence += change >= SAME_CONFIDENCE
            if (moved := float(distance[partner[index], index])) > MOVED_PX:
                found.rows.append(_focus_row("moved", found.image, before, focus, distance=moved))
            for word in FOCUS_WORDS:
                if before[word] != focus[word]:
                    words = before[word], focus[word]
                    found.rows.append(_focus_row(word, found.image, before, focus, words=words))

    def _focus_distances(
        self, image: str, foci_a: Sequence[Mapping[str, Any]], foci_b: Sequence[Mapping[str, Any]]
    ) -> Floats:
        """Return the distance of each pair of foci, pixels."""
        if len({focus["frame"] for focus in (*foci_a, *foci_b)}) <= 1:  # quicker; all still images
            one, other = (
                np.array([(focus["x_px"], focus["y_px"]) for focus in foci]).reshape(-1, 2)
                for foci in (foci_a, foci_b)
            )
            apart = one[:, None] - other[None, :]
            return np.asarray(np.hypot(apart[..., 0], apart[..., 1]), dtype=float)
        places_a = [_places(self._tracks_a, image, focus) for focus in foci_a]
        places_b = [_places(self._tracks_b, image, focus) for focus in foci_b]
        return np.array(
            [[_distance(place, other) for other in places_b] for place in places_a]
        ).reshape(len(foci_a), len(foci_b))

    # ---- masses ----

    def _add_masses(
        self, found: ImageDifferences, a: Mapping[str, Any], b: Mapping[str, Any]
    ) -> None:
        masses_a, masses_b = masses_of(self._a, found.image), masses_of(self._b, found.image)
        if not masses_a and not masses_b:
            return
        overlap = self._overlaps(a, b, masses_a, masses_b)
        pairs = match_nearest(1 - overlap, np.full(overlap.shape, 1 - MIN_DICE))
        pairs += self._by_centre(a, masses_a, masses_b, pairs)
        found.same_masses = len(pairs)
        partner = {j: i for i, j in pairs}
        matched_a = set(partner.values())
        for index, mass in enumerate(masses_a):
            if index not in matched_a:
                found.rows.append(_mass_row("lost", found.image, mass, None))
        for index, mass in enumerate(masses_b):
            if index not in partner:
                found.rows.append(_mass_row("gained", found.image, None, mass))
                continue
            before = masses_a[partner[index]]
            same = float(overlap[partner[index], index])
            if 0 < same < SAME_OUTLINE:
                found.rows.append(_mass_row("outline", found.image, before, mass, overlap=same))
            for word in MASS_WORDS:
                words = getattr(before, word), getattr(mass, word)
                if words[0] != words[1]:
                    found.rows.append(_mass_row(word, found.image, before, mass, words=words))

    def _overlaps(
        self,
        a: Mapping[str, Any],
        b: Mapping[str, Any],
        masses_a: Sequence[Mass],
        masses_b: Sequence[Mass],
    ) -> Floats:
        """Return the Dice coefficient of each pair of masses; 0 where an outline is not stored.

        The label images of a cine show its key frame. If the runs chose different key frames, no
        outlines are compared.
        """
        overlap = np.zeros((len(masses_a), len(masses_b)))
        image = a["image"]
        if self._a.key_frame(image) != self._b.key_frame(image):
            return overlap
        (shares_a, shown_a), (shares_b, shown_b) = (
            outlined_masses(run, row) for run, row in ((self._a, a), (self._b, b))
        )
        if shares_a.shape != shares_b.shape:
            raise UsageError(
                f"{image}: the label images of the runs have sizes {shares_a.shape} and "
                f"{shares_b.shape}, although the image has one size; write them again with "
                "usmicro run --resume"
            )
        for i, one in enumerate(shown_a, start=1):
            for j, other in enumerate(shown_b, start=1):
                if (shares_a == i).any() and (shares_b == j).any():
                    value = dice(shares_a == i, shares_b == j)
                    overlap[masses_a.index(one), masses_b.index(other)] = value
        return overlap

    def _by_centre(
        self,
        a: Mapping[str, Any],
        masses_a: Sequence[Mass],
        masses_b: Sequence[Mass],
        pairs: Sequence[tuple[int, int]],
    ) -> list[tuple[int, int]]:
        """Match the masses of a cine whose outlines cannot be compared by frame and centre."""
        if a["frames"] <= 1:
            return []
        most = SAME_CENTRE * max(a["rows"], a["columns"])
        distance = np.full((len(masses_a), len(masses_b)), np.inf)
        matched = {i for i, _ in pairs}, {j for _, j in pairs}
        for i, one in enumerate(masses_a):
            for j, other in enumerate(masses_b):
                if i not in matched[0] and j not in matched[1] and one.frame == other.frame:
                    distance[i, j] = np.hypot(one.x_px - other.x_px, one.y_px - other.y_px)
        return match_nearest(distance, np.full(distance.shape, most))


def totals(images: Sequence[ImageDifferences]) -> Counter[tuple[Kind, str]]:
    """Count the differences of all images, by kind and change."""
    return Counter((row.kind, row.change) for image in images for row in image.rows)


def _places(
    tracks: Mapping[tuple[str, int], Places], image: str, focus: Mapping[str, Any]
) -> Places:
    """Return where a focus lies on each frame that shows it; a still image has frame 0 only."""
    places = tracks.get((image, focus["focus"]), {})
    return {**places, focus["frame"]: (focus["x_px"], focus["y_px"])}


def _distance(one: Places, other: Places) -> float:
    """Return the distance of two foci on the first frame that shows both, pixels.

    It is infinite if no frame does: a place that a sweep passes twice shows different tissue.
    """
    frame = min(one.keys() & other.keys(), default=None)
    if frame is None:
        return float("inf")
    return float(np.hypot(one[frame][0] - other[frame][0], one[frame][1] - other[frame][1]))


def _focus_row(
    change: str,
    image: str,
    a: Mapping[str, Any] | None,
    b: Mapping[str, Any] | None,
    *,
    distance: float | None = None,
    words: tuple[str, str] | None = None,
) -> Difference:
    shown = b if b is not None else a
    assert shown is not None
    return Difference(
        image=image,
        kind="focus",
        change=change,
        a=None if a is None else a["focus"],
        b=None if b is None else b["focus"],
        frame=shown["frame"],
        x_px=shown["x_px"],
        y_px=shown["y_px"],
        before=words[0] if words else None,
        after=words[1] if words else None,
        distance_px=distance,
        confidence_a=None if a is None else a["confidence"],
        confidence_b=None if b is None else b["confidence"],
    )


def _mass_row(
    change: str,
    image: str,
    a: Mass | None,
    b: Mass | None,
    *,
    overlap: float | None = None,
    words: tuple[str, str] | None = None,
) -> Difference:
    shown = b if b is not None else a
    assert shown is not None
    return Difference(
        image=image,
        kind="mass",
        change=change,
        a=None if a is None else a.mass,
        b=None if b is None else b.mass,
        frame=shown.frame,
        x_px=shown.x_px,
        y_px=shown.y_px,
        before=words[0] if words else None,
        after=words[1] if words else None,
        dice=overlap,
        confidence_a=None if a is None else a.confidence,
        confidence_b=None if b is None else b.confidence,
    )
