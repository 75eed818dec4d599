"""Supervised training on a data set, as published: several cloudy dates with their radar, and a clear date."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import MissingDataError
from seq2seq.methods.base import Learner
from seq2seq.methods.data_set_pairs import RADAR, is_whole_series, radar_of
from seq2seq.methods.image_pairs import Inputs, scale_backscatter, scale_optical, unscale_optical
from seq2seq.methods.network_fit import rate_at, set_rate
from seq2seq.methods.presets import REMEMBERED_BYTES
from seq2seq.methods.seq2point.learning import apply, loss_of, make_network, make_optimizer
from seq2seq.methods.seq2point.samples import Batch, Example, Samples, nearest_dates
from seq2seq.methods.seq2point.settings import Seq2PointSettings
from seq2seq.nn.devices import deterministic, step_memory
from seq2seq.sequence import Float32

if TYPE_CHECKING:
    from seq2seq.datasets.base import Sample


def ask_for(sample: "Sample", date: int) -> "Sample":
    """Makes of a whole series a sample that asks for one of its dates: it is shown no more, and scored where clear."""
    others = np.arange(len(sample.dates)) != date
    one = ~others
    return replace(
        sample,
        s2=sample.s2[others],
        s1=None if sample.s1 is None else sample.s1[others],
        valid=sample.valid[others],
        cloud=sample.cloud[others],
        dates=sample.dates[others],
        truth=sample.s2[one],
        scored=(sample.valid & ~sample.cloud)[one],
        asked=sample.dates[one],
        asked_s1=None if sample.s1 is None else sample.s1[one],
    )


# long: the answers to `Trainable`, most of them a line
class Seq2PointTraining:
    """See `Trainable`. A date is made from those nearest to it in time; of a whole series any date is asked for."""

    def __init__(self, settings: Seq2PointSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> None:
        self._settings, self._plan = settings, settings.plan
        trained = make_network(settings, bands, sar_channels, seed)
        self.network, self.sar_channels = trained.network, trained.sar_channels

    @property
    def batch(self) -> int:
        """1 sample, as published."""
        return self._plan.batch

    @property
    def steps(self) -> int | None:
        """Steps, where they were named."""
        return self._settings.steps

    def learners(self, device: torch.device) -> list[Learner]:
        """One network, with Adam."""
        return [Learner(self.network.to(device), make_optimizer(self.network, self._settings))]

    def prepare(self, learners: Sequence[Learner], step: int, of: int) -> None:
        """The rate: constant in the first half, then down to 0, as in the published 100 and 100 passes; and whether the
        features of a date stay."""
        for learner in learners:
            set_rate(learner.optimizer, rate_at(step / of, self._plan.learning_rate))
        self.network.trunk.requires_grad_(step >= self._settings.freeze_trunk_steps)

    def case_of(self, sample: "Sample", rng: np.random.Generator | None = None) -> "Sample":
        """The sample; of a series, what is left of it when one date is asked for.

        Drawn in proportion to what is clear of each date; the clearest without `rng`. Raises `MissingDataError` where
        the dates that are shown beside it are too few.
        """
        case = ask_for(sample, _date_of(sample, rng)) if is_whole_series(sample) else sample
        fewest, needed = min(np.count_nonzero(case.dates != day) for day in case.asked), self._settings.dates
        if fewest < needed:
            raise MissingDataError(
                f"{sample.name}: shows {fewest} dates beside the one that is asked for, method seq2point makes it from "
                f"{needed} (dates, 3 at least): take a data set of several dates, such as sen12mscrts, or method "
                "dsen2-cr"
            )
        return case

    def example(self, sample: "Sample", rng: np.random.Generator) -> Example:
        """A crop at a random place, of one of the dates that are asked for and of those that it is made from."""
        samples = self._samples(sample, int(rng.integers(len(sample.asked))))
        return samples.crop(rng, self._settings.dates, self._plan.crop_px, rotated=self._plan.rotated)

    def batch_of(self, examples: Sequence[Example]) -> Batch:
        """Samples, stacked."""
        return Batch.of(examples)

    def parts(self, batch: Batch, device: torch.device) -> Iterator[Batch]:
        """As many samples at once as the device remembers a step of."""
        memory = step_memory(device, elsewhere=REMEMBERED_BYTES)
        return batch.parts(self._plan.samples_at_once(self._settings.dates, batch.known[0].size, memory))

    def known(self, batch: Batch) -> int:
        """Pixels whose target is known."""
        return int(np.count_nonzero(batch.known))

    def losses(self, batch: Batch, device: torch.device) -> Iterator[Tensor]:
        """100 L1, as published."""
        yield loss_of(self.network, batch, self._settings, device)

    @torch.no_grad()
    def predict(self, sample: "Sample", device: torch.device) -> Float32:
        """(N, C, H, W) in 0..1."""
        predicted = np.empty_like(sample.truth, np.float32)
        for asked in range(len(sample.asked)):
            images = self._samples(sample, asked).images(self._settings.dates)
            with deterministic():
                output = apply(self.network, images[None], device)[0].cpu().numpy()
            predicted[asked] = np.clip(unscale_optical(output), 0, 1)
        return predicted

    def _samples(self, sample: "Sample", asked: int) -> Samples:
        """The dates that one is made from, and itself at the end: its radar, and where it is scored its truth."""
        settings, day = self._settings, sample.asked[asked]
        other = np.flatnonzero(sample.dates != day)
        shown = sample.valid if settings.clouds == "shown" else sample.valid & ~sample.cloud
        days = np.append(sample.dates[other], day).astype("datetime64[D]").astype(np.int64)
        share = np.append(shown[other].mean(axis=(1, 2)), 0.0)
        nearest = nearest_dates(days, share, len(other), settings.dates, least=settings.least_visible)
        chosen = other[nearest]
        observed = np.concatenate([shown[chosen], sample.scored[asked][None]])
        pixels = np.concatenate([sample.s2[chosen], sample.truth[asked][None]])
        optical = np.where(observed[:, None], scale_optical(pixels), np.float32(0))
        none: list[int] = []
        others = (*(none for _ in chosen), list(range(len(chosen))))
        sar = self._radar(sample, chosen, asked)
        return Samples(Inputs(optical, sar), observed, days[[*nearest, -1]], others, settings.verbatim)

    def _radar(self, sample: "Sample", chosen: np.ndarray, asked: int) -> Float32 | None:
        """(T + 1, 2, H, W), the date that is asked for last; where nothing is known of it, the mean of the others."""
        if not self.sar_channels:
            return None
        seen, beside = radar_of(sample), sample.asked_s1
        own = np.full_like(seen[0], np.nan) if beside is None else beside[asked]
        db = np.concatenate([seen[chosen], own[None]])
        return scale_backscatter(db, np.isfinite(db).all(axis=1), RADAR)


def _date_of(series: "Sample", rng: np.random.Generator | None) -> int:
    clear = (series.valid & ~series.cloud).sum(axis=(1, 2), dtype=np.float64)
    if rng is None:
        return int(clear.argmax())
    return int(rng.choice(len(clear), p=clear / clear.sum() if clear.any() else None))
