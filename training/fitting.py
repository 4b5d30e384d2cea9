"""Fit a segmentation network. Needs the extra `train`.

The same pictures, plan and machine give the same weights, unless a run is interrupted: dropout then
draws other numbers. This module is not a program.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.augmentation import CropSettings, augmented, resampled
from training.plan import Plan, Sample, drawn
from training.unet import export
from usmicro.errors import UsageError
from usmicro.model.arrays import FloatImage

Input = tuple[NDArray[np.float32], FloatImage]
"""Input of the network, shape (CHANNELS, rows, columns), and its target, shape (rows, columns)."""

WARM_UP = 0.1
"""Fraction of the steps of a cycle over which the learning rate rises.

Chosen by judgement; no measurement is recorded.
"""

AVERAGED_STEPS = 400
"""Number of steps over which the weights are averaged: the written network has the exponential
moving average of the weights, with a decay of 1 - 1 / AVERAGED_STEPS.

Chosen by judgement; no measurement is recorded.
"""

DICE_WEIGHT = 0.5
"""Weight of the Dice term of the loss against the cross-entropy.

Chosen by judgement; no measurement is recorded.
"""

ANYWHERE_WEIGHT = 0.1
"""Weight of the cross-entropy of "is there a target anywhere?" against that of the pixels.

Chosen by judgement; no measurement is recorded.
"""

LEAST_TARGET_PX = 20
"""An input shows a target anywhere if at least this many of its pixels belong to one.

