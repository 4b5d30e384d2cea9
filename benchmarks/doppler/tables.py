"""Tables of the measures over all clips, and by the appearance of the clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.doppler.clips import KINDS, STILLS, Clip, Score
from benchmarks.doppler.decoding import VELOCITY_TOLERANCE
from usmicro.evaluation.metrics import Indices, auc, bootstrap
from usmicro.phantom.settings import BAR_PLACES, BOX_STYLES, COLOUR_MAPS, PhantomSettings

APPEARANCE = (
    "colour_map",
    "colour_bar",
    "box_style",
    "baseline_shift",
    "colour_opacity",
    "persistence",
    "jpeg_quality",
    "vessels",
)
"""Settings of a clip that are written to JSON."""

COLUMNS = (
    "clips",
    "box, Dice",
    "flow, Dice",
    "bar found",
    "velocity, median error",
    f"within {VELOCITY_TOLERANCE:.0%}",
    "direction right",
    "clips with false twinkling",
)
"""Columns of the table by appearance, beside the group of clips."""


def make_tables(clips: Sequence[Clip]) -> list[str]:
    """Return the lines of the tables in Markdown."""
    lines = ["| twinkling, tracks | value | 95 % interval | of |", "|---|---|---|---|"]
    for name, count, statistic in measures(clips):
        estimate = bootstrap(statistic, len(clips))
        interval = f"{estimate.low:.3f} to {estimate.high:.3f}"
        lines.append(f"| {name} | {estimate.value:.3f} | {interval} | {count} |")
    lines += ["", f"| appearance | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, is_in_group in groups():
        group = [clip for clip in clips if is_in_group(clip.settings)]
        if group:
            values = ["" if np.isnan(value) else f"{value:.3f}" for value in group_means(group)]
            lines.append(f"| {name} | {len(group)} | {' | '.join(values)} |")
    return lines


def measures(clips: Sequence[Clip]) -> Iterator[tuple[str, int, Callable[[Indices], float]]]:
    """Yield each measure: its name, the number of cases, and its value for clips given by index."""
    scores = {
        "twinkling score, AUC, clips": [clip.clip_scores for clip in clips],
        f"twinkling score, AUC, {STILLS} single frames of each": [
            clip.still_scores for clip in clips
        ],
    }
    for name, scores_by_clip in scores.items():
        yield name, sum(map(len, scores_by_clip)), partial(_auc_of, scores_by_clip)
    facts: dict[str, list[Sequence[bool]]] = {
        "twinkling yes, sensitivity": [clip.is_found for clip in clips],
        "twinkling possible in single frames, fraction at true foci": [
            clip.possible for clip in clips
        ],
        "true foci that keep one number": [clip.keeps_number for clip in clips],
    }
    for kind in KINDS:
        facts[f"twinkling yes, false-positive rate, {kind} clips"] = [
            false_verdicts(clip) if clip.kind == kind else () for clip in clips
        ]
    for name, facts_by_clip in facts.items():
        yield name, sum(map(len, facts_by_clip)), partial(_fraction_of, facts_by_clip)


def false_verdicts(clip: Clip) -> list[bool]:
    """Return for each listed focus without true twinkling: True if its verdict is "yes"."""
    return [is_yes for is_yes, is_true in clip.verdicts if not is_true]


def _auc_of(scores_by_clip: Sequence[Sequence[Score]], drawn: Indices) -> float:
    scores = [score for i in drawn for score in scores_by_clip[i]]
    return auc([score for score, _ in scores], [is_true for _, is_true in scores])


def _fraction_of(facts_by_clip: Sequence[Sequence[bool]], drawn: Indices) -> float:
    return mean([fact for i in drawn for fact in facts_by_clip[i]])


def group_means(clips: Sequence[Clip]) -> list[float]:
    """Return the values of COLUMNS, without the number of clips; NaN if there is no value."""
    frames = [clip.decoded for clip in clips]
    return [
        mean([frame.box for frame in frames]),
        mean([frame.flow for frame in frames]),
        mean([clip.decoded.bar for clip in clips if clip.settings.colour_bar != "none"]),
        mean([frame.error for frame in frames]),
        mean([frame.close for frame in frames]),
        mean([frame.sign for frame in frames]),
        mean([any(false_verdicts(clip)) for clip in clips]),
    ]


def mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")


def groups() -> Iterator[tuple[str, Callable[[PhantomSettings], bool]]]:
    """Yield the groups of clips: the name, and a function that selects by the settings."""
    yield "all", lambda settings: True
    for setting, word, values in (
        ("colour_map", "map", COLOUR_MAPS),
        ("colour_bar", "bar", BAR_PLACES),
        ("box_style", "box", BOX_STYLES),
    ):
        for value in values:
            yield f"{word}: {value}", partial(_has_value, setting=setting, value=value)
    yield "baseline shifted", lambda settings: settings.baseline_shift != 0
    yield "colour mixed with grey", lambda settings: settings.colour_opacity < 1
    yield "persistence", lambda settings: settings.persistence > 0
    yield "JPEG quality 75", lambda settings: settings.jpeg_quality == 75


def _has_value(settings: PhantomSettings, setting: str, value: str) -> bool:
    return bool(getattr(settings, setting) == value)


def as_values(seed: int, clip: Clip) -> dict[str, object]:
    """Return the results of one clip as values for JSON."""
    decoded = ("box", "flow", "bar", "error", "close", "sign")
    return {
        "kind": clip.kind,
        "seed": seed,
        **{name: getattr(clip.settings, name) for name in APPEARANCE},
        **{name: getattr(clip.decoded, name) for name in decoded},
        "clip_scores": clip.clip_scores,
        "still_scores": clip.still_scores,
        "called": clip.verdicts,
        "one_number": clip.keeps_number,
    }
