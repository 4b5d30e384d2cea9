"""The part of an analysis that writers use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.findings import (
    Candidate,
    Focus,
    Mass,
    MassPoint,
    Summary,
    TrackPoint,
    TwinklingPoint,
)
from usmicro.model.frame_outlines import FrameOutlines
from usmicro.model.scan import Scan
from usmicro.model.warnings import ScanWarning


class AnalysisLike(Protocol):
    """An analysed scan; `usmicro.Analysis` is one."""

    @property
    def scan(self) -> Scan:
        """Scan that was analysed."""

    @property
    def foci(self) -> Sequence[Focus]:
        """Listed foci, the most confident first."""

    @property
    def candidates(self) -> Sequence[Candidate]:
        """Every candidate of the key frame, the most confident first."""

    @property
    def masses(self) -> Sequence[Mass]:
        """Masses, by number."""

    @property
    def tracks(self) -> Sequence[TrackPoint]:
        """Listed foci of a cine on each frame that shows them, by focus and frame."""

    @property
    def mass_tracks(self) -> Sequence[MassPoint]:
        """Masses of a cine on each frame that shows them, by mass and frame."""

    @property
    def twinkling(self) -> Sequence[TwinklingPoint]:
        """Evidence for twinkling at each listed focus of a cine, by focus and frame."""

    @property
    def detector(self) -> str:
        """Name of the user's detector that found the foci; empty if the program did."""

    @property
    def summary(self) -> Summary:
        """Findings on the image as a whole."""

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
    def outlines(self) -> FrameOutlines | None:
        """Outlines and tissue of every frame of a cine; None for a still."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Fallbacks and other facts that a reader of the results must know."""

    @property
    def warnings(self) -> tuple[ScanWarning, ...]:
        """What may be wrong with the results."""
