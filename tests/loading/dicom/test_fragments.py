import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import compress

from usmicro.errors import CodecError, ScanError
from usmicro.loading import load
from usmicro.loading.dicom.fragments import encapsulated_frames
from usmicro.settings import LoadingSettings

JPEG = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
FRAMES = [b"first frame!", b"second", b"third frame, which is longer.."]


def item(data, tag=0xE000):
    """Return an item of encapsulated pixel data."""
    return struct.pack("<HHL", 0xFFFE, tag, len(data)) + data


def encapsulated(fragments, *, offsets=(), end=True):
    """Return the pixel data of frames, each given as a list of fragments."""
    body = b"".join(item(part) for frame in fragments for part in frame)
    return (
        item(struct.pack(f"<{len(offsets)}L", *offsets))
        + body
        + (item(b"", 0xE0DD) if end else b"")
    )


def frame_offsets(fragments):
    """Return the offset at which each frame begins, as in a basic offset table."""
    lengths = [sum(len(part) + 8 for part in frame) for frame in fragments]
    return [sum(lengths[:i]) for i in range(len(lengths))]


def read_frames(data, declared_frames, extended_table=None):
    """Return the bytes of the frames that are found in pixel data."""
    frames, count = encapsulated_frames(io.BytesIO(data), declared_frames, extended_table)
    assert count >= max(declared_frames, len(frames))
    return [b"".join(data[a : a + n] for a, n in frame) for frame in frames]


WHOLE = [[frame] for frame in FRAMES]
SPLIT = [[frame[:4], frame[4:]] for frame in FRAMES]
JPEGS = [[b"\xff\xd8\xff" + frame[:4], frame[4:] + b"\xff\xd9"] for frame in FRAMES]


@pytest.mark.parametrize(
    ("fragments", "table"),
    [(WHOLE, True), (WHOLE, False), (SPLIT, True), (JPEGS, True), (JPEGS, False)],
    ids=str,
)
def test_frames_are_found_by_table_and_by_content(fragments, table):
    data = encapsulated(fragments, offsets=frame_offsets(fragments) if table else ())
    assert read_frames(data, 3) == [b"".join(frame) for frame in fragments]


def test_all_fragments_form_the_only_frame():
    assert read_frames(encapsulated(SPLIT), 1) == [b"".join(FRAMES)]


def test_frames_are_found_by_the_extended_offset_table():
    tables = struct.pack("<3Q", *frame_offsets(WHOLE)), struct.pack("<3Q", *map(len, FRAMES))
    assert read_frames(encapsulated(WHOLE), 3, tables) == FRAMES
    assert read_frames(encapsulated(WHOLE)[:-20], 3, tables) == FRAMES[:2]


def test_wrong_offset_table_is_ignored():
    assert read_frames(encapsulated(WHOLE, offsets=[0, 7, 9]), 3) == FRAMES
    assert read_frames(encapsulated(WHOLE, offsets=[0, 0, 0]), 3) == FRAMES


@pytest.mark.parametrize(
    ("fragments", "table"),
    [(WHOLE, True), (WHOLE, False), (SPLIT, True), (JPEGS, True), (JPEGS, False)],
    ids=str,
)
def test_truncation_loses_only_the_frames_behind_it(fragments, table):
    data = encapsulated(fragments, offsets=frame_offsets(fragments) if table else ())
    first = len(data) - 8 - sum(len(part) + 8 for frame in fragments for part in frame)
    ends = [first + end for end in [*frame_offsets(fragments)[1:], len(data) - 8 - first]]
    for length in range(len(data)):
        whole = sum(end <= length for end in ends)
        frames = read_frames(data[:length], 3)
        assert frames[:whole] == [b"".join(frame) for frame in fragments][:whole]
        # between two fragments of the last frame only the decoder can notice that it is incomplete
        assert len(frames) <= whole + (len(fragments[0]) > 1 and length > first)


def jpegs(frames, **options):
    """Return each frame as a JPEG stream."""
    encoded = []
    for frame in frames:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=95, **options)
        encoded.append(stream.getvalue())
    return encoded


@pytest.mark.parametrize("table", [True, False])
def test_jpeg_cine_is_read_with_and_without_offset_table(write_dicom, cine, table):
    scan = load(
        write_dicom(
            cine,
            syntax=JPEG,
            encoded=jpegs(cine),
            table=table,
            PhotometricInterpretation="YBR_FULL_422",
        )
    )
    frames = np.stack(list(scan.frames()))
    assert np.abs(frames.astype(int) - cine).mean() < 3
    assert "with pillow, JPEG Baseline" in scan.decoder


def test_jpeg_declared_as_rgb_has_the_right_colours_and_a_note(write_dicom, cine):
    scan = load(
        write_dicom(cine, syntax=JPEG, encoded=jpegs(cine), PhotometricInterpretation="RGB")
    )
    assert np.abs(np.stack(list(scan.frames())).astype(int) - cine).mean() < 3
    assert any("JFIF" in note for note in scan.notes)


def test_truncated_jpeg_cine_is_refused_unless_truncated_files_are_kept(write_dicom, cine):
    encoded = jpegs(cine)
    path = write_dicom(
        cine,
        syntax=JPEG,
        encoded=encoded,
        table=False,
        PhotometricInterpretation="YBR_FULL_422",
        cut=len(encoded[-1]) // 2,
    )
    with pytest.raises(ScanError, match="7 of 8 frames could be read; the file is truncated"):
        list(load(path).frames())
    kept = load(path, settings=LoadingSettings(keep_truncated=True))
    assert len(list(kept.frames())) == 7
    assert any("7 of 8" in note for note in kept.notes)


