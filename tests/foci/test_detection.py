import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from usmicro.errors import UsmicroError
from usmicro.foci import find_candidates, find_foci
from usmicro.foci.detection import TEN_CM2, strongest_first
from usmicro.foci.extents import true_diameters
from usmicro.foci.scale_space import FWHM, scale_space
from usmicro.model.findings import Candidates
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View
from usmicro.preparation import prepare
from usmicro.settings import FociSettings

PIXEL_MM = 0.08
SHAPE = (320, 400)
SPECKLE_SIZE = (5.2, 2.8)


def speckle_of(seed: int, shape: tuple[int, int] = SHAPE, level: float = 80.0) -> np.ndarray:
    """Log-compressed Rayleigh speckle, 60 dB, with the speckle size SPECKLE_SIZE."""
    parts = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    real, imaginary = (cv2.GaussianBlur(part, (0, 0), 3.4, sigmaY=1.7) for part in parts)
    envelope = np.hypot(real, imaginary)
    return np.clip(
        np.round(level + 85 * np.log10(envelope / envelope.mean() + 1e-9)), 0, 255
    ).astype(np.float32)


def view_of(grey: np.ndarray, **changes) -> View:
    tissue = changes.pop("tissue", np.ones(grey.shape, bool))
    graphics = changes.pop("graphics", np.zeros(grey.shape, bool))
    grid = Grid(0, 0, 1, 1, PIXEL_MM, Spacing(PIXEL_MM, PIXEL_MM, "given"))
    return View(
        np.ascontiguousarray(grey, np.float32),
        tissue,
        graphics,
        grid,
        ScanLines("linear", 0.0),
        SPECKLE_SIZE,
    )


def with_blobs(
    grey: np.ndarray, blobs: list[tuple[float, float, float]], height: float = 110
) -> np.ndarray:
    """The image with Gaussian blobs (x, y, full width at half maximum) that replace the speckle."""
    rows, columns = np.indices(grey.shape)
    out = grey.copy()
    for x, y, diameter in blobs:
        share = np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / (diameter / FWHM) ** 2)
        out = out * (1 - share) + (80 + height) * share
    return out.astype(np.float32)


def echo_diameter(width: float) -> float:
    """Diameter of the echo whose bright image has a width of `width` pixels at half height."""
    speckle_size = float(np.sqrt(SPECKLE_SIZE[0] * SPECKLE_SIZE[1]))
    return float(true_diameters(np.array([width]), np.array([8.0]), speckle_size)[0])


BLOBS = [
    (60.3, 50.7, 5.0),
    (200.5, 60.25, 8.0),
    (330.8, 70.1, 12.0),
    (90.4, 220.6, 18.0),
    (290.2, 210.3, 26.0),
]


@pytest.fixture(scope="module")
def blobs() -> tuple[View, Candidates]:
    view = view_of(with_blobs(speckle_of(1), BLOBS))
    return view, find_candidates(view)


def nearest(candidates: Candidates, x: float, y: float) -> int:
    return int(np.argmin(np.hypot(candidates.x - x, candidates.y - y)))


@pytest.mark.parametrize("blob", BLOBS)
def test_position_and_diameter_of_a_blob_are_measured(blobs, blob):
    candidates, (x, y, diameter) = blobs[1], blob
    i = nearest(candidates, x, y)
    # the speckle under a blob moves it: root mean square 0.3 to 0.4 pixels along either axis
    assert np.hypot(candidates.x[i] - x, candidates.y[i] - y) < 0.9
    assert candidates.diameter[i] == pytest.approx(echo_diameter(diameter), rel=0.2)
    assert candidates.line[i] < 0.2
    assert candidates.false_alarm[i] < 1e-5
    assert candidates.coarse[i] == (echo_diameter(diameter) * PIXEL_MM >= 0.5)


