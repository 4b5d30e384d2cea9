import io
import zipfile

import numpy as np
import pytest

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.loading.discover import search_scans
from usmicro.loading.frame_count import declared_frames
from usmicro.model.scan import Scan
from usmicro.settings import LoadingSettings

CINE = np.random.default_rng(1).integers(0, 256, (5, 20, 30), dtype=np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)


def npy(path, array):
    np.save(path, array)
    return path


def npz(path, *, compressed=True, **arrays):
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def frames_of(path, **arguments):
    scan = load(path, **arguments)
    decoded = np.stack(list(scan.frames()))
    assert decoded.shape[:3] == (scan.declared_frames, scan.rows, scan.columns)
    assert declared_frames(path) == scan.declared_frames
    return decoded, scan


@pytest.mark.parametrize("array", [CINE[0], COLOUR[0], CINE, COLOUR], ids=lambda a: str(a.shape))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["npy", "npz", "npz without compression"])
def test_arrays_are_read_as_they_were(tmp_path, array, order, kind):
    stored = np.asarray(array, order=order)
    if kind == "npy":
        path = npy(tmp_path / "a.npy", stored)
    else:
        key = "image" if array is CINE[0] else "frames"
        path = npz(tmp_path / "a.npz", compressed=kind == "npz", **{key: stored})
    decoded, scan = frames_of(path)
    expected = array if array.shape[0] == 5 else array[np.newaxis]
    np.testing.assert_array_equal(decoded, expected)
    assert decoded.dtype == np.uint8
    assert (scan.notes, scan.warnings, scan.spacing.known) == ((), (), False)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i2", "<i4", "<f4", "<f8"])
@pytest.mark.parametrize("top", [200, 1000, 30000])
def test_other_numbers_are_rescaled_by_the_highest_bit(tmp_path, dtype, top):
    array = (CINE.astype(np.int64) * top // 255).astype(dtype)
    array.flat[0] = top
    decoded, scan = frames_of(npy(tmp_path / "a.npy", array))
    white = 2 ** max(8, top.bit_length()) - 1
    largest = 255 if white == 255 else 65535
    assert decoded.dtype == (np.uint8 if white == 255 else np.uint16)
    np.testing.assert_allclose(decoded, array.astype(float) * largest / white, atol=0.5)
    assert "rescaled so that the highest bit" in scan.notes[0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (CINE / 255.0 * 2 + 254, "have fractions, expected floats from 0 to 1"),
        (np.where(CINE > 3, np.nan, 1.0), "not finite"),
        (CINE.astype(int) - 300, "range from -300"),
        (CINE.astype(int) * 1000, "expected 0 to 65535"),
    ],
)
def test_values_without_a_display_brightness_are_refused(tmp_path, array, message):
    scan = load(npy(tmp_path / "a.npy", array))
    with pytest.raises(ScanError, match=message):
        list(scan.frames())


def test_a_short_cine_is_told_from_a_colour_image_by_the_name_in_the_file(tmp_path):
    short = CINE[:3]
    with pytest.raises(ScanError, match=r"may be a grey cine of 3 frames, or .* name frames"):
        load(npy(tmp_path / "a.npy", short))
    decoded, _ = frames_of(npz(tmp_path / "a.npz", frames=short))
    np.testing.assert_array_equal(decoded, short)


def test_a_file_follows_the_rule_of_arrays_in_memory(tmp_path):
    alpha = np.concatenate([COLOUR, COLOUR[..., :1]], axis=3)
    for array in (CINE / 255.0, CINE > 99, CINE * 0.7, CINE[..., np.newaxis], alpha, alpha[0]):
        decoded, _ = frames_of(npy(tmp_path / "a.npy", array))
        in_memory = np.stack(list(Scan.of_array(array).frames()))
        np.testing.assert_array_equal(decoded, in_memory)


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}, None]),
        np.zeros((3, 4), dtype=[("a", "u1"), ("b", "u2")]),
        np.zeros((3, 4), dtype=complex),
        np.full((3, 4), "text"),
    ],
    ids=["objects", "fields", "complex", "text"],
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays_of_other_types_are_refused_without_being_read(tmp_path, array, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, frames=array)
    with pytest.raises(ScanError, match="expected an array of numbers, found the type"):
        load(path)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5), (2, 2, 3, 4, 3), (0, 4), (0, 4, 5)])
def test_arrays_of_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ScanError, match=r"a\.npy: .*(expected an array of the shape|rows|frames)"):
        load(npy(tmp_path / "a.npy", np.zeros(shape, np.uint8)))


