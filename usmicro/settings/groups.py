"""All settings, by group."""

from __future__ import annotations

from dataclasses import dataclass, field

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
