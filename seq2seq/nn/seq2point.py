"""The sequence-to-point network of SEN12MS-CR-TS: building blocks first, the whole last.

Ebel, Xu, Schmitt and Zhu, "SEN12MS-CR-TS: A remote-sensing data set for multimodal multitemporal cloud removal" (IEEE
Transactions on Geoscience and Remote Sensing 60, 2022), and facts of their code; nothing of it is here. Images are
(B, T, C, H, W), volumes of features (B, F, T, H, W).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq.nn.convolutions import Conv3d, Kernel, conv_stacked, has_fast_conv3d, mirror_around
from seq2seq.nn.dsen2_cr import RESIDUAL_SCALE, Conv3x3, ResidualBlock

FEWEST_DATES = 3


class Trunk(nn.Module):
    """Features of one date: DSen2-CR without its long skip and without its last convolution. Names are those of it."""

    def __init__(self, inputs: int, *, width: int, blocks: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.head = Conv3x3(inputs, width, generator)
        self.blocks = nn.ModuleList(ResidualBlock(width, generator) for _ in range(blocks))

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, width, H, W)."""
        x = F.relu(self.head(images.contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            x = block(x)
        return x


class Unpadded3d(nn.Module):
    """A 3-D convolution of what has been padded; weights and bias are drawn from U(-1, 1) / sqrt(fan in)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Kernel, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.kernel = kernel
        bound = 1 / math.sqrt(in_channels * math.prod(kernel))
        shape = (out_channels, in_channels, *kernel)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, T, H, W) -> (B, out, T, H, W), each axis shorter by the kernel less 1."""
        if has_fast_conv3d(x, self.kernel):
            return F.conv3d(x, self.weight, self.bias)
        return conv_stacked(x, self.weight, self.bias, 1)


class ResidualBlock3d(nn.Module):
    """relu(x + 0.1 * conv(relu(conv(x)))): space is mirrored at its borders, time repeated."""

    def __init__(self, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.first = Conv3d(width, width, (3, 3, 3), bias=True, generator=generator)
        self.second = Conv3d(width, width, (3, 3, 3), bias=True, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.relu(x + RESIDUAL_SCALE * self.second(F.relu(self.first(x))))


class Seq2Point(nn.Module):
    """T images to one, for any H, W >= 1; T is fixed, at least 3.

    relu(conv3d(trunk of each image)), 3-D residual blocks, then a convolution over all dates at once; no normalisation.
    bounded: Tanh at the end, as published, which no value of more than 1 passes. With 13 bands, 15 inputs, 3 dates and
    the published sizes it has 38 474 253 parameters.
    """

    def __init__(
        self,
        inputs: int,
        bands: int,
        *,
        dates: int = FEWEST_DATES,
        width: int = 256,
        blocks: int = 16,
        head_blocks: int = 5,
        bounded: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        assert dates >= FEWEST_DATES, f"dates is {dates}"
        self.inputs, self.bands, self.dates, self.bounded = inputs, bands, dates, bounded
        self.trunk = Trunk(inputs, width=width, blocks=blocks, generator=generator)
        self.stem = Unpadded3d(width, width, (3, 3, 3), generator)
        self.blocks = nn.ModuleList(ResidualBlock3d(width, generator) for _ in range(head_blocks))
        self.tail = Unpadded3d(width, bands, (dates, 3, 3), generator)

    def forward(self, images: Tensor) -> Tensor:
        """(B, dates, inputs, H, W) -> (B, bands, H, W) float32."""
        features = self.trunk(images.flatten(0, 1)).unflatten(0, images.shape[:2])  # (B, T, F, H, W)
        x = F.relu(self.stem(F.pad(features.transpose(1, 2), (1,) * 6)))
        for block in self.blocks:
            x = block(x)
        output: Tensor = self.tail(mirror_around(x, 1, 1))[:, :, 0].float()  # float32 also under autocast
        return torch.tanh(output) if self.bounded else output


def draw_normal(network: nn.Module, std: float, generator: torch.Generator) -> None:
    """Draws all weights from N(0, std) and sets biases to 0, as the authors' code begins."""
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith("bias"):
                values.zero_()
            else:
                values.normal_(0.0, std, generator=generator)
