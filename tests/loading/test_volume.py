import builtins
import gzip

import numpy as np
import pytest

from usmicro.errors import CodecError, ScanError
from usmicro.loading import load
from usmicro.loading.discover import search_scans
from usmicro.loading.frame_count import declared_frames
from usmicro.settings import LoadingSettings

CINE = np.random.default_rng(1).integers(0, 256, (4, 20, 30), dtype=np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
NAMES = ("a.nii", "a.nii.gz", "a.nrrd", "a.mha")


def test_missing_library_is_named(tmp_path, monkeypatch):
    import_module = builtins.__import__

    def without_simpleitk(name, *arguments):
        if name == "SimpleITK":
            raise ImportError(name)
        return import_module(name, *arguments)

    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n")
    monkeypatch.setattr(builtins, "__import__", without_simpleitk)
    with pytest.raises(CodecError, match=r'a\.nrrd: reading NRRD .*"usmicro\[volumes\]"'):
        load(tmp_path / "a.nrrd")


def write(path, array, spacing=(0.1, 0.2, 0.5), direction=None, *, compressed=False):
    """Write an array as SimpleITK does: the last axis but colour is x."""
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(array, isVector=array.shape[-1] == 3)
    image.SetSpacing([float(value) for value in spacing[: image.GetDimension()]])
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path), compressed)
    return path


def frames_of(path):
    scan = load(path)
    decoded = np.stack(list(scan.frames()))
    assert decoded.shape[:3] == (scan.declared_frames, scan.rows, scan.columns)
    assert declared_frames(path) == scan.declared_frames
    return decoded, scan


@pytest.mark.parametrize("array", [CINE[0], COLOUR[0], CINE, COLOUR], ids=lambda a: str(a.shape))
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compressed", [False, True])
def test_volumes_are_read_as_they_were(tmp_path, capfd, name, array, compressed):
    path = write(tmp_path / name, array, compressed=compressed)
    decoded, scan = frames_of(path)
    np.testing.assert_array_equal(decoded, array if len(array) == 4 else array[np.newaxis])
    assert (scan.spacing.x_mm, scan.spacing.y_mm, scan.spacing.source) == (
        0.1,
        0.2,
        "pixel spacing",
    )
    slices = "4 slices, 0.5 mm apart according to the file, are read as the frames of a cine"
    assert scan.notes == ((slices,) if len(array) == 4 else ())
    assert scan.warnings == ()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["", ".dat"])
