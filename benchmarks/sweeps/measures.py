"""Analyse a sweep and compare its foci and masses with the truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.sweeps.truth import Shown, true_focus, were_shown
from usmicro.analysis import analyze
from usmicro.model.findings import Mass
from usmicro.model.scan import Scan
from usmicro.phantom.sweeps import Sweep, SweepMass
from usmicro.settings import Settings

LEAST_CONFIDENCE = 0.006
"""Smallest confidence of the foci that are compared: below every value of the tables."""
LEAST_HIT_MM = 0.6
"""Smallest distance at which a detected focus is a true one, mm: the gate between two frames."""
ASSUMED_SPACING_MM = 0.075
"""Pixel size of stills that do not declare one: a depth of 45 mm on 606 rows."""


@dataclass(frozen=True, slots=True)
class ListedFocus:
    """One focus of an analysis."""

    confidence: float
    true: int | None
    """Index of the true focus that it follows; None if it is false."""
    uncertain: bool
    """True if it follows a focus that only one reader marked."""
    seen_frames: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an analysis found in one sweep."""

    name: str
    normal: bool
    resting: bool
    minutes: float
    foci: tuple[ListedFocus, ...]
    shown: tuple[int, ...]
    """Indices of the true foci that the plane reaches."""
    masses: int
    """Number of masses that are listed."""
    true_masses: int | None
    """Number of true masses that the plane reaches; None if they are not known."""
    masses_found: int
    """Number of true masses at which a mass is listed; 0 if they are not known."""
    seconds_per_frame: float


def measure(
    scan: Scan,
    sweep: Sweep,
    *,
    name: str,
    normal: bool,
    foci: Sequence[Shown],
    uncertain: Sequence[Shown] = (),
    masses: Sequence[SweepMass] | None = (),
) -> Measured:
    """Analyse one sweep; `masses` is None if the true masses are not known."""
    settings = Settings()
    low = replace(settings.foci, minimum_confidence=LEAST_CONFIDENCE)
    times = tuple(i / sweep.frame_rate for i in range(scan.declared_frames))
    analysis = analyze(replace(scan, frame_times=times), settings=replace(settings, foci=low))
    spacing = scan.spacing.x_mm or ASSUMED_SPACING_MM
    points: defaultdict[int, list[tuple[int, float, float]]] = defaultdict(list)
    for point in analysis.tracks:
        points[point.focus].append((point.frame, point.x_px, point.y_px))
    listed = []
    for focus in analysis.foci:
        track = points[focus.focus]
        true = true_focus(track, foci, LEAST_HIT_MM / spacing)
        doubtful = true is None and (
            true_focus(track, uncertain, LEAST_HIT_MM / spacing) is not None
        )
        listed.append(ListedFocus(focus.confidence, true, doubtful, len(track)))
    at_mass = [_true_mass(mass, masses or (), spacing) for mass in analysis.masses]
    return Measured(
        name=name,
        normal=normal,
        resting=sweep.speed == 0,
        minutes=scan.declared_frames / sweep.frame_rate / 60,
        foci=tuple(listed),
        shown=tuple(were_shown(foci)),
        masses=len(at_mass),
        true_masses=None if masses is None else sum(max(mass.radius_mm) > 0 for mass in masses),
        masses_found=len({true for true in at_mass if true is not None}),
        seconds_per_frame=sum(analysis.seconds.values()) / scan.declared_frames,
    )


def _true_mass(mass: Mass, masses: Sequence[SweepMass], spacing: float) -> int | None:
    """Return the index of the true mass in whose section the centre of a mass lies."""
    for i, true in enumerate(masses):
        distance = np.hypot(true.x_px[mass.frame] - mass.x_px, true.y_px[mass.frame] - mass.y_px)
        if distance * spacing < true.radius_mm[mass.frame]:
            return i
    return None


def rates(measured: Sequence[Measured], confidence: float) -> dict[str, float | None]:
    """Return the measures of all sweeps if foci of at least a confidence are listed.

    Values that cannot be measured are None.
    """

    def ratio(count: float, of: float) -> float | None:
        return count / of if of else None

    moving = [one for one in measured if not one.resting]
    normal = [one for one in moving if one.normal]
    out = {
        "false foci per minute of normal sweep": ratio(
            sum(focus.confidence >= confidence for one in normal for focus in one.foci),
            sum(one.minutes for one in normal),
        )
    }
    for kind, sweeps in (("sweeps", moving), ("clips at rest", set(measured) - set(moving))):
        marked = [one for one in sweeps if not one.normal]
        hits = [
            [
                focus.true
                for focus in one.foci
                if focus.true is not None and focus.confidence >= confidence
            ]
            for one in marked
        ]
        found = sum(len(set(true) & set(one.shown)) for true, one in zip(hits, marked, strict=True))
        numbers = [count for true in hits for count in Counter(true).values()]
        out[f"sensitivity, {kind}"] = ratio(found, sum(len(one.shown) for one in marked))
        out[f"found foci with one number, {kind}"] = ratio(numbers.count(1), len(numbers))
    resting = [one for one in measured if one.resting and one.normal]
    out["false foci per normal clip at rest"] = ratio(
        sum(focus.confidence >= confidence for one in resting for focus in one.foci), len(resting)
    )
    return out
