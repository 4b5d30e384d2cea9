"""Colour Doppler on simulated clips: `python -m benchmarks.doppler` scores what is read of the colours, the tracks and the twinkling.

The clips differ in colour map, bar, box, baseline, opacity, persistence and compression as scanners do; every second one comes without
the regions that a DICOM file declares, as a video does.
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
"""Not used by training nor by `benchmarks.accuracy`."""
OF_A_KIND = 1000
"""Seeds between those of two kinds, so that their clips look different."""
STILLS = 3
"""Frames of a clip that are judged on their own."""
NEAR_MM = 1.0
"""A focus this far from a true one shows it."""
SAME_MM = 0.4
"""Sightings this far from a true focus are of it, not of a speckle beside it."""
TAIL_MM = 1.5, 6.0
"""How far beside and behind a twinkling focus its colours reach: another focus there cannot be told to twinkle or not."""
CLOSE = 0.05
"""Error of a velocity, as a fraction of the limit, that counts as right."""
KEPT = 0.9
"""Share of its sightings that a true focus must have under one number."""
TRACKED = 0.005
"""Confidence from which foci are followed here, a tenth of that from which they are listed."""


@dataclass(frozen=True)
class Read:
    """How one frame's colours were read."""

    box: float
    """Overlap of the colour box with the true one, Dice."""
    flow: float
    """The same of the coloured pixels; NaN where there are none."""
    bar: bool
    """Whether a colour bar was found."""
    close: float
    """Fraction of the coloured pixels whose velocity is within CLOSE of the limit; NaN for power, and where nothing flows."""
    error: float
    """Median of the error as a fraction of the limit; NaN likewise."""
    sign: float
    """Fraction of those whose direction is right; NaN likewise."""


@dataclass(frozen=True)
class Clip:
    """What was found on one clip."""

    kind: SetKind
    settings: PhantomSettings
    read: Read
    clip_scores: tuple[tuple[float, bool], ...]
    """Of each true focus in the colour box: twinkling score in the clip, 0 if it was not found, and whether it twinkles."""
    still_scores: tuple[tuple[float, bool], ...]
    """The same on single frames."""
    possible: tuple[bool, ...]
    """Of each focus listed on single frames that may twinkle: whether it is at a true focus."""
    called: tuple[tuple[bool, bool], ...]
    """Of each listed focus: whether twinkling is said to be sure, and whether it lies at a true focus that twinkles."""
    found: tuple[bool, ...]
    """Of each true focus that twinkles: whether it is listed with sure twinkling."""
    one_number: tuple[bool, ...]
    """Of each true focus seen in half of the frames: whether nearly all of its sightings have one number."""


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
        for seed in range(first + n * OF_A_KIND, first + n * OF_A_KIND + options.clips)
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
    """Simulate a clip, analyse it, and compare."""
    phantom = simulate(seed, random_settings(seed, kind), name=f"{kind}-{seed}")
    scan = phantom.scan()
    if seed % 2:
        scan = replace(scan, regions=())
    listing = replace(Settings(), foci=replace(Settings().foci, minimum_confidence=TRACKED))
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
        one_number=tuple(numbered(foci, phantom)),
    )


def in_tail(true: TrueFocus, phantom: Phantom) -> bool:
    """Whether a true focus lies where the colours of another one reach."""
    mm = phantom.settings.spacing
    for other in phantom.truth.foci:
        across, along = (true.x_px[0] - other.x_px[0]) * mm, (true.y_px[0] - other.y_px[0]) * mm
        if (
            other is not true
            and other.twinkling
            and abs(across) <= TAIL_MM[0] + abs(along) / 4
            and -NEAR_MM <= along <= TAIL_MM[1]
        ):
            return True
    return False


def near(
    phantom: Phantom, focus: Focus, frame: int | None, reach: float = NEAR_MM
) -> TrueFocus | None:
    """The true focus that a focus shows, on its own frame or on the one given."""
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
    """Twinkling score of each true focus in the colour box, 0 if none was found there, and whether it twinkles; none in another's tail."""
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


def numbered(foci: list[Focus], phantom: Phantom) -> Iterable[bool]:
    """Whether each true focus seen in half of the frames keeps one number."""
    seen: defaultdict[TrueFocus, list[int]] = defaultdict(list)
    for focus in foci:
        if (
            true := near(phantom, focus, None, SAME_MM)
        ) is not None and focus.seen_frames is not None:
            seen[true].append(focus.seen_frames)
    for counts in seen.values():
        if sum(counts) >= len(phantom.frames) / 2:
            yield max(counts) >= KEPT * min(sum(counts), len(phantom.frames))


def read_frame(phantom: Phantom, scan: Scan, number: int) -> Read:
    """Compare the colours of one frame with what was drawn."""
    colour = phantom.truth.colour
    assert colour is not None
    assert colour.shown is not None
    assert colour.velocity is not None
    (view, *_) = prepare(phantom.frames[number], spacing=scan.spacing, regions=scan.regions)
    flow = view.colour
    if flow is None:
        return Read(
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
        close, error = float((off <= CLOSE).mean()), float(np.median(off))
        sign = float((fraction * true > 0).mean())
    drawn = dice(flow.mask, shown) if shown.any() or flow.mask.any() else np.nan
    return Read(
        dice(flow.box, (box[y, x] > 0) & view.tissue),
        drawn,
        flow.bar is not None,
        close,
        error,
        sign,
    )


def table(clips: Sequence[Clip]) -> list[str]:
    """Lines of the tables, in Markdown."""
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
        f"within {CLOSE:.0%}",
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
        reads = [clip.read for clip in own]
        has_bar = [clip.read.bar for clip in own if clip.settings.colour_bar != "none"]
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
    """Mean of those that are known; NaN where there are none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def measures(
    clips: Sequence[Clip],
) -> Iterable[tuple[str, int, Callable[[NDArray[np.intp]], float]]]:
    """What is measured over clips that are drawn: its name, how many it rests on, and the statistic."""

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
        rows.append((f"other listed foci called yes, {kind} clips", false))
    for name, facts in rows:
        yield name, sum(map(len, facts)), share(facts)


def looks() -> Iterable[tuple[str, Callable[[PhantomSettings], bool]]]:
    """The ways in which clips differ, each with what clips show it."""
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
    """One clip for JSON."""
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
            name: getattr(clip.read, name)
            for name in ("box", "flow", "bar", "error", "close", "sign")
        },
        "clip_scores": clip.clip_scores,
        "still_scores": clip.still_scores,
        "called": clip.called,
        "one_number": clip.one_number,
    }


if __name__ == "__main__":
    raise SystemExit(main())
