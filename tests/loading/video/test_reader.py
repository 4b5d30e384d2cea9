import os
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.videos import FRAMES, close, write
from usmicro.errors import CodecError, ScanError
from usmicro.inspection import describe, inspect
from usmicro.loading import load
from usmicro.loading.discover import find_scans
from usmicro.loading.formats import content_of
from usmicro.loading.video.container import look
from usmicro.model.scan import Spacing
from usmicro.settings import LoadingSettings

pytestmark = pytest.mark.usefixtures("temporary")
KEEP = LoadingSettings(keep_truncated=True)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.avi", "MJPG"), ("a.avi", "mp4v"), ("a.avi", "FFV1"), ("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.mov", "MJPG"), ("a.mkv", "mp4v"),
        ("a.webm", "VP80"), ("a.webm", "VP90"), ("without ending", ""),
    ],
)  # fmt: skip
def test_video_files(tmp_path, name, codec, capfd):
    path = (
        write(tmp_path / name, codec)
        if codec
        else write(tmp_path / "a.avi").rename(tmp_path / name)
    )
    capfd.readouterr()
    scan = load(path)
    found = list(scan.frames())
    assert close(found)
    assert (scan.rows, scan.columns, scan.declared_frames, scan.notes) == (64, 96, 10, ())
    assert all(
        frame.dtype == np.uint8 and frame.shape == (64, 96, 3) and frame.flags.c_contiguous
        for frame in found
    )
    assert not scan.spacing.known
    assert scan.decoder.startswith(f"OpenCV {cv2.__version__} with FFmpeg, ")
    assert all((one == other).all() for one, other in zip(found, scan.frames(), strict=True))
    assert capfd.readouterr() == ("", "")


def test_colours_keep_their_order_and_frames_theirs(tmp_path):
    frames = np.zeros((6, 48, 64, 3), np.uint8)
    frames[:, :, :32, 0] = 200
    frames[:, :, 32:, 2] = 200
    frames[np.arange(6), 8 * np.arange(6)] = 255
    assert close(list(load(write(tmp_path / "a.avi", "HFYU", frames)).frames()), frames, off=3)


def test_grey_where_the_codec_has_no_colour(tmp_path):
    scan = load(write(tmp_path / "a.avi", "FFV1", FRAMES[..., 0], colour=False))
    np.testing.assert_array_equal(np.stack(list(scan.frames())), FRAMES[..., 0])


def test_a_turn_is_left_to_opencv_and_noted(tmp_path):
    path = write(tmp_path / "a.mp4", "mp4v")
    data = path.read_bytes()
    at = data.index(b"tkhd") + 44  # the matrix
    path.write_bytes(
        data[:at]
        + np.array([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
        + data[at + 36 :]
    )
    scan = load(path)
    assert {frame.shape for frame in scan.frames()} == {(scan.rows, scan.columns, 3)}
    assert scan.notes == ("the file asks to be turned by 90 degrees, which is left to OpenCV",)


def test_a_spacing_that_is_given_is_taken(tmp_path):
    scan = load(write(tmp_path / "a.avi"), spacing=Spacing(0.1, 0.1, "given"))
    assert (scan.spacing.x_mm, scan.spacing.source) == (0.1, "given")


def test_inspect(tmp_path):
    words = "\n".join(describe(inspect(write(tmp_path / "a.mp4", "mp4v"))))
    assert "10\n" in words
    assert "64 rows x 96 columns, RGB, 8 bit" in words
    assert "FFmpeg, FMP4" in words


def test_videos_in_a_folder_are_found(tmp_path):
    for name in ("a.mp4", "b.AVI", "c.mov", "d.mkv", "e.webm", "f_mask.avi"):
        (tmp_path / name).write_bytes(b"\0")
    assert [scan.name for scan in find_scans([tmp_path])] == [
        "a.mp4",
        "b.AVI",
        "c.mov",
        "d.mkv",
        "e.webm",
    ]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypisom", "mp4"), (b"\0\0\0\x14ftypqt  ", "mp4"), (b"\0\0\0\x18ftypheic", "HEIF or AVIF"),
        (b"\0\0\0\x18ftypavif", "HEIF or AVIF"), (b"\0\0\x01\0moov\0\0", "mp4"), (b"\0\0\0\x08wide\0\0", "mp4"),
        (b"The free words of a text", "text"), (b"RIFF\0\0\0\0AVI LIST", "avi"), (b"RIFF\0\0\0\0WAVEfmt ", "RIFF"),
        (b"\x1aE\xdf\xa3\x9fB\x86", "matroska"), (b"\0\0\1\xba\x44\0", "MPEG program stream"),
    ],
)  # fmt: skip
def test_content(tmp_path, head, kind):
    (tmp_path / "file").write_bytes(head)
    assert content_of(tmp_path / "file") == kind


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"), (b"plain words", "found text"), (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "found text"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "found text"), (b"v=0\nc=IN IP4 127.0.0.1\n", "found text"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 40, "cannot be opened"), (b"RIFF\x40\0\0\0AVI ", "the file is truncated"),
    ],
)  # fmt: skip
def test_what_is_no_video_never_reaches_ffmpeg_or_is_refused(
    tmp_path, content, found, monkeypatch, capfd
):
    (tmp_path / "a.mp4").write_bytes(content)
    if found in ("found text", "an empty file"):
        monkeypatch.setattr(cv2, "VideoCapture", None)
    with pytest.raises(ScanError, match=f"a.mp4: expected .*{found}"):
        load(tmp_path / "a.mp4")
    assert capfd.readouterr() == ("", "")


