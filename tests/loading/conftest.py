import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from usmicro.loading import load

WriteDicom = Callable[..., Path]


def frames_of(path: Path, **options: Any) -> NDArray[Any]:
    """Return all frames of a file as one array."""
    return np.stack(list(load(path, **options).frames()))


def dicom_dataset(
    pixels: NDArray[Any],
    *,
    syntax: str = ExplicitVRLittleEndian,
    encoded: list[bytes] | None = None,
    **attributes: Any,
) -> Dataset:
    """Return an ultrasound data set.

    Parameters
    ----------
    pixels : array, shape (frames, rows, columns) or (frames, rows, columns, 3)
    syntax : str
        UID of the transfer syntax.
    encoded : list of bytes, optional
        The compressed frames, in place of the pixels.
    attributes
        Attributes of the data set to replace; `table=False` leaves out the basic offset table.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Modality = "US"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape[:3]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    table = attributes.pop("table", True)
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.HighBit = attributes.get("HighBit", dataset.BitsStored - 1)
    is_compressed = encoded is not None
    data = encapsulate(encoded, has_bot=table) if is_compressed else pixels.tobytes()
    representation = "OB" if is_compressed or dataset.BitsAllocated == 8 else "OW"
    dataset.add_new("PixelData", representation, data)
    dataset["PixelData"].is_undefined_length = is_compressed
    return dataset


@pytest.fixture
def write_dicom(tmp_path: Path) -> WriteDicom:
    """Return a function that writes a scan; the file lacks its last `cut` bytes."""

    def write(
        pixels: NDArray[Any], *, name: str = "scan.dcm", cut: int = 0, **options: Any
    ) -> Path:
        path = tmp_path / name
        dicom_dataset(pixels, **options).save_as(path, enforce_file_format=True)
        if cut:
            path.write_bytes(path.read_bytes()[:-cut])
        return path

    return write


@pytest.fixture
def region() -> Callable[..., Dataset]:
    return ultrasound_region


def ultrasound_region(**attributes: Any) -> Dataset:
    """Return a tissue region of 0.1 mm pixels, columns 10 to 49 and rows 20 to 79.

    The given attributes replace its own.
    """
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = 1, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMaxX1 = 10, 49
    item.RegionLocationMinY0, item.RegionLocationMaxY1 = 20, 79
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.01
    for name, value in attributes.items():
        setattr(item, name, value)
    return item


@pytest.fixture
def dataset() -> Callable[..., Dataset]:
    return dicom_dataset


@pytest.fixture
def grey() -> NDArray[np.uint8]:
    """One frame with every grey level."""
    return np.arange(96 * 64, dtype=np.uint32).reshape(1, 96, 64).astype(np.uint8)


@pytest.fixture
def cine() -> NDArray[np.uint8]:
    """Eight smooth colour frames, all different."""
    rows, columns = np.mgrid[:48, :64]
    frames = [
        np.stack([rows * 4 + 5 * i, columns * 3 + i, 255 - rows * 2 - columns], axis=-1)
        for i in range(8)
    ]
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """A folder for temporary files that must be empty after each test."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []
