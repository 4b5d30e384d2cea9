"""Settings of a run: limits of its workers, and what it writes."""

from __future__ import annotations

from dataclasses import dataclass

from usmicro.settings.checked import Checked, described


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
        says="largest number of frames of a cine that the report plays: half of them spread "
        "evenly, the others with listed foci or masses; up to 40 kB each; 0 for none",
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
