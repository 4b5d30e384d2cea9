"""Loading of volumes: NIfTI, NRRD and MetaImage files, through SimpleITK.

The slices of a volume are frames. Axes are taken as the file stores them: the first axis (fastest)
runs along a row, the second down a column, the third from frame to frame. The orientation of the
patient is not applied, since few ultrasound files have one that is true.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import CodecError, ScanError
from usmicro.loading.bit_depth import display_frames, rescaling_notes
from usmicro.loading.formats import (
    DAMAGED,
    TRUNCATED,
    check_frame_count,
    check_image_size,
    scan_errors,
)
from usmicro.loading.temporary import temporary_folder
from usmicro.model.arrays import Frame
from usmicro.model.scan import LARGEST_ASPECT, Scan, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode, separated
from usmicro.settings import LoadingSettings

_NAMES = {"nifti": "NIfTI", "nrrd": "NRRD", "metaimage": "MetaImage"}
_READERS = {"nifti": "NiftiImageIO", "nrrd": "NrrdImageIO", "metaimage": "MetaImageIO"}
"""Readers of SimpleITK. The reader is given, so that the content decides, not the suffix."""
_LONGEST_TEXT_HEADER = 2**20
"""Longest header of a text format that is searched, bytes. Chosen by judgement."""
_DETACHED = re.compile(
    rb"^\s*(data\s*file\s*:|ElementDataFile\s*[=:](?![ \t]*LOCAL[ \t\r]*$))",
    re.MULTILINE | re.IGNORECASE,
)
"""Line of a header of NRRD or MetaImage that names another file with the pixels."""
_END_OF_HEADER = {
    "nrrd": re.compile(rb"\n\r?\n"),
    "metaimage": re.compile(
        rb"^\s*ElementDataFile\s*[=:][^\n]*(\n|$)", re.MULTILINE | re.IGNORECASE
    ),
}
_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 2**18
"""Number of bytes that are unpacked at a time. Chosen by judgement."""
_IDENTITY_TOLERANCE = 1e-4
"""Largest difference of a direction from the axes of the file that is rounding. Chosen by
judgement."""


@dataclass(frozen=True, slots=True)
class _VolumeFile:
    """A file and how it is opened."""

    path: Path
    file_format: str
    largest_mb: int

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Give the path of a file that SimpleITK reads.

        It reads NIfTI only from a file with the suffix .nii. A compressed file is unpacked here,
        since SimpleITK gives the values of a truncated one without a message.
        """
        if self.file_format != "nifti":
            yield self.path
            return
        with self.path.open("rb") as file:
            is_compressed = file.read(2) == _GZIP
        if not is_compressed and self.path.suffix == ".nii":
            yield self.path
            return
        with temporary_folder() as folder:
            copy = folder / "scan.nii"
            if is_compressed:
                _gunzip(self.path, copy, self.largest_mb)
            else:
                try:
                    copy.symlink_to(self.path.resolve())
                except OSError:  # Windows allows links only to some users
                    shutil.copyfile(self.path, copy)
            yield copy


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
    volume = _VolumeFile(path, file_format, settings.largest_inflated)
    problem = f"expected a {_NAMES[file_format]} file, but it cannot be read"
    with scan_errors(path, problem), volume.opened() as file:
        _check_not_detached(path, file, file_format)
        reader = _reader(sitk, file, file_format)
        reader.ReadImageInformation()
        size, spacings = reader.GetSize(), reader.GetSpacing()
        components, direction = reader.GetNumberOfComponents(), reader.GetDirection()
        dtype = _dtype(sitk, path, reader.GetPixelID())
        if file_format == "nifti":
            _check_nifti_size(path, file, size, components, dtype)
        elif file_format == "metaimage":
            _check_metaimage_size(path, size, components, dtype)
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
        partial(display_frames, path, partial(_stored_frames, volume, frames, rows, columns)),
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
            f"{path}: reading {_NAMES[file_format]} needs SimpleITK, which is not installed; "
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


