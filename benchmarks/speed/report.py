"""Results for a terminal, as JSON, and as the generated part of docs/speed.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.speed.comparison import Timing
from benchmarks.speed.machine import Machine
from usmicro.errors import UsageError

BEGIN, END = "<!-- begin: written by python -m benchmarks.speed -->", "<!-- end -->"
PACKAGES = ("numpy", "scipy", "scikit-image", "numba")


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that one run of the benchmark measured."""

    command: str
    machine: Machine
    timings: Sequence[Timing]
    missing: Sequence[str]
    times: dict[str, float] = field(default_factory=dict)
    """Seconds, of one image."""
    memory: dict[str, float] = field(default_factory=dict)
    """MB at peak."""
    curve: dict[float, float] = field(default_factory=dict)
    """Seconds by megapixels."""
    runs: dict[str, float] = field(default_factory=dict)
    growth: dict[str, dict[int, float]] = field(default_factory=dict)
    """Seconds for each of so many images or frames."""


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is none."""
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that also reads well on a terminal."""
    cells = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def as_text(results: Results) -> str:
    """All tables."""
    machine = results.machine
    known = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        f"`{results.command}`, {platform.machine()}, Python {platform.python_version()}, {known}.",
        f"One thread of this machine: a = b + s c at {machine.bytes_per_second / 1e9:.0f} GB/s over arrays of an image's size and "
        f"{machine.memory_bytes_per_second / 1e9:.0f} GB/s from memory; {machine.operations_per_second / 1e9:.0f} billion float32 "
        "additions and multiplications a second.",
    ]
    if results.missing:
        lines.append(f"Not installed, so left out: {', '.join(results.missing)}.")
    own = [
        (
            t.name,
            number(t.ms),
            number(t.least_ms),
            number(t.limit_ms),
            number(t.ms / t.limit_ms if t.limit_ms else None),
            number(t.serial_wall_ms),
            number(t.parallel_ms),
        )
        for t in results.timings
    ]
    lines.append(
        table(
            (
                "ours",
                "ms",
                "least ms",
                "limit ms",
                "ms / limit",
                "one thread, clock",
                "all threads, clock",
            ),
            own,
        )
    )
    peers = [
        (t.name, name, number(ms), number(ratio), t.remarks.get(name, ""))
        for t in results.timings
        for name, (ms, ratio) in t.peers.items()
    ]
    lines.append(table(("ours", "other", "other ms", "other / ours", "remark"), peers))
    checked = [(t.name, t.agreement) for t in results.timings if t.agreement]
    lines.append(table(("checked", "agrees with"), checked))
    if results.times:
        times = {**results.times}
        ratio = times.pop("ratio")
        rows = [(name, number(1e3 * seconds)) for name, seconds in times.items()]
        lines += [
            table(("one image, 768 x 1024", "ms"), rows),
            f"The libraries take {number(ratio)} times as long.",
        ]
        lines.append(
            table(
                ("peak memory of a process", "MB"),
                [(name, number(mb)) for name, mb in results.memory.items()],
            )
        )
        curve = [
            (number(size), number(1e3 * seconds), number(1e3 * seconds / size))
            for size, seconds in results.curve.items()
        ]
        lines.append(table(("megapixels", "ms", "ms a megapixel"), curve))
        lines.append(
            table(
                ("`usmicro run`", "s, images a second, or ratio"),
                [(name, number(value)) for name, value in results.runs.items()],
            )
        )
        counts = [f"of {count}" for count in next(iter(results.growth.values()))]
        grown = [
            (name, *(number(1e3 * seconds) for seconds in each.values()))
            for name, each in results.growth.items()
        ]
        lines.append(table(("ms for each", *counts), grown))
    return "\n\n".join(lines)


def as_json(results: Results) -> str:
    """The results with every digit."""
    return json.dumps(asdict(results), indent=2) + "\n"


def refresh(document: Path, results: Results) -> None:
    """Replace the generated part of a document."""
    text = document.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise UsageError(
            f"{document} has no part between {BEGIN!r} and {END!r}; add the two lines where the results are to stand"
        )
    before, after = text.partition(BEGIN)[0], text.partition(BEGIN)[2].partition(END)[2]
    document.write_text(f"{before}{BEGIN}\n\n{as_text(results)}\n\n{END}{after}", encoding="utf-8")
