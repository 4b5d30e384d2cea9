"""The command `usmicro run`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from usmicro.cli.exit_status import DONE, INTERRUPTED, SOME_FAILED

STATUS = """\
exit status: 0 all inputs done; 1 some failed (images.csv has the reason of each, the rest is
complete); 2 wrong usage; 130 interrupted"""


def folder_or_address(text: str) -> Path | str:
    """Return a folder as a path, but an address as text: a path would lose one of its slashes."""
    return text if "://" in text else Path(text)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `usmicro run`."""
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
    detector = "your own detector of foci, a Python function; see docs/detectors.md"
    option("--detector", metavar="MODULE:FUNCTION", help=detector)
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
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if "numba" not in sys.modules:  # numba raises an error if it changes while threads run
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    from time import monotonic

    gc.disable()  # while modules are imported, a search for garbage finds none
    from usmicro.batch import run
    from usmicro.batch.closing import Totals
    from usmicro.batch.profile import Profile
    from usmicro.settings import read_settings

    gc.freeze()
    gc.enable()
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
        detector=arguments.detector,
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
