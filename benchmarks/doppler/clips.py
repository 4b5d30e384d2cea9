"""Simulate clips, analyse them, and compare the findings with the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from benchmarks.doppler.decoding import DecodedFrame, compare_colours
from usmicro.analysis import analyze
from usmicro.foci.operating_point import listing_confidence
from usmicro.model.findings import Focus
from usmicro.phantom import Phantom, TrueFocus, random_settings, simulate
from usmicro.phantom.sets import SetKind
from usmicro.phantom.settings import PhantomSettings
from usmicro.settings import Settings

KINDS: tuple[SetKind, ...] = ("twinkling", "vessel", "flash", "noise")
"""Kinds of clips; only the first has twinkling foci."""

STILLS = 3
"""Number of frames of a clip that are also analysed as still images."""

MATCH_MM = 1.0
"""Largest distance between a focus and the true focus that it is matched with, mm.

A larger value matches speckle beside a true focus, a smaller one misses foci whose centre is
displaced by colour or motion. Chosen by judgement; no measurement is recorded.
"""

SAME_TRACK_MM = 0.4
"""The same for counting tracks, mm: smaller, so that speckle beside a true focus does not count."""

TAIL_MM = 1.5, 6.0
"""Extent of the colours beside and behind a twinkling focus, mm.

Foci in this tail are left out, since their colours are those of the twinkling focus. Chosen by eye
on simulated clips; no measurement is recorded.
"""

TAIL_SLOPE = 1 / 4
"""Growth of the half width of that tail per depth behind the focus. Chosen like TAIL_MM."""

ONE_TRACK_FRACTION = 0.9
"""A true focus keeps one number if one track has at least this fraction of its observations."""

LEAST_CONFIDENCE = 0.005
"""Smallest confidence of the tracks that are compared: a tenth of the default for listing."""

Score = tuple[float, bool]
"""Twinkling score, and True if the true focus twinkles."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Findings on one clip, compared with the truth."""

    kind: SetKind
    settings: PhantomSettings
    decoded: DecodedFrame
    """Decoded colours of the middle frame."""
    clip_scores: tuple[Score, ...]
    """Scores of the true foci in the colour box, from the whole clip."""
    still_scores: tuple[Score, ...]
    """The same from the frames that are analysed as still images."""
    possible: tuple[bool, ...]
    """For each focus with possible twinkling listed on a still: True if it lies at a true focus."""
    verdicts: tuple[tuple[bool, bool], ...]
    """For each listed focus: True if its verdict is "yes", and True if it lies at a true focus that
    twinkles."""
    is_found: tuple[bool, ...]
    """For each true focus that twinkles: True if it is listed with the verdict "yes"."""
    keeps_number: tuple[bool, ...]
    """For each true focus seen in at least half of the frames: True if nearly all its observations
    have one number."""


