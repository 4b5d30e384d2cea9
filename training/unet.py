"""A small U-Net, and its export for OpenCV. Needs the extra `train`.

This module is not a program.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from usmicro.anatomy.network import CHANNELS

WIDTHS = (12, 20, 32, 48, 64)
"""Number of channels at each scale, the finest first.

Chosen by judgement to keep the network fast; no measurement is recorded.
"""

LEAST_VALUES_HALVED = 64
"""Number of values from which an array of weights is stored in 16 bits. Smaller ones, such as
biases, stay in 32 bits."""


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*convolution(inputs, outputs), *convolution(outputs, outputs))


def convolution(inputs: int, outputs: int, size: int = 3) -> tuple[nn.Module, ...]:
    """Return a convolution that keeps the size, batch normalisation and a ReLU."""
    return (
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):  # type: ignore[misc]
    """U-Net with two convolutions per scale in the encoder.

    The decoder adds the upsampled maps to those of the encoder instead of concatenating both, which
    halves its cost.

    References
    ----------
    Ronneberger et al., MICCAI 2015: the U-Net.

    Chaurasia and Culurciello, VCIP 2017: addition instead of concatenation (LinkNet).
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            _two_convolutions(a, b) for a, b in zip((CHANNELS, *WIDTHS), WIDTHS, strict=False)
        )
        pairs = list(pairwise(WIDTHS))[::-1]
        self.narrow = nn.ModuleList(nn.Sequential(*convolution(b, a, 1)) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(*convolution(a, a)) for a, _ in pairs)
        self.head = nn.Conv2d(WIDTHS[0], 1, 1)
        self.shrink, self.grow = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, image: Tensor) -> Tensor:
        """Return the logit of each pixel.

        `image` has the shape (n, CHANNELS, rows, columns), the result (n, 1, rows, columns).
        """
        encoded: list[Tensor] = []
        for i, block in enumerate(self.down):
            image = block(self.shrink(image) if i else image)
            encoded.append(image)
        for narrow, up, skip in zip(self.narrow, self.up, encoded[-2::-1], strict=True):
            image = up(self.grow(narrow(image)) + skip)
        out: Tensor = self.head(image)
        return out


def export(model: nn.Module, size: tuple[int, int], file: Path) -> None:
    """Write a model as ONNX for one image of `size` (rows, columns).

    Batch normalisation is folded into the convolutions, and weights are stored in 16 bits.
    """
    model = model.cpu().eval()
    example = torch.zeros(1, CHANNELS, *size)
    torch.onnx.export(
        model,
        (example,),
        str(file),
        input_names=["image"],
        output_names=["logit", "anywhere"][: 2 if isinstance(model(example), tuple) else 1],
        dynamo=False,
        opset_version=17,
    )
    written = onnx.load(str(file))
    graph, casts = written.graph, []
    for weights in list(graph.initializer):
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= LEAST_VALUES_HALVED:
            graph.initializer.remove(weights)
            short_name = f"{weights.name}.short"
            short = numpy_helper.from_array(values.astype(np.float16), short_name)
            graph.initializer.append(short)
            float32 = onnx.TensorProto.FLOAT
            casts.append(helper.make_node("Cast", [short_name], [weights.name], to=float32))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(written)
    onnx.save(written, str(file))
