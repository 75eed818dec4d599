"""Pixel-wise regressors from features to the residual of linear interpolation; their weighted mean is the prior.

They err differently, which is why both stay (benchmarks/METHOD.md): trees find thresholds, MLPs find smooth
interactions.

Rows are samples: features (N, F) float32, residuals (N, C) reflectance.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import lightgbm
import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.methods.base import Arrays, Cached, uncached
from seq2seq.methods.guided.features import CheckStop
from seq2seq.methods.guided.settings import GuidedSettings, MlpSettings, TreeSettings
from seq2seq.nn.devices import one_thread, threads_for
from seq2seq.sequence import Float32

TREES_SHARED_FROM = 5_000  # samples; of fewer one thread makes trees as fast as two
CHUNK = 8192  # rows predicted at a time, which bounds the memory


def stage_of_trees(band: int) -> str:
    """The name of a band's ensemble."""
    return f"trees-{band:02d}"


def stage_of_mlp(remaining: int) -> str:
    """The name of the MLP after which `remaining` - 1 remain."""
    return f"mlp-{remaining}"


class Regressor(Protocol):
    """Anything that maps (N, F) features to (N, C) residuals."""

    def predict(self, features: Float32) -> Float32:
        """Predicts the residuals of `features`."""


class NoResidual:
    """Interpolation as it is, where there is nothing to learn from."""

    def __init__(self, bands: int) -> None:
        self._bands = bands

    def predict(self, features: Float32) -> Float32:
        """Predicts zeros."""
        return np.zeros((len(features), self._bands), np.float32)


class Standardised:
    """Features to zero mean and unit standard deviation, as the samples had them; a constant feature becomes 0."""

    def __init__(self, features: Float32) -> None:
        self.mean, std = features.mean(axis=0), features.std(axis=0)
        self.scale = np.where(std > 1e-6, 1 / np.maximum(std, 1e-6), 0).astype(np.float32)

    def __call__(self, features: Float32) -> Float32:
        """Clips to six standard deviations: nothing outside was ever seen."""
        scaled: Float32 = np.clip((features - self.mean) * self.scale, -6, 6)
        return scaled


