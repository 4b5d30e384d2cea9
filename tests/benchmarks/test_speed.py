import numpy as np
import pytest

from benchmarks.speed import comparison as comparison_module
from benchmarks.speed.comparison import Comparison, Peer, check_agreement, measure
from benchmarks.speed.filters import (
    dpad_in_numpy,
    frost_in_numpy,
    lee_from_means,
    opencv_mean,
    scipy_mean,
    srad_in_numpy,
)
from benchmarks.speed.machine import CHAINS, Machine, multiply_adds, triad
from benchmarks.speed.report import BEGIN, END, Results, as_json, as_text, update_document
from usmicro import speckle
from usmicro.errors import UsageError

MACHINE = Machine(1e10, 5e9, 1e11)


def amplitude() -> np.ndarray:
    return np.random.default_rng(1).gamma(2, 1, (48, 64)).astype(np.float32)


def test_a_comparison_times_all_functions_and_computes_the_limit():
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


def test_a_slow_function_of_ours_is_compared_in_its_rounds(monkeypatch):
    monkeypatch.setattr(comparison_module, "SLOW_SECONDS", 1e-3)
    work = np.ones((1000, 1000))
    row = Comparison("sum", lambda: np.exp(work).sum(), peers={"one": Peer(lambda: work[0, 0])})
    timing = measure(row, MACHINE, rounds=comparison_module.SLOW_ROUNDS + 4)
    assert 0 < timing.peers["one"][1] < 1


def test_an_error_is_raised_if_results_disagree():
    row = Comparison(
        "row", lambda: None, check=lambda: check_agreement([1.0], [1.2], within=0.1, name="other")
    )
    with pytest.raises(AssertionError, match=r"other: the results differ by 0\.2"):
        measure(row, MACHINE, 1)
    with pytest.raises(AssertionError):
        check_agreement([np.nan], [1.0], within=1, name="other")


def test_the_kernels_that_measure_the_machine_are_correct():
    a, b, c = np.zeros(10, np.float32), np.arange(10, dtype=np.float32), np.ones(10, np.float32)
    triad(a, b, c, np.float32(0.5))
    np.testing.assert_array_equal(a, b + np.float32(0.5))
    values = np.full(CHAINS, 2, np.float32)
    multiply_adds(values, 2)
    np.testing.assert_allclose(values, (2 * 0.999 + 0.001) * 0.999 + 0.001, rtol=1e-6)


def test_numpy_filters_agree_with_the_kernels():
    image = amplitude()
    np.testing.assert_allclose(
        srad_in_numpy(image, 5), speckle.srad(image, iterations=5), rtol=1e-4
    )
    np.testing.assert_allclose(
        dpad_in_numpy(image, 5), speckle.dpad(image, iterations=5), rtol=1e-4
    )
    for mean in (scipy_mean, opencv_mean):
        np.testing.assert_allclose(
            lee_from_means(mean, image), speckle.lee(image, looks=3.6), rtol=1e-3
        )
        np.testing.assert_allclose(
            lee_from_means(mean, image, kuan=True), speckle.kuan(image, looks=3.6), rtol=1e-3
        )
    np.testing.assert_allclose(frost_in_numpy(image), speckle.frost(image), rtol=1e-3)


def test_results_replace_the_generated_part_of_a_document(tmp_path):
    timing = measure(
        Comparison("row", lambda: None, peers={"peer": Peer(lambda: None, remark="otherwise")}),
        MACHINE,
        1,
    )
    results = Results("python -m benchmarks.speed", MACHINE, [timing], ["missing-one"])
    document = tmp_path / "speed.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    update_document(document, results)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    for words in ("missing-one", "otherwise", as_text(results)):
        assert words in text
    assert '"name": "row"' in as_json(results)
    document.write_text("nothing")
    with pytest.raises(UsageError, match="expected the lines"):
        update_document(document, results)
