"""A small U-Net, and how it is written for OpenCV; needs the extra `train`."""

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
"""Channels at each scale, the finest first."""
FEW = 64
"""Arrays of fewer values stay in 32 bits."""


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*convolution(inputs, outputs), *convolution(outputs, outputs))


def convolution(inputs: int, outputs: int, size: int = 3) -> tuple[nn.Module, ...]:
    """A convolution that keeps the size, normalised over the batch and cut off below 0."""
    return (
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):  # type: ignore[misc]
    """Encoder of two convolutions a scale; the decoder adds what it brings up to what was there, which halves its cost.

    References
    ----------
    Ronneberger et al., MICCAI 2015; the addition is that of LinkNet (Chaurasia and Culurciello, VCIP 2017).
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            _double(a, b) for a, b in zip((CHANNELS, *WIDTHS), WIDTHS, strict=False)
        )
        pairs = list(pairwise(WIDTHS))[::-1]
        self.narrow = nn.ModuleList(nn.Sequential(*convolution(b, a, 1)) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(*convolution(a, a)) for a, _ in pairs)
        self.head = nn.Conv2d(WIDTHS[0], 1, 1)
        self.shrink, self.grow = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, image: Tensor) -> Tensor:
        """Logit of every pixel, shape (n, 1, rows, columns), of images of shape (n, CHANNELS, rows, columns)."""
        kept: list[Tensor] = []
        for i, block in enumerate(self.down):
            image = block(self.shrink(image) if i else image)
            kept.append(image)
        for narrow, up, skip in zip(self.narrow, self.up, kept[-2::-1], strict=True):
            image = up(self.grow(narrow(image)) + skip)
        out: Tensor = self.head(image)
        return out


def export(model: nn.Module, size: tuple[int, int], file: Path) -> None:
    """Write the model as ONNX for one image of (rows, columns): batch normalisation folded in, weights in 16 bits."""
    model = model.cpu().eval()
    example = torch.zeros(1, CHANNELS, *size)
    torch.onnx.export(
        model,
        (example,),
        str(file),
        input_names=["image"],
        output_names=["logit"],
        dynamo=False,
        opset_version=17,
    )
    written = onnx.load(str(file))
    graph, casts = written.graph, []
    for weights in list(graph.initializer):
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= FEW:
            graph.initializer.remove(weights)
            graph.initializer.append(
                numpy_helper.from_array(values.astype(np.float16), f"{weights.name}.short")
            )
            casts.append(
                helper.make_node(
                    "Cast", [f"{weights.name}.short"], [weights.name], to=onnx.TensorProto.FLOAT
                )
            )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(written)
    onnx.save(written, str(file))
