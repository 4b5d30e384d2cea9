from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from usmicro.model.scan import Region
from usmicro.preparation.colour.separation import separate_colour

VELOCITY = [
    (255, 255, 0),
    (255, 90, 0),
    (160, 0, 0),
    (40, 0, 0),
    (0, 0, 0),
    (0, 0, 40),
    (0, 0, 160),
    (0, 90, 255),
    (0, 255, 255),
]
POWER = [(255, 255, 120), (250, 130, 10), (160, 20, 10), (20, 0, 5)]
WARM_COOL = [
    (255, 240, 180),
    (230, 60, 30),
    (70, 0, 20),
    (0, 0, 0),
    (0, 30, 70),
    (10, 140, 140),
    (160, 255, 120),
]
RAINBOW = [(255, 0, 0), (255, 200, 0), (0, 255, 0), (0, 200, 255), (0, 0, 255)]
RECTANGLE = [(210, 110), (410, 110), (410, 300), (210, 300)]
STEERED = [(230, 110), (430, 110), (380, 300), (180, 300)]


def graded(stops, length):
    return np.stack(
        [
            np.interp(np.linspace(0, len(stops) - 1, length), range(len(stops)), column)
            for column in zip(*stops, strict=True)
        ],
        axis=1,
    )


@dataclass
class Drawn:
    """A screen: a rectangle of grey speckle on black, and the colours drawn on it."""

    frame: np.ndarray
    flow: np.ndarray
    inside: np.ndarray


def screen(
    seed=0,
    *,
    corners=RECTANGLE,
    outline=(255, 255, 255),
    bar=VELOCITY,
    bar_at=(20, 80, 34, 200),
    lying=False,
    flow=True,
    level=90,
):
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (420, 600)), (0, 0), 3, sigmaY=1.5)
    grey = np.zeros((420, 600))
    grey[40:380, 90:540] = np.clip(level + 160 * grain[40:380, 90:540], 0, 230)
    frame = np.repeat(grey[..., None], 3, axis=2)
    inside = np.zeros(grey.shape, np.uint8)
    mask = np.zeros(grey.shape, np.uint8)
    if corners is not None:
        points = np.array(corners)[:, None]
        cv2.fillPoly(inside, [points], 1)
        if flow:
            cv2.line(mask, (240, 250), (370, 160), 1, 16)
            down, over = np.indices(grey.shape)
            value = 0.2 + 0.6 * (np.sin(over / 9) * np.cos(down / 13) / 2 + 0.5)
            colours = graded(bar or VELOCITY, 512)
            frame[mask > 0] = colours[(value * 200).astype(int)][mask > 0]
        if outline is not None:
            cv2.polylines(frame, [points], True, outline, 1)
    if bar is not None:
        left, top, right, bottom = bar_at
        length = right - left if lying else bottom - top
        strip = graded(bar, length)
        frame[top:bottom, left:right] = strip[None] if lying else strip[:, None]
    return Drawn(frame.round().astype(np.uint8), mask > 0, inside > 0)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("corners", [RECTANGLE, STEERED])
@pytest.mark.parametrize("outline", [(255, 255, 255), (255, 255, 0), (0, 220, 90), (150, 150, 150)])
def test_a_box_with_an_outline_and_its_flow_are_found(corners, outline):
    drawn = screen(corners=corners, outline=outline)
    found = separate_colour(drawn.frame)
    assert overlap(found.box, drawn.inside) > 0.94
    assert overlap(found.mask, drawn.flow) > 0.95
    assert not (found.mask & found.interface).any()


def test_a_box_without_flow_is_found_if_there_is_a_bar():
    drawn = screen(flow=False)
    found = separate_colour(drawn.frame)
    assert overlap(found.box, drawn.inside) > 0.94
    assert not found.mask.any()


def test_without_outline_the_box_is_the_declared_region_or_the_extent_of_the_flow():
    drawn = screen(outline=None)
    region = Region("colour flow", 200, 100, 420, 310)
    declared, found = separate_colour(drawn.frame, [region]), separate_colour(drawn.frame)
    assert declared.box.sum() == 220 * 210
    assert (found.box & drawn.flow).sum() > 0.98 * drawn.flow.sum()
    for each in (declared, found):
        assert overlap(each.mask, drawn.flow) > 0.95


