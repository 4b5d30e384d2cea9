"""Optional outputs of one scan: DICOM results, and the picture that coco.json refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.errors import DicomResultError
from usmicro.model.arrays import ByteImage

if TYPE_CHECKING:
    from usmicro.writing.dicom import FrameAreas
    from usmicro.writing.protocols import AnalysisLike


def optional_files(out: Path, stem: str, output: str) -> tuple[Path, ...]:
    """Return the files of an optional output, "dicom" or "coco", for the input with this stem."""
    if output == "dicom":
        return out / "dicom" / f"{stem}.sr.dcm", out / "dicom" / f"{stem}.seg.dcm"
    return (out / "images" / f"{stem}.png",)


class OptionalOutputs:
    """Writes the optional outputs of one scan; collects during the analysis what they need.

    Parameters
    ----------
    files : mapping of str to tuple of Path
        Files to write, by name of the output.
    scan : Path
        The input file.
    fingerprint : str
        Fingerprint of the job, from which unique identifiers are derived.
    given : bool
        True if the user supplied masks.
    """

    def __init__(
        self, files: Mapping[str, tuple[Path, ...]], scan: Path, fingerprint: str, *, given: bool
    ) -> None:
        self._files, self._scan, self._fingerprint = files, scan, fingerprint
        self._given = given
        self._areas: FrameAreas | None = None
        if "dicom" in files:
            from usmicro.writing.dicom import FrameAreas

            self._areas = FrameAreas()

    @property
    def each_frame(self) -> Callable[[int, ByteImage], None] | None:
        """Function that the analysis must call with the label image of each frame."""
        return None if self._areas is None else self._areas.add

    def write(self, analysis: AnalysisLike) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
        """Write the outputs.

        Returns
        -------
        written : dict of str to tuple of Path
            The files that were written, by name of the output.
        notes : tuple of str
            Notes, for instance why a scan has no DICOM results.

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
                    self._fingerprint,
                    report=report,
                    segmentation=segmentation,
                    given=self._given,
                )
                written["dicom"], notes = (report, segmentation), source.notes
            except DicomResultError as error:
                written["dicom"], notes = (), (str(error).replace(f"{self._scan}: ", ""),)
        return written, notes
