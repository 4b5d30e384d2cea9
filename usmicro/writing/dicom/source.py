"""The DICOM image that results refer to: what of its header belongs in them."""

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
"""Of the UIDs that results get; drawn once by chance."""
NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
TEXTS = {
    "PatientName": 324, "PatientID": 64, "PatientBirthDate": 8, "PatientSex": 16, "StudyID": 16, "AccessionNumber": 16,
    "StudyDate": 8, "StudyTime": 16, "ReferringPhysicianName": 324,
}  # fmt: skip
"""Attributes of patient and study that results repeat, with their greatest length (PS3.5, table 6.2-1)."""
NO_DATE, NO_TIME = "19000101", "000000"
"""Content date and time of results of a source without any: the attributes must have a value."""


@dataclass(frozen=True, slots=True)
class Source:
    """A DICOM image, as results refer to it."""

    dataset: Any
    """pydicom.Dataset with the identity of patient, study, series and image, and no more."""
    frames: int
    """An image of a single frame is referred to without a frame number."""
    date: str
    time: str
    """When the image was taken, which results give as their own time: the same input gives the same bytes."""
    notes: tuple[str, ...] = ()

    @property
    def uid(self) -> str:
        """SOPInstanceUID."""
        return str(self.dataset.SOPInstanceUID)

    def frame_number(self, frame: int) -> int | None:
        """A frame as DICOM counts it, from 1; None in an image of a single one."""
        return frame + 1 if self.frames > 1 else None


def read_source(path: Path) -> Source:
    """Read the header of the scan that results will refer to.

    Raises
    ------
    DicomResultError
        If it is no DICOM file, or lacks an identifier that a reference needs.
    """
    try:
        header = dcmread(path, stop_before_pixels=True, force=False)
    except (InvalidDicomError, OSError, ValueError) as error:
        raise DicomResultError(
            f"{path}: no DICOM result is written, since the scan is no DICOM file to refer to"
        ) from error
    dataset = Dataset()
    for name in NEEDED:
        value = header.get(name) or (
            header.file_meta.get(f"Media{name.replace('SOP', 'StorageSOP')}")
            if name.startswith("SOP")
            else None
        )
        if value is None or not UID(str(value)).is_valid:
            raise DicomResultError(
                f"{path}: no DICOM result is written: expected a valid {name}, which results must refer to, found "
                f"{'none' if value is None else 'an invalid one'}"
            )
        setattr(dataset, name, UID(str(value)))
    notes = []
    for name, longest in TEXTS.items():
        text = str(header.get(name) or "")
        if not _allowed(name, text, longest):
            notes.append(
                f"{name} of the scan is no value that DICOM allows; it is left empty in the DICOM results"
            )
            text = ""
        setattr(dataset, name, PersonName(text) if name.endswith("Name") else text)
    dataset.Modality = "US"
    dataset.Rows, dataset.Columns = header.Rows, header.Columns
    date, time = _taken(header)
    return Source(dataset, int(header.get("NumberOfFrames") or 1), date, time, tuple(notes))


def uid_of(*parts: str) -> UID:
    """A UID that follows from what it stands for, so that the same input and settings give the same bytes."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(parts)).int}")


def _allowed(name: str, text: str, longest: int) -> bool:
    if len(text) > longest or "\\" in text or any(not letter.isprintable() for letter in text):
        return False
    if name == "PatientSex":
        return text in ("", "M", "F", "O")
    if name.endswith("Date"):
        return not text or _DATE.fullmatch(text) is not None
    return not name.endswith("Time") or not text or _TIME.fullmatch(text) is not None


_DATE = re.compile(r"(1[89]|2\d)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")


def _taken(header: Any) -> tuple[str, str]:
    """Date and time of the image: the most exact pair that is there."""
    for name in ("Acquisition", "Content", "Series", "Study"):
        date, time = str(header.get(f"{name}Date") or ""), str(header.get(f"{name}Time") or "")
        if _DATE.fullmatch(date):
            return date, time if _TIME.fullmatch(time) else NO_TIME
    return NO_DATE, NO_TIME
