"""Entry point: parses the arguments, runs the command and reports its errors."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from usmicro.cli.exit_status import DONE, INTERRUPTED, SOME_FAILED, WRONG_USAGE
from usmicro.cli.parser import make_parser
from usmicro.errors import SettingsError, UsageError, UsmicroError


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
