"""The command line. Heavy modules are imported in the commands, so that help is shown at once."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from usmicro import __version__
from usmicro.errors import SettingsError, UsageError, UsmicroError

DONE, SOME_FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses; 130 is what shells report for a program that SIGINT ended (128 + 2)."""

DESCRIPTION = """\
Finds echogenic foci in breast ultrasound that may be calcifications, measures posterior
shadow and Doppler twinkling, and labels each focus intramass, extramass or intraductal.
For research only; not for diagnosis."""

STATUS = """\
exit status: 0 all inputs done; 1 some failed (images.csv has the reason of each, the rest is
complete); 2 wrong usage; 130 interrupted"""


def folder_or_address(text: str) -> Path | str:
    """Return a folder as a path, but an address as text: a path would lose one of its slashes."""
    return text if "://" in text else Path(text)


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

    _add_run_options(
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
    added.add_argument(
        "results", type=Path, metavar="RESULTS", help="the --out folder of a finished run"
    )
    truth = (
        "a CSV table of foci or image labels, a review.csv that report.html exported, or a folder "
        "of tables and masks, or of reviews"
    )
    added.add_argument("truth", type=Path, metavar="TRUTH", help=truth)
    out = "folder for the evaluation; RESULTS/evaluation if not given"
    added.add_argument("--out", type=Path, metavar="DIR", help=out)
    group = "a table (image, patient or study, and group); also measure each group on its own"
    added.add_argument("--group", type=Path, metavar="TABLE.csv", help=group)
    distance = "a focus hits a mark that is within its radius, or within this distance; default 6"
    added.add_argument("--distance", type=float, default=6.0, metavar="PX", help=distance)

    added = command(
        "compare",
        compare_command,
        "compare two finished runs of the same images: what was gained, lost, moved or relabelled",
    )
    added.add_argument("a", type=Path, metavar="A", help="the --out folder of a finished run")
    added.add_argument("b", type=Path, metavar="B", help="that of another, usually the newer one")
    truth = "labels as for evaluate; the measures of both runs are then compared too"
    added.add_argument("--truth", type=Path, metavar="TRUTH", help=truth)
    out = "folder for the comparison; B/comparison if not given"
    added.add_argument("--out", type=Path, metavar="DIR", help=out)
    distance = "foci of both runs are the same within their radius, or this distance; default 6"
    added.add_argument("--distance", type=float, default=6.0, metavar="PX", help=distance)

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
    rate = "false foci per image that you accept; default 0.5"
    added.add_argument("--false-foci", type=float, default=0.5, metavar="RATE", help=rate)
    rate = "false masses per image; default 0.1, if the labels outline masses"
    added.add_argument("--false-masses", type=float, metavar="RATE", help=rate)
    rate = "share of the images without calcifications that may be called calcified; default 0.1"
    added.add_argument("--false-calcified", type=float, metavar="SHARE", help=rate)
    distance = "a focus hits a mark that is within its radius, or within this distance; default 6"
    added.add_argument("--distance", type=float, default=6.0, metavar="PX", help=distance)

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


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a scan, a folder or zip archive of scans (searched through), a glob pattern in "
        "quotes, an address such as s3://bucket/folder, or the DICOMweb address of a study or "
        "series",
    )
    option(
        "--out",
        required=True,
        type=folder_or_address,
        metavar="DIR",
        help="folder for the results; new or empty",
    )
    settings = "file of settings; `usmicro settings` prints all of them"
    option("--settings", type=Path, metavar="FILE.toml", help=settings)
    option(
        "--set",
        action="append",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="one setting; overrides --settings; may be repeated",
    )
    workers = "number of worker processes; one for each core if not given"
    option("--workers", type=int, metavar="N", help=workers)
    option(
        "--cluster",
        metavar="tcp://HOST:PORT",
        help="compute on the workers of a Dask scheduler; see docs/reliability.md",
    )
    option(
        "--spacing",
        metavar="MM|TABLE.csv",
        help="pixel spacing in mm for inputs that have none, or a table (image, spacing_mm or "
        "spacing_x_mm and spacing_y_mm) whose rows replace the spacing of their images",
    )
    option(
        "--masks",
        type=Path,
        metavar="DIR",
        help="PNG or DICOM SEG masks of masses, ducts and nonmass areas, by file name or UID",
    )
    group = "a table (image, patient or study, and group); also write groups.csv with counts"
    option("--group", type=Path, metavar="TABLE.csv", help=group)
    former_results = parser.add_mutually_exclusive_group()
    resume = "continue a run: keep results whose input and settings are unchanged"
    former_results.add_argument("--resume", action="store_true", help=resume)
    overwrite = "replace the results of a former run in DIR"
    former_results.add_argument("--overwrite", action="store_true", help=overwrite)
    option(
        "--pseudonyms",
        type=Path,
        metavar="KEYFILE",
        help="name inputs by keyed hashes of their paths in all outputs; "
        "a new key is written if the file does not exist",
    )
    frames = "analyse only N frames of a cine, evenly spread"
    option("--frames", type=int, metavar="N", help=frames)
    option("--limit", type=int, metavar="N", help="analyse only the first N inputs by name")
    dicom = "also write a Structured Report and a Segmentation of each DICOM scan; needs highdicom"
    option("--dicom", action="store_true", help=dicom)
    coco = "also write coco.json and key frames without drawings, for annotation tools"
    option("--coco", action="store_true", help=coco)
    profile = "print the time of each stage, and the memory that was used"
    option("--profile", action="store_true", help=profile)
    option("--quiet", action="store_true", help="print errors only")