def run_clip(kind: SetKind, seed: int) -> Clip:
    """Simulate a clip, analyse it, and compare the findings with the truth."""
    phantom = simulate(seed, random_settings(seed, kind), name=f"{kind}-{seed}")
    scan = phantom.scan()
    if seed % 2:
        scan = replace(scan, regions=())
    listed_from = listing_confidence(Settings().foci)
    foci = list(analyze(scan, settings=_settings_with(LEAST_CONFIDENCE)).foci)
    listed = [focus for focus in foci if focus.confidence >= listed_from]
    true_foci = [true_focus_at(phantom, focus, focus.frame) for focus in listed]
    still_scores: list[Score] = []
    possible: list[bool] = []
    for frame in np.linspace(0, len(phantom.frames) - 1, STILLS).astype(int).tolist():
        still = replace(
            scan, read=partial(iter, phantom.frames[frame : frame + 1]), declared_frames=1
        )
        still_foci = list(analyze(still, settings=_settings_with(0.0)).foci)
        still_scores += twinkling_scores(still_foci, phantom, [frame] * len(still_foci))
        possible += [
            true_focus_at(phantom, focus, frame) is not None
            for focus in still_foci
            if focus.twinkling == "possible" and focus.confidence >= listed_from
        ]
    called = {
        id(true) for focus, true in zip(listed, true_foci, strict=True) if focus.twinkling == "yes"
    }
    return Clip(
        kind=kind,
        settings=phantom.settings,
        decoded=compare_colours(phantom, scan, len(phantom.frames) // 2),
        clip_scores=tuple(twinkling_scores(foci, phantom, [focus.frame for focus in foci])),
        still_scores=tuple(still_scores),
        possible=tuple(possible),
        verdicts=tuple(
            (focus.twinkling == "yes", true is not None and true.twinkling)
            for focus, true in zip(listed, true_foci, strict=True)
        ),
        is_found=tuple(
            id(true) in called
            for true in phantom.truth.foci
            if true.twinkling and not is_in_tail(true, phantom)
        ),
        keeps_number=tuple(keep_one_number(foci, phantom)),
    )


def _settings_with(minimum_confidence: float) -> Settings:
    foci = replace(Settings().foci, minimum_confidence=minimum_confidence)
    return replace(Settings(), foci=foci)


def is_in_tail(true: TrueFocus, phantom: Phantom) -> bool:
    """Return True if a true focus lies in the colours of another twinkling focus."""
    mm = phantom.settings.spacing
    for other in phantom.truth.foci:
        across, along = (true.x_px[0] - other.x_px[0]) * mm, (true.y_px[0] - other.y_px[0]) * mm
        if (
            other is not true
            and other.twinkling
            and abs(across) <= TAIL_MM[0] + abs(along) * TAIL_SLOPE
            and -MATCH_MM <= along <= TAIL_MM[1]
        ):
            return True
    return False


def true_focus_at(
    phantom: Phantom, focus: Focus, frame: int, largest_mm: float = MATCH_MM
) -> TrueFocus | None:
    """Return the true focus nearest to a focus on a frame.

    None if it is farther away than `largest_mm` and its radius.
    """
    true_foci = phantom.truth.foci
    if not true_foci:
        return None
    distances_mm = [
        float(np.hypot(true.x_px[frame] - focus.x_px, true.y_px[frame] - focus.y_px))
        * phantom.settings.spacing
        for true in true_foci
    ]
    nearest = int(np.argmin(distances_mm))
    reach_mm = max(largest_mm, true_foci[nearest].diameter_mm / 2)
    return true_foci[nearest] if distances_mm[nearest] <= reach_mm else None


def twinkling_scores(foci: Sequence[Focus], phantom: Phantom, frames: Sequence[int]) -> list[Score]:
    """Return the twinkling score of each true focus in the colour box.

    The score is 0 if no focus was found there. True foci in the tail of another one are left out.

    Parameters
    ----------
    foci : sequence of Focus
    phantom : Phantom
    frames : sequence of int
        Frame of the clip on which each focus was found.
    """
    assert phantom.truth.colour is not None
    corners = np.array(phantom.truth.colour.box_px, np.float32)
    best: defaultdict[int, float] = defaultdict(float)
    for focus, frame in zip(foci, frames, strict=True):
        true = true_focus_at(phantom, focus, frame)
        if true is not None:
            best[id(true)] = max(best[id(true)], focus.twinkling_score or 0.0)
    return [
        (best[id(true)], true.twinkling)
        for true in phantom.truth.foci
        if cv2.pointPolygonTest(corners, (true.x_px[0], true.y_px[0]), False) > 0
        and not is_in_tail(true, phantom)
    ]


def keep_one_number(foci: Sequence[Focus], phantom: Phantom) -> list[bool]:
    """Return for each true focus seen in half of the frames whether it keeps one number."""
    observations: defaultdict[TrueFocus, list[int]] = defaultdict(list)
    for focus in foci:
        true = true_focus_at(phantom, focus, focus.frame, SAME_TRACK_MM)
        if true is not None and focus.seen_frames is not None:
            observations[true].append(focus.seen_frames)
    frames = len(phantom.frames)
    return [
        max(counts) >= ONE_TRACK_FRACTION * min(sum(counts), frames)
        for counts in observations.values()
        if sum(counts) >= frames / 2
    ]
