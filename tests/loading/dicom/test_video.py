import base64
import os
import struct
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.encaps import encapsulate

from tests.helpers.video_boxes import (
    SAMPLE_ENTRY,
    box,
    uncompressed_avi,
    with_box,
    with_edits,
    with_matrix,
)
from tests.helpers.videos import FRAMES, are_similar, write_video
from usmicro.errors import CodecError, ScanError
from usmicro.inspection import describe, inspect
from usmicro.loading import load
from usmicro.loading.video import ffmpeg, interlacing, reader
from usmicro.loading.video.display import Display
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
    assert len(list(few.frames())) == few.declared_frames == 10
    assert few.notes == ("the file declares 4 frames, but 10 were decoded",)
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


INTERLACED = base64.b64decode(
    "AAABswIAIBL//+AYAAABtRSCAAEAAQAAAbgACABAAAABAAAP//gAAAG1j//zgAAAAAEB+3hiGXkMPHXSKKR3fbiV30gt"
    "PSGluZ2DtfKAw2+rJqezP9P4ZyvgPjXFsdb6yUlPd/+J9cQwz7Pl4jWkMNvheRi0JRzvfk5NRh2kn/YrYD41xbHQAAAB"
    "Avt6hO+DQ1x7ha75CGG3qyaQkuZbEBnTlfXaGhiGclsHWKPixj8Z0OLPt7EMNvgiPtk/nZd9FJgbmZvXpIaEc33hlhqf"
    "25QwPusN3AsMw3IdYmAAAAEAAFf/+4AAAAG1gR/zgAAAAAEB+oBgLoB8T8AfwDKAB8xOqGgD+AfwAOydAAAAAQL6igHQ"
    "NQMwANSwAdQAAAEAAJf/+4AAAAG1gR/zgAAAAAEB+m5sAAABAvqWA0qLPAzAAwA="
)
"""Three interlaced MPEG-2 frames of 32 x 32 pixels, made with
ffmpeg -f lavfi -i testsrc=size=32x32:rate=25:duration=0.24 -vf tinterlace=4,format=yuv420p
-c:v mpeg2video -q:v 31 -flags +ildct+ilme -f mpeg2video OUTPUT."""


def test_interlaced_frames_that_opencv_does_not_convert_are_refused(write_dicom, capfd):
    path = write_dicom(np.zeros((3, 32, 32, 3), np.uint8), syntax=MPEG2_MAIN, encoded=[INTERLACED])
    if interlacing.may_fail():
        with pytest.raises(CodecError, match=r"is interlaced, and OpenCV .* yadif .*<4\.13"):
            load(path)
    else:
        frames = list(load(path).frames())
        assert len(frames) == 3
        assert frames[0].std() > 40
    assert capfd.readouterr() == ("", "")


def test_container_in_dicom_that_asks_for_a_turn_is_warned_of(write_dicom, tmp_path):
    data = write_video(tmp_path / "a.mp4", "mp4v").read_bytes()
    encoded = [with_matrix(data, -1, 0, 0, 1)]
    scan = load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=encoded))
    assert are_similar(list(scan.frames()))  # as stored: the header describes these pixels
    assert [str(warning.code) for warning in scan.warnings] == ["geometry-not-applied"]
    encoded = [with_edits(data, [(120, 0, 1)])]
    scan = load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=encoded))
    assert len(list(scan.frames())) == scan.declared_frames == 3
    assert [str(warning.code) for warning in scan.warnings] == ["frames-not-read"]
    encoded = [with_box(data, SAMPLE_ENTRY, box("pasp", struct.pack(">II", 2, 1)))]
    assert load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=encoded)).spacing.aspect == 0.5


def test_edit_list_that_ffmpeg_does_not_follow_hides_no_frames(write_dicom, monkeypatch):
    monkeypatch.setattr(
        reader, "_display_in_dicom", lambda *_: Display(stored_frames=10, shown_frames=3)
    )
    scan = load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=[H264]))
    assert len(list(scan.frames())) == scan.declared_frames == 10
    assert scan.warnings == ()
    assert "the file declares 3 frames, but 10 were decoded" in scan.notes


def test_uncompressed_avi_in_dicom_never_reaches_the_conversion_of_opencv(write_dicom):
    """OpenCV 5 writes outside its memory when it converts frames that are stored bottom-up."""
    encoded = [uncompressed_avi(FRAMES, top_down=False)]
    with pytest.raises(ScanError, match="uncompressed frames in a layout that is not read"):
        load(write_dicom(FRAMES, syntax=H264_HIGH, encoded=encoded))