def run_command(arguments: argparse.Namespace) -> int:
    """Analyse scans."""
    import gc

    # before NumPy is imported: sums must not depend on the number of threads
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from time import monotonic

    from usmicro.batch import run
    from usmicro.batch.closing import Totals
    from usmicro.batch.profile import Profile
    from usmicro.settings import read_settings

    assignments = [] if arguments.frames is None else [f"loading.frames={arguments.frames}"]
    start = monotonic()
    results = run(
        arguments.inputs,
        out=arguments.out,
        settings=read_settings(arguments.settings, assignments + arguments.set),
        workers=arguments.workers,
        cluster=arguments.cluster,
        spacing=arguments.spacing,
        masks=arguments.masks,
        group=arguments.group,
        pseudonyms=arguments.pseudonyms,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        limit=arguments.limit,
        dicom=arguments.dicom,
        coco=arguments.coco,
        quiet=arguments.quiet,
    )
    totals, profile = Totals(), Profile()
    try:
        for result in results:
            profile.add(result)
            totals.add(result)
    except KeyboardInterrupt:
        print(
            "\nusmicro: stopped; finished inputs are kept: "
            f"add --resume to continue in {arguments.out}",
            file=sys.stderr,
        )
        return INTERRUPTED
    if not arguments.quiet:
        print("\n".join(totals.lines(arguments.out, results.warnings, monotonic() - start)))
    if arguments.profile:
        print("\n".join(profile.lines(monotonic() - start)))
    gc.freeze()  # saves time: the process ends, so garbage need not be searched for
    return SOME_FAILED if totals.failed else DONE


def pseudonyms_command(arguments: argparse.Namespace) -> int:
    """Print the pseudonym and the name of each input."""
    import csv

    from usmicro.batch.pseudonyms import pseudonym, read_key
    from usmicro.loading.discover import find_scans

    if not arguments.key.is_file():
        raise UsageError(
            f"{arguments.key}: no such file; expected the key file that was given to --pseudonyms"
        )
    key = read_key(arguments.key)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("image", "input"))
    table.writerows(
        sorted((pseudonym(scan.name, key), scan.name) for scan in find_scans(arguments.inputs))
    )
    return DONE


