"""Names of inputs that file systems and other inputs make hard to keep."""

import pytest

from usmicro.writing.names import file_stems


def test_a_file_gives_way_to_a_folder_of_its_name():
    """x.dcm would be drawn in overlays/x.png, which is the folder of x.png/y.dcm."""
    assert file_stems(["x.dcm", "x.png/y.dcm", "z.jpg/a.png", "z.bmp"]) == [
        "x.dcm",
        "x.png/y",
        "z.jpg/a",
        "z.bmp",
    ]


@pytest.mark.parametrize("letter", ["a", "ü", "\U0001f600"])
def test_no_part_is_too_long_for_a_file_system(letter):
    names = [
        f"{letter * 200}/{letter * (250 // len(letter.encode()))}{end}"
        for end in ("1", "2", ".dcm")
    ]
    stems = file_stems(names)
    assert len(set(stems)) == 3
    assert all(
        len(part.encode()) + len(".png.png") <= 255 for stem in stems for part in stem.split("/")
    )


def test_short_names_stay_as_they_are():
    assert file_stems(["a" * 230]) == ["a" * 230]
