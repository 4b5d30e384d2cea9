"""Write simulated scans as PNG files and as DICOM ultrasound images.

The files contain no dates, and their identifiers depend on name and seed only, so the same scan is
written as the same bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from usmicro.model.arrays import ByteImage
from usmicro.model.scan import Region
from usmicro.phantom.simulation import Phantom

Compression = Literal["none", "rle", "jpeg"]
"""Compression of the pixels of a DICOM file, see `write_dicom`."""

JPEG_422 = 0x211111
"""OpenCV's value for chroma at half the columns: YBR_FULL_422 in DICOM."""

_SPATIAL_FORMAT = {"tissue": 1, "colour flow": 1, "colour bar": 5}
"""Region Spatial Format: 1 two-dimensional, 5 graphics (DICOM PS3.3 C.8.5.5)."""

_DATA_TYPE = {"tissue": 1, "colour flow": 2, "colour bar": 14}
"""Region Data Type: 1 tissue, 2 colour flow, 14 color bar (DICOM PS3.3 C.8.5.5)."""

EMPTY_ELEMENTS = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
)
"""Elements that must be present and may be empty (DICOM type 2)."""


def write_png(phantom: Phantom, path: str | Path, *, frame: int = 0) -> Path:
    """Write one frame as a PNG file and return its path."""
    path = Path(path)
    image = phantom.frames[frame]
    bgr = image if image.ndim == 2 else image[..., ::-1]
    _, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    path.write_bytes(data.tobytes())
    return path


def uid(*parts: str | int) -> str:
    """Return a DICOM UID that depends on these parts only, derived from 128 bits (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def write_dicom(
    phantom: Phantom, path: str | Path, *, compression: Compression = "none", quality: int = 85
) -> Path:
    """Write all frames as a DICOM ultrasound image, with its regions.

    Parameters
    ----------
    phantom : Phantom
    path : path
    compression : str
        none: explicit VR little endian; rle: RLE lossless; jpeg: JPEG baseline, 4:2:2 for colour.
    quality : int
        JPEG quality, 0 to 100.

    Returns
    -------
    Path

    References
    ----------
    DICOM PS3.3 A.6, A.7 and C.8.5.5.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence
    from pydicom.uid import (
        ExplicitVRLittleEndian,
        JPEGBaseline8Bit,
        RLELossless,
        UltrasoundImageStorage,
        UltrasoundMultiFrameImageStorage,
    )

    path = Path(path)
    count, rows, columns = phantom.frames.shape[:3]
    colour = phantom.frames.ndim == 4
    identity = (phantom.name, phantom.seed)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = (
        UltrasoundMultiFrameImageStorage if count > 1 else UltrasoundImageStorage
    )
    meta.MediaStorageSOPInstanceUID = uid(*identity, "instance")
    meta.TransferSyntaxUID = {
        "none": ExplicitVRLittleEndian,
        "rle": RLELossless,
        "jpeg": JPEGBaseline8Bit,
    }[compression]
    meta.ImplementationClassUID = uid("usmicro.phantom")
    meta.ImplementationVersionName = "USMICRO_PHANTOM"

    data = Dataset()
    data.file_meta = meta
    data.ImageType = ["DERIVED", "PRIMARY"]
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID = uid(*identity, "study")
    data.SeriesInstanceUID = uid(*identity, "series")
    data.PatientName, data.PatientID = "PHANTOM^SIMULATED", f"PHANTOM-{phantom.seed}"
    for keyword in EMPTY_ELEMENTS:
        setattr(data, keyword, "")
    data.Modality = "US"
    data.Manufacturer, data.ManufacturerModelName = "usmicro", "usmicro.phantom"
    data.SeriesNumber, data.InstanceNumber = 1, 1
    data.Laterality, data.BodyPartExamined = "R", "BREAST"
    data.PatientOrientation = ""
    data.UltrasoundColorDataPresent = int(
        any(region.kind == "colour flow" for region in phantom.regions)
    )
    items = []
    for region in phantom.regions:
        item = Dataset()
        for keyword, value in region_values(region).items():
            setattr(item, keyword, value)
        items.append(item)
    data.SequenceOfUltrasoundRegions = Sequence(items)
    if count > 1:
        data.NumberOfFrames = count
        data.FrameTime = f"{1000 / phantom.settings.frame_rate:.3f}"
        data.FrameIncrementPointer = 0x00181063  # FrameTime
    data.Rows, data.Columns = rows, columns
    data.SamplesPerPixel = 3 if colour else 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    if colour:
        data.PhotometricInterpretation = "YBR_FULL_422" if compression == "jpeg" else "RGB"
        data.PlanarConfiguration = 0
    is_lossy = compression == "jpeg" or phantom.settings.jpeg_quality > 0
    data.LossyImageCompression = "01" if is_lossy else "00"
    if compression == "jpeg":
        data.PixelData = encapsulate([_jpeg(frame, quality) for frame in phantom.frames])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
    else:
        pixels = phantom.frames.tobytes()
        data.PixelData = pixels + b"\0" * (len(pixels) % 2)
        data["PixelData"].VR = "OB"
    if compression == "rle":
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    data.save_as(path, enforce_file_format=True)
    return path


def region_values(region: Region) -> dict[str, int | float]:
    """Return the elements of one item of the Sequence of Ultrasound Regions, by keyword."""
    units = 0 if region.kind == "colour bar" else 3  # 0 none, 3 cm
    return {
        "RegionSpatialFormat": _SPATIAL_FORMAT[region.kind],
        "RegionDataType": _DATA_TYPE[region.kind],
        "RegionFlags": 1,
        "RegionLocationMinX0": region.left,
        "RegionLocationMinY0": region.top,
        "RegionLocationMaxX1": region.right - 1,
        "RegionLocationMaxY1": region.bottom - 1,
        "PhysicalUnitsXDirection": units,
        "PhysicalUnitsYDirection": units,
        "PhysicalDeltaX": round((region.spacing.x_mm or 10.0) / 10, 8),
        "PhysicalDeltaY": round((region.spacing.y_mm or 10.0) / 10, 8),
    }


def _jpeg(frame: ByteImage, quality: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if frame.ndim == 3:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, JPEG_422]
    bgr = np.ascontiguousarray(frame if frame.ndim == 2 else frame[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, options)
    return bytes(data.tobytes())
