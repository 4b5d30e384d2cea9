"""Frames are shown as a player shows them: turned, mirrored, cropped and trimmed."""

import struct

import numpy as np
import pytest

from tests.helpers.video_boxes import (
    SAMPLE_ENTRY,
    box,
    element,
    find_box,
    uncompressed_avi,
    with_box,
    with_bytes,
    with_edits,
    with_matrix,
    with_video_element,
)
from tests.helpers.videos import FRAMES, are_similar, write_video
from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.loading.turning import Turn, turn_of_matrix, turn_of_orientation
from usmicro.loading.video.container import read_display
from usmicro.settings import LoadingSettings

pytestmark = pytest.mark.usefixtures("temporary")
TURNS = {
    "unchanged": ((1, 0, 0, 1), lambda image: image),
    "mirrored left to right": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "mirrored top to bottom": ((1, 0, 0, -1), lambda image: image[::-1]),
    "turned by 180 degrees": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "turned by 90 degrees clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "turned by 90 degrees counter-clockwise": ((0, -1, 1, 0), np.rot90),
    "mirrored along its diagonal from top left to bottom right": (
        (0, 1, 1, 0),
        lambda image: image.swapaxes(0, 1),
    ),
    "mirrored along its diagonal from top right to bottom left": (
        (0, -1, -1, 0),
        lambda image: np.rot90(image, 2).swapaxes(0, 1),
    ),
}
"""Display matrix (a, b, c, d) and what it does to an image, by the name of the turn."""


@pytest.fixture
def mp4(tmp_path):
    """Return a function that writes an MP4 file after a change of its bytes."""

    def write(change=None, name="a.mp4"):
        path = write_video(tmp_path / name, "mp4v")
        if change:
            path.write_bytes(change(path.read_bytes()))
        return path

    return write


def codes(scan):
    """Return the codes of the warnings of a scan."""
    return [str(warning.code) for warning in scan.warnings]


def assert_shows(scan, frames):
    """Check the frames of a scan and that its header agrees with them."""
    decoded = list(scan.frames())
    assert len(decoded) == len(frames) == scan.declared_frames
    assert {frame.shape[:2] for frame in decoded} == {(scan.rows, scan.columns)}
    assert all(frame.flags.c_contiguous for frame in decoded)
    assert are_similar(decoded, np.stack(frames))


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("header", [("trak", "tkhd"), ("mvhd",)])
def test_mp4_is_turned_by_its_display_matrix(mp4, name, header):
    matrix, turned = TURNS[name]
    scan = load(mp4(lambda data: with_matrix(data, *matrix, header=header)))
    assert_shows(scan, [turned(frame) for frame in FRAMES])
    note = f"the frames were {name}, as the file prescribes for display"
    assert scan.notes == (() if name == "unchanged" else (note,))
    assert scan.warnings == ()


def test_matrices_of_track_and_movie_are_applied_one_after_the_other(mp4):
    def change(data):
        data = with_matrix(data, *TURNS["mirrored left to right"][0])
        return with_matrix(data, *TURNS["turned by 90 degrees clockwise"][0], header=("mvhd",))

    assert_shows(load(mp4(change)), [np.rot90(frame[:, ::-1], -1) for frame in FRAMES])


@pytest.mark.parametrize(
    ("yaw", "roll", "name"),
    [
        (180, 0, "mirrored left to right"),
        (180, 180, "mirrored top to bottom"),
        (0, 180, "turned by 180 degrees"),
        (0, -90, "turned by 90 degrees clockwise"),
        (0, 90, "turned by 90 degrees counter-clockwise"),
        (180, 90, "mirrored along its diagonal from top left to bottom right"),
        (-180, -90, "mirrored along its diagonal from top right to bottom left"),
    ],
)
def test_matroska_is_turned_by_its_projection(tmp_path, yaw, roll, name):
    path = write_video(tmp_path / "a.mkv", "mp4v")
    angles = element("7673", struct.pack(">d", yaw)) + element("7675", struct.pack(">f", roll))
    path.write_bytes(with_video_element(path.read_bytes(), element("7670", angles)))
    scan = load(path)
    assert_shows(scan, [TURNS[name][1](frame) for frame in FRAMES])
    assert scan.notes == (f"the frames were {name}, as the file prescribes for display",)


def test_other_matrices_and_projections_are_warned_of(mp4, tmp_path):
    scan = load(mp4(lambda data: with_matrix(data, 0.87, -0.5, 0.5, 0.87)))
    assert_shows(scan, FRAMES)
    assert codes(scan) == ["geometry-not-applied"]
    assert "0.87 -0.5 0.5 0.87" in scan.warnings[0].text
    path = write_video(tmp_path / "a.mkv", "mp4v")
    for settings in (
        element("7671", b"\1"),  # an equirectangular projection
        element("7674", struct.pack(">d", 10)),
        element("7675", struct.pack(">d", 20)),
    ):
        data = write_video(path, "mp4v").read_bytes()
        path.write_bytes(with_video_element(data, element("7670", settings)))
        assert codes(load(path)) == ["geometry-not-applied"]


def test_a_uniform_scale_changes_nothing_and_an_unequal_one_is_the_shape_of_pixels(mp4):
    scan = load(mp4(lambda data: with_matrix(data, 2, 0, 0, 2)))
    assert (scan.notes, scan.warnings, scan.spacing.aspect) == ((), (), None)
    scan = load(mp4(lambda data: with_matrix(data, 1, 0, 0, 1.5)))
    assert scan.spacing.aspect == pytest.approx(1.5)
    assert scan.notes == ("the video says that a pixel is 1.5 times as high as wide",)
    # turned by 90 degrees, the stored rows become columns
    scan = load(mp4(lambda data: with_matrix(data, 0, 1, -1.5, 0)))
    assert scan.spacing.aspect == pytest.approx(1 / 1.5)
    assert_shows(scan, [np.rot90(frame, -1) for frame in FRAMES])


def pixel_shape(across, down):
    return box("pasp", struct.pack(">II", across, down))


def test_shape_of_pixels_of_mp4(mp4):
    scan = load(mp4(lambda data: with_box(data, SAMPLE_ENTRY, pixel_shape(2, 1))))
    assert (scan.spacing.aspect, scan.spacing.known, scan.rows) == (0.5, False, 64)
    assert scan.notes == ("the video says that a pixel is 0.5 times as high as wide",)
    for shape in ((1, 1), (200, 201), (0, 0)):
        changed = load(mp4(lambda data, s=shape: with_box(data, SAMPLE_ENTRY, pixel_shape(*s))))
        assert (changed.spacing.aspect, changed.notes) == (None, ())
    scan = load(mp4(lambda data: with_box(data, SAMPLE_ENTRY, pixel_shape(1, 40))))
    assert scan.spacing.aspect is None
    assert "not believed" in scan.notes[0]
    # without such a box, the size at which the track is shown tells
    size = struct.pack(">II", 192 << 16, 64 << 16)
    scan = load(mp4(lambda data: with_bytes(data, ("trak", "tkhd"), 76, size)))
    assert scan.spacing.aspect == 0.5
    swapped = struct.pack(">II", 64 << 16, 96 << 16)
    scan = load(mp4(lambda data: with_bytes(data, ("trak", "tkhd"), 76, swapped)))
    assert scan.spacing.aspect is None


def test_shape_of_pixels_of_matroska(tmp_path):
    path = write_video(tmp_path / "a.mkv", "mp4v")
    data = path.read_bytes()
    shown = element("54b0", b"\x03") + element("54ba", b"\x01") + element("54b2", b"\x03")
    path.write_bytes(with_video_element(data, shown))  # shown as 3 to 1
    assert load(path).spacing.aspect == pytest.approx(0.5)
    path.write_bytes(with_video_element(data, element("54b0", b"\x60") + element("54ba", b"\x40")))
    assert load(path).spacing.aspect is None


def clean_aperture(width, height, right, down):
    return box("clap", struct.pack(">IIIIiIiI", width, 1, height, 1, right, 1, down, 1))


def test_frames_are_cropped_to_the_clean_aperture(mp4):
    def change(data):
        return with_box(data, SAMPLE_ENTRY, clean_aperture(80, 40, -4, 2))

    scan = load(mp4(change))
    assert_shows(scan, FRAMES[:, 14:54, 4:84])
    assert "columns 4 to 83 and rows 14 to 53" in scan.notes[0]
    scan = load(mp4(lambda data: with_matrix(change(data), 0, 1, -1, 0)))
    assert_shows(scan, [np.rot90(frame, -1) for frame in FRAMES[:, 14:54, 4:84]])
    scan = load(mp4(lambda data: with_box(data, SAMPLE_ENTRY, clean_aperture(200, 40, 0, 0))))
    assert_shows(scan, FRAMES)
    assert codes(scan) == ["geometry-not-applied"]


def test_frames_are_cropped_as_matroska_prescribes(tmp_path):
    path = write_video(tmp_path / "a.mkv", "mp4v")
    crop = element("54cc", b"\x08") + element("54bb", b"\x04") + element("54dd", b"\x10")
    path.write_bytes(with_video_element(path.read_bytes(), crop))
    assert_shows(load(path), FRAMES[:, 4:, 8:80])


@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        ([(400, 0, 1)], range(10)),
        ([(120, 3 * 512, 1)], range(3, 6)),
        ([(200, -1, 1), (160, 512, 1)], range(1, 5)),
    ],
)
def test_trimmed_video_shows_the_frames_of_its_edit_list(mp4, edits, shown):
    scan = load(mp4(lambda data: with_edits(data, edits)))
    assert_shows(scan, FRAMES[list(shown)])
    assert scan.warnings == ()
    trimmed = (
        f"the file is trimmed: its edit list shows {len(shown)} of 10 stored frames, "
        "as a player does",
    )
    assert scan.notes == (() if len(shown) == 10 else trimmed)


def test_edit_list_that_shows_nothing_is_named(mp4):
    with pytest.raises(ScanError, match=r"a.mp4: its edit list shows none of its 10 stored frames"):
        load(mp4(lambda data: with_edits(data, [(400, -1, 1)])))


def test_parts_at_another_speed_and_repeated_parts_are_noted(mp4):
    scan = load(mp4(lambda data: with_edits(data, [(400, 0, 0.5)])))
    assert any("another speed" in note for note in scan.notes)
    assert scan.declared_frames == 10
    # decoders differ in what they do with a part that is shown twice
    scan = load(mp4(lambda data: with_edits(data, [(200, 0, 1), (400, 0, 1)])))
    decoded = len(list(scan.frames()))
    assert decoded >= 10
    assert decoded == 15 or scan.warnings or scan.notes


def test_frames_of_other_video_tracks_are_warned_of(mp4):
    def change(data):
        start, end = find_box(data, ("trak",))[-1]
        return with_box(data, (), data[start:end])

    scan = load(mp4(change))
    assert_shows(scan, FRAMES)
    assert codes(scan) == ["frames-not-read"]
    assert "track 2 of the file with 10 frames" in scan.warnings[0].text


def test_video_whose_track_is_hidden_behind_another_is_warned_of(mp4):
    def change(data):
        start, end = find_box(data, ("trak",))[-1]
        second = data[start:end]
        return with_bytes(with_box(data, (), second), ("trak", "tkhd"), 0, b"\0\0\0\2")

    assert codes(load(mp4(change))) == ["frames-not-read", "geometry-not-applied"]


