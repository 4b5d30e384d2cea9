"""Measure the limits of one thread of the machine: memory bandwidth and arithmetic."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from usmicro.kernels._jit import Float1D, contracted_jit

ROUNDS = 9
"""Rounds of which the best is taken."""

CHAINS = 96
"""Number of independent chains of multiply-adds.

Few chains measure the latency of an operation, too many exceed the registers. No measurement of
this number is recorded.
"""

CHAIN_LENGTH = 500_000
"""Number of multiply-adds of a chain: a fraction of a second in all."""

IMAGE_PIXELS = 768 * 1024
"""Number of pixels of the image that is timed."""

CACHED_PASSES = 50
"""Passes over arrays of the size of an image, so that a timing is longer than the clock's step."""

MEMORY_FACTOR = 64
"""Arrays of this many images exceed every cache: 200 MB each."""

BYTES_PER_ELEMENT = 12
"""Bytes that the triad moves per element: two float32 are read, one is written."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Measured rates of one thread, per second."""

    bytes_per_second: float
    """Bytes moved by a = b + s c over arrays of the size of an image, which fit a large cache."""
    memory_bytes_per_second: float
    """Bytes moved over arrays that exceed every cache."""
    operations_per_second: float
    """Additions and multiplications of float32 in fused multiply-adds."""


@contracted_jit
def triad(a: Float1D, b: Float1D, c: Float1D, factor: np.float32) -> None:
    """Write b + factor * c to a (the triad of the STREAM benchmark)."""
    for i in range(a.size):
        a[i] = b[i] + factor * c[i]


@contracted_jit
def multiply_adds(values: Float1D, rounds: int) -> None:
    """Multiply and add to values that stay in registers, `rounds` times."""
    held = values.copy()
    for _ in range(rounds):
        for i in range(CHAINS):
            held[i] = held[i] * np.float32(0.999) + np.float32(0.001)
    values[:] = held


def measure_machine() -> Machine:
    """Measure the rates.

    Each is the best of several rounds: time lost to other programs is no limit of the machine.
    """
    rates = []
    for size, passes in ((IMAGE_PIXELS, CACHED_PASSES), (MEMORY_FACTOR * IMAGE_PIXELS, 1)):
        a, b, c = (np.ones(size, np.float32) for _ in range(3))
        seconds = _best_seconds(partial(_repeat_triad, a, b, c, passes))
        rates.append(BYTES_PER_ELEMENT * size * passes / seconds)
    values = np.ones(CHAINS, np.float32)
    seconds = _best_seconds(partial(multiply_adds, values, CHAIN_LENGTH))
    return Machine(rates[0], rates[1], 2 * CHAINS * CHAIN_LENGTH / seconds)


def _repeat_triad(a: Float1D, b: Float1D, c: Float1D, passes: int) -> None:
    for _ in range(passes):
        triad(a, b, c, np.float32(0.5))


def _best_seconds(run: Callable[[], object]) -> float:
    """Return the least processor time of a call, after one call that compiles."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)
