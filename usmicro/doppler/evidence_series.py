"""The colour evidence of one focus over the frames of a cine, in little memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

from usmicro.doppler.colour_evidence import PAIR_DIRECTIONS, ColourEvidence

NUMBERS = (
    "zone_fraction",
    "head_fraction",
    "background",
    "box_fraction",
    "outside_fraction",
    "cells",
    "mean_resultant_length",
    "mean_phase",
    "opposed_fraction",
)
"""Fields of `ColourEvidence` that are numbers or None."""


class EvidenceSeries:
    """Evidence at one focus on the frames on which it lies in the colour box, in order.

    Arrays need a fifth of the memory of objects, which counts in a long cine. Evidence outside the
    colour box says nothing about twinkling and is not kept.
    """

    __slots__ = ("_cosines", "_numbers", "_pairs", "_power", "frames")

    def __init__(self) -> None:
        self.frames = array("i")
        """Index in the scan of each frame."""
        self._power = array("b")
        """1 for power Doppler, 0 otherwise, by frame."""
        self._numbers = array("d")
        """NUMBERS of each frame; NaN for None."""
        self._pairs = array("i")
        """PAIR_DIRECTIONS numbers of pairs of each frame with colour cells."""
        self._cosines = array("d")
        """PAIR_DIRECTIONS sums of cosines of each frame with colour cells."""

    def __len__(self) -> int:
        return len(self._power)

    def append(self, evidence: ColourEvidence, frame: int) -> None:
        """Add the evidence on the next frame, `frame` in the scan."""
        if not evidence.in_box:
            return
        self.frames.append(frame)
        self._power.append(evidence.power)
        values = (getattr(evidence, name) for name in NUMBERS)
        self._numbers.extend(math.nan if value is None else value for value in values)
        if evidence.cells is not None:
            self._pairs.extend(evidence.pairs)
            self._cosines.extend(evidence.cosines)

    def __iter__(self) -> Iterator[ColourEvidence]:
        """Yield the evidence on each frame, equal to what was added."""
        first = 0
        for index, power in enumerate(self._power):
            numbers = self._numbers[index * len(NUMBERS) : (index + 1) * len(NUMBERS)]
            values = {
                name: None if math.isnan(value) else value
                for name, value in zip(NUMBERS, numbers, strict=True)
            }
            last = first if values["cells"] is None else first + PAIR_DIRECTIONS
            yield ColourEvidence(
                in_box=True,
                power=bool(power),
                pairs=tuple(self._pairs[first:last]),
                cosines=tuple(self._cosines[first:last]),
                **values,  # type: ignore[arg-type]
            )
            first = last
