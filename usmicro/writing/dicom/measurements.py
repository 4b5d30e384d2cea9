"""A Structured Report by template TID 1500.

It has one measurement group for the image, one for each focus and one for each mass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.coding import Code

from usmicro import __version__
from usmicro.model.anatomy import AreaLabel
from usmicro.model.findings import Mass
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom import codes
from usmicro.writing.dicom.source import Source, uid_of
from usmicro.writing.polygons import Polygon, divide_among, polygons
from usmicro.writing.tables import cell, plain

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

DEVICE = Code("121007", "DCM", "Device")
SERIES_NUMBER = 9002
"""Number of the series; high, so that it follows the series of the scanner."""


def structured_report(
    analysis: AnalysisLike, areas: FrameAreas, source: Source, fingerprint: str, *, series: str
) -> Any:
    """Return the measurements of a scan as a Comprehensive SR.

    A focus is a point. A mass is its outline on its frame, or a point at its centre if it has no
    outline there. Numbers are those of the tables; values that were not measured are left out.

    Parameters
    ----------
    analysis : AnalysisLike
    areas : FrameAreas
        Anatomy by frame.
    source : Source
        DICOM image that the report refers to.
    fingerprint : str
        Hash of input, settings and version, from which the UIDs are derived.
    series : str
        UID of the series of the report.

    Returns
    -------
    pydicom.Dataset

    References
    ----------
    DICOM PS3.16, TID 1500, 1410 and 1501. Positions follow PS3.3 C.18.6.1.1: the centre of the
    upper left pixel is at 0.5, 0.5.
    """
    found_by = [f"foci found by {analysis.detector}"] if analysis.detector else None
    algorithm = AlgorithmIdentification("usmicro", __version__, parameters=found_by)
    groups: list[Any] = [_image_group(analysis, source, fingerprint, algorithm)]
    focus_frames: defaultdict[int, list[int]] = defaultdict(list)
    for seen in analysis.tracks:
        focus_frames[seen.focus].append(seen.frame)
    mass_frames: defaultdict[int, list[int]] = defaultdict(list)
    for centre in analysis.mass_tracks:
        mass_frames[centre.mass].append(centre.frame)
    for focus in analysis.foci:
        point = np.array([[focus.x_px + 0.5, focus.y_px + 0.5]])
        name = (
            f"focus {focus.focus}"
            if focus.track is None
            else f"focus {focus.focus}, track {focus.track}"
        )
        group = PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid_of(source.uid, fingerprint, f"focus {focus.focus}"), name
            ),
            referenced_region=ImageRegion("POINT", point, _region_source(source, focus.frame)),
            finding_type=codes.FOCUS,
            finding_category=codes.ABNORMAL,
            algorithm_id=algorithm,
            finding_sites=[FindingSite(codes.BREAST)],
            measurements=_measured(codes.FOCUS_MEASURED, plain(focus)),
            qualitative_evaluations=_stated(codes.FOCUS_STATED, plain(focus)),
        )
        # highdicom has no parameter for text, but the template may be extended
        group[0].ContentSequence.append(
            TextContentItem(codes.REASON, focus.label_reason, RelationshipTypeValues.CONTAINS)
        )
        _add_frames(group, source, focus_frames[focus.focus])
        groups.append(group)
    for mass, outline in zip(analysis.masses, _outlines(areas, analysis.masses), strict=True):
        kind = "POINT" if len(outline) == 1 else "POLYLINE"
        group = PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid_of(source.uid, fingerprint, f"mass {mass.mass}"), f"mass {mass.mass}"
            ),
            referenced_region=ImageRegion(kind, outline, _region_source(source, mass.frame)),
            finding_type=codes.MASS,
            finding_category=codes.ABNORMAL,
            algorithm_id=algorithm,
            finding_sites=[FindingSite(codes.BREAST)],
            measurements=_measured(codes.MASS_MEASURED, plain(mass)),
            qualitative_evaluations=_stated(codes.MASS_STATED, plain(mass)),
        )
        _add_frames(group, source, mass_frames[mass.mass])
        groups.append(group)
    observer = DeviceObserverIdentifyingAttributes(
        uid_of("usmicro", __version__), name="usmicro", model_name="usmicro"
    )
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(DEVICE, observer)
        ),
        procedure_reported=codes.PROCEDURE,
        imaging_measurements=groups,
        title=codes.REPORT,
        referenced_images=[source.dataset],
    )
    return ComprehensiveSR(
        evidence=[source.dataset],
        content=content[0],
        series_instance_uid=series,
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of(source.uid, fingerprint, "SR"),
        instance_number=1,
        manufacturer="usmicro",
        manufacturer_model_name="usmicro",
        software_versions=__version__,
        series_description="usmicro measurements, research use only",
        is_complete=True,
        specific_character_set="ISO_IR 192",
    )


def _add_frames(group: Any, source: Source, frames: Iterable[int]) -> None:
    """Add the numbers of the frames of a cine that show a finding to its group, as a text."""
    numbers = [number for frame in frames if (number := source.frame_number(frame)) is not None]
    if numbers:
        group[0].ContentSequence.append(
            TextContentItem(codes.FRAMES, frames_text(numbers), RelationshipTypeValues.CONTAINS)
        )


def frames_text(numbers: Iterable[int]) -> str:
    """Return rising frame numbers as a text with ranges, such as "1-3, 7"."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