@pytest.mark.parametrize("stops", [VELOCITY, WARM_COOL])
@pytest.mark.parametrize("place", [(20, 80, 34, 200), (560, 60, 580, 180), (40, 4, 160, 18)])
def test_a_velocity_bar_is_read_on_any_side(stops, place):
    lying = place[2] - place[0] > place[3] - place[1]
    found = separate_colour(screen(bar=stops, bar_at=place, lying=lying).frame)
    assert found.bar.kind == "velocity"
    assert found.bar.box == pytest.approx(place, abs=4)
    assert found.bar.baseline == pytest.approx((len(found.bar.colours) - 1) / 2, abs=3)
    assert found.bar.colours[3, 0] > found.bar.colours[3, 2]
    assert not found.power


def test_a_shifted_baseline_is_found():
    shifted = [*VELOCITY[:5], (0, 0, 60), (0, 0, 120)]
    found = separate_colour(screen(bar=shifted).frame)
    assert found.bar.baseline == pytest.approx(4 / 6 * 119, abs=4)


@pytest.mark.parametrize("stops", [POWER, POWER[::-1]])
def test_a_power_bar_begins_with_the_strongest(stops):
    found = separate_colour(screen(bar=stops).frame)
    assert found.power
    assert found.bar.kind == "power"
    assert found.bar.colours[0].sum() > found.bar.colours[-1].sum() + 200


def test_a_variance_bar_is_two_dimensional():
    drawn = screen()
    green = np.linspace(0, 120, 14)[None]
    strip = drawn.frame[80:200, 20:34].astype(float)
    strip[..., 1] = np.clip(strip[..., 1] + green, 0, 255)
    drawn.frame[80:200, 20:34] = strip
    found = separate_colour(drawn.frame)
    assert found.bar.kind == "variance"
    assert found.bar.colours.ndim == 3


def test_an_elastogram_is_not_flow():
    found = separate_colour(screen(bar=RAINBOW).frame)
    assert not found.box.any()
    assert not found.mask.any()
    assert found.interface.any()


@pytest.mark.parametrize("quality", [92, 75])
def test_jpeg_compression_changes_little(quality):
    drawn = screen()
    coded = cv2.imencode(".jpg", drawn.frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    found = separate_colour(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    assert found.bar.kind == "velocity"
    assert overlap(found.mask, drawn.flow) > 0.75


@pytest.mark.parametrize("tint", [(1, 1, 1), (0.92, 1, 1.12), (1.15, 1, 0.75)])
def test_a_tinted_image_without_colours_is_grey(tint):
    frame = screen(corners=None, bar=None).frame
    assert separate_colour(np.clip(frame * np.array(tint), 0, 255).round().astype(np.uint8)) is None


def test_flow_is_found_on_a_tinted_image():
    drawn = screen(bar=WARM_COOL)
    grey = (np.ptp(drawn.frame, axis=2) == 0)[..., None]
    frame = (
        np.where(grey, np.clip(drawn.frame * np.array((0.92, 1, 1.12)), 0, 255), drawn.frame)
        .round()
        .astype(np.uint8)
    )
    assert overlap(separate_colour(frame).mask, drawn.flow) > 0.9


def test_coloured_annotations_are_not_flow():
    frame = screen(corners=None, bar=None).frame
    cv2.putText(
        frame, "R BREAST 10:00", (200, 330), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 0), 2
    )
    cv2.line(frame, (250, 200), (262, 200), (0, 255, 0), 1)
    cv2.line(frame, (256, 194), (256, 206), (0, 255, 0), 1)
    cv2.circle(frame, (500, 340), 12, (90, 160, 255), -1)
    found = separate_colour(frame)
    assert not found.box.any()
    assert found.bar is None
    assert found.interface[200, 256]
    assert found.interface[340, 500]


def test_the_result_is_reproducible_and_the_frame_is_not_changed():
    frame = screen().frame
    before = frame.copy()
    first, second = separate_colour(frame), separate_colour(frame[:, :, :])
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(first.mask, second.mask)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (9, 9)])
def test_tiny_frames_cause_no_error(shape):
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = separate_colour(frame)
    assert found is None or found.mask.shape == shape


@pytest.mark.slow
def test_tinted_breast_scans_have_no_flow(data_folder):
    files = sorted((data_folder / "breast-lesions-usg" / "images").glob("*.png"))
    assert files
    for file in files:
        assert separate_colour(cv2.imread(str(file))[..., ::-1]) is None, file.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "power"), [("colour-cine-rgb.dcm", False), ("power-doppler-rgb.dcm", True)]
)
def test_flow_is_found_in_public_colour_files(data_folder, name, power):
    import pydicom

    pixels = pydicom.dcmread(data_folder / "ultrasound-dicom" / name).pixel_array
    for frame in pixels.reshape(-1, *pixels.shape[-3:]):
        found = separate_colour(frame)
        assert found.power == power
        assert 0.15 < found.mask.sum() / found.box.sum() < 0.9
