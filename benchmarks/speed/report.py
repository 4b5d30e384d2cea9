"""Write the results as text, as JSON, and as the generated part of docs/speed.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.markdown import replace_generated_part, table
from benchmarks.speed.comparison import Timing
from benchmarks.speed.machine import Machine

BEGIN, END = "<!-- begin: written by python -m benchmarks.speed -->", "<!-- end -->"
"""Lines of a document between which the results are written."""

PACKAGES = ("numpy", "scipy", "scikit-image", "numba")
"""Packages whose versions are written with the results."""


@dataclass(frozen=True, slots=True)
class Results:
    """Results of one run of the benchmark. The pipeline is empty if it was not measured."""

    command: str
    machine: Machine
    timings: Sequence[Timing]
    missing: Sequence[str]
    """Peers that are not installed."""
    times: dict[str, float] = field(default_factory=dict)
    """Seconds of one image: usmicro, the libraries, the stages; and their ratio."""
    memory: dict[str, float] = field(default_factory=dict)
    """Peak memory, MB: usmicro and the libraries."""
    curve: dict[float, float] = field(default_factory=dict)
    """Seconds of one image, by its size in megapixels."""
    runs: dict[str, float] = field(default_factory=dict)
    """Times and rates of `usmicro run`, by name."""
    cines: dict[str, float] = field(default_factory=dict)
    """Frames per second of cines, by kind."""
    reports: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Seconds of `usmicro report` for each image, and its peak memory in MB, by the number of
    images."""
    growth: dict[str, dict[int, float]] = field(default_factory=dict)
    """Seconds per image or frame, by what is counted and by how many there are."""


def format_number(value: float | None) -> str:
    """Format a number with three significant digits; "-" for None."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_text(results: Results) -> str:
    """Return all results as text, with Markdown tables."""
    parts = [*_machine_text(results), *_kernel_tables(results.timings)]
    if results.times:
        parts += _pipeline_tables(results)
    return "\n\n".join(parts)


def _machine_text(results: Results) -> Iterator[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"Python {platform.python_version()}"
    yield f"`{results.command}`, {platform.machine()}, {python}, {packages}."
    machine = results.machine
    yield (
        "One thread of this machine: "
        f"a = b + s c at {machine.bytes_per_second / 1e9:.0f} GB/s over arrays of the size of an "
        f"image and {machine.memory_bytes_per_second / 1e9:.0f} GB/s from memory; "
        f"{machine.operations_per_second / 1e9:.0f} billion float32 additions and multiplications "
        "per second."
    )
    if results.missing:
        yield f"Not installed and left out: {', '.join(results.missing)}."


def _kernel_tables(timings: Sequence[Timing]) -> Iterator[str]:
    """Yield three tables: our times, the times of the peers, and the agreement of results."""
    own = []
    for timing in timings:
        numbers = (
            timing.ms,
            timing.least_ms,
            timing.limit_ms,
            timing.ms / timing.limit_ms if timing.limit_ms else None,
            timing.serial_wall_ms,
            timing.parallel_ms,
        )
        own.append((timing.name, *map(format_number, numbers)))
    head = ("ours", "ms", "least ms", "limit ms", "ms / limit")
    yield table((*head, "one thread, clock", "all threads, clock"), own)
    peers = [
        (
            timing.name,
            peer,
            format_number(ms),
            format_number(ratio),
            timing.remarks.get(peer, ""),
        )
        for timing in timings
        for peer, (ms, ratio) in timing.peers.items()
    ]
    yield table(("ours", "other", "other ms", "other / ours", "remark"), peers)
    checked = [(timing.name, timing.agreement) for timing in timings if timing.agreement]
    yield table(("checked", "agrees with"), checked)


def _pipeline_tables(results: Results) -> Iterator[str]:
    times = {**results.times}
    ratio = times.pop("ratio")
    rows = [(name, format_number(1e3 * seconds)) for name, seconds in times.items()]
    yield table(("one image, 768 x 1024", "ms"), rows)
    yield f"The libraries take {format_number(ratio)} times as long."
    rows = [(name, format_number(mb)) for name, mb in results.memory.items()]
    yield table(("peak memory of a process", "MB"), rows)
    curve = [
        (format_number(size), format_number(1e3 * seconds), format_number(1e3 * seconds / size))
        for size, seconds in results.curve.items()
    ]
    yield table(("megapixels", "ms", "ms per megapixel"), curve)
    rows = [(name, format_number(value)) for name, value in results.runs.items()]
    yield table(("`usmicro run`", "s, images per second, or ratio"), rows)
    rows = [(name, format_number(rate)) for name, rate in results.cines.items()]
    yield table(("cine, one thread", "frames per second"), rows)
    reports = [
        (f"{count:,}", format_number(1e3 * seconds), format_number(memory))
        for count, (seconds, memory) in results.reports.items()
    ]
    yield table(("images of `usmicro report`", "ms for each", "peak memory, MB"), reports)
    counts = [f"of {count}" for count in next(iter(results.growth.values()))]
    growth = [
        (name, *(format_number(1e3 * seconds) for seconds in by_count.values()))
        for name, by_count in results.growth.items()
    ]
    yield table(("ms for each", *counts), growth)


def as_json(results: Results) -> str:
    """Return the results as JSON with all digits."""
    return json.dumps(asdict(results), indent=2) + "\n"


def update_document(document: Path, results: Results) -> None:
    """Replace the text between the markers of a document by the results.

    Raises
    ------
    UsageError
        If the document is missing or lacks the markers.
    """
    replace_generated_part(document, BEGIN, END, as_text(results))
