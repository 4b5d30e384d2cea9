"""Names of inputs that collide with other inputs or with limits of file systems."""

import pytest

from usmicro.writing.names import file_stems


def test_an_output_file_does_not_get_the_name_of_a_folder():
    """The overlay of x.dcm would be overlays/x.png, which is the folder of x.png/y.dcm."""
    assert file_stems(["x.dcm", "x.png/y.dcm", "z.jpg/a.png", "z.bmp"]) == [
        "x.dcm",
        "x.png/y",
        "z.jpg/a",
        "z.bmp",
    ]


def test_a_folder_for_frames_is_not_that_of_another_input():
    """The frames of a.dcm would be in images/a.frames, beside the picture of the other scan."""
    assert file_stems(["a.dcm", "a.frames/000012.png"]) == ["a.dcm", "a.frames/000012"]


@pytest.mark.parametrize("letter", ["a", "ü", "\U0001f600"])
def test_no_part_of_a_name_is_too_long_for_a_file_system(letter):
    names = [
        f"{letter * 200}/{letter * (250 // len(letter.encode()))}{end}"
        for end in ("1", "2", ".dcm")
    ]
    stems = file_stems(names)
    assert len(set(stems)) == 3
    assert all(
        len(part.encode()) + len(".png.png") <= 255 for stem in stems for part in stem.split("/")
    )


def test_short_names_are_not_changed():
    assert file_stems(["a" * 230]) == ["a" * 230]