def test_frame_without_jpeg_stream_is_named(write_dicom, cine, capfd):
    encoded = jpegs(cine)
    encoded[3] = encoded[3][:2] + b"\0" * len(encoded[3])
    scan = load(
        write_dicom(cine, syntax=JPEG, encoded=encoded, PhotometricInterpretation="YBR_FULL_422")
    )
    with pytest.raises(ScanError, match="frame 4 of 8 contains no JPEG stream"):
        list(scan.frames())
    assert capfd.readouterr() == ("", "")


def test_stream_of_another_size_is_refused_before_decoding(write_dicom, cine):
    large = jpegs([np.zeros((480, 640, 3), np.uint8)] * 8)
    with pytest.raises(ScanError, match="480 rows x 640 columns, expected 48 rows x 64 columns"):
        load(
            write_dicom(cine, syntax=JPEG, encoded=large, PhotometricInterpretation="YBR_FULL_422")
        )


def test_rle_cine_is_read(write_dicom, cine):
    path = write_dicom(cine)
    dataset = dcmread(path)
    compress(dataset, RLE)
    dataset.save_as(path)
    np.testing.assert_array_equal(np.stack(list(load(path).frames())), cine)


@pytest.mark.parametrize(
    ("syntax", "module"),
    [
        ("1.2.840.10008.1.2.4.80", "jpeg_ls"),
        ("1.2.840.10008.1.2.4.90", "openjpeg"),
        ("1.2.840.10008.1.2.4.70", "gdcm"),
    ],
)
@pytest.mark.parametrize("has_16_bits", [False, True])
def test_lossless_codecs_keep_the_pixels(write_dicom, cine, syntax, module, has_16_bits):
    pytest.importorskip(module, reason="needs usmicro[codecs]")
    grey_16_bit = np.linspace(0, 65535, 2 * 40 * 50).astype(np.uint16).reshape(2, 40, 50)
    pixels = grey_16_bit if has_16_bits else cine
    path = write_dicom(pixels)
    if module == "gdcm":
        compress_with_gdcm(path)
    else:
        dataset = dcmread(path)
        compress(dataset, syntax)
        dataset.save_as(path)
    scan = load(path)
    np.testing.assert_array_equal(np.stack(list(scan.frames())), pixels)
    assert scan.decoder.count(" with ") == 1


def compress_with_gdcm(path):
    """Rewrite a file as lossless JPEG, which pydicom does not encode."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("number", [57, 70, 80, 81, 90, 91, 201])
def test_error_for_a_missing_codec_names_file_syntax_and_remedy(
    write_dicom, cine, monkeypatch, number
):
    from pydicom.pixels.common import CoderBase

    monkeypatch.setattr(CoderBase, "available_plugins", property(lambda self: ()))
    monkeypatch.setattr("usmicro.loading.dicom.pixels.find_spec", lambda module: None)
    path = write_dicom(cine, syntax=f"1.2.840.10008.1.2.4.{number}", encoded=[b"unread"] * 8)
    with pytest.raises(
        CodecError,
        match=rf"{path}.*1\.2\.840\.10008\.1\.2\.4\.{number}.*pip install \"usmicro\[codecs\]\"",
    ):
        load(path)


def test_frame_with_a_damaged_stream_is_named(write_dicom, cine):
    encoded = jpegs(cine)
    encoded[3] = encoded[3][:300] + b"\xff\xd9"
    scan = load(
        write_dicom(cine, syntax=JPEG, encoded=encoded, PhotometricInterpretation="YBR_FULL_422")
    )
    with pytest.raises(ScanError, match=r"frame 4 of 8 cannot be decoded: .*; the file is damaged"):
        list(scan.frames())


@pytest.mark.parametrize("number", [94, 99])
def test_transfer_syntax_that_cannot_be_decoded_is_refused(write_dicom, cine, number):
    path = write_dicom(cine, syntax=JPEG, encoded=[b"unread"] * 8)
    path.write_bytes(
        path.read_bytes().replace(JPEG.encode(), f"1.2.840.10008.1.2.4.{number}".encode())
    )
    with pytest.raises(ScanError):
        load(path)


@pytest.mark.parametrize("number", [51, 57, 70, 80, 90, 201])
def test_damaged_stream_gives_a_scan_error_and_prints_nothing(write_dicom, cine, number, capfd):
    encoded = [bytes(np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8))] * 8
    with pytest.raises(ScanError):
        load(write_dicom(cine, syntax=f"1.2.840.10008.1.2.4.{number}", encoded=encoded))
    assert capfd.readouterr() == ("", "")


def test_mpeg2_video_in_dicom_is_read(write_dicom, tmp_path):
    import cv2

    rows, columns = np.mgrid[:64, :96]
    frames = np.stack(
        [np.stack([rows * 2 + 8 * i, columns, 160 - rows], axis=-1) for i in range(10)]
    ).astype(np.uint8)
    stream = tmp_path / "stream.mpg"
    writer = cv2.VideoWriter(str(stream), cv2.VideoWriter.fourcc(*"MPG2"), 25, (96, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV does not write MPEG-2")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    options = {
        "syntax": "1.2.840.10008.1.2.4.100",
        "encoded": [stream.read_bytes()],
        "PhotometricInterpretation": "YBR_PARTIAL_420",
    }
    scan = load(write_dicom(frames, **options))
    decoded = np.stack(list(scan.frames()))
    assert "FFmpeg" in scan.decoder
    assert np.abs(decoded.astype(int) - frames).mean() < 12
    with pytest.raises(ScanError, match="10 of 25 frames could be read"):
        list(load(write_dicom(frames, NumberOfFrames=25, **options)).frames())
    with pytest.raises(ScanError, match="truncated"):
        list(load(write_dicom(frames, cut=200, **options)).frames())
