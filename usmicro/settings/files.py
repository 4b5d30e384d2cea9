"""Settings from TOML files and assignments, and back to TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from usmicro.errors import SettingsError, reason_of
from usmicro.settings.checked import limits
from usmicro.settings.groups import Settings


def with_values(
    settings: Settings, values: Mapping[str, Mapping[str, Any]], *, source: str
) -> Settings:
    """Return settings with some values replaced.

    Parameters
    ----------
    settings : Settings
    values : mapping
        New values by group and name, such as `{"foci": {"false_positives": 0.5}}`.
    source : str
        Origin of the values, which error messages begin with.

    Raises
    ------
    SettingsError
        If a group or setting is unknown, or a value is of the wrong type or out of its limits.
    """
    groups = {}
    for group, changes in values.items():
        if group not in (group_names := [item.name for item in fields(settings)]):
            raise SettingsError(
                f"{source}: there is no group of settings {group!r}; "
                f"the groups are {', '.join(group_names)}"
            )
        if not isinstance(changes, Mapping):
            raise SettingsError(
                f"{source}: {group} is a group of settings; write {group}.NAME = VALUE"
            )
        current = getattr(settings, group)
        names = [item.name for item in fields(current)]
        for name in changes:
            if name not in names:
                raise SettingsError(
                    f"{source}: there is no setting {group}.{name}; "
                    f"the settings of {group} are {', '.join(names)}"
                )
        try:
            groups[group] = replace(current, **changes)
        except SettingsError as error:
            raise SettingsError(f"{source}: {group}.{error}") from None
    return replace(settings, **groups)


def read_settings(file: str | Path | None = None, assignments: Iterable[str] = ()) -> Settings:
    """Return settings from a TOML file and from assignments.

    Parameters
    ----------
    file : path, optional
        TOML file; settings that it leaves out keep their defaults.
    assignments : iterable of str
        Such as "foci.false_positives=0.5"; they override the file.

    Raises
    ------
    SettingsError
        If the file cannot be read, is not TOML, or holds a setting that `with_values` refuses.
    """
    settings = Settings()
    if file is not None:
        try:
            values = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(
                f"{file}: expected a TOML file of settings, found {reason_of(error)}; "
                "see `usmicro settings`"
            ) from error
        settings = with_values(settings, values, source=str(file))
    for text in assignments:
        key, equals, value = text.partition("=")
        group, dot, name = key.strip().partition(".")
        if not (equals and dot and name):
            raise SettingsError(
                f"--set {text}: expected GROUP.NAME=VALUE, for example foci.false_positives=0.5"
            )
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        settings = with_values(settings, {group: {name: parsed}}, source=f"--set {text}")
    return settings


def to_toml(settings: Settings) -> str:
    """Return all settings as TOML, each with its meaning, unit and limits in a comment."""
    lines = []
    for group in fields(settings):
        values = getattr(settings, group.name)
        lines += [f"[{group.name}]  # {(type(values).__doc__ or '').strip()}"]
        for item in fields(values):
            value, notes = getattr(values, item.name), item.metadata
            text = str(value).lower() if isinstance(value, bool) else repr(value)
            if isinstance(value, str):
                text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            comment = "; ".join(filter(None, [notes["says"], notes["unit"], limits(notes)]))
            lines.append(f"{item.name} = {text}  # {comment}")
        lines.append("")
    return "\n".join(lines)
