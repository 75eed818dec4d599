"""What a report holds: the structure of report.json, as types. NaN means "not measured" and is null in the file.

A field of `optional` is left out of the file where it is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def optional() -> Any:
    """A field that the file lacks where it is None; elsewhere None is null."""
    return field(default=None, metadata={"optional": True})


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The grid of the S2 files. crs: as text, such as EPSG:32631. gsd_m: length of a pixel's side.

    gsd_degrees: there alone where the grid counts in degrees; gsd_m is then that of latitude. pixel: the side in the
    grid's own units, for people; reports of earlier versions lack it.
    """

    crs: str
    width: int
    height: int
    gsd_m: float
    pixel: str | None = optional()
    gsd_degrees: float | None = optional()


@dataclass(frozen=True)
class RadarReport:
    """S1 as used. dates: for each S2 date the acquisition paired to it, ISO, None where none was near enough."""

    available: bool
    units: str
    dates: tuple[str | None, ...]


@dataclass(frozen=True)
class MaskedReport:
    """Who masked what. sun: how shadows were looked for, in words, "" where nothing was. pixels: by source and rule,
    for each date, those it masked; `too_small` was left clear. A pixel counts for the first that claims it: no data,
    then what came with the images, then detectors, then shadows, then growth."""

    sun: str
    pixels: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class InputReport:
    """The input as it was read. name: what people call it, from the path.

    cloud_fraction: for each date, cloud, shadow or no data, 0 to 1. requested: those of the dates that were asked for
    and never acquired; left out where there are none. masked: reports of earlier versions lack it.
    """

    path: str
    name: str
    simulated: bool
    dates: tuple[str, ...]
    bands: tuple[str, ...]
    grid: Grid
    s1: RadarReport
    mask_source: str
    cloud_fraction: tuple[float, ...]
    warnings: tuple[str, ...]
    requested: tuple[str, ...] | None = optional()
    masked: MaskedReport | None = optional()  # noqa: RUF009  None, which nobody changes


@dataclass(frozen=True)
class ScoresReport:
    """One candidate on the held-out pixels: rmse, mae in reflectance, psnr in dB, sam in degrees, pixels as a count."""

    psnr: float
    rmse: float
    mae: float
    nrmse: float
    sam: float
    ssim: float
    pixels: int


@dataclass(frozen=True)
class BandScores:
    """One candidate in one band on the held-out pixels: rmse, mae in reflectance, psnr in dB."""

    rmse: float
    psnr: float
    mae: float


@dataclass(frozen=True)
class GapReport:
    """One kind of date and class of gap length: errors and what was blended.

    dates: the kind of date, such as "partly clouded". gap_days: from (included) to (excluded, None: no limit).
    rmse: reflectance, by candidate. weights: of each candidate in the result, they add up to 1.
    fallback: the result is interpolation alone. coverage_90: share of the pixels' values inside the 90 % interval;
    reports of earlier versions lack it.
    """

    dates: str
    gap_days: tuple[float, float | None]
    pixels: int
    rmse: Mapping[str, float]
    weights: Mapping[str, float]
    fallback: bool
    coverage_90: float | None = optional()


@dataclass(frozen=True)
class GainReport:
    """The headline: PSNR over linear interpolation at the pixels that were filled, dB, with its 90 % interval.

    low_db, high_db: None where the hidden pixels lie on too few dates. measured_db: the best estimate. dates, pixels:
    of the hidden pixels, on dates that had been clear. filled: pixels that it is claimed of. rmse, rmse_low, rmse_high,
    linear_rmse: errors of result and interpolation there, reflectance. The last five are not in reports of earlier
    versions. The rule: `seq2seq/validation/claim.py`.
    """

    low_db: float | None
    high_db: float | None
    measured_db: float
    dates: int
    pixels: int
    filled: int | None = optional()
    rmse: float | None = optional()
    rmse_low: float | None = optional()
    rmse_high: float | None = optional()
    linear_rmse: float | None = optional()


