"""Samples for the regressors: pixels hidden in cloud shapes, and the residuals of interpolation there."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seq2seq.methods.base import Arrays, RunContext
from seq2seq.methods.guided.features import CheckStop, Radar, describe
from seq2seq.methods.guided.regressors import Samples
from seq2seq.methods.guided.settings import SampleSettings
from seq2seq.sequence import Bool, Float32, ImageSequence
from seq2seq.validation.hiding import CloudShapes, hide

STAGE = "samples"
MOST_THREADS = 2  # each holds the features of a window; with two, predicting still takes the most memory
_ARRAYS = ("features", "residuals")
_LEAST_NOISE_DAYS = 4.0
_CHOICE = 4  # hidden values described for each that is taken


def cached_samples(
    s2: ImageSequence, radar: Radar | None, fallback: Float32, settings: SampleSettings, context: RunContext
) -> Samples:
    """`draw_samples` as a stage, within its share of the time to prepare."""
    until = None if context.seconds is None else time.monotonic() + settings.sampling_share * context.seconds

    def draw() -> Arrays:
        rng = np.random.default_rng((context.seed, 2))
        drawn = draw_samples(
            *(s2, radar, fallback, settings),
            rng=rng,
            check_stop=context.check_stop,
            until=until,
            threads=min(context.threads, MOST_THREADS),
        )
        return dict(zip(_ARRAYS, drawn, strict=True))

    stage = context.cached(STAGE, draw)
    features, residuals = (stage[name] for name in _ARRAYS)
    return features, residuals


def draw_samples(
    s2: ImageSequence,
    radar: Radar | None,
    fallback: Float32,
    settings: SampleSettings,
    *,
    rng: np.random.Generator,
    check_stop: CheckStop,
    until: float | None = None,
    threads: int = 1,
) -> Samples:
    """Draws features (N, F) and residuals (N, C) of pixels hidden in `settings.mask_samples` masks, as many of each.

    s2: blanked where it may not be looked at. until: `time.monotonic()` after which `fewest_mask_samples` are enough.
    threads: as many masks are drawn side by side; the samples are the same.
    """
    shapes = CloudShapes.of(s2.observed)
    rngs = rng.spawn(settings.mask_samples)

    def draw(rng: np.random.Generator) -> Samples:
        return _of_a_mask(s2, radar, fallback, settings, shapes, rng)

    drawn: list[Samples] = []
    # Masks are shared among threads, and not their small products of matrices as well: those meet too often.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        while len(drawn) < len(rngs):
            check_stop()
            if until is not None and len(drawn) >= settings.fewest_mask_samples and time.monotonic() > until:
                break
            drawn += pool.map(draw, rngs[len(drawn) : len(drawn) + threads])
    features, residuals = zip(*drawn, strict=True)
    return np.concatenate(features), np.concatenate(residuals)


def _of_a_mask(
    s2: ImageSequence,
    radar: Radar | None,
    fallback: Float32,
    settings: SampleSettings,
    shapes: CloudShapes,
    rng: np.random.Generator,
) -> Samples:
    rows, columns = (_some_span(size, settings.mask_sample_px, rng) for size in s2.observed.shape[1:])
    observed = s2.observed[:, rows, columns]
    hidden = hide(observed, shapes, rng)
    count = settings.max_samples // settings.mask_samples
    places = _some_places(hidden, _CHOICE * count, rng)

    def taken(images: NDArray[Any]) -> NDArray[Any]:
        """(..., 1, N) of (..., H, W): the places side by side, as features look at single pixels."""
        window = images[..., rows, columns]
        return np.ascontiguousarray(window.reshape(*window.shape[:-2], 1, -1)[..., places])

    pixels, hidden = taken(s2.pixels), hidden.reshape(len(hidden), 1, -1)[..., places]
    shown = taken(s2.observed) & ~hidden
    of_places = None if radar is None else radar.taken(taken)
    season_days = s2.days + _noise_days(len(s2.days), settings, rng)
    described = describe(
        *(pixels, shown, s2.days, of_places, fallback, settings), season_days=season_days, of_visible=False
    )
    at = _some(hidden, count, rng)
    return described.features[at[0], :, at[1], at[2]], (pixels - described.linear)[at[0], :, at[1], at[2]]


def _noise_days(dates: int, settings: SampleSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """(T,) how far from its day of the year a date is told to be: most not at all, some by days, some by months.

    A regressor that knows each date by its day learns what it looked like by heart, and takes a long gap for the dates
    at its ends. One that cannot rely on the day still learns what the season does.
    """
    spread = np.exp(rng.uniform(np.log(_LEAST_NOISE_DAYS), np.log(settings.season_noise_days), dates))
    return np.where(rng.random(dates) < settings.season_noise_share, rng.normal(0, spread), 0.0)


def _some_places(hidden: Bool, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Random flat places of (T, H, W) that hold about `count` of what is `hidden`; all where there is less."""
    places = np.flatnonzero(hidden.any(axis=0))
    wanted = -(-len(places) * count // max(1, int(hidden.sum())))
    return places if wanted >= len(places) else np.sort(rng.choice(places, wanted, replace=False))


def _some_span(size: int, most: int, rng: np.random.Generator) -> slice:
    """Random `most` of `size` pixels, or all of fewer."""
    if size <= most:
        return slice(0, size)
    start = int(rng.integers(size - most + 1))
    return slice(start, start + most)


def _some(where: Bool, count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], ...]:
    """At most `count` random positions of True."""
    positions = np.flatnonzero(where)
    if len(positions) > count:
        positions = np.sort(rng.choice(positions, count, replace=False))
    return np.unravel_index(positions, where.shape)
