"""The commands inspect, sample, pseudonyms, warmup and settings."""

from __future__ import annotations

import argparse
import sys

from usmicro.cli.exit_status import DONE
from usmicro.errors import UsageError


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


def settings_command(arguments: argparse.Namespace) -> int:
    """Print the settings."""
    from usmicro.settings import Settings, to_toml

    print(to_toml(Settings()), end="")
    return DONE
