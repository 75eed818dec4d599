"""Truth, held-out pixels and candidates with known errors, for the tests of blend, calibration and assessment."""

import numpy as np

from seq2seq.validation.holdout import LINEAR

DEFAULT = {"one": 0.5, "two": 0.5}
BANDS = ("B02", "B03")


def candidates(seed=0, *, errors=(1.0, 0.7, 0.8), shape=(6, 2, 30, 40)):
    """Truth, linear and two others with independent errors of given spreads (in 0.02 reflectance), mask and gaps."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.05, 0.4, shape).astype(np.float32)
    found = {
        name: (truth + rng.normal(0, 0.02 * error, shape)).astype(np.float32)
        for name, error in zip((LINEAR, "one", "two"), errors, strict=True)
    }
    t, _, h, w = shape
    held_out = rng.random((t, h, w)) < 0.6
    gaps = rng.choice(np.float32([10, 30, 60, 120, 300]), (t, h, w))
    return found, truth, held_out, gaps


def rmse(image, truth, where):
    return float(np.sqrt(np.mean(np.moveaxis(image - truth, 1, -1)[where].astype(np.float64) ** 2)))


def one_lost(dates=6):
    """(T,) the first date is fully clouded."""
    fully_clouded = np.zeros(dates, bool)
    fully_clouded[0] = True
    return fully_clouded


def one_lost_date(held_out):
    """(T, H, W) what was seen: nothing on the first date, everything on the others."""
    visible = np.full(held_out.shape, True)
    visible[0] = False
    return visible
