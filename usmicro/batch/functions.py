"""Checks of a user's masks function: can workers import it, and did a former run use the same."""

from __future__ import annotations

import hashlib
import pickle
import secrets
import sys
from pathlib import Path

from usmicro.anatomy.user_masks import MaskFunction
from usmicro.errors import UsageError
from usmicro.model.user_function import definition_of, function_name

PICKLE_ERRORS = (pickle.PicklingError, AttributeError, TypeError)
"""Errors that pickle raises for nested functions, lambdas and objects that hold open files."""


def check_importable(function: MaskFunction) -> None:
    """Check that worker processes can import a function by the name of its module.

    Raises
    ------
    UsageError
        If they cannot.
    """
    remedy = "define it at the top of a module of its own and import it, or give workers=1"
    try:
        pickled = pickle.dumps(function)
    except PICKLE_ERRORS as error:
        raise UsageError(
            f"masks: {function_name(function)} cannot be sent to worker processes ({error}); "
            f"{remedy}"
        ) from error
    if b"__main__" in pickled:  # a worker process has a __main__ of its own
        raise UsageError(
            f"masks: {function_name(function)} is defined in the script itself, "
            f"which worker processes do not run; {remedy}"
        )


def function_hash(function: MaskFunction) -> str:
    """Return a hash of a function, its parameters and its source file, for --resume.

    A function without a source file, or one that cannot be pickled, gets a random hash: it cannot
    be known whether a former run used the same one.
    """
    file = getattr(sys.modules.get(definition_of(function).__module__), "__file__", None)
    if not file:
        return secrets.token_hex()
    try:
        return hashlib.sha256(pickle.dumps(function) + Path(file).read_bytes()).hexdigest()
    except (*PICKLE_ERRORS, OSError):
        return secrets.token_hex()
