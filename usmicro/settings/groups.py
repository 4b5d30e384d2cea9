"""All settings, by group."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from usmicro.errors import SettingsError
from usmicro.settings.run import (
    CalibrationSettings,
    CocoSettings,
    LimitSettings,
    ReportSettings,
    TableSettings,
)
from usmicro.settings.stages import (
    AnatomySettings,
    FociSettings,
    LabelSettings,
    LoadingSettings,
    PreparationSettings,
    ShadowSettings,
    TwinklingSettings,
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

    def __post_init__(self) -> None:
        for item in fields(self):
            value, kind = getattr(self, item.name), item.default_factory
            if not isinstance(value, kind):  # type: ignore[arg-type]
                name = kind.__name__  # type: ignore[union-attr]
                raise SettingsError(
                    f"{item.name}: expected usmicro.settings.{name}, found "
                    f"{type(value).__name__}; write Settings({item.name}={name}(...))"
                )


def checked_settings(settings: Settings | None) -> Settings:
    """Return the settings that a caller gave, or the default ones for None.

    Raises
    ------
    SettingsError
        If it is something else.
    """
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        raise SettingsError(
            f"settings: expected usmicro.Settings, found {type(settings).__name__}; a TOML file is "
            "read with usmicro.settings.read_settings(path), and single values are changed with "
            "usmicro.Settings(foci=usmicro.settings.FociSettings(minimum_confidence=0))"
        )
    return settings
