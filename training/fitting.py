"""Fit a U-Net: same pictures, plan and machine, same weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from training.augmentation import Geometry, augmented, plain
from training.pictures import Picture
from training.unet import export
from usmicro.model.arrays import FloatImage


@dataclass(frozen=True)
class Plan:
    """How a network is fitted."""

    sizes: tuple[tuple[int, int], ...]
    """Rows and columns of the input, one stage after the other; small first, which is faster. The last is the network's own."""
    epochs: tuple[int, ...]
    """Of each stage."""
    batch: int
    rate: float
    """Largest learning rate; it rises over a tenth of the epochs and then falls along a cosine."""
    geometry: Geometry
    network: Callable[[], nn.Module]
    """Makes the network, with the weights that it starts from."""
    weight_decay: float = 1e-3
    seed: int = 0


Sample = tuple[Picture, FloatImage]
"""A picture and what is to be found on it, 0 to 1."""


def loss(logit: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy, and one minus the Dice coefficient of each image that shows something."""
    entropy = binary_cross_entropy_with_logits(logit, target)
    inside = torch.sigmoid(logit)
    both, either = (inside * target).sum((1, 2, 3)), (inside + target).sum((1, 2, 3))
    shown = target.amax((1, 2, 3)) > 0.5
    overlap = (2 * both + 1) / (either + 1)
    return entropy + 0.5 * (1 - overlap)[shown].sum() / len(target)


def fit(
    samples: Sequence[Sample],
    plan: Plan,
    file: Path,
    checkpoint: Path,
    *,
    unseen: Sequence[Sample] = (),
    threads: int = 0,
) -> None:
    """Fit a network to pictures and write it to `file`; a checkpoint is kept after every epoch and gone on from.

    `unseen` pictures are only looked at, for the figures that are printed.
    """
    if threads:
        torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = plan.network().to(device, memory_format=torch.channels_last)
    total, steps = sum(plan.epochs), -(-len(samples) // plan.batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.rate, total_steps=total * steps, pct_start=0.1
    )
    first, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        first, seconds = state["epoch"], state["seconds"]
    for epoch in range(first, total):
        started = time.perf_counter()
        stage = int(np.searchsorted(np.cumsum(plan.epochs), epoch, side="right"))
        model.train()
        order = np.random.default_rng([plan.seed, epoch]).permutation(len(samples))
        losses = []
        for start in range(0, len(order), plan.batch):
            chosen = order[start : start + plan.batch]
            drawn = [
                augmented(  # type: ignore[call-arg]
                    *samples[i],
                    plan.sizes[stage],
                    plan.geometry,
                    np.random.default_rng([plan.seed, epoch, int(i)]),
                )
                for i in chosen
            ]
            images, wanted = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
            logit = model(images.to(device, memory_format=torch.channels_last))
            value = loss(logit, wanted[:, None].to(device))
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(value.item())
        seconds += time.perf_counter() - started
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        partial = checkpoint.with_suffix(".part")
        torch.save({**state, "epoch": epoch + 1, "seconds": seconds}, partial)
        partial.rename(checkpoint)
        line = f"{checkpoint.stem} epoch {epoch + 1} of {total}: loss {np.mean(losses):.4f}, {seconds:.0f} s"
        if unseen and (epoch % 4 == 3 or epoch == total - 1):
            line += "; " + ", ".join(
                f"{name} {value:.3f}"
                for name, value in overlaps(model, unseen, plan, device).items()
            )
        print(line, flush=True)
    export(model, plan.sizes[-1], file)


@torch.no_grad()  # type: ignore[untyped-decorator]
def overlaps(
    model: nn.Module, samples: Sequence[Sample], plan: Plan, device: torch.device
) -> dict[str, float]:
    """Mean Dice coefficient of what is found at probability 0.5, by source, over the pictures that show something."""
    model.eval()
    found: dict[str, list[float]] = {}
    for picture, target in samples:
        if not target.any():
            continue
        image, known = plain(picture, target, plan.sizes[-1], plan.geometry)
        inside: NDArray[np.bool_] = (
            (model(torch.from_numpy(image[None]).to(device)) > 0)[0, 0].cpu().numpy()
        )
        both = 2 * float((inside & (known > 0.5)).sum())
        found.setdefault(picture.source, []).append(
            both / max(float(inside.sum() + (known > 0.5).sum()), 1)
        )
    return {name: float(np.mean(values)) for name, values in found.items()}
