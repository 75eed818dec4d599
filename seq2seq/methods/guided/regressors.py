"""Pixel-wise regressors from features to a correction of linear interpolation; their weighted mean is the prior.

They err differently, which is why both stay (benchmarks/METHOD.md): trees find thresholds, perceptrons find smooth
interactions.

Rows are samples: features (N, F) float32, corrections (N, C) reflectance.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import lightgbm
import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.methods.base import Arrays, Keep, make
from seq2seq.methods.guided.features import Tick
from seq2seq.nn.devices import one_thread, threads_for
from seq2seq.sequence import Float32

TREE_SAMPLES = 60_000
TREE_ROUNDS = 100
TREES_SHARED_FROM = 5_000  # samples; of fewer one thread makes trees as fast as two
TREE_PARAMETERS: dict[str, Any] = {
    "objective": "l2",
    "num_leaves": 31,
    "learning_rate": 0.08,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
PERCEPTRONS = 2  # from different beginnings, averaged
PERCEPTRON_WIDTH = 128
PERCEPTRON_STEPS = 1200
PERCEPTRON_BATCH = 1024
PERCEPTRON_RATE = 4e-3
PERCEPTRON_DECAY = 0.05
PERCEPTRON_NOISE = 0.1  # added to standardised features, so that no single value decides
KEPT = 230  # of 256 hidden values at each step: dropout of a tenth
MIN_SAMPLES = 20  # fewer teach nothing, and trees cannot be grown on them
TREES_BY = 0.4  # of the time for fitting, where there is a limit: when the trees have to be done
# However short the time: with fewer they would know less than interpolation does.
FEWEST_STEPS, FEWEST_ROUNDS = 200, 20
CHUNK = 8192  # rows predicted at a time, which bounds the memory


def piece_of_trees(band: int) -> str:
    """The name of a band's ensemble."""
    return f"trees-{band:02d}"


def piece_of_perceptron(left: int) -> str:
    """The name of the perceptron after which `left` - 1 are left."""
    return f"perceptron-{left}"


class Regressor(Protocol):
    """Anything that corrects: (N, F) features -> (N, C) corrections."""

    def predict(self, features: Float32) -> Float32:
        """Corrections of `features`."""


class NoCorrection:
    """Interpolation as it is: what is left to say where there is nothing to learn from."""

    def __init__(self, bands: int) -> None:
        self._bands = bands

    def predict(self, features: Float32) -> Float32:
        """Zeros."""
        return np.zeros((len(features), self._bands), np.float32)


class Standardised:
    """Features to zero mean and unit spread, as the samples had them; a constant feature becomes 0."""

    def __init__(self, features: Float32) -> None:
        self.mean, spread = features.mean(axis=0), features.std(axis=0)
        self.scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)

    def __call__(self, features: Float32) -> Float32:
        """Clipped to six spreads: nothing outside was ever seen."""
        scaled: Float32 = np.clip((features - self.mean) * self.scale, -6, 6)
        return scaled


