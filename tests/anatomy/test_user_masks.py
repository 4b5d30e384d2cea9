from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import usmicro
from usmicro.anatomy.user_masks import user_masks_on_frame
from usmicro.errors import ScanError
from usmicro.model.scan import Scan, Spacing, UserMasks
from usmicro.model.user_function import function_name
from usmicro.phantom import simulate

FRAME = np.arange(1200, dtype=np.uint8).reshape(30, 40)
SCAN = Scan.of_array(FRAME, spacing=0.1, name="scan.png")


def two_squares(value=1):
    area = np.zeros(FRAME.shape, np.uint8)
    area[3:8, 3:8] = area[15:20, 20:25] = value
    return area


def on_frame(masks, frame=FRAME):
    return user_masks_on_frame(masks, frame, 2, SCAN)


# ---- what is taken ----


@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_parts_of_a_binary_array_are_numbered(value, dtype):
    given = on_frame(
        {"masses": two_squares(value).astype(dtype), "nonmass": two_squares(value).astype(dtype)}
    )
    assert given.masses[4, 4] == 1
    assert given.masses[16, 22] == 2
    np.testing.assert_array_equal(given.nonmass, two_squares() > 0)
    assert (given.masses.dtype, given.nonmass.dtype, given.ducts) == (np.int32, bool, None)


def test_numbers_are_kept():
    labels = two_squares(3)
    labels[15:20] *= 2
    np.testing.assert_array_equal(on_frame({"ducts": labels, "masses": None}).ducts, labels)


def test_masks_of_a_frame_take_the_place_of_those_of_the_scan():
    whole, single = (
        UserMasks(ducts=two_squares().astype(np.int32)),
        UserMasks(masses=two_squares().astype(np.int32)),
    )
    assert user_masks_on_frame(replace(whole, frames={2: single}), FRAME, 2, SCAN) is single
    assert user_masks_on_frame(replace(whole, frames={2: single}), FRAME, 1, SCAN).masses is None


# ---- functions ----


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 3)])
def test_a_function_gets_a_copy_of_the_frame_in_8_bits_and_the_spacing(depth, shape):
    frame = np.full(shape, 200 << 8 if depth == np.uint16 else 200, depth)
    asked = []

    def find(image, spacing):
        asked.append((image.dtype, image.shape, int(image[0, 0].max()), spacing))
        image[:] = 0
        return {"masses": two_squares()}

    assert on_frame(find, frame).masses.max() == 2
    assert asked == [(np.uint8, shape, 200, Spacing(0.1, 0.1, "given"))]
    assert frame.min() > 0


def test_a_function_may_leave_a_frame_to_usmicro_or_give_masks_as_they_are():
    assert on_frame(lambda image, spacing: None) is None
    masks = UserMasks(masses=two_squares().astype(np.int32))
    assert on_frame(lambda image, spacing: masks) is masks


def of_threshold(image, spacing, threshold):
    return {"masses": image > threshold}


def test_functions_have_names():
    assert function_name(of_threshold).endswith("test_user_masks.of_threshold")
    assert function_name(partial(of_threshold, threshold=3)) == function_name(of_threshold)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"masses": np.zeros((30, 41), bool)},
            r"masses: expected the size of the frame, 30 rows x 40 columns, found .* \(30, 41\)",
        ),
        ({"ducts": np.zeros((30, 40, 3), bool)}, r"ducts: expected the size"),
        (UserMasks(nonmass=np.zeros((3, 4), bool)), r"nonmass: expected the size"),
        ({"masses": np.zeros((30, 40))}, "found float64; compare a probability"),
        ({"masses": np.full((30, 40), -1)}, "found -1 to -1"),
        ({"mass": two_squares()}, "expected the keys masses, ducts, nonmass, found mass"),
        (two_squares(), 'found ndarray; for a mask of masses pass {"masses": mask}'),
    ],
)
def test_what_is_no_outline_is_told(given, message):
    with pytest.raises(ScanError, match=rf"^scan\.png: the masks function .*{message}"):
        on_frame(lambda image, spacing: given)


def test_a_function_that_fails_is_told_with_its_own_words():
    def fails(image, spacing):
        raise KeyError("weights")

    with pytest.raises(
        ScanError,
        match=r"scan\.png: the masks function .*fails failed on frame 2: KeyError: 'weights'",
    ) as caught:
        on_frame(fails)
    assert isinstance(caught.value.__cause__, KeyError)


# ---- in an analysis ----


@pytest.fixture(scope="module")
def phantom():
    return simulate(11)


def drawn(phantom):
    masses = np.zeros(phantom.frames.shape[1:3], np.int32)
    masses[200:300, 200:320] = 1
    return masses


def test_a_function_a_mapping_and_masks_give_the_same_analysis(phantom):
    masses = drawn(phantom)
    ways = (
        UserMasks(masses=masses),
        {"masses": masses > 0},
        lambda image, spacing: {"masses": masses},
    )
    first, *others = (usmicro.analyze(phantom.scan(), masks=way) for way in ways)
    for other in others:
        assert (other.foci, other.masses, other.summary) == (
            first.foci,
            first.masses,
            first.summary,
        )
        np.testing.assert_array_equal(other.labels, first.labels)


def test_a_mass_that_is_given_on_one_frame_of_a_cine_is_listed(phantom):
    cine = Scan.of_array(np.repeat(phantom.frames[:1], 4, axis=0), spacing=phantom.spacing)
    masks = UserMasks(
        masses=np.zeros_like(drawn(phantom)),
        frames={2: UserMasks(masses=drawn(phantom))},
        notes=("given for a test",),
    )
    analysis = usmicro.analyze(cine, masks=masks)
    assert [(mass.frame, mass.confidence) for mass in analysis.masses] == [(2, 1.0)]
    assert "given for a test" in analysis.notes