def insert_empty_chunks(data, each):
    """Return an AVI file with empty frames after each frame, without its index."""
    start = data.index(b"movi") + 4
    position, parts, count = start, [], 0
    while data[position : position + 4] == b"00dc":
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + length + length % 2
        parts.append(data[position:end] + b"00dc\0\0\0\0" * each)
        position, count = end, count + 1 + each
    movie = b"".join(parts)
    head = bytearray(data[:start])
    head[start - 8 : start - 4] = (len(movie) + 4).to_bytes(4, "little")
    for chunk, offset in ((b"avih", 24), (b"strh", 40)):
        at = head.index(chunk) + offset
        head[at : at + 4] = count.to_bytes(4, "little")
    whole = bytes(head) + movie
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def test_empty_frames_of_avi_are_repetitions_and_no_damage(tmp_path):
    path = write_video(tmp_path / "a.avi")
    path.write_bytes(insert_empty_chunks(path.read_bytes(), 3))
    scan = load(path)
    assert_shows(scan, FRAMES)
    assert scan.notes[0].startswith("30 frames are stored empty")


@pytest.mark.parametrize("top_down", [False, True])
def test_uncompressed_avi_is_upright_in_both_directions(tmp_path, top_down):
    path = tmp_path / "a.avi"
    path.write_bytes(uncompressed_avi(FRAMES, top_down=top_down))
    scan = load(path)
    np.testing.assert_array_equal(np.stack(list(scan.frames())), FRAMES)


def test_damaged_structures_prescribe_nothing_and_raise_no_error(mp4, tmp_path):
    random = np.random.default_rng(0)
    whole = mp4(lambda data: with_box(data, SAMPLE_ENTRY, pixel_shape(2, 1))).read_bytes()
    start = find_box(whole, ())[-1][0]
    matroska = write_video(tmp_path / "a.mkv", "mp4v").read_bytes()
    avi = write_video(tmp_path / "a.avi").read_bytes()
    for name, data, first, last in (
        ("mp4", whole, start, len(whole)),
        ("matroska", matroska, 0, 700),
        ("avi", avi, 0, 600),
    ):
        path = tmp_path / "damaged"
        for _ in range(300):
            damaged = bytearray(data)
            for at in random.integers(first, min(last, len(data)), 3):
                damaged[at] = random.integers(256)
            path.write_bytes(damaged)
            read_display(path, name)
        for length in range(0, len(data), 97):
            path.write_bytes(data[:length])
            read_display(path, name)


def test_cover_of_too_many_frames_is_not_examined(tmp_path, mp4):
    def change(data):
        return with_bytes(data, ("trak", "mdia", "minf", "stbl", "stsz"), 8, b"\xff" * 4)

    assert read_display(mp4(change), "mp4").stored_frames is None


def test_turns_of_matrices_and_orientation_tags():
    image = np.arange(6).reshape(2, 3)
    for matrix, turned in TURNS.values():
        a, b, c, d = (3.0 * number for number in matrix)
        turn = turn_of_matrix(a, b, c, d, 0.001)
        assert turn is not None
        np.testing.assert_array_equal(turn(image), turned(image))
        assert turn.of_size(2, 3) == turned(image).shape
        assert turn.of_aspect(2.0) == (0.5 if turn.swaps_axes else 2.0)
    for a, b, c, d in (
        (1.0, 1.0, 0.0, 1.0),
        (0.0, 0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0, 0.0),
        (float("nan"), 0.0, 0.0, 1.0),
    ):
        assert turn_of_matrix(a, b, c, d, 0.001) is None
    assert turn_of_orientation(6) == Turn(True, False, True)
    assert not turn_of_orientation(1).changes


def test_case_with_settings_keeps_the_trim(mp4):
    path = mp4(lambda data: with_edits(data, [(120, 3 * 512, 1)]))
    scan = load(path, settings=LoadingSettings(keep_truncated=True))
    assert scan.declared_frames == 3
