"""Writing of the DICOM results of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from usmicro import __version__
from usmicro.errors import UsageError
from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom.source import Source, uid_of
from usmicro.writing.files import replacing

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

SCHEME_NAME = "usmicro: echogenic foci in breast ultrasound"
"""Name of the private coding scheme."""


def check_installed() -> None:
    """Check before a run with DICOM results that highdicom is installed.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("highdicom") is None:
        raise UsageError(
            "--dicom needs the package highdicom, which is not installed; "
            'run `pip install "usmicro[dicom]"`'
        )


def write_results(
    analysis: AnalysisLike,
    areas: FrameAreas,
    source: Source,
    fingerprint: str,
    *,
    report: Path,
    segmentation: Path,
    given: bool = False,
) -> None:
    """Write the Structured Report and the Segmentation of a scan.

    They belong to the study of the scan and repeat patient and study from its header. No other
    result of a run does.

    Parameters
    ----------
    analysis : AnalysisLike
    areas : FrameAreas
        Anatomy by frame, as `usmicro.analyze` passes it to `each_frame`.
    source : Source
    fingerprint : str
        Hash of input, settings and version, from which the UIDs are derived.
    report, segmentation : Path
        Files to write.
    given : bool
        True if the user supplied masks; the Segmentation is then called semi-automatic.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    from usmicro.writing.dicom.measurements import structured_report
    from usmicro.writing.dicom.segmentation import segmentation as make_segmentation

    # one series of each kind for a scan, its settings and the version
    series = {kind: uid_of(source.uid, fingerprint, kind, "series") for kind in ("SR", "SEG")}
    _write(
        report, structured_report(analysis, areas, source, fingerprint, series=series["SR"]), source
    )
    _write(
        segmentation,
        make_segmentation(analysis, areas, source, fingerprint, series=series["SEG"], given=given),
        source,
    )


def _write(file: Path, dataset: Any, source: Source) -> None:
    _complete(dataset, source)
    with replacing(file) as stream:
        dataset.save_as(stream, enforce_file_format=True)


def _complete(dataset: Any, source: Source) -> None:
    """Add the private coding scheme, and replace times at which the program ran.

    Equal inputs and settings then give equal bytes.
    """
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