def _check_not_detached(path: Path, file: Path, file_format: str) -> None:
    """Refuse a header that names another file with the pixels: it could be any file.

    Raises
    ------
    ScanError
    """
    with file.open("rb") as stream:
        head = stream.read(_LONGEST_TEXT_HEADER)
    if file_format == "nifti":
        is_detached = head[344:347] != b"n+1" and head[4:7] != b"n+2"
    else:
        end = _END_OF_HEADER[file_format].search(head)
        is_detached = end is None or bool(_DETACHED.search(head[: end.end()]))
    if is_detached:
        raise ScanError(
            f"{path}: expected a {_NAMES[file_format]} file that holds its pixels, found one whose "
            "pixels are in another file; save both as one file: .nii, .nrrd or .mha"
        )


def _gunzip(path: Path, copy: Path, largest_mb: int) -> None:
    """Unpack a gzip file with a limit on its size.

    Raises
    ------
    ScanError
        If it is damaged, truncated or too large.
    """
    inflate, size = zlib.decompressobj(zlib.MAX_WBITS | 16), 0
    with path.open("rb") as file, copy.open("wb") as unpacked:
        while not inflate.eof:
            data = inflate.unconsumed_tail or file.read(_BLOCK_BYTES)
            if not data:
                raise ScanError(f"{path}: the compressed data end too early; {TRUNCATED}")
            block = inflate.decompress(data, _BLOCK_BYTES)
            size += len(block)
            if size > largest_mb * 2**20:
                raise ScanError(
                    f"{path}: unpacks to more than {largest_mb} MB. "
                    "If that is correct, set loading.largest_inflated higher"
                )
            unpacked.write(block)


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


def _check_nifti_size(
    path: Path, file: Path, size: tuple[int, ...], components: int, dtype: np.dtype[Any]
) -> None:
    """Refuse a truncated NIfTI file, which SimpleITK fills up without a message.

    With a scale in its header, SimpleITK gives floating-point numbers, but fewer bits may be
    stored. The number of bits is therefore read from the header.

    Raises
    ------
    ScanError
    """
    with file.open("rb") as stream:
        head = stream.read(540)
    is_second = len(head) >= 8 and head[4:7] == b"n+2"
    order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
    if is_second:
        (bits,) = struct.unpack_from(f"{order}h", head, 14)
        (offset,) = struct.unpack_from(f"{order}q", head, 168)
    else:
        (bits,) = struct.unpack_from(f"{order}h", head, 72)
        (offset,) = struct.unpack_from(f"{order}f", head, 108)
    stored = bits // 8 if bits > 0 else components * dtype.itemsize
    needed = int(offset) + int(np.prod(size, dtype=np.uint64)) * stored
    if file.stat().st_size < needed:
        raise ScanError(
            f"{path}: expected {needed} bytes, found {file.stat().st_size}; {TRUNCATED}"
        )


def _check_metaimage_size(
    path: Path, size: tuple[int, ...], components: int, dtype: np.dtype[Any]
) -> None:
    """Refuse a truncated MetaImage file, for which the library prints a message of its own.

    Raises
    ------
    ScanError
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST_TEXT_HEADER)
    end = _END_OF_HEADER["metaimage"].search(head)
    fields = dict(
        re.findall(rb"^\s*(\w+)\s*[=:]\s*(\S*)", head[: end.end() if end else 0], re.MULTILINE)
    )
    if fields.get(b"BinaryData", b"True").lower() == b"false" or b"HeaderSize" in fields:
        return
    needed = int(np.prod(size, dtype=np.uint64)) * components * dtype.itemsize
    if fields.get(b"CompressedData", b"False").lower() == b"true":
        needed = int(fields.get(b"CompressedDataSize", b"0"))
    needed += end.end() if end else 0
    if path.stat().st_size < needed:
        raise ScanError(
            f"{path}: expected {needed} bytes, found {path.stat().st_size}; {TRUNCATED}"
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


def _stored_frames(volume: _VolumeFile, frames: int, rows: int, columns: int) -> Iterator[Frame]:
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