@dataclass(frozen=True)
class DateReport:
    """Hidden pixels of one date, by kind of date and gap as in `GapReport`. rmse: of result and linear, reflectance."""

    date: str
    dates: str
    gap_days: tuple[float, float | None]
    pixels: int
    rmse: Mapping[str, float]


@dataclass(frozen=True)
class WholeDatesReport:
    """The pixels of dates that were hidden whole: all that is known of how good dates are that were never acquired.

    rmse: of result and linear, reflectance. coverage_90: share of the values inside the 90 % interval.
    """

    pixels: int
    rmse: Mapping[str, float]
    coverage_90: float


@dataclass(frozen=True)
class HoldoutReport:
    """Scores on pixels that were hidden from the fit, by candidate: the result, what it is blended from, its rivals.

    gain: None where nothing could be hidden. coverage_90: share of the hidden pixels inside the 90 % interval.
    whole_dates: left out where no date was asked for, or none could be hidden whole.
    """

    pixels: int
    explanation: str
    gain: GainReport | None
    methods: Mapping[str, ScoresReport]
    by_band: Mapping[str, Mapping[str, BandScores]]
    by_gap: tuple[GapReport, ...]
    by_date: tuple[DateReport, ...]
    coverage_90: float
    whole_dates: WholeDatesReport | None = optional()  # noqa: RUF009  None, which nobody changes


@dataclass(frozen=True)
class ContradictionReport:
    """A date whose clear pixels contradict all others: its level was not believed, see `validation.contradictions`.

    kind: what it looks most like: haze, snow, cloud, dark or other. deviation: by band, reflectance above what the
    other dates predict, medians of the clear pixels. ratio: of it to the most that is believed. pixels: compared,
    spread over the scene. tiles: in which the date was named.
    """

    date: str
    kind: str
    deviation: Mapping[str, float]
    ratio: float
    pixels: int
    tiles: int


@dataclass(frozen=True)
class CurvePoint:
    """The fit at one step. seconds: since it began. holdout_psnr: dB, None where it was not measured."""

    step: int
    loss: float
    holdout_psnr: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingReport:
    """How the fit went. curve: of the first tile where there are several. notes: sentences of the method on itself."""

    steps: int
    tiles: int
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PixelReport:
    """One pixel on all dates, unitless. share: of the scene, pixels most like this one. sigma: one standard deviation.

    observation: NaN where the date did not show the pixel.
    """

    row: int
    column: int
    share: float
    values: tuple[float, ...]
    sigma: tuple[float, ...]
    observation: tuple[float, ...]
    linear: tuple[float, ...]


@dataclass(frozen=True)
class SeriesReport:
    """An index of a few typical pixels over time, made of `bands`. days: from the first date to each."""

    index: str
    bands: tuple[str, ...]
    days: tuple[int, ...]
    pixels: tuple[PixelReport, ...]


@dataclass(frozen=True)
class Resources:
    """seconds: wall-clock time by phase, in order. peak_memory_gb: resident memory at its highest."""

    seconds: Mapping[str, float]
    peak_memory_gb: float


@dataclass(frozen=True)
class PerceptualReport:
    """Whether the perceptual loss was asked for, used, and if not, why."""

    requested: str
    used: bool
    reason: str


@dataclass(frozen=True)
class FileReport:
    """One kind of file of the result. path: within its folder, with DATE where there is one for each date."""

    path: str
    title: str
    about: str


@dataclass(frozen=True)
class Report:
    """The report of one run. created: ISO time, UTC. software: versions by name.

    files: what the run writes; reports of earlier versions lack it. contradictions: left out where there are none.
    """

    version: str
    created: str
    method: str
    seed: int
    device: str
    config: Mapping[str, Any]
    software: Mapping[str, str]
    input: InputReport
    holdout: HoldoutReport
    training: TrainingReport
    series: SeriesReport | None
    resources: Resources
    perceptual: PerceptualReport
    files: tuple[FileReport, ...] | None = optional()
    contradictions: tuple[ContradictionReport, ...] | None = optional()
