"""Candidates on trial: blended only where the held-out dates, each predicted by weights of the others, err less.

The more candidates, the better the best blend of them looks on the pixels that chose it, and few dates tell that apart
from skill. So what is on trial has to prove itself date by date: blends with and without it are fitted to all held-out
dates but one, and judged on that one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool, Float32
from seq2seq.validation.blending import Blend, fit_blend
from seq2seq.validation.holdout import Candidates
from seq2seq.validation.settings import DEFAULTS, BlendSettings

_PIXELS = 5000  # of each date, evenly spread: they err alike, dates do not


def fit_blend_with_trial(
    candidates: Candidates,
    truth: Float32,
    held_out: Bool,
    gap_days: Float32,
    fully_clouded: Bool,
    default: Mapping[str, float],
    on_trial: Sequence[str],
    settings: BlendSettings = DEFAULTS,
) -> Blend:
    """Fits the blend, see `fit_blend`, without those `on_trial` that did not pass.

    They are tried in order, each beside those that have passed. One that is not finite never passes. Nothing on trial:
    `fit_blend`.
    """
    there = [name for name in on_trial if np.isfinite(candidates[name]).all()]
    kept = [name for name in candidates if name not in on_trial]
    if there:
        tried = {name: candidates[name] for name in (*kept, *there)}
        trial = _Trial.of(tried, truth, held_out, gap_days, fully_clouded)
        least = trial.errors(kept, default, settings)
        for name in there:
            errors = trial.errors([*kept, name], default, settings)
            if passes(least - errors, settings.trial_errors):
                kept, least = [*kept, name], errors
    chosen = {name: candidates[name] for name in kept}
    blend = fit_blend(chosen, truth, held_out, gap_days, fully_clouded, default, settings)
    return replace(blend, refused=tuple(name for name in on_trial if name not in kept))


def passes(gains: NDArray[np.float64], standard_errors: float) -> bool:
    """Tells whether dates gain more than so many standard errors together, also without the one that gains most.

    gains: (D,). The standard error of a sum whose mean is 0: the root of the sum of squares. One date that gains much
    is no skill, so that it takes three dates at least.
    """
    if len(gains) < 3:
        return False
    rest = np.sort(gains)[:-1]
    total, error = float(rest.sum()), float(np.sqrt((rest**2).sum()))
    return total > 0 and total > standard_errors * error


@dataclass(frozen=True, eq=False)
class _Trial:
    """Some held-out pixels of the D dates that have any, side by side: M columns of one row, (D, C, 1, M)."""

    candidates: Candidates
    truth: Float32
    there: Bool  # (D, 1, M)
    gap_days: Float32
    fully_clouded: Bool  # (D,)
    pixels: NDArray[np.int64]  # (D,) held out in truth

    @classmethod
    def of(
        cls, candidates: Candidates, truth: Float32, held_out: Bool, gap_days: Float32, fully_clouded: Bool
    ) -> "_Trial":
        """Takes them from (T, C, H, W) images."""
        dates = np.flatnonzero(held_out.any(axis=(1, 2)))
        places = [np.nonzero(held_out[t]) for t in dates]
        steps = [-(-len(rows) // _PIXELS) for rows, _ in places]
        some = [(rows[::step], columns[::step]) for (rows, columns), step in zip(places, steps, strict=True)]
        width = max((len(rows) for rows, _ in some), default=0)

        def taken(images: NDArray[Any]) -> NDArray[Any]:
            """(D, ..., 1, M) of (T, ..., H, W)."""
            side_by_side = np.zeros((len(dates), *images.shape[1:-2], 1, width), images.dtype)
            for d, (t, (rows, columns)) in enumerate(zip(dates, some, strict=True)):
                side_by_side[d, ..., 0, : len(rows)] = images[t][..., rows, columns]
            return side_by_side

        return cls(
            candidates={name: taken(image) for name, image in candidates.items()},
            truth=taken(truth),
            there=taken(held_out),
            gap_days=taken(gap_days),
            fully_clouded=fully_clouded[dates],
            pixels=np.array([len(rows) for rows, _ in places]),
        )

    def errors(
        self, names: Iterable[str], default: Mapping[str, float], settings: BlendSettings
    ) -> NDArray[np.float64]:
        """(D,) squared errors of all held-out pixels of each date, blended by weights that the other dates chose."""
        images = {name: self.candidates[name] for name in names}
        squares = []
        for d, pixels in enumerate(self.pixels):
            others = self.there.copy()
            others[d] = False
            blend = fit_blend(images, self.truth, others, self.gap_days, self.fully_clouded, default, settings)
            date = slice(d, d + 1)
            shown = {name: image[date] for name, image in images.items()}
            error = blend.apply(shown, self.gap_days[date], self.fully_clouded[date]) - self.truth[date]
            of_each = np.moveaxis(error, 1, -1)[self.there[date]].astype(np.float64) ** 2  # (N, C)
            squares.append(pixels * of_each.mean(axis=0).sum())
        return np.array(squares)
