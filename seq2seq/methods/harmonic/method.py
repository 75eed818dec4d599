"""Ridge regression on a trend and the harmonics of the year, all pixels of a block at once.

y(t) = a + b t + sum_k c_k cos(2 pi k t) + d_k sin(2 pi k t),  t in years from the middle of the sequence,

the model of Zhu and Woodcock 2014 (section 3.2), with `ridge` times the squares of b, c and d added to the squared
errors on clear dates; a is free. Sequences shorter than a year leave waves undetermined, which the ridge settles.
"""

from functools import partial

import numpy as np

from seq2seq.methods.harmonic import HarmonicSettings
from seq2seq.methods.series import Fill, Float64, SeriesMethod
from seq2seq.sequence import Bool, Float32, ImageSequence

YEAR_DAYS = 365.25


class Harmonic(SeriesMethod):
    """The curve of each pixel and band, also on clear dates."""

    candidate = "harmonic"
    settings: HarmonicSettings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """Curves are the same for all."""
        return partial(
            fit_curves, curves=curves(s2.days.astype(np.float64), self.settings.harmonics), ridge=self.settings.ridge
        )


def curves(days: Float64, harmonics: int) -> Float64:
    """(T, P) columns 1, t, and the cosine and sine of each harmonic."""
    years = (days - (days[0] + days[-1]) / 2) / YEAR_DAYS
    angles = 2 * np.pi * np.arange(1, harmonics + 1) * years[:, None]
    return np.concatenate([np.ones_like(years)[:, None], years[:, None], np.cos(angles), np.sin(angles)], axis=1)


def fit_curves(values: Float32, observed: Bool, *, curves: Float64, ridge: float) -> Float64:
    """(T, C, N) the fits to values (T, C, N), 0 where not observed (T, N), at least one date of each pixel."""
    dates, bands, count = values.shape
    parameters = curves.shape[1]
    products = (curves[:, :, None] * curves[:, None]).reshape(dates, -1)
    normal = (observed.T.astype(np.float64) @ products).reshape(count, parameters, parameters)
    normal += np.diag([0.0] + [ridge] * (parameters - 1))
    right = (curves.T @ values.reshape(dates, -1)).reshape(parameters, bands, count)
    coefficients = np.linalg.solve(normal, right.transpose(2, 0, 1)).transpose(1, 2, 0)  # (P, C, N)
    return (curves @ coefficients.reshape(parameters, -1)).reshape(dates, bands, count)
