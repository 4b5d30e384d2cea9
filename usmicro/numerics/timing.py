"""Time spent in the stages of an analysis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class StageTimer:
    """Adds up the time spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds by name of the stage, in order of first use."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the `with` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
