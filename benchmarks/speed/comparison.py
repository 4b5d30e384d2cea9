"""One row of the benchmark: ours and others, turn by turn in one process, with a check that they compute the same where they should."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.speed.machine import Machine

Function = Callable[[], Any]
LEAST_SECONDS = 0.005
"""A timing goes over as many calls as this takes."""
SLOW_SECONDS = 0.5
"""What takes longer is timed in the first few rounds only."""
SLOW_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """Another way to the same end."""

    run: Function
    scale: float = 1.0
    """Of its time, where it runs on a part of the image."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and what the machine needs for it at least."""

    name: str
    ours: Function
    parallel: Function | None = None
    peers: Mapping[str, Peer] = field(default_factory=dict)
    bytes_moved: float = 0.0
    """Between memory and processor at least, to read every input and write every output once a pass."""
    operations: float = 0.0
    """Additions and multiplications of float32, counted in the source."""
    check: Callable[[], str] | None = None
    """Raises AssertionError if ours and a peer differ by more than they should; else says how far they agree."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A row of results; times in ms."""

    name: str
    ms: float
    least_ms: float
    limit_ms: float | None
    """Nothing where no operations or bytes were counted."""
    parallel_ms: float | None
    serial_wall_ms: float | None
    peers: dict[str, tuple[float, float]]
    """Time, and the median over rounds of its time over ours."""
    remarks: dict[str, str]
    agreement: str


def measure(comparison: Comparison, machine: Machine, rounds: int) -> Timing:
    """Time a comparison: processor time of one thread in interleaved rounds, medians; then the parallel variant by the clock."""
    agreement = comparison.check() if comparison.check else ""
    functions = {"": Peer(comparison.ours), **comparison.peers}
    calls = {name: _calls(peer.run) for name, peer in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds):
        for name, peer in functions.items():
            if turn < SLOW_ROUNDS or (times[name] and times[name][0] / peer.scale < SLOW_SECONDS):
                times[name].append(_timed(peer.run, calls[name], time.process_time) * peer.scale)
    own = times[""]
    peers = {
        name: (
            1e3 * float(np.median(values)),
            float(np.median(np.divide(values, own[: len(values)]))),
        )
        for name, values in times.items()
        if name
    }
    limit = max(
        comparison.bytes_moved / machine.bytes_per_second,
        comparison.operations / machine.operations_per_second,
    )
    parallel = serial = None
    if comparison.parallel is not None:
        comparison.parallel()
        pairs = [
            [
                _timed(f, calls[""], time.perf_counter)
                for f in (comparison.ours, comparison.parallel)
            ]
            for _ in range(rounds)
        ]
        serial, parallel = (1e3 * float(value) for value in np.median(pairs, axis=0))
    return Timing(
        comparison.name,
        1e3 * float(np.median(own)),
        1e3 * min(own),
        1e3 * limit if limit else None,
        parallel,
        serial,
        peers,
        {name: peer.remark for name, peer in comparison.peers.items() if peer.remark},
        agreement,
    )


def _calls(run: Function) -> int:
    if _timed(run, 1, time.process_time) > SLOW_SECONDS:  # compiles, and fills the caches
        return 1
    seconds = _timed(run, 1, time.process_time)
    return (
        max(1, int(np.ceil(LEAST_SECONDS / max(seconds, 1e-6)))) if seconds < LEAST_SECONDS else 1
    )


def _timed(run: Function, calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def agreeing(found: Any, expected: Any, *, within: float, what: str) -> str:
    """How far two arrays agree; raises AssertionError if by more than `within`."""
    difference = float(np.abs(np.asarray(found, float) - np.asarray(expected, float)).max())
    if not difference <= within:
        raise AssertionError(
            f"{what}: they differ by {difference:.3g}, expected at most {within:.3g}"
        )
    return f"{what}: within {difference:.1g}"
