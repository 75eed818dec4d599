"""The 3-D encoder-decoders, fresh for every sequence: building blocks first, the whole last.

After Zhang et al., "An Internal Learning Approach to Video Inpainting" (ICCV 2019), section 3, as used by Ebel, Schmitt
and Zhu (IGARSS 2021): six scales that halve space and never time, four skip channels a scale, normalised with the
statistics of the window at hand in training and at inference alike.

Tensors are (B, C, T, H, W), channels innermost in memory (`torch.channels_last_3d`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq.nn.convolutions import COLUMNS, ROWS, Conv3d, Kernel, upsample

SLOPE = 0.2  # of LeakyReLU, Zhang et al.
EPSILON = 1e-5  # keeps the normalisation of a constant window finite


class WindowNorm(nn.Module):
    """Batch normalisation of (B, C, T, H, W) with each window's own statistics, always; scale and offset are learnt.

    y = scale (x - mean) / sqrt(variance + 1e-5) + offset, a mean and variance per channel and window.

    There are no running averages: what normalises at inference is what normalised in training.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises `x`."""
        if x[0, 0].numel() == 1:  # a single value has no std: normalised, it is the offset
            return (x - x) + self.bias[:, None, None, None]
        windows = [
            F.batch_norm(window, None, None, self.weight, self.bias, training=True, eps=EPSILON)
            for window in torch.split(x, 1)
        ]
        return windows[0] if len(windows) == 1 else torch.cat(windows)


class ConvBlock(nn.Module):
    """Convolution, normalisation, LeakyReLU. Shapes as `Conv3d`; no bias, which the normalisation would remove."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Kernel,
        *,
        stride: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.conv = Conv3d(in_channels, out_channels, kernel, stride=stride, generator=generator)
        self.norm = WindowNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `x`; shapes as `Conv3d`."""
        return F.leaky_relu(self.norm(self.conv(x)), SLOPE)


class Scale(nn.Module):
    """One scale around the deeper one: (B, in, T, H, W) -> (B, width, T, H, W).

    Down by two, refine, the `deeper` scale if any, up by two; beside it a few channels that skip all this; both are
    joined and mixed.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        deeper: "Scale | None",
        *,
        skip_channels: int,
        down_kernel: Kernel,
        up_kernel: Kernel,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.width = width
        self.down = ConvBlock(in_channels, width, down_kernel, stride=2, generator=generator)
        self.refine = ConvBlock(width, width, down_kernel, generator=generator)
        self.deeper = deeper
        self.skip = ConvBlock(in_channels, skip_channels, (1, 1, 1), generator=generator) if skip_channels else None
        joined = skip_channels + (width if deeper is None else deeper.width)
        self.norm = WindowNorm(joined)
        self.up = ConvBlock(joined, width, up_kernel, generator=generator)
        self.mix = ConvBlock(width, width, (1, 1, 1), generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `x`; shapes as the class states them."""
        inner = self.refine(self.down(x))
        if self.deeper is not None:
            inner = self.deeper(inner)
        joined = upsample(inner, x.shape[ROWS], x.shape[COLUMNS])
        if self.skip is not None:
            joined = torch.cat([self.skip(x), joined], 1)
        output: Tensor = self.mix(self.up(self.norm(joined)))
        return output


def keep_channels_innermost(network: nn.Module) -> None:
    """Lays the kernels of `network` out as its inputs are, in place, so that no step has to rearrange them."""
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)


class EncoderDecoder3d(nn.Module):
    """The published network: (B, in_channels, T, H, W) -> (B, out_channels, T, H, W) float32, for any T, H, W >= 1.

    `widths` are the channels of each scale, down and up. `sigmoid` squeezes the output into (0, 1), as published;
    without it the output is unbounded. Odd sizes are halved upwards and cropped after upsampling, so that nothing need
    be padded to a multiple of 2^scales. The same state of `generator` gives the same weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        widths: Sequence[int] = (16, 32, 64, 128, 128, 128),
        skip_channels: int = 4,
        down_kernel: Kernel = (3, 5, 5),
        up_kernel: Kernel = (3, 3, 3),
        sigmoid: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        scale: Scale | None = None
        for inputs, width in reversed(list(zip([in_channels, *widths], widths, strict=False))):  # the deepest first
            scale = Scale(
                inputs,
                width,
                scale,
                skip_channels=skip_channels,
                down_kernel=down_kernel,
                up_kernel=up_kernel,
                generator=generator,
            )
        assert scale is not None, "widths is empty"
        self.scales = scale
        self.output = Conv3d(widths[0], out_channels, (1, 1, 1), bias=True, generator=generator)
        self.sigmoid = sigmoid
        keep_channels_innermost(self)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `x`; shapes as the class states them."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        output: Tensor = self.output(self.scales(x)).float()  # float32 also under autocast: losses need the digits
        return torch.sigmoid(output) if self.sigmoid else output


class NormedConv(nn.Module):
    """Convolution, group normalisation over all dates and pixels, GELU. Shapes as `Conv3d`."""

    GROUPS = 8

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Kernel, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.conv = Conv3d(in_channels, out_channels, kernel, bias=True, generator=generator)
        self.norm = nn.GroupNorm(self.GROUPS, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `x`; shapes as `Conv3d`."""
        return F.gelu(self.norm(self.conv(x)))


class GuidedEncoderDecoder3d(nn.Module):
    """Radar over time and a prior image of each date -> the residual of the prior, (B, out_channels, T, H, W) float32.

    The radar's encoder sees neighbouring dates (kernels 3 x 3 x 3). The prior joins it afterwards and is only mixed
    within its own date: the prior of another date was made from this date's own values, and a temporal kernel over it
    would let the network copy what it is to predict. Three scales halve space, never time. The residual starts at 0.
    """

    def __init__(
        self,
        radar_channels: int,
        prior_channels: int,
        out_channels: int,
        *,
        widths: Sequence[int] = (32, 48, 64),
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        first = widths[0]
        self.radar = (
            Conv3d(radar_channels, first, (3, 3, 3), bias=True, generator=generator) if radar_channels else None
        )
        self.prior = Conv3d(prior_channels, first, (1, 1, 1), bias=True, generator=generator)
        inputs = first * (1 if self.radar is None else 2)
        self.dropout = nn.Dropout3d(dropout)
        self.encoder = nn.ModuleList()
        for width in widths:
            self.encoder.append(
                nn.Sequential(
                    NormedConv(inputs, width, (1, 3, 3), generator=generator),
                    NormedConv(width, width, (1, 3, 3), generator=generator),
                )
            )
            inputs = width
        self.decoder = nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.decoder.append(NormedConv(inputs + width, width, (1, 3, 3), generator=generator))
            inputs = width
        self.output = Conv3d(inputs, out_channels, (1, 1, 1), bias=True, generator=generator)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)
        keep_channels_innermost(self)

    def forward(self, radar: Tensor | None, prior: Tensor) -> Tensor:
        """Predicts from radar (B, radar_channels, T, H, W) or None, and prior (B, prior_channels, T, H, W)."""
        stems = [self.prior(prior.contiguous(memory_format=torch.channels_last_3d))]
        if self.radar is not None:
            assert radar is not None
            stems.insert(0, self.radar(radar.contiguous(memory_format=torch.channels_last_3d)))
        x = F.gelu(torch.cat(stems, 1))
        skips: list[Tensor] = []
        for scale in self.encoder:
            if skips:
                x = F.avg_pool3d(x, (1, min(2, x.shape[ROWS]), min(2, x.shape[COLUMNS])), ceil_mode=True)
            x = self.dropout(scale(x))
            skips.append(x)
        skips.pop()
        for scale in self.decoder:
            skip = skips.pop()
            x = scale(torch.cat([upsample(x, skip.shape[ROWS], skip.shape[COLUMNS]), skip], 1))
        output: Tensor = self.output(x).float()
        return output
