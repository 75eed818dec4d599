"""The trees of `guided` without its networks: the same features, samples and ensembles."""

import time
from collections import Counter
from typing import Any

from seq2seq.interpolation import mean_spectrum
from seq2seq.methods.base import RunContext
from seq2seq.methods.closed_form import ClosedFit
from seq2seq.methods.guided.features import speckle_filtered
from seq2seq.methods.guided.prediction import predict_dates
from seq2seq.methods.guided.regressors import NoResidual, Regressor, TreeRegressor, tree_stages
from seq2seq.methods.guided.samples import STAGE, cached_samples
from seq2seq.methods.guided.settings import TreeSettings
from seq2seq.sequence import Float32, Observations

CANDIDATE = "trees"
_STAGE_SHARES = {STAGE: 0.35, CANDIDATE: 0.65}  # of the time of `start`, all stages of the kind together


def expected_stages(bands: int, settings: TreeSettings) -> dict[str, float]:
    """The stages that `Trees.start` asks to be cached, in order, with their shares of its time."""
    names = [STAGE, *tree_stages(bands, settings)]
    kinds = {name: name.split("-")[0] for name in names}
    count = Counter(kinds.values())
    return {name: _STAGE_SHARES[kind] / count[kind] for name, kind in kinds.items()}


class Trees:
    """The method, behind the face of all methods."""

    def __init__(self, settings: TreeSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> ClosedFit:
        """Grows the trees on visible pixels hidden in cloud shapes. Nothing is taken from an earlier fit."""
        s2, settings = visible.s2, self._settings
        began = time.monotonic()
        context.expect(expected_stages(len(s2.bands), settings))
        radar = speckle_filtered(visible, s2.observed, context.check_stop, settings)
        fallback = mean_spectrum(s2.pixels, s2.observed)
        samples = cached_samples(s2, radar, fallback, settings, context)
        until = None if context.seconds is None else began + context.seconds
        regressor = grown(samples, settings, context, until)

        def predict(shown: Observations) -> dict[str, Float32]:
            regressors = {CANDIDATE: regressor}
            return predict_dates(shown.s2, regressors, radar, fallback, settings, check_stop=context.check_stop)

        return ClosedFit(predict)


def grown(
    samples: tuple[Float32, Float32], settings: TreeSettings, context: RunContext, until: float | None
) -> Regressor:
    """An ensemble per principal component; no residual where there is too little to learn from."""
    features, residuals = samples
    if len(features) < settings.min_samples:
        return NoResidual(residuals.shape[1])
    return TreeRegressor(
        features,
        residuals,
        settings,
        seed=context.seed,
        threads=context.threads,
        check_stop=context.check_stop,
        until=until,
        cached=context.cached,
    )
