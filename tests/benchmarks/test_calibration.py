import numpy as np

from benchmarks.calibration.halves import LEAST_OTHERS, measure, split
from benchmarks.calibration.images import ReadImage
from usmicro.evaluation.metrics import match


def image(number, confidences, true=()):
    """An image whose candidates lie 100 pixels apart; those with the indices `true` are foci."""
    points = [(100 * i, 0) for i in range(len(confidences))]
    marks = [(100 * i, 0, 5) for i in true]
    return ReadImage(
        name=f"{number}.png",
        source="multirez",
        group=f"patient {number // 2}",
        further=False,
        detections=match(points, confidences, marks),
        masses=None,
        score=0.5,
        calcified=None,
    )


def hospital(images, seed=0):
    """Images with about two foci and 30 false candidates, more of them confident than expected."""
    random = np.random.default_rng(seed)
    return [
        image(n, [*random.uniform(0.3, 1, 2), *random.beta(0.5, 12, 30)], true=(0, 1))
        for n in range(images)
    ]


def test_reviewed_images_and_others_share_no_patient():
    images = hospital(60)
    for reviewed in (None, 20):
        review, others = split(images, reviewed, 0)
        assert not {i.group for i in review} & {i.group for i in others}
    assert len(split(images, 20, 0)[0]) == 20
    assert len(split(images, None, 0)[0]) == 30
    first, second = ({i.name for i in split(images, None, seed)[0]} for seed in (0, 1))
    assert first != second


def test_calibration_brings_the_rate_close_to_that_asked_for():
    result = measure(hospital(80), 0.5, None)
    assert result.before.mean() > 1
    assert 0.4 < result.after.mean() < 0.8
    assert result.error(result.after, 0.5) < result.error(result.before, 0.5)
    assert np.abs(result.same_rate).max() < 1e-12  # the order of the foci stays


def test_a_hospital_with_too_few_other_images_is_left_out():
    assert measure(hospital(LEAST_OTHERS + 10), 0.5, 20) is None
