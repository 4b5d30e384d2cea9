"""Settings: one frozen dataclass a stage; every field carries its unit, its meaning and its limits."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
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
    """A dataclass field with its default, what it means, its unit and the limits it is checked against."""
    return field(
        default=default, metadata={"says": says, "unit": unit, "least": least, "most": most}
    )


def limits(metadata: Mapping[str, Any]) -> str:
    """The limits of a setting in words, empty if it has none."""
    given = [
        f"{words} {metadata[key]}"
        for words, key in (("at least", "least"), ("at most", "most"))
        if metadata[key] is not None
    ]
    return ", ".join(given)


class Checked:
    """Checks every field of a settings dataclass when it is made."""

    __slots__ = ()

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self))
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
            # written so that NaN fails too
            if (least is not None and not value >= least) or (
                most is not None and not value <= most
            ):
                raise SettingsError(
                    f"{item.name} = {value!r}: expected {limits(item.metadata)}; {item.metadata['says']}"
                )


@dataclass(frozen=True, slots=True)
class LoadingSettings(Checked):
    """What is read."""

    largest_image: int = described(
        100_000_000, unit="pixels", says="a frame with more pixels than this is refused", least=1
    )
    most_frames: int = described(
        100_000, says="a file that says that it has more frames than this is refused", least=1
    )
    largest_inflated: int = described(
        2048,
        unit="MB",
        says="a deflated DICOM file that is larger once inflated is refused",
        least=1,
    )
    frames: int = described(
        0, says="of a cine at most this many frames are analysed, evenly spread; 0 is all", least=0
    )
    keep_truncated: bool = described(
        False,
        says="analyse the frames that are there in a truncated file, with a note, instead of failing",
    )


@dataclass(frozen=True, slots=True)
class PreparationSettings(Checked):
    """How a frame becomes a view."""

    grid_mm: float = described(
        0.08, unit="mm", says="edge of a pixel of the working grid", least=0.02, most=0.5
    )


@dataclass(frozen=True, slots=True)
class FociSettings(Checked):
    """How echogenic foci are detected."""

    false_positives: float = described(
        50.0,
        unit="per 10 cm2",
        says="false foci expected from speckle alone among the candidates",
        least=1e-6,
    )
    smallest: float = described(0.2, unit="mm", says="smallest diameter looked for", least=0.05)
    largest: float = described(3.0, unit="mm", says="largest diameter looked for", least=0.1)
    coarse: float = described(
        0.5,
        unit="mm",
        says="a focus from this diameter on is coarse, a smaller one punctate",
        least=0.05,
    )
    minimum_confidence: float = described(
        0.08,
        says="foci with a lower confidence are not listed; 0 lists every candidate",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class AnatomySettings(Checked):
    """How masses, ducts and nonmass areas are found."""

    mass_threshold: float = described(
        0.1, says="confidence from which a region that looks like a mass is one", least=0, most=1
    )
    nonmass_threshold: float = described(
        0.5,
        says="confidence from which an area of altered echotexture is a nonmass area",
        least=0,
        most=1,
    )
    mass_network: str = described(
        "",
        says="ONNX file of a network of one's own in place of the mass model, see docs/method.md; empty: the one that comes along",
    )
    duct_threshold: float = described(
        0.3, says="confidence from which a dark tube is a duct", least=0, most=1
    )


@dataclass(frozen=True, slots=True)
class ShadowSettings(Checked):
    """How posterior shadow is judged."""

    length: float = described(
        6.0, unit="mm", says="how far behind a focus a shadow is looked for", least=0.5
    )
    significance: float = described(
        0.01, says="a shadow needs a p value below this", least=0, most=1
    )
    least_cells: float = described(
        6.0,
        unit="speckle cells",
        says="a strip with fewer independent cells along the beam is not assessable",
        least=2,
    )
    posterior_shadowing: float = described(
        -0.27,
        unit="log ratio",
        says="behind a mass this much darker than beside it is posterior shadowing",
        most=0,
    )
    posterior_enhancement: float = described(
        0.35,
        unit="log ratio",
        says="behind a mass this much brighter than beside it is posterior enhancement",
        least=0,
    )


@dataclass(frozen=True, slots=True)
class TwinklingSettings(Checked):
    """How Doppler twinkling is judged."""

    tail: float = described(
        4.0, unit="mm", says="how far behind a focus twinkling is looked for", least=0.5
    )
    margin: float = described(
        0.25,
        unit="mm",
        says="how far beside a focus, and in front of it, twinkling is looked for",
        least=0,
    )
    cell: float = described(
        0.5,
        unit="mm",
        says="colour resolution cell taken where too few colours are there to measure it",
        least=0.05,
    )
    flash: float = described(
        0.5,
        says="a frame whose colour box is coloured to more than this fraction is a flash and left out",
        least=0,
        most=1,
    )
    frames: int = described(
        3,
        says="frames that must show a focus in the colour box before twinkling can be sure",
        least=2,
    )
    certain: float = described(
        0.5, says="twinkling score from which the verdict is yes", least=0, most=1
    )
    possible: float = described(
        0.25, says="twinkling score from which the verdict is at least possible", least=0, most=1
    )


@dataclass(frozen=True, slots=True)
class LabelSettings(Checked):
    """How foci are labelled and grouped."""

    edge: float = described(
        0.4,
        unit="mm",
        says="a focus this far outside an outline still counts as on its edge",
        least=0.01,
    )
    cluster_distance: float = described(
        5.0, unit="mm", says="foci nearer than this to another belong to one cluster", least=0.1
    )
    cluster_size: int = described(3, says="smallest number of foci that makes a cluster", least=2)
    calcification: float = described(
        0.65,
        says="calcification_score from which an image's calcification is described",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class LimitSettings(Checked):
    """What one input may cost a worker process; with one worker all is computed in the process itself, without these limits."""

    seconds: float = described(
        300.0, unit="s", says="an input that finishes no frame for this long is stopped", least=1
    )
    memory: int = described(
        4000, unit="MB", says="memory that a worker process may take (kept by Linux)", least=500
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, by stage."""

    loading: LoadingSettings = field(default_factory=LoadingSettings)
    preparation: PreparationSettings = field(default_factory=PreparationSettings)
    foci: FociSettings = field(default_factory=FociSettings)
    anatomy: AnatomySettings = field(default_factory=AnatomySettings)
    shadow: ShadowSettings = field(default_factory=ShadowSettings)
    twinkling: TwinklingSettings = field(default_factory=TwinklingSettings)
    labels: LabelSettings = field(default_factory=LabelSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)


