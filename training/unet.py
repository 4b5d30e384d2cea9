"""A small U-Net, and how it is written for OpenCV; needs the extra `train`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from usmicro.anatomy.unet import CHANNELS


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(inputs, outputs), *_convolution(outputs, outputs))


def _convolution(inputs: int, outputs: int, size: int = 3) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


class UNet(nn.Module):
    """Encoder of two convolutions a scale; the decoder adds what it brings up to what was there, which halves its cost.

    References
    ----------
    Ronneberger et al., MICCAI 2015; the addition is that of LinkNet (Chaurasia and Culurciello, VCIP 2017).
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.down = nn.ModuleList(_double(a, b) for a, b in zip((CHANNELS, *widths), widths, strict=False))
        pairs = list(pairwise(widths))[::-1]
        self.narrow = nn.ModuleList(nn.Sequential(*_convolution(b, a, 1)) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(*_convolution(a, a)) for a, _ in pairs)
        self.head = nn.Conv2d(widths[0], 1, 1)
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


def export(model: UNet, size: tuple[int, int], file: Path) -> None:
    """Write the model as ONNX with its batch normalisation folded in, for one image of (rows, columns)."""
    model = model.cpu().eval()
    example = torch.zeros(1, CHANNELS, *size)
    torch.onnx.export(model, (example,), str(file), input_names=["image"], output_names=["logit"], dynamo=False, opset_version=17)
