import os
import resource
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.videos import FRAMES, are_similar, write_video
from usmicro.errors import CodecError, ScanError
from usmicro.inspection import describe, inspect
from usmicro.loading import load
from usmicro.loading.discover import find_scans
from usmicro.loading.formats import detect_format
from usmicro.loading.video import ffmpeg, interlacing
from usmicro.loading.video.container import read_container
from usmicro.model.scan import Spacing
from usmicro.settings import LoadingSettings

pytestmark = pytest.mark.usefixtures("temporary")
KEEP = LoadingSettings(keep_truncated=True)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.avi", "MJPG"),
        ("a.avi", "mp4v"),
        ("a.avi", "FFV1"),
        ("a.mp4", "mp4v"),
        ("a.mov", "mp4v"),
        ("a.mov", "MJPG"),
        ("a.mkv", "mp4v"),
        ("a.webm", "VP80"),
        ("a.webm", "VP90"),
        ("no suffix", ""),
    ],
)
def test_video_files_are_read(tmp_path, name, codec, capfd):
    if codec:
        path = write_video(tmp_path / name, codec)
    else:
        path = write_video(tmp_path / "a.avi").rename(tmp_path / name)
    capfd.readouterr()
    scan = load(path)
    decoded = list(scan.frames())
    assert are_similar(decoded)
    assert (scan.rows, scan.columns, scan.declared_frames, scan.notes) == (64, 96, 10, ())
    assert all(
        frame.dtype == np.uint8 and frame.shape == (64, 96, 3) and frame.flags.c_contiguous
        for frame in decoded
    )
    assert not scan.spacing.known
    assert scan.decoder.startswith(f"OpenCV {cv2.__version__} with FFmpeg, ")
    assert all((one == other).all() for one, other in zip(decoded, scan.frames(), strict=True))
    assert capfd.readouterr() == ("", "")


def test_channels_and_frames_keep_their_order(tmp_path):
    frames = np.zeros((6, 48, 64, 3), np.uint8)
    frames[:, :, :32, 0] = 200
    frames[:, :, 32:, 2] = 200
    frames[np.arange(6), 8 * np.arange(6)] = 255
    assert are_similar(
        list(load(write_video(tmp_path / "a.avi", "HFYU", frames)).frames()), frames, tolerance=3
    )


def test_frames_are_grey_if_the_codec_has_no_colour(tmp_path):
    scan = load(write_video(tmp_path / "a.avi", "FFV1", FRAMES[..., 0], colour=False))
    np.testing.assert_array_equal(np.stack(list(scan.frames())), FRAMES[..., 0])


def test_user_spacing_is_used(tmp_path):
    scan = load(write_video(tmp_path / "a.avi"), spacing=Spacing(0.1, 0.1, "given"))
    assert (scan.spacing.x_mm, scan.spacing.source) == (0.1, "given")


def test_video_can_be_inspected(tmp_path):
    words = "\n".join(describe(inspect(write_video(tmp_path / "a.mp4", "mp4v"))))
    assert "10\n" in words
    assert "64 rows x 96 columns, RGB, 8 bit" in words
    assert "FFmpeg, FMP4" in words


def test_videos_in_a_folder_are_found(tmp_path):
    for name in ("a.mp4", "b.AVI", "c.mov", "d.mkv", "e.webm"):
        (tmp_path / name).write_bytes(b"\0")
    assert [scan.name for scan in find_scans([tmp_path])] == [
        "a.mp4",
        "b.AVI",
        "c.mov",
        "d.mkv",
        "e.webm",
    ]


@pytest.mark.parametrize(
    ("head", "file_format"),
    [
        (b"\0\0\0\x18ftypisom", "mp4"),
        (b"\0\0\0\x14ftypqt  ", "mp4"),
        (b"\0\0\0\x18ftypheic", "HEIF or AVIF"),
        (b"\0\0\0\x18ftypavif", "HEIF or AVIF"),
        (b"\0\0\x01\0moov\0\0", "mp4"),
        (b"\0\0\0\x08wide\0\0", "mp4"),
        (b"The free words of a text", "text"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", "RIFF"),
        (b"\x1aE\xdf\xa3\x9fB\x86", "matroska"),
        (b"\0\0\1\xba\x44\0", "MPEG program stream"),
    ],
)
def test_format_is_detected(tmp_path, head, file_format):
    (tmp_path / "file").write_bytes(head)
    assert detect_format(tmp_path / "file") == file_format


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"plain words", "found text"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "found text"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "found text"),
        (b"v=0\nc=IN IP4 127.0.0.1\n", "found text"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 40, "cannot be opened"),
        (b"RIFF\x40\0\0\0AVI ", "the file is truncated"),
    ],
)
def test_file_that_is_not_a_video_is_refused_and_text_never_reaches_ffmpeg(
    tmp_path, content, message, monkeypatch, capfd
):
    (tmp_path / "a.mp4").write_bytes(content)
    if message in ("found text", "an empty file"):
        monkeypatch.setattr(cv2, "VideoCapture", None)
    with pytest.raises(ScanError, match=f"a.mp4: expected .*{message}"):
        load(tmp_path / "a.mp4")
    assert capfd.readouterr() == ("", "")