def warmup_command(arguments: argparse.Namespace) -> int:
    """Compile the kernels."""
    from usmicro.batch.warmup import warm_up

    folder = warm_up()
    if folder is None:
        print("compiled, but no folder can be written to to store it: set NUMBA_CACHE_DIR")
    else:
        print(f"compiled kernels in {folder}")
    return DONE


def inspect_command(arguments: argparse.Namespace) -> int:
    """Print what loading and preparation find in a scan."""
    from usmicro.inspection import describe, draw_views, inspect
    from usmicro.writing import encode_png, write_atomically

    inspection = inspect(arguments.file, spacing_mm=arguments.spacing)
    print("\n".join(describe(inspection)))
    if arguments.out is not None:
        write_atomically(arguments.out, encode_png(draw_views(inspection)))
    return DONE


def sample_command(arguments: argparse.Namespace) -> int:
    """Write the sample scans."""
    from usmicro.phantom import write_samples

    if arguments.folder.exists() and (
        not arguments.folder.is_dir() or any(arguments.folder.iterdir())
    ):
        raise UsageError(f"{arguments.folder}: is not an empty folder; give a new or empty one")
    write_samples(arguments.folder)
    print(f"samples in {arguments.folder}")
    return DONE


def report_command(arguments: argparse.Namespace) -> int:
    """Rebuild the report of a finished run."""
    from usmicro.writing.report.page import write_report

    print(f"report in {write_report(arguments.folder)}")
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
        interval = f"({value.low:.3f} to {value.high:.3f}, {row.images} images)"
        print(f"{row.measure:{width}}  {value.value:6.3f}  {interval}")
    for remark in evaluation.remarks:
        print(f"note: {remark}")
    if evaluation.groups:
        print(f"measures of each group in {out / 'groups.csv'}")
    print(f"95 % intervals over {evaluation.resampled}; plots and tables in {out}")
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
    print(f"page and tables in {out}")
    return DONE


def calibrate_command(arguments: argparse.Namespace) -> int:
    """Fit settings to labels."""
    from usmicro.calibration import calibrate
    from usmicro.calibration.files import lines_of

    calibration = calibrate(
        arguments.results,
        arguments.truth,
        out=arguments.out,
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


def settings_command(arguments: argparse.Namespace) -> int:
    """Print the settings."""
    from usmicro.settings import Settings, to_toml

    print(to_toml(Settings()), end="")
    return DONE


def stop(*_: Any) -> None:
    """Handle SIGTERM, which a cluster sends to end a program, like an interrupt by the user."""
    raise KeyboardInterrupt


def run_and_catch(arguments: argparse.Namespace) -> tuple[int, str]:
    """Run a command; return its exit status and the error message, if any."""
    try:
        status: int = arguments.action(arguments)
        return status, ""
    except (UsageError, SettingsError) as error:
        return WRONG_USAGE, str(error)
    except UsmicroError as error:
        return SOME_FAILED, str(error)
    except KeyboardInterrupt:
        return INTERRUPTED, "stopped"
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE, ""
    except OSError as error:
        return SOME_FAILED, f"{error.filename or 'a file'}: {error.strerror or error}"
    except MemoryError:
        return SOME_FAILED, "not enough memory"
    except Exception as error:
        from usmicro.batch.failures import traceback_lines

        words = " ".join(str(error).split())
        place = traceback_lines(error)[-1]
        message = f"internal error: {type(error).__name__}: {words} ({place}); please report it"
        return SOME_FAILED, message


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; errors are printed without a traceback."""
    import logging

    arguments = make_parser().parse_args(argv)
    # warnings of libraries are not shown; notes of the results say what matters of them
    logging.captureWarnings(True)
    silent = logging.NullHandler()
    logging.getLogger("py.warnings").addHandler(silent)
    former = signal.signal(signal.SIGTERM, stop)
    try:
        status, message = run_and_catch(arguments)
    finally:
        signal.signal(signal.SIGTERM, former)
        logging.getLogger("py.warnings").removeHandler(silent)
        logging.captureWarnings(False)
    if message:
        print(f"usmicro: error: {message}", file=sys.stderr)
    return status
