"""What the writers need to know of an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.findings import Cluster, Focus, Mass, Summary
from usmicro.model.scan import Scan
from usmicro.settings import Settings


class AnalysisLike(Protocol):
    """An analysed scan; `usmicro.Analysis` is one."""

    @property
    def scan(self) -> Scan:
        """The scan that was analysed."""

    @property
    def settings(self) -> Settings:
        """The settings of the analysis."""

    @property
    def foci(self) -> Sequence[Focus]:
        """The listed foci, the most confident first."""

    @property
    def masses(self) -> Sequence[Mass]:
        """The masses, by number."""

    @property
    def clusters(self) -> Sequence[Cluster]:
        """The clusters that the foci form, by number."""

    @property
    def summary(self) -> Summary:
        """What is said of the image as a whole."""

    @property
    def frame(self) -> int:
        """Index of the key frame, which `image` and `labels` show."""

    @property
    def image(self) -> Frame:
        """Pixels of the key frame, shape (rows, columns) or (rows, columns, 3)."""

    @property
    def labels(self) -> ByteImage:
        """Label image of the key frame, shape (rows, columns); see `AreaLabel`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Fallbacks that were taken, and frames that were lost."""

    def overlay(self) -> ByteImage:
        """Draw the findings on the key frame: RGB, shape (rows, columns, 3)."""
