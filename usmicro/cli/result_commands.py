"""The commands that read finished runs: report, evaluate, compare, calibrate and export."""

from __future__ import annotations

import argparse

from usmicro.cli.exit_status import DONE


def report_command(arguments: argparse.Namespace) -> int:
    """Rebuild the report of a finished run."""
    from usmicro.writing.report.page import write_report

    print(f"open {write_report(arguments.folder)} in a browser")
    return DONE


def evaluate_command(arguments: argparse.Namespace) -> int:
    """Compare results with labels."""
    from usmicro.evaluation import evaluate

    out = arguments.results / "evaluation" if arguments.out is None else arguments.out
    evaluation = evaluate(
        arguments.results,
        arguments.truth,
        out=out,
        group=arguments.group,
        least_distance=arguments.distance,
    )
    width = max(len(row.measure) for row in evaluation.rows)
    for row in evaluation.rows:
        value = row.estimate
        images = "1 image" if row.images == 1 else f"{row.images} images"
        interval = f"({value.low:.3f} to {value.high:.3f}, {images})"
        print(f"{row.measure:{width}}  {value.value:6.3f}  {interval}")
    for remark in evaluation.remarks:
        print(f"note: {remark}")
    if evaluation.groups:
        print(f"measures of each group in {out / 'groups.csv'}")
    print(f"95 % intervals over {evaluation.resampled}")
    print(f"tables in {out}: open {out / 'evaluation.html'} in a browser")
    return DONE


def compare_command(arguments: argparse.Namespace) -> int:
    """Compare two runs."""
    import math

    from usmicro.comparison import compare

    out = arguments.b / "comparison" if arguments.out is None else arguments.out
    comparison = compare(
        arguments.a,
        arguments.b,
        truth=arguments.truth,
        out=out,
        least_distance=arguments.distance,
    )
    print("\n".join(comparison.lines()))
    width = max((len(measure.name) for measure in comparison.measures), default=0)
    for measure in comparison.measures:
        low, high = measure.difference.low, measure.difference.high
        interval = "" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}, "
        print(
            f"{measure.name:{width}}  A {measure.a:6.3f}  B {measure.b:6.3f}  "
            f"difference {measure.difference.value:+.3f} ({interval}{measure.images} images)"
        )
    for remark in comparison.remarks:
        print(f"note: {remark}")
    print(f"tables in {out}: open {out / 'comparison.html'} in a browser")
    return DONE


def calibrate_command(arguments: argparse.Namespace) -> int:
    """Fit settings to labels."""
    from usmicro.calibration import calibrate
    from usmicro.calibration.files import lines_of

    calibration = calibrate(
        arguments.results,
        arguments.truth,
        out=arguments.out,
        group=arguments.group,
        false_foci=arguments.false_foci,
        false_masses=arguments.false_masses,
        false_calcified=arguments.false_calcified,
        least_distance=arguments.distance,
    )
    for choice in calibration.choices:
        print("\n".join(lines_of(choice)))
    for remark in calibration.remarks:
        print(f"note: {remark}")
    print(f"settings in {arguments.out}; before and after in {arguments.out.with_suffix('.html')}")
    return DONE


def export_command(arguments: argparse.Namespace) -> int:
    """Write findings as files of other programs."""
    from usmicro.exporting import export
    from usmicro.results import read_results

    files = export(arguments.results, arguments.format, out=arguments.out)
    folder = arguments.results / arguments.format if arguments.out is None else arguments.out
    failed = len(read_results(arguments.results).failed)
    without = f"; {failed} failed and have none" if failed else ""
    print(f"{len(files)} file{'' if len(files) == 1 else 's'} in {folder}{without}")
    return DONE
