"""The posterior of pixels: batched Cholesky factors, one a mask pattern.

    mean(t) = k(t, X) K^-1 z,    variance(t) = k(t, t) - k(t, X) K^-1 k(X, t),    K = k(X, X) + I (whitened)

Source: Rasmussen and Williams (2006), equations 2.25 and 2.26, algorithm 2.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.methods.gaussian.batches import CheckStop, chunks, solve
from seq2seq.methods.gaussian.model import Coregionalisation, Sensor, covariance, outputs_at, whiten


@dataclass(frozen=True, eq=False)
class Posterior:
    """mean: (N, T, D); variance: the same shape, of the outputs without their noise, or None where not asked for."""

    mean: Tensor
    variance: Tensor | None


def posterior(
    model: Coregionalisation,
    sensors: Sequence[Sensor],
    days: Tensor,
    outputs: slice,
    *,
    check_stop: CheckStop,
    with_variance: bool = False,
) -> Posterior:
    """Of `outputs` on any `days` (T,), from all that the sensors observed. Hidden values are never read.

    The variance depends on the mask alone: it grows from a date that is observed to the prior's far from all.
    """
    data = whiten(model, sensors)
    targets = outputs_at(days, model.mixing[outputs])
    prior = covariance(data.points, data.points, model.length_days)
    cross = covariance(data.points, targets, model.length_days)  # (n, T D)
    count, asked = len(data.values), len(targets.days)
    mean = torch.zeros(count, asked, dtype=prior.dtype)
    variance = torch.zeros(count, asked, dtype=prior.dtype) if with_variance else None
    most = targets.weights.square().sum(1)  # (T D,) prior variance
    for chunk in chunks(data.observed):
        check_stop()
        factor, weights = solve(prior, data, chunk)
        mean[chunk.pixels] = weights @ cross
        if variance is not None:
            seen = cross[chunk.points] * chunk.shown[..., None]
            explained = torch.linalg.solve_triangular(factor, seen, upper=False).square().sum(1)
            variance[chunk.pixels] = (most - explained).clamp(min=0)[chunk.pattern]
    shape = (count, len(days), -1)
    return Posterior(mean.reshape(shape), None if variance is None else variance.reshape(shape))
