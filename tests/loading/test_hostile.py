"""Files whose headers declare far more data than they have.

Each must be refused or read within a limit of time and memory.
"""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from usmicro.phantom import PhantomSettings, simulate, write_dicom

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the memory limits of Linux")
MEGABYTES = 600
"""Memory that loading may use, MB."""
SECONDS = 60
"""Time that loading may take."""
PROGRAM = f"""
import resource, sys
import cv2, numpy, pydicom, PIL.Image, usmicro
from usmicro.loading import load
from usmicro.errors import UsmicroError
from usmicro.settings import LoadingSettings
status = open('/proc/self/status').read().splitlines()
used = int(next(line for line in status if line.startswith('VmData')).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + {MEGABYTES} * 2**20,) * 2)
for path in sys.argv[1:]:
    try:
        scan = load(path, settings=LoadingSettings(largest_inflated=200))
        for number, frame in zip(range(3), scan.frames()):
            pass
        print('read', scan.rows, scan.columns, scan.declared_frames)
    except UsmicroError as error:
        print('refused:', error)
"""


def outcome(*files: Path) -> str:
    """Load files in a process with little memory; return its last line, for the last file."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == len(files)
    assert all(line.startswith(("read", "refused")) for line in lines)
    return lines[-1]


@pytest.fixture(scope="module")
def phantom():
    return simulate(
        1,
        PhantomSettings(
            width=6.0,
            depth=6.0,
            spacing=0.2,
            anatomy=False,
            masses=0,
            ducts=0,
            intramass=0,
            intraductal=0,
            extramass=0,
        ),
    )


@pytest.fixture
def dicom(tmp_path, phantom):
    """Return a function that writes a small DICOM file with some attributes replaced."""

    def write(**changes) -> Path:
        file = write_dicom(phantom, tmp_path / "scan.dcm")
        dataset = pydicom.dcmread(file)
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(file)
        return file

    return write


def png(size: tuple[int, int], *chunks: tuple[bytes, bytes]) -> bytes:
    """Return an 8-bit grey PNG file of a size (columns, rows) from types and contents of chunks."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, content in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        parts.append(
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )
    return b"".join(parts)


def test_png_of_absurd_size_is_refused_by_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(
        png((60_000, 60_000), (b"IDAT", zlib.compress(bytes(10_000_000))))
    )
    assert "largest_image" in outcome(tmp_path / "bomb.png")


def test_compressed_text_in_a_png_is_not_decompressed_without_limit(tmp_path):
    text = b"key\0\0" + zlib.compress(bytes(500_000_000), 9)
    pixels = zlib.compress(bytes(33 * 32))
    (tmp_path / "text.png").write_bytes(png((32, 32), (b"zTXt", text), (b"IDAT", pixels)))
    assert outcome(tmp_path / "text.png")


@pytest.mark.parametrize("side", ["Rows", "Columns"])
def test_dicom_image_of_absurd_size_is_refused(dicom, side):
    assert "refused" in outcome(dicom(**{side: 65535}))


def test_absurd_number_of_frames_is_refused(dicom):
    assert "most_frames" in outcome(dicom(NumberOfFrames=2_000_000_000))
    assert "refused" in outcome(dicom(NumberOfFrames=99_999))


def test_deeply_nested_sequences_are_refused_or_read(dicom, tmp_path):
    file = dicom()
    depth = 20_000
    begin = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    head = file.read_bytes()
    meta = pydicom.dcmread(file).file_meta
    start = 144 + meta.FileMetaInformationGroupLength
    (tmp_path / "deep.dcm").write_bytes(head[:start] + begin * depth)
    assert "refused" in outcome(tmp_path / "deep.dcm")
    inner = Dataset()
    for _ in range(50):
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner])
        inner = outer
    assert "read" in outcome(dicom(ReferencedImageSequence=Sequence([inner])))


def test_wrong_length_of_the_pixel_data_gives_a_scan_or_an_error(dicom, tmp_path):
    data = dicom().read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OB")
    for number, length in enumerate((0xFFFFFFFE, 0x7FFFFFFF, 1, 0)):
        (tmp_path / f"{number}.dcm").write_bytes(
            data[: at + 8] + struct.pack("<L", length) + data[at + 12 :]
        )
    assert outcome(*(tmp_path / f"{number}.dcm" for number in range(4)))


def test_wrong_length_in_the_header_is_refused(dicom, tmp_path):
    data = dicom().read_bytes()
    at = data.index(b"\x02\x00\x01\x00OB\0\0")
    for number, length in enumerate((0xFFFFFFF0, 0x7FFFFFFE)):
        (tmp_path / f"{number}.dcm").write_bytes(
            data[: at + 8] + struct.pack("<L", length) + data[at + 12 :]
        )
    assert "refused" in outcome(*(tmp_path / f"{number}.dcm" for number in range(2)))


def test_offsets_beyond_the_file_give_a_scan_or_an_error(phantom, tmp_path):
    from dataclasses import replace

    cine = replace(phantom, frames=np.concatenate([phantom.frames] * 3))
    file = write_dicom(cine, tmp_path / "cine.dcm", compression="rle")
    dataset = pydicom.dcmread(file)
    for offsets in ((0, 0xFFFFFFF0, 0xFFFFFFFE), (0xFFFFFFF0,) * 3, (8, 4, 2)):
        table = struct.pack("<HHL3L", 0xFFFE, 0xE000, 12, *offsets)
        dataset.PixelData = (
            table + dataset.PixelData[8 + struct.unpack("<L", dataset.PixelData[4:8])[0] :]
        )
        dataset.save_as(tmp_path / f"{offsets[1]}.dcm")
    dataset.ExtendedOffsetTable = struct.pack("<3Q", 0, 2**62, 2**63)
    dataset.ExtendedOffsetTableLengths = struct.pack("<3Q", 2**62, 2**62, 2**63)
    dataset.save_as(tmp_path / "extended.dcm")
    assert outcome(*sorted(tmp_path.glob("*.dcm")))


def test_deflated_file_of_absurd_size_is_refused(dicom, tmp_path):
    file = dicom()
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    dataset.save_as(file)
    head = file.read_bytes()
    start = 144 + pydicom.dcmread(file).file_meta.FileMetaInformationGroupLength
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()
    (tmp_path / "bomb.dcm").write_bytes(head[:start] + packed)
    assert len(packed) < 2_500_000
    assert "largest_inflated" in outcome(tmp_path / "bomb.dcm")


def test_loop_of_tiff_pages_gives_a_scan_or_an_error(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(stream, "TIFF")
    data = bytearray(stream.getvalue())
    first = struct.unpack("<L", data[4:8])[0]
    entries = struct.unpack("<H", data[first : first + 2])[0]
    next_page = first + 2 + 12 * entries
    data[next_page : next_page + 4] = struct.pack("<L", first)  # the next page is this one
    (tmp_path / "circle.tif").write_bytes(data)
    assert outcome(tmp_path / "circle.tif")
