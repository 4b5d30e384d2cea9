"""The DICOM image that results refer to, and the parts of its header that they repeat."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID
from pydicom.valuerep import PersonName

from usmicro.errors import DicomResultError

NAMESPACE = uuid.UUID("4b9c1d52-6f0e-5a3c-8c55-3f6e2a7d9b10")
"""Namespace of the UIDs of results; a random UUID, drawn once."""
IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Attributes that a reference to the scan needs."""
MOST_CHARACTERS = {
    "PatientName": 324,
    "PatientID": 64,
    "PatientBirthDate": 8,
    "PatientSex": 16,
    "StudyID": 16,
    "AccessionNumber": 16,
    "StudyDate": 8,
    "StudyTime": 16,
    "ReferringPhysicianName": 324,
}
"""Attributes of patient and study that results repeat, and their largest number of characters
(DICOM PS3.5, table 6.2-1)."""
NO_DATE, NO_TIME = "19000101", "000000"
"""Content date and time if the scan has none; the attributes must have a value."""
DATE = re.compile(r"(1[89]|2\d)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
"""Date of DICOM: YYYYMMDD."""
TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
"""Time of DICOM: HH, HHMM, HHMMSS or HHMMSS.FFFFFF."""


@dataclass(frozen=True, slots=True)
class Source:
    """A DICOM image that results refer to."""

    dataset: Any
    """pydicom.Dataset with only the identity of patient, study, series and image."""
    frames: int
    """Number of frames; a reference to an image of one frame has no frame number."""
    date: str
    """Date of the image. It is also the date of the results, so that equal input gives equal
    bytes."""
    time: str
    """Time of the image and of the results."""
    notes: tuple[str, ...] = ()
    """Notes for the user on attributes that were left empty."""

    @property
    def uid(self) -> str:
        """SOPInstanceUID of the image."""
        return str(self.dataset.SOPInstanceUID)

    def frame_number(self, frame: int) -> int | None:
        """Return the number of a frame in DICOM, from 1; None in an image of one frame."""
        return frame + 1 if self.frames > 1 else None


def read_source(path: Path) -> Source:
    """Read the header of the scan that results refer to.

    Raises
    ------
    DicomResultError
        If it is not a DICOM file, or lacks an identifier that a reference needs.
    """
    try:
        header = dcmread(path, stop_before_pixels=True, force=False)
    except (InvalidDicomError, OSError, ValueError) as error:
        raise DicomResultError(
            f"{path}: no DICOM result is written, since the scan is not a DICOM file to refer to"
        ) from error
    dataset = Dataset()
    for name in IDENTIFIERS:
        value = header.get(name) or (
            header.file_meta.get(f"Media{name.replace('SOP', 'StorageSOP')}")
            if name.startswith("SOP")
            else None
        )
        if value is None or not UID(str(value)).is_valid:
            raise DicomResultError(
                f"{path}: no DICOM result is written: expected a valid {name}, which results must "
                f"refer to, found {'none' if value is None else 'an invalid one'}"
            )
        setattr(dataset, name, UID(str(value)))
    notes = []
    for name, longest in MOST_CHARACTERS.items():
        text = str(header.get(name) or "")
        if not _allowed(name, text, longest):
            notes.append(
                f"{name} of the scan has a value that DICOM does not allow; "
                "it is left empty in the DICOM results"
            )
            text = ""
        setattr(dataset, name, PersonName(text) if name.endswith("Name") else text)
    dataset.Modality = "US"
    dataset.Rows, dataset.Columns = header.Rows, header.Columns
    date, time = _date_and_time(header)
    return Source(dataset, int(header.get("NumberOfFrames") or 1), date, time, tuple(notes))


def uid_of(*parts: str) -> UID:
    """Return a UID that depends only on texts: equal input and settings give equal bytes."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(parts)).int}")


def _allowed(name: str, text: str, longest: int) -> bool:
    """Return True if DICOM allows a text as the value of an attribute."""
    if len(text) > longest or "\\" in text or any(not letter.isprintable() for letter in text):
        return False
    if name == "PatientSex":
        return text in ("", "M", "F", "O")
    if name.endswith("Date"):
        return not text or DATE.fullmatch(text) is not None
    return not name.endswith("Time") or not text or TIME.fullmatch(text) is not None


def _date_and_time(header: Any) -> tuple[str, str]:
    """Return date and time of the image, of acquisition if the header has them."""
    for name in ("Acquisition", "Content", "Series", "Study"):
        date, time = str(header.get(f"{name}Date") or ""), str(header.get(f"{name}Time") or "")
        if DATE.fullmatch(date):
            return date, time if TIME.fullmatch(time) else NO_TIME
    return NO_DATE, NO_TIME
