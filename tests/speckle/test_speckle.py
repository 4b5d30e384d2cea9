import cv2
import numpy as np
import pytest

from usmicro.errors import ImageError
from usmicro.speckle import (
    METHODS,
    despeckle,
    dpad,
    estimate_looks,
    frost,
    kuan,
    lee,
    median,
    nonlocal_means,
    obnlm,
    srad,
)


def speckle_of(seed: int, shape: tuple[int, int] = (160, 192)) -> np.ndarray:
    """Rayleigh amplitude with a speckle size of about 4 pixels."""
    parts = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    return np.hypot(*(cv2.GaussianBlur(part, (0, 0), 1.5) for part in parts))


@pytest.fixture(scope="module")
def edge() -> np.ndarray:
    """Speckle with a step of 14 dB down the middle column."""
    image = speckle_of(1)
    image[:, image.shape[1] // 2 :] *= 5
    return image


FILTERS = [
    pytest.param(function, id=function.__name__) for function in (srad, dpad, lee, kuan, frost)
]
ALL = [
    *FILTERS,
    *(pytest.param(function, id=function.__name__) for function in (nonlocal_means, median)),
]


def speckle_index(image: np.ndarray) -> float:
    return float(image.std() / image.mean())


@pytest.mark.parametrize("filtered", ALL)
@pytest.mark.parametrize("value", [0.0, 1e-3, 1.0, 255.0])
def test_a_constant_image_stays_constant(filtered, value):
    np.testing.assert_allclose(filtered(np.full((40, 50), value)), value, rtol=1e-6)


@pytest.mark.parametrize("filtered", ALL)
@pytest.mark.parametrize("gain", [1e-3, 37.0])
def test_the_result_scales_with_gain(filtered, gain, edge):
    np.testing.assert_allclose(filtered(edge * np.float32(gain)), filtered(edge) * gain, rtol=1e-3)


@pytest.mark.parametrize("filtered", ALL)
def test_the_result_flips_and_transposes_with_the_image(filtered):
    image = speckle_of(2, (96, 96))
    out = filtered(image)
    for transform in (np.flipud, np.fliplr, np.transpose):
        np.testing.assert_allclose(filtered(transform(image)), transform(out), rtol=2e-4)


@pytest.mark.parametrize("filtered", FILTERS)
def test_filters_reduce_speckle_and_keep_the_mean_and_the_edge(filtered, edge):
    out, half = filtered(edge), edge.shape[1] // 2
    left, right = np.s_[20:-20, 10 : half - 10], np.s_[20:-20, half + 10 : -10]
    for side in (left, right):
        assert speckle_index(out[side]) < 0.7 * speckle_index(edge[side])
        assert out[side].mean() == pytest.approx(edge[side].mean(), rel=0.05)
    before, after = edge[20:-20].mean(axis=0), out[20:-20].mean(axis=0)
    # the step from 3 pixels before to 3 pixels behind the edge, against the whole step
    assert after[half + 3] - after[half - 4] > 0.7 * (before[half + 3] - before[half - 4])


def test_srad_conserves_the_sum(edge):
    assert srad(edge).sum() == pytest.approx(edge.sum(), rel=1e-4)


def test_srad_of_no_iterations_is_the_image(edge):
    np.testing.assert_array_equal(srad(edge, iterations=0), edge)


def test_more_iterations_smooth_more():
    index = [speckle_index(srad(speckle_of(3), iterations=n)) for n in (0, 5, 20, 60)]
    assert index == sorted(index, reverse=True)


def test_lee_smooths_more_with_fewer_looks():
    image = speckle_of(4)
    index = [speckle_index(lee(image, looks=looks)) for looks in (1, 4, 16, 1e6)]
    assert index == sorted(index)
    assert index[-1] == pytest.approx(speckle_index(image), rel=0.01)


def test_looks_of_rayleigh_speckle_and_its_averages():
    # the square of the amplitude SNR of 1.91; the most homogeneous tenth is a little above it
    one = estimate_looks(np.hypot(*np.random.default_rng(5).normal(size=(2, 400, 400))))
    four = estimate_looks(
        np.hypot(*np.random.default_rng(6).normal(size=(2, 4, 400, 400))).mean(axis=0)
    )
    assert one == pytest.approx(1.913**2, rel=0.35)
    assert four / one == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("method", ["srad", "lee", "dpad", "kuan"])
def test_a_display_image_keeps_its_grey_scale(method, edge):
    grey = np.clip(140 + 20 * np.log10(edge / edge.mean()) * 255 / 60, 0, 255)
    out = despeckle(grey, method=method)
    assert out.dtype == np.float32
    assert out.shape == grey.shape
    assert grey.min() - 1 <= out.min() <= out.max() <= grey.max() + 1
    assert out[:, :90].std() < 0.6 * grey[:, :90].std()
    # for Rayleigh speckle the mean amplitude lies 2.5 - 1.05 dB above the mean of its logarithm
    assert out.mean() - grey.mean() == pytest.approx(1.45 * 255 / 60, abs=3)


@pytest.mark.parametrize("method", ["srad", "dpad", "lee", "kuan", "frost", "nlm"])
def test_added_brightness_shifts_the_result_by_as_much(method):
    grey = np.clip(100 + 85 * np.log10(speckle_of(7) + 1e-3), 20, 200)
    np.testing.assert_allclose(
        despeckle(grey + 40, method=method), despeckle(grey, method=method) + 40, atol=0.1
    )


def test_amplitude_is_filtered_without_conversion(edge):
    np.testing.assert_array_equal(despeckle(edge, method="lee", display=False), lee(edge))


def test_the_region_sets_the_speckle_scale():
    image = speckle_of(8)
    image[:, 96:] = 1 + 0.05 * image[:, 96:]  # nearly smooth, sets the scale if used
    region = np.zeros(image.shape, bool)
    region[:, :96] = True
    assert estimate_looks(image, region=region) < 0.1 * estimate_looks(image)
    assert speckle_index(lee(image, region=region)[:, :90]) < speckle_index(lee(image)[:, :90])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lee(np.ones((5, 9))), "at least 7 x 7"),
        (lambda: srad(np.ones((2, 9))), "at least 3 x 3"),
        (lambda: srad(-np.ones((9, 9))), "0 or more"),
        (lambda: lee(np.full((9, 9), np.nan)), "NaN"),
        (lambda: lee(np.ones((9, 9)), looks=0), "positive number of looks"),
        (lambda: srad(np.ones((9, 9)), time_step=2), "time step"),
        (
            lambda: despeckle(np.ones((9, 9)), method="magic"),
            "srad, dpad, lee, kuan, frost, nlm, obnlm or median",
        ),
        (lambda: despeckle(np.ones((9, 9)), method="srad", looks=3), "iterations, time_step"),
        (lambda: despeckle(np.ones((9, 9)), method="nlm", dynamic_range_db=60), "leave it out"),
        (lambda: frost(np.ones((9, 9)), damping=-1), "damping"),
        (lambda: nonlocal_means(np.ones((9, 9)), strength=0), "positive strength"),
        (lambda: obnlm(np.ones((9, 9)), search=99), "1 to 15"),
        (lambda: obnlm(-np.ones((9, 9))), "0 or more"),
        (lambda: median(np.ones((9, 9)), size=4), "odd size"),
        (lambda: median(np.full((9, 9), 0.5), size=7), "whole numbers"),
        (
            lambda: srad(np.ones((40, 40)), region=np.ones((3, 3), bool)),
            "region with the shape of the image",
        ),
        (lambda: despeckle(np.ones((9, 9)), dynamic_range_db=0), "dynamic range"),
        (lambda: despeckle(np.ones((9, 9, 3))), "two-dimensional"),
    ],
)
def test_errors_say_what_was_expected(call, words):
    with pytest.raises(ImageError, match=words):
        call()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_reduces_the_variation_of_a_display_image(method):
    grey = np.clip(np.round(100 + 40 * np.log10(speckle_of(9) + 1e-3)), 20, 200)
    out = despeckle(grey, method=method)
    assert out.shape == grey.shape
    assert out.dtype == np.float32
    assert out.std() < 0.85 * grey.std()


@pytest.mark.parametrize("shape", [(7, 7), (9, 40), (16, 16), (15, 300)])
@pytest.mark.parametrize("method", METHODS)
def test_small_images_give_finite_results(method, shape):
    assert np.isfinite(despeckle(50 + 20 * speckle_of(10, shape), method=method)).all()


def test_obnlm_smooths_dark_and_bright_speckle_equally():
    # Pearson's distance is made for noise whose variance is proportional to the mean
    noise = np.random.default_rng(11).normal(size=(96, 96))
    images = [mean + np.sqrt(mean) * noise for mean in (40, 160)]
    dark, bright = (obnlm(image, strength=1).std() / image.std() for image in images)
    assert dark == pytest.approx(bright, rel=0.3)
    assert dark < 0.3
