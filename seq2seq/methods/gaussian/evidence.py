"""Hyper-parameters that maximise the marginal likelihood of a sample of pixels, each an independent draw.

    -log p(y) = 1/2 y' K^-1 y + 1/2 log |K| + n/2 log 2 pi,    K = prior covariance + noise

Source: Rasmussen and Williams (2006), section 5.4.1, equations 5.8 and 5.9.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from seq2seq.methods.gaussian.batches import CheckStop, chunks, solve
from seq2seq.methods.gaussian.model import Coregionalisation, Sensor, Whitened, covariance, whiten

# Length scales from the repeat cycle's order to years; noise and mixing as shares of an output's standard deviation.
LENGTH_DAYS = (2.0, 2000.0)
NOISE_SHARE = (0.01, 3.0)
MIXING_SHARE = 20.0
CURVATURE_PAIRS = 30  # that L-BFGS-B keeps


def negative_log_evidence(model: Coregionalisation, sensors: Sequence[Sensor]) -> Tensor:
    """-log p of all pixels together, a scalar with the exact gradient.

    The gradient of the first two terms in K is 1/2 (K^-1 - a a'), a = K^-1 z, and in z it is a: no factorisation is
    differentiated.
    """
    data = whiten(model, sensors)
    prior = covariance(data.points, data.points, model.length_days)
    with torch.no_grad():
        value, slope, weights = _value_and_slopes(prior, data)
    moving = (slope * prior).sum() + (weights * data.values).sum()
    return moving + (value - moving.detach()) + _left_by_whitening(model, sensors, data.values)


def _value_and_slopes(prior: Tensor, data: Whitened) -> tuple[Tensor, Tensor, Tensor]:
    """1/2 (z' K^-1 z + log |K|) of all pixels, its (n, n) gradient in the prior, and (N, n) K^-1 z."""
    value, slope, weights = prior.new_zeros(()), torch.zeros_like(prior), torch.zeros_like(data.values)
    for chunk in chunks(data.observed):
        factor, solved = solve(prior, data, chunk)
        weights[chunk.pixels] = solved
        count = torch.bincount(chunk.pattern, minlength=len(factor)).to(prior.dtype)
        value += count @ factor.diagonal(dim1=1, dim2=2).log().sum(1)
        shown = chunk.shown[:, :, None] & chunk.shown[:, None, :]
        inverse = count[:, None, None] * torch.cholesky_inverse(factor) * shown
        where = chunk.points[:, :, None], chunk.points[:, None, :]
        slope.index_put_(where, inverse, accumulate=True)
    return value + 0.5 * (weights * data.values).sum(), 0.5 * (slope - weights.T @ weights), weights


def _left_by_whitening(model: Coregionalisation, sensors: Sequence[Sensor], values: Tensor) -> Tensor:
    """Terms of what is noise alone, of the change of units, and of the constant."""
    total = -0.5 * values.square().sum()
    for sensor in sensors:
        noise, seen = model.noise[sensor.outputs, sensor.outputs], sensor.observed.sum()
        white = torch.linalg.solve_triangular(noise, sensor.values.flatten(0, 1).T, upper=False)
        total = total + 0.5 * white.square().sum()
        total = total + seen * (noise.diagonal().log().sum() + 0.5 * len(noise) * math.log(2 * math.pi))
    return total


class _Parameters:
    """A model as one vector: mixing, logarithms of length scales and of the noise's diagonal, what is below it."""

    def __init__(self, like: Coregionalisation, sensors: Sequence[Sensor]) -> None:
        self._outputs, self._latents = like.mixing.shape
        inside = torch.zeros_like(like.noise, dtype=torch.bool)
        for each in sensors:
            inside[each.outputs, each.outputs] = True
        self._rows, self._columns = torch.nonzero(inside.tril(-1), as_tuple=True)

    def pack(self, model: Coregionalisation) -> Tensor:
        """(P,) of a model."""
        logarithms = model.length_days.log(), model.noise.diagonal().log()
        return torch.cat([model.mixing.flatten(), *logarithms, model.noise[self._rows, self._columns]])

    def unpack(self, flat: Tensor) -> Coregionalisation:
        """The inverse of `pack`."""
        sizes = [self._outputs * self._latents, self._latents, self._outputs, len(self._rows)]
        mixing, length, diagonal, below = torch.split(flat, sizes)
        noise = torch.diag(diagonal.exp()).index_put((self._rows, self._columns), below)
        return Coregionalisation(mixing.reshape(self._outputs, self._latents), length.exp(), noise)

    def bounds(self) -> list[tuple[float, float]]:
        """Of each parameter, for outputs of unit variance."""
        length, noise = ((math.log(low), math.log(high)) for low, high in (LENGTH_DAYS, NOISE_SHARE))
        return [
            *[(-MIXING_SHARE, MIXING_SHARE)] * (self._outputs * self._latents),
            *[length] * self._latents,
            *[noise] * self._outputs,
            *[(-NOISE_SHARE[1], NOISE_SHARE[1])] * len(self._rows),
        ]


def maximise_evidence(
    start: Coregionalisation,
    sensors: Sequence[Sensor],
    *,
    iterations: int,
    check_stop: CheckStop,
    until: float | None = None,
) -> Coregionalisation:
    """The model at a local maximum of the marginal likelihood, by L-BFGS-B from `start`; outputs have unit variance.

    until: a time of `time.monotonic` after which no iteration begins.
    """
    parameters = _Parameters(start, sensors)
    observations = max(1, sum(int(each.observed.sum()) * each.values.shape[2] for each in sensors))

    def value_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        check_stop()
        point = torch.tensor(flat, requires_grad=True)
        loss = negative_log_evidence(parameters.unpack(point), sensors) / observations
        (gradient,) = torch.autograd.grad(loss, point)
        return float(loss.detach()), gradient.numpy()

    def in_time(_: Any) -> None:
        if until is not None and time.monotonic() > until:
            raise StopIteration

    if not iterations:
        return start
    found = minimize(
        value_and_gradient,
        parameters.pack(start).numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=parameters.bounds(),
        callback=in_time,
        options={"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": CURVATURE_PAIRS},
    )
    return parameters.unpack(torch.tensor(found.x))
