"""One method on one sample: by itself, as published, or with all that a run adds to it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import InvalidPixelsError, MissingDataError, Stopped
from seq2seq.evaluation.showing import Shown
from seq2seq.interpolation import linear_interpolation
from seq2seq.methods.base import MethodInfo, RunContext
from seq2seq.nn.devices import available_cores, choose_device
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import OnProgress, ShouldStop
from seq2seq.run.checkpoint import Checkpoint
from seq2seq.run.clock import Clock, Pace
from seq2seq.run.fitting import Fitting
from seq2seq.run.reconstruction import reconstruct
from seq2seq.sequence import Float32, Observations

# shown, settings, perceptual loss, ... -> (N, C, H, W) reflectance of the dates that are asked for.
Predict = Callable[[Shown, ReconstructionConfig, Perceptual, OnProgress, ShouldStop], Float32]


def own_candidate(info: MethodInfo) -> str | None:
    """Finds the prediction that is the method's own: the one it follows, else that with the largest share."""
    blended = info.blended
    return info.followed or (max(blended, key=lambda name: blended[name]) if blended else None)


def predict_alone(
    shown: Shown,
    config: ReconstructionConfig,
    perceptual: Perceptual,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Float32:
    """Fits the method to all that is shown, and takes its own prediction: nothing held out, blended or kept.

    A method without a candidate is interpolation, which is taken as it is.
    """
    observations, info = shown.observations, config.info
    candidate = own_candidate(info)
    if candidate is None:
        s2 = observations.s2
        return _of_dates(linear_interpolation(s2.pixels, s2.observed, s2.days), shown, "interpolation")
    fitting = _fitting(observations, config, perceptual, on_progress, should_stop)
    fit = fitting.run("alone", observations, None, None)
    predicted: Mapping[str, Float32] = fit.predict(observations)
    return _of_dates(predicted[candidate], shown, f"candidate {candidate}")


def predict_blended(
    shown: Shown,
    config: ReconstructionConfig,
    perceptual: Perceptual,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Float32:
    """What `decloud run` would deliver: blended by held-out pixels, observed pixels kept."""
    result = reconstruct(
        shown.observations, config, on_progress=on_progress, should_stop=should_stop, perceptual=perceptual
    )
    return _of_dates(result.s2.pixels, shown, "the result")


def _fitting(
    observations: Observations,
    config: ReconstructionConfig,
    perceptual: Perceptual,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Fitting:
    if not observations.s2.observed.any():
        raise MissingDataError(f"no pixel of {len(observations.s2.dates)} dates is observed: all is cloud or no data")

    def check_stop() -> None:
        if should_stop():
            raise Stopped("between two steps")

    info, budget_s = config.info, None if config.max_minutes is None else 60 * config.max_minutes
    expected = info.cost(observations.s2.shape, config.resolved_settings).seconds
    context = RunContext(
        seed=config.seed,
        device=choose_device(config.device),
        threads=available_cores(),
        perceptual=perceptual,
        perceptual_weight=config.perceptual_weight,
        check_stop=check_stop,
    )
    nowhere: Path | None = None
    return Fitting(
        info=info,
        method=info.load()(config.resolved_settings),
        context=context,
        clock=Clock(budget_s),
        pace=Pace(expected if budget_s is None else min(expected, budget_s)),
        checkpoint=Checkpoint(nowhere),
        on_progress=on_progress,
        should_stop=should_stop,
    )


def _of_dates(predicted: Float32, shown: Shown, what: str) -> Float32:
    """Raises `InvalidPixelsError` where a value is no number."""
    chosen = predicted[shown.asked]
    bad = int(np.count_nonzero(~np.isfinite(chosen)))
    if bad:
        raise InvalidPixelsError(f"{bad} values of {what} are no numbers")
    return np.asarray(np.clip(chosen, 0, 1), dtype=np.float32)
