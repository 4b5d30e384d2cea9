"""Optional outputs of one scan: DICOM results, and the pictures that coco.json refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.errors import DicomResultError
from usmicro.model.arrays import ByteImage, Frame

if TYPE_CHECKING:
    from usmicro.writing.areas import FrameAreas
    from usmicro.writing.protocols import AnalysisLike

FramesAt = Callable[[Sequence[int]], Iterable[tuple[int, Frame]]]
"""Function that reads frames with the given numbers, and yields (number, frame)."""


def optional_files(
    out: Path, stem: str, output: str, *, coco_frames: bool = False
) -> tuple[Path, ...]:
    """Return the files of an optional output, "dicom" or "coco", for the input with this stem.

    The frames of a cine for coco.json are not among them: their folder is `coco_folder`.
    """
    if output == "dicom":
        return out / "dicom" / f"{stem}.sr.dcm", out / "dicom" / f"{stem}.seg.dcm"
    picture = out / "images" / f"{stem}.png"
    return (picture, out / "coco" / f"{stem}.jsonl") if coco_frames else (picture,)


def coco_folder(out: Path, stem: str) -> Path:
    """Return the folder for the frames of a cine that coco.json refers to."""
    from usmicro.writing.coco_frames import frames_folder

    return frames_folder(out / "images", stem)


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
    coco_frames : (images, stem), optional
        Folder of the pictures, and path of the files of this input below it, if each frame of the
        cine that shows findings is written for coco.json; None for a still or for the key frame.
    """

    def __init__(
        self,
        files: Mapping[str, tuple[Path, ...]],
        scan: Path,
        fingerprint: str,
        *,
        given: bool,
        coco_frames: tuple[Path, str] | None = None,
    ) -> None:
        self._files, self._scan, self._fingerprint = files, scan, fingerprint
        self._given, self._coco_frames = given, coco_frames
        self._areas: FrameAreas | None = None
        if "dicom" in files:
            from usmicro.writing.dicom import FrameAreas

            self._areas = FrameAreas()
        self._coco_areas: FrameAreas | None = None
        if "coco" in files and coco_frames is not None:
            from usmicro.writing.areas import FrameAreas

            self._coco_areas = FrameAreas()

    @property
    def each_frame(self) -> Callable[[int, ByteImage], None] | None:
        """Function that the analysis must call with the label image of each frame."""
        if self._areas is None and self._coco_areas is None:
            return None
        return self._add_frame

    def _add_frame(self, frame: int, labels: ByteImage) -> None:
        if self._areas is not None:
            self._areas.add(frame, labels)
        if self._coco_areas is not None:
            from usmicro.writing.coco_frames import STORED

            self._coco_areas.add(frame, labels, STORED)

    def write(
        self,
        analysis: AnalysisLike,
        frames_at: FramesAt,
    ) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
        """Write the outputs.

        Parameters
        ----------
        analysis : AnalysisLike
        frames_at : function
            Yields (number, frame) for the frames of the scan with the given numbers.

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
            written["coco"] = self._write_coco(analysis, frames_at)
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

    def _write_coco(
        self,
        analysis: AnalysisLike,
        frames_at: FramesAt,
    ) -> tuple[Path, ...]:
        """Write the pictures for coco.json, and the annotations of the frames of a cine."""
        from usmicro.writing.coco import encode_image
        from usmicro.writing.files import write_atomically

        picture, *annotations = self._files["coco"]
        if self._coco_areas is None or self._coco_frames is None:
            write_atomically(picture, encode_image(analysis.image, analysis.labels))
            return (picture,)
        from usmicro.writing.coco_frames import shown_frames, write_frames

        images, stem = self._coco_frames
        picture.unlink(missing_ok=True)  # of a former run
        return tuple(
            write_frames(
                analysis,
                self._coco_areas,
                frames_at(shown_frames(analysis)),
                images=images,
                stem=stem,
                annotations=annotations[0],
            )
        )
