"""How a player shows the frames of a video, according to its container."""

from __future__ import annotations

from dataclasses import dataclass, replace

from usmicro.loading.turning import UPRIGHT, Turn
from usmicro.model.arrays import Frame
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

INTERLACED = (
    "the video is interlaced: odd and even rows of a frame may come from different times, so "
    "moving tissue has combed edges"
)
"""Note on an interlaced video."""


@dataclass(frozen=True, slots=True)
class Crop:
    """Part of the stored frame that is shown; `right` and `bottom` are one past the last pixel."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Display:
    """How a player shows the frames of the first video track."""

    turn: Turn = UPRIGHT
    crop: Crop | None = None
    stored_size: tuple[int, int] | None = None
    """Rows and columns of the stored frames according to the container, if it gives them."""
    aspect: float | None = None
    """Height of a stored pixel over its width, if only the container gives it."""
    stored_frames: int | None = None
    """Number of stored frames that are not empty, if the container lists each one."""
    empty_frames: int = 0
    """Number of empty frames: a player shows the previous frame again."""
    shown_frames: int | None = None
    """Number of stored frames that an edit list shows, if there is one."""
    remarks: tuple[Remark, ...] = ()
    """What was found in the container besides, such as other tracks."""

    @property
    def changes(self) -> bool:
        """True if the frames are cropped, turned or mirrored."""
        return self.turn.changes or self.crop is not None

    def fitted_to(self, rows: int, columns: int) -> Display:
        """Return what is left to do for decoded frames of this size.

        If the size differs from that of the stored frames, the decoder has already cropped them.
        """
        crop = self.crop
        if crop is None:
            return self
        is_stored = self.stored_size in (None, (rows, columns))
        is_inside = 0 <= crop.left < crop.right <= columns and 0 <= crop.top < crop.bottom <= rows
        if is_stored and is_inside:
            return self
        remarks = self.remarks
        if (rows, columns) != (crop.bottom - crop.top, crop.right - crop.left):
            remarks = (*remarks, not_applied("a crop that does not fit its frames"))
        return replace(self, crop=None, remarks=remarks)

    def apply(self, frame: Frame) -> Frame:
        """Return a decoded frame as a player shows it, except for the shape of its pixels."""
        if self.crop is not None:
            crop = self.crop
            frame = frame[crop.top : crop.bottom, crop.left : crop.right]
        return self.turn(frame)

    def shown_size(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns that `apply` gives."""
        if self.crop is not None:
            rows, columns = self.crop.bottom - self.crop.top, self.crop.right - self.crop.left
        return self.turn.of_size(rows, columns)

    def notes(self) -> list[Remark]:
        """Return the remarks, and notes on what `apply` changes."""
        notes: list[Remark] = list(self.remarks)
        if self.crop is not None:
            crop = self.crop
            notes.append(
                "the frames were cropped as the file prescribes, to columns "
                f"{crop.left} to {crop.right - 1} and rows {crop.top} to {crop.bottom - 1} of the "
                "stored frame"
            )
        if self.turn.changes:
            notes.append(f"the frames were {self.turn}, as the file prescribes for display")
        return notes


def not_applied(what: str) -> ScanWarning:
    """Return the warning that the file prescribes something for display that was not done."""
    return ScanWarning(WarningCode.GEOMETRY_NOT_APPLIED, f"the file prescribes {what}")


def other_tracks(counts: list[int | None]) -> list[Remark]:
    """Return a warning for each video track that is not read, given its number of frames."""
    return [
        ScanWarning(
            WarningCode.FRAMES_NOT_READ,
            f"video track {number} of the file "
            + ("" if count is None else f"with {count} frames ")
            + "was not read; only the first is",
        )
        for number, count in enumerate(counts, start=2)
    ]
