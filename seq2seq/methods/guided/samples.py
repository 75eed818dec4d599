"""Samples for the regressors: pixels hidden in cloud shapes, and the residuals of interpolation there."""

import time
from concurrent.futures import ThreadPoolExecutor

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
    window = tuple(_some_span(size, settings.mask_sample_px, rng) for size in s2.observed.shape[1:])
    pixels, observed = s2.pixels[:, :, *window], s2.observed[:, *window]
    hidden = hide(observed, shapes, rng)
    cropped = None if radar is None else radar.crop(*window)
    described = describe(pixels, observed & ~hidden, s2.days, cropped, fallback, settings, of_visible=False)
    at = _some(hidden, settings.max_samples // settings.mask_samples, rng)
    return described.features[at[0], :, at[1], at[2]], (pixels - described.linear)[at[0], :, at[1], at[2]]


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
