import numpy as np
import pytest

from usmicro.kernels.colour import (
    chain_lengths,
    chroma_deviation,
    chroma_histograms,
    count_patch_pixels,
    has_chroma_above,
    nearest_palette_colours,
    phase_pairs,
    rgb_of_ybr,
)


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    frame[10:30] = random.integers(0, 3, (20, 50, 1))  # runs of grey
    return frame


def test_chroma_histograms_equal_their_numpy_twin(frame):
    red, blue = np.zeros((2, 256, 2 * 60 + 1), np.int32)
    chroma_histograms(frame, 60, red, blue)
    r, g, b = (frame[..., i].astype(int) for i in range(3))
    kept = (abs(r - g) <= 60) & (abs(b - g) <= 60)
    bins = np.arange(257) - 0.5, np.arange(-60, 62) - 0.5
    for counts, chroma in ((red, r - g), (blue, b - g)):
        twin = np.histogram2d(g[kept], chroma[kept], bins=bins)[0]
        np.testing.assert_array_equal(counts, twin)


def test_rgb_of_ybr_equals_its_numpy_twin(frame):
    out = np.empty_like(frame)
    rgb_of_ybr(frame, out)
    luminance, blue, red = frame[..., 0].astype(float), frame[..., 1] - 128.0, frame[..., 2] - 128.0
    green = luminance - 0.344136 * blue - 0.714136 * red
    twin = np.stack([luminance + 1.402 * red, green, luminance + 1.772 * blue], axis=2)
    # rounded to whole levels, with coefficients of 14 bits
    np.testing.assert_allclose(out, np.clip(twin, 0, 255), atol=0.52)


def test_chroma_above_a_level_equals_its_numpy_twin(frame):
    red, green, blue = (frame[..., i].astype(int) for i in range(3))
    most = max(abs(red - green).max(), abs(blue - green).max())
    assert has_chroma_above(frame, most - 1)
    assert not has_chroma_above(frame, most)


def test_chroma_deviation_equals_its_numpy_twin(frame):
    rng = np.random.default_rng(1)
    red, blue = rng.uniform(-40, 40, (2, 256)).astype(np.float32)
    out = np.empty(frame.shape[:2], np.uint8)
    chroma_deviation(frame, red, blue, out)
    r, g, b = (frame[..., i].astype(np.float32) for i in range(3))
    x, y, tx, ty = r - g, b - g, red[frame[..., 1]], blue[frame[..., 1]]
    share = np.clip((x * tx + y * ty) / (tx**2 + ty**2 + np.float32(1e-6)), 0, 1)
    twin = np.maximum(abs(x - share * tx), abs(y - share * ty))
    np.testing.assert_allclose(out, twin, atol=1.01)


def test_grey_and_tinted_pixels_have_no_chroma_deviation():
    levels = np.arange(200, dtype=np.uint8)
    tinted = np.stack([levels, levels, levels + 20], axis=1)[None]
    neutral = np.repeat(levels[:, None], 3, axis=1)[None]
    red_tint, blue_tint = np.zeros(256, np.float32), np.full(256, 20, np.float32)
    for picture in (tinted, neutral):
        out = np.empty(picture.shape[:2], np.uint8)
        chroma_deviation(np.ascontiguousarray(picture), red_tint, blue_tint, out)
        assert out.max() == 0


@pytest.mark.parametrize("opacity", [1.0, 0.7])
def test_nearest_palette_colours_equal_their_numpy_twin(opacity):
    rng = np.random.default_rng(2)
    colours, palette = (rng.uniform(0, 255, (n, 3)).astype(np.float32) for n in (300, 40))
    index, distance = np.empty(300, np.int32), np.empty(300, np.float32)
    nearest_palette_colours(colours, palette, opacity, 120.0, index, distance)
    difference = colours[:, None] - opacity * palette[None]
    grey = np.clip(difference.mean(axis=2), 0, (1 - opacity) * 120.0)
    twin = np.linalg.norm(difference - grey[..., None], axis=2)
    np.testing.assert_array_equal(index, twin.argmin(axis=1))
    np.testing.assert_allclose(distance, twin.min(axis=1), rtol=1e-4)


def test_phase_pairs_equal_their_numpy_twin():
    rng = np.random.default_rng(5)
    coloured = rng.random((12, 9)) < 0.6
    phases = rng.uniform(-np.pi, np.pi, coloured.shape)
    phasor = np.where(coloured, np.exp(1j * phases), 0).astype(np.complex64)
    steps = np.array([[1, 0], [-2, 1], [0, 3], [4, 2], [20, 0], [0, 12]], np.int32)
    pairs, opposed = np.empty((2, 6), np.int32)
    cosines = np.empty(6, np.float32)
    phase_pairs(phasor, coloured, steps, pairs, cosines, opposed)
    for k, (over, down) in enumerate(steps.tolist()):
        expected = [
            (phasor[r, c] * np.conj(phasor[r + down, c + over])).real
            for r in range(12)
            for c in range(9)
            if r + down < 12 and 0 <= c + over < 9
            if coloured[r, c] and coloured[r + down, c + over]
        ]
        assert (pairs[k], opposed[k]) == (len(expected), sum(value < 0 for value in expected))
        assert cosines[k] == pytest.approx(sum(expected), abs=1e-4)


def beside_maximum(row):
    """Largest value of each pixel of a row and its two neighbours."""
    padded = np.pad(row, 1)
    return np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])


def chain_lengths_in_numpy(mask):
    lengths = mask.astype(int)
    for r in range(1, len(mask)):
        lengths[r] = np.where(mask[r], beside_maximum(lengths[r - 1]) + 1, 0)
    for r in range(len(mask) - 2, -1, -1):
        below = beside_maximum(lengths[r + 1])
        lengths[r] = np.where(mask[r], np.maximum(lengths[r], below), 0)
    return lengths


def test_chain_lengths_equal_their_numpy_twin():
    mask = np.random.default_rng(6).random((60, 80)) < 0.4
    out = np.empty(mask.shape, np.int32)
    chain_lengths(mask, out)
    np.testing.assert_array_equal(out, chain_lengths_in_numpy(mask))


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


def test_counts_of_patch_pixels_equal_their_numpy_twin():
    random = np.random.default_rng(3)
    patches = random.integers(0, 6, (30, 40), dtype=np.int32)
    chosen = np.array([False, True, False, True, True, False])
    mask = random.random(patches.shape) < 0.4
    inside, outside = count_patch_pixels(patches, chosen, mask)
    assert inside == np.count_nonzero(chosen[patches] & mask)
    assert outside == np.count_nonzero(chosen[patches] & ~mask)