def test_blobs_come_before_speckle_and_all_arrays_have_the_same_length(blobs):
    candidates = blobs[1]
    first = candidates.take(np.arange(len(BLOBS)))
    assert {nearest(first, x, y) for x, y, _ in BLOBS} == set(range(len(BLOBS)))
    assert (np.diff(candidates.features["response"]) <= 0).all()
    assert (np.diff(candidates.false_alarm) >= 0).all()
    for values in candidates.features.values():
        assert values.shape == candidates.x.shape
        assert np.isfinite(values).all()


@pytest.mark.parametrize("diameter", [5.0, 10.0, 20.0])
def test_diameter_and_position_are_unbiased(diameter):
    errors = []
    for seed in range(3):
        places = [(x + 0.1 * seed, y + 0.3, diameter) for x in (70, 200, 330) for y in (80, 240)]
        candidates = find_candidates(view_of(with_blobs(speckle_of(seed), places)))
        for x, y, _ in places:
            i = nearest(candidates, x, y)
            errors.append((candidates.diameter[i], candidates.x[i] - x, candidates.y[i] - y))
    measured, dx, dy = np.array(errors).T
    assert measured.mean() == pytest.approx(echo_diameter(diameter), rel=0.1)
    assert np.hypot(dx.mean(), dy.mean()) < 0.25
    # the speckle under a blob moves it
    assert np.sqrt(np.mean(dx**2 + dy**2) / 2) < 0.65


@pytest.mark.parametrize("diameter", [2.0, 3.0, 4.0])
def test_a_point_measures_at_most_the_speckle_size(diameter):
    candidates = find_candidates(
        view_of(with_blobs(speckle_of(3), [(200, 160, diameter)], height=140))
    )
    i = nearest(candidates, 200, 160)
    assert candidates.diameter[i] <= np.sqrt(SPECKLE_SIZE[0] * SPECKLE_SIZE[1])
    assert not candidates.coarse[i]


def test_a_ligament_does_not_count_for_the_diameter_of_a_blob_on_it():
    rows, _ = np.indices(SHAPE)
    ligament = 80 + 50 * np.exp(-0.5 * ((rows - 160) / 3) ** 2) + 0.2 * (speckle_of(3) - 80)
    candidates = find_candidates(view_of(with_blobs(ligament, [(200, 160, 9)], height=130)))
    measured = candidates.diameter[nearest(candidates, 200, 160)]
    assert measured == pytest.approx(echo_diameter(9), rel=0.4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_surroundings_of_a_focus_hardly_change_its_false_alarm(seed):
    rows, columns = np.indices(SHAPE)
    x, y, speckle = 200, 160, speckle_of(seed)
    angles = np.arange(6) * np.pi / 3
    ring = [(x + 20 * np.cos(angle), y + 20 * np.sin(angle), 6.0) for angle in angles]
    surroundings = {
        "nothing": (speckle, []),
        "foci": (speckle, ring),
        "edge of a brighter tissue": (np.where(columns > x + 14, speckle + 60, speckle), []),
        "cyst": (
            np.where(np.hypot(columns - x - 35, rows - y) < 25, 2 + 0.02 * speckle, speckle),
            [],
        ),
    }
    log_false_alarm = {}
    for name, (grey, others) in surroundings.items():
        candidates = find_candidates(view_of(with_blobs(grey, [(x, y, 6.0), *others], height=60)))
        i = nearest(candidates, x, y)
        assert np.hypot(candidates.x[i] - x, candidates.y[i] - y) < 2, name
        log_false_alarm[name] = np.log10(candidates.false_alarm[i])
    assert np.ptp(list(log_false_alarm.values())) < 0.6


@pytest.mark.parametrize("blob", BLOBS)
def test_a_blob_in_weak_speckle_is_measured_accurately(blob):
    x, y, diameter = blob
    candidates = find_candidates(view_of(with_blobs(80 + 0.1 * (speckle_of(2) - 80), [blob])))
    assert np.hypot(candidates.x[0] - x, candidates.y[0] - y) < 0.1 + 0.015 * diameter
    assert candidates.diameter[0] == pytest.approx(echo_diameter(diameter), rel=0.1)
    assert candidates.line[0] == 0
    assert candidates.features["roundness"][0] > 0.8


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 30.0), (0.6, 0.0), (0.7, 50.0)])
def test_gain_and_offset_of_the_display_do_not_change_the_measures(blobs, gain, offset):
    view, candidates = blobs
    changed = find_candidates(view_of(view.grey * gain + offset))
    for x, y, _ in BLOBS:
        i, j = nearest(candidates, x, y), nearest(changed, x, y)
        assert changed.contrast[j] == pytest.approx(candidates.contrast[i], rel=0.05)
        assert changed.features["response"][j] == pytest.approx(
            candidates.features["response"][i], rel=0.05
        )
        assert changed.diameter[j] == pytest.approx(candidates.diameter[i], rel=0.05)


