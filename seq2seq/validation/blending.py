"""How the candidates are mixed: never worse than linear interpolation on the held-out pixels, by kind of date and gap.

A step from interpolation towards a mix of everything else. What the mix is made of depends on the kind of date; how far
the step goes, the trust, depends on the gap length too. Both matter: on a date that is partly seen the fit knows the
date, on a lost one it has to guess, and interpolation between near neighbours is hard to beat (benchmarks/METHOD.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from seq2seq.sequence import Bool, Float32
from seq2seq.validation.holdout import (
    DATE_KINDS,
    GAP_EDGES,
    LINEAR,
    LOST,
    MIN_CLASS_PIXELS,
    PARTLY_SEEN,
    Candidates,
    gap_class,
)

# Days at which the trust of each gap class holds; between them it is interpolated, so that no seam shows where the
# neighbouring dates' clouds change the gap.
GAP_NODES = np.array([10.0, 30.0, 60.0, 120.0, 240.0])
# How strongly the shares of the mix are drawn to their default, in units of the candidates' own disagreement: the
# held-out pixels are thousands, but the dates they lie on are few, and dates are what differs.
SHARE_CAUTION = 0.5
# How many dates' worth of evidence the trust of a kind starts with, and what that says; a class starts from its kind.
TRUST_CAUTION = 2.0
FIRST_TRUST = {PARTLY_SEEN: 1.0, LOST: 0.5}
# The least factor at which a step along a parabola is not worse than no step.
NOT_WORSE = 0.5


@dataclass(frozen=True, eq=False)
class Blend:
    """shares: (kinds, candidates) of the mix, not negative, adding up to 1. trust: (kinds, classes) in [0, 1], how far
    to go from interpolation to the mix; 0 is interpolation alone. Kinds as `DATE_KINDS`, classes as `GAP_EDGES`."""

    names: tuple[str, ...]  # of the candidates other than interpolation
    shares: NDArray[np.float64]
    trust: NDArray[np.float64]

    def apply(self, candidates: Candidates, gap_days: Float32, lost: Bool) -> Float32:
        """(T, C, H, W) the mix; gap_days (T, H, W), lost (T,)."""
        result = candidates[LINEAR].copy()
        for t, kind in enumerate(lost.astype(int)):
            if self.trust[kind].any():
                trust = np.interp(gap_days[t], GAP_NODES, self.trust[kind]).astype(np.float32)
                result[t] += trust * (self._mix(kind, {name: candidates[name][t] for name in self.names}) - result[t])
        return result

    def weights(self, kind: int, gap: int) -> dict[str, float]:
        """Share of every member in the result, for a kind of date and a gap class."""
        trust = float(self.trust[kind, gap])
        mixed = {name: trust * float(share) for name, share in zip(self.names, self.shares[kind], strict=True)}
        return {LINEAR: 1 - trust, **mixed}

    def _mix(self, kind: int, images: Mapping[str, Float32]) -> Float32:
        mixed = np.zeros_like(images[self.names[0]])
        for name, share in zip(self.names, self.shares[kind], strict=True):
            if share:
                mixed += np.float32(share) * images[name]
        return mixed


def fit_blend(
    candidates: Candidates, truth: Float32, held_out: Bool, gap_days: Float32, lost: Bool, default: Mapping[str, float]
) -> Blend:
    """The blend that errs least on the held-out pixels (T, H, W), drawn to `default` shares; lost: (T,).

    Shares: least squares on the simplex with a ridge. Trust: least squares along the step with a ridge towards that of
    the kind of date, growing with the gap, and reduced until no kind of date is worse than interpolation. A kind of
    date without any held-out pixels: partly seen ones do as lost ones, which are harder; lost ones are interpolated.
    """
    names = tuple(n for n, image in candidates.items() if n != LINEAR and np.isfinite(image).all())
    start = np.array([default.get(name, 0.0) for name in names])
    start = start / start.sum() if start.sum() else np.full(len(names), 1 / max(len(names), 1))
    linear, *others = (
        np.moveaxis(candidates[name] - truth, 1, -1)[held_out].astype(np.float64) for name in (LINEAR, *names)
    )
    date = np.nonzero(held_out)[0]
    classes = gap_class(gap_days[held_out])
    shares = np.tile(start, (len(DATE_KINDS), 1))
    trust = np.zeros((len(DATE_KINDS), len(GAP_EDGES) - 1))
    for kind in reversed(range(len(DATE_KINDS))):  # lost dates first: partly seen ones may have to follow them
        inside = lost[date].astype(int) == kind
        if not inside.any() or not names:
            trust[kind] = trust[-1]
            continue
        errors = np.stack([error[inside] for error in others])
        shares[kind] = _shares(errors, start)
        evidence = _Evidence.of(
            linear[inside], np.tensordot(shares[kind], errors, axes=1), gap_days[held_out][inside], classes[inside]
        )
        trust[kind] = evidence.trust(date[inside], FIRST_TRUST[DATE_KINDS[kind]])
    return Blend(names, shares, trust)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Held-out pixels of one kind of date: error of interpolation and step from it to the mix, (N, C); gaps (N,)."""

    error: NDArray[np.float64]
    step: NDArray[np.float64]
    gap_days: Float32
    classes: NDArray[np.intp]

    @classmethod
    def of(
        cls, linear: NDArray[np.float64], mixed: NDArray[np.float64], gap_days: Float32, classes: NDArray[np.intp]
    ) -> "_Evidence":
        """From both errors."""
        return cls(linear, mixed - linear, gap_days, classes)

    def trust(self, date: NDArray[np.intp], first: float) -> NDArray[np.float64]:
        """(classes,) trust; date: (N,) of each pixel."""
        everything = np.ones(len(date), bool)
        whole, _ = self._drawn_to(first, everything, date)
        found = [self._drawn_to(whole, self.classes == k, date) for k in range(len(GAP_EDGES) - 1)]
        grown = _growing([trust for trust, _ in found], [TRUST_CAUTION / 2 + dates for _, dates in found])
        return self._restrained(np.clip(grown, 0, 1))

    def _drawn_to(self, first: float, inside: Bool, date: NDArray[np.intp]) -> tuple[float, float]:
        """Trust with the least squared error on some pixels, drawn to `first`, and on how many dates they lie."""
        square = float((self.step[inside] ** 2).sum())
        dates = float(np.minimum(np.bincount(date[inside]) / MIN_CLASS_PIXELS, 1).sum()) if inside.any() else 0.0
        if not square or not dates:
            return first, 0.0
        best = -float((self.error[inside] * self.step[inside]).sum()) / square
        pull = TRUST_CAUTION / dates
        return float(np.clip((best + pull * first) / (1 + pull), 0, 1)), dates

    def _restrained(self, trust: NDArray[np.float64]) -> NDArray[np.float64]:
        """Less trust where all pixels together are worse than interpolation: the squared error is a parabola in trust.

        First the classes that are worse give up what they need to, then, if that is not enough, all of them.
        """
        if self._best(trust, np.ones(len(self.classes), bool)) >= NOT_WORSE:
            return trust
        for k in range(len(trust)):
            share = self._best(trust, self.classes == k)
            if share < NOT_WORSE:
                trust[k] *= share
        trust = np.minimum.accumulate(trust[::-1])[::-1]
        share = self._best(trust, np.ones(len(self.classes), bool))
        return trust if share >= NOT_WORSE else trust * share

    def _best(self, trust: NDArray[np.float64], inside: Bool) -> float:
        """The factor of `trust`, not negative, that errs least on some pixels; 1 where there is nothing to choose."""
        step = np.interp(self.gap_days[inside], GAP_NODES, trust)[:, None] * self.step[inside]
        square = float((step**2).sum())
        return max(-float((self.error[inside] * step).sum()) / square, 0.0) if square else 1.0