def with_values(
    settings: Settings, values: Mapping[str, Mapping[str, Any]], *, source: str
) -> Settings:
    """Settings with some values replaced: `{"foci": {"false_positives": 0.5}}`.

    Raises
    ------
    SettingsError
        If a group or setting is unknown, or a value is of the wrong type or out of range; the message begins with `source`.
    """
    groups = {}
    for group, changes in values.items():
        if group not in (names := [item.name for item in fields(settings)]):
            raise SettingsError(
                f"{source}: there is no group of settings {group!r}; the groups are {', '.join(names)}"
            )
        if not isinstance(changes, Mapping):
            raise SettingsError(
                f"{source}: {group} is a group of settings; write {group}.NAME = VALUE"
            )
        current = getattr(settings, group)
        known = [item.name for item in fields(current)]
        for name in changes:
            if name not in known:
                raise SettingsError(
                    f"{source}: there is no setting {group}.{name}; {group} has {', '.join(known)}"
                )
        try:
            groups[group] = replace(current, **changes)
        except SettingsError as error:
            raise SettingsError(f"{source}: {group}.{error}") from None
    return replace(settings, **groups)


def read_settings(file: Path | None = None, assignments: Iterable[str] = ()) -> Settings:
    """Settings from a TOML file and from assignments such as "foci.false_positives=0.5", which win.

    Raises
    ------
    SettingsError
        If the file cannot be read or is not TOML, or as in `with_values`.
    """
    settings = Settings()
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(
                f"{file}: expected a TOML file of settings, found {error}; see `usmicro settings`"
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
    """All settings as TOML, each with its unit, meaning and limits in a comment."""
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
