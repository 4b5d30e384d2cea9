"""Figures of the confidence of foci, on small images that are made by hand."""

import numpy as np
import pytest

from tests.foci.test_models import MODELS
from tests.training.test_focus_examples import image_of
from training.confidence import (
    CURVE_RATES,
    LEAST_CANDIDATES,
    curve_table,
    false_positives_above,
    fit_image_score,
    has_lesion,
    image_answers,
    operating_curve,
    reliability,
    select,
    sensitivity_above,
    threshold_at,
    write_folder,
)
from training.focus_examples import SIMULATED
from training.focus_fitting import FittedFoci
from usmicro.foci.confidence import image_features
from usmicro.foci.models import CURVE_FILE, read_focus_models
from usmicro.foci.operating_point import confidence_at


def scored(false, true=(), *, missed=0, unclear=(), **fields):
    """An image, and the confidences of its candidates: false ones, foci and unclear ones."""
    marks = [0] * len(false) + [1] * len(true) + [np.nan] * len(unclear)
    image = image_of(marks, foci=len(true) + missed, **fields)
    return image, np.array([*false, *true, *unclear], float)


@pytest.fixture
def two_images():
    return [
        scored([0.8, 0.3, 0.1], [0.9, 0.2], missed=1, unclear=[0.95, 0.85]),
        scored([0.6, 0.5], [0.7]),
    ]


@pytest.mark.parametrize(
    ("rate", "confidence"), [(0, 0.8), (0.5, 0.6), (1, 0.5), (1.4, 0.5), (2, 0.1), (2.5, 0), (9, 0)]
)
def test_the_threshold_lets_the_allowed_number_of_false_positives_through(
    two_images, rate, confidence
):
    threshold = threshold_at(two_images, rate)
    assert threshold == confidence
    assert false_positives_above(two_images, threshold) <= rate


def test_the_sensitivity_counts_foci_that_were_not_found(two_images):
    assert sensitivity_above(two_images, 0.0) == 3 / 4
    assert sensitivity_above(two_images, 0.5) == 2 / 4
    assert sensitivity_above(two_images, 0.7) == 1 / 4  # not those at the confidence itself
    assert sensitivity_above(two_images, 0.99) == 0
    assert sensitivity_above([scored([0.2])], 0.1) == 0


def test_unclear_candidates_are_neither_foci_nor_false(two_images):
    assert false_positives_above(two_images, 0.0) == 5 / 2
    assert false_positives_above(two_images, 0.81) == 0
    assert false_positives_above([], 0.5) == 0


def test_more_false_positives_never_lower_the_sensitivity():
    random = np.random.default_rng(1)
    images = [scored(random.random(20) ** 3, random.random(3), missed=1) for _ in range(15)]
    found = [sensitivity_above(images, threshold_at(images, rate)) for rate in (0, 0.5, 1, 2, 5)]
    assert found == sorted(found)
    assert found[0] < found[-1] < 1


@pytest.fixture(scope="module")
def hospital_images():
    """Many images of a hospital with few false foci, few images of one with many."""
    random = np.random.default_rng(2)
    return [
        scored(random.random(10 * many) ** 4, [0.9], source=source)
        for source, count, many in (("busi", 80, 1), ("bus-bra", 10, 8))
        for _ in range(count)
    ]


def test_the_curve_gives_the_rates_with_the_same_weight_for_each_hospital(hospital_images):
    curve = operating_curve(hospital_images)
    assert len(curve) > 5
    for rate, confidence in curve:
        by_hospital = [
            # a focus is listed from the confidence on
            false_positives_above([pair for pair in hospital_images if pair[0].source == s], c)
            for s, c in (("busi", confidence - 1e-5), ("bus-bra", confidence - 1e-5))
        ]
        # one more false positive in an image of the smaller hospital is 1 / 20
        assert np.mean(by_hospital) == pytest.approx(rate, abs=0.051)


def test_more_images_of_one_hospital_do_not_change_the_curve(hospital_images):
    more = [*hospital_images, *(p for p in hospital_images if p[0].source == "busi")]
    expected = dict(operating_curve(hospital_images))
    for rate, confidence in operating_curve(more):
        assert confidence == pytest.approx(expected[rate], abs=0.02)


def test_the_curve_falls_and_ends_where_all_false_positives_are_listed(hospital_images):
    curve = operating_curve(hospital_images)
    rates, confidences = zip(*curve, strict=True)
    assert list(rates) == sorted(rates)
    assert set(rates) <= set(CURVE_RATES)
    assert list(confidences) == sorted(confidences, reverse=True)
    mean = np.mean([10, 80])
    assert rates[-1] == max(rate for rate in CURVE_RATES if rate < mean)
    assert operating_curve([scored([0.5, 0.2])]) == [
        (rate, 0.5) for rate in CURVE_RATES if 1 <= rate < 2
    ]
    assert confidence_at(curve, rates[3]) == pytest.approx(confidences[3])