def _shares(errors: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares for errors (candidates, N, C)."""
    if errors.shape[1] < MIN_CLASS_PIXELS:
        return start
    flat = errors.reshape(len(errors), -1)
    covariance = flat @ flat.T / flat.shape[1]
    square = np.diag(covariance)
    disagreement = float((square[:, None] + square[None] - 2 * covariance).mean())
    return _on_simplex(covariance, start, SHARE_CAUTION * disagreement)


def _growing(values: list[float], weights: list[float]) -> NDArray[np.float64]:
    """The nearest sequence that never falls (pool adjacent violators): a longer gap cannot ask for less help."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / total, total, before[2] + block[2])
        blocks.append(block)
    return np.repeat([value for value, _, _ in blocks], [count for _, _, count in blocks])


def _on_simplex(covariance: NDArray[np.float64], start: NDArray[np.float64], caution: float) -> NDArray[np.float64]:
    """argmin w'Ew + caution |w - start|^2 over w >= 0, sum w = 1: least squares with a heavy row for the sum."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    scale = max(float(np.trace(covariance)), 1e-12) ** 0.5
    rows = np.vstack([root, np.sqrt(caution) * np.eye(len(start)), 1e4 * scale * np.ones(len(start))])
    target = np.concatenate([np.zeros(len(start)), np.sqrt(caution) * start, [1e4 * scale]])
    weights = nnls(rows, target)[0]
    total = weights.sum()
    return weights / total if total > 0 else start
