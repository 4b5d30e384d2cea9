"""Functions of the user that are called with each frame: their name, and what they are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from usmicro.model.arrays import ByteImage, Frame


def function_name(function: Callable[..., Any]) -> str:
    """Return the qualified name of a function, with its module."""
    definition = definition_of(function)
    return f"{definition.__module__}.{definition.__qualname__}"


def definition_of(function: Callable[..., Any]) -> Any:
    """Return the function or class that defines a function of the user.

    For a `functools.partial` it is the function inside, for a callable object its class.
    """
    while isinstance(function, partial):
        function = function.func
    return function if hasattr(function, "__qualname__") else type(function)


def frame_copy(frame: Frame) -> ByteImage:
    """Return a copy of a frame with 8 bits, which the function may change."""
    return np.array(frame >> 8 if frame.dtype == np.uint16 else frame, dtype=np.uint8)


def error_words(error: Exception) -> str:
    """Return the type and the message of an error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
