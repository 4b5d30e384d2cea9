import base64
import os
from collections.abc import Generator
from pathlib import Path

import cv2
import pytest
from pydicom.encaps import encapsulate

from tests.helpers.videos import FRAMES, are_similar, write_video
from usmicro.errors import ScanError
from usmicro.inspection import describe, inspect
from usmicro.loading import load
from usmicro.loading.video import ffmpeg
from usmicro.settings import LoadingSettings

pytestmark = pytest.mark.usefixtures("temporary")
# FRAMES encoded by libx264 and libx265 (PyAV 18.1, yuv420p, crf 30); the FFmpeg in OpenCV does
# not have these encoders
H264 = base64.b64decode(
    "AAAAAWdkAAqs5BiaEAAAAwAQAAADAyDxIlEgAAAAAWjr4RLIsAAAAWWIhAf//mOlFmalVGkmNj0E9LFEk8nSY63WvsC1H+Q0ozMLTCZNX+qj7FS1u2s6ob5j"
    "aqPmehp0iV1KzuLinkOUzVoYEtMTRUr79OM3M7Bsxonz6w7gzPEAAAABQZopp6EQP0BBCkv/TIXSkC+y+TSS6SxzGhlAAAAAAQGeReTfT8EAAAABQZpRJ4Qh"
    "DJPQiB+gIAdRgL9nHrGn0YLPpS+y+5OqTXAAAAABAZ5tqTdPwQAAAAFBmnkvhCEPJPQiB+gIAdRgD/+cYCf+iT79IQ+5lBaHuQAAAAEBnpWpN0/BAAAAAUGa"
    "gS+EIQ8k9CIH6AgB1GAK/8ftGw1ZTzEAAAABAZ69qTdPwAAAAAFBmqUvhCEPJPRICAYH4ZSAJv8HzA=="
)
HEVC = base64.b64decode(
    "AAAAAUABDAH//wFgAAADAJAAAAMAAAMAHpWYCQAAAAFCAQEBYAAAAwCQAAADAAADAB6gMIEFllZpJMrmgIAAAAMAgAAADIQAAAABRAHBcrQiQAAAASgBrwlg"
    "+fMWKKvt0ta3zMGt3F7Pn3Lq5z8O0cxNwK4JtgAONCw3qF4nukodONq6JJkHaXbZOmv+eDBofB/k6E8b61k2+kuxPgAAAAECAdAZX4QxhJDyR/njmsRbtzGH"
    "yePBBxY0XPwqQfrKwkXHee3ViVjepexwUEf4AAAAAQIB4ESX4YWQHNk8WjOAsh8SXpQAAAABAAHgJP/6LDGAkugAAAABAgHQMJfX3EMBhLD8dK94Kjh6ctRd"
    "qNJxwnOa2TJ08bdCwbK2KAvfKW1hyl/I3NEPGc//gAAAAAECAeCiJdf3GFkgLz+LUDiPVAGrgAAAAAEAAeCG//0iwxjR5wAAAAECAdBIt9f3EMBhLG27NUny"
    "KoBtqwn8Rul67elSB7R7V3IMAAAAAQIB4QIl3/cYWSAvP42iP4i0mH3AAAAAAQAB4Ob//SLDCNHn"
)
MPEG2_MAIN, H264_HIGH, HEVC_MAIN = (f"1.2.840.10008.1.2.4.{number}" for number in (100, 102, 107))
KEEP = LoadingSettings(keep_truncated=True)


@pytest.mark.parametrize(
    "syntax",
    [
        f"1.2.840.10008.1.2.4.{number}{end}"
        for number in range(100, 109)
        for end in ("", ".1")[: 1 + (number < 107)]
    ],
)
def test_video_in_dicom_is_read(write_dicom, region, syntax):
    number = int(syntax.split(".")[7])
    data = HEVC if number >= 107 else H264
    encoded = (
        [data[i : i + 100] for i in range(0, len(data), 100)] if syntax.endswith(".1") else [data]
    )
    path = write_dicom(
        FRAMES,
        syntax=syntax,
        encoded=encoded,
        table=False,
        SequenceOfUltrasoundRegions=[region(RegionLocationMaxY1=59)],
    )
    scan = load(path)
    assert are_similar(list(scan.frames()), tolerance=12)
    assert scan.declared_frames == 10
    assert scan.notes == ()
    assert (scan.spacing.x_mm, scan.spacing.source) == (0.1, "region")
    assert len(scan.regions) == 1
    assert ("hevc" if number >= 107 else "h264") in scan.decoder
    assert "10\n" in "\n".join(describe(inspect(path)))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.m2v", "MPG2"), ("a.mpg", "MPG2"), ("a.ts", "MPG2"), ("a.mp4", "mp4v")]
)
def test_mpeg_streams_and_video_files_in_dicom_are_read(write_dicom, tmp_path, name, codec):
    data = write_video(tmp_path / name, codec).read_bytes()
    scan = load(
        write_dicom(
            FRAMES, syntax=MPEG2_MAIN, encoded=[data], PhotometricInterpretation="YBR_PARTIAL_420"
        )
    )
    assert are_similar(list(scan.frames()), tolerance=12)
    assert "MPEG2" in scan.decoder


