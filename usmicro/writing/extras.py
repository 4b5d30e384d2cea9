"""What a run writes of one scan only if asked: DICOM results, and the clean key frame that coco.json refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.errors import DicomResultError
from usmicro.model.arrays import ByteImage

if TYPE_CHECKING:
    from usmicro.writing.dicom import FrameAreas
    from usmicro.writing.protocols import AnalysisLike


def extra_files(out: Path, stem: str, extra: str) -> tuple[Path, ...]:
    """Where the files of an extra go, for the input with this stem."""
    if extra == "dicom":
        return out / "dicom" / f"{stem}.sr.dcm", out / "dicom" / f"{stem}.seg.dcm"
    return (out / "images" / f"{stem}.png",)


class Extras:
    """Writes the extras of one scan; gathers during the analysis what they need."""

    def __init__(
        self, files: Mapping[str, tuple[Path, ...]], scan: Path, mark: str, *, given: bool
    ) -> None:
        self._files, self._scan, self._mark, self._given = files, scan, mark, given
        self._areas: FrameAreas | None = None
        if "dicom" in files:
            from usmicro.writing.dicom import FrameAreas

            self._areas = FrameAreas()

    @property
    def each_frame(self) -> Callable[[int, ByteImage], None] | None:
        """What the analysis is to call with the anatomy of each frame."""
        return None if self._areas is None else self._areas.add

    def write(self, analysis: AnalysisLike) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
        """Write what was asked for.

        Returns
        -------
        dict, tuple of str
            By extra the files written; and notes, also of why an input has none.

        Raises
        ------
        UsageError
            If a file cannot be written.
        """
        written: dict[str, tuple[Path, ...]] = {}
        notes: tuple[str, ...] = ()
        if "coco" in self._files:
            from usmicro.writing.coco import encode_image
            from usmicro.writing.files import write_atomically

            written["coco"] = self._files["coco"]
            write_atomically(written["coco"][0], encode_image(analysis.image, analysis.labels))
        if self._areas is not None:
            from usmicro.writing.dicom import read_source, write_results

            report, segmentation = self._files["dicom"]
            try:
                source = read_source(self._scan)
                write_results(
                    analysis,
                    self._areas,
                    source,
                    self._mark,
                    report=report,
                    segmentation=segmentation,
                    given=self._given,
                )
                written["dicom"], notes = (report, segmentation), source.notes
            except DicomResultError as error:
                written["dicom"], notes = (), (str(error).replace(f"{self._scan}: ", ""),)
        return written, notes
