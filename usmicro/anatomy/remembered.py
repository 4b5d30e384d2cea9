"""What follows from an object alone, worked out once and kept as long as the object lives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

Of = TypeVar("Of")
Rest = ParamSpec("Rest")
Result = TypeVar("Result")


def remembered(
    function: Callable[Concatenate[Of, Rest], Result],
) -> Callable[Concatenate[Of, Rest], Result]:
    """Call a function once for each object, told by identity, that is its first argument; the others must be hashable.

    The object must not change, and the result must not refer to it, or both would live for ever. The frames of a cine share one anatomy as
    long as nothing moves, while no stage can know what the one before it has worked out.
    """
    results: WeakKeyDictionary[Any, dict[Hashable, Result]] = WeakKeyDictionary()

    @wraps(function)
    def recall(of: Of, /, *rest: Rest.args, **named: Rest.kwargs) -> Result:
        known = results.setdefault(of, {})
        key = (rest, tuple(sorted(named.items())))
        if key not in known:
            known[key] = function(of, *rest, **named)
        return known[key]

    return recall
