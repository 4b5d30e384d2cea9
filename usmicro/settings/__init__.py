"""Settings: one frozen dataclass for each group; each field has a unit, a meaning and limits."""

from usmicro.settings.checked import Checked, described, limits
from usmicro.settings.files import read_settings, to_toml, with_values
from usmicro.settings.groups import Settings, checked_settings
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

__all__ = [
    "AnatomySettings",
    "CalibrationSettings",
    "Checked",
    "CocoSettings",
    "FociSettings",
    "LabelSettings",
    "LimitSettings",
    "LoadingSettings",
    "PreparationSettings",
    "ReportSettings",
    "Settings",
    "ShadowSettings",
    "TableSettings",
    "TwinklingSettings",
    "checked_settings",
    "described",
    "limits",
    "read_settings",
    "to_toml",
    "with_values",
]
