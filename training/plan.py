"""How a network is fitted, and which pictures each epoch draws. This module is not a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from training.augmentation import CropSettings
from training.pictures import Picture
from usmicro.errors import UsageError
from usmicro.model.arrays import FloatImage

if TYPE_CHECKING:
    from torch import nn

Sample = tuple[Picture, FloatImage]
"""A picture and the target of the network on it, 0 to 1, with the same shape."""


@dataclass(frozen=True)
class Cycle:
    """A part of the training, in which the learning rate rises once and falls again."""

    sizes: tuple[tuple[int, int], ...]
    """Rows and columns of the input in each stage. Small inputs first save time."""
    epochs: tuple[int, ...]
    """Number of epochs of each stage."""
    shares: dict[str, float]
    """Share of each group of pictures in an epoch; if a group is empty, the others keep their
    ratios."""
    rate: float
    """Largest learning rate; after the warm-up the rate falls along a cosine."""
    crop: CropSettings
    """Variation of the pictures."""


@dataclass(frozen=True)
class Plan:
    """How a network is fitted."""

    cycles: tuple[Cycle, ...]
    """The cycles, one after the other. The last size of the last cycle is that of the network."""
    epoch_size: int
    """Number of pictures in an epoch."""
    batch: int
    """Number of pictures in a step."""
    network: Callable[[], nn.Module]
    """Makes the network with its initial weights."""
    group: Callable[[Picture], str] = attrgetter("source")
    """Gives the group of a picture; by default its source."""
    weight_decay: float = 1e-3
    """Weight decay of AdamW."""
    seed: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the input of the written network."""
        return self.cycles[-1].sizes[-1]


def drawn(groups: Sequence[str], plan: Plan, shares: Mapping[str, float], epoch: int) -> list[int]:
    """Return the indices of the pictures of an epoch, in a random order.

    Each group gets its share of the epoch. No picture of a group is drawn a second time before all
    others of the group have been drawn.

    Parameters
    ----------
    groups : sequence of str
        Group of each picture.
    plan : Plan
    shares : mapping of str to float
        Share of each group in the epoch.
    epoch : int
        Number of the epoch, counted over all cycles.

    Raises
    ------
    UsageError
        If a group has no share.
    """
    if unknown := sorted(set(groups) - set(shares)):
        raise UsageError(
            f"{', '.join(unknown)}: found no share of an epoch; expected one per group"
        )
    generator = np.random.default_rng([plan.seed, epoch])
    present = {name: share for name, share in shares.items() if name in set(groups)}
    out: list[int] = []
    for name, share in present.items():
        own = np.flatnonzero([group == name for group in groups])
        number = round(plan.epoch_size * share / sum(present.values()))
        passes = [generator.permutation(own) for _ in range(-(-number // len(own)))]
        out += np.concatenate(passes)[:number].tolist()
    return [int(i) for i in generator.permutation(out)]
