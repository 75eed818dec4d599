"""Pixel-wise regressors from features to the residual of linear interpolation; their weighted mean is the prior.

They err differently, which is why both stay (benchmarks/METHOD.md): trees find thresholds, MLPs find smooth
interactions.

Rows are samples: features (N, F) float32, residuals (N, C) reflectance.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import lightgbm
import numpy as np
import torch

from seq2seq.methods.base import Arrays, Cached, uncached
from seq2seq.methods.guided.features import CheckStop
from seq2seq.methods.guided.mlp import MlpRegressor
from seq2seq.methods.guided.settings import GuidedSettings, TreeSettings
from seq2seq.nn.devices import threads_for
from seq2seq.sequence import Float32

TREES_SHARED_FROM = 5_000  # samples; of fewer one thread makes trees as fast as two
CHUNK = 8192  # rows predicted at a time, which bounds the memory


def tree_stages(bands: int, settings: TreeSettings) -> list[str]:
    """Names the stages of a `TreeRegressor`, in order."""
    return [f"trees-{component:02d}" for component in range(min(bands, settings.tree_components))]


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


class TreeRegressor:
    """Gradient-boosted trees (LightGBM), one ensemble per principal component of the residuals.

    Bands err together: of 13, four components hold nearly all of it, and growing and predicting go by their number
    (benchmarks/METHOD.md). Where there are two fits, the mean of both.
    """

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
        warm: "TreeRegressor | None" = None,
    ) -> None:
        """until: `time.monotonic()` by which all have to be done; each gets an equal share of what remains.
        cached: each component's ensemble is a stage. warm: of the first fit, beside which these are grown."""
        self._warm = warm
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(features), min(settings.tree_samples, len(features)), replace=False)
        sharing = threads_for(len(rows), TREES_SHARED_FROM, threads)
        parameters = {**tree_parameters(settings), "seed": seed, "num_threads": sharing}
        samples = lightgbm.Dataset(features[rows], params=parameters, free_raw_data=False)
        names = tree_stages(residuals.shape[1], settings)
        basis = principal_components(residuals, len(names))

        def grow(component: int) -> Arrays:
            samples.set_label(residuals[rows] @ basis[component])
            now = time.monotonic()
            by = None if until is None else now + (until - now) / (len(names) - component)
            watch = _stop_after(by, settings.fewest_tree_rounds, check_stop)
            grown = lightgbm.train(parameters, samples, settings.tree_rounds, callbacks=[watch])
            # With its direction: another machine's may have the other sign.
            return {"model": np.frombuffer(grown.model_to_string().encode(), np.uint8), "direction": basis[component]}

        stages = [cached(name, partial(grow, component)) for component, name in enumerate(names)]
        self._boosters = [lightgbm.Booster(model_str=stage["model"].tobytes().decode()) for stage in stages]
        self._basis: Float32 = np.stack([stage["direction"] for stage in stages])
        self._threads = threads

    def predict(self, features: Float32) -> Float32:
        """Predicts component by component, then the bands from these."""
        each = [booster.predict(features, num_threads=self._threads) for booster in self._boosters]
        grown: Float32 = np.stack(each, axis=1).astype(np.float32) @ self._basis
        if self._warm is not None:
            grown = (grown + self._warm.predict(features)) * np.float32(0.5)
        return grown


def principal_components(residuals: Float32, count: int) -> Float32:
    """Returns the `count` directions, (count, C) of length 1, that hold most of the (N, C) residuals' squares."""
    squares = residuals.T.astype(np.float64) @ residuals
    directions: Float32 = np.linalg.eigh(squares).eigenvectors[:, ::-1][:, :count].T.astype(np.float32)
    return np.ascontiguousarray(directions)


def predict_image(regressor: Regressor, features: Float32, check_stop: CheckStop) -> Float32:
    """Predicts (C, H, W) residuals from (F, H, W) features of a date, a bounded number of pixels at a time."""
    f, h, w = features.shape
    rows = np.ascontiguousarray(features.reshape(f, h * w).T)
    parts = []
    for start in range(0, len(rows), CHUNK):
        check_stop()
        parts.append(regressor.predict(rows[start : start + CHUNK]))
    return np.concatenate(parts).T.reshape(-1, h, w)


def tree_parameters(settings: TreeSettings) -> dict[str, Any]:
    """Returns LightGBM's parameters, but for seed and threads."""
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
    warm: Sequence[Regressor] | None = None,
) -> list[Regressor]:
    """Fits trees and MLPs to the same samples (features, residuals); no residual where there are too few.

    seconds: about what they may take together. With a limit the same seed may give another result. cached: a stage per
    component's trees and one per MLP. warm: those of the first fit, from which the second begins: better than anew, and
    in half the time (benchmarks/METHOD.md).
    """
    features, residuals = samples
    if len(features) < settings.min_samples:
        return [NoResidual(residuals.shape[1]) for _ in range(2)]
    now = time.monotonic()
    trees, mlps = (None if seconds is None else now + share * seconds for share in (settings.trees_by, 1.0))
    first_trees, first_mlp = warm or (None, None)
    of_trees = settings if warm is None else replace(settings, tree_samples=settings.refit_tree_samples)
    common: dict[str, Any] = {"seed": seed, "threads": threads, "check_stop": check_stop, "cached": cached}
    # Where the first fit had too little to learn from, there is nothing to begin from.
    trees_warm = first_trees if isinstance(first_trees, TreeRegressor) else None
    mlp_warm = first_mlp if isinstance(first_mlp, MlpRegressor) else None
    return [
        TreeRegressor(features, residuals, of_trees, until=trees, warm=trees_warm, **common),
        MlpRegressor(features, residuals, settings, device=device, until=mlps, warm=mlp_warm, **common),
    ]


def _stop_after(until: float | None, fewest_rounds: int, check_stop: CheckStop) -> Callable[[Any], None]:
    """A callback of LightGBM's that ends the boosting at `time.monotonic()` `until`."""

    def watch(environment: Any) -> None:
        check_stop()
        if until is not None and environment.iteration >= fewest_rounds and time.monotonic() > until:
            raise lightgbm.callback.EarlyStopException(environment.iteration, [])

    return watch