@pytest.mark.parametrize("flip", [np.fliplr, np.flipud])
def test_a_flipped_image_has_flipped_candidates(blobs, flip):
    view, candidates = blobs
    flipped = find_candidates(view_of(flip(view.grey)))
    rows, columns = view.shape
    x, y = flipped.x, flipped.y
    x, y = (columns - 1 - x, y) if flip is np.fliplr else (x, rows - 1 - y)
    assert len(flipped) == len(candidates)
    for i in range(len(candidates)):
        j = int(np.argmin(np.hypot(x - candidates.x[i], y - candidates.y[i])))
        assert np.hypot(x[j] - candidates.x[i], y[j] - candidates.y[i]) < 0.05
        assert flipped.contrast[j] == pytest.approx(candidates.contrast[i], rel=0.01)
        assert flipped.diameter[j] == pytest.approx(candidates.diameter[i], rel=0.02)
        assert flipped.line[j] == pytest.approx(candidates.line[i], abs=0.1)


@pytest.mark.parametrize("angle", [0, 25, 90])
def test_line_is_high_on_a_long_line_and_low_on_a_point(angle):
    rows, columns = np.indices(SHAPE) - np.array(SHAPE)[:, None, None] / 2
    radians = np.deg2rad(angle)
    across = -columns * np.sin(radians) + rows * np.cos(radians)
    along = columns * np.cos(radians) + rows * np.sin(radians)
    share = np.exp(-0.5 * (across / 2) ** 2) * (np.abs(along) < 90)
    bright = 150 + 0.5 * (speckle_of(3) - 80)  # beads on the line, as a ligament has
    grey = speckle_of(2) * (1 - share) + bright * share
    candidates = find_candidates(
        view_of(with_blobs(grey, [(60, 40, 5)])), FociSettings(false_positives=20.0)
    )
    column, row = candidates.x - SHAPE[1] / 2, candidates.y - SHAPE[0] / 2
    on_line = np.abs(-column * np.sin(radians) + row * np.cos(radians)) < 3
    assert on_line.sum() >= 1
    assert np.median(candidates.line[on_line]) > 0.7
    assert candidates.line[nearest(candidates, 60, 40)] < 0.2
    beam = np.median(candidates.features["across_beam"][on_line])
    assert beam == pytest.approx(np.cos(radians), abs=0.25)


def test_no_candidate_lies_on_graphics_or_outside_the_tissue():
    grey = with_blobs(speckle_of(4), [(60, 60, 6), (200, 160, 6), (340, 60, 6)])
    tissue, graphics = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)
    tissue[:, 300:] = False
    graphics[40:80, 40:80] = True
    view = view_of(grey, tissue=tissue, graphics=graphics)
    candidates = find_candidates(view, FociSettings(false_positives=100.0))
    assert np.hypot(candidates.x - 200, candidates.y - 160).min() < 1
    assert view.usable[np.round(candidates.y).astype(int), np.round(candidates.x).astype(int)].all()
    assert candidates.x.max() < 300


