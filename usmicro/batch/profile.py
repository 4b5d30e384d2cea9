"""The profile of a run: the time that each stage took, and the memory that was used."""

from __future__ import annotations

from usmicro.batch.results import Result


class Profile:
    """Sums the times of results by stage."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._images = self._frames = 0
        self._memory: float | None = None

    def add(self, result: Result) -> None:
        """Count a result. One that was kept from an earlier run counts with its time in that run.

        Frames are those that were analysed, so that times a frame hold with loading.frames too.
        """
        self._images += 1
        self._frames += 0 if result.summary is None else result.summary.frames
        for stage, seconds in result.seconds.items():
            self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
        if result.memory_mb is not None:
            self._memory = max(self._memory or 0.0, result.memory_mb)

    def lines(self, elapsed: float) -> list[str]:
        """Return a table of the stages, the longest first, and the totals of the run.

        Parameters
        ----------
        elapsed : float
            Time from start to end of the run, s.
        """
        total = self._seconds.get("total", 0.0)
        stages = {stage: seconds for stage, seconds in self._seconds.items() if stage != "total"}
        stages["other"] = max(0.0, total - sum(stages.values()))
        rows = [*sorted(stages.items(), key=lambda item: -item[1]), ("total", total)]
        lines = [f"{'stage':<14}{'seconds':>10}{'share':>8}{'ms a frame':>12}"]
        for stage, seconds in rows:
            share = seconds / total if total else 0.0
            frame_ms = 1000 * seconds / max(1, self._frames)
            lines.append(f"{stage:<14}{seconds:>10.2f}{share:>8.1%}{frame_ms:>12.1f}")
        lines.append(
            f"{self._images} images, {self._frames} frames; "
            f"{self._images / elapsed:.2f} images a second, compiling included"
        )
        if self._memory is not None:
            lines.append(f"largest process: {self._memory:.0f} MB")
        return lines
