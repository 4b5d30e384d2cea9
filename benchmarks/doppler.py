"""Colour Doppler on simulated clips: `python -m benchmarks.doppler`.

It scores the decoded colours, the tracks and the twinkling verdicts, and prints tables. The clips
differ in colour map, bar, box, baseline, opacity, persistence and compression, as scanners do.
Every second clip has no declared regions, like a video. It needs no data and takes some minutes.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.analysis import analyze
from usmicro.doppler.velocity import velocity
from usmicro.evaluation.metrics import auc, bootstrap, dice
from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Focus
from usmicro.model.scan import Scan
from usmicro.phantom import Phantom, TrueFocus, random_settings, simulate
from usmicro.phantom.sets import SetKind
from usmicro.phantom.settings import BAR_PLACES, BOX_STYLES, COLOUR_MAPS, PhantomSettings
from usmicro.preparation import prepare
from usmicro.settings import Settings

KINDS: tuple[SetKind, ...] = ("twinkling", "vessel", "flash", "noise")
FIRST_SEED = 20_000
"""First seed, from which on neither training nor `benchmarks.accuracy` uses any."""
SEEDS_PER_KIND = 1000
"""Distance between the first seeds of two kinds, so that their clips look different."""
STILLS = 3
"""Number of frames of a clip that are analysed as still images."""
MATCH_MM = 1.0
"""Largest distance from a true focus at which a focus is taken for it, in mm."""
SAME_TRACK_MM = 0.4
"""The same for counting tracks: smaller, so that speckle beside a true focus does not count."""
TAIL_MM = 1.5, 6.0
"""Extent of the colours beside and behind a twinkling focus, in mm. Foci in this tail are left out,
since it cannot be decided whether they twinkle."""
VELOCITY_TOLERANCE = 0.05
"""Largest error of a velocity that counts as right, as a fraction of the limit."""
ONE_TRACK_FRACTION = 0.9
"""A true focus keeps one number if one track holds at least this fraction of its observations."""
LEAST_CONFIDENCE = 0.005
"""Smallest confidence of the tracks that are compared: a tenth of the default for listing."""


@dataclass(frozen=True)
class DecodedFrame:
    """Accuracy of the colours decoded on one frame."""

    box: float
    """Dice coefficient of the colour box and the true one."""
    flow: float
    """Dice coefficient of the coloured pixels; NaN if there are none."""
    bar: bool
    """True if a colour bar was found."""
    close: float
    """Fraction of the coloured pixels whose velocity is right within VELOCITY_TOLERANCE; NaN for
    power Doppler, and if there is no flow."""
    error: float
    """Median error of the velocity as a fraction of the limit; NaN likewise."""
    sign: float
    """Fraction of the coloured pixels with the right direction; NaN likewise."""


@dataclass(frozen=True)
class Clip:
    """Findings on one clip, compared with the truth."""

    kind: SetKind
    settings: PhantomSettings
    decoded: DecodedFrame
    clip_scores: tuple[tuple[float, bool], ...]
    """For each true focus in the colour box: twinkling score in the clip, 0 if it was not found,
    and True if it twinkles."""
    still_scores: tuple[tuple[float, bool], ...]
    """The same for the frames that are analysed as stills."""
    possible: tuple[bool, ...]
    """For each focus with possible twinkling listed on a still: True if it lies at a true focus."""
    called: tuple[tuple[bool, bool], ...]
    """For each listed focus: True if its verdict is "yes", and True if it lies at a true focus that
    twinkles."""
    found: tuple[bool, ...]
    """For each true focus that twinkles: True if it is listed with the verdict "yes"."""
    one_number: tuple[bool, ...]
    """For each true focus seen in at least half of the frames: True if nearly all its observations
    have one number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doppler", description=__doc__)
    parser.add_argument("--clips", type=int, default=20, metavar="N", help="clips of each kind")
    parser.add_argument(
        "--first-seed", type=int, default=FIRST_SEED, metavar="N", help="seed of the first clip"
    )
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results of each clip to a file"
    )
    options = parser.parse_args(arguments)
    first = options.first_seed
    jobs = [
        (kind, seed)
        for n, kind in enumerate(KINDS)
        for seed in range(first + n * SEEDS_PER_KIND, first + n * SEEDS_PER_KIND + options.clips)
    ]
    with ProcessPoolExecutor(
        options.processes, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        clips = list(pool.map(examine, *zip(*jobs, strict=True)))
    print("\n".join(table(clips)))
    if options.json is not None:
        options.json.write_text(
            json.dumps(
                [plain(seed, clip) for (_, seed), clip in zip(jobs, clips, strict=True)], indent=1
            )
        )
    return 0


def examine(kind: SetKind, seed: int) -> Clip:
    """Simulate a clip, analyse it, and compare the findings with the truth."""
    phantom = simulate(seed, random_settings(seed, kind), name=f"{kind}-{seed}")
    scan = phantom.scan()
    if seed % 2:
        scan = replace(scan, regions=())
    listing = replace(
        Settings(), foci=replace(Settings().foci, minimum_confidence=LEAST_CONFIDENCE)
    )
    foci = list(analyze(scan, settings=listing).foci)
    listed = [focus for focus in foci if focus.confidence >= Settings().foci.minimum_confidence]
    everything = replace(Settings(), foci=replace(Settings().foci, minimum_confidence=0.0))
    stills: list[tuple[float, bool]] = []
    possible: list[bool] = []
    for number in np.linspace(0, len(phantom.frames) - 1, STILLS).astype(int).tolist():
        still = replace(
            scan, read=partial(iter, phantom.frames[number : number + 1]), declared_frames=1
        )
        seen = list(analyze(still, settings=everything).foci)
        stills += scored(seen, phantom, number)
        possible += [
            near(phantom, focus, number) is not None
            for focus in seen
            if focus.twinkling == "possible"
            and focus.confidence >= Settings().foci.minimum_confidence
        ]
    true = [near(phantom, focus, None) for focus in listed]
    return Clip(
        kind,
        phantom.settings,
        read_frame(phantom, scan, len(phantom.frames) // 2),
        tuple(scored(foci, phantom, None)),
        tuple(stills),
        tuple(possible),
        called=tuple(
            (focus.twinkling == "yes", at is not None and at.twinkling)
            for focus, at in zip(listed, true, strict=True)
        ),
        found=tuple(
            any(
                at is target and focus.twinkling == "yes"
                for focus, at in zip(listed, true, strict=True)
            )
            for target in phantom.truth.foci
            if target.twinkling and not in_tail(target, phantom)
        ),
        one_number=tuple(keep_one_number(foci, phantom)),
    )


def in_tail(true: TrueFocus, phantom: Phantom) -> bool:
    """True if a true focus lies where the colours of another one reach."""
    mm = phantom.settings.spacing
    for other in phantom.truth.foci:
        across, along = (true.x_px[0] - other.x_px[0]) * mm, (true.y_px[0] - other.y_px[0]) * mm
        if (
            other is not true
            and other.twinkling
            and abs(across) <= TAIL_MM[0] + abs(along) / 4
            and -MATCH_MM <= along <= TAIL_MM[1]
        ):
            return True
    return False


def near(
    phantom: Phantom, focus: Focus, frame: int | None, reach: float = MATCH_MM
) -> TrueFocus | None:
    """Return the true focus at a focus, on its own frame or on the given one.

    None if no true focus is near.
    """
    number = focus.frame if frame is None else frame
    mm = phantom.settings.spacing
    apart = [
        float(np.hypot(true.x_px[number] - focus.x_px, true.y_px[number] - focus.y_px)) * mm
        for true in phantom.truth.foci
    ]
    nearest = int(np.argmin(apart)) if apart else -1
    return (
        phantom.truth.foci[nearest]
        if apart and apart[nearest] <= max(reach, phantom.truth.foci[nearest].diameter_mm / 2)
        else None
    )


def scored(foci: list[Focus], phantom: Phantom, frame: int | None) -> list[tuple[float, bool]]:
    """Return the twinkling score of each true focus in the colour box, and True if it twinkles.

    The score is 0 if no focus was found there. Foci in the tail of another one are left out.
    """
    assert phantom.truth.colour is not None
    corners = np.array(phantom.truth.colour.box_px, np.float32)
    at = [near(phantom, focus, frame) for focus in foci]
    return [
        (
            max(
                (
                    focus.twinkling_score or 0.0
                    for focus, own in zip(foci, at, strict=True)
                    if own is true
                ),
                default=0.0,
            ),
            true.twinkling,
        )
        for true in phantom.truth.foci
        if cv2.pointPolygonTest(corners, (true.x_px[0], true.y_px[0]), False) > 0
        and not in_tail(true, phantom)
    ]


def keep_one_number(foci: list[Focus], phantom: Phantom) -> Iterable[bool]:
    """Yield for each true focus seen in half of the frames whether it keeps one number."""
    seen: defaultdict[TrueFocus, list[int]] = defaultdict(list)
    for focus in foci:
        if (
            true := near(phantom, focus, None, SAME_TRACK_MM)
        ) is not None and focus.seen_frames is not None:
            seen[true].append(focus.seen_frames)
    for counts in seen.values():
        if sum(counts) >= len(phantom.frames) / 2:
            yield max(counts) >= ONE_TRACK_FRACTION * min(sum(counts), len(phantom.frames))


def read_frame(phantom: Phantom, scan: Scan, number: int) -> DecodedFrame:
    """Compare the decoded colours of one frame with the simulated flow."""
    colour = phantom.truth.colour
    assert colour is not None
    assert colour.shown is not None
    assert colour.velocity is not None
    (view, *_) = prepare(phantom.frames[number], spacing=scan.spacing, regions=scan.regions)
    flow = view.colour
    if flow is None:
        return DecodedFrame(
            0.0, 0.0 if colour.shown[number].any() else np.nan, False, np.nan, np.nan, np.nan
        )
    rows, columns = np.indices(view.shape)
    x, y = (np.rint(at).astype(int) for at in view.grid.to_image(columns, rows))
    inside = (x >= 0) & (x < phantom.frames.shape[2]) & (y >= 0) & (y < phantom.frames.shape[1])
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    box = np.zeros(phantom.frames.shape[1:3], np.uint8)
    cv2.fillPoly(box, [np.rint(np.array(colour.box_px)).astype(np.int32)], 1)
    shown: BoolImage = colour.shown[number][y, x] & inside & ~view.graphics
    close = error = sign = np.nan
    both = shown & flow.mask
    if not colour.power and both.any() and colour.vessels:
        true = colour.velocity[number][y, x][both] / np.float32(colour.velocity_limit_cm_s)
        fraction = velocity(flow)[0][both]
        # both ends of the range are one phase
        off = np.abs(np.angle(np.exp(1j * np.pi * (fraction - true)))) / np.pi
        close, error = float((off <= VELOCITY_TOLERANCE).mean()), float(np.median(off))
        sign = float((fraction * true > 0).mean())
    drawn = dice(flow.mask, shown) if shown.any() or flow.mask.any() else np.nan
    return DecodedFrame(
        dice(flow.box, (box[y, x] > 0) & view.tissue),
        drawn,
        flow.bar is not None,
        close,
        error,
        sign,
    )


def table(clips: Sequence[Clip]) -> list[str]:
    """Return the lines of the tables in Markdown."""
    lines = ["| twinkling, tracks | value | 95 % interval | of |", "|---|---|---|---|"]
    for name, count, statistic in measures(clips):
        found = bootstrap(statistic, len(clips))
        lines.append(
            f"| {name} | {found.value:.3f} | {found.low:.3f} to {found.high:.3f} | {count} |"
        )
    head = [
        "clips",
        "box, Dice",
        "flow, Dice",
        "bar found",
        "velocity, median error",
        f"within {VELOCITY_TOLERANCE:.0%}",
        "direction right",
    ]
    head.append("clips with false twinkling")
    lines += [
        "",
        "| how the clip looks | " + " | ".join(head) + " |",
        "|---" * (len(head) + 1) + "|",
    ]
    for name, chosen in looks():
        own = [clip for clip in clips if chosen(clip.settings)]
        if not own:
            continue
        reads = [clip.decoded for clip in own]
        has_bar = [clip.decoded.bar for clip in own if clip.settings.colour_bar != "none"]
        values = [
            mean([read.box for read in reads]),
            mean([read.flow for read in reads]),
            mean(has_bar),
            mean([read.error for read in reads]),
            mean([read.close for read in reads]),
            mean([read.sign for read in reads]),
            mean([any(said and not true for said, true in clip.called) for clip in own]),
        ]
        lines.append(
            f"| {name} | {len(own)} | "
            + " | ".join("" if np.isnan(value) else f"{value:.3f}" for value in values)
            + " |"
        )
    return lines


def mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def measures(
    clips: Sequence[Clip],
) -> Iterable[tuple[str, int, Callable[[NDArray[np.intp]], float]]]:
    """Yield each measure: its name, the number of cases, and its value for clips given by index."""

    def ranking(pairs: list[list[tuple[float, bool]]]) -> Callable[[NDArray[np.intp]], float]:
        def statistic(drawn: NDArray[np.intp]) -> float:
            chosen = [pair for i in drawn for pair in pairs[i]]
            return auc([score for score, _ in chosen], [true for _, true in chosen])

        return statistic

    def share(facts: list[list[bool]]) -> Callable[[NDArray[np.intp]], float]:
        return lambda drawn: mean([fact for i in drawn for fact in facts[i]])

    for name, pairs in (
        ("twinkling score, AUC, clips", [list(clip.clip_scores) for clip in clips]),
        (
            f"twinkling score, AUC, {STILLS} single frames of each",
            [list(clip.still_scores) for clip in clips],
        ),
    ):
        yield name, sum(map(len, pairs)), ranking(pairs)
    rows: list[tuple[str, list[list[bool]]]] = [
        ("twinkling foci listed and called yes", [list(clip.found) for clip in clips]),
        (
            "single frames: listed foci that may twinkle and are foci",
            [list(clip.possible) for clip in clips],
        ),
        ("true foci that keep one number", [list(clip.one_number) for clip in clips]),
    ]
    for kind in KINDS:
        false = [
            [said for said, true in clip.called if not true] if clip.kind == kind else []
            for clip in clips
        ]
        rows.append((f"false foci with the verdict yes, {kind} clips", false))
    for name, facts in rows:
        yield name, sum(map(len, facts)), share(facts)


def looks() -> Iterable[tuple[str, Callable[[PhantomSettings], bool]]]:
    """Yield the groups of clips: the name, and a function that selects the clips by settings."""
    yield "all", lambda settings: True
    for field, word, kinds in (
        ("colour_map", "map", COLOUR_MAPS),
        ("colour_bar", "bar", BAR_PLACES),
        ("box_style", "box", BOX_STYLES),
    ):
        for kind in kinds:
            yield f"{word}: {kind}", partial(_has, field=field, kind=kind)
    yield "baseline shifted", lambda settings: settings.baseline_shift != 0
    yield "colour mixed with grey", lambda settings: settings.colour_opacity < 1
    yield "persistence", lambda settings: settings.persistence > 0
    yield "JPEG quality 75", lambda settings: settings.jpeg_quality == 75


def _has(settings: PhantomSettings, field: str, kind: str) -> bool:
    return bool(getattr(settings, field) == kind)


def plain(seed: int, clip: Clip) -> dict[str, object]:
    """Return one clip as values for JSON."""
    chosen = (
        "colour_map",
        "colour_bar",
        "box_style",
        "baseline_shift",
        "colour_opacity",
        "persistence",
        "jpeg_quality",
        "vessels",
    )
    return {
        "kind": clip.kind,
        "seed": seed,
        **{name: getattr(clip.settings, name) for name in chosen},
        **{
            name: getattr(clip.decoded, name)
            for name in ("box", "flow", "bar", "error", "close", "sign")
        },
        "clip_scores": clip.clip_scores,
        "still_scores": clip.still_scores,
        "called": clip.called,
        "one_number": clip.one_number,
    }


if __name__ == "__main__":
    raise SystemExit(main())