def test_format_is_recognised_by_content(tmp_path, name, suffix):
    path = write(tmp_path / name, CINE).rename(tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(frames_of(path)[0], CINE)
    assert [scan.name for scan in search_scans([tmp_path]).scans] == [path.name]


@pytest.mark.parametrize("name", NAMES)
def test_files_in_folders_are_found(tmp_path, name):
    write(tmp_path / name, CINE)
    assert [scan.name for scan in search_scans([tmp_path]).scans] == [name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["u2", "i2", "f4"])
def test_other_numbers_are_rescaled_by_the_highest_bit(tmp_path, name, dtype):
    array = CINE.astype(dtype) * 3
    decoded, scan = frames_of(write(tmp_path / name, array))
    np.testing.assert_allclose(decoded, array * (65535 / 1023), atol=0.5)
    assert "rescaled so that the highest bit" in scan.notes[0]


@pytest.mark.parametrize("name", NAMES)
def test_orientation_is_not_applied_and_noted(tmp_path, name):
    turned = (0, 1, 0, 1, 0, 0, 0, 0, -1)
    decoded, scan = frames_of(write(tmp_path / name, CINE, direction=turned))
    np.testing.assert_array_equal(decoded, CINE)
    assert "the orientation of the patient that the file gives is not applied" in scan.notes[-1]


@pytest.mark.parametrize("name", NAMES)
def test_one_mm_on_all_axes_is_no_spacing(tmp_path, name):
    scan = load(write(tmp_path / name, CINE, spacing=(1, 1, 1)))
    assert not scan.spacing.known
    assert scan.spacing.source == "none"
    assert scan.notes[0].startswith("a spacing of 1 mm on all axes")


def test_impossible_spacing_gives_a_warning(tmp_path):
    scan = load(write(tmp_path / "a.mha", CINE, spacing=(0.1, 30, 1)))
    assert scan.spacing.source == "rejected"
    assert [warning.code for warning in scan.warnings] == ["spacing-rejected"]


@pytest.mark.parametrize("shape", [(1, 4, 20, 30), (4, 1, 20, 30)])
@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.mha"])
def test_volume_or_series_with_an_axis_of_one_is_read(tmp_path, name, shape):
    path = write(tmp_path / name, CINE.reshape(shape), spacing=(0.1, 0.2, 0.5, 2))
    np.testing.assert_array_equal(frames_of(path)[0], CINE)


def test_several_volumes_are_refused(tmp_path):
    path = write(tmp_path / "a.nrrd", np.stack([CINE, CINE]), spacing=(0.1, 0.2, 0.5, 2))
    with pytest.raises(ScanError, match="found 30 x 20 x 4 x 2 values; save each volume"):
        load(path)


def test_pixels_of_other_kinds_are_refused(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(CINE.astype(np.complex64))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    with pytest.raises(ScanError, match="expected grey or RGB pixels, found vector"):
        load(tmp_path / "a.mha")
    image = sitk.GetImageFromArray(np.zeros((4, 20, 30, 2), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "b.mha"))
    with pytest.raises(ScanError, match="found 2 values for each"):
        load(tmp_path / "b.mha")


@pytest.mark.parametrize("name", ["a.nhdr", "a.mhd"])
def test_headers_without_pixels_are_refused(tmp_path, name):
    write(tmp_path / name, CINE)
    with pytest.raises(ScanError, match=rf"{name}: .*pixels are in another file; save both as one"):
        load(tmp_path / name)


def test_no_other_file_can_be_read_through_a_header(tmp_path):
    (tmp_path / "secret").write_bytes(CINE.tobytes())
    path = write(tmp_path / "a.mha", CINE)
    data = path.read_bytes().replace(
        b"ElementDataFile = LOCAL", f"ElementDataFile = {tmp_path}/secret".encode()
    )
    path.write_bytes(data)
    with pytest.raises(ScanError, match="in another file"):
        load(path)
    path = write(tmp_path / "a.nrrd", CINE)
    head, _ = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(head + f"\ndata file: {tmp_path}/secret\n\n".encode())
    with pytest.raises(ScanError, match="in another file"):
        load(path)


def test_size_limits_are_those_of_the_header(tmp_path):
    path = write(tmp_path / "a.nrrd", CINE)
    with pytest.raises(ScanError, match=r"600 pixels, above the limit of 599"):
        load(path, settings=LoadingSettings(largest_image=599))
    with pytest.raises(ScanError, match="declares 4 frames, above the limit of 3"):
        load(path, settings=LoadingSettings(most_frames=3))
    zeros = write(tmp_path / "b.mha", np.zeros((2, 1000, 1000), np.uint8), compressed=True)
    with pytest.raises(ScanError, match="take 2 MB, above the limit of 1 MB"):
        load(zeros, settings=LoadingSettings(largest_inflated=1))
    (tmp_path / "bomb.nii.gz").write_bytes(
        gzip.compress(write(tmp_path / "c.nii", CINE).read_bytes() + bytes(2**21))
    )
    with pytest.raises(ScanError, match="unpacks to more than 1 MB"):
        load(tmp_path / "bomb.nii.gz", settings=LoadingSettings(largest_inflated=1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
def test_truncated_files_are_refused(tmp_path, capfd, name, compressed, part):
    path = write(tmp_path / name, CINE, compressed=compressed)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ScanError, match=name):
        list(load(path).frames())
    if part > 0.5:  # of a damaged header, the library of MetaImage prints what is wrong
        assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nrrd", b"NRRD0004\ntype: uint8\ndimension: three\n\n"),
        ("a.mha", b"ObjectType = Image\nNDims = 99\nElementDataFile = LOCAL\n"),
        ("a.nii", (348).to_bytes(4, "little") + b"\3" * 500),
        ("a.nii.gz", b"\x1f\x8b\x08"),
    ],
)
def test_wrong_headers_are_refused(tmp_path, name, content):
    pytest.importorskip("SimpleITK")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScanError, match=name):
        load(tmp_path / name)
