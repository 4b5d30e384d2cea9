"""Train the focus network: whether the patch around a candidate shows a focus.

Run
    python -m training.appearance WORK
Needs
    WORK with the candidates of `training.candidates`, and the extra `train`.
Takes
    About 50 seconds per network on one core, 11 networks.
Writes
    usmicro/foci/appearance.onnx, training/networks/foci-without-HOSPITAL/appearance.onnx for each
    hospital, and WORK/appearance-without-fold-FOLD.onnx for each fold of the patients. A network
    whose file exists in WORK is not trained again.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.focus_examples import (
    ALL,
    INSERTED,
    MARKED,
    NAMES,
    SIMULATED,
    WITHOUT_HOSPITAL,
    ImageCandidates,
    is_held_out,
    learns_from,
    models_folder,
    read_candidates,
    work_file,
)
from usmicro.foci.appearance import BATCH
from usmicro.foci.models import NETWORK_FILE
from usmicro.foci.patches import GREY_STEPS_MM, PLANES, SIZE

STEPS = 2500
"""Number of batches. 1,200 gave a sensitivity that is lower by 0.01 to 0.04 (docs/accuracy.md)."""

FOCI, OTHERS, SIMULATED_FOCI, SIMULATED_OTHERS, INSERTED_FOCI = 40, 160, 12, 36, 12
"""Numbers of candidates of each kind in a batch.

Foci are rare among the candidates, so they are drawn much more often. Chosen by judgement; no
measurement is recorded.
"""

LEARNING_RATE, WEIGHT_DECAY, WARM_UP, DROPOUT = 2e-3, 1e-2, 0.2, 0.3
"""Settings of AdamW, its one-cycle schedule and the dropout. Chosen by judgement."""

GAIN, OFFSET = 0.15, 0.15
"""Standard deviations of the logarithm of a factor and of an addend to the standardised grey."""

WITHOUT_ANATOMY = 0.1
"""Share of the candidates whose probabilities of mass and duct are blanked, since the anatomy may
miss a mass."""

SMOOTHED = 0.02
"""Label smoothing of foci, since readers disagree; that of other candidates is half as large."""

AVERAGED_STEPS = 200
"""The weights are averaged over about so many of the last batches."""

WIDTH = 16
"""Number of channels of the first layer; the second has twice, the third three times as many.
24 channels gave no better sensitivity."""

SEED = 0


class FocusNetwork(nn.Module):  # type: ignore[misc]
    """Three convolutions and two dense layers: some 40,000 weights."""

    def __init__(self) -> None:
        super().__init__()
        side = SIZE // 8
        self.layers = nn.Sequential(
            nn.Conv2d(PLANES, WIDTH, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, 2 * WIDTH, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2 * WIDTH, 3 * WIDTH, 3, 1, 1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(DROPOUT),
            nn.Linear(3 * WIDTH * side * side, 48),
            nn.ReLU(),
            nn.Linear(48, 1),
        )

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return log odds (n, 1) of patches (n, PLANES, SIZE, SIZE)."""
        logit: torch.Tensor = self.layers(patches)
        return logit


def train(
    marked: Sequence[ImageCandidates],
    simulated: Sequence[ImageCandidates],
    inserted: Sequence[ImageCandidates],
) -> FocusNetwork:
    """Train a network on the candidates of images.

    Parameters
    ----------
    marked, simulated, inserted : sequence of ImageCandidates
        Real images whose foci are known, simulated images, and real images with inserted foci.
    """
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    groups = [
        *_foci_and_others(marked, FOCI, OTHERS),
        *_foci_and_others(simulated, SIMULATED_FOCI, SIMULATED_OTHERS),
        *_foci_and_others(inserted, INSERTED_FOCI, 0),
    ]
    network = FocusNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=WARM_UP
    )
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(1 - 1 / AVERAGED_STEPS),
    )
    network.train()
    for step in range(STEPS):
        patches = np.concatenate(
            [group[random.choice(len(group), count)] for group, count, _ in groups]
        )
        target = np.concatenate(
            [
                np.full(count, 1 - SMOOTHED if focus else SMOOTHED / 2, np.float32)
                for _, count, focus in groups
            ]
        )
        logit = network(torch.from_numpy(_augmented(patches.astype(np.float32), random)))
        loss = nn.functional.binary_cross_entropy_with_logits(logit[:, 0], torch.from_numpy(target))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step >= STEPS // 2:
            average.update_parameters(network)
    averaged: FocusNetwork = average.module
    averaged.eval()
    return averaged


Group = tuple[NDArray[np.float16], int, bool]
"""Patches, how many of them a batch has, and whether they show foci."""


def _foci_and_others(images: Sequence[ImageCandidates], foci: int, others: int) -> list[Group]:
    """Return the foci and the other candidates of images; `foci` and `others` are per batch."""
    patches = np.concatenate([image.patches for image in images])
    is_focus = np.concatenate([image.is_focus for image in images])
    groups = [(patches[is_focus == 1], foci, True), (patches[is_focus == 0], others, False)]
    return [group for group in groups if group[1]]


def _augmented(patches: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Mirror half of the patches across the beam, and vary gain, offset and anatomy."""
    count, grey = len(patches), len(GREY_STEPS_MM)
    mirrored = random.random(count) < 0.5
    patches[mirrored] = patches[mirrored][..., ::-1]
    gain = np.exp(random.normal(0, GAIN, (count, 1, 1, 1)))
    offset = random.normal(0, OFFSET, (count, 1, 1, 1))
    patches[:, :grey] = patches[:, :grey] * gain + offset
    patches[random.random(count) < WITHOUT_ANATOMY, grey:] = 0
    return patches


def export(network: FocusNetwork, file: Path) -> None:
    """Write a network as ONNX."""
    unfinished = file.with_suffix(".part")
    torch.onnx.export(
        network,
        (torch.zeros(BATCH, PLANES, SIZE, SIZE),),
        str(unfinished),
        input_names=["patches"],
        output_names=["log_odds"],
        dynamo=False,
    )
    unfinished.rename(file)


def main() -> None:
    """Train all networks that do not exist and copy those that are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder with the candidates")
    parser.add_argument(
        "--only", nargs="*", choices=NAMES, default=NAMES, help="names of networks to train"
    )
    parser.add_argument("--threads", type=int, default=1, help="number of threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    marked, simulated, inserted = (
        read_candidates(arguments.work, part) for part in (MARKED, SIMULATED, INSERTED)
    )
    for name in arguments.only:
        file = work_file(arguments.work, name)
        if not file.exists():
            start = time.perf_counter()
            network = train(
                [image for image in marked if learns_from(name, image)],
                [image for image in simulated if learns_from(name, image)],
                [image for image in inserted if not is_held_out(name, image)],
            )
            export(network, file)
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        if name in (ALL, *WITHOUT_HOSPITAL):
            folder = models_folder(name)
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / NETWORK_FILE)


if __name__ == "__main__":
    main()