def _image_group(analysis: AnalysisLike, source: Source, fingerprint: str, algorithm: Any) -> Any:
    """Return the measurement group of the image as a whole."""
    words = [codes.CALCIFICATION_WORDS[word] for word in analysis.summary.calcification.split("+")]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid_of(source.uid, fingerprint, "image"), "image"),
        finding_type=codes.IMAGE,
        finding_category=codes.ANATOMICAL,
        finding_sites=[FindingSite(codes.BREAST)],
        measurements=_measured(codes.IMAGE_MEASURED, plain(analysis.summary)),
        qualitative_evaluations=[
            QualitativeEvaluation(codes.CALCIFICATION, word) for word in words
        ],
        source_images=[SourceImageForMeasurementGroup(source.dataset.SOPClassUID, source.uid)],
    )


def _region_source(source: Source, frame: int) -> Any:
    """Return the reference to a frame of the scan."""
    number = source.frame_number(frame)
    return SourceImageForRegion(
        source.dataset.SOPClassUID, source.uid, None if number is None else [number]
    )


def _measured(measured: Sequence[codes.Measured], row: Mapping[str, Any]) -> list[Any]:
    """Return the numbers of a row that were measured."""
    return [
        Measurement(
            name=one.concept, value=float(cell(float(row[one.field]) * one.factor)), unit=one.unit
        )
        for one in measured
        if row[one.field] is not None
    ]


def _stated(stated: Iterable[codes.Stated], row: Mapping[str, Any]) -> list[Any]:
    """Return the coded words of a row."""
    return [
        QualitativeEvaluation(one.concept, one.words[row[one.field]])
        for one in stated
        if row[one.field] is not None
    ]


def _outlines(areas: FrameAreas, masses: Sequence[Mass]) -> list[Polygon]:
    """Return the largest outline of each mass on its frame, closed, or its centre.

    Arrays have shape (n, 2): column and row; the upper left pixel covers 0 to 1.
    """
    outlines = [np.array([[mass.x_px + 0.5, mass.y_px + 0.5]]) for mass in masses]
    for frame in sorted({mass.frame for mass in masses}):
        own = [index for index, mass in enumerate(masses) if mass.frame == frame]
        shared = divide_among(areas.area(frame, AreaLabel.MASS), [masses[index] for index in own])
        for number, index in enumerate(own, start=1):
            if parts := polygons(shared == number):
                outlines[index] = np.vstack([parts[0], parts[0][:1]])
    return outlines