class TreeRegressor:
    """Gradient-boosted trees (LightGBM), one ensemble a band."""

    def __init__(
        self,
        features: Float32,
        corrections: Float32,
        *,
        seed: int,
        threads: int,
        tick: Tick,
        until: float | None = None,
        keep: Keep = make,
    ) -> None:
        """until: `time.monotonic()` by which all bands have to be done; each gets an equal share of what is left.
        keep: each band's ensemble is a piece."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(features), min(TREE_SAMPLES, len(features)), replace=False)
        sharing = threads_for(len(rows), TREES_SHARED_FROM, threads)
        parameters = {**TREE_PARAMETERS, "seed": seed, "num_threads": sharing}
        samples = lightgbm.Dataset(features[rows], params=parameters, free_raw_data=False)
        bands = corrections.shape[1]

        def grow(band: int) -> Arrays:
            samples.set_label(corrections[rows, band])
            now = time.monotonic()
            watch = _stop_after(None if until is None else now + (until - now) / (bands - band), tick)
            grown = lightgbm.train(parameters, samples, TREE_ROUNDS, callbacks=[watch])
            return {"model": np.frombuffer(grown.model_to_string().encode(), np.uint8)}

        pieces = (keep(piece_of_trees(band), partial(grow, band)) for band in range(bands))
        self._boosters = [lightgbm.Booster(model_str=piece["model"].tobytes().decode()) for piece in pieces]
        self._threads = threads

    def predict(self, features: Float32) -> Float32:
        """Band by band."""
        each = [booster.predict(features, num_threads=self._threads) for booster in self._boosters]
        return np.stack(each, axis=1).astype(np.float32)


class PerceptronRegressor:
    """Two hidden layers with dropout, noisy inputs and weight decay, for all bands at once; the mean of several."""

    def __init__(
        self,
        features: Float32,
        corrections: Float32,
        *,
        seed: int,
        device: torch.device,
        tick: Tick,
        until: float | None = None,
        keep: Keep = make,
    ) -> None:
        """until: `time.monotonic()` by which it has to be done; fewer steps are made then, on the same schedule.
        keep: each network is a piece."""
        self._standardised = Standardised(features)
        self._spread = (corrections.std(axis=0) + 1e-6).astype(np.float32)
        self._device = device
        scaled = torch.from_numpy(self._standardised(features)).to(device)
        targets = torch.from_numpy(corrections / self._spread).to(device)

        def learn(left: int) -> Arrays:
            torch.manual_seed(seed + left)
            now = time.monotonic()
            network = self._fit(scaled, targets, tick, None if until is None else now + (until - now) / left)
            return {name: values.cpu().numpy() for name, values in network.state_dict().items()}

        self._networks = []
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for left in range(PERCEPTRONS, 0, -1):
                piece = keep(piece_of_perceptron(left), partial(learn, left))
                network = _perceptron(scaled.shape[1], targets.shape[1])
                network.load_state_dict({name: torch.from_numpy(values) for name, values in piece.items()})
                self._networks.append(network.to(device).eval())

    def predict(self, features: Float32) -> Float32:
        """Without dropout."""
        with torch.no_grad():
            located = torch.from_numpy(self._standardised(features)).to(self._device)
            output = torch.stack([network(located) for network in self._networks]).mean(dim=0)
        scaled: Float32 = output.cpu().numpy() * self._spread
        return scaled

    def _fit(self, samples: Tensor, targets: Tensor, tick: Tick, until: float | None) -> nn.Module:
        network = _perceptron(samples.shape[1], targets.shape[1]).to(self._device)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=PERCEPTRON_RATE,
            weight_decay=PERCEPTRON_DECAY,
            fused=self._device.type in ("cpu", "cuda"),  # one call for all weights: they are small
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PERCEPTRON_RATE, PERCEPTRON_STEPS)
        began, done, position = time.monotonic(), 0, 0
        with one_thread():
            while position < PERCEPTRON_STEPS:
                tick()
                rows = torch.randint(len(samples), (PERCEPTRON_BATCH,), device=samples.device)
                batch = samples[rows]
                loss = (network(batch + PERCEPTRON_NOISE * torch.randn_like(batch)) - targets[rows]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                done += 1
                due = _due_position(done, began, until)
                for _ in range(due - position):
                    schedule.step()
                position = due
        return network.eval()


def _due_position(done: int, began: float, until: float | None) -> int:
    """Where on its schedule a perceptron has to be after `done` steps: further than those where the time passes faster.

    The pace of the machine need not be known before, nor stay what it was.
    """
    if until is None:
        return done
    gone = (time.monotonic() - began) / max(until - began, 1e-9)
    fewest = min(FEWEST_STEPS, PERCEPTRON_STEPS)
    return max(done, int(PERCEPTRON_STEPS * min(gone, done / fewest, 1.0)))


def predict_image(regressor: Regressor, features: Float32, tick: Tick) -> Float32:
    """(F, H, W) features of a date -> (C, H, W) corrections, a bounded number of pixels at a time."""
    f, h, w = features.shape
    rows = np.ascontiguousarray(features.reshape(f, h * w).T)
    parts = []
    for start in range(0, len(rows), CHUNK):
        tick()
        parts.append(regressor.predict(rows[start : start + CHUNK]))
    return np.concatenate(parts).T.reshape(-1, h, w)


class ByteDropout(nn.Module):
    """Dropout that keeps `KEPT` of 256 values, one random byte each.

    torch's own draws a number for each value, which took a third of a step on a CPU.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Scaled so that the mean stays; in evaluation nothing is dropped."""
        if not self.training:
            return values
        words = torch.randint(-(2**63), 2**63 - 1, (-(-values.numel() // 8),), device=values.device)
        kept = words.view(torch.uint8)[: values.numel()].view(values.shape) < KEPT
        return values * (kept * (256 / KEPT))


def _perceptron(inputs: int, outputs: int) -> nn.Sequential:
    width = PERCEPTRON_WIDTH
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.GELU(),
        ByteDropout(),
        nn.Linear(width, width),
        nn.GELU(),
        ByteDropout(),
        nn.Linear(width, outputs),
    )


def pieces_of_fit(bands: int) -> list[str]:
    """The pieces that `fit_regressors` keeps: an ensemble of trees a band, perceptrons."""
    return [*(piece_of_trees(band) for band in range(bands)), *map(piece_of_perceptron, range(PERCEPTRONS, 0, -1))]


Samples = tuple[Float32, Float32]


def fit_regressors(
    samples: Samples,
    *,
    seed: int,
    device: torch.device,
    threads: int,
    tick: Tick,
    seconds: float | None = None,
    keep: Keep = make,
) -> list[Regressor]:
    """Trees and perceptrons on the same samples (features, corrections); no corrections where there are too few.

    seconds: about what they may take together. With a limit the same seed may give another result. keep: what each
    piece of work is kept by, one a band and one a perceptron.
    """
    features, corrections = samples
    if len(features) < MIN_SAMPLES:
        return [NoCorrection(corrections.shape[1]) for _ in range(2)]
    now = time.monotonic()
    trees, perceptron = (None if seconds is None else now + share * seconds for share in (TREES_BY, 1.0))
    return [
        TreeRegressor(features, corrections, seed=seed, threads=threads, tick=tick, until=trees, keep=keep),
        PerceptronRegressor(features, corrections, seed=seed, device=device, tick=tick, until=perceptron, keep=keep),
    ]


def _stop_after(until: float | None, tick: Tick) -> Callable[[Any], None]:
    """A callback of LightGBM's that ends the boosting at `time.monotonic()` `until`."""

    def watch(environment: Any) -> None:
        tick()
        if until is not None and environment.iteration >= FEWEST_ROUNDS and time.monotonic() > until:
            raise lightgbm.callback.EarlyStopException(environment.iteration, [])

    return watch
