"""Where the time of a run went."""

from __future__ import annotations

from usmicro.batch.results import Result


class Profile:
    """Adds up what results tell of their cost."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._images = self._frames = 0
        self._memory: float | None = None

    def add(self, result: Result) -> None:
        """Count a result; one that was kept from an earlier run counts with the time that it took then."""
        self._images += 1
        self._frames += 0 if result.summary is None else result.summary.frames
        for stage, seconds in result.seconds.items():
            self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
        if result.memory_mb is not None:
            self._memory = max(self._memory or 0.0, result.memory_mb)

    def lines(self, passed: float) -> list[str]:
        """A table of the stages, the longest first, and what the run took as a whole, `passed` seconds."""
        total = self._seconds.get("total", 0.0)
        stages = {stage: seconds for stage, seconds in self._seconds.items() if stage != "total"}
        stages["other"] = max(0.0, total - sum(stages.values()))
        table = [f"{'stage':<14}{'seconds':>10}{'share':>8}{'ms a frame':>12}"]
        for stage, seconds in [
            *sorted(stages.items(), key=lambda item: -item[1]),
            ("total", total),
        ]:
            share, each = seconds / total if total else 0.0, 1000 * seconds / max(1, self._frames)
            table.append(f"{stage:<14}{seconds:>10.2f}{share:>8.1%}{each:>12.1f}")
        table.append(
            f"{self._images} images, {self._frames} frames; {self._images / passed:.2f} images a second, compiling included"
        )
        if self._memory is not None:
            table.append(f"largest process: {self._memory:.0f} MB")
        return table
