from dataclasses import replace

import numpy as np
import pytest

from tests.training.test_focus_examples import image_of
from training import focus_fitting
from training.focus_examples import ALL, SIMULATED, WITHOUT_FOLD, is_held_out, work_file
from training.focus_fitting import appearances, fit_foci, held_out_scores
from usmicro.evaluation.metrics import auc

HOSPITALS = ("busi", "bus-bra")
CANDIDATES = 12


def example(random, group, source, share=0.15):
    """An image whose foci have higher values of `a` and `b`, and its output of the network."""
    is_focus = (random.random(CANDIDATES) < share).astype(float)
    features = {
        name: is_focus * shift + random.normal(0, 1, CANDIDATES)
        for name, shift in (("a", 2.0), ("b", 1.0), ("noise", 0.0))
    }
    appearance = 2 * is_focus - 1 + random.normal(0, 1, CANDIDATES)
    is_focus[random.random(CANDIDATES) < 0.05] = np.nan
    position = random.uniform(0, 30, (CANDIDATES, 2))
    return (
        image_of(is_focus, features, group=group, source=source, position=position),
        appearance,
    )


@pytest.fixture(scope="module")
def examples():
    """Images of two hospitals and simulated ones, which have many more foci; and appearances."""
    random = np.random.default_rng(0)
    found = [
        example(random, f"{source} {number}", source, 0.6 if source == SIMULATED else 0.15)
        for source in (*HOSPITALS, SIMULATED)
        for number in range(30)
    ]
    return [image for image, _ in found], [appearance for _, appearance in found]


@pytest.fixture(scope="module")
def fitted(examples):
    return fit_foci(ALL, *examples)


def marks_and_scores(images, scores):
    """Marks and scores of the clear candidates of real images."""
    real = [i for i, image in enumerate(images) if image.source != SIMULATED]
    marks = np.concatenate([images[i].is_focus for i in real])
    score = np.concatenate([scores[i] for i in real])
    return marks[np.isfinite(marks)], score[np.isfinite(marks)]


def test_foci_get_higher_confidences_than_other_candidates(examples, fitted):
    marks, score = marks_and_scores(examples[0], fitted[1])
    assert np.median(score[marks == 1]) > 5 * np.median(score[marks == 0])
    assert all(((s > 0) & (s < 1)).all() for s in fitted[1])


def test_confidences_are_calibrated_on_real_images(examples, fitted):
    marks, score = marks_and_scores(examples[0], fitted[1])
    assert score.mean() == pytest.approx(marks.mean(), abs=1e-3)
    high = score > 0.5
    assert score[high].mean() == pytest.approx(marks[high].mean(), abs=0.1)


def test_the_first_model_has_no_context_and_the_second_has(fitted):
    models, _ = fitted
    assert set(models.alone.weights) == {"a", "b", "noise", "appearance"}
    context = set(models.focus.weights) - set(models.alone.weights)
    assert context == {"log_near_3mm", "log_near_8mm", "log_elsewhere", "best_other"}
    assert models.focus.weights["a"] > 5 * abs(models.focus.weights["noise"])


def test_the_means_are_those_of_the_clear_candidates_with_their_weights(examples, fitted):
    images, _ = examples
    values, weight = [], []
    for image in images:
        clear = np.isfinite(image.is_focus)
        values.append(image.features["a"][clear])
        share = focus_fitting.SIMULATED_WEIGHT if image.source == SIMULATED else 1.0
        weight.append(np.full(clear.sum(), share))
    expected = np.average(np.concatenate(values), weights=np.concatenate(weight))
    assert fitted[0].focus.means["a"] == pytest.approx(expected, abs=1e-4)
    assert set(fitted[0].focus.means) == set(fitted[0].focus.weights)


def test_confidences_of_the_written_models_resemble_those_of_the_folds(examples, fitted):
    models, scores = fitted
    for image, appearance, score in zip(*examples, scores, strict=True):
        own = models.confidence(image, appearance)
        assert own.shape == score.shape
        assert np.abs(own - score).mean() < 0.1


