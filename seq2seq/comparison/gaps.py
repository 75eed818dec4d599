"""Which clear pixels a comparison hides: by kind of gap and seed alone, so that all methods get the same.

Real gaps come in three kinds, and what fills one well may fail in another: a cloud leaves the rest of its date to learn
from, a lost date leaves its neighbours, and a run of lost dates leaves next to nothing.
"""

from collections.abc import Callable

import numpy as np

from seq2seq.sequence import Bool
from seq2seq.validation.hiding import CloudShapes
from seq2seq.validation.settings import DEFAULTS, HoldoutSettings

Rng = np.random.Generator
# Keeps the draws apart from those of the engine, which hides pixels by the same seed for its own proof.
_STREAM = 11
# Clear dates that a run of lost dates has at least.
_SHORTEST_RUN = 2
# Dates of which at least this share of the clearest one's pixels is seen are as clear as it.
_AS_CLEAR = 0.95


def cloud_shapes(observed: Bool, rng: Rng, settings: HoldoutSettings) -> Bool:
    """(T, H, W) clear pixels under cloud shapes of the sequence, moved, mirrored and turned, on about half of the
    dates; at most `max_date_share` of what a date shows."""
    hidden, shapes = np.zeros_like(observed), CloudShapes.of(observed)
    shown = observed.sum(axis=(1, 2))
    dates = np.flatnonzero(shown)
    count = min(len(dates), max(1, round(settings.shaped * len(dates))))
    for t in rng.choice(dates, count, replace=False) if count else ():
        for _ in range(settings.attempts):
            piece = shapes.draw(rng, observed.shape[1:]) & observed[t]
            if 0 < piece.sum() <= settings.max_date_share * shown[t]:
                hidden[t] = piece
                break
    return hidden


def whole_dates(observed: Bool, rng: Rng, settings: HoldoutSettings) -> Bool:
    """(T, H, W) all clear pixels of a share `whole_dates` of the mostly clear dates; none where those are too few."""
    hidden, clear = np.zeros_like(observed), _mostly_clear(observed, settings)
    if len(clear) >= settings.min_clear_dates:
        hidden[rng.choice(clear, max(1, round(settings.whole_dates * len(clear))), replace=False)] = True
    return hidden & observed


def run_of_dates(observed: Bool, rng: Rng, settings: HoldoutSettings) -> Bool:
    """(T, H, W) all clear pixels of consecutive dates, cloudy ones between clear ones included.

    As many clear dates as `whole_dates` hides, two at least, with a clear date before and one after them: what lies
    beyond the sequence's ends is no gap. None where the mostly clear dates are too few.
    """
    hidden, clear = np.zeros_like(observed), _mostly_clear(observed, settings)
    length = max(_SHORTEST_RUN, round(settings.whole_dates * len(clear)))
    if len(clear) >= max(settings.min_clear_dates, length + 2):
        first = int(rng.integers(1, len(clear) - length))
        hidden[clear[first] : clear[first + length - 1] + 1] = True
    return hidden & observed


def cloudiest_onto_clear(observed: Bool, rng: Rng, settings: HoldoutSettings) -> Bool:
    """(T, H, W) what the clouds of the cloudiest date cover of a clear one (Ebel, Schmitt and Zhu, IGARSS 2021).

    Clear: as much is seen of it as of the clearest date, within a twentieth; of several, one is drawn. None where all
    dates are alike, or the clear one is all there is.
    """
    hidden, shown = np.zeros_like(observed), observed.mean(axis=(1, 2))
    cloudiest = int(np.argmin(shown))
    clear = np.flatnonzero(shown >= _AS_CLEAR * shown.max())
    if shown[cloudiest] < _AS_CLEAR * shown.max():
        t = int(rng.choice(clear))
        hidden[t] = observed[t] & ~observed[cloudiest]
    return hidden


GAPS: dict[str, Callable[[Bool, Rng, HoldoutSettings], Bool]] = {
    "cloud": cloud_shapes,
    "date": whole_dates,
    "run": run_of_dates,
}


# Of published protocols, each run by a command's option of its own.
PROTOCOL_GAPS: dict[str, Callable[[Bool, Rng, HoldoutSettings], Bool]] = {"igarss2021": cloudiest_onto_clear}


def hide_gap(kind: str, observed: Bool, seed: int, settings: HoldoutSettings = DEFAULTS) -> Bool:
    """(T, H, W) clear pixels to hide: the same for the same kind of gap and seed. Empty where too little is clear."""
    known = {**GAPS, **PROTOCOL_GAPS}
    rng = np.random.default_rng((seed, _STREAM, list(known).index(kind)))
    return known[kind](observed, rng, settings)


def _mostly_clear(observed: Bool, settings: HoldoutSettings) -> np.ndarray:
    return np.flatnonzero(observed.mean(axis=(1, 2)) >= settings.mostly_clear)
