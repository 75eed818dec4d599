"""The networks of pix2pix: a U-Net that translates an image, and a PatchGAN that judges it. Images are (B, C, H, W).

Isola, Zhu, Zhou and Efros, "Image-to-image translation with conditional adversarial networks" (CVPR 2017), appendix
6.1; batch normalisation as theirs: by the image's own statistics, also when it predicts.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_DOWNS, MOST_DOWNS = 5, 8
# Features of the first levels, as multiples of the width; the deeper ones stay at the last.
_MULTIPLES = (1, 2, 4, 8)
# Levels from the innermost outwards that have dropout, the innermost itself left out.
_DROPOUT = 0.5
_SLOPE = 0.2
_STD = 0.02


class Norm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of the batch itself."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, track_running_stats=False)


class Level(nn.Module):
    """One level of the U-Net: halve, what lies below, double; its input beside its output."""

    def __init__(self, outer: int, inner: int, below: "Level | None", *, dropout: bool = False) -> None:
        super().__init__()
        self.down = nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False)
        self.down_norm = Norm(inner) if below is not None else nn.Identity()
        self.below = below
        self.up = nn.ConvTranspose2d(2 * inner if below is not None else inner, outer, 4, 2, 1, bias=False)
        self.up_norm = Norm(outer)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = self.down_norm(self.down(F.leaky_relu(x, _SLOPE)))
        y = self.up_norm(self.up(F.relu(y if self.below is None else self.below(y))))
        if self.dropout and self.training:
            y = F.dropout(y, _DROPOUT)
        return torch.cat([x, y], 1)


class UNet(nn.Module):
    """The generator, for sides that `downs` halvings divide; values in [-1, 1] by tanh.

    With 256 px, 8 downs and a width of 64 its innermost map is one pixel.
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int = 64, downs: int = 8, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.width, self.downs = inputs, outputs, width, downs
        channels = [width * _MULTIPLES[min(level, len(_MULTIPLES) - 1)] for level in range(downs)]
        levels: Level | None = None
        for level in range(downs - 1, 0, -1):
            dropout = len(_MULTIPLES) <= level < downs - 1
            levels = Level(channels[level - 1], channels[level], levels, dropout=dropout)
        self.down = nn.Conv2d(inputs, width, 4, stride=2, padding=1, bias=False)
        self.levels = levels
        self.up = nn.ConvTranspose2d(2 * width, outputs, 4, 2, 1)
        initialise(self, generator)

    @property
    def multiple_px(self) -> int:
        """Sides of images are multiples of it."""
        return 1 << self.downs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W) float32."""
        assert self.levels is not None
        output: Tensor = torch.tanh(self.up(F.relu(self.levels(self.down(x)))).float())
        return output


class PatchGan(nn.Module):
    """The discriminator: for each patch of 70 x 70 px whether it is real, as logits."""

    def __init__(self, inputs: int, *, width: int = 64, generator: torch.Generator | None = None) -> None:
        super().__init__()
        channels = [width * each for each in _MULTIPLES]
        self.first = nn.Conv2d(inputs, width, 4, stride=2, padding=1)
        strides = (2, 2, 1)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=False)
            for before, after, stride in zip(channels[:-1], channels[1:], strides, strict=True)
        )
        self.norms = nn.ModuleList(map(Norm, channels[1:]))
        self.last = nn.Conv2d(channels[-1], 1, 4, stride=1, padding=1)
        initialise(self, generator)

    @property
    def receptive_field_px(self) -> int:
        """Side of the patch that one logit judges."""
        field, jump = 1, 1
        for convolution in self._all():
            field, jump = field + 3 * jump, jump * convolution.stride[0]
        return field

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 1, h, w) logits, float32."""
        x = F.leaky_relu(self.first(x), _SLOPE)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.leaky_relu(norm(convolution(x)), _SLOPE)
        output: Tensor = self.last(x).float()
        return output

    def _all(self) -> Iterator[nn.Conv2d]:
        yield self.first
        for each in self.convolutions:
            assert isinstance(each, nn.Conv2d)
            yield each
        yield self.last


def initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Weights from N(0, 0.02), those of normalisation around 1; biases 0."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight.normal_(0.0, _STD, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, Norm):
                module.weight.normal_(1.0, _STD, generator=generator)
                module.bias.zero_()
