import numpy as np
import pytest

from benchmarks.speed.comparison import Comparison, Peer, agreeing, measure
from benchmarks.speed.filters import (
    dpad_in_numpy,
    frost_in_numpy,
    lee_by,
    opencv_mean,
    scipy_mean,
    srad_in_numpy,
)
from benchmarks.speed.machine import CHAINS, Machine, multiply_adds, triad
from benchmarks.speed.report import BEGIN, END, Results, as_json, as_text, refresh
from usmicro import speckle
from usmicro.errors import UsageError

MACHINE = Machine(1e10, 5e9, 1e11)


def amplitude() -> np.ndarray:
    return np.random.default_rng(1).gamma(2, 1, (48, 64)).astype(np.float32)


def test_a_comparison_times_ours_and_the_peers_and_knows_the_limit():
    calls = {"ours": 0, "peer": 0}

    def call(name: str) -> None:
        calls[name] += 1
        sum(range(20_000))

    row = Comparison(
        "row",
        lambda: call("ours"),
        peers={"peer": Peer(lambda: call("peer"), scale=10)},
        bytes_moved=1e7,
        operations=1e7,
    )
    timing = measure(row, MACHINE, 3)
    assert timing.limit_ms == 1.0  # the bytes take longer than the operations
    assert timing.peers["peer"][0] > 0
    assert min(calls.values()) >= 4
    assert timing.parallel_ms is None


def test_a_disagreement_stops_the_benchmark():
    row = Comparison(
        "row", lambda: None, check=lambda: agreeing([1.0], [1.2], within=0.1, what="other")
    )
    with pytest.raises(AssertionError, match=r"other: they differ by 0\.2"):
        measure(row, MACHINE, 1)
    with pytest.raises(AssertionError):
        agreeing([np.nan], [1.0], within=1, what="other")


def test_the_machine_kernels_compute_what_they_say():
    a, b, c = np.zeros(10, np.float32), np.arange(10, dtype=np.float32), np.ones(10, np.float32)
    triad(a, b, c, np.float32(0.5))
    np.testing.assert_array_equal(a, b + np.float32(0.5))
    values = np.full(CHAINS, 2, np.float32)
    multiply_adds(values, 2)
    np.testing.assert_allclose(values, (2 * 0.999 + 0.001) * 0.999 + 0.001, rtol=1e-6)


def test_peers_compute_the_same_as_ours():
    image = amplitude()
    np.testing.assert_allclose(
        srad_in_numpy(image, 5), speckle.srad(image, iterations=5), rtol=1e-4
    )
    np.testing.assert_allclose(
        dpad_in_numpy(image, 5), speckle.dpad(image, iterations=5), rtol=1e-4
    )
    for mean in (scipy_mean, opencv_mean):
        np.testing.assert_allclose(lee_by(mean, image), speckle.lee(image, looks=3.6), rtol=1e-3)
        np.testing.assert_allclose(
            lee_by(mean, image, kuan=True), speckle.kuan(image, looks=3.6), rtol=1e-3
        )
    np.testing.assert_allclose(frost_in_numpy(image), speckle.frost(image), rtol=1e-3)


def test_a_document_keeps_what_stands_around_the_results(tmp_path):
    timing = measure(
        Comparison("row", lambda: None, peers={"peer": Peer(lambda: None, remark="otherwise")}),
        MACHINE,
        1,
    )
    results = Results("python -m benchmarks.speed", MACHINE, [timing], ["missing-one"])
    document = tmp_path / "speed.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    refresh(document, results)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    for words in ("missing-one", "otherwise", as_text(results)):
        assert words in text
    assert '"name": "row"' in as_json(results)
    document.write_text("nothing")
    with pytest.raises(UsageError, match="no part between"):
        refresh(document, results)
