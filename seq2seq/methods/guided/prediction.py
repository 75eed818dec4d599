"""From regressors of features to images of every date."""

from collections.abc import Mapping
from functools import cache, partial

import numpy as np

from seq2seq.methods.base import Arrays, Cached, uncached
from seq2seq.methods.guided.features import CheckStop, Described, Radar, describe
from seq2seq.methods.guided.regressors import Regressor, predict_image
from seq2seq.methods.guided.settings import FeatureSettings
from seq2seq.sequence import Float32, ImageSequence


def stage_of_date(t: int) -> str:
    """The name of a date's predictions."""
    return f"date-{t:04d}"


def predict_dates(
    s2: ImageSequence,
    regressors: Mapping[str, Regressor],
    radar: Radar | None,
    fallback: Float32,
    settings: FeatureSettings,
    *,
    check_stop: CheckStop,
    cached: Cached = uncached,
) -> dict[str, Float32]:
    """(T, C, H, W) reflectance by each regressor, from the visible pixels of s2: interpolation and its residual.

    A date's own pixels are never used for that date, so visible pixels are predicted too. Each date is a stage.
    """

    @cache  # needed for the stages that are missing alone
    def described() -> Described:
        return describe(s2.pixels, s2.observed, s2.days, radar, fallback, settings, check_stop=check_stop)

    def date(t: int) -> Arrays:
        linear, features = described().linear[t], described().features[t]
        return {name: linear + predict_image(each, features, check_stop) for name, each in regressors.items()}

    dates = [cached(stage_of_date(t), partial(date, t)) for t in range(len(s2.observed))]
    return {name: np.stack([each[name] for each in dates]) for name in regressors}
