"""Scans of arrays, and the spacing that a caller gives."""

import numpy as np
import pytest

from usmicro.errors import ImageError, UsageError
from usmicro.model.scan import Scan, Spacing, spacing_of

IMAGE = np.random.default_rng(1).integers(0, 256, (20, 30), dtype=np.uint8)


@pytest.mark.parametrize("number", [0.08, np.float32(0.08), np.float64(0.08)])
def test_one_number_holds_for_both_axes(number):
    spacing = spacing_of(number)
    assert spacing.x_mm == spacing.y_mm == pytest.approx(0.08)
    assert spacing.source == "given"
    assert (spacing_of(1).x_mm, spacing_of(np.int64(1)).y_mm) == (1.0, 1.0)


@pytest.mark.parametrize("pair", [(0.1, 0.2), [0.1, 0.2], np.array([0.1, 0.2])])
def test_a_pair_is_the_distance_between_columns_then_between_rows(pair):
    assert spacing_of(pair) == Spacing(0.1, 0.2, "given")


def test_a_spacing_stays_and_one_without_a_source_is_given():
    assert spacing_of(Spacing(0.1, 0.2, "region")).source == "region"
    assert spacing_of(Spacing(0.1, 0.2)) == Spacing(0.1, 0.2, "given")
    assert spacing_of(Spacing(aspect=1.2)) == Spacing(aspect=1.2)
    assert spacing_of(None) == Spacing()


@pytest.mark.parametrize(
    "wrong",
    [0, -0.1, float("nan"), float("inf"), (0.1, 0), (0.1, -0.1), Spacing(-1.0, 0.1), "0.08", "",
     True, (0.1, 0.2, 0.3), (0.1,), [], [[0.1, 0.2]], {"x": 0.1}, ("a", "b"), (True, 0.1),
     Spacing(0.1, None), 1j, b"1", np.array(0.1)[None, None]],
)  # fmt: skip
def test_a_wrong_spacing_is_shown_with_what_is_expected(wrong):
    with pytest.raises(UsageError, match=r"spacing: expected a (number of mm, a pair|positive)"):
        spacing_of(wrong)
    with pytest.raises(UsageError):
        Scan.of_array(IMAGE, spacing=wrong)


def test_equal_pictures_give_equal_frames():
    first = next(Scan.of_array(IMAGE).frames())
    opaque = np.dstack([IMAGE, IMAGE, IMAGE, np.full_like(IMAGE, 255)])
    for same in (IMAGE / 255.0, IMAGE.astype(int), IMAGE.tolist(), IMAGE[..., None], IMAGE[None]):
        np.testing.assert_array_equal(next(Scan.of_array(same).frames()), first)
    for same in (opaque, opaque[..., :3], opaque / 255.0):
        frame = next(Scan.of_array(same).frames())
        np.testing.assert_array_equal(frame, np.dstack([first] * 3))


def test_the_frames_can_be_read_again_and_have_the_declared_size():
    cine = np.stack([IMAGE / 255.0] * 6)
    scan = Scan.of_array(cine, spacing=(0.1, 0.2), name="mine")
    assert (scan.declared_frames, scan.rows, scan.columns, scan.name) == (6, 20, 30, "mine")
    for _ in range(2):
        frames = list(scan.frames())
        assert len(frames) == 6
        assert all(frame.dtype == np.uint8 and frame.shape == (20, 30) for frame in frames)


def test_notes_say_what_was_done_to_the_values():
    assert Scan.of_array(IMAGE).notes == ()
    assert Scan.of_array(IMAGE.astype(np.uint16) * 257).notes == ()
    assert "multiplied by 255" in Scan.of_array(IMAGE / 255.0).notes[0]
    assert "highest bit used, of 12," in Scan.of_array(IMAGE.astype(np.uint16) * 16).notes[0]


def test_a_short_grey_cine_can_be_made_but_also_refused():
    assert Scan.of_array(np.stack([IMAGE] * 3)).declared_frames == 3
    with pytest.raises(ImageError, match=r"mine: .* may be a grey cine of 3 frames"):
        Scan.of_array(np.stack([IMAGE] * 3), name="mine", cine=False)
