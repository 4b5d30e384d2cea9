"""Command line: `python -m benchmarks.accuracy DATA`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.cases import Case, find_cases, phantom_cases, with_unseen_networks
from benchmarks.accuracy.parts import parts_without_lesion
from benchmarks.accuracy.peers import score_peers
from benchmarks.accuracy.pictures import write_worst
from benchmarks.accuracy.reliability import reliability
from benchmarks.accuracy.report import Section, as_json, as_text, refresh
from benchmarks.accuracy.runs import Outcome, run_cases
from benchmarks.accuracy.scores import score
from usmicro.errors import UsmicroError
from usmicro.evaluation.rows import Row
from usmicro.settings import Settings, read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if it could be run, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Score usmicro on labelled and simulated scans.",
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        metavar="DATA",
        help="folder with breast-lesions-usg, bus-bra, echogenic-foci-marks",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="SET",
        help="only this data set, or `phantom`; may be given again",
    )
    parser.add_argument(
        "--phantoms", type=int, default=0, metavar="N", help="simulated scans of each set"
    )
    parser.add_argument(
        "--clips",
        type=int,
        metavar="N",
        help="simulated colour clips of each set; a quarter of --phantoms if not given",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="only about N cases of each data set, evenly spread"
    )
    parser.add_argument(
        "--given-outlines",
        action="store_true",
        help="a second pass with the true outlines as the user's masks",
    )
    parser.add_argument(
        "--unseen-networks",
        type=Path,
        metavar="WORK",
        help="mass models of training.masses: each scan by one that has not seen it",
    )
    parser.add_argument(
        "--peers", action="store_true", help="detectors of general libraries on the marked foci"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="a setting of usmicro",
    )
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the results as JSON")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="write pictures of the scans on which masses are worst",
    )
    parser.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="refresh the generated part of a document"
    )
    options = parser.parse_args(arguments)
    if options.data is None and not options.phantoms and not options.clips:
        parser.error("nothing to score: give DATA, --phantoms N, --clips N")
    try:
        settings = read_settings(assignments=options.set)
        cases = find_cases(options.data) if options.data is not None else []
        if options.unseen_networks is not None:
            cases = with_unseen_networks(cases, options.unseen_networks)
        cases = limited(
            [*cases, *phantom_cases(options.phantoms, options.clips)], options.limit, options.only
        )
        if not cases:
            parser.error(f"--only {' '.join(options.only)}: no case of such a set")
        whole = [*cases, *parts_without_lesion(cases)]
        outcomes = passed(whole, settings, options.processes, given_outlines=False)
        sections = {"Whole images": section_of(outcomes, settings)}
        if options.pictures:
            write_worst(outcomes, settings, options.pictures)
        if options.given_outlines:
            outlined = [case for case in cases if case.outlines]
            sections["True outlines given"] = section_of(
                passed(outlined, settings, options.processes, given_outlines=True), settings
            )
        if options.peers:
            sections["Other detectors"] = Section(score_peers(cases))
        command = written(sys.argv[1:] if arguments is None else arguments)
        for name, section in sections.items():
            print(f"\n{name}\n\n{as_text(section)}")
        if options.out:
            options.out.write_text(as_json(sections, command), encoding="utf-8")
        if options.docs:
            refresh(options.docs, sections, command)
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def limited(cases: Sequence[Case], limit: int | None, only: Sequence[str] | None) -> list[Case]:
    """At most so many cases of each data set, evenly spread; and only of some data sets."""
    kept = []
    for name in dict.fromkeys(case.dataset for case in cases):
        own = [case for case in cases if case.dataset == name]
        if only and name not in only and name.partition(" ")[0] not in only:
            continue
        kept += (
            own
            if limit is None or len(own) <= limit
            else [own[i * len(own) // limit] for i in range(limit)]
        )
    return kept


def passed(
    cases: Sequence[Case], settings: Settings, processes: int, *, given_outlines: bool
) -> list[Outcome]:
    """One pass over the cases, with progress on the error stream."""
    outcomes: list[Outcome] = []
    for number, outcome in enumerate(
        run_cases(cases, settings, given_outlines=given_outlines, processes=processes), start=1
    ):
        outcomes.append(outcome)
        if outcome.error:
            print(f"{outcome.case.dataset}: {outcome.error}", file=sys.stderr)
        if number % 50 == 0 or number == len(cases):
            print(f"{number} of {len(cases)} cases", file=sys.stderr)
    return outcomes


def section_of(outcomes: Sequence[Outcome], settings: Settings) -> Section:
    """What the outcomes of a pass say."""
    listed = settings.foci.minimum_confidence
    brier, bins = reliability(outcomes, listed=listed)
    return Section(joined(score(outcomes, listed=listed), brier), bins)


def joined(rows: Sequence[Row], more: Sequence[Row]) -> list[Row]:
    """Rows with more rows put behind those of the same data set."""
    names = dict.fromkeys(row.dataset for row in (*rows, *more))
    return [row for name in names for row in (*rows, *more) if row.dataset == name]


def written(arguments: Sequence[str]) -> str:
    """The command as documents give it: without the paths of this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--out")
    parser.add_argument("--docs")
    parser.add_argument("--pictures")
    _, rest = parser.parse_known_args(list(arguments))
    folders = iter(("DATA", "WORK"))
    shown = [next(folders) if Path(word).is_dir() else word for word in rest]
    return " ".join(["python -m benchmarks.accuracy", *shown])


if __name__ == "__main__":
    sys.exit(main())