def test_size_limits_are_those_of_the_header(tmp_path):
    path = npy(tmp_path / "a.npy", CINE)
    with pytest.raises(ScanError, match=r"600 pixels, above the limit of 599"):
        load(path, settings=LoadingSettings(largest_image=599))
    with pytest.raises(ScanError, match="declares 5 frames, above the limit of 4"):
        load(path, settings=LoadingSettings(most_frames=4))
    zeros = npz(tmp_path / "a.npz", frames=np.zeros((2, 1000, 1000), np.uint8))
    with pytest.raises(ScanError, match="unpacks to 2 MB, above the limit of 1 MB"):
        load(zeros, settings=LoadingSettings(largest_inflated=1))


def test_declared_size_beyond_the_file_is_refused_before_memory_is_taken(tmp_path):
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (9000, 9000, 9000)}
    np.lib.format.write_array_header_1_0(stream, header)
    (tmp_path / "a.npy").write_bytes(stream.getvalue() + b"few bytes")
    with pytest.raises(ScanError, match=r"expected 729000000128 bytes .* truncated"):
        load(tmp_path / "a.npy")


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize("part", [0.01, 0.05, 0.5, 0.999])
def test_truncated_files_are_refused(tmp_path, kind, part):
    path = tmp_path / f"a.{kind}"
    npy(path, CINE) if kind == "npy" else npz(path, frames=CINE)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ScanError, match=rf"a\.{kind}: "):
        list(load(path).frames())


@pytest.mark.parametrize(
    "content",
    [b"\x93NUMPY\x01\0\x10\0{'descr': '|u1'}", b"\x93NUMPY\x09\0", b"\x93NUMPY\x01\0\xff\xff"],
)
def test_wrong_headers_are_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ScanError, match="the header of the array cannot be read"):
        load(tmp_path / "a.npy")


def test_spacing_and_times_of_an_npz_file(tmp_path):
    path = npz(
        tmp_path / "a.npz", frames=CINE, spacing_mm=[0.1, 0.2], frame_times=[5, 5.5, 6, 7, 8], x=[1]
    )
    scan = load(path)
    assert (scan.spacing.x_mm, scan.spacing.y_mm, scan.spacing.source) == (
        0.1,
        0.2,
        "pixel spacing",
    )
    assert scan.frame_times == (0, 0.5, 1, 2, 3)
    assert scan.notes == ("1 other arrays in the file are not used",)
    scan = load(npz(tmp_path / "b.npz", image=CINE[0], spacing_mm=0.08))
    assert (scan.spacing.x_mm, scan.spacing.y_mm) == (0.08, 0.08)


@pytest.mark.parametrize("spacing", [[0.1, -0.1], [np.nan], [0.1, 0.2, 0.3], [], [0.1, 10]])
def test_wrong_spacing_gives_a_warning(tmp_path, spacing):
    scan = load(npz(tmp_path / "a.npz", frames=CINE, spacing_mm=spacing))
    assert (scan.spacing.known, scan.spacing.source) == (False, "rejected")
    assert [warning.code for warning in scan.warnings] == ["spacing-rejected"]


@pytest.mark.parametrize("times", [[0, 1, 2], [0, 2, 1, 3, 4], [0, 1, 2, 3, np.inf]])
def test_wrong_times_give_a_note(tmp_path, times):
    scan = load(npz(tmp_path / "a.npz", frames=CINE, frame_times=times))
    assert scan.frame_times == ()
    assert scan.notes[0].startswith("frame_times of the file are not used: expected 5 numbers")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": CINE}, "found 1 arrays of other names"),
        ({"image": CINE, "frames": CINE}, "both"),
    ],
)
def test_npz_files_without_pixels_are_refused(tmp_path, arrays, message):
    with pytest.raises(ScanError, match=f"expected one array .* frames or image, .*{message}"):
        load(npz(tmp_path / "a.npz", **arrays))


def test_arrays_are_found_in_folders_and_zip_archives(tmp_path):
    npy(tmp_path / "a.npy", CINE)
    npz(tmp_path / "b.npz", frames=CINE)
    (tmp_path / "array").write_bytes((tmp_path / "a.npy").read_bytes())
    (tmp_path / "arrays").write_bytes((tmp_path / "b.npz").read_bytes())
    names = ["a.npy", "array", "arrays", "b.npz"]
    assert [scan.name for scan in search_scans([tmp_path]).scans] == names
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in names:
            archive.write(tmp_path / name, name)
    assert [scan.name for scan in search_scans([tmp_path / "all.zip"]).scans] == names
    np.testing.assert_array_equal(frames_of(tmp_path / "arrays")[0], CINE)
