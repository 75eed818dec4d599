"""The hold-out: pixels hidden from the fit to prove it, and the kinds of them that are judged apart.

Two things set a pixel's task: whether its date shows anything else (`fully_clouded_dates`), and how long the gap
between its clear dates is (`gap_class`). Blend weights, the uncertainty and the report go by both.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool, Float32, Observations
from seq2seq.validation.hiding import CloudShapes, hide
from seq2seq.validation.settings import DEFAULTS, HoldoutSettings

Candidates = dict[str, Float32]  # name -> (T, C, H, W) reflectance; those to blend hold LINEAR first
LINEAR, NEAREST, RESULT = "linear", "nearest", "result"

DATE_KINDS = PARTLY_CLOUDED, FULLY_CLOUDED = ("partly clouded", "fully clouded")
# Days between the clear dates around a pixel; classes are [from, to). A revisit, a month, a season, half a year.
GAP_EDGES: tuple[float, ...] = (0.0, 20.0, 45.0, 80.0, 160.0, np.inf)


def choose_holdout(observed: Bool, seed: int, settings: HoldoutSettings = DEFAULTS) -> Bool:
    """Chooses (T, H, W) clear pixels that no fit may see: some dates whole, others in the shapes of the clouds.

    Empty where there is too little to give away (a single clear date, a handful of pixels).
    """
    rng = np.random.default_rng((seed, 1))
    held_out = np.zeros_like(observed)
    share = observed.mean(axis=(1, 2))
    clear = np.flatnonzero(share >= settings.mostly_clear)
    if len(clear) >= settings.min_clear_dates:
        held_out[rng.choice(clear, max(1, round(len(clear) * settings.whole_dates)), replace=False)] = True
    others = np.flatnonzero((share > 0) & ~held_out.any(axis=(1, 2)))
    if len(others) >= 2:
        shapes = CloudShapes.of(observed)
        for _ in range(settings.attempts):
            shaped = hide(observed[others], shapes, rng, shaped=settings.shaped, whole=0.0)
            too_much = shaped.sum(axis=(1, 2)) > settings.max_date_share * observed[others].sum(axis=(1, 2))
            shaped[too_much] &= _half(observed.shape[1:], rng)
            held_out[others] = shaped
            if shaped.any():
                break
    return held_out & observed


def blank(observations: Observations, visible: Bool) -> Observations:
    """Keeps nothing but the `visible` (T, H, W) pixels of S2: elsewhere 0, and not observed."""
    s2 = observations.s2
    pixels = np.where(visible[:, None], s2.pixels, np.float32(0))
    return replace(observations, s2=replace(s2, pixels=pixels, observed=visible))


def gap_class(gap_days: Float32) -> NDArray[np.intp]:
    """Finds the index of the class in `GAP_EDGES` of each gap."""
    return np.digitize(gap_days, GAP_EDGES[1:-1])


def fully_clouded_dates(visible: Bool, settings: HoldoutSettings = DEFAULTS) -> Bool:
    """Finds (T,) the dates of which next to nothing is observed."""
    fully_clouded: Bool = visible.mean(axis=(1, 2)) < settings.fully_clouded_below
    return fully_clouded


def _half(shape: tuple[int, ...], rng: np.random.Generator) -> Bool:
    """(H, W) one side of a straight cut through the middle."""
    rows, columns = np.indices(shape)
    angle = rng.uniform(0, 2 * np.pi)
    side = (rows - shape[0] / 2) * np.sin(angle) + (columns - shape[1] / 2) * np.cos(angle)
    return np.asarray(side > 0)
