"""Measure the speed beside other libraries: `python -m benchmarks.speed`.

It needs no data. Libraries of the extra `bench` that are not installed are left out. By the times
in docs/speed.md all rows take about ten minutes; `--only WORD --no-pipeline` measures only some
kernels. `--compare REVISION` times another revision of the project and this one in turn instead.
The tables are printed; `--json` writes them to a file, `--docs` into a document.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.speed import (
    confidence,
    filters,
    pipeline,
    preparation,
    report_growth,
    revisions,
    stages,
)
from benchmarks.speed.comparison import measure
from benchmarks.speed.inputs import make_inputs
from benchmarks.speed.machine import measure_machine
from benchmarks.speed.peers import missing_peers, use_one_thread
from benchmarks.speed.report import Results, as_json, as_text, update_document
from benchmarks.speed.revision_report import (
    comparison_as_json,
    comparison_as_text,
    update_comparison,
)
from usmicro.errors import UsmicroError

ROUNDS, COMPARED_ROUNDS = 9, 11
"""Rounds by default. 11 pairs are enough for an interval of a ratio that leaves out the smallest
and the largest."""
PIPELINE_ROUNDS = 5
"""Largest number of rounds of the pipeline; a round of the libraries takes about ten seconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, 1 if a result disagrees with a peer, or 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="Time usmicro beside other libraries."
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORD",
        help="only rows with this word in their name; may be given several times",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help=f"rounds of which medians are taken; {ROUNDS}, or {COMPARED_ROUNDS} with --compare",
    )
    parser.add_argument(
        "--compare",
        metavar="REVISION",
        help="time a revision of the git history and this one in turn, not the other libraries",
    )
    parser.add_argument("--no-pipeline", action="store_true", help="measure only kernels")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="write the results as JSON")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="update the generated part of a document"
    )
    options = parser.parse_args(arguments)
    if options.rounds is None:
        options.rounds = COMPARED_ROUNDS if options.compare else ROUNDS
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: expected 1 or more")
    command = documented_command(sys.argv[1:] if arguments is None else list(arguments))
    if options.compare:
        names = matching(revisions.NAMES, options.only)
        if not names:
            parser.error(no_such_row(options.only, revisions.NAMES))
        return compare_revisions(options, names, command)
    warnings.simplefilter("ignore")  # other libraries warn about deprecated functions
    use_one_thread()
    inputs = make_inputs()
    rows = [
        *filters.comparisons(inputs),
        *preparation.comparisons(inputs),
        *stages.comparisons(inputs),
        *confidence.comparisons(inputs),
    ]
    names = [row.name for row in rows]
    wanted = set(matching(names, options.only))
    chosen = [row for row in rows if row.name in wanted]
    if not chosen and options.no_pipeline:
        parser.error(no_such_row(options.only, names))
    try:
        machine, timings = measure_machine(), []
        for row in chosen:
            timings.append(measure(row, machine, options.rounds))
            print(f"{row.name}: {timings[-1].ms:.3g} ms", file=sys.stderr)
        results = Results(command, machine, timings, missing_peers())
        if not options.no_pipeline:
            peaks = {kind: pipeline.measure_memory(kind) for kind in pipeline.KINDS}
            rounds = min(options.rounds, PIPELINE_ROUNDS)
            results = replace(
                results,
                times=pipeline.measure_image(rounds),
                memory=peaks,
                curve=pipeline.measure_sizes(),
                runs=pipeline.measure_runs(rounds),
                cines=pipeline.measure_cines(),
                reports=report_growth.measure_reports(),
                growth=pipeline.measure_growth(),
            )
        print(as_text(results))
        if options.json:
            options.json.write_text(as_json(results), encoding="utf-8")
        if options.docs:
            update_document(options.docs, results)
    except AssertionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def matching(names: Sequence[str], words: Sequence[str] | None) -> list[str]:
    """Return the names that contain one of the words; all names without words."""
    return [
        name for name in names if not words or any(word.lower() in name.lower() for word in words)
    ]


def no_such_row(words: Sequence[str], names: Sequence[str]) -> str:
    """Return the message for words that no name contains."""
    return f"--only {' '.join(words)}: no such row; expected a part of one of {', '.join(names)}"


def compare_revisions(options: argparse.Namespace, names: Sequence[str], command: str) -> int:
    """Compare the revision `options.compare` with this one; return the exit status."""
    # the checked-out revision is removed also if the command is ended from outside
    handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        rows = revisions.compare(options.compare, names, options.rounds)
        commit = revisions.described(options.compare)
        text = comparison_as_text(command, commit, rows)
        print(text)
        if options.json:
            options.json.write_text(comparison_as_json(command, commit, rows), encoding="utf-8")
        if options.docs:
            update_comparison(options.docs, text)
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, handler)
    return 0


def documented_command(arguments: Sequence[str]) -> str:
    """Return the command for documents: without output files, which are paths of this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json")
    parser.add_argument("--docs")
    _, rest = parser.parse_known_args(list(arguments))
    return shlex.join(["python", "-m", "benchmarks.speed", *rest])


if __name__ == "__main__":
    sys.exit(main())
