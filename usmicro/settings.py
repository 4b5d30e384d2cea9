"""Settings: one frozen dataclass for each stage; each field has a unit, a meaning and limits."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from usmicro.errors import SettingsError, reason_of


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


class Checked:
    """Base class of settings: checks type and limits of every field.

    Raises
    ------
    SettingsError
        If a value is of the wrong type or out of its limits.
    """

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
            # these comparisons are false for NaN, so NaN is refused
            if (least is not None and not value >= least) or (
                most is not None and not value <= most
            ):
                raise SettingsError(
                    f"{item.name} = {value!r}: expected {limits(item.metadata)}; "
                    f"{item.metadata['says']}"
                )


@dataclass(frozen=True, slots=True)
class LoadingSettings(Checked):
    """How files are read."""

    largest_image: int = described(
        100_000_000,
        unit="pixels",
        says="greatest number of pixels of a frame; larger frames are refused",
        least=1,
    )
    most_frames: int = described(
        100_000,
        says="greatest number of frames of a file; files that declare more are refused",
        least=1,
    )
    largest_inflated: int = described(
        2048,
        unit="MB",
        says="greatest size of a deflated DICOM file once inflated, and of a file in a zip archive "
        "once unpacked; larger files are refused",
        least=1,
    )
    frames: int = described(
        0,
        says="greatest number of frames of a cine to analyse, evenly spread; 0 analyses all",
        least=0,
    )
    keep_truncated: bool = described(
        False,
        says="analyse the frames that a truncated file still holds, instead of refusing it",
    )


@dataclass(frozen=True, slots=True)
class PreparationSettings(Checked):
    """How a frame is prepared for analysis."""

    grid_mm: float = described(
        0.08, unit="mm", says="side length of a pixel of the working grid", least=0.02, most=0.5
    )


@dataclass(frozen=True, slots=True)
class FociSettings(Checked):
    """How echogenic foci are detected."""

    false_positives: float = described(
        50.0,
        unit="per 10 cm2",
        says="greatest expected number of false candidates from speckle alone",
        least=1e-6,
    )
    smallest: float = described(0.2, unit="mm", says="smallest diameter of a focus", least=0.05)
    largest: float = described(3.0, unit="mm", says="largest diameter of a round focus", least=0.1)
    largest_clump: float = described(
        8.0,
        unit="mm",
        says="largest width and height of a coarse clump, which may have any shape",
        least=1,
        most=20,
    )
    coarse: float = described(
        0.5,
        unit="mm",
        says="diameter from which a focus is coarse; smaller ones are punctate",
        least=0.05,
    )
    false_positives_per_image: float = described(
        0.75,
        says="expected number of false foci on an image with a lesion; decides the confidence from "
        "which a focus is listed, unless `minimum_confidence` is given; the default lists 0.5 on a "
        "normal breast",
        least=0.05,
        most=20,
    )
    minimum_confidence: float = described(
        -1.0,
        says="confidence from which a focus is listed; 0 lists every candidate; a negative number "
        "leaves the choice to `false_positives_per_image`",
        least=-1,
        most=1,
    )
    confidence_offset: float = described(
        0.0,
        unit="log odds",
        says="added to the log odds of the confidence of every focus; `usmicro calibrate` fits it "
        "to the scans of a site",
        least=-20,
        most=20,
    )
    confidence_slope: float = described(
        1.0,
        says="factor of the log odds of the confidence of every focus, before the offset is added; "
        "`usmicro calibrate` fits it to the scans of a site",
        least=0.05,
        most=20,
    )
    models: str = described(
        "",
        says="folder of models that replace those of the confidence of foci, see docs/models.md; "
        "empty uses those of the package",
    )


@dataclass(frozen=True, slots=True)
class AnatomySettings(Checked):
    """How masses, ducts and nonmass areas are found."""

    mass_threshold: float = described(
        0.2,
        says="confidence from which a candidate region is listed as a mass; in hospitals that the "
        "networks have not seen, the default finds 0.85 of the masses and lists 0.27 on a normal "
        "breast; 0.1 finds 0.87 and lists 0.36; 0.45 finds 0.81 and lists 0.14",
        least=0,
        most=1,
    )
    nonmass_threshold: float = described(
        0.5,
        says="confidence from which an area of altered echotexture is a nonmass area",
        least=0,
        most=1,
    )
    mass_network: str = described(
        "",
        says="ONNX file of a network that replaces the mass network, see docs/method.md; "
        "empty uses the network of the package",
    )
    duct_threshold: float = described(
        0.1,
        says="confidence from which a dark tube is a duct; 0.1 lists 0.05 to 0.1 false ducts on a "
        "normal breast; 0.3 lists half as many and misses 3 % more of the true ones",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class ShadowSettings(Checked):
    """How posterior shadow is assessed."""

    length: float = described(
        6.0,
        unit="mm",
        says="distance behind a focus or mass in which a shadow is measured",
        least=0.5,
    )
    significance: float = described(
        0.01, says="p value below which a focus has a shadow", least=0, most=1
    )
    least_cells: float = described(
        6.0,
        unit="resolution cells",
        says="least number of independent cells along the beam; with fewer it is not assessable",
        least=2,
    )
    posterior_shadowing: float = described(
        0.5,
        unit="probability",
        says="probability of shadowing behind a mass above which it has posterior shadowing",
        least=0,
        most=1,
    )
    posterior_enhancement: float = described(
        0.5,
        unit="probability",
        says="probability of enhancement behind a mass above which it has posterior enhancement",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class TwinklingSettings(Checked):
    """How Doppler twinkling is assessed."""

    tail: float = described(
        4.0, unit="mm", says="distance behind a focus in which twinkling is measured", least=0.5
    )
    margin: float = described(
        0.25,
        unit="mm",
        says="distance beside and in front of a focus in which twinkling is measured",
        least=0,
    )
    cell: float = described(
        0.5,
        unit="mm",
        says="size of a colour resolution cell where too little colour is present to measure it",
        least=0.05,
    )
    flash: float = described(
        0.5,
        says="coloured fraction of the colour box above which a frame is a flash and is left out",
        least=0,
        most=1,
    )
    frames: int = described(
        3,
        says="least number of frames with the focus in the colour box for the verdict yes",
        least=2,
    )
    certain: float = described(
        0.5, says="twinkling score from which the verdict is yes", least=0, most=1
    )
    possible: float = described(
        0.25, says="twinkling score from which the verdict is possible", least=0, most=1
    )


@dataclass(frozen=True, slots=True)
class LabelSettings(Checked):
    """How foci are labelled and grouped."""

    edge: float = described(
        0.4,
        unit="mm",
        says="distance outside the outline of a mass or duct up to which a focus is on its edge",
        least=0.01,
    )
    cluster_distance: float = described(
        5.0, unit="mm", says="greatest distance between neighbouring foci of a cluster", least=0.1
    )
    cluster_size: int = described(3, says="least number of foci in a cluster", least=2)
    calcification: float = described(
        0.65,
        says="calcification_score from which an image has a calcification; below it has none; 8 % "
        "of normal breasts reach the default",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class LimitSettings(Checked):
    """Time and memory of a worker process; with --workers 1 these limits do not apply."""

    seconds: float = described(
        300.0,
        unit="s",
        says="greatest time between two frames; an input that takes longer fails",
        least=1,
    )
    memory: int = described(
        4000,
        unit="MB",
        says="greatest memory of a worker process; applies on Linux only",
        least=500,
    )


@dataclass(frozen=True, slots=True)
class TableSettings(Checked):
    """How the tables are written."""

    byte_order_mark: bool = described(
        False,
        says="begin CSV files with the mark by which Excel recognises UTF-8; other programs may "
        "read it as a part of the first column's name",
    )


@dataclass(frozen=True, slots=True)
class CocoSettings(Checked):
    """What coco.json holds, which `--coco` writes."""

    frames: bool = described(
        False,
        says="of a cine, one picture for each frame that shows listed foci or masses, instead of "
        "the key frame alone",
    )


@dataclass(frozen=True, slots=True)
class ReportSettings(Checked):
    """What a run stores for the report."""

    frames: int = described(
        100,
        says="largest number of frames of a cine that the report plays, of those with listed foci "
        "or masses; up to 40 kB each; 0 for none",
        least=0,
    )
    details: int = described(
        100,
        says="greatest number of candidates that are not listed, and of shadow profiles, that are "
        "stored of an image for the report; the most confident are taken; 0 stores none",
        least=0,
    )


@dataclass(frozen=True, slots=True)
class CalibrationSettings(Checked):
    """Where settings that `usmicro calibrate` wrote come from."""

    source: str = described(
        "",
        says="what the settings were calibrated on, for run.json and the report; it changes no "
        "result; empty if they were not calibrated",
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
    tables: TableSettings = field(default_factory=TableSettings)
    coco: CocoSettings = field(default_factory=CocoSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)


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
