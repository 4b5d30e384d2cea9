"""Command line: `python -m benchmarks.speed`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.speed import filters, pipeline, preparation, stages
from benchmarks.speed.comparison import measure
from benchmarks.speed.inputs import make_inputs
from benchmarks.speed.machine import measure_machine
from benchmarks.speed.peers import missing, use_one_thread
from benchmarks.speed.report import Results, as_json, as_text, refresh
from usmicro.errors import UsmicroError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if it could be run, 1 if ours and a peer disagree, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="Time usmicro beside other libraries."
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORD",
        help="only rows with this word in their name; may be given again",
    )
    parser.add_argument(
        "--rounds", type=int, default=9, metavar="N", help="rounds that medians are taken over"
    )
    parser.add_argument("--no-pipeline", action="store_true", help="kernels only")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="write the results as JSON")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="refresh the generated part of a document"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"expected 1 round or more, found {options.rounds}")
    warnings.simplefilter("ignore")  # of other libraries
    use_one_thread()
    inputs = make_inputs()
    rows = [
        *filters.comparisons(inputs),
        *preparation.comparisons(inputs),
        *stages.comparisons(inputs),
    ]
    chosen = [
        row
        for row in rows
        if not options.only or any(word.lower() in row.name.lower() for word in options.only)
    ]
    if not chosen and options.no_pipeline:
        parser.error(
            f"--only {' '.join(options.only)}: no such row; there are {', '.join(row.name for row in rows)}"
        )
    try:
        machine, timings = measure_machine(), []
        for row in chosen:
            timings.append(measure(row, machine, options.rounds))
            print(f"{row.name}: {timings[-1].ms:.3g} ms", file=sys.stderr)
        words = sys.argv[1:] if arguments is None else list(arguments)
        results = Results(written(words), machine, timings, missing())
        if not options.no_pipeline:
            peaks = {kind: pipeline.memory(kind) for kind in pipeline.KINDS}
            few = min(options.rounds, 5)
            results = replace(
                results,
                times=pipeline.times(few),
                memory=peaks,
                curve=pipeline.curve(),
                runs=pipeline.runs(few),
                growth=pipeline.growth(),
            )
        print(as_text(results))
        if options.json:
            options.json.write_text(as_json(results), encoding="utf-8")
        if options.docs:
            refresh(options.docs, results)
    except AssertionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except UsmicroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def written(arguments: Sequence[str]) -> str:
    """The command as documents give it: without the paths of this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json")
    parser.add_argument("--docs")
    _, rest = parser.parse_known_args(list(arguments))
    return " ".join(["python -m benchmarks.speed", *rest])


if __name__ == "__main__":
    sys.exit(main())
