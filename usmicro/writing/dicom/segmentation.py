"""A Segmentation of a scan, of single frames and of cines.

It has one segment for each mass, one for ducts and one for nonmass areas.
"""

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
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom import codes
from usmicro.writing.dicom.source import Source, uid_of

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

SERIES_NUMBER = 9001
"""Number of the series; high, so that it follows the series of the scanner."""


def segmentation(
    analysis: AnalysisLike,
    areas: FrameAreas,
    source: Source,
    fingerprint: str,
    *,
    series: str,
    given: bool = False,
) -> Any:
    """Return the anatomy of a scan as a binary Segmentation.

    A mass has the same tracking identifiers as in the report. A segment has one frame for each
    frame of the scan that shows it. A segment of which nothing was found has one empty frame, that
    of the key frame. It shows that the program has looked for it.

    highdicom describes image, segments and equipment. It refuses segmentations of several frames
    without a position in space, such as ultrasound (highdicom#284). The frames are therefore added
    here.

    Parameters
    ----------
    analysis, areas, source, fingerprint, series
        See `structured_report`.
    given : bool
        True if the user supplied masks.

    Returns
    -------
    pydicom.Dataset
    """
    areas = areas.by_mass(analysis.masses)
    algorithm_type = "SEMIAUTOMATIC" if given else "AUTOMATIC"
    described = _described(analysis.masses, source, fingerprint, algorithm_type)
    stored = [
        (number, frame)
        for number in range(1, len(described) + 1)
        for frame in areas.frames_of(number) or [analysis.frame]
    ]
    seg = _template(areas.shape, source, fingerprint, series, described)
    organisation = uid_of(source.uid, fingerprint, "dimensions")
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
    masses: Sequence[Mass], source: Source, fingerprint: str, algorithm_type: str
) -> list[SegmentDescription]:
    """Return the segments in their order; if there are no masses, one segment for any mass.

    `algorithm_type` is "AUTOMATIC" or "SEMIAUTOMATIC".
    """
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
            algorithm_type,
            algorithm,
            tracking_uid=name and uid_of(source.uid, fingerprint, name),
            tracking_id=name,
        )
        for number, (label, category, kind, name) in enumerate(segments, start=1)
    ]


def _template(
    shape: tuple[int, int],
    source: Source,
    fingerprint: str,
    series: str,
    described: list[SegmentDescription],
) -> Any:
    """Return a Segmentation of one frame that is complete except for its pixels."""
    stub = deepcopy(source.dataset)
    stub.SOPClassUID = UltrasoundImageStorage  # highdicom then takes a cine for one frame
    pixels = np.zeros(shape, np.uint8)
    pixels[0, 0] = 1  # highdicom warns of empty frames
    seg = Segmentation(
        source_images=[stub],
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=series,
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of(source.uid, fingerprint, "SEG"),
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
    seg.ContentCreatorName = None  # required, and no person made it
    return seg


def _items(dataset: Any) -> Iterator[Any]:
    """Yield all items of all sequences, at any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _items(item)


def _dimension(organisation: str, pointer: str, group: str, label: str) -> Dataset:
    """Return the description of one dimension index."""
    item = Dataset()
    item.DimensionOrganizationUID = organisation
    item.DimensionIndexPointer = Tag(pointer)
    item.FunctionalGroupPointer = Tag(group)
    item.DimensionDescriptionLabel = label
    return item


def _frame_item(template: Dataset, number: int, frame: int, source: Source) -> Dataset:
    """Return the functional groups of one stored frame."""
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
    """Pack frames as one bit per pixel, without gaps, to a whole number of 16-bit words.

    References
    ----------
    DICOM PS3.5, 8.1.1.
    """
    # a file, so that a long cine need not fit in memory; pydicom reads it when it writes
    file = tempfile.TemporaryFile()  # noqa: SIM115
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