def test_the_outline_of_the_tissue_gives_no_candidates():
    rows, columns = np.indices(SHAPE)
    tissue = (columns - 200) ** 2 + (rows - 160) ** 2 < 140**2
    grey = np.where(tissue, speckle_of(5, level=150.0), 0)
    candidates = find_candidates(view_of(grey, tissue=tissue))
    inside = 140 - np.hypot(candidates.x - 200, candidates.y - 160)
    assert np.count_nonzero(inside < 6) <= 1


@pytest.mark.parametrize(
    "grey",
    [np.zeros(SHAPE), np.full(SHAPE, 255.0), np.add.outer(np.arange(320.0), np.zeros(400)) / 2],
)
def test_an_image_without_texture_has_no_candidates(grey):
    candidates = find_candidates(view_of(grey))
    assert len(candidates) == 0
    assert all(len(values) == 0 for values in candidates.features.values())


def test_a_view_without_usable_pixels_has_no_candidates():
    assert len(find_candidates(view_of(speckle_of(1), tissue=np.zeros(SHAPE, bool)))) == 0


@pytest.mark.parametrize("gamma", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("smoothing", [0.0, 1.5])
def test_speckle_alone_gives_the_expected_number_of_false_foci(gamma, smoothing):
    shape, per_ten_cm2 = (512, 640), 10.0
    count = 0
    for seed in range(20, 26):
        grey = 255 * (speckle_of(seed, shape) / 255) ** gamma
        shown = cv2.GaussianBlur(grey, (0, 0), smoothing) if smoothing else grey
        count += len(find_candidates(view_of(shown), FociSettings(false_positives=per_ten_cm2)))
    expected = per_ten_cm2 * 6 * shape[0] * shape[1] * PIXEL_MM**2 / TEN_CM2
    assert expected / 1.7 < count < expected * 1.7


def test_more_false_positives_allowed_give_more_candidates(blobs):
    view, _ = blobs
    counts = [
        len(find_candidates(view, FociSettings(false_positives=allowed)))
        for allowed in (0.1, 1.0, 10.0, 100.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_foci_larger_than_the_limit_are_left_out(blobs):
    view, _ = blobs
    small = find_candidates(view, FociSettings(largest=0.8))
    assert (small.diameter * PIXEL_MM <= 0.8).all()
    assert np.hypot(small.x - BLOBS[-1][0], small.y - BLOBS[-1][1]).min() > 2


def test_diameters_below_the_resolution_are_looked_for_at_the_resolution():
    (view,) = prepare(speckle_of(6).astype(np.uint8), spacing=Spacing(PIXEL_MM, PIXEL_MM, "given"))
    coarse = replace(view, speckle_size=(12.0, 12.0))
    smallest, larger = (find_candidates(coarse, FociSettings(largest=mm)) for mm in (0.2, 0.9))
    assert len(scale_space(coarse, 0.2, 0.2)) == 1
    assert len(smallest) <= len(larger)
    assert (smallest.diameter * PIXEL_MM <= 0.2).all()


def test_candidates_of_a_bare_image_are_in_its_own_pixels():
    grey = cv2.resize(
        with_blobs(speckle_of(6), [(100, 120, 7), (300, 200, 7)]),
        None,
        fx=0.8,
        fy=0.8,
        interpolation=cv2.INTER_AREA,
    )
    candidates = find_foci(grey, spacing=PIXEL_MM / 0.8)
    spacing = Spacing(PIXEL_MM / 0.8, PIXEL_MM / 0.8, "given")
    on_grid = find_candidates(prepare(np.uint8(np.round(grey)), spacing=spacing)[0])
    for blob in ((100, 120), (300, 200)):
        x, y = ((position + 0.5) * 0.8 - 0.5 for position in blob)
        i = nearest(candidates, x, y)
        assert np.hypot(candidates.x[i] - x, candidates.y[i] - y) < 0.5
        on_grid_diameter = on_grid.diameter[nearest(on_grid, *blob)]
        assert candidates.diameter[i] == pytest.approx(on_grid_diameter * 0.8, rel=0.01)
    assert (np.diff(candidates.features["response"]) <= 0).all()


def test_grey_colour_16_bit_and_float_images_give_equal_candidates():
    grey = with_blobs(speckle_of(6), [(100, 120, 7)]).astype(np.uint8)
    first = find_foci(grey, spacing=PIXEL_MM)
    others = (
        find_foci(np.repeat(grey[..., None], 3, axis=2), spacing=(PIXEL_MM, PIXEL_MM)),
        find_foci(grey.astype(np.uint16) * 257, spacing=Spacing(PIXEL_MM, PIXEL_MM, "given")),
        find_foci(grey.astype(float), spacing=PIXEL_MM),
        find_foci(grey / 255.0, spacing=PIXEL_MM),
        find_foci(grey.astype(np.int64), spacing=PIXEL_MM),
        find_foci(np.dstack([grey, grey, grey, np.full_like(grey, 255)]), spacing=PIXEL_MM),
        find_foci(grey.tolist(), spacing=PIXEL_MM),
    )
    for other in others:
        np.testing.assert_allclose(other.x, first.x, atol=1e-3)
        np.testing.assert_allclose(other.contrast, first.contrast, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: find_foci(np.zeros(9)), "array of the shape"),
        (lambda: find_foci(np.zeros((300, 300), np.uint8)), "no tissue"),
        (lambda: find_foci(np.full((300, 300), np.nan)), "NaN"),
        (lambda: find_foci(speckle_of(6), spacing=0), "positive spacing"),
        (lambda: find_foci(speckle_of(6), spacing=float("inf")), "positive spacing"),
        (lambda: find_foci(speckle_of(6), spacing=Spacing(-1.0, 0.1, "given")), "positive spacing"),
        (lambda: find_foci(speckle_of(6) * 1.37 + 200), "grey levels from 0 to 255"),
        (lambda: find_foci(np.full((300, 300), -20, np.int16)), "from -20 to -20, expected 0 to"),
        (lambda: find_foci(np.zeros((5, 300, 300), np.uint8)), "found a cine of 5 frames"),
        (lambda: find_foci(speckle_of(6), spacing=(0.1, float("nan"))), "positive spacing"),
    ],
)
def test_an_unusable_image_or_spacing_raises_an_error(call, words):
    with pytest.raises(UsmicroError, match=words):
        call()


@pytest.mark.slow
def test_most_marked_foci_are_among_the_candidates(data_folder):
    """At least 0.9 of the marks that both readers set, with at most 150 candidates per image."""
    marks = json.loads((data_folder / "echogenic-foci-marks" / "marks.json").read_text())
    detected, candidates, images = [], 0, 0
    for entry in marks.values():
        if not entry["both"]:
            continue
        image = cv2.imread(str(data_folder / entry["path"]), cv2.IMREAD_COLOR)
        foci = find_foci(np.ascontiguousarray(image[..., ::-1]))
        images, candidates = images + 1, candidates + len(foci)
        for mark in entry["both"]:
            distance = np.hypot(foci.x - mark["x"], foci.y - mark["y"]).min()
            detected.append(distance <= max(mark["d"] / 2, 6))
    assert np.mean(detected) >= 0.9
    assert candidates / images <= 150


def test_blobs_are_ordered_by_response_then_row_and_column():
    rng = np.random.default_rng(6)
    for responses in (5, 100, 100000):  # few distinct responses make many ties
        response = rng.integers(0, responses, 500) / responses
        x, y = rng.integers(0, 9, 500) * 1.0, rng.permutation(500) * 1.0
        np.testing.assert_array_equal(
            strongest_first(x, y, response), np.lexsort((y, x, -response))
        )
    assert len(strongest_first(np.empty(0), np.empty(0), np.empty(0))) == 0