def test_images_are_chosen_if_they_have_a_score_and_are_wanted(two_images):
    images, scores = zip(*two_images, strict=True)
    assert select(images, scores, lambda image: True) == two_images
    assert select(images, [None, scores[1]], lambda image: True) == two_images[1:]
    assert select(images, scores, lambda image: image.foci == 3) == two_images[:1]


@pytest.mark.parametrize(
    ("fields", "lesion"),
    [
        ({}, True),
        ({"read": False}, False),
        ({"further": True}, False),
        ({"normal": True}, False),
        ({"source": SIMULATED}, False),
    ],
)
def test_an_image_with_a_lesion_was_read_and_not_chosen_as_difficult(fields, lesion):
    assert has_lesion(image_of([0], **fields)) == lesion


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"calcified": True}, True),
        ({"calcified": False, "calcification": "in a mass"}, False),
        ({"calcified": None, "calcification": "in a mass"}, True),
        ({"read": False, "calcification": "none"}, False),
        ({"read": False, "calcified": True, "calcification": "none"}, False),
        ({"read": False, "normal": True}, False),
        ({"read": True, "normal": True}, None),
        ({"read": False}, None),
    ],
)
def test_the_answer_is_that_of_the_readers_else_of_the_radiologist(fields, answer):
    assert image_answers([image_of([0], **fields)]) == [answer]


@pytest.fixture
def calcified_images():
    """Images whose confidences are higher if they are calcified, with their confidences."""
    random = np.random.default_rng(3)
    images, scores = [], []
    for number in range(60):
        calcified = number % 3 == 0
        score = random.random(6) ** (1 if calcified else 3)
        images.append(image_of([0] * 6, calcified=calcified))
        scores.append(score)
    return images, scores


def test_the_score_of_calcified_images_is_higher(calcified_images):
    images, scores = calcified_images
    model = fit_image_score(images, scores, [True] * len(images))
    found = np.array([model.probability(image_features(score)) for score in scores])
    calcified = np.array(image_answers(images), bool)
    assert np.median(found[calcified]) > np.median(found[~calcified])
    # both kinds of images have the same weight, so the mean is one half
    assert (found[calcified].mean() + found[~calcified].mean()) / 2 == pytest.approx(0.5, abs=0.01)


def test_images_that_are_not_used_or_without_answer_teach_nothing(calcified_images):
    images, scores = calcified_images
    half = [True] * 30 + [False] * 30
    model = fit_image_score(images, scores, half)
    assert fit_image_score(images[:30], scores[:30], half[:30]) == model
    unknown = [*images[:30], *(image_of([0] * 6) for _ in images[30:])]
    assert fit_image_score(unknown, scores, [True] * 60) == model


def test_the_reliability_is_the_share_of_foci_by_confidence_and_hospital():
    marks = LEAST_CANDIDATES * [0.3]
    table = reliability(
        [
            scored(3 * marks, marks, unclear=[0.35], source="busi"),
            scored(marks, source="bus-bra"),
            scored([0.9], [0.9], source="bus-uclm"),
        ]
    )
    row = table["0.2 to 0.4"]
    assert row["candidates"] == 5 * LEAST_CANDIDATES
    assert row["mean confidence"] == pytest.approx(0.3)
    assert (row["all"], row["busi"], row["bus-bra"]) == (1 / 5, 1 / 4, 0)
    assert row["bus-uclm"] is None
    few, none = table["0.8 to 1"], table["0 to 0.02"]
    assert (few["candidates"], few["all"], few["bus-uclm"]) == (2, None, None)
    assert (none["candidates"], none["mean confidence"], none["all"]) == (0, None, None)


def test_the_table_of_operating_points_counts_what_is_listed_on_normal_images():
    lesions = [scored([0.8, 0.3, 0.1], [0.9, 0.2]), scored([0.6, 0.5], [0.7])]
    normal = [scored([0.7, 0.55], normal=True), scored([0.4], normal=True)]
    row = curve_table(lesions, normal)["1"]
    assert row["confidence"] == 0.5
    assert row["sensitivity"] == 2 / 3
    assert row["foci per normal image"] == 1
    assert row["normal images with a focus"] == 0.5


def test_written_models_are_those_that_the_package_reads(tmp_path):
    curve = [(0.5, 0.30001), (1.0, 0.12345), (2.0, 0.001)]
    fitted = FittedFoci(MODELS["alone"], MODELS["focus"])
    write_folder(tmp_path, fitted, MODELS["image"], curve)
    models = read_focus_models(str(tmp_path))
    assert (models.alone, models.focus, models.image) == tuple(MODELS.values())
    assert models.curve == tuple(curve)
    assert len((tmp_path / CURVE_FILE).read_text(encoding="utf-8").splitlines()) == len(curve) + 2
