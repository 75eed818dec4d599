"""The blend of candidates: never worse than linear interpolation on the held-out pixels, by kind of date and gap.

result = linear + w (sum_k m_k x_k - linear): a step from interpolation towards a mix of everything else. What the mix
is made of depends on the kind of date; how far the step goes, the blend weight, depends on the gap length too. Both
matter: on a partly clouded date the fit knows the date, on a fully clouded one it has to guess, and interpolation
between near neighbours is hard to beat (benchmarks/METHOD.md).
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
    Candidates,
    gap_class,
)
from seq2seq.validation.settings import DEFAULTS, BlendSettings

# Days at which the blend weight of each gap class holds; between them it is interpolated, so that no seam shows where
# the neighbouring dates' clouds change the gap.
GAP_NODES = np.array([10.0, 30.0, 60.0, 120.0, 240.0])
# The least factor at which a step along a parabola is not worse than no step.
NOT_WORSE = 0.5


@dataclass(frozen=True, eq=False)
class Blend:
    """The weights by which candidates are mixed.

    mix_weights: (kinds, candidates) of the mix, not negative, adding up to 1. blend_weight: (kinds, classes) in [0, 1],
    how far to go from interpolation to the mix; 0 is interpolation alone. Kinds as `DATE_KINDS`, classes as
    `GAP_EDGES`. refused: candidates that were on trial and are in no mix.
    """

    names: tuple[str, ...]  # of the candidates other than interpolation
    mix_weights: NDArray[np.float64]
    blend_weight: NDArray[np.float64]
    refused: tuple[str, ...] = ()

    def kept(self, candidates: Candidates) -> Candidates:
        """Returns `candidates` without those refused."""
        return {name: image for name, image in candidates.items() if name not in self.refused}

    def apply(self, candidates: Candidates, gap_days: Float32, fully_clouded: Bool) -> Float32:
        """Blends (T, C, H, W) reflectance; gap_days (T, H, W), fully_clouded (T,)."""
        result = candidates[LINEAR].copy()
        for t, kind in enumerate(fully_clouded.astype(int)):
            if self.blend_weight[kind].any():
                blend_weight = np.interp(gap_days[t], GAP_NODES, self.blend_weight[kind]).astype(np.float32)
                result[t] += blend_weight * (
                    self._mix(kind, {name: candidates[name][t] for name in self.names}) - result[t]
                )
        return result

    def weights(self, kind: int, gap: int) -> dict[str, float]:
        """Returns the weight of every candidate in the result, for a kind of date and a gap class."""
        blend_weight = float(self.blend_weight[kind, gap])
        mixed = {
            name: blend_weight * float(weight) for name, weight in zip(self.names, self.mix_weights[kind], strict=True)
        }
        return {LINEAR: 1 - blend_weight, **mixed, **dict.fromkeys(self.refused, 0.0)}

    def _mix(self, kind: int, images: Mapping[str, Float32]) -> Float32:
        mixed = np.zeros_like(images[self.names[0]])
        for name, weight in zip(self.names, self.mix_weights[kind], strict=True):
            if weight:
                mixed += np.float32(weight) * images[name]
        return mixed


def fit_blend(
    candidates: Candidates,
    truth: Float32,
    held_out: Bool,
    gap_days: Float32,
    fully_clouded: Bool,
    default: Mapping[str, float],
    settings: BlendSettings = DEFAULTS,
) -> Blend:
    """Fits the blend that errs least on the held-out pixels (T, H, W), drawn to `default` weights; fully_clouded: (T,).

    Mix weights: least squares on the simplex with a ridge. Blend weight: least squares along the step with a ridge
    towards that of the kind of date, growing with the gap, and reduced until no kind of date is worse than
    interpolation. A kind of date without any held-out pixels: partly clouded ones do as fully clouded ones, which are
    harder; fully clouded ones are interpolated.
    """
    names = tuple(n for n, image in candidates.items() if n != LINEAR and np.isfinite(image).all())
    start = np.array([default.get(name, 0.0) for name in names])
    start = start / start.sum() if start.sum() else np.full(len(names), 1 / max(len(names), 1))
    linear, *others = (
        np.moveaxis(candidates[name] - truth, 1, -1)[held_out].astype(np.float64) for name in (LINEAR, *names)
    )
    date = np.nonzero(held_out)[0]
    classes = gap_class(gap_days[held_out])
    mix_weights = np.tile(start, (len(DATE_KINDS), 1))
    blend_weight = np.zeros((len(DATE_KINDS), len(GAP_EDGES) - 1))
    first = (settings.first_weight_partly_clouded, settings.first_weight_fully_clouded)  # as DATE_KINDS
    # fully clouded dates first: partly clouded ones may have to follow them
    for kind in reversed(range(len(DATE_KINDS))):
        inside = fully_clouded[date].astype(int) == kind
        if not inside.any() or not names:
            blend_weight[kind] = blend_weight[-1]
            continue
        errors = np.stack([error[inside] for error in others])
        mix_weights[kind] = _mix_weights(errors, start, settings)
        error, mixed = linear[inside], np.tensordot(mix_weights[kind], errors, axes=1)
        evidence = _Evidence(error, mixed - error, gap_days[held_out][inside], classes[inside], settings)
        blend_weight[kind] = evidence.blend_weight(date[inside], first[kind])
    return Blend(names, mix_weights, blend_weight)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Held-out pixels of one kind of date: error of interpolation and step from it to the mix, (N, C); gaps (N,)."""

    error: NDArray[np.float64]
    step: NDArray[np.float64]
    gap_days: Float32
    classes: NDArray[np.intp]
    settings: BlendSettings

    def blend_weight(self, date: NDArray[np.intp], first: float) -> NDArray[np.float64]:
        """(classes,) blend weight; date: (N,) of each pixel."""
        everything = np.ones(len(date), bool)
        whole, _ = self._drawn_to(first, everything, date)
        found = [self._drawn_to(whole, self.classes == k, date) for k in range(len(GAP_EDGES) - 1)]
        grown = _growing(
            [blend_weight for blend_weight, _ in found],
            [self.settings.weight_caution / 2 + dates for _, dates in found],
        )
        return self._restrained(np.clip(grown, 0, 1))

    def _drawn_to(self, first: float, inside: Bool, date: NDArray[np.intp]) -> tuple[float, float]:
        """The blend weight that errs least on some pixels, drawn to `first`, and on how many dates they lie."""
        square = float((self.step[inside] ** 2).sum())
        dates = (
            float(np.minimum(np.bincount(date[inside]) / self.settings.min_class_pixels, 1).sum())
            if inside.any()
            else 0.0
        )
        if not square or not dates:
            return first, 0.0
        best = -float((self.error[inside] * self.step[inside]).sum()) / square
        pull = self.settings.weight_caution / dates
        return float(np.clip((best + pull * first) / (1 + pull), 0, 1)), dates

    def _restrained(self, blend_weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Less of it where all pixels together are worse than interpolation: the squared error is a parabola in it.

        First the classes that are worse give up what they need to, then, if that is not enough, all of them.
        """
        if self._best(blend_weight, np.ones(len(self.classes), bool)) >= NOT_WORSE:
            return blend_weight
        for k in range(len(blend_weight)):
            factor = self._best(blend_weight, self.classes == k)
            if factor < NOT_WORSE:
                blend_weight[k] *= factor
        blend_weight = np.minimum.accumulate(blend_weight[::-1])[::-1]
        factor = self._best(blend_weight, np.ones(len(self.classes), bool))
        return blend_weight if factor >= NOT_WORSE else blend_weight * factor

    def _best(self, blend_weight: NDArray[np.float64], inside: Bool) -> float:
        """The factor of `blend_weight`, not negative, that errs least on some pixels; 1 where there is no choice."""
        step = np.interp(self.gap_days[inside], GAP_NODES, blend_weight)[:, None] * self.step[inside]
        square = float((step**2).sum())
        return max(-float((self.error[inside] * step).sum()) / square, 0.0) if square else 1.0


def _mix_weights(
    errors: NDArray[np.float64], start: NDArray[np.float64], settings: BlendSettings
) -> NDArray[np.float64]:
    """Mix weights for errors (candidates, N, C)."""
    if errors.shape[1] < settings.min_class_pixels:
        return start
    flat = errors.reshape(len(errors), -1)
    covariance = flat @ flat.T / flat.shape[1]
    square = np.diag(covariance)
    disagreement = float((square[:, None] + square[None] - 2 * covariance).mean())
    return _on_simplex(covariance, start, settings.mix_caution * disagreement)


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