def test_marks_that_follow_nothing_are_not_learned_by_heart():
    random = np.random.default_rng(3)
    images = [
        image_of(
            random.random(CANDIDATES) < 0.3,
            {f"noise {k}": random.normal(size=CANDIDATES) for k in range(60)},
            group=f"patient {number}",
            position=random.uniform(0, 30, (CANDIDATES, 2)),
        )
        for number in range(25)
    ]
    appearance = [random.normal(size=CANDIDATES) for _ in images]
    models, scores = fit_foci(ALL, images, appearance)
    own = [models.confidence(i, a) for i, a in zip(images, appearance, strict=True)]
    marks = (np.concatenate([image.is_focus for image in images]) == 1).tolist()
    learned, left_out = (auc(np.concatenate(s).tolist(), marks) for s in (own, scores))
    # the calibration learns from the scores of the folds alone, so that it may reverse the order
    assert abs(learned - 0.5) > 0.25
    assert abs(left_out - 0.5) < 0.15


def changed_marks(images, which):
    """The images, with the marks of some exchanged."""
    return [
        replace(image, is_focus=1 - image.is_focus) if which(image) else image for image in images
    ]


@pytest.mark.parametrize("name", ["without-busi", "without-fold-2"])
def test_models_do_not_depend_on_the_marks_of_held_out_images(examples, name):
    images, appearance = examples
    models, _ = fit_foci(name, images, appearance)
    others = changed_marks(images, lambda image: is_held_out(name, image))
    assert fit_foci(name, others, appearance)[0] == models
    assert fit_foci(name, changed_marks(images, lambda i: True), appearance)[0] != models


def test_images_that_are_not_known_teach_nothing(examples, fitted):
    images, appearance = examples
    one = replace(images[0], known=False)
    unknown = [one, *images[1:]]
    models, _ = fit_foci(ALL, unknown, appearance)
    exchanged = changed_marks(unknown, lambda image: image is one)
    assert fit_foci(ALL, exchanged, appearance)[0] == models != fitted[0]


def test_the_calibration_does_not_learn_from_simulated_images(examples):
    images, appearance = examples
    few = [i for i, image in enumerate(images) if image.source != SIMULATED or i % 3 == 0]
    chosen = [images[i] for i in few]
    _, scores = fit_foci(ALL, chosen, [appearance[i] for i in few])
    marks, score = marks_and_scores(chosen, scores)
    assert score.mean() == pytest.approx(marks.mean(), abs=1e-3)


@pytest.fixture
def networks(monkeypatch):
    """Network files that are used; the output of each is the length of its name."""
    used = []

    def network_log_odds(patches, network):
        used.append(network)
        return np.full(len(patches), float(len(network.name)))

    monkeypatch.setattr(focus_fitting, "network_log_odds", network_log_odds)
    return used


def test_a_candidate_gets_its_appearance_from_a_network_without_its_patient(
    examples, networks, tmp_path
):
    images, _ = examples
    outputs = appearances(tmp_path, images)
    assert [output.shape for output in outputs] == [image.is_focus.shape for image in images]
    for image, file in zip(images, networks, strict=True):
        assert file == work_file(tmp_path, WITHOUT_FOLD[image.fold])
        assert is_held_out(WITHOUT_FOLD[image.fold], image)


@pytest.mark.parametrize("name", ["without-busi", "without-fold-0"])
def test_held_out_images_are_scored_by_models_that_have_not_seen_them(
    examples, networks, tmp_path, name
):
    images, appearance = examples
    models, _ = fit_foci(name, images, appearance)
    scores = held_out_scores(tmp_path, name, models, images)
    assert set(scores) == {i for i, image in enumerate(images) if is_held_out(name, image)}
    assert set(networks) == {work_file(tmp_path, name)}
    for i, score in scores.items():
        output = np.full(CANDIDATES, float(len(networks[0].name)))
        np.testing.assert_array_equal(score, models.confidence(images[i], output))
