"""Loading of NumPy arrays: .npy and .npz files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ImageError, ScanError
from usmicro.loading.bit_depth import display_frames, rescaling_notes
from usmicro.loading.formats import (
    TRUNCATED,
    check_frame_count,
    check_image_size,
    scan_errors,
)
from usmicro.loading.zip_archive import ZipMember, unpacked, zip_members
from usmicro.model.array_layout import ArrayLayout, layout_of
from usmicro.model.arrays import Frame
from usmicro.model.scan import LARGEST_ASPECT, Scan, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode, separated
from usmicro.settings import LoadingSettings

_PIXELS, _SPACING, _TIMES = ("frames", "image"), "spacing_mm", "frame_times"
"""Names of the arrays in an .npz file."""
_LARGEST_HEADER = 10_000
"""Longest header of an array that is read, characters; NumPy's own limit."""
_LARGEST_TABLE_MB = 8
"""Largest size of the arrays that are no pixels, MB: the times of `loading.most_frames` frames take
0.8 MB by default. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class _ArrayHeader:
    """What a file says about its array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bytes_of_file: int
    """Size of a complete file with this header."""


def load_array(path: Path, file_format: str, *, name: str, settings: LoadingSettings) -> Scan:
    """Read the header of an .npy or .npz file.

    The frames are read one at a time from the file, which is mapped into memory. An .npz file has
    the pixels under the name `frames` or `image`. It may have `spacing_mm`, the distance between
    pixel centres in mm (x, y, or one number for both), and `frame_times`, the time of each frame in
    s. No file may hold Python objects.

    Parameters
    ----------
    path : Path
    file_format : {"npy", "npz"}
    name : str
        Name of the image in tables.
    settings : LoadingSettings

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is damaged or too large, or if the array has another shape or type.
    """
    remarks: list[Remark] = []
    spacing = Spacing()
    times: tuple[float, ...] = ()
    member: ZipMember | None = None
    if file_format == "npz":
        members = _arrays_in(path)
        member = _pixels_in(path, members)
        unused = set(members) - {member.name.removesuffix(".npy"), _SPACING, _TIMES}
        if unused:
            remarks.append(f"{len(unused)} other arrays in the file are not used")
    array_file = _ArrayFile(path, member, settings.largest_inflated)
    with array_file.opened() as file:
        header = _read_header(path, file)
    named_frames = member is not None and member.name.removesuffix(".npy") == _PIXELS[0]
    layout = _checked_layout(path, header, settings, cine=named_frames)
    remarks += rescaling_notes(header.dtype)
    if file_format == "npz":
        spacing = _spacing(_small_array(path, members.get(_SPACING)), remarks)
        stored_times = _small_array(path, members.get(_TIMES))
        times = _frame_times(stored_times, layout.frames, remarks)
    notes, warnings = separated(remarks)
    return Scan(
        name,
        path,
        layout.rows,
        layout.columns,
        layout.frames,
        partial(
            display_frames,
            path,
            partial(_stored_frames, array_file, header, layout),
            uint8_as_stored=header.dtype == np.uint8 and layout.is_plain,
        ),
        spacing=spacing,
        decoder=f"NumPy {np.__version__}",
        notes=notes,
        warnings=warnings,
        frame_times=times,
    )


