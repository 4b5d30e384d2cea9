"""Loading of volumes: NIfTI, NRRD and MetaImage files, through SimpleITK.

The slices of a volume are frames. Axes are taken as the file stores them: the first axis (fastest)
runs along a row, the second down a column, the third from frame to frame. The orientation of the
patient is not applied, since few ultrasound files have one that is true.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.bit_depth import display_frames, rescaling_notes
from usmicro.loading.formats import (
    DAMAGED,
    check_frame_count,
    check_image_size,
    scan_errors,
)
from usmicro.loading.volume_file import (
    NAMES,
    VolumeFile,
    check_metaimage_size,
    check_nifti_size,
    check_not_detached,
)
from usmicro.model.arrays import Frame
from usmicro.model.scan import LARGEST_ASPECT, Scan, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode, separated
from usmicro.settings import LoadingSettings

_READERS = {"nifti": "NiftiImageIO", "nrrd": "NrrdImageIO", "metaimage": "MetaImageIO"}
"""Readers of SimpleITK. The reader is given, so that the content decides, not the suffix."""
_IDENTITY_TOLERANCE = 1e-4
"""Largest difference of a direction from the axes of the file that is rounding. Chosen by
judgement."""


def load_volume(path: Path, file_format: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of a NIfTI, NRRD or MetaImage file.

    The pixels are read at once when the frames are used. A spacing of exactly 1 mm on all axes is
    taken as unknown: libraries write it when they have none.

    Parameters
    ----------
    path : Path
    file_format : {"nifti", "nrrd", "metaimage"}
        Format of the file, from `detect_format`.
    name : str
        Name of the image in tables.
    settings : LoadingSettings

    Returns
    -------
    Scan

    Raises
    ------
    CodecError
        If SimpleITK is not installed.
    ScanError
        If the file is damaged or too large, its pixels are in another file, or it is no series of
        grey or RGB images.
    """
    sitk = _simpleitk(path, file_format)
    volume = VolumeFile(path, file_format, settings.largest_inflated)
    problem = f"expected a {NAMES[file_format]} file, but it cannot be read"
    with scan_errors(path, problem), volume.opened() as file:
        check_not_detached(path, file, file_format)
        reader = _reader(sitk, file, file_format)
        reader.ReadImageInformation()
        size, spacings = reader.GetSize(), reader.GetSpacing()
        components, direction = reader.GetNumberOfComponents(), reader.GetDirection()
        dtype = _dtype(sitk, path, reader.GetPixelID())
        if file_format == "nifti":
            check_nifti_size(path, file, size, components, dtype)
        elif file_format == "metaimage":
            check_metaimage_size(path, size, components, dtype)
    columns, rows, frames = _layout(path, size)
    if components not in (1, 3):
        raise ScanError(
            f"{path}: expected grey or RGB pixels, found {components} values for each; "
            "convert the image to grey or RGB"
        )
    check_image_size(path, rows, columns, settings.largest_image)
    check_frame_count(path, frames, settings.most_frames)
    _check_bytes(path, rows * columns * frames * components * dtype.itemsize, settings)
    remarks: list[Remark] = [*rescaling_notes(dtype)]
    spacing = _spacing(spacings, remarks)
    _note_geometry(direction, spacings, frames, spacing, remarks)
    notes, warnings = separated(remarks)
    return Scan(
        name,
        path,
        rows,
        columns,
        frames,
        partial(
            display_frames,
            path,
            partial(_stored_frames, volume, frames, rows, columns),
            uint8_as_stored=dtype == np.uint8,
        ),
        spacing=spacing,
        decoder=f"SimpleITK {sitk.Version_VersionString()}",
        notes=notes,
        warnings=warnings,
    )


def _simpleitk(path: Path, file_format: str) -> Any:
    """Return the module SimpleITK.

    Raises
    ------
    CodecError
        If it is not installed.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise CodecError(
            f"{path}: reading {NAMES[file_format]} needs SimpleITK, which is not installed; "
            'run `pip install "usmicro[volumes]"`'
        ) from error
    module: Any = SimpleITK
    module.ProcessObject_SetGlobalWarningDisplay(False)
    return module


def _reader(sitk: Any, file: Path, file_format: str) -> Any:
    """Return a reader of a file."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(os.fspath(file))
    reader.SetImageIO(_READERS[file_format])
    return reader


