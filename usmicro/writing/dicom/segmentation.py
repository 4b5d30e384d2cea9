"""A Segmentation of a scan, a segment for each mass, one for ducts and one for nonmass areas; for single frames and cines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import UltrasoundImageStorage

from usmicro import __version__
from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Mass
from usmicro.writing.dicom import codes
from usmicro.writing.dicom.areas import FrameAreas
from usmicro.writing.dicom.source import Source, uid_of

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike


def segmentation(
    analysis: AnalysisLike,
    areas: FrameAreas,
    source: Source,
    mark: str,
    *,
    series: str,
    given: bool = False,
) -> Any:
    """The anatomy of a scan as a binary Segmentation (pydicom.Dataset).

    Each mass is a segment, which has the tracking identifiers of its measurements in the report; all ducts are one, and all nonmass areas.
    Each segment has a frame for each frame of the scan that shows it; one that nothing was found of has a single empty frame, that of the
    key frame, so that "looked for and not found" can be told from "not looked for".

    highdicom describes image, segments and equipment. It refuses segmentations of several frames that have no position in space, which
    ultrasound has not (highdicom#284), so that the frames are put in here.

    Parameters
    ----------
    analysis, areas, source, mark, series
        As for `structured_report`.
    given : bool
        Whether some of the outlines are a user's own.
    """
    areas = areas.by_mass(analysis.masses)
    described = _described(analysis.masses, source, mark, "SEMIAUTOMATIC" if given else "AUTOMATIC")
    stored = [
        (number, frame)
        for number in range(1, len(described) + 1)
        for frame in areas.frames_of(number) or [analysis.frame]
    ]
    seg = _template(areas.shape, source, mark, series, described)
    organisation = uid_of(source.uid, mark, "dimensions")
    shared, template = (
        seg.SharedFunctionalGroupsSequence[0],
        seg.PerFrameFunctionalGroupsSequence[0],
    )
    if "SegmentIdentificationSequence" in shared:
        del shared.SegmentIdentificationSequence
    seg.DimensionOrganizationSequence[0].DimensionOrganizationUID = organisation
    seg.DimensionIndexSequence = DicomSequence(
        [
            _dimension(
                organisation, "ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment"
            ),
            _dimension(
                organisation, "InStackPositionNumber", "FrameContentSequence", "Frame of the image"
            ),
        ]
    )
    seg.PerFrameFunctionalGroupsSequence = DicomSequence(
        _frame_item(template, number, frame, source) for number, frame in stored
    )
    seg.NumberOfFrames = len(stored)
    seg.add_new("PixelData", "OB", _packed(areas.area(frame, number) for number, frame in stored))
    return seg


def _described(
    masses: Sequence[Mass], source: Source, mark: str, made: str
) -> list[SegmentDescription]:
    """The segments in their order; one for masses in general where there are none."""
    algorithm = AlgorithmIdentificationSequence("usmicro", codes.ALGORITHM_FAMILY, __version__)
    (label, category, kind), *others = codes.SEGMENTS
    segments: list[tuple[str, Code, Code, str | None]] = [
        (f"{label} {mass.mass}", category, kind, f"mass {mass.mass}") for mass in masses
    ]
    segments += [(*one, None) for one in (others if masses else codes.SEGMENTS)]
    return [
        SegmentDescription(
            number,
            label,
            category,
            kind,
            made,
            algorithm,
            tracking_uid=name and uid_of(source.uid, mark, name),
            tracking_id=name,
        )
        for number, (label, category, kind, name) in enumerate(segments, start=1)
    ]


def _template(
    shape: tuple[int, int],
    source: Source,
    mark: str,
    series: str,
    described: list[SegmentDescription],
) -> Any:
    """A Segmentation of one empty frame with everything else in place."""
    stub = deepcopy(source.dataset)
    stub.SOPClassUID = UltrasoundImageStorage  # to highdicom a cine is one frame
    pixels = np.zeros(shape, np.uint8)
    pixels[0, 0] = 1  # an empty frame would be warned of
    seg = Segmentation(
        source_images=[stub],
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=series,
        series_number=9001,
        sop_instance_uid=uid_of(source.uid, mark, "SEG"),
        instance_number=1,
        manufacturer="usmicro",
        manufacturer_model_name="usmicro",
        software_versions=__version__,
        device_serial_number="none",
        content_label="BREAST_ANATOMY",
        content_description="Masses, ducts and nonmass areas, research use only",
        series_description="usmicro anatomy, research use only",
        specific_character_set="ISO_IR 192",
    )
    for item in _items(seg):
        if item.get("ReferencedSOPInstanceUID") == source.uid:
            item.ReferencedSOPClassUID = source.dataset.SOPClassUID
    seg.PatientOrientation = None  # required and unknown
    return seg


def _items(dataset: Any) -> Iterator[Any]:
    """All items of all sequences, to any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _items(item)


def _dimension(organisation: str, pointer: str, group: str, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organisation
    item.DimensionIndexPointer = Tag(pointer)
    item.FunctionalGroupPointer = Tag(group)
    item.DimensionDescriptionLabel = label
    return item


def _frame_item(template: Dataset, number: int, frame: int, source: Source) -> Dataset:
    """The functional groups of one stored frame."""
    item = deepcopy(template)
    image = item.DerivationImageSequence[0].SourceImageSequence[0]
    if (frame_number := source.frame_number(frame)) is not None:
        image.ReferencedFrameNumber = frame_number
    content = Dataset()
    content.StackID = "1"
    content.InStackPositionNumber = frame + 1
    content.DimensionIndexValues = [number, frame + 1]
    item.FrameContentSequence = DicomSequence([content])
    identification = Dataset()
    identification.ReferencedSegmentNumber = number
    item.SegmentIdentificationSequence = DicomSequence([identification])
    return item


def _packed(frames: Iterator[BoolImage]) -> IO[bytes]:
    """Frames of one bit a pixel, one after the other without a gap, padded to a whole number of words (PS3.5, 8.1.1)."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - pydicom reads it when the dataset is written: a long cine need not fit in memory
    rest = np.empty(0, bool)
    for frame in frames:
        bits = np.concatenate([rest, frame.ravel()])
        whole = len(bits) // 8 * 8
        file.write(np.packbits(bits[:whole], bitorder="little").tobytes())
        rest = bits[whole:]
    file.write(np.packbits(rest, bitorder="little").tobytes())
    if file.tell() % 2:
        file.write(b"\0")
    file.seek(0)
    return file
