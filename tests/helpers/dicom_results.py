"""Sources of DICOM results: scans as DICOM files, and findings that move over their frames."""

from dataclasses import replace

import pydicom

IDENTITY = {
    "PatientName": "Müller^Änne",
    "PatientID": "X-1",
    "PatientBirthDate": "19610203",
    "PatientSex": "F",
    "AccessionNumber": "A1",
}
FRAMES = 3


def in_last_frame(analysis, frame):
    """Return the same findings, measured on another frame."""
    foci = type(analysis.foci)(replace(focus, frame=frame) for focus in analysis.foci)
    masses = type(analysis.masses)(replace(mass, frame=frame) for mass in analysis.masses)
    return replace(analysis, foci=foci, masses=masses, frame=frame)


def write_source(path, shape, frames, **more):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPClassUID = (
        pydicom.uid.UltrasoundMultiFrameImageStorage
        if frames > 1
        else pydicom.uid.UltrasoundImageStorage
    )
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = (
        f"1.2.840.{frames}.{number}" for number in (1, 2, 3)
    )
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = (
        data.SOPClassUID,
        data.SOPInstanceUID,
    )
    data.Modality, data.StudyDate, data.StudyTime = "US", "20240517", "101112"
    data.StudyID, data.ReferringPhysicianName, data.Manufacturer = "S1", "Doe^J", "Maker"
    for name, value in {**IDENTITY, **more}.items():
        setattr(data, name, value)
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = (
        *shape,
        1,
        "MONOCHROME2",
    )
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if frames > 1:
        data.NumberOfFrames = frames
    pixels = bytes(shape[0] * shape[1] * frames)
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data.save_as(path, enforce_file_format=True)
    return path


def items(dataset):
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from items(item)
