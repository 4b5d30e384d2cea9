"""The parser of all commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from usmicro import __version__
from usmicro.cli.other_commands import (
    inspect_command,
    pseudonyms_command,
    sample_command,
    settings_command,
    warmup_command,
)
from usmicro.cli.result_commands import (
    calibrate_command,
    compare_command,
    evaluate_command,
    export_command,
    report_command,
)
from usmicro.cli.run_command import STATUS, add_run_options, run_command

DESCRIPTION = """\
Finds echogenic foci in breast ultrasound that may be calcifications, measures posterior
shadow and Doppler twinkling, and labels each focus intramass, extramass or intraductal.
For research only; not for diagnosis."""


FINISHED_RUN = "the --out folder of a finished run"
HITS = "a focus hits a mark that is within its radius, or within this distance; default 6"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog="usmicro",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"usmicro {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, action: Callable[[argparse.Namespace], int], summary: str, epilog: str = ""
    ) -> argparse.ArgumentParser:
        description = summary[0].upper() + summary[1:] + "."
        added = commands.add_parser(name, help=summary, description=description, epilog=epilog)
        added.set_defaults(action=action)
        return added

    add_run_options(
        command("run", run_command, "analyse scans and write tables, overlays and masks", STATUS)
    )

    added = command(
        "inspect", inspect_command, "print what usmicro reads from a scan, without analysing it"
    )
    added.add_argument("file", type=Path, metavar="FILE")
    spacing = "pixel spacing in mm, if the file has none"
    added.add_argument("--spacing", type=float, metavar="MM", help=spacing)
    added.add_argument("--out", type=Path, metavar="PICTURE.png", help="also draw it")

    added = command("sample", sample_command, "write simulated sample scans and their truth")
    added.add_argument("folder", type=Path, metavar="DIR", help="new or empty")

    added = command(
        "report", report_command, "rebuild report.html from the files of a finished run"
    )
    added.add_argument("folder", type=Path, metavar="DIR", help="the --out folder of the run")

    added = command(
        "evaluate",
        evaluate_command,
        "compare the results of a run with your own labels: FROC, AUC, kappa, Dice",
    )
    added.add_argument("results", type=Path, metavar="RESULTS", help=FINISHED_RUN)
    truth = (
        "a CSV table of foci or image labels, a review.csv that report.html exported, or a folder "
        "of tables and masks, or of reviews"
    )
    added.add_argument("truth", type=Path, metavar="TRUTH", help=truth)
    out = "folder for the evaluation; RESULTS/evaluation if not given"
    added.add_argument("--out", type=Path, metavar="DIR", help=out)
    group = "a table (image, patient or study, and group); also measure each group on its own"
    added.add_argument("--group", type=Path, metavar="TABLE.csv", help=group)
    _add_distance(added, HITS)

    added = command(
        "compare",
        compare_command,
        "compare two finished runs of the same images: what was gained, lost, moved or relabelled",
    )
    added.add_argument("a", type=Path, metavar="A", help=FINISHED_RUN)
    added.add_argument("b", type=Path, metavar="B", help="that of another, usually the newer one")
    truth = "labels as for evaluate; the measures of both runs are then compared too"
    added.add_argument("--truth", type=Path, metavar="TRUTH", help=truth)
    out = "folder for the comparison; B/comparison if not given"
    added.add_argument("--out", type=Path, metavar="DIR", help=out)
    same = "foci of both runs are the same within their radius, or this distance; default 6"
    _add_distance(added, same)

    added = command(
        "calibrate",
        calibrate_command,
        "fit the confidence and the thresholds to your own labels, for the rates you accept",
    )
    every = "the --out folder of a finished run with --set foci.minimum_confidence=0"
    added.add_argument("results", type=Path, metavar="RESULTS", help=every)
    truth = "labels, as for `usmicro evaluate`, such as a review.csv"
    added.add_argument("truth", type=Path, metavar="TRUTH", help=truth)
    out = "file for `usmicro run --settings`; a page is written beside it"
    added.add_argument("--out", type=Path, required=True, metavar="FILE.toml", help=out)
    group = "a table (image, patient or study, and group) of images that are alike"
    added.add_argument("--group", type=Path, metavar="TABLE.csv", help=group)
    rate = "false foci per image that you accept; default 0.5"
    added.add_argument("--false-foci", type=float, default=0.5, metavar="RATE", help=rate)
    rate = "false masses per image; default 0.1, if the labels outline masses"
    added.add_argument("--false-masses", type=float, metavar="RATE", help=rate)
    rate = "share of the images without calcifications that may be called calcified; default 0.1"
    added.add_argument("--false-calcified", type=float, metavar="SHARE", help=rate)
    _add_distance(added, HITS)

    added = command(
        "export",
        export_command,
        "write the findings of a finished run as files of QuPath or 3D Slicer",
    )
    added.add_argument("results", type=Path, metavar="RESULTS", help=FINISHED_RUN)
    kinds = "geojson for QuPath; markups for 3D Slicer"
    added.add_argument("--format", required=True, choices=("geojson", "markups"), help=kinds)
    out = "folder for the files; RESULTS/geojson or RESULTS/markups if not given"
    added.add_argument("--out", type=Path, metavar="DIR", help=out)

    added = command(
        "pseudonyms",
        pseudonyms_command,
        "list the inputs of a run with --pseudonyms and the pseudonym of each, as CSV",
    )
    added.add_argument("key", type=Path, metavar="KEYFILE", help="the key of the run")
    added.add_argument("inputs", nargs="+", metavar="INPUT", help="as given to the run")

    command(
        "warmup",
        warmup_command,
        "compile the kernels ahead of the first run, once for each user and version",
    )
    command(
        "settings",
        settings_command,
        "print every setting with its default, unit and meaning, as TOML",
    )
    return parser


def _add_distance(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add the option for the distance within which two positions are the same focus."""
    parser.add_argument("--distance", type=float, default=6.0, metavar="PX", help=meaning)
