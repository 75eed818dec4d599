"""What a prediction scores on the hidden pixels of one case: whole, by gap length, by band, by date."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from seq2seq.sequence import Bool, Float32, ImageSequence
from seq2seq.validation.assessment import EXACT
from seq2seq.validation.holdout import GAP_EDGES, gap_class
from seq2seq.validation.metrics import Scores, psnr_of, rmse, score


def _class_name(low: float, high: float) -> str:
    return f"{low:g} days or more" if np.isinf(high) else f"{low:g} to {high:g} days"


# The classes of gap length, as the heads of tables call them.
GAP_CLASSES = tuple(map(_class_name, GAP_EDGES[:-1], GAP_EDGES[1:]))


@dataclass(frozen=True)
class Error:
    """Root mean squared error, reflectance, of so many hidden pixels."""

    pixels: int
    rmse: float


@dataclass(frozen=True)
class CaseScores:
    """Scores of one prediction on the hidden pixels of one case. by_gap: of `GAP_CLASSES`, those that occur; by_band:
    by its name; by_date: by YYYY-MM-DD, those with hidden pixels."""

    scores: Scores
    by_gap: dict[str, Error]
    by_band: dict[str, Error]
    by_date: dict[str, Error]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError where something is missing."""
        parts = {
            part: {name: Error(**error) for name, error in values[part].items()}
            for part in ("by_gap", "by_band", "by_date")
        }
        return cls(scores=Scores(**values["scores"]), **parts)


def score_case(prediction: Float32, truth: ImageSequence, hidden: Bool, gap_days: Float32) -> CaseScores:
    """Scores on the `hidden` pixels, (T, H, W), of which some must be; gap_days: (T, H, W) of what was visible.

    Raises ValueError where a scored value is not finite.
    """
    classes = gap_class(gap_days)
    parts = {name: hidden & (classes == k) for k, name in enumerate(GAP_CLASSES)}
    count, dates = int(hidden.sum()), truth.dates.astype(str)
    whole = score(prediction, truth.pixels, hidden)
    by_band = {
        band: Error(count, rmse(prediction[:, k : k + 1], truth.pixels[:, k : k + 1], where=hidden))
        for k, band in enumerate(truth.bands)
    }
    by_date = {
        str(dates[t]): _error(prediction[t : t + 1], truth.pixels[t : t + 1], hidden[t : t + 1])
        for t in np.flatnonzero(hidden.any(axis=(1, 2)))
    }
    return CaseScores(
        scores=replace(whole, psnr=psnr_of(whole.rmse, least=EXACT)),  # so that JSON can hold an exact prediction
        by_gap={name: _error(prediction, truth.pixels, where) for name, where in parts.items() if where.any()},
        by_band=by_band,
        by_date=by_date,
    )


def _error(prediction: Float32, truth: Float32, where: Bool) -> Error:
    return Error(int(where.sum()), rmse(prediction, truth, where=where))
