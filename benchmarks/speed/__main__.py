"""Measure the speed beside other libraries: `python -m benchmarks.speed`.

It needs no data. Libraries of the extra `bench` that are not installed are left out. By the times
in docs/speed.md all rows take about ten minutes; `--only WORD --no-pipeline` measures only some
kernels. The tables are printed; `--json` writes them to a file, `--docs` into a document.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.speed import confidence, filters, pipeline, preparation, stages
from benchmarks.speed.comparison import measure
from benchmarks.speed.inputs import make_inputs
from benchmarks.speed.machine import measure_machine
from benchmarks.speed.peers import missing_peers, use_one_thread
from benchmarks.speed.report import Results, as_json, as_text, update_document
from usmicro.errors import UsmicroError

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
        "--rounds", type=int, default=9, metavar="N", help="rounds of which medians are taken"
    )
    parser.add_argument("--no-pipeline", action="store_true", help="measure only kernels")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="write the results as JSON")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="update the generated part of a document"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: expected 1 or more")
    warnings.simplefilter("ignore")  # other libraries warn about deprecated functions
    use_one_thread()
    inputs = make_inputs()
    rows = [
        *filters.comparisons(inputs),
        *preparation.comparisons(inputs),
        *stages.comparisons(inputs),
        *confidence.comparisons(inputs),
    ]
    chosen = [
        row
        for row in rows
        if not options.only or any(word.lower() in row.name.lower() for word in options.only)
    ]
    if not chosen and options.no_pipeline:
        names = ", ".join(row.name for row in rows)
        parser.error(f"--only {' '.join(options.only)}: no such row; expected one of {names}")
    try:
        machine, timings = measure_machine(), []
        for row in chosen:
            timings.append(measure(row, machine, options.rounds))
            print(f"{row.name}: {timings[-1].ms:.3g} ms", file=sys.stderr)
        words = sys.argv[1:] if arguments is None else list(arguments)
        results = Results(documented_command(words), machine, timings, missing_peers())
        if not options.no_pipeline:
            peaks = {kind: pipeline.measure_memory(kind) for kind in pipeline.KINDS}
            rounds = min(options.rounds, PIPELINE_ROUNDS)
            results = replace(
                results,
                times=pipeline.measure_image(rounds),
                memory=peaks,
                curve=pipeline.measure_sizes(),
                runs=pipeline.measure_runs(rounds),
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


def documented_command(arguments: Sequence[str]) -> str:
    """Return the command for documents: without output files, which are paths of this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json")
    parser.add_argument("--docs")
    _, rest = parser.parse_known_args(list(arguments))
    return " ".join(["python -m benchmarks.speed", *rest])


if __name__ == "__main__":
    sys.exit(main())
