"""A user's function in a run: whether worker processes can have it, and whether it is that of a former run."""

from __future__ import annotations

import hashlib
import pickle
import secrets
import sys
from pathlib import Path

from usmicro.anatomy.user_masks import MaskFunction, definition_of, function_name
from usmicro.errors import UsageError

CANNOT_PICKLE = (pickle.PicklingError, AttributeError, TypeError)
"""What pickle raises of functions within functions, lambdas and objects that hold open files."""


def check_importable(function: MaskFunction) -> None:
    """Refuse a function that worker processes cannot have: they import it by the name of its module.

    Raises
    ------
    UsageError
    """
    remedy = "define it at the top of a module of its own and import it, or give workers=1"
    try:
        pickled = pickle.dumps(function)
    except CANNOT_PICKLE as error:
        raise UsageError(
            f"masks: {function_name(function)} cannot be sent to worker processes ({error}); {remedy}"
        ) from error
    if b"__main__" in pickled:  # a worker is a program of its own, whose __main__ is another
        raise UsageError(
            f"masks: {function_name(function)} is defined in the script itself, which worker processes do not run; {remedy}"
        )


def mark_of(function: MaskFunction) -> str:
    """Hash of a function, its parameters and the file that it is written in, for --resume.

    One that is written in no file, or cannot be pickled, gets a mark that no other run has: whether it is the same cannot be known.
    """
    file = getattr(sys.modules.get(definition_of(function).__module__), "__file__", None)
    try:
        return (
            hashlib.sha256(pickle.dumps(function) + Path(file).read_bytes()).hexdigest()
            if file
            else secrets.token_hex()
        )
    except (*CANNOT_PICKLE, OSError):
        return secrets.token_hex()