Chosen by judgement; no measurement is recorded.
"""

REPORT_EVERY = 4
"""Number of epochs after which the Dice coefficients are printed."""


def loss(logit: Tensor, target: Tensor, anywhere: Tensor | None = None) -> Tensor:
    """Return the loss of a batch.

    It is the cross-entropy of the pixels, plus DICE_WEIGHT times a Dice term, plus ANYWHERE_WEIGHT
    times the cross-entropy of "is there a target anywhere?" if the network answers that. The Dice
    term of an image is 1 minus the Dice coefficient if the image shows a target, otherwise 0; the
    batch has the mean over its images.

    Parameters
    ----------
    logit, target : Tensor, shape (n, 1, rows, columns)
    anywhere : Tensor, shape (n, 1, 1, 1), optional
        Logit of a target anywhere in the image.
    """
    entropy = binary_cross_entropy_with_logits(logit, target)
    probability = torch.sigmoid(logit)
    intersection = (probability * target).sum((1, 2, 3))
    total = (probability + target).sum((1, 2, 3))
    has_target = target.amax((1, 2, 3)) > 0.5
    dice = (2 * intersection + 1) / (total + 1)
    value = entropy + DICE_WEIGHT * (1 - dice)[has_target].sum() / len(target)
    if anywhere is not None:
        shown = (target.sum((1, 2, 3)) >= LEAST_TARGET_PX).to(target.dtype)
        value = value + ANYWHERE_WEIGHT * binary_cross_entropy_with_logits(
            anywhere[:, 0, 0, 0], shown
        )
    return value


def fit(
    samples: Sequence[Sample],
    plan: Plan,
    file: Path,
    checkpoint: Path,
    *,
    unseen: Sequence[Sample] = (),
    threads: int = 0,
) -> None:
    """Fit a network and write it as ONNX.

    The state is written to a checkpoint after every epoch; a later run continues from it.

    Parameters
    ----------
    samples : sequence of Sample
    plan : Plan
    file : Path
        The ONNX file to write.
    checkpoint : Path
        The checkpoint to continue from, if it exists, and to write.
    unseen : sequence of Sample
        Samples for the Dice coefficients that are printed; the network is not fitted to them.
    threads : int
        Number of threads of PyTorch; 0: its default.

    Raises
    ------
    UsageError
        If the checkpoint is that of other pictures or another plan.
    """
    if threads:
        torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = plan.network().to(device, memory_format=torch.channels_last)
    average = AveragedModel(
        model, multi_avg_fn=get_ema_multi_avg_fn(1 - 1 / AVERAGED_STEPS), use_buffers=True
    )
    groups = [plan.group(picture) for picture, _ in samples]
    state: dict[str, Any] = {"epoch": 0, "seconds": 0.0}
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        if state["fingerprint"] != _fingerprint(samples, plan, state["epoch"]):
            raise UsageError(
                f"{checkpoint}: found the state of a network of other pictures or another plan; "
                "delete it to train anew"
            )
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
    ends = np.cumsum([sum(cycle.epochs) for cycle in plan.cycles]).tolist()
    for cycle, end in zip(plan.cycles, ends, strict=True):
        start = end - sum(cycle.epochs)
        if state["epoch"] >= end:
            continue
        steps = len(drawn(groups, plan, cycle.shares, 0)) // plan.batch
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=cycle.rate, weight_decay=plan.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, cycle.rate, total_steps=(end - start) * steps, pct_start=WARM_UP
        )
        if state["epoch"] > start:
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
        for epoch in range(state["epoch"], end):
            clock = time.perf_counter()
            stage = int(np.searchsorted(np.cumsum(cycle.epochs), epoch - start, side="right"))
            order = drawn(groups, plan, cycle.shares, epoch)[: steps * plan.batch]
            losses = []
            model.train()
            for batch in _batches(samples, order, plan, epoch, cycle.sizes[stage], cycle.crop):
                losses.append(_step(model, batch, optimizer, device))
                schedule.step()
                average.update_parameters(model)
            state = {
                "model": model.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch + 1,
                "fingerprint": _fingerprint(samples, plan, epoch + 1),
                "seconds": state["seconds"] + time.perf_counter() - clock,
            }
            unfinished = checkpoint.with_suffix(".part")
            torch.save(state, unfinished)
            unfinished.rename(checkpoint)
            line = f"{checkpoint.stem} epoch {epoch + 1} of {ends[-1]}: "
            line += f"loss {np.mean(losses):.4f}, {state['seconds']:.0f} s"
            if unseen and ((epoch + 1) % REPORT_EVERY == 0 or epoch + 1 == end):
                scores = dice_by_source(average.module, unseen, plan, device)
                line += "; Dice "
                line += ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
            print(line, flush=True)
    export(average.module, plan.size, file)


def _fingerprint(samples: Sequence[Sample], plan: Plan, epoch: int) -> str:
    """Return a digest of the pictures and of the plan, without the cycles after an epoch."""
    starts = np.cumsum([0, *(sum(cycle.epochs) for cycle in plan.cycles)])
    cycles = [cycle for cycle, start in zip(plan.cycles, starts, strict=False) if start < epoch]
    pictures = [(picture.source, picture.image) for picture, _ in samples]
    content = (cycles, plan.epoch_size, plan.batch, plan.weight_decay, plan.seed, pictures)
    return hashlib.sha256(repr(content).encode()).hexdigest()


def _batches(
    samples: Sequence[Sample],
    order: Sequence[int],
    plan: Plan,
    epoch: int,
    size: tuple[int, int],
    crop: CropSettings,
) -> Iterator[list[Input]]:
    """Yield the batches of an epoch; `order` holds the indices of its samples."""
    inputs = (
        augmented(*samples[index], size, crop, np.random.default_rng([plan.seed, epoch, number]))
        for number, index in enumerate(order)
    )
    while batch := list(islice(inputs, plan.batch)):
        yield batch


def _step(
    model: nn.Module,
    batch: Sequence[Input],
    optimizer: Any,
    device: torch.device,
) -> float:
    """Fit the network to one batch of inputs and targets, and return the loss."""
    images, targets = (torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True))
    out = model(images.to(device, memory_format=torch.channels_last))
    logit, anywhere = out if isinstance(out, tuple) else (out, None)
    value = loss(logit, targets[:, None].to(device), anywhere)
    optimizer.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(value.item())


@torch.no_grad()  # type: ignore[untyped-decorator]
def dice_by_source(
    model: nn.Module, samples: Sequence[Sample], plan: Plan, device: torch.device
) -> dict[str, float]:
    """Return the mean Dice coefficient at probability 0.5 of the samples of each source.

    Samples without target are left out. The picture fills the whole input, without the border and
    the mirror image of `usmicro.anatomy`, so the figures only serve to follow the training.
    """
    model.eval()
    scores: dict[str, list[float]] = {}
    for picture, target in samples:
        if not target.any():
            continue
        image, resampled_target = resampled(picture, target, plan.size, plan.cycles[-1].crop)
        out = model(torch.from_numpy(image[None]).to(device))
        logit = out[0] if isinstance(out, tuple) else out
        inside: NDArray[np.bool_] = (logit > 0)[0, 0].cpu().numpy()
        truth = resampled_target > 0.5
        intersection, total = float((inside & truth).sum()), float(inside.sum() + truth.sum())
        scores.setdefault(picture.source, []).append(2 * intersection / max(total, 1))
    return {name: float(np.mean(values)) for name, values in scores.items()}
