"""Proof and consequences: hide clear pixels from the fit, score on them, blend by what they say, calibrate sigma.

Everything here sees the fit's candidates (`Members`: linear interpolation, the prior's regressors, the network) and the
truth on held-out pixels, and decides by the length of the gap that a pixel lies in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import stdtrit

from seq2seq.hiding import CloudShapes, hide
from seq2seq.metrics import Scores, score
from seq2seq.sequence import Bool, Float32

Members = dict[str, Float32]  # name -> (T, C, H, W) reflectance; always holds LINEAR
LINEAR, NEAREST, RESULT = "linear", "nearest", "result"

# A date of which less than this share is seen is lost: what the date itself shows no longer helps.
LOST_BELOW = 0.15
# Days between the clear dates around a pixel; classes are [from, to). A revisit, a month, a season, half a year.
GAP_EDGES: tuple[float, ...] = (0.0, 20.0, 45.0, 80.0, 160.0, np.inf)
# Fewer held-out pixels than this say nothing about their class alone; the class then does what all of them say.
MIN_CLASS_PIXELS = 400
# Dates held out whole, of those that show enough, and the chance of another date to lose a cloud's shape. Lost dates
# are the hardest and each errs in its own way, so one alone proves little; the delivered fit gets them back.
WHOLE_DATES = 1 / 5
MIN_CLEAR_DATES = 4
MOSTLY_CLEAR = 0.3
SHAPED = 0.5
ATTEMPTS = 20  # chance may leave a short sequence without anything held out, and so without proof
MAX_DATE_SHARE = 0.4  # of a date's clear pixels, where it is not held out whole
# How strongly blend weights are drawn to their default, in units of the members' own disagreement: the held-out pixels
# are thousands, but the dates they lie on are few, and dates are what differs.
WEIGHT_CAUTION = 0.5
NORMAL_90 = 1.6449  # half width of the normal distribution's 90 % interval, in sigma
MIN_SIGMA = 1e-4  # a tenth of a DN step of 1e-3; keeps calibration finite where all members agree


def choose_holdout(observed: Bool, seed: int) -> Bool:
    """(T, H, W) clear pixels that no fit may see: some dates whole, some others in the shapes of the sequence's clouds.

    Empty where there is too little to give away (a single clear date, a handful of pixels).
    """
    rng = np.random.default_rng((seed, 1))
    held_out = np.zeros_like(observed)
    share = observed.mean(axis=(1, 2))
    clear = np.flatnonzero(share >= MOSTLY_CLEAR)
    if len(clear) >= MIN_CLEAR_DATES:
        held_out[rng.choice(clear, max(1, round(len(clear) * WHOLE_DATES)), replace=False)] = True
    others = np.flatnonzero((share > 0) & ~held_out.any(axis=(1, 2)))
    if len(others) >= 2:
        shapes = CloudShapes.of(observed)
        for _ in range(ATTEMPTS):
            shaped = hide(observed[others], shapes, rng, shaped=SHAPED, whole=0.0)
            too_much = shaped.sum(axis=(1, 2)) > MAX_DATE_SHARE * observed[others].sum(axis=(1, 2))
            shaped[too_much] &= _half(observed.shape[1:], rng)
            held_out[others] = shaped
            if shaped.any():
                break
    return held_out & observed


def gap_class(gap_days: Float32) -> NDArray[np.intp]:
    """Index of the class in `GAP_EDGES` of each gap."""
    return np.digitize(gap_days, GAP_EDGES[1:-1])


@dataclass(frozen=True, eq=False)
class Blend:
    """How members are mixed: for each gap class the weight of each member, not negative, adding up to 1."""

    names: tuple[str, ...]
    weights: NDArray[np.float64]  # (classes, members)
    fallback: tuple[bool, ...]  # by class: nothing better than interpolation was found

    def apply(self, members: Members, gap_days: Float32) -> Float32:
        """(T, C, H, W) the mix; gap_days (T, H, W)."""
        classes = gap_class(gap_days)
        mixed = np.zeros_like(members[LINEAR])
        for k, name in enumerate(self.names):
            mixed += self.weights[:, k].astype(np.float32)[classes][:, None] * members[name]
        return mixed


def fit_blend(
    members: Members, truth: Float32, held_out: Bool, gap_days: Float32, default: Mapping[str, float]
) -> Blend:
    """Weights by gap class that err least on the held-out pixels, drawn to `default`; never worse than linear on them.

    Least squares on the simplex with a ridge to the default weights. Where that mix is worse than interpolation in a
    class, the best point between the two is taken; where that is interpolation, or nothing could be held out, the class
    is interpolated.
    """
    names = tuple(name for name, image in members.items() if np.isfinite(image).all())
    start = np.array([default.get(name, 0.0) for name in names])
    errors = np.stack([np.moveaxis(members[name] - truth, 1, -1)[held_out] for name in names])  # (members, N, C)
    classes = gap_class(gap_days[held_out])
    overall, _ = _weigh(errors, start, names)
    weights, fallback = [], []
    for k in range(len(GAP_EDGES) - 1):
        inside = errors[:, classes == k]
        if inside.shape[1] >= MIN_CLASS_PIXELS:
            chosen, fell_back = _weigh(inside, overall, names)
        else:
            chosen, fell_back = _unless_worse(overall, inside, names)
        weights.append(chosen)
        fallback.append(fell_back)
    return Blend(names, np.array(weights), tuple(fallback))


def lost_dates(seen: Bool) -> Bool:
    """(T,) dates of which next to nothing is seen."""
    lost: Bool = seen.mean(axis=(1, 2)) < LOST_BELOW
    return lost


@dataclass(frozen=True, eq=False)
class Calibration:
    """Factor from the raw spread to one sigma, such that result +- 1.645 sigma covers 90 % held out.

    factor: (2, C), for dates that are partly seen and for lost ones, whose errors are of another kind.
    """

    floor: Float32  # (C,) reflectance: what cannot be told from the members' disagreement
    factor: Float32

    def sigma(self, members: Members, seen: Bool) -> Float32:
        """(T, C, H, W) reflectance, one sigma; seen: (T, H, W) what the members were made from."""
        raw = _raw_sigma(members, self.floor)
        sigma: Float32 = raw * self.factor[lost_dates(seen).astype(int)][:, :, None, None]
        return sigma


def few_dates(date: NDArray[np.intp]) -> float:
    """How much wider an interval has to be because its width was measured on few dates; date: (N,) of each pixel.

    Errors of one date share a scale, and the next date has its own. An interval for it, from the scale of n dates, is
    Student's with n degrees of freedom instead of normal: 1.8 times as wide for 2 dates, 1.1 times for 10.
    """
    pixels = np.bincount(date)
    dates = max(1, int((pixels >= MIN_CLASS_PIXELS).sum()))
    return float(stdtrit(dates, 0.95)) / NORMAL_90


def calibrate(members: Members, result: Float32, truth: Float32, held_out: Bool, seen: Bool) -> Calibration:
    """On the held-out pixels, by kind of date and by band, widened for how few dates they lie on (`few_dates`).

    Without any held-out pixels the members' disagreement stands as it is.

    Where one kind of date could not be held out, it takes the larger of what the other kind says and 1.
    """
    bands = result.shape[1]
    error = np.abs(np.moveaxis(result - truth, 1, -1)[held_out])  # (N, C)
    if len(error) < MIN_CLASS_PIXELS:
        return Calibration(np.full(bands, 0.01, np.float32), np.ones((2, bands), np.float32))
    floor = np.maximum(np.median(error, axis=0), MIN_SIGMA).astype(np.float32)
    ratio = error / np.moveaxis(_raw_sigma(members, floor), 1, -1)[held_out]
    on_lost = lost_dates(seen)[np.nonzero(held_out)[0]]
    overall = np.quantile(ratio, 0.9, axis=0) / NORMAL_90
    factor = np.tile(np.maximum(overall, 1.0), (2, 1))
    date = np.nonzero(held_out)[0]
    for kind in (0, 1):
        inside = on_lost == kind
        if inside.sum() >= MIN_CLASS_PIXELS:
            factor[kind] = np.quantile(ratio[inside], 0.9, axis=0) / NORMAL_90 * few_dates(date[inside])
    return Calibration(floor, factor.astype(np.float32))


@dataclass(frozen=True)
class GapAssessment:
    """One gap class: days [from, to), held-out pixels, RMSE of each method, blend weights, whether interpolated."""

    gap_days: tuple[float, float | None]
    pixels: int
    rmse: dict[str, float]
    weights: dict[str, float]
    fallback: bool


@dataclass(frozen=True)
class Assessment:
    """What the held-out pixels say. methods, by_band[band]: scores by method. coverage_90: share within 1.645 sigma."""

    pixels: int
    methods: dict[str, Scores]
    by_band: dict[str, dict[str, dict[str, float]]]
    by_gap: tuple[GapAssessment, ...]
    coverage_90: float

    @property
    def gain_db(self) -> float:
        """PSNR of the result over linear interpolation."""
        return self.methods[RESULT].psnr - self.methods[LINEAR].psnr


def assess(
    methods: Mapping[str, Float32],
    sigma: Float32,
    truth: Float32,
    held_out: Bool,
    gap_days: Float32,
    bands: Sequence[str],
    blend: Blend,
) -> Assessment | None:
    """Scores of every method on the held-out pixels, None where there are none. methods must hold `RESULT`."""
    if not held_out.any():
        return None
    errors = {name: np.moveaxis(image - truth, 1, -1)[held_out] for name, image in methods.items()}
    covered = np.abs(errors[RESULT]) <= NORMAL_90 * np.moveaxis(sigma, 1, -1)[held_out]
    return Assessment(
        pixels=int(held_out.sum()),
        methods={name: score(image, truth, held_out) for name, image in methods.items()},
        by_band={band: {name: _band_scores(e[:, k]) for name, e in errors.items()} for k, band in enumerate(bands)},
        by_gap=tuple(_by_gap(errors, gap_class(gap_days[held_out]), blend)),
        coverage_90=float(covered.mean()),
    )


def pool(parts: Sequence[Assessment]) -> Assessment | None:
    """One assessment of several tiles: squared errors pooled over pixels, angles, SSIM and weights averaged by them.

    None where no tile could hold anything out.
    """
    if not parts:
        return None
    pixels = [part.pixels for part in parts]
    return Assessment(
        pixels=sum(pixels),
        methods={name: _pool_scores([part.methods[name] for part in parts]) for name in parts[0].methods},
        by_band={
            band: {name: _pool_band([part.by_band[band][name] for part in parts], pixels) for name in methods}
            for band, methods in parts[0].by_band.items()
        },
        by_gap=tuple(_pool_gap(gaps) for gaps in _same_gap(parts)),
        coverage_90=float(np.average([part.coverage_90 for part in parts], weights=pixels)),
    )


def _half(shape: tuple[int, ...], rng: np.random.Generator) -> Bool:
    """(H, W) one side of a straight cut through the middle."""
    rows, columns = np.indices(shape)
    angle = rng.uniform(0, 2 * np.pi)
    side = (rows - shape[0] / 2) * np.sin(angle) + (columns - shape[1] / 2) * np.cos(angle)
    return np.asarray(side > 0)


def _weigh(
    errors: NDArray[np.floating], start: NDArray[np.float64], names: tuple[str, ...]
) -> tuple[NDArray[np.float64], bool]:
    """Weights for errors (members, N, C), and whether they fell back to interpolation."""
    only_linear = np.array([float(name == LINEAR) for name in names])
    if errors.shape[1] < MIN_CLASS_PIXELS:
        return only_linear, True
    flat = errors.reshape(len(names), -1).astype(np.float64)
    covariance = flat @ flat.T / flat.shape[1]
    square = np.diag(covariance)
    disagreement = (square[:, None] + square[None] - 2 * covariance).mean()
    weights = _on_simplex(covariance, start, WEIGHT_CAUTION * disagreement)
    if weights @ covariance @ weights < only_linear @ covariance @ only_linear:
        return weights, False
    # Drawn to the default the mix is worse than interpolation; on the way to interpolation there may be a better point.
    towards = weights - only_linear
    share = -(only_linear @ covariance @ towards) / max(float(towards @ covariance @ towards), 1e-12)
    if share <= 0:
        return only_linear, True
    return only_linear + min(share, 1.0) * towards, False


def _unless_worse(
    weights: NDArray[np.float64], errors: NDArray[np.floating], names: tuple[str, ...]
) -> tuple[NDArray[np.float64], bool]:
    """`weights`, or interpolation where the few pixels of a class are worse off with them."""
    only_linear = np.array([float(name == LINEAR) for name in names])
    mixed = np.tensordot(weights, errors, axes=1)
    if np.square(mixed).sum() > np.square(errors[names.index(LINEAR)]).sum():
        return only_linear, True
    return weights, bool(np.array_equal(weights, only_linear))


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


def _raw_sigma(members: Members, floor: Float32) -> Float32:
    """(T, C, H, W): how much the members other than interpolation disagree, and what they cannot know (C,)."""
    others = [image for name, image in members.items() if name != LINEAR] or [members[LINEAR]]
    mean = sum(others[1:], others[0]) / len(others)
    variance = sum(((image - mean) ** 2 for image in others[1:]), (others[0] - mean) ** 2) / len(others)
    sigma: Float32 = np.sqrt(variance + floor[:, None, None] ** 2)
    return sigma


def _band_scores(error: NDArray[np.floating]) -> dict[str, float]:
    rmse = float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))
    return {"rmse": rmse, "psnr": _psnr(rmse), "mae": float(np.abs(error).mean())}


def _by_gap(
    errors: Mapping[str, NDArray[np.floating]], classes: NDArray[np.intp], blend: Blend
) -> Iterable[GapAssessment]:
    for k, fallback in enumerate(blend.fallback):
        inside = classes == k
        if not inside.any():
            continue
        yield GapAssessment(
            gap_days=(GAP_EDGES[k], None if np.isinf(GAP_EDGES[k + 1]) else GAP_EDGES[k + 1]),
            pixels=int(inside.sum()),
            rmse={name: float(np.sqrt(np.mean(e[inside].astype(np.float64) ** 2))) for name, e in errors.items()},
            weights={name: round(float(w), 3) for name, w in zip(blend.names, blend.weights[k], strict=True)},
            fallback=fallback,
        )


def _psnr(rmse: float) -> float:
    return float(-20 * np.log10(max(rmse, 1e-9)))


def _root_mean_square(values: Iterable[float], weights: Sequence[int]) -> float:
    return float(np.sqrt(np.average(np.square(list(values)), weights=weights)))


def _pool_scores(parts: Sequence[Scores]) -> Scores:
    pixels = [part.pixels for part in parts]
    rmse = _root_mean_square((part.rmse for part in parts), pixels)
    # nrmse is rmse over mean reflectance, so each part still tells its mean.
    mean = np.average([part.rmse / part.nrmse if part.nrmse else 0.0 for part in parts], weights=pixels)
    return Scores(
        psnr=_psnr(rmse),
        rmse=rmse,
        mae=float(np.average([part.mae for part in parts], weights=pixels)),
        nrmse=rmse / float(mean) if mean else 0.0,
        sam=float(np.average([part.sam for part in parts], weights=pixels)),
        ssim=float(np.average([part.ssim for part in parts], weights=pixels)),
        pixels=sum(pixels),
    )


def _pool_band(parts: Sequence[dict[str, float]], pixels: Sequence[int]) -> dict[str, float]:
    rmse = _root_mean_square((part["rmse"] for part in parts), pixels)
    return {"rmse": rmse, "psnr": _psnr(rmse), "mae": float(np.average([p["mae"] for p in parts], weights=pixels))}


def _same_gap(parts: Sequence[Assessment]) -> Iterable[list[GapAssessment]]:
    every = [gap for part in parts for gap in part.by_gap]
    for low in sorted({gap.gap_days[0] for gap in every}):
        yield [gap for gap in every if gap.gap_days[0] == low]


def _pool_gap(parts: Sequence[GapAssessment]) -> GapAssessment:
    pixels = [part.pixels for part in parts]
    return GapAssessment(
        gap_days=parts[0].gap_days,
        pixels=sum(pixels),
        rmse={name: _root_mean_square((part.rmse[name] for part in parts), pixels) for name in parts[0].rmse},
        weights={
            name: round(float(np.average([part.weights[name] for part in parts], weights=pixels)), 3)
            for name in parts[0].weights
        },
        fallback=all(part.fallback for part in parts),
    )
