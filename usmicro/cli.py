"""The command line. Heavy imports happen in the commands, so that help comes at once."""

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

DESCRIPTION = """\
Finds echogenic foci in breast ultrasound that may be calcifications, measures posterior shadow and Doppler twinkling,
and labels each focus intramass, extramass or intraductal. For research only; not for diagnosis."""

STATUS = """\
exit status: 0 all inputs done; 1 some failed (each with its reason in images.csv, the rest complete); 2 wrong usage;
130 interrupted"""


def place(text: str) -> Path | str:
    """A folder, or an address of one as it was given: a Path would lose one of its slashes."""
    return text if "://" in text else Path(text)


def make_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="usmicro",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"usmicro {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, action: Callable[[argparse.Namespace], int], says: str, epilog: str | None = None
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=says, description=says[0].upper() + says[1:] + ".", epilog=epilog
        )
        added.set_defaults(action=action)
        return added

    run = command("run", run_command, "analyse scans and write tables, overlays and masks", STATUS)
    run.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a scan, a folder of scans (searched through), a glob pattern in quotes, an address such as s3://bucket/folder, "
        "or the DICOMweb address of a study or series",
    )
    run.add_argument(
        "--out",
        required=True,
        type=place,
        metavar="DIR",
        help="folder for the results; new or empty",
    )
    run.add_argument(
        "--settings",
        type=Path,
        metavar="FILE.toml",
        help="settings to use; `usmicro settings` prints them all",
    )
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="GROUP.NAME=VALUE",
        help="one setting; wins over --settings; repeatable",
    )
    run.add_argument("--workers", type=int, metavar="N", help="processes; one a core if not given")
    run.add_argument(
        "--cluster",
        metavar="tcp://HOST:PORT",
        help="compute on the workers of a Dask scheduler; see docs/reliability.md",
    )
    run.add_argument(
        "--spacing",
        metavar="MM|TABLE.csv",
        help="pixel spacing in mm for inputs without one, or a table (image, spacing_mm or spacing_x_mm and spacing_y_mm) whose rows win",
    )
    run.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="PNG or DICOM SEG masks of masses, ducts and nonmass areas, by file name or UID",
    )
    former = run.add_mutually_exclusive_group()
    former.add_argument(
        "--resume",
        action="store_true",
        help="continue a run: keep results whose input and settings are unchanged",
    )
    former.add_argument(
        "--overwrite", action="store_true", help="replace the results of a former run in DIR"
    )
    run.add_argument(
        "--pseudonyms",
        type=Path,
        metavar="KEYFILE",
        help="name inputs by keyed hashes of their paths in all outputs; a new key is written if the file is not there",
    )
    run.add_argument(
        "--frames", type=int, metavar="N", help="analyse only N frames of a cine, evenly spread"
    )
    run.add_argument(
        "--limit", type=int, metavar="N", help="analyse only the first N inputs by name"
    )
    run.add_argument(
        "--dicom",
        action="store_true",
        help="also write a Structured Report and a Segmentation of each DICOM scan; needs highdicom",
    )
    run.add_argument(
        "--coco",
        action="store_true",
        help="also write coco.json and clean key frames, for annotation tools",
    )
    run.add_argument(
        "--profile",
        action="store_true",
        help="print how long each stage took, and the memory that was used",
    )
    run.add_argument("--quiet", action="store_true", help="print errors only")

    inspect = command(
        "inspect", inspect_command, "print what usmicro understands of a scan, without analysing it"
    )
    inspect.add_argument("file", type=Path, metavar="FILE")
    inspect.add_argument("--out", type=Path, metavar="PICTURE.png", help="also draw it")

    sample = command("sample", sample_command, "write simulated sample scans and their truth")
    sample.add_argument("folder", type=Path, metavar="DIR", help="new or empty")

    report = command(
        "report", report_command, "rebuild report.html from the files of a finished run"
    )
    report.add_argument("folder", type=Path, metavar="DIR", help="the --out folder of the run")

    evaluate = command(
        "evaluate",
        evaluate_command,
        "compare the results of a run with labels of your own: FROC, AUC, kappa, Dice",
    )
    evaluate.add_argument(
        "results", type=Path, metavar="RESULTS", help="the --out folder of a finished run"
    )
    evaluate.add_argument(
        "truth",
        type=Path,
        metavar="TRUTH",
        help="a CSV table of foci or image labels, or a folder of tables and masks",
    )
    evaluate.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the evaluation; RESULTS/evaluation if not given",
    )
    evaluate.add_argument(
        "--distance",
        type=float,
        default=6.0,
        metavar="PX",
        help="a focus hits a mark within its radius, and always within this; default 6",
    )
    pseudonyms = command(
        "pseudonyms",
        pseudonyms_command,
        "list the scans of a run with --pseudonyms and what it calls each, as CSV",
    )
    pseudonyms.add_argument("key", type=Path, metavar="KEYFILE", help="the key of the run")
    pseudonyms.add_argument("inputs", nargs="+", metavar="INPUT", help="as given to the run")

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