def test_difference_between_header_and_stream_is_noted_or_refused(write_dicom):
    def scan(**options):
        settings = options.pop("settings", None)
        return load(
            write_dicom(FRAMES, syntax=H264_HIGH, encoded=[H264], **options), settings=settings
        )

    assert scan(NumberOfFrames=11).notes == ("the file declares 11 frames, but 10 were decoded",)
    assert len(list(scan(NumberOfFrames=11).frames())) == 10
    few = scan(NumberOfFrames=4)
    assert len(list(few.frames())) == few.declared_frames == 4
    assert few.notes == ("the file has 10 frames, but the header declares 4; the first 4 are read",)
    with pytest.raises(ScanError, match="10 of 25 frames could be read"):
        list(scan(NumberOfFrames=25).frames())
    assert len(list(scan(NumberOfFrames=25, settings=KEEP).frames())) == 10
    with pytest.raises(ScanError, match="the video has 64 rows x 96 columns, expected 65 x 96"):
        scan(Rows=65)


def test_truncated_video_in_dicom_is_refused_unless_truncated_files_are_kept(write_dicom):
    path = write_dicom(FRAMES, syntax=HEVC_MAIN, encoded=[HEVC], cut=130)
    with pytest.raises(
        ScanError, match=r"\d of 10 frames could be read; the file is truncated: .*keep_truncated"
    ):
        list(load(path).frames())
    kept = load(path, settings=KEEP)
    decoded = list(kept.frames())
    assert 1 <= len(decoded) < 10
    assert "truncated" in kept.notes[-1]
    with pytest.raises(ScanError, match="truncated"):
        load(write_dicom(FRAMES, syntax=HEVC_MAIN, encoded=[HEVC], cut=400))


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n\n",
        b"\xff\xd8\xff\xe0" * 9,
        b"G" * 400,
    ],
)
def test_other_content_in_a_dicom_video_never_reaches_ffmpeg(write_dicom, data, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", None)
    with pytest.raises(
        ScanError, match=r"expected a video stream, MPEG-4 AVC.*, found (text|jpeg|unknown)"
    ):
        load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=[data]))


def test_damaged_or_empty_video_in_dicom_is_refused(write_dicom, capfd):
    with pytest.raises(ScanError, match=r"cannot be opened|no frame of the video"):
        load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=[b"\0\0\0\1" + bytes(range(200))]))
    with pytest.raises(ScanError, match=r"expected a video stream, .*, found none"):
        load(
            write_dicom(FRAMES, syntax=H264_HIGH, encoded=[H264], cut=len(encapsulate([H264])) - 4)
        )
    assert capfd.readouterr() == ("", "")


def test_temporary_copy_of_a_video_is_private_and_is_deleted(write_dicom, temporary, monkeypatch):
    modes = []
    video_capture = cv2.VideoCapture

    def record_modes(name, *arguments):
        modes.append([oct(os.stat(part).st_mode & 0o777) for part in (name, Path(name).parent)])
        assert Path(name).read_bytes() == H264
        return video_capture(name, *arguments)

    monkeypatch.setattr(cv2, "VideoCapture", record_modes)
    path = write_dicom(FRAMES, syntax=H264_HIGH, encoded=[H264[:150], H264[150:]], table=False)
    frames = load(path).frames()
    next(frames)
    assert modes == [["0o600", "0o700"]] * 2
    if os.name == "posix":
        # the copy has no name while it is read
        assert [file for folder in temporary.iterdir() for file in folder.iterdir()] == []
    assert isinstance(frames, Generator)
    frames.close()
    assert list(temporary.iterdir()) == []

    def fail(*_arguments):
        raise cv2.error("no")

    monkeypatch.setattr(cv2, "VideoCapture", fail)
    with pytest.raises(ScanError, match="cannot be opened: no"):
        load(path)
    assert list(temporary.iterdir()) == []


def test_lack_of_disk_space_for_the_copy_is_reported(write_dicom, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ffmpeg, "link_or_copy", fail)
    with pytest.raises(
        ScanError, match=r"scan.dcm: its video stream cannot be copied .* No space left"
    ):
        load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=[H264]))