NAMES = [
    "a%03d.png",
    "100%d.avi",
    'it\'s "quoted" and spaced.avi',
    "concat:a.avi",
    "http:",
    "rtsp:x.avi",
    "[ab]*?{1}.jpg",
    "-i.avi",
    b"\xff\xfe.avi",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_ffmpeg_interprets_are_safe(tmp_path, name, monkeypatch):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"a{i:03d}.png"), np.full((20, 30), 255, np.uint8))
    monkeypatch.chdir(tmp_path)
    try:
        path = write_video(tmp_path / "video.avi").rename(tmp_path / os.fsdecode(name))
    except OSError:
        pytest.skip("no such names here")
    for scan in (load(path), load(path.name)):
        assert are_similar(list(scan.frames()))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "mp4v"), ("a.webm", "VP80")]
)
def test_truncated_file_is_refused_unless_truncated_files_are_kept(tmp_path, name, codec, capfd):
    path = write_video(tmp_path / name, codec)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    capfd.readouterr()
    frames = load(path).frames()
    before: list[np.ndarray] = []
    with pytest.raises(
        ScanError,
        match=r"a.*: \d of 10 frames could be read; the file is truncated: .*keep_truncated",
    ):
        before.extend(frames)
    kept = load(path, settings=KEEP)
    decoded = list(kept.frames())
    assert 0 < len(decoded) == len(before) < 10
    assert are_similar(decoded, FRAMES[: len(decoded)])
    assert kept.declared_frames == 10
    assert kept.notes == (f"{len(decoded)} of 10 frames could be read; the file is truncated",)
    for length in range(1, len(whole) - 1, max(1, len(whole) // 30)):
        path.write_bytes(whole[:length])
        with pytest.raises(ScanError, match="a\\."):
            list(load(path).frames())
    assert capfd.readouterr() == ("", "")


def test_mp4_without_its_index_is_called_truncated(tmp_path):
    path = write_video(tmp_path / "a.mp4", "mp4v")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(
        ScanError,
        match=r"a\.mp4: expected a video, but it cannot be opened; the file is truncated: copy",
    ):
        load(path, settings=KEEP)


def test_messages_of_ffmpeg_are_not_printed(tmp_path):
    path = write_video(tmp_path / "a.avi")
    path.write_bytes(path.read_bytes()[:-2000])
    environment = {
        name: value for name, value in os.environ.items() if name != "OPENCV_FFMPEG_LOGLEVEL"
    }
    program = (
        "import sys, cv2\n"
        "from usmicro.loading import load\n"
        "print(next(load(sys.argv[1]).frames()).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert (done.stdout, done.stderr) == ("(64, 96, 3)\n", "")


def declare_frames(path, frames):
    """Change the declared number of frames of an AVI file and of its stream."""
    data = bytearray(path.read_bytes())
    for chunk, offset in ((b"avih", 24), (b"strh", 40)):
        at = data.index(chunk) + offset
        assert int.from_bytes(data[at : at + 4], "little") == 10
        data[at : at + 4] = frames.to_bytes(4, "little")
    index = data.index(b"idx1")  # otherwise FFmpeg counts its entries
    data[index : index + 4] = b"JUNK"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("declared_frames", [9, 11, 12])
def test_small_difference_in_the_frame_count_is_noted(tmp_path, declared_frames):
    scan = load(declare_frames(write_video(tmp_path / "a.avi"), declared_frames))
    assert len(list(scan.frames())) == scan.declared_frames == 10
    assert scan.notes == (f"the file declares {declared_frames} frames, but 10 were decoded",)


def test_many_missing_frames_are_a_fault(tmp_path):
    path = declare_frames(write_video(tmp_path / "a.avi"), 20)
    with pytest.raises(
        ScanError,
        match=r"10 of 20 frames could be read; the file holds no more: .*keep_truncated",
    ):
        list(load(path).frames())
    assert len(list(load(path, settings=KEEP).frames())) == 10


def test_frames_that_cannot_be_decoded_are_a_fault(tmp_path):
    path = write_video(tmp_path / "a.mp4", "mp4v")
    data = bytearray(path.read_bytes())
    sizes = data.index(b"stsz") + 16
    start = data.index(b"mdat") + 4
    lengths = [int.from_bytes(data[sizes + 4 * i : sizes + 4 * i + 4], "big") for i in range(10)]
    for i in range(4, 9):
        at = start + sum(lengths[:i])
        data[at : at + lengths[i]] = b"\0" * lengths[i]
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"\d of 10 frames could be read; the others are missing"):
        list(load(path).frames())


def test_wrong_estimate_of_the_frame_count_is_not_a_fault(tmp_path):
    path = write_video(tmp_path / "a.mkv", "mp4v")
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes, in ms
    path.write_bytes(data[:at] + np.array(1200.0, ">f8").tobytes() + data[at + 8 :])
    scan = load(path)
    assert len(list(scan.frames())) == scan.declared_frames == 10
    assert scan.notes == (
        "duration and frame rate in the file give about 30 frames, but 10 were decoded",
    )
    assert not read_container(path, "matroska").counts_frames
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x08ftyp\0\0\0\x08moov\0\0\0\x08moof\0\0\0\x08mdat")
    assert not read_container(tmp_path / "b.mp4", "mp4").counts_frames
    assert read_container(write_video(tmp_path / "c.mp4", "mp4v"), "mp4").counts_frames


def test_truncation_is_detected_from_the_lengths_in_a_container(tmp_path):
    path = tmp_path / "file"
    for content, data in {
        "mp4": b"\0\0\0\x08ftyp"
        + b"\0\0\0\x01mdat"
        + (20).to_bytes(8, "big")
        + b"1234"
        + b"\0\0\0\x0amoov12",
        "avi": b"RIFF\x06\0\0\0AVI 12" + b"RIFF\x04\0\0\0AVIX",
        "matroska": b"\x1aE\xdf\xa3\x8812345678" + b"\x18S\x80g\x01\0\0\0\0\0\0\x0412 4",
    }.items():
        path.write_bytes(data)
        assert not read_container(path, content).truncated
        path.write_bytes(data[:-1])
        assert read_container(path, content).truncated
    path.write_bytes(b"\x1aE\xdf\xa3\x8812345678" + b"\x18S\x80g\x01" + b"\xff" * 7 + b"open")
    assert not read_container(path, "matroska").truncated
    path.write_bytes(b"\0\0\0\x08ftyp" + b"and a note of a program")
    assert not read_container(path, "mp4").truncated


def test_too_large_video_is_refused_before_a_frame_is_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.avi")
    video_capture = cv2.VideoCapture

    class NeverRead:
        def __init__(self, *arguments):
            self.video = video_capture(*arguments)

        def __getattr__(self, name):
            assert name not in ("read", "grab", "retrieve")
            return getattr(self.video, name)

    monkeypatch.setattr(cv2, "VideoCapture", NeverRead)
    with pytest.raises(
        ScanError,
        match=r"64 rows x 96 columns are 6144 pixels, above the limit of 6000\..*"
        r"set loading\.largest_image = 6144",
    ):
        load(path, settings=LoadingSettings(largest_image=6000))


def test_video_whose_size_changes_is_refused(monkeypatch, tmp_path):
    path = write_video(tmp_path / "a.avi")
    scan = load(path)
    write_video(path, frames=FRAMES[:, :32])
    with pytest.raises(ScanError, match="frame 1 has 32 rows x 96 columns, expected 64 x 96"):
        list(scan.frames())
    path.write_bytes(b"RIFF")
    with pytest.raises(ScanError, match="frame 1 of 10 can no longer be read"):
        list(scan.frames())


def test_opencv_without_ffmpeg_is_reported(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.avi")
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: False)
    with pytest.raises(CodecError, match=r"no FFmpeg.*pip install opencv-python-headless"):
        load(path)


def test_frames_are_decoded_one_at_a_time(tmp_path):
    path = write_video(tmp_path / "a.avi", frames=np.broadcast_to(np.uint8(90), (200, 480, 640, 3)))
    load(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scan = load(path)
    assert sum(1 for _ in scan.frames()) == 200
    growth_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth_kb < 40_000  # all frames together have 184 MB


def open_files():
    """Return the paths of the files that this process has open."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.readlink(link) for link in links if os.path.islink(link)]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_closing_the_frames_early_closes_the_file(tmp_path, temporary):
    path = write_video(tmp_path / "a.avi")
    frames = load(path).frames()
    assert not any(path.name in file for file in open_files())
    next(frames)
    assert any(file == str(path) for file in open_files())
    assert isinstance(frames, Generator)
    frames.close()
    assert not any(file == str(path) for file in open_files())
    assert list(temporary.iterdir()) == []


def test_file_is_copied_where_links_cannot_be_created(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(1314, "A required privilege is not held by the client")

    path = write_video(tmp_path / "a.avi")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert are_similar(list(load(path).frames()))


@pytest.mark.parametrize("frames", [FRAMES[:1], np.repeat(FRAMES[:2], 3, axis=0)])
def test_frames_that_repeat_are_checked_for_their_conversion(tmp_path, monkeypatch, frames):
    path = write_video(tmp_path / "a.avi", "HFYU", frames)
    monkeypatch.setattr(interlacing, "may_fail", lambda: True)
    scan = load(path)
    assert len(list(scan.frames())) == len(frames)
    assert (scan.notes, scan.warnings) == ((), ())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no such program"))
    assert [str(warning.code) for warning in load(path).warnings] == ["grey-levels"]
    monkeypatch.setattr(ffmpeg, "_has_unconverted_frames", lambda *_: True)
    with pytest.raises(CodecError, match=r"a\.avi: the video is interlaced"):
        load(path)


def test_frames_that_differ_need_no_other_process(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "_has_unconverted_frames", None)
    assert are_similar(list(load(write_video(tmp_path / "a.avi")).frames()))
