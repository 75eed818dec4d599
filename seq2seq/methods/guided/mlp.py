"""MLPs from features to residuals: they find smooth interactions.

Rows are samples: features (N, F) float32, residuals (N, C) reflectance.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.errors import Stopped
from seq2seq.methods.base import Arrays, Cached, uncached
from seq2seq.methods.guided.features import CheckStop
from seq2seq.methods.guided.settings import MlpSettings
from seq2seq.nn.devices import one_thread
from seq2seq.sequence import Float32

RISING, WARM_RISING = 0.3, 0.1
NOISE_ROWS, DROPOUT_ROWS = 16_384, 8_192  # drawn beforehand
_BEGINNING = Lock()  # torch begins weights from its one global generator


def stage_of_mlp(remaining: int) -> str:
    """Names the stage of the MLP after which `remaining` - 1 remain."""
    return f"mlp-{remaining}"


class Standardised:
    """Features of zero mean and std 1, (x - mean) / std of the samples; a constant feature becomes 0."""

    def __init__(self, features: Float32) -> None:
        self.mean, std = features.mean(axis=0), features.std(axis=0)
        self.scale = np.where(std > 1e-6, 1 / np.maximum(std, 1e-6), 0).astype(np.float32)

    def __call__(self, features: Float32) -> Float32:
        """Clips to six standard deviations: no sample lay outside."""
        scaled: Float32 = np.clip((features - self.mean) * self.scale, -6, 6)
        return scaled


@dataclass(frozen=True)
class Schedule:
    """A one-cycle schedule: its steps, and the share of them in which the learning rate rises."""

    steps: int
    rising: float

    @classmethod
    def of(cls, settings: MlpSettings, *, warm: bool) -> "Schedule":
        """The schedule of networks that begin anew, or from those of an earlier fit."""
        return cls(settings.refit_mlp_steps, WARM_RISING) if warm else cls(settings.mlp_steps, RISING)

    def due(self, done: int, began: float, until: float | None, fewest: int) -> int:
        """Tells where on it an MLP has to be after `done` steps: further than those where the time passes faster.

        The pace of the machine need not be known before, nor stay what it was.
        """
        if until is None:
            return done
        gone = (time.monotonic() - began) / max(until - began, 1e-9)
        return max(done, int(self.steps * min(gone, done / min(fewest, self.steps), 1.0)))


class MlpRegressor:
    """Two hidden layers with dropout, noisy inputs and weight decay, for all bands at once; the mean of several."""

    def __init__(
        self,
        features: Float32,
        residuals: Float32,
        settings: MlpSettings,
        *,
        seed: int,
        device: torch.device,
        threads: int,
        check_stop: CheckStop,
        until: float | None = None,
        cached: Cached = uncached,
        warm: "MlpRegressor | None" = None,
    ) -> None:
        """until: `time.monotonic()` by which it has to be done; fewer steps are made then, on the same schedule.
        cached: each network is a stage. threads: as many networks learn side by side, each in one. warm: of the first
        fit, whose networks go on learning from these samples."""
        self._standardised: Standardised = Standardised(features) if warm is None else warm._standardised
        self._std: Float32 = (residuals.std(axis=0) + 1e-6).astype(np.float32) if warm is None else warm._std
        self._device, self._settings = device, settings
        scaled = torch.from_numpy(self._standardised(features)).to(device)
        targets = torch.from_numpy(residuals / self._std).to(device)

        self._schedule = Schedule.of(settings, warm=warm is not None)
        beside = max(1, min(settings.mlps, threads)) if device.type == "cpu" else 1

        def learn(remaining: int, check_stop: CheckStop) -> Arrays:
            now = time.monotonic()
            turns = -(-remaining // beside)  # that remain, this one among them
            by = None if until is None else now + (until - now) / turns
            begun = None if warm is None else warm._networks[settings.mlps - remaining].state_dict()
            network = self._fit(scaled, targets, seed + remaining, check_stop, by, begun)
            return {name: values.cpu().numpy() for name, values in network.state_dict().items()}

        self._networks: list[nn.Module] = []
        for stage in _side_by_side(learn, settings.mlps, beside, check_stop, cached):
            network, _ = _fresh_mlp(scaled.shape[1], targets.shape[1], settings, seed, device)
            network.load_state_dict({name: torch.from_numpy(values) for name, values in stage.items()})
            self._networks.append(network.eval())

    def predict(self, features: Float32) -> Float32:
        """Predicts without dropout."""
        with torch.no_grad():
            located = torch.from_numpy(self._standardised(features)).to(self._device)
            output = torch.stack([network(located) for network in self._networks]).mean(dim=0)
        scaled: Float32 = output.cpu().numpy() * self._std
        return scaled

    def _fit(
        self,
        samples: Tensor,
        targets: Tensor,
        seed: int,
        check_stop: CheckStop,
        until: float | None,
        begun: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        settings, schedule = self._settings, self._schedule
        network, random = _fresh_mlp(samples.shape[1], targets.shape[1], settings, seed, self._device)
        if begun is not None:
            network.load_state_dict(begun)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=settings.mlp_learning_rate,
            weight_decay=settings.mlp_weight_decay,
            fused=self._device.type in ("cpu", "cuda"),  # one call for all weights: they are small
        )
        rates = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.mlp_learning_rate, schedule.steps, pct_start=schedule.rising
        )
        noise = torch.randn((NOISE_ROWS, samples.shape[1]), device=samples.device, generator=random)
        noise *= settings.mlp_noise
        began, done, position = time.monotonic(), 0, 0
        while position < schedule.steps:
            check_stop()
            rows = _some_rows(samples, settings.mlp_batch, random)
            batch = samples.index_select(0, rows)
            batch += noise.index_select(0, _some_rows(noise, settings.mlp_batch, random))
            loss = (network(batch) - targets.index_select(0, rows)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            due = schedule.due(done, began, until, settings.fewest_mlp_steps)
            for _ in range(due - position):
                rates.step()
            position = due
        return network.eval()


def _some_rows(values: Tensor, count: int, random: torch.Generator) -> Tensor:
    return torch.randint(len(values), (count,), device=values.device, generator=random)


def _fresh_mlp(
    inputs: int, outputs: int, settings: MlpSettings, seed: int, device: torch.device
) -> tuple[nn.Sequential, torch.Generator]:
    """A network as `seed` begins it, and the generator of all that is random afterwards: its own, so that networks that
    learn side by side draw what they would draw alone."""
    random = torch.Generator(device).manual_seed(seed)
    with _BEGINNING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _mlp(inputs, outputs, settings, random).to(device)
        if device.type == "cpu":  # the stream goes on behind the initial weights
            random.set_state(torch.get_rng_state())
    return network, random


def _side_by_side(
    learn: Callable[[int, CheckStop], Arrays],
    networks: int,
    beside: int,
    check_stop: CheckStop,
    cached: Cached,
) -> list[Arrays]:
    """The stages of all networks in order. The first that is not there is learnt beside those after it, `beside` at a
    time: each step is too small to be shared (benchmarks/METHOD.md).

    learn: of one network, by how many remain with it.
    """
    failed = Event()
    learning: dict[int, Future[Arrays]] = {}

    def check() -> None:
        check_stop()
        if failed.is_set():
            raise Stopped("beside a network that could not go on")

    def alone(remaining: int) -> Arrays:
        try:
            with one_thread():  # a new thread has to be set to share nothing
                return learn(remaining, check)
        except BaseException:
            failed.set()
            raise

    def learnt(pool: Executor, remaining: int) -> Arrays:
        if not learning:
            learning.update({each: pool.submit(alone, each) for each in range(remaining, 0, -1)})
        return learning[remaining].result()

    # one thread here too, because parts of torch know one number of threads for the whole process
    with one_thread(), ThreadPoolExecutor(beside) as pool:
        try:
            return [cached(stage_of_mlp(each), partial(learnt, pool, each)) for each in range(networks, 0, -1)]
        except BaseException:
            failed.set()
            raise


class RowDropout(nn.Module):
    """Dropout that keeps `kept` of 256 values: each row by one of `DROPOUT_ROWS` masks that were drawn beforehand.

    torch's own draws a number for each value, which took a third of a step on a CPU.
    """

    def __init__(self, kept: int, random: torch.Generator) -> None:
        super().__init__()
        self._kept, self._random = kept, random
        self._masks: Tensor | None = None

    def forward(self, values: Tensor) -> Tensor:
        """Scales the values kept, (N, F), so that the mean stays; in evaluation nothing is dropped."""
        if not self.training:
            return values
        if self._masks is None:
            self._masks = self._drawn(values)
        return values * self._masks.index_select(0, _some_rows(self._masks, len(values), self._random))

    def _drawn(self, values: Tensor) -> Tensor:
        shape = (DROPOUT_ROWS, values.shape[1])
        drawn = torch.randint(256, shape, device=values.device, dtype=torch.int16, generator=self._random)
        return (drawn < self._kept) * (256 / self._kept)


def _mlp(inputs: int, outputs: int, settings: MlpSettings, random: torch.Generator) -> nn.Sequential:
    width, kept = settings.mlp_width, settings.mlp_kept
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.GELU(),
        RowDropout(kept, random),
        nn.Linear(width, width),
        nn.GELU(),
        RowDropout(kept, random),
        nn.Linear(width, outputs),
    )
