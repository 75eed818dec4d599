"""Supervised training on a data set, as published: a cloudy image and its radar, and the image of a clear date."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seq2seq.methods.base import Learner
from seq2seq.methods.data_set_pairs import RADAR, DataSetPairs
from seq2seq.methods.dsen2_cr.learning import apply, loss_of, make_network, make_optimizer
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.dsen2_cr.weights import NAME
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
from seq2seq.nn.devices import deterministic, step_memory
from seq2seq.sequence import Float32

if TYPE_CHECKING:
    from seq2seq.datasets.base import Sample


# long: the answers to `Trainable`, most of them a line
class Dsen2CrTraining:
    """See `Trainable`. CARL's mask is the sample's: what is neither cloud nor shadow is to stay as it is."""

    def __init__(self, settings: Dsen2CrSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> None:
        self._settings, self._plan = settings, settings.plan
        self.network = make_network(settings, bands, sar_channels, seed)
        self._pairs = DataSetPairs(
            NAME,
            optical=scale_optical,
            radar=lambda db, observed: scale_backscatter(db, observed, RADAR),
            changed=rotated_and_flipped,
            with_sar=self.network.sar_channels > 0,
            clouds_shown=settings.clouds == "shown",
            crop_px=self._plan.crop_px,
        )

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

    def learners(self, device: torch.device) -> list[Learner]:
        """One network, with Nadam."""
        return [Learner(self.network.to(device), make_optimizer(self.network, self._settings))]

    def prepare(self, learners: Sequence[Learner], step: int, of: int) -> None:
        """One rate throughout."""

    def case_of(self, sample: "Sample", rng: np.random.Generator | None = None) -> "Sample":
        """The sample. Raises `MissingDataError` where it is a whole series."""
        return self._pairs.check(sample)

    def example(self, sample: "Sample", rng: np.random.Generator) -> Crop:
        """A crop at a random place, rotated and flipped, of one of the images that the sample shows."""
        return self._pairs.draw(sample, rng)

    def batch_of(self, examples: Sequence[Crop]) -> Batch:
        """Crops, stacked."""
        return Batch.of(examples)

    def parts(self, batch: Batch, device: torch.device) -> Iterator[Batch]:
        """As many crops at once as the device remembers a step of."""
        memory = step_memory(device, elsewhere=REMEMBERED_BYTES)
        return batch.parts(self._plan.crops_at_once(batch.known[0].size, memory))

    def known(self, batch: Batch) -> int:
        """Pixels whose target is known."""
        return int(np.count_nonzero(batch.known))

    def losses(self, batch: Batch, device: torch.device) -> Iterator[Tensor]:
        """CARL, or L1."""
        yield self.loss(batch, device)

    def loss(self, batch: Batch, device: torch.device) -> Tensor:
        """CARL, or L1."""
        return loss_of(self.network, batch, self._settings, device)

    @torch.no_grad()
    def predict(self, sample: "Sample", device: torch.device) -> Float32:
        """(N, C, H, W) in 0..1, each date from the image of that date, else from the nearest one."""

        def network(image: Float32, sar: Float32 | None) -> Float32:
            with deterministic():
                radar = None if sar is None else as_tensor(sar, device)
                output: Float32 = apply(self.network, as_tensor(image, device), radar).cpu().numpy()
            return unscale_optical(output)

        return self._pairs.predict(sample, network)
