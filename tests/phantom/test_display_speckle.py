from dataclasses import replace

import numpy as np
import pytest

from usmicro.phantom.display_speckle import REFERENCE_GREY, SpeckleKind, speckle_image

PLAIN = SpeckleKind(across=6, along=4)


def image_of(kind: SpeckleKind, seed: int = 1) -> np.ndarray:
    return speckle_image(np.random.default_rng(seed), kind, (300, 400))


def envelope_of(image: np.ndarray, kind: SpeckleKind) -> np.ndarray:
    """Invert the log compression of a display image with a linear grey map."""
    return 10 ** ((image.astype(float) - REFERENCE_GREY) / 255 * kind.decibels / 20)


def test_the_same_generator_gives_the_same_image():
    np.testing.assert_array_equal(image_of(PLAIN), image_of(PLAIN))
    assert (image_of(PLAIN) != image_of(PLAIN, seed=2)).any()


@pytest.mark.parametrize(("shape", "snr"), [(None, 1.91), (4.5, 1.81), (1.25, 1.61)])
def test_speckle_has_the_amplitude_snr_of_its_kind(shape, snr):
    kind = replace(PLAIN, shape=shape, decibels=120)  # so that nothing is clipped
    envelopes = [envelope_of(image_of(kind, seed), kind) for seed in range(4)]
    assert np.mean([e.mean() / e.std() for e in envelopes]) == pytest.approx(snr, rel=0.03)


def test_looks_raise_the_snr():
    one, three = (envelope_of(image_of(replace(PLAIN, looks=n)), PLAIN) for n in (1, 3))
    gain = (three.mean() / three.std()) / (one.mean() / one.std())
    assert gain == pytest.approx(np.sqrt(3), rel=0.1)


def test_a_wider_point_spread_function_gives_wider_speckle():
    def correlation(kind: SpeckleKind) -> float:
        """Return the correlation of pixels that are three columns apart."""
        image = image_of(kind).astype(float)
        return float(np.corrcoef(image[:, 3:].ravel(), image[:, :-3].ravel())[0, 1])

    assert correlation(replace(PLAIN, across=12)) > correlation(PLAIN) + 0.2


def test_smoothing_and_jpeg_change_the_display_image_only_a_little():
    image = image_of(PLAIN).astype(float)
    for kind in (replace(PLAIN, smoothing=0.6), replace(PLAIN, quality=70)):
        changed = image_of(kind).astype(float)
        assert 0 < np.abs(changed - image).mean() < 8
