"""The residual network of DSen2-CR: building block first, the whole last.

Meraner, Ebel, Zhu and Schmitt, "Cloud removal in Sentinel-2 imagery using a deep residual neural network and
SAR-optical data fusion" (ISPRS Journal of Photogrammetry and Remote Sensing 166, 2020), section 3. Images
are (B, C, H, W).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RESIDUAL_SCALE = 0.1


class Conv3x3(nn.Conv2d):
    """3 x 3, zeros around the image, He-uniform weights from `generator`, biases that start at 0."""

    def __init__(self, in_channels: int, out_channels: int, generator: torch.Generator | None = None) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, device="meta")
        self.to_empty(device="cpu")
        # Laid out as the images are, with channels innermost: a quarter less time on a CPU.
        self.weight.data = self.weight.data.contiguous(memory_format=torch.channels_last)
        bound = math.sqrt(6 / (9 * in_channels))
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)
            assert self.bias is not None
            self.bias.zero_()


class ResidualBlock(nn.Module):
    """x + 0.1 * conv(relu(conv(x)))."""

    def __init__(self, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.first = Conv3x3(width, width, generator)
        self.second = Conv3x3(width, width, generator)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        output: Tensor = x + RESIDUAL_SCALE * self.second(F.relu(self.first(x)))
        return output


class Dsen2Cr(nn.Module):
    """The cloudy image and what radar corrects of it, for any H, W >= 1.

    image + conv(blocks(relu(conv(image, sar)))), all at full resolution, without normalisation. With 13 bands, 2 radar
    channels and the published width and depth it has 18 947 341 parameters, 18 942 733 without radar.
    """

    def __init__(
        self,
        bands: int,
        sar_channels: int,
        *,
        width: int = 256,
        blocks: int = 16,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.bands, self.sar_channels = bands, sar_channels
        self.head = Conv3x3(bands + sar_channels, width, generator)
        self.blocks = nn.ModuleList(ResidualBlock(width, generator) for _ in range(blocks))
        self.tail = Conv3x3(width, bands, generator)

    @property
    def receptive_field_px(self) -> int:
        """Side of the window that one pixel of the output is made from."""
        return 1 + 2 * (2 + 2 * len(self.blocks))

    def forward(self, image: Tensor, sar: Tensor | None) -> Tensor:
        """image: (B, bands, H, W), sar: (B, sar_channels, H, W) or None -> (B, bands, H, W) float32."""
        x = image if sar is None else torch.cat([image, sar], 1)
        x = F.relu(self.head(x.contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            x = block(x)
        output: Tensor = image + self.tail(x).float()  # float32 also under autocast: losses need the digits
        return output
