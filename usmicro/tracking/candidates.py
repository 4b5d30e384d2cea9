"""Every candidate of the key frame as a row, with the reason why it is listed or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.assessment import CLUMP_REASON, FociOfView
from usmicro.foci.site import site_confidence
from usmicro.model.findings import Candidate, Candidates, Focus, TrackPoint
from usmicro.model.view import View
from usmicro.settings import FociSettings
from usmicro.tracking.observations import measured, positions_of

PART_OF_CLUMP = "It is a part of a coarse clump, which is a candidate of its own."
"""Reason for which a part of a clump is not listed."""


@dataclass(frozen=True, slots=True)
class AssessedView:
    """The candidates of one view of the key frame."""

    view: View
    foci: FociOfView


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a candidate: the focus in the tables that it belongs to."""

    focus: int | None
    """Number of the listed focus; None if it is not listed."""
    confidence: float
    """Confidence of the focus over all frames and with its twinkling."""
    twinkles: bool
    """True if its verdict on twinkling is "yes" or "possible"."""


def outcomes_of(
    foci: Iterable[Focus], points: Iterable[TrackPoint], frame: int, least: float
) -> dict[tuple[float, float], Outcome]:
    """Return what became of the candidates of a frame, by position in the input image.

    Parameters
    ----------
    foci : iterable of Focus
        All foci, whether they are listed or not.
    points : iterable of TrackPoint
        Of a cine, each listed focus on each frame that shows it.
    frame : int
        Index of the frame.
    least : float
        Confidence from which foci are listed.
    """
    outcomes: dict[tuple[float, float], Outcome] = {}
    by_number: dict[int, Outcome] = {}
    for focus in foci:
        if focus.origin != "echo" and focus.contrast is None:
            continue  # no echo shows it, so that it is no candidate
        outcome = Outcome(
            None if focus.confidence < least else focus.focus,
            focus.confidence,
            focus.twinkling in ("yes", "possible"),
        )
        by_number[focus.focus] = outcome
        if focus.frame == frame:
            outcomes[focus.x_px, focus.y_px] = outcome
    for point in points:
        if point.frame == frame and point.focus in by_number:
            outcomes[point.x_px, point.y_px] = by_number[point.focus]
    return outcomes


def candidate_rows(
    views: Sequence[AssessedView],
    frame: int,
    outcomes: Mapping[tuple[float, float], Outcome],
    least: float,
    settings: FociSettings = FociSettings(),  # noqa: B008  (frozen)
) -> list[Candidate]:
    """Return the candidates of the key frame as rows, the most confident first.

    Parameters
    ----------
    views : sequence of AssessedView
        The views of the key frame.
    frame : int
        Index of the key frame.
    outcomes : mapping
        From `outcomes_of`.
    least : float
        Confidence from which foci are listed.
    settings : FociSettings
        Scale of the confidence.
    """
    rows = [row for view in views for row in _rows_of_view(view, frame, outcomes, least, settings)]
    return sorted(rows, key=lambda row: (-row.confidence, row.y_px, row.x_px))


def _rows_of_view(
    assessed: AssessedView,
    frame: int,
    outcomes: Mapping[tuple[float, float], Outcome],
    least: float,
    settings: FociSettings = FociSettings(),  # noqa: B008  (frozen)
) -> list[Candidate]:
    view, foci = assessed.view, assessed.foci
    lowered, by_rule = foci.lowered_by(), foci.has_rule_of_clumps
    measured_rows = _measured(view, foci.candidates, foci.confidence, frame, settings)
    all_outcomes = [outcomes.get((row["x_px"], row["y_px"])) for row in measured_rows]
    listed = [i for i, one in enumerate(all_outcomes) if one is not None and one.focus is not None]
    reasons = dict(zip(listed, foci.take(np.array(listed, np.intp)).reasons(), strict=True))
    rows = []
    for i, (row, outcome) in enumerate(zip(measured_rows, all_outcomes, strict=True)):
        if outcome is not None and outcome.focus is not None:
            reason = f"Listed as focus {outcome.focus}. {reasons[i]}"
            rows.append(Candidate(**row, listed="yes", focus=outcome.focus, reason=reason))
            continue
        by = CLUMP_REASON if by_rule[i] else lowered[i] and f"Lowered most by {lowered[i]}."
        reason = _why_not_listed(row["confidence"], outcome, least, by)
        rows.append(Candidate(**row, listed="no", focus=None, reason=reason))
    rows += [
        Candidate(**row, listed="no", focus=None, reason=PART_OF_CLUMP)
        for row in _measured(view, foci.parts, foci.parts_confidence, frame, settings)
    ]
    return rows


def _measured(
    view: View,
    candidates: Candidates,
    confidence: NDArray[np.float64],
    frame: int,
    settings: FociSettings,
) -> list[dict[str, Any]]:
    """Return the measured columns of candidates."""
    if not len(candidates):
        return []
    grid = view.grid
    pixel = float(np.sqrt(grid.step_x * grid.step_y))
    return [
        {
            "frame": frame,
            "x_px": position.x_px,
            "y_px": position.y_px,
            "x_mm": position.x_mm,
            "depth_mm": position.depth_mm,
            "diameter_px": float(candidates.diameter[i]) * pixel,
            "diameter_mm": grid.in_mm(float(candidates.diameter[i])),
            "contrast": measured(candidates.contrast[i]),
            "false_alarm": measured(candidates.false_alarm[i]),
            "confidence": site_confidence(float(confidence[i]), settings),
        }
        for i, position in enumerate(positions_of(view, candidates.x, candidates.y))
    ]


def _why_not_listed(confidence: float, outcome: Outcome | None, least: float, by: str) -> str:
    """Return why a candidate is not listed; `by` names what lowered its confidence, or is empty."""
    listed_from = f"{least:.2g}, from which foci are listed"
    if confidence < least:
        text = f"Confidence {confidence:.2g} is below {listed_from}."
    elif outcome is not None and outcome.twinkles and outcome.confidence < confidence:
        text = (
            f"It lies in the colours that another focus causes, which lowers its confidence from "
            f"{confidence:.2g} to {outcome.confidence:.2g}, below {listed_from}."
        )
    else:
        text = (
            f"Its confidence is {confidence:.2g} on this frame, but over all frames of the cine it "
            f"is below {listed_from}."
        )
    return f"{text} {by}".rstrip()
