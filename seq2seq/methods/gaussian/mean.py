"""The mean of a scene in time, which a process has where it knows nothing else of a pixel."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq.interpolation import Days
from seq2seq.sequence import Bool, Float32

Float64 = NDArray[np.float64]
MeanKind = Literal["harmonic", "scene"]
YEAR_DAYS = 365.25
# Ridge of the harmonics as a share of the observations: what a few weeks say of a year is not believed.
RIDGE = 0.01


@dataclass(frozen=True, eq=False)
class SceneMean:
    """coefficients: (F, C); F = 1: a constant, F = 3: and an annual harmonic. scale: (C,) std of what is left."""

    coefficients: Float64
    scale: Float64

    def at(self, days: Days) -> Float64:
        """(T, C) on any days."""
        return _design(days, len(self.coefficients)) @ self.coefficients


def fit_mean(pixels: Float32, observed: Bool, days: Days, kind: MeanKind) -> SceneMean:
    """Ridge regression of all observed values of (T, C, H, W) on constant (and harmonic), band by band."""
    design = _design(days, 1 if kind == "scene" else 3)
    count = observed.sum((1, 2)).astype(np.float64)  # (T,)
    sums = [
        pixels[t].sum((1, 2), dtype=np.float64, where=observed[t][None]) for t in range(len(days))
    ]  # (T, C): all that the regression needs
    normal = (design * count[:, None]).T @ design
    normal[1:, 1:] += RIDGE * count.sum() * np.eye(len(normal) - 1)
    coefficients = np.linalg.solve(normal, design.T @ np.stack(sums))
    curve = design @ coefficients
    squares = [
        np.square(pixels[t] - curve[t][:, None, None]).sum((1, 2), where=observed[t][None]) for t in range(len(days))
    ]
    scale = np.sqrt(np.sum(squares, 0) / count.sum())
    return SceneMean(coefficients, np.maximum(scale, 1e-6))


def _design(days: Days, functions: int) -> Float64:
    phase = 2 * np.pi * np.asarray(days, dtype=np.float64) / YEAR_DAYS
    return np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)], 1)[:, :functions]
