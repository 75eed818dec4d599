"""Building blocks of the 3-D encoder-decoders: padding, convolution, normalisation, one scale.

Tensors are (B, C, T, H, W), channels innermost in memory (`torch.channels_last_3d`).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kernel = tuple[int, int, int]  # dates, rows, columns; odd

DATES, ROWS, COLUMNS = 2, 3, 4  # axes of (B, C, T, H, W)
SLOPE = 0.2  # of LeakyReLU, Zhang et al.
EPSILON = 1e-5  # keeps the normalisation of a constant window finite


def repeat_edge(x: Tensor, pad: int, axis: int) -> Tensor:
    """Repeats the first and last slice of `x` along `axis` outwards, `pad` times."""
    if pad == 0:
        return x
    shape = [pad if at == axis else size for at, size in enumerate(x.shape)]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
    return torch.cat([first.expand(shape), x, last.expand(shape)], axis)


def reflect(x: Tensor, pad: int, axis: int) -> Tensor:
    """Mirrors `x` outwards by `pad` slices along `axis`; repeats its edge where there is too little to mirror.

    Joined from slices: the gradient of `F.pad(mode="reflect")` on CUDA depends on the order of atomic additions.
    """
    size = x.shape[axis]
    if size <= pad:
        return repeat_edge(x, pad, axis)
    if pad == 0:
        return x
    before, after = x.narrow(axis, 1, pad), x.narrow(axis, size - 1 - pad, pad)
    return torch.cat([before.flip(axis), x, after.flip(axis)], axis)


def mirror_around(x: Tensor, rows: int, columns: int) -> Tensor:
    """Mirrors `x` in space, as `reflect` does.

    On a CPU torch's own padding is as reproducible, and its gradient takes a thirtieth of the time.
    """
    if x.device.type == "cpu" and x.shape[ROWS] > rows and x.shape[COLUMNS] > columns:
        return F.pad(x, (columns, columns, rows, rows, 0, 0), mode="reflect")
    return reflect(reflect(x, columns, COLUMNS), rows, ROWS)


def has_fast_conv3d(x: Tensor, kernel: Kernel) -> bool:
    """Tells whether torch hands this 3-D convolution to oneDNN or cuDNN.

    On a CPU it keeps small kernels on few channels, dates and rows for its own loop, which takes up to eight times as
    long (`use_mkldnn` in aten/src/ATen/native/Convolution.cpp; measured with torch 2.13).
    """
    return x.device.type != "cpu" or len(x) > 1 or min(kernel[1:]) > 3 or math.prod(x.shape[:4]) > 20_480


def conv_stacked(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Computes `F.conv3d(x, weight, bias, (1, stride, stride))` in 2-D, of dates stacked with their neighbours."""
    span = weight.shape[2]
    dates = x.shape[DATES] - span + 1
    if span > 1:
        x = torch.cat([x.narrow(DATES, offset, dates) for offset in range(span)], 1)  # (B, span * in, T, H, W)
    images = x.transpose(1, 2).flatten(0, 1)  # (B * T, span * in, H, W)
    kernel = weight.transpose(1, 2).flatten(1, 2)  # (out, span * in, rows, columns)
    output = F.conv2d(images, kernel, bias, stride=stride)
    return output.view(-1, dates, *output.shape[1:]).transpose(1, 2)


def upsample(x: Tensor, height: int, width: int) -> Tensor:
    """Doubles (B, C, T, h, w) to (B, C, T, height, width), nearest neighbour; odd sizes drop the last row, column."""
    return F.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest")[..., :height, :width]


class Conv3d(nn.Module):
    """A 3-D convolution of every date: (B, in, T, H, W) -> (B, out, T, ceil(H / stride), ceil(W / stride)).

    Space is mirrored at its borders, time repeated. Weights are drawn from U(-1, 1) / sqrt(fan in), torch's default.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Kernel,
        *,
        stride: int = 1,
        bias: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if any(size < 1 or size % 2 == 0 for size in kernel):
            raise ValueError(f"kernel is {kernel}, sizes must be odd")
        self.kernel, self.stride = kernel, stride
        bound = 1 / math.sqrt(in_channels * math.prod(kernel))
        shape = (out_channels, in_channels, *kernel)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
        self.bias = (
            nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound, generator=generator)) if bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolves `x`."""
        span, rows, columns = self.kernel
        x = mirror_around(x, rows // 2, columns // 2)
        x = repeat_edge(x, span // 2, DATES)
        if span > 1 and has_fast_conv3d(x, self.kernel):
            return F.conv3d(x, self.weight, self.bias, stride=(1, self.stride, self.stride))
        return conv_stacked(x, self.weight, self.bias, self.stride)


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


def keep_channels_innermost(network: nn.Module) -> None:
    """Lays the kernels of `network` out as its inputs are, in place, so that no step has to rearrange them."""
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
