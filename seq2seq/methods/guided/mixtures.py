"""What a pixel would be as a mixture of the scene's few courses: a feature that looks at the date itself.

What the date shows elsewhere says what each course is on it (`seq2seq.methods.courses`); the pixel's other dates say of
which it is a mixture.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seq2seq.methods.courses import Courses, learn_courses
from seq2seq.methods.guided.settings import MixtureSettings
from seq2seq.sequence import Bool, Float32

_LEARNT_FROM = 2**20  # values: 5 000 pixels of 20 dates and 10 bands
_BLOCK_VALUES = 2**20  # of (T, C, N) at a time, which bounds the memory


def mixtures(
    pixels: Float32,
    observed: Bool,
    days: NDArray[np.int64],
    linear: Float32,
    settings: MixtureSettings,
    *,
    of_visible: bool = True,
    check_stop: Callable[[], None] = lambda: None,
) -> Float32:
    """Predicts each pixel without its value on the date: (T, C, H, W) above interpolation; 0 where nothing is observed.

    pixels, linear: (T, C, H, W) reflectance, pixels read where `observed`, (T, H, W). of_visible: False where nobody
    asks for what is observed, which then is in its own prediction.
    """
    dates, bands, height, width = pixels.shape
    known, flat = observed.reshape(dates, -1), pixels.reshape(dates, bands, -1)
    courses = _learn(flat, known, days, settings)
    if courses is None:
        return np.zeros_like(linear)
    mixed = np.empty((dates, bands, height * width), np.float32)
    block = max(1, _BLOCK_VALUES // (dates * bands))
    for start in range(0, height * width, block):
        check_stop()
        part = np.s_[..., start : start + block]
        values = np.where(known[part][:, None], flat[part], np.float32(0))
        if of_visible:
            mixed[part] = courses.mixed_from_others(values, known[part], settings.noise)
        else:
            mixed[part] = courses.mixed(courses.weights(values, known[part], settings.noise))
    above: Float32 = mixed.reshape(pixels.shape)
    above -= linear
    return above


def _learn(pixels: Float32, observed: Bool, days: NDArray[np.int64], settings: MixtureSettings) -> Courses | None:
    """The courses of pixels (T, C, N), of as many as have about `_LEARNT_FROM` values; observed: (T, N)."""
    seen = np.flatnonzero(observed.any(axis=0))
    if not len(seen):
        return None
    seen = seen[:: max(1, round(len(seen) * pixels.shape[0] * pixels.shape[1] / _LEARNT_FROM))]
    shown = observed[:, seen]
    return learn_courses(
        np.where(shown[:, None], pixels[..., seen], np.float32(0)),
        shown,
        days,
        rank=settings.rank,
        noise=settings.noise,
        date_pixels=settings.date_pixels,
        iterations=settings.iterations,
    )
