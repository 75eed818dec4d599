"""Supervised training on a data set, as published: generator and judge learn from cloudy images and clear ones."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import MissingDataError
from seq2seq.methods.base import Learner
from seq2seq.methods.data_set_pairs import DataSetPairs
from seq2seq.methods.image_pairs import Batch, Crop, flipped
from seq2seq.methods.network_fit import rate_at, set_rate
from seq2seq.methods.pix2pix.learning import (
    LEAST_PX,
    clipped,
    losses,
    make_generator,
    make_judge,
    make_optimizer,
    scale_backscatter,
    side_px,
    translate,
)
from seq2seq.methods.pix2pix.settings import Pix2PixSettings
from seq2seq.methods.pix2pix.weights import NAME
from seq2seq.nn.devices import deterministic
from seq2seq.sequence import Float32

if TYPE_CHECKING:
    from seq2seq.datasets.base import Sample


# long: the answers to `Trainable`, most of them a line
class Pix2PixTraining:
    """See `Trainable`. The generator is what a run reads; the judge is kept in the checkpoint alone.

    Crops go through the networks one by one, so that each is normalised by its own statistics, as in batches of one
    that were published: a batch is then the mean of its crops, in one process or several.
    """

    def __init__(self, settings: Pix2PixSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> None:
        self._settings, self._plan = settings, settings.plan
        downs = self._plan.downs_for(self._plan.crop_px, self._plan.crop_px)
        self.network = make_generator(settings, bands, sar_channels, seed, downs=downs)
        self._judge = make_judge(self.network, settings, seed)
        self._pairs = DataSetPairs(
            NAME,
            optical=clipped,
            radar=scale_backscatter,
            changed=flipped,
            with_sar=self.sar_channels > 0,
            clouds_shown=settings.clouds == "shown",
            crop_px=side_px(self._plan.crop_px, self.network),
        )

    @property
    def sar_channels(self) -> int:
        """2, or 0 without radar."""
        return self.network.inputs - self.network.outputs

    @property
    def batch(self) -> int:
        """1 crop, as published."""
        return self._plan.batch

    @property
    def steps(self) -> int | None:
        """Steps, where they were named."""
        return self._settings.steps

    def learners(self, device: torch.device) -> list[Learner]:
        """The judge, then the generator, each with its Adam."""
        judge, generator = self._judge.to(device), self.network.to(device)
        return [
            Learner(judge, make_optimizer(judge, self._settings), name="judge"),
            Learner(generator, make_optimizer(generator, self._settings)),
        ]

    def prepare(self, learners: Sequence[Learner], step: int, of: int) -> None:
        """The rate: constant in the first half, then down to 0, as in the published 100 and 100 passes."""
        for learner in learners:
            set_rate(learner.optimizer, rate_at(step / of, self._plan.learning_rate))

    def case_of(self, sample: "Sample", rng: np.random.Generator | None = None) -> "Sample":
        """The sample. Raises `MissingDataError` where it is a whole series, or too small."""
        height, width = sample.s2.shape[2:]
        if min(height, width) < LEAST_PX:
            raise MissingDataError(
                f"{sample.name}: is {height} x {width} px, method {NAME} needs {LEAST_PX} x {LEAST_PX} px at least"
            )
        return self._pairs.check(sample)

    def example(self, sample: "Sample", rng: np.random.Generator) -> Crop:
        """A crop at a random place, flipped or not, of one of the images that the sample shows."""
        return self._pairs.draw(sample, rng)

    def batch_of(self, examples: Sequence[Crop]) -> Batch:
        """Crops, stacked."""
        return Batch.of(examples)

    def parts(self, batch: Batch, device: torch.device) -> Iterator[Batch]:
        """Crop by crop."""
        return batch.parts(1)

    def known(self, batch: Batch) -> int:
        """Pixels whose target is known."""
        return int(np.count_nonzero(batch.known))

    def losses(self, batch: Batch, device: torch.device) -> Iterator[Tensor]:
        """The judge's, then the generator's."""
        return losses(self.network, self._judge, batch, self._settings, device)

    def predict(self, sample: "Sample", device: torch.device) -> Float32:
        """(N, C, H, W) in 0..1, each date from the image of that date, else from the nearest one."""
        with deterministic():
            return self._pairs.predict(sample, lambda image, sar: translate(self.network, image, sar, device))