def run_command(arguments: argparse.Namespace) -> int:
    """Run the main job."""
    import gc

    # before NumPy is imported: results must not depend on how many threads add up a sum
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from time import monotonic

    from usmicro.batch import run
    from usmicro.batch.profile import Profile
    from usmicro.batch.progress import duration
    from usmicro.settings import read_settings

    sampled = [] if arguments.frames is None else [f"loading.frames={arguments.frames}"]
    start = monotonic()
    results = run(
        arguments.inputs,
        out=arguments.out,
        settings=read_settings(arguments.settings, sampled + arguments.set),
        workers=arguments.workers,
        cluster=arguments.cluster,
        spacing=arguments.spacing,
        masks=arguments.masks,
        pseudonyms=arguments.pseudonyms,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        limit=arguments.limit,
        dicom=arguments.dicom,
        coco=arguments.coco,
        quiet=arguments.quiet,
    )
    counts = dict.fromkeys(
        ("images", "failed", "foci", "intramass", "extramass", "intraductal", "masses"), 0
    )
    profile = Profile()
    try:
        for result in results:
            profile.add(result)
            counts["images"] += 1
            counts["failed"] += result.status == "failed"
            if result.summary is not None:
                for name in ("foci", "intramass", "extramass", "intraductal", "masses"):
                    counts[name] += getattr(result.summary, name)
    except KeyboardInterrupt:
        print(
            f"\nusmicro: stopped; what is finished is kept: add --resume to continue in {arguments.out}",
            file=sys.stderr,
        )
        return INTERRUPTED
    if not arguments.quiet:
        failed = (
            f", {counts['failed']} failed (reasons in {arguments.out}/images.csv)"
            if counts["failed"]
            else ""
        )
        print(
            f"{counts['images'] - counts['failed']} of {counts['images']} images done{failed} in {duration(monotonic() - start)}"
        )
        places = ", ".join(
            f"{counts[name]} {name}" for name in ("intramass", "extramass", "intraductal")
        )
        print(
            f"{counts['foci']} foci ({places}), {counts['masses']} masses; results in {arguments.out}"
        )
    if arguments.profile:
        print("\n".join(profile.lines(monotonic() - start)))
    gc.freeze()  # the process ends: looking through all that was imported once more would only take time
    return SOME_FAILED if counts["failed"] else DONE


def pseudonyms_command(arguments: argparse.Namespace) -> int:
    """Print which pseudonym is which scan."""
    import csv

    from usmicro.batch.pseudonyms import pseudonym, read_key
    from usmicro.loading.discover import find_scans

    if not arguments.key.is_file():
        raise UsageError(
            f"{arguments.key}: no such file; expected the key that --pseudonyms was given"
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
    print(
        "compiled, but no folder to keep it can be written to: set NUMBA_CACHE_DIR"
        if folder is None
        else f"compiled kernels in {folder}"
    )
    return DONE


def inspect_command(arguments: argparse.Namespace) -> int:
    """Print what the loader and the preparation understood."""
    from usmicro.inspection import describe, draw_views, inspect
    from usmicro.writing import encode_png, write_atomically

    inspection = inspect(arguments.file)
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
        raise UsageError(f"{arguments.folder}: is not an empty folder; give a new one")
    write_samples(arguments.folder)
    print(f"samples in {arguments.folder}")
    return DONE


def report_command(arguments: argparse.Namespace) -> int:
    """Write the report of a finished run anew."""
    from usmicro.writing.report.page import write_report

    print(f"report in {write_report(arguments.folder)}")
    return DONE


def evaluate_command(arguments: argparse.Namespace) -> int:
    """Compare results with labels."""
    from usmicro.evaluation import evaluate

    out = arguments.results / "evaluation" if arguments.out is None else arguments.out
    evaluation = evaluate(
        arguments.results, arguments.truth, out=out, least_distance=arguments.distance
    )
    width = max(len(row.measure) for row in evaluation.rows)
    for row in evaluation.rows:
        value = row.estimate
        print(
            f"{row.measure:{width}}  {value.value:6.3f}  ({value.low:.3f} to {value.high:.3f}, {row.images} images)"
        )
    for remark in evaluation.remarks:
        print(f"note: {remark}")
    print(f"95 % intervals over {evaluation.drawn}; plots and tables in {out}")
    return DONE


def settings_command(arguments: argparse.Namespace) -> int:
    """Print the settings."""
    from usmicro.settings import Settings, to_toml

    print(to_toml(Settings()), end="")
    return DONE


def stop(*_: Any) -> None:
    """Take a request to end, as a cluster sends it, as an interrupt from the keyboard."""
    raise KeyboardInterrupt


def answer(arguments: argparse.Namespace) -> tuple[int, str]:
    """Run a command; gives its exit status and what to say of an error."""
    try:
        status: int = arguments.action(arguments)
        return status, ""
    except (UsageError, SettingsError) as error:
        return WRONG_USAGE, str(error)
    except UsmicroError as error:
        return SOME_FAILED, str(error)
    except KeyboardInterrupt:
        return INTERRUPTED, "stopped"
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE, ""
    except OSError as error:
        return SOME_FAILED, f"{error.filename or 'a file'}: {error.strerror or error}"
    except MemoryError:
        return SOME_FAILED, "not enough memory"
    except Exception as error:
        from usmicro.batch.failures import traceback_lines

        words = " ".join(str(error).split())
        return (
            SOME_FAILED,
            f"internal error: {type(error).__name__}: {words} ({traceback_lines(error)[-1]}); please report it",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status; no traceback reaches the user."""
    import logging

    arguments = make_parser().parse_args(argv)
    logging.captureWarnings(True)  # what matters of a library's warning is in the notes of a result
    silent = logging.NullHandler()
    logging.getLogger("py.warnings").addHandler(silent)
    former = signal.signal(signal.SIGTERM, stop)
    try:
        status, message = answer(arguments)
    finally:
        signal.signal(signal.SIGTERM, former)
        logging.getLogger("py.warnings").removeHandler(silent)
        logging.captureWarnings(False)
    if message:
        print(f"usmicro: error: {message}", file=sys.stderr)
    return status
