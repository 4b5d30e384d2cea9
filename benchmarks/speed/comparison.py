"""Time one row of the benchmark: usmicro and other libraries alternate in one process.

If they should compute the same, the row also checks that the results agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.speed.machine import Machine

Function = Callable[[], Any]

LEAST_SECONDS = 0.005
"""Least duration of a timing; a faster function is called several times.

Longer timings make the benchmark longer, shorter ones suffer from the step of the clock. Chosen by
judgement; no measurement is recorded.
"""

SLOW_SECONDS = 0.5
"""A function that takes longer is timed in the first SLOW_ROUNDS rounds only, to save time."""

SLOW_ROUNDS = 3
"""Number of rounds of a slow function."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another implementation with the same purpose."""

    run: Function
    scale: float = 1.0
    """Factor of its time, if it is timed on a part of the image."""
    remark: str = ""
    """Difference from the implementation of usmicro."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of the benchmark, before it is timed."""

    name: str
    ours: Function
    """Implementation of usmicro, one thread."""
    parallel: Function | None = None
    """Its parallel variant."""
    peers: Mapping[str, Peer] = field(default_factory=dict)
    bytes_moved: float = 0.0
    """Least number of bytes between memory and processor: each input read, each output written."""
    operations: float = 0.0
    """Number of float32 additions and multiplications, counted in the source."""
    check: Callable[[], str] | None = None
    """Returns how closely the results agree; raises AssertionError if they do not agree."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Result of one row. Times are in ms per call."""

    name: str
    ms: float
    """Median processor time of usmicro."""
    least_ms: float
    """Smallest processor time of usmicro."""
    limit_ms: float | None
    """Time that the machine needs at least; None if neither bytes nor operations are counted."""
    parallel_ms: float | None
    """Wall-clock time of the parallel variant; None without such a variant."""
    serial_wall_ms: float | None
    """Wall-clock time of the serial variant, measured in the same rounds."""
    peers: dict[str, tuple[float, float]]
    """For each peer its median time, and the median over rounds of its time / our time."""
    remarks: dict[str, str]
    """Remarks by peer."""
    agreement: str
    """How closely the results agree; empty without check."""


def measure(comparison: Comparison, machine: Machine, rounds: int) -> Timing:
    """Time one row.

    Processor times of one thread are measured in rounds, in which usmicro and the peers alternate.
    The parallel variant is then measured by the wall clock.

    Parameters
    ----------
    comparison : Comparison
    machine : Machine
        Measured rates, for the limit.
    rounds : int
        Number of rounds of which medians are taken.

    Raises
    ------
    AssertionError
        If the results do not agree.
    """
    agreement = comparison.check() if comparison.check else ""
    seconds = _alternating_seconds({"": Peer(comparison.ours), **comparison.peers}, rounds)
    own = seconds.pop("")
    parallel_ms = serial_wall_ms = None
    if comparison.parallel is not None:
        serial_wall_ms, parallel_ms = _wall_clock_ms(comparison.ours, comparison.parallel, rounds)
    limit = max(
        comparison.bytes_moved / machine.bytes_per_second,
        comparison.operations / machine.operations_per_second,
    )
    return Timing(
        name=comparison.name,
        ms=1e3 * float(np.median(own)),
        least_ms=1e3 * min(own),
        limit_ms=1e3 * limit if limit else None,
        parallel_ms=parallel_ms,
        serial_wall_ms=serial_wall_ms,
        peers={
            name: (1e3 * float(np.median(values)), _median_ratio(values, own))
            for name, values in seconds.items()
        },
        remarks={name: peer.remark for name, peer in comparison.peers.items() if peer.remark},
        agreement=agreement,
    )


def _median_ratio(values: Sequence[float], own: Sequence[float]) -> float:
    """Return the median of peer / own over the rounds of both; a slow one has fewer rounds."""
    return float(np.median([value / mine for value, mine in zip(values, own, strict=False)]))


def _alternating_seconds(functions: Mapping[str, Peer], rounds: int) -> dict[str, list[float]]:
    """Return the processor time per call of each function in each round."""
    calls = {name: _calls_per_timing(peer.run) for name, peer in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_number in range(rounds):
        for name, peer in functions.items():
            is_slow = bool(seconds[name]) and seconds[name][0] / peer.scale >= SLOW_SECONDS
            if round_number < SLOW_ROUNDS or not is_slow:
                value = _seconds_per_call(peer.run, calls[name], time.process_time)
                seconds[name].append(value * peer.scale)
    return seconds


def _wall_clock_ms(serial: Function, parallel: Function, rounds: int) -> tuple[float, float]:
    """Return the median wall-clock time per call of two functions, ms."""
    parallel()  # compiles
    calls = _calls_per_timing(serial)
    seconds = [
        [_seconds_per_call(run, calls, time.perf_counter) for run in (serial, parallel)]
        for _ in range(rounds)
    ]
    serial_seconds, parallel_seconds = np.median(seconds, axis=0)
    return 1e3 * float(serial_seconds), 1e3 * float(parallel_seconds)


def _calls_per_timing(run: Function) -> int:
    """Return the number of calls that take LEAST_SECONDS; the first call compiles."""
    if _seconds_per_call(run, 1, time.process_time) > SLOW_SECONDS:
        return 1
    seconds = _seconds_per_call(run, 1, time.process_time)
    if seconds >= LEAST_SECONDS:
        return 1
    return max(1, int(np.ceil(LEAST_SECONDS / max(seconds, 1e-6))))


def _seconds_per_call(run: Function, calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def check_agreement(result: Any, expected: Any, *, within: float, name: str) -> str:
    """Return how closely two arrays agree, as text.

    Raises
    ------
    AssertionError
        If they differ by more than `within` anywhere, or a value is NaN.
    """
    difference = float(np.abs(np.asarray(result, float) - np.asarray(expected, float)).max())
    if not difference <= within:
        raise AssertionError(
            f"{name}: the results differ by {difference:.3g}, expected at most {within:.3g}"
        )
    return f"{name}: within {difference:.1g}"