NAMES = [
    "a%03d.png", "100%d.avi", "it's \"quoted\" and spaced.avi", "concat:a.avi", "http:", "rtsp:x.avi", "[ab]*?{1}.jpg", "-i.avi",
    b"\xff\xfe.avi",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_to_ffmpeg(tmp_path, name, monkeypatch):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"a{i:03d}.png"), np.full((20, 30), 255, np.uint8))
    monkeypatch.chdir(tmp_path)
    try:
        path = write(tmp_path / "video.avi").rename(tmp_path / os.fsdecode(name))
    except OSError:
        pytest.skip("no such names here")
    for scan in (load(path), load(path.name)):
        assert close(list(scan.frames()))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "mp4v"), ("a.webm", "VP80")]
)
def test_a_truncated_file(tmp_path, name, codec, capfd):
    path = write(tmp_path / name, codec)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    capfd.readouterr()
    frames = load(path).frames()
    before = []
    with pytest.raises(
        ScanError,
        match=r"a.*: \d of 10 frames could be read; the file is truncated; .*keep_truncated",
    ):
        before.extend(frames)
    kept = load(path, settings=KEEP)
    found = list(kept.frames())
    assert 0 < len(found) == len(before) < 10
    assert close(found, FRAMES[: len(found)])
    assert kept.declared_frames == 10
    assert kept.notes == (f"{len(found)} of 10 frames could be read; the file is truncated",)
    for length in range(1, len(whole) - 1, max(1, len(whole) // 30)):
        path.write_bytes(whole[:length])
        with pytest.raises(ScanError, match="a\\."):
            list(load(path).frames())
    assert capfd.readouterr() == ("", "")


def test_mp4_cut_before_its_index(tmp_path):
    path = write(tmp_path / "a.mp4", "mp4v")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(
        ScanError,
        match=r"a\.mp4: expected a video, but it cannot be opened: the file is truncated; copy it again",
    ):
        load(path, settings=KEEP)


def test_ffmpeg_keeps_its_complaints_off_the_terminal(tmp_path):
    path = write(tmp_path / "a.avi")
    path.write_bytes(path.read_bytes()[:-2000])
    environment = {
        name: value for name, value in os.environ.items() if name != "OPENCV_FFMPEG_LOGLEVEL"
    }
    program = "import sys, cv2; from usmicro.loading import load; print(next(load(sys.argv[1]).frames()).shape)"
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert (done.stdout, done.stderr) == ("(64, 96, 3)\n", "")


def promising(path, frames):
    """Change what an AVI file promises, in the header of the file and of its stream."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"avih", 24), (b"strh", 40)):
        at = data.index(mark) + offset
        assert int.from_bytes(data[at : at + 4], "little") == 10
        data[at : at + 4] = frames.to_bytes(4, "little")
    index = data.index(b"idx1")  # FFmpeg would count it instead
    data[index : index + 4] = b"JUNK"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("promised", [9, 11, 12])
def test_a_small_difference_is_noted(tmp_path, promised):
    scan = load(promising(write(tmp_path / "a.avi"), promised))
    assert len(list(scan.frames())) == scan.declared_frames == 10
    assert scan.notes == (f"the file promises {promised} frames, 10 were decoded",)


def test_a_large_difference_is_a_fault(tmp_path):
    path = promising(write(tmp_path / "a.avi"), 20)
    with pytest.raises(
        ScanError,
        match=r"10 of 20 frames could be read; the video ends early or is damaged; .*keep_truncated",
    ):
        list(load(path).frames())
    assert len(list(load(path, settings=KEEP).frames())) == 10


def test_a_number_of_frames_that_is_no_count_is_never_a_fault(tmp_path):
    path = write(tmp_path / "a.mkv", "mp4v")
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes, in ms
    path.write_bytes(data[:at] + np.array(1200.0, ">f8").tobytes() + data[at + 8 :])
    scan = load(path)
    assert len(list(scan.frames())) == scan.declared_frames == 10
    assert scan.notes == ("by its duration and rate the file has about 30 frames, 10 were decoded",)
    assert not look(path, "matroska").counted
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x08ftyp\0\0\0\x08moov\0\0\0\x08moof\0\0\0\x08mdat")
    assert not look(tmp_path / "b.mp4", "mp4").counted
    assert look(write(tmp_path / "c.mp4", "mp4v"), "mp4").counted


def test_what_a_container_says_of_its_length(tmp_path):
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
        assert not look(path, content).cut
        path.write_bytes(data[:-1])
        assert look(path, content).cut
    path.write_bytes(b"\x1aE\xdf\xa3\x8812345678" + b"\x18S\x80g\x01" + b"\xff" * 7 + b"open")
    assert not look(path, "matroska").cut
    path.write_bytes(b"\0\0\0\x08ftyp" + b"and a note of some program")
    assert not look(path, "mp4").cut


def test_too_large_is_refused_before_a_frame_is_decoded(tmp_path, monkeypatch):
    path = write(tmp_path / "a.avi")
    real = cv2.VideoCapture

    class Unread:
        def __init__(self, *arguments):
            self.video = real(*arguments)

        def __getattr__(self, name):
            assert name not in ("read", "grab", "retrieve")
            return getattr(self.video, name)

    monkeypatch.setattr(cv2, "VideoCapture", Unread)
    with pytest.raises(
        ScanError,
        match=r"64 rows x 96 columns are 6144 pixels; at most 6000 are read. Set loading.largest_image = 6144",
    ):
        load(path, settings=LoadingSettings(largest_image=6000))


def test_a_size_that_changes_is_refused(monkeypatch, tmp_path):
    path = write(tmp_path / "a.avi")
    scan = load(path)
    write(path, frames=FRAMES[:, :32])
    with pytest.raises(
        ScanError, match="frame 1 has 32 rows x 96 columns where the first has 64 x 96"
    ):
        list(scan.frames())
    path.write_bytes(b"RIFF")
    with pytest.raises(ScanError, match="frame 1 of 10 cannot be read any more"):
        list(scan.frames())


def test_opencv_without_ffmpeg(tmp_path, monkeypatch):
    path = write(tmp_path / "a.avi")
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: False)
    with pytest.raises(CodecError, match=r"no FFmpeg.*pip install opencv-python-headless"):
        load(path)


def test_frames_are_decoded_one_at_a_time(tmp_path):
    path = write(tmp_path / "a.avi", frames=np.broadcast_to(np.uint8(90), (200, 480, 640, 3)))
    load(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scan = load(path)
    assert sum(1 for _ in scan.frames()) == 200
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    )  # kB; all frames are 184 MB


def handles():
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.readlink(link) for link in links if os.path.islink(link)]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_closing_early_lets_go_of_the_file(tmp_path, temporary):
    path = write(tmp_path / "a.avi")
    frames = load(path).frames()
    assert not any(path.name in handle for handle in handles())
    next(frames)
    assert any(handle == str(path) for handle in handles())
    frames.close()
    assert not any(handle == str(path) for handle in handles())
    assert list(temporary.iterdir()) == []


def test_where_links_cannot_be_made_the_file_is_copied(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(1314, "A required privilege is not held by the client")

    path = write(tmp_path / "a.avi")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert close(list(load(path).frames()))
