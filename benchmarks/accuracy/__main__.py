"""Measure the accuracy on labelled and simulated scans: `python -m benchmarks.accuracy DATA`.

DATA is a folder with the data sets of docs/accuracy.md; `--phantoms N` simulates scans, which need
no data. An analysis takes 0.2 to 0.4 s per scan in each of the worker processes. The tables are
printed. `--out` writes them as JSON, `--docs` into the generated part of a document, and
`--pictures` writes pictures of the worst scans.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.cases import (
    READERS,
    Case,
    find_cases,
    phantom_cases,
    select_cases,
    with_unseen_networks,
)
from benchmarks.accuracy.parts import parts_without_lesion
from benchmarks.accuracy.peers import score_peers
from benchmarks.accuracy.pictures import write_worst
from benchmarks.accuracy.reliability import measure_reliability
from benchmarks.accuracy.report import Section, as_json, as_text, update_document
from benchmarks.accuracy.runs import Outcome, run_cases
from benchmarks.accuracy.scores import score
from usmicro.errors import UsmicroError
from usmicro.evaluation.rows import Row
from usmicro.foci.operating_point import listing_confidence
from usmicro.settings import Settings, read_settings

PROGRESS_STEP = 50
"""Number of cases between two lines of progress."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 for wrong usage."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.data is None and not options.phantoms and not options.clips:
        parser.error("nothing to measure; expected DATA, --phantoms N or --clips N")
    try:
        settings = read_settings(assignments=options.set)
        cases = find_cases(options.data) if options.data is not None else []
        if options.unseen_networks is not None:
            cases = with_unseen_networks(cases, options.unseen_networks)
        cases += phantom_cases(options.phantoms, options.clips)
        cases = select_cases(cases, options.limit, options.only)
        if not cases:
            parser.error(f"--only {' '.join(options.only)}: there is no case of this data set")
        sections = run_passes(cases, settings, options)
        command = documented_command(sys.argv[1:] if arguments is None else arguments)
        for name, section in sections.items():
            print(f"\n{name}\n\n{as_text(section)}")
        if options.out:
            options.out.write_text(as_json(sections, command), encoding="utf-8")
        if options.docs:
            update_document(options.docs, sections, command)
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Describe the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Measure the accuracy of usmicro on labelled and simulated scans.",
    )
    add = parser.add_argument
    add(
        "data",
        type=Path,
        nargs="?",
        metavar="DATA",
        help="folder with one or more of the data sets: " + ", ".join(READERS),
    )
    add(
        "--only",
        action="append",
        metavar="SET",
        help="only this data set, or `phantom`; may be given several times",
    )
    add("--phantoms", type=int, default=0, metavar="N", help="simulated scans of each set")
    add(
        "--clips",
        type=int,
        metavar="N",
        help="simulated colour clips of each set; a quarter of --phantoms if not given",
    )
    add(
        "--limit",
        type=int,
        metavar="N",
        help="at most N cases of each data set, evenly spread over it",
    )
    add(
        "--given-outlines",
        action="store_true",
        help="a second pass with the true outlines as user masks",
    )
    add(
        "--unseen-networks",
        type=Path,
        metavar="NETWORKS",
        help="training/networks; each scan is analysed with a network not trained on its data set",
    )
    add("--peers", action="store_true", help="detectors of general libraries on the marked foci")
    add(
        "--set",
        action="append",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="a setting of usmicro",
    )
    add("--processes", type=int, default=2, metavar="N", help="worker processes")
    add("--out", type=Path, metavar="FILE.json", help="write the results as JSON")
    add(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="write pictures of the scans with the worst masses",
    )
    add("--docs", type=Path, metavar="FILE.md", help="update the generated part of a document")
    return parser


def run_passes(
    cases: Sequence[Case], settings: Settings, options: argparse.Namespace
) -> dict[str, Section]:
    """Return the results of each pass that the options request, by name of the pass."""
    whole = [*cases, *parts_without_lesion(cases)]
    outcomes = run_with_progress(whole, settings, options.processes, given_outlines=False)
    sections = {"Whole images": make_section(outcomes, settings)}
    if options.pictures:
        write_worst(outcomes, settings, options.pictures)
    peer_rows = score_peers(cases, outcomes, options.processes) if options.peers else []
    if options.given_outlines:
        outlined = [case for case in cases if case.outlines]
        outcomes = run_with_progress(outlined, settings, options.processes, given_outlines=True)
        sections["True outlines given"] = make_section(outcomes, settings)
    if options.peers:
        sections["usmicro and other detectors on all marked images"] = Section(peer_rows)
    return sections


def run_with_progress(
    cases: Sequence[Case], settings: Settings, processes: int, *, given_outlines: bool
) -> list[Outcome]:
    """Run all cases; print progress and failures on the error stream."""
    outcomes: list[Outcome] = []
    for outcome in run_cases(cases, settings, given_outlines=given_outlines, processes=processes):
        outcomes.append(outcome)
        if outcome.error:
            print(f"{outcome.case.dataset}: {outcome.error}", file=sys.stderr)
        if len(outcomes) % PROGRESS_STEP == 0 or len(outcomes) == len(cases):
            print(f"{len(outcomes)} of {len(cases)} cases", file=sys.stderr)
    return outcomes


def make_section(outcomes: Sequence[Outcome], settings: Settings) -> Section:
    """Return the measures and reliability tables of the outcomes of a pass."""
    listed = listing_confidence(settings.foci)
    brier_rows, bins = measure_reliability(outcomes, listed=listed)
    return Section(merge_rows(score(outcomes, listed=listed), brier_rows), bins)


def merge_rows(rows: Sequence[Row], more: Sequence[Row]) -> list[Row]:
    """Append rows behind the rows of the same data set."""
    names = dict.fromkeys(row.dataset for row in (*rows, *more))
    return [row for name in names for row in (*rows, *more) if row.dataset == name]


def documented_command(arguments: Sequence[str]) -> str:
    """Return the command for documents: without output files and without paths of this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--out")
    parser.add_argument("--docs")
    parser.add_argument("--pictures")
    _, rest = parser.parse_known_args(list(arguments))
    placeholders = iter(("DATA", "NETWORKS"))
    words = [next(placeholders) if Path(word).is_dir() else word for word in rest]
    return " ".join(["python -m benchmarks.accuracy", *words])


if __name__ == "__main__":
    sys.exit(main())
