"""Fields of settings with unit, meaning and limits, and the check of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from functools import cache
from typing import Any, get_type_hints

from usmicro.errors import SettingsError


def described(
    default: Any,
    *,
    says: str,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """Return a dataclass field for one setting.

    Parameters
    ----------
    default : bool, int, float or str
    says : str
        Meaning of the setting, as printed by `usmicro settings`.
    unit : str, optional
    least, most : float, optional
        Limits of the value, both allowed.
    """
    return field(
        default=default, metadata={"says": says, "unit": unit, "least": least, "most": most}
    )


def limits(metadata: Mapping[str, Any]) -> str:
    """Return the limits of a setting in words, from the metadata of its field; empty if none."""
    given = [
        f"{words} {metadata[key]}"
        for words, key in (("at least", "least"), ("at most", "most"))
        if metadata[key] is not None
    ]
    return ", ".join(given)


@cache
def _types(settings: type) -> dict[str, Any]:
    """Return the types of the fields of a class of settings."""
    return get_type_hints(settings)


class Checked:
    """Base class of settings: checks type and limits of every field.

    Raises
    ------
    SettingsError
        If a value is of the wrong type or out of its limits.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        kinds = _types(type(self))  # type: ignore[arg-type]  # a class can be hashed
        for item in fields(self):  # type: ignore[arg-type]
            if item.default is MISSING:
                continue
            value, kind = getattr(self, item.name), kinds[item.name]
            accepted = (int, float) if kind is float else (kind,)
            if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
                raise SettingsError(
                    f"{item.name} = {value!r}: expected {kind.__name__}; {item.metadata['says']}"
                )
            least, most = item.metadata["least"], item.metadata["most"]
            # these comparisons are false for NaN, so NaN is refused
            if (least is not None and not value >= least) or (
                most is not None and not value <= most
            ):
                raise SettingsError(
                    f"{item.name} = {value!r}: expected {limits(item.metadata)}; "
                    f"{item.metadata['says']}"
                )
