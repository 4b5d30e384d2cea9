import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from usmicro.errors import UsageError
from usmicro.writing import encode_png, write_atomically
from usmicro.writing.files import cannot_write, replacing


def test_writing_leaves_only_the_complete_file(tmp_path):
    write_atomically(tmp_path / "a" / "b.txt", b"one")
    write_atomically(tmp_path / "a" / "b.txt", b"two")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_a_failure_keeps_the_earlier_file(tmp_path):
    write_atomically(tmp_path / "b.txt", b"one")

    def fail():
        with replacing(tmp_path / "b.txt") as file:
            file.write(b"tw")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "b.txt").read_bytes() == b"one"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path):
    (tmp_path / "a").write_text("no folder")
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path / "a" / "b.txt", b"one")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named_in_the_error():
    with (
        pytest.raises(OSError, match="No space") as caught,
        open("/dev/full", "wb", buffering=0) as file,
    ):
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC
    assert "disk is full" in str(cannot_write(Path("r/foci.csv"), caught.value))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1)])
def test_png_is_decoded_to_the_same_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    decoded = cv2.imdecode(np.frombuffer(encode_png(image), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded if len(shape) == 2 else decoded[..., ::-1], image)
    assert encode_png(image) == encode_png(image.copy())
