import numpy as np
import pytest

from usmicro.kernels.colour import (
    chain_lengths,
    chroma_histograms,
    has_chroma_above,
    chroma_deviation,
    nearest_palette_colours,
    phase_pairs,
    count_patch_pixels,
    rgb_of_ybr,
)


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    frame[10:30] = random.integers(0, 3, (20, 50, 1))  # runs of grey
    return frame


def test_histograms_equal_their_numpy_twin(frame):
    red, blue = np.zeros((2, 256, 2 * 60 + 1), np.int32)
    chroma_histograms(frame, 60, red, blue)
    r, g, b = (frame[..., i].astype(int) for i in range(3))
    kept = (abs(r - g) <= 60) & (abs(b - g) <= 60)
    for counts, chroma in ((red, r - g), (blue, b - g)):
        twin = np.histogram2d(
            g[kept], chroma[kept], bins=(np.arange(257) - 0.5, np.arange(-60, 62) - 0.5)
        )[0]
        np.testing.assert_array_equal(counts, twin)


def test_rgb_of_ybr_equals_its_numpy_twin(frame):
    out = np.empty_like(frame)
    rgb_of_ybr(frame, out)
    luminance, blue, red = frame[..., 0].astype(float), frame[..., 1] - 128.0, frame[..., 2] - 128.0
    twin = np.stack(
        [
            luminance + 1.402 * red,
            luminance - 0.344136 * blue - 0.714136 * red,
            luminance + 1.772 * blue,
        ],
        axis=2,
    )
    np.testing.assert_allclose(out, np.clip(twin, 0, 255), atol=0.52)


def test_a_coloured_frame_is_one_with_chroma_beyond_a_level(frame):
    red, green, blue = (frame[..., i].astype(int) for i in range(3))
    most = max(abs(red - green).max(), abs(blue - green).max())
    assert has_chroma_above(frame, most - 1)
    assert not has_chroma_above(frame, most)


def test_departure_equals_its_numpy_twin(frame):
    rng = np.random.default_rng(1)
    red, blue = rng.uniform(-40, 40, (2, 256)).astype(np.float32)
    out = np.empty(frame.shape[:2], np.uint8)
    chroma_deviation(frame, red, blue, out)
    r, g, b = (frame[..., i].astype(np.float32) for i in range(3))
    x, y, tx, ty = r - g, b - g, red[frame[..., 1]], blue[frame[..., 1]]
    share = np.clip((x * tx + y * ty) / (tx**2 + ty**2 + np.float32(1e-6)), 0, 1)
    twin = np.maximum(abs(x - share * tx), abs(y - share * ty))
    np.testing.assert_allclose(out, twin, atol=1.01)


def test_grey_and_tinted_pixels_do_not_depart():
    levels = np.arange(200, dtype=np.uint8)
    tinted = np.stack([levels, levels, levels + 20], axis=1)[None]
    neutral = np.repeat(levels[:, None], 3, axis=1)[None]
    for picture in (tinted, neutral):
        out = np.empty(picture.shape[:2], np.uint8)
        chroma_deviation(
            np.ascontiguousarray(picture),
            np.zeros(256, np.float32),
            np.full(256, 20, np.float32),
            out,
        )
        assert out.max() == 0


@pytest.mark.parametrize("opacity", [1.0, 0.7])
def test_nearest_equals_its_numpy_twin(opacity):
    rng = np.random.default_rng(2)
    colours, palette = (
        rng.uniform(0, 255, (300, 3)).astype(np.float32),
        rng.uniform(0, 255, (40, 3)).astype(np.float32),
    )
    index, distance = np.empty(300, np.int32), np.empty(300, np.float32)
    nearest_palette_colours(colours, palette, opacity, 120.0, index, distance)
    apart = colours[:, None] - opacity * palette[None]
    grey = np.clip(apart.mean(axis=2), 0, (1 - opacity) * 120.0)
    twin = np.linalg.norm(apart - grey[..., None], axis=2)
    np.testing.assert_array_equal(index, twin.argmin(axis=1))
    np.testing.assert_allclose(distance, twin.min(axis=1), rtol=1e-4)


def test_phase_pairs_equal_their_numpy_twin():
    rng = np.random.default_rng(5)
    lit = rng.random((12, 9)) < 0.6
    phasor = np.where(lit, np.exp(1j * rng.uniform(-np.pi, np.pi, lit.shape)), 0).astype(
        np.complex64
    )
    steps = np.array([[1, 0], [-2, 1], [0, 3], [4, 2], [20, 0], [0, 12]], np.int32)
    pairs, cosines, against = np.empty(6, np.int32), np.empty(6, np.float32), np.empty(6, np.int32)
    phase_pairs(phasor, lit, steps, pairs, cosines, against)
    for k, (over, down) in enumerate(steps.tolist()):
        expected = [
            (phasor[r, c] * np.conj(phasor[r + down, c + over])).real
            for r in range(12)
            for c in range(9)
            if lit[r, c] and r + down < 12 and 0 <= c + over < 9 and lit[r + down, c + over]
        ]
        assert (pairs[k], against[k]) == (len(expected), sum(value < 0 for value in expected))
        assert cosines[k] == pytest.approx(sum(expected), abs=1e-4)


def test_chains_are_as_long_as_the_lines_drawn():
    mask = np.zeros((40, 40), bool)
    mask[5:25, 8] = True
    for step in range(15):
        mask[10 + step, 15 + step] = True
    mask[30, :] = True
    out = np.zeros(mask.shape, np.int32)
    chain_lengths(mask, out)
    assert (out[5:25, 8] == 20).all()
    assert all(out[10 + step, 15 + step] == 15 for step in range(15))
    assert (out[30] == 1).all()
    assert (out[~mask] == 0).all()


def test_pixels_of_patches_equal_their_numpy_twin():
    random = np.random.default_rng(3)
    patches, wanted = (
        random.integers(0, 6, (30, 40), dtype=np.int32),
        np.array([False, True, False, True, True, False]),
    )
    mask = random.random(patches.shape) < 0.4
    inside, outside = count_patch_pixels(patches, wanted, mask)
    assert inside == np.count_nonzero(wanted[patches] & mask)
    assert outside == np.count_nonzero(wanted[patches] & ~mask)