def _dtype(sitk: Any, path: Path, pixel_id: int) -> np.dtype[Any]:
    """Return the type of the values of a pixel.

    Raises
    ------
    ScanError
        If they are no real numbers.
    """
    kinds = {
        sitk.sitkUInt8: np.uint8,
        sitk.sitkInt8: np.int8,
        sitk.sitkUInt16: np.uint16,
        sitk.sitkInt16: np.int16,
        sitk.sitkUInt32: np.uint32,
        sitk.sitkInt32: np.int32,
        sitk.sitkUInt64: np.uint64,
        sitk.sitkInt64: np.int64,
        sitk.sitkFloat32: np.float32,
        sitk.sitkFloat64: np.float64,
        sitk.sitkVectorUInt8: np.uint8,
        sitk.sitkVectorUInt16: np.uint16,
    }
    if pixel_id not in kinds:
        found = sitk.GetPixelIDValueAsString(pixel_id)
        raise ScanError(f"{path}: expected grey or RGB pixels, found {found}; convert the image")
    return np.dtype(kinds[pixel_id])


def _layout(path: Path, size: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the numbers of columns, rows and frames.

    Raises
    ------
    ScanError
        If the file holds no image, or several volumes.
    """
    long_axes = [length for length in size[2:] if length != 1]
    if len(size) < 2 or len(long_axes) > 1:
        raise ScanError(
            f"{path}: expected one image, volume or cine, found {' x '.join(map(str, size))} "
            "values; save each volume as a file of its own"
        )
    return size[0], size[1], long_axes[0] if long_axes else 1


def _check_bytes(path: Path, needed: int, settings: LoadingSettings) -> None:
    """Refuse a volume that is too large to be read at once.

    Raises
    ------
    ScanError
    """
    largest = settings.largest_inflated
    if needed > largest * 2**20:
        needed_mb = -(-needed // 2**20)
        raise ScanError(
            f"{path}: its pixels take {needed_mb} MB, above the limit of {largest} MB. "
            f"If that is correct, set loading.largest_inflated = {needed_mb}"
        )


def _spacing(spacings: tuple[float, ...], remarks: list[Remark]) -> Spacing:
    """Return the spacing of the pixels of a frame; a wrong one gives a warning."""
    x_mm, y_mm = (float(np.float32(value)) for value in spacings[:2])
    x_mm, y_mm = (float(f"{value:.7g}") for value in (x_mm, y_mm))  # NIfTI stores 32 bits
    if all(value == 1 for value in spacings):
        remarks.append("a spacing of 1 mm on all axes, which stands for none, is not used")
        return Spacing()
    is_positive = all(np.isfinite(value) and value > 0 for value in (x_mm, y_mm))
    if not is_positive or not 1 / LARGEST_ASPECT <= y_mm / x_mm <= LARGEST_ASPECT:
        text = f"the file gives {x_mm:.4g} x {y_mm:.4g} mm"
        remarks.append(ScanWarning(WarningCode.SPACING_REJECTED, text))
        return Spacing(source="rejected")
    return Spacing(x_mm, y_mm, "pixel spacing")


def _note_geometry(
    direction: tuple[float, ...],
    spacings: tuple[float, ...],
    frames: int,
    spacing: Spacing,
    remarks: list[Remark],
) -> None:
    """Add notes on the distance of the slices and on an orientation that is not applied."""
    if frames > 1 and len(spacings) > 2 and spacing.known:
        remarks.append(
            f"{frames} slices, {spacings[2]:.4g} mm apart according to the file, are read as the "
            "frames of a cine"
        )
    axes = int(np.sqrt(len(direction)))
    if np.abs(np.reshape(direction, (axes, axes)) - np.eye(axes)).max() > _IDENTITY_TOLERANCE:
        remarks.append(
            "the orientation of the patient that the file gives is not applied: rows and columns "
            "are as they are stored"
        )


def _stored_frames(volume: VolumeFile, frames: int, rows: int, columns: int) -> Iterator[Frame]:
    """Yield the frames as they are stored."""
    sitk = _simpleitk(volume.path, volume.file_format)
    with scan_errors(volume.path, "the pixels cannot be read"), volume.opened() as file:
        image = _reader(sitk, file, volume.file_format).Execute()
        components = image.GetNumberOfComponentsPerPixel()
        shape = (frames, rows, columns, components)[: 4 if components > 1 else 3]
        array = sitk.GetArrayViewFromImage(image)
        if array.size != np.prod(shape, dtype=np.uint64):
            raise ScanError(
                f"{volume.path}: the header and the pixels differ in their size; {DAMAGED}"
            )
    for frame in array.reshape(shape):
        yield np.array(frame)
