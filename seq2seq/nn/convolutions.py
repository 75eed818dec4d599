"""3-D convolutions that keep every date: space is mirrored at its borders, time repeated.

Tensors are (B, C, T, H, W).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kernel = tuple[int, int, int]  # dates, rows, columns; odd

DATES, ROWS, COLUMNS = 2, 3, 4  # axes of (B, C, T, H, W)


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
