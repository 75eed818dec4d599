"""Where the search for hyper-parameters begins: the moments of what was observed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.methods.gaussian.model import Coregionalisation, Sensor

# From a season to the time between two clear dates.
FIRST_LENGTHS_DAYS = (120.0, 20.0)
FIRST_NOISE = 0.1  # share of the variance


def first_model(sensors: Sequence[Sensor], latents: int) -> Coregionalisation:
    """Where the search begins: principal components of what was seen of the outputs together.

    The largest get the longest length scales. A tenth of the variance is noise, half of it correlated as the bands are.
    """
    moments = _second_moments(sensors)
    latents = min(latents, len(moments))
    values, vectors = torch.linalg.eigh((1 - FIRST_NOISE) * moments)
    mixing = vectors[:, -latents:].flip(1) * values[-latents:].flip(0).clamp(min=1e-4).sqrt()
    noise = torch.zeros_like(moments)
    for each in sensors:
        inside = moments[each.outputs, each.outputs]
        own = FIRST_NOISE * (0.5 * inside + 0.5 * torch.diag(inside.diagonal()))
        noise[each.outputs, each.outputs] = torch.linalg.cholesky(own)
    steps = torch.linspace(0, 1, latents, dtype=torch.float64) if latents > 1 else torch.full((1,), 0.5).double()
    low, high = (torch.tensor(days, dtype=torch.float64).log() for days in FIRST_LENGTHS_DAYS)
    return Coregionalisation(mixing, (low + steps * (high - low)).exp(), noise)


def _second_moments(sensors: Sequence[Sensor]) -> Tensor:
    """(D, D) of standardised outputs, each pair over pixels and pairs of nearest dates where both were observed."""
    grid = sensors[0]
    values, shown = [], []
    for sensor in sensors:
        nearest = (grid.days[:, None] - sensor.days[None, :]).abs().argmin(1)
        bands = sensor.values.shape[2]
        values.append(sensor.values[:, nearest])
        shown.append(sensor.observed[:, nearest, None].expand(-1, -1, bands))
    y, seen = torch.cat(values, 2).flatten(0, 1), torch.cat(shown, 2).flatten(0, 1).double()
    moments = (y.T @ y) / (seen.T @ seen).clamp(min=1)
    return moments + 1e-6 * torch.eye(len(moments), dtype=moments.dtype)