@dataclass(frozen=True, slots=True)
class _ArrayFile:
    """An .npy file, or one in an .npz file."""

    path: Path
    member: ZipMember | None
    largest_mb: int

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Give the path of the .npy file, which is a temporary copy if it is in an .npz file."""
        if self.member is None:
            yield self.path
            return
        with unpacked(self.path, self.member, largest_mb=self.largest_mb) as copy:
            yield copy


def _arrays_in(path: Path) -> dict[str, ZipMember]:
    """Return the arrays in an .npz file by their names."""
    return {
        member.name.removesuffix(".npy"): member
        for member in zip_members(path)
        if member.name.endswith(".npy")
    }


def _pixels_in(path: Path, members: dict[str, ZipMember]) -> ZipMember:
    """Return the array with the pixels in an .npz file."""
    found = [members[key] for key in _PIXELS if key in members]
    if len(found) != 1:
        what = "both" if found else f"{len(members)} arrays of other names"
        raise ScanError(
            f"{path}: expected one array with the name frames or image, found {what}; "
            "save the pixels as one of the two"
        )
    return found[0]


def _read_header(path: Path, file: Path) -> _ArrayHeader:
    """Read the header of an .npy file, without its content.

    Raises
    ------
    ScanError
        If the header is damaged, the array holds no numbers, or the file is truncated.
    """
    with scan_errors(path, "the header of the array cannot be read"), file.open("rb") as stream:
        shape, dtype = _shape_and_dtype(stream)
        offset = stream.tell()
    if dtype.hasobject or dtype.fields is not None or dtype.kind not in "buif":
        raise ScanError(
            f"{path}: expected an array of numbers, found the type {dtype.kind}; "
            "save the pixels as uint8 or uint16"
        )
    header = _ArrayHeader(shape, dtype, offset + math.prod(shape) * dtype.itemsize)
    if file.stat().st_size < header.bytes_of_file:
        raise ScanError(
            f"{path}: expected {header.bytes_of_file} bytes for an array of the shape {shape}, "
            f"found {file.stat().st_size}; {TRUNCATED}"
        )
    return header


def _shape_and_dtype(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an array; the stream then stands before its values."""
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version[0]}.{version[1]} of the format, expected 1.0 or 2.0")
    shape, _, dtype = read(stream, max_header_size=_LARGEST_HEADER)  # type: ignore[no-untyped-call]
    if any(length < 0 for length in shape):
        raise ValueError(f"a shape of {shape}")
    return shape, dtype


def _checked_layout(
    path: Path, header: _ArrayHeader, settings: LoadingSettings, *, cine: bool
) -> ArrayLayout:
    """Return which axes are frames, rows and columns; `cine` as in `layout_of`.

    Raises
    ------
    ScanError
        If the array has another number of axes, or is too large.
    """
    try:
        layout = layout_of(header.shape, cine=cine)
    except ImageError as error:
        raise ScanError(f"{path}: {error}") from error
    check_image_size(path, layout.rows, layout.columns, settings.largest_image)
    check_frame_count(path, layout.frames, settings.most_frames)
    return layout


def _stored_frames(
    array_file: _ArrayFile, header: _ArrayHeader, layout: ArrayLayout
) -> Iterator[Frame]:
    """Yield the frames as they are stored."""
    with array_file.opened() as file:
        if file.stat().st_size < header.bytes_of_file:
            raise ScanError(f"{array_file.path}: the file has changed: run again")
        with scan_errors(array_file.path, "the array cannot be read"):
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        if array.shape != header.shape or array.dtype != header.dtype:
            raise ScanError(f"{array_file.path}: the file has changed: run again")
        native = header.dtype.newbyteorder("=")
        for frame in array if layout.is_cine else array[np.newaxis]:
            yield np.array(frame, dtype=native, order="C")


def _small_array(path: Path, member: ZipMember | None) -> NDArray[np.float64] | None:
    """Return an array of numbers that are no pixels; None if the file has none or no numbers."""
    if member is None:
        return None
    with unpacked(path, member, largest_mb=_LARGEST_TABLE_MB) as file:
        header = _read_header(path, file)
        with scan_errors(path, f"the array {member.name} cannot be read"):
            values = np.load(file, allow_pickle=False, max_header_size=_LARGEST_HEADER)
    return np.asarray(values, dtype=np.float64) if header else None


def _spacing(values: NDArray[np.float64] | None, remarks: list[Remark]) -> Spacing:
    """Return the spacing of the file; a wrong one gives a warning and is not used."""
    if values is None:
        return Spacing()
    flat = values.reshape(-1)
    if flat.size in (1, 2) and np.isfinite(flat).all() and (flat > 0).all():
        x_mm, y_mm = float(flat[0]), float(flat[-1])
        if 1 / LARGEST_ASPECT <= y_mm / x_mm <= LARGEST_ASPECT:
            return Spacing(x_mm, y_mm, "pixel spacing")
    text = "spacing_mm of the file is not one or two positive numbers of similar size"
    remarks.append(ScanWarning(WarningCode.SPACING_REJECTED, text))
    return Spacing(source="rejected")


def _frame_times(
    values: NDArray[np.float64] | None, frames: int, remarks: list[Remark]
) -> tuple[float, ...]:
    """Return the time of each frame since the first in s; wrong ones give a note."""
    if values is None or frames < 2:
        return ()
    if values.shape == (frames,) and np.isfinite(values).all() and (np.diff(values) >= 0).all():
        return tuple((values - values[0]).tolist())
    remarks.append(
        f"frame_times of the file are not used: expected {frames} numbers in ascending order"
    )
    return ()