class TreeRegressor:
    """Gradient-boosted trees (LightGBM), one ensemble per band."""

    def __init__(
        self,
        features: Float32,
        residuals: Float32,
        settings: TreeSettings,
        *,
        seed: int,
        threads: int,
        check_stop: CheckStop,
        until: float | None = None,
        cached: Cached = uncached,
    ) -> None:
        """until: `time.monotonic()` by which all bands have to be done; each gets an equal share of what remains.
        cached: each band's ensemble is a stage."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(features), min(settings.tree_samples, len(features)), replace=False)
        sharing = threads_for(len(rows), TREES_SHARED_FROM, threads)
        parameters = {**tree_parameters(settings), "seed": seed, "num_threads": sharing}
        samples = lightgbm.Dataset(features[rows], params=parameters, free_raw_data=False)
        bands = residuals.shape[1]

        def grow(band: int) -> Arrays:
            samples.set_label(residuals[rows, band])
            now = time.monotonic()
            by = None if until is None else now + (until - now) / (bands - band)
            watch = _stop_after(by, settings.fewest_tree_rounds, check_stop)
            grown = lightgbm.train(parameters, samples, settings.tree_rounds, callbacks=[watch])
            return {"model": np.frombuffer(grown.model_to_string().encode(), np.uint8)}

        stages = (cached(stage_of_trees(band), partial(grow, band)) for band in range(bands))
        self._boosters = [lightgbm.Booster(model_str=stage["model"].tobytes().decode()) for stage in stages]
        self._threads = threads

    def predict(self, features: Float32) -> Float32:
        """Predicts band by band."""
        each = [booster.predict(features, num_threads=self._threads) for booster in self._boosters]
        return np.stack(each, axis=1).astype(np.float32)


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
        check_stop: CheckStop,
        until: float | None = None,
        cached: Cached = uncached,
    ) -> None:
        """until: `time.monotonic()` by which it has to be done; fewer steps are made then, on the same schedule.
        cached: each network is a stage."""
        self._standardised = Standardised(features)
        self._std = (residuals.std(axis=0) + 1e-6).astype(np.float32)
        self._device, self._settings = device, settings
        scaled = torch.from_numpy(self._standardised(features)).to(device)
        targets = torch.from_numpy(residuals / self._std).to(device)

        def learn(remaining: int) -> Arrays:
            torch.manual_seed(seed + remaining)
            now = time.monotonic()
            by = None if until is None else now + (until - now) / remaining
            network = self._fit(scaled, targets, check_stop, by)
            return {name: values.cpu().numpy() for name, values in network.state_dict().items()}

        self._networks = []
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for remaining in range(settings.mlps, 0, -1):
                stage = cached(stage_of_mlp(remaining), partial(learn, remaining))
                network = _mlp(scaled.shape[1], targets.shape[1], settings)
                network.load_state_dict({name: torch.from_numpy(values) for name, values in stage.items()})
                self._networks.append(network.to(device).eval())

    def predict(self, features: Float32) -> Float32:
        """Predicts without dropout."""
        with torch.no_grad():
            located = torch.from_numpy(self._standardised(features)).to(self._device)
            output = torch.stack([network(located) for network in self._networks]).mean(dim=0)
        scaled: Float32 = output.cpu().numpy() * self._std
        return scaled

    def _fit(self, samples: Tensor, targets: Tensor, check_stop: CheckStop, until: float | None) -> nn.Module:
        settings = self._settings
        network = _mlp(samples.shape[1], targets.shape[1], settings).to(self._device)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=settings.mlp_learning_rate,
            weight_decay=settings.mlp_weight_decay,
            fused=self._device.type in ("cpu", "cuda"),  # one call for all weights: they are small
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.mlp_learning_rate, settings.mlp_steps)
        began, done, position = time.monotonic(), 0, 0
        with one_thread():
            while position < settings.mlp_steps:
                check_stop()
                rows = torch.randint(len(samples), (settings.mlp_batch,), device=samples.device)
                batch = samples[rows]
                predicted = network(batch + settings.mlp_noise * torch.randn_like(batch))
                loss = (predicted - targets[rows]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                done += 1
                due = _due_position(done, began, until, settings)
                for _ in range(due - position):
                    schedule.step()
                position = due
        return network.eval()


def _due_position(done: int, began: float, until: float | None, settings: MlpSettings) -> int:
    """Where on its schedule an MLP has to be after `done` steps: further than those where the time passes faster.

    The pace of the machine need not be known before, nor stay what it was.
    """
    if until is None:
        return done
    gone = (time.monotonic() - began) / max(until - began, 1e-9)
    fewest = min(settings.fewest_mlp_steps, settings.mlp_steps)
    return max(done, int(settings.mlp_steps * min(gone, done / fewest, 1.0)))


def predict_image(regressor: Regressor, features: Float32, check_stop: CheckStop) -> Float32:
    """(F, H, W) features of a date -> (C, H, W) residuals, a bounded number of pixels at a time."""
    f, h, w = features.shape
    rows = np.ascontiguousarray(features.reshape(f, h * w).T)
    parts = []
    for start in range(0, len(rows), CHUNK):
        check_stop()
        parts.append(regressor.predict(rows[start : start + CHUNK]))
    return np.concatenate(parts).T.reshape(-1, h, w)


class ByteDropout(nn.Module):
    """Dropout that keeps `kept` of 256 values, one random byte each.

    torch's own draws a number for each value, which took a third of a step on a CPU.
    """

    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept

    def forward(self, values: Tensor) -> Tensor:
        """Scales the values kept, so that the mean stays; in evaluation nothing is dropped."""
        if not self.training:
            return values
        words = torch.randint(-(2**63), 2**63 - 1, (-(-values.numel() // 8),), device=values.device)
        kept = words.view(torch.uint8)[: values.numel()].view(values.shape) < self._kept
        return values * (kept * (256 / self._kept))


def _mlp(inputs: int, outputs: int, settings: MlpSettings) -> nn.Sequential:
    width, kept = settings.mlp_width, settings.mlp_kept
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.GELU(),
        ByteDropout(kept),
        nn.Linear(width, width),
        nn.GELU(),
        ByteDropout(kept),
        nn.Linear(width, outputs),
    )


def tree_parameters(settings: TreeSettings) -> dict[str, Any]:
    """LightGBM's parameters, but for seed and threads."""
    return {
        "objective": "l2",
        "num_leaves": settings.tree_leaves,
        "learning_rate": settings.tree_learning_rate,
        "min_data_in_leaf": settings.tree_min_leaf_samples,
        "feature_fraction": settings.tree_feature_fraction,
        "bagging_fraction": settings.tree_bagging_fraction,
        "bagging_freq": 1,
        "max_bin": settings.tree_bins,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


Samples = tuple[Float32, Float32]


def fit_regressors(
    samples: Samples,
    settings: GuidedSettings,
    *,
    seed: int,
    device: torch.device,
    threads: int,
    check_stop: CheckStop,
    seconds: float | None = None,
    cached: Cached = uncached,
) -> list[Regressor]:
    """Fits trees and MLPs to the same samples (features, residuals); no residual where there are too few.

    seconds: about what they may take together. With a limit the same seed may give another result. cached: a stage per
    band and one per MLP.
    """
    features, residuals = samples
    if len(features) < settings.min_samples:
        return [NoResidual(residuals.shape[1]) for _ in range(2)]
    now = time.monotonic()
    trees, mlps = (None if seconds is None else now + share * seconds for share in (settings.trees_by, 1.0))
    return [
        TreeRegressor(
            features, residuals, settings, seed=seed, threads=threads, check_stop=check_stop, until=trees, cached=cached
        ),
        MlpRegressor(
            features, residuals, settings, seed=seed, device=device, check_stop=check_stop, until=mlps, cached=cached
        ),
    ]


def _stop_after(until: float | None, fewest_rounds: int, check_stop: CheckStop) -> Callable[[Any], None]:
    """A callback of LightGBM's that ends the boosting at `time.monotonic()` `until`."""

    def watch(environment: Any) -> None:
        check_stop()
        if until is not None and environment.iteration >= fewest_rounds and time.monotonic() > until:
            raise lightgbm.callback.EarlyStopException(environment.iteration, [])

    return watch
