"""The linear model of coregionalisation: outputs (bands) that mix a few latent Gaussian processes in time.

    y(t) = mean(t) + mixing u(t) + noise e,    e ~ N(0, I)
    cov(u_q(s), u_q(t)) = (1 + r) exp(-r),    r = sqrt(3) |s - t| / length_q        (Matern 3/2, variance 1)

One output with one latent process is the usual Gaussian process. Source: Rasmussen and Williams (2006), Gaussian
Processes for Machine Learning, sections 2.2 and 4.2.1; of several outputs: Alvarez, Rosasco and Lawrence (2012),
Kernels for Vector-Valued Functions, section 4.2; of S1 and S2: Pipia et al. (2019), Remote Sensing of Environment 235,
111452.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Coregionalisation:
    """mixing: (D, Q); length_days: (Q,) length scales; noise: (D, D) lower triangular, noise noise' its covariance.

    Noise of one date may be correlated over the bands of a sensor: what haze and light leave is, and taken for
    independent it would have to pass for land that changes fast. Between sensors noise has no entries.
    """

    mixing: Tensor
    length_days: Tensor
    noise: Tensor


@dataclass(frozen=True, eq=False)
class Sensor:
    """What one sensor saw of N pixels, without its mean.

    values: (N, T, B) float64, 0 where not observed; observed: (N, T); days: (T,) float64. outputs: which B of the
    model's outputs its bands are.
    """

    values: Tensor
    observed: Tensor
    days: Tensor
    outputs: slice


@dataclass(frozen=True, eq=False)
class Points:
    """n linear combinations of the latent processes, each at a time. days: (n,); weights: (n, Q)."""

    days: Tensor
    weights: Tensor


def matern32(left: Tensor, right: Tensor, length: Tensor) -> Tensor:
    """(n, m) correlation of times (n,) and (m,), in days; see the head of the module."""
    r = 3**0.5 * (left[:, None] - right[None, :]).abs() / length
    return (1 + r) * torch.exp(-r)


def covariance(left: Points, right: Points, length_days: Tensor) -> Tensor:
    """(n, m) prior covariance of points without noise: sum_q w_q w'_q k_q(s, t)."""
    kernels = torch.stack([matern32(left.days, right.days, length) for length in length_days])  # (Q, n, m)
    return torch.einsum("iq,jq,qij->ij", left.weights, right.weights, kernels)


def outputs_at(days: Tensor, mixing: Tensor) -> Points:
    """The T x D points of outputs with `mixing` (D, Q) on `days` (T,), outputs fastest."""
    return Points(days.repeat_interleave(len(mixing)), mixing.repeat(len(days), 1))


def whitened(model: Coregionalisation, outputs: slice) -> tuple[Tensor, Tensor]:
    """A sensor's B outputs as r = min(B, Q) outputs of unit noise that say as much of the latent processes.

    Returns projection (r, B) and mixing (r, Q): with noise^-1 mixing = U R (QR), z = U' noise^-1 y = R u + e is
    sufficient, since what is orthogonal to U is noise alone. All bands of a date are observed together, so this is
    exact.
    """
    noise = model.noise[outputs, outputs]
    inverse = torch.linalg.solve_triangular(noise, torch.eye(len(noise), dtype=noise.dtype), upper=False)
    scaled = inverse @ model.mixing[outputs]
    if len(scaled) <= scaled.shape[1]:
        return inverse, scaled
    basis, mixing = torch.linalg.qr(scaled)
    return basis.T @ inverse, mixing


@dataclass(frozen=True, eq=False)
class Whitened:
    """All sensors together. points: n of them; values: (N, n), 0 where not observed; observed: (N, n)."""

    points: Points
    values: Tensor
    observed: Tensor


def whiten(model: Coregionalisation, sensors: Sequence[Sensor]) -> Whitened:
    """Each sensor whitened, one after the other; date by date."""
    points, values, observed = [], [], []
    for sensor in sensors:
        projection, mixing = whitened(model, sensor.outputs)
        points.append(outputs_at(sensor.days, mixing))
        values.append((sensor.values @ projection.T).flatten(1))
        observed.append(sensor.observed.repeat_interleave(len(mixing), dim=1))
    together = Points(torch.cat([each.days for each in points]), torch.cat([each.weights for each in points]))
    return Whitened(together, torch.cat(values, 1), torch.cat(observed, 1))
