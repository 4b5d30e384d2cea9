"""The DICOM results of a scan, written beside its other results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from usmicro import __version__
from usmicro.errors import UsageError
from usmicro.writing.dicom.areas import FrameAreas
from usmicro.writing.dicom.source import Source, uid_of
from usmicro.writing.files import replacing

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

SCHEME_NAME = "usmicro: echogenic foci in breast ultrasound"


def check_installed() -> None:
    """Refuse a run with DICOM results where highdicom is missing, before every input fails for it.

    Raises
    ------
    UsageError
    """
    from importlib.util import find_spec

    if find_spec("highdicom") is None:
        raise UsageError(
            '--dicom needs the package highdicom, which is not installed; run `pip install "usmicro[dicom]"`'
        )


def write_results(
    analysis: AnalysisLike,
    areas: FrameAreas,
    source: Source,
    mark: str,
    *,
    report: Path,
    segmentation: Path,
    given: bool = False,
) -> None:
    """Write the Structured Report and the Segmentation of a scan.

    They belong to the study of the scan and repeat what its header says of patient and study; no other result does.

    Parameters
    ----------
    analysis : AnalysisLike
    areas : FrameAreas
        The anatomy by frame, as `usmicro.analyze` gives it to `each_frame`.
    source : Source
    mark : str
        Hash of the input, the settings and the version, from which the UIDs of the results follow.
    report, segmentation : Path
    given : bool
        Whether a user gave outlines of some of the anatomy: the Segmentation then does not call itself automatic.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    from usmicro.writing.dicom.measurements import structured_report
    from usmicro.writing.dicom.segmentation import segmentation as make_segmentation

    # the results of one scan, settings and version form a series of each kind
    series = {kind: uid_of(source.uid, mark, kind, "series") for kind in ("SR", "SEG")}
    _write(report, structured_report(analysis, areas, source, mark, series=series["SR"]), source)
    _write(
        segmentation,
        make_segmentation(analysis, areas, source, mark, series=series["SEG"], given=given),
        source,
    )


def _write(file: Path, dataset: Any, source: Source) -> None:
    _settle(dataset, source)
    with replacing(file) as stream:
        dataset.save_as(stream, enforce_file_format=True)


def _settle(dataset: Any, source: Source) -> None:
    """Put in what highdicom does not: the private scheme, and times that do not depend on when the program ran."""
    from pydicom.dataset import Dataset

    from usmicro.writing.dicom.codes import SCHEME

    scheme = Dataset()
    scheme.CodingSchemeDesignator = SCHEME
    scheme.CodingSchemeName = SCHEME_NAME
    scheme.CodingSchemeVersion = __version__
    scheme.CodingSchemeResponsibleOrganization = "usmicro"
    dataset.CodingSchemeIdentificationSequence = [scheme]
    dataset.ContentDate, dataset.ContentTime = source.date, source.time
    for name in ("InstanceCreationDate", "InstanceCreationTime"):
        if name in dataset:
            delattr(dataset, name)
    for equipment in dataset.get("ContributingEquipmentSequence") or []:
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
