"""What the machine allows one thread: memory bandwidth and arithmetic, measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from usmicro.kernels._jit import Float1D, contracted_jit

ROUNDS = 9
CHAINS = 96
"""Independent chains of multiply-adds, enough to hide the latency of each."""
IMAGE = 768 * 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """Measured rates of one thread."""

    bytes_per_second: float
    """a = b + s c over arrays of the size of an image, which a large cache may hold."""
    memory_bytes_per_second: float
    """The same over arrays that no cache holds."""
    operations_per_second: float
    """float32 additions and multiplications, in fused multiply-adds."""


@contracted_jit
def triad(a: Float1D, b: Float1D, c: Float1D, factor: np.float32) -> None:
    """Add two arrays, one of them scaled."""
    for i in range(a.size):
        a[i] = b[i] + factor * c[i]


@contracted_jit
def multiply_adds(values: Float1D, rounds: int) -> None:
    """Go on multiplying and adding to values that stay in registers."""
    held = values.copy()
    for _ in range(rounds):
        for i in range(CHAINS):
            held[i] = held[i] * np.float32(0.999) + np.float32(0.001)
    values[:] = held


def measure_machine() -> Machine:
    """Measure the rates, the best of several rounds each: what is lost to other programs is no limit of the machine."""
    rates = []
    for size, passes in ((IMAGE, 50), (64 * IMAGE, 1)):
        a, b, c = (np.ones(size, np.float32) for _ in range(3))
        seconds = _best(
            lambda a=a, b=b, c=c, passes=passes: [
                triad(a, b, c, np.float32(0.5)) for _ in range(passes)
            ]
        )  # type: ignore[misc]
        rates.append(12 * size * passes / seconds)
    values, rounds = np.ones(CHAINS, np.float32), 500_000
    return Machine(
        rates[0], rates[1], 2 * CHAINS * rounds / _best(lambda: multiply_adds(values, rounds))
    )


def _best(run: Callable[[], object]) -> float:
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)
