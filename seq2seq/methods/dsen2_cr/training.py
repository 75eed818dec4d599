"""Supervised training on a data set, as published: a cloudy image and its radar, and the image of a clear date."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.methods.dsen2_cr.learning import apply, loss_of, make_network, make_optimizer
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.image_pairs import (
    Batch,
    Crop,
    rotated_and_flipped,
    scale_backscatter,
    scale_optical,
    unscale_optical,
)
from seq2seq.methods.network_fit import as_tensor
from seq2seq.methods.presets import REMEMBERED_BYTES
from seq2seq.nn.devices import deterministic
from seq2seq.sequence import Bool, Float32

if TYPE_CHECKING:
    from seq2seq.datasets.base import Sample

_RADAR = ("VV", "VH")
# Of a GPU's memory, what the images that a step remembers may take.
_GPU_SHARE = 0.5


class Dsen2CrTraining:
    """See `Trainable`. CARL's mask is the sample's: what is neither cloud nor shadow is to stay as it is."""

    def __init__(self, settings: Dsen2CrSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> None:
        self._settings, self._plan = settings, settings.plan
        self.network = make_network(settings, bands, sar_channels, seed)

    @property
    def sar_channels(self) -> int:
        """2, or 0 without radar."""
        return self.network.sar_channels

    @property
    def batch(self) -> int:
        """16 crops, as published."""
        return self._plan.batch

    @property
    def steps(self) -> int | None:
        """Steps, where they were named."""
        return self._settings.steps

    def optimizer(self) -> torch.optim.Optimizer:
        """Nadam at one rate throughout."""
        return make_optimizer(self.network, self._settings)

    def example(self, sample: "Sample", rng: np.random.Generator) -> Crop:
        """A crop at a random place, rotated and flipped, of one of the images that the sample shows."""
        asked = int(rng.integers(len(sample.asked)))
        date = int(rng.choice(_dates(sample, asked)))
        image, sar, clear = self._shown(sample, date)
        target, known = scale_optical(sample.truth[asked]), sample.scored[asked]
        height, width = clear.shape
        side = min(self._plan.crop_px, height, width)
        row, column = (int(rng.integers(length - side + 1)) for length in (height, width))
        window = np.s_[..., row : row + side, column : column + side]
        return rotated_and_flipped(rng, (image[window], sar[window], target[window], clear[window], known[window]))

    def batch_of(self, examples: Sequence[Crop]) -> Batch:
        """Crops, stacked."""
        return Batch.of(examples)

    def parts(self, batch: Batch, device: torch.device) -> Iterator[Batch]:
        """As many crops at once as the device remembers a step of."""
        on_gpu = device.type == "cuda"
        memory = _GPU_SHARE * torch.cuda.get_device_properties(device).total_memory if on_gpu else REMEMBERED_BYTES
        return batch.parts(self._plan.crops_at_once(batch.known[0].size, memory))

    def known(self, batch: Batch) -> int:
        """Pixels whose target is known."""
        return int(np.count_nonzero(batch.known))

    def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
        """CARL, or L1."""
        return loss_of(network, batch, self._settings, device)

    @torch.no_grad()
    def predict(self, sample: "Sample", device: torch.device) -> Float32:
        """(N, C, H, W) in 0..1, each date from the image of that date, else from the nearest one."""
        predicted = np.empty_like(sample.truth, np.float32)
        for asked, day in enumerate(sample.asked):
            dates = _dates(sample, asked)
            image, sar, _ = self._shown(sample, int(dates[np.abs(sample.dates[dates] - day).argmin()]))
            radar = as_tensor(sar[None], device) if len(sar) else None
            with deterministic():
                output = apply(self.network, as_tensor(image[None], device), radar)[0].cpu().numpy()
            predicted[asked] = np.clip(unscale_optical(output), 0, 1)
        return predicted

    def _shown(self, sample: "Sample", date: int) -> tuple[Float32, Float32, Bool]:
        """What the network sees of a date: image, sar, and where the image shows the ground."""
        clear = sample.valid[date] & ~sample.cloud[date]
        seen = sample.valid[date] if self._settings.clouds == "shown" else clear
        image = np.where(seen, scale_optical(sample.s2[date]), np.float32(0))
        if not self.network.sar_channels or sample.s1 is None:
            return image, np.empty((0, *clear.shape), np.float32), clear
        db = sample.s1[date][None]
        return image, scale_backscatter(db, np.isfinite(db).all(axis=1), _RADAR)[0], clear


def _dates(sample: "Sample", asked: int) -> np.ndarray:
    """Of the date that is asked for, its own image where it is seen; else all that are."""
    own = np.flatnonzero(sample.dates == sample.asked[asked])
    return own if len(own) else np.arange(len(sample.dates))
