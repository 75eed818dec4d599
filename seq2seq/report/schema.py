"""What a report holds: the structure of report.json, as types. NaN means "not measured" and is null in the file."""

from typing import Any, NotRequired, TypedDict


class PixelSize(TypedDict):
    """Length of a pixel's side. gsd_degrees: there alone where the grid counts in degrees; gsd_m then of latitude.

    pixel: in the grid's own units, for people; reports of earlier versions lack it.
    """

    gsd_m: float
    gsd_degrees: NotRequired[float]
    pixel: NotRequired[str]


class Grid(PixelSize):
    """The grid of the S2 files. crs: as text, such as EPSG:32631."""

    crs: str
    width: int
    height: int


class RadarReport(TypedDict):
    """S1 as used. dates: for each S2 date the acquisition paired to it, ISO, None where none was near enough."""

    available: bool
    units: str
    dates: list[str | None]


class InputReport(TypedDict):
    """The input as it was read. name: what people call it, from the path.

    cloud_fraction: for each date, cloud, shadow or no data, 0 to 1.
    """

    path: str
    name: str
    simulated: bool
    dates: list[str]
    bands: list[str]
    grid: Grid
    s1: RadarReport
    mask_source: str
    cloud_fraction: list[float]
    warnings: list[str]


class Scores(TypedDict):
    """One method on the held-out pixels: rmse, mae in reflectance, psnr in dB, sam in degrees, pixels as a count."""

    psnr: float
    rmse: float
    mae: float
    nrmse: float
    sam: float
    ssim: float
    pixels: int


class BandScores(TypedDict):
    """One method in one band on the held-out pixels."""

    rmse: float
    psnr: float
    mae: float


class GapReport(TypedDict):
    """One kind of date and class of gap length: errors and what was blended.

    dates: "partly seen" or "lost" (next to nothing of the date is clear). gap_days: from (included) to (excluded, None:
    no limit).
    weights: share of each method in the result, they add up to 1. fallback: the result is interpolation alone.
    """

    dates: str
    gap_days: tuple[float, float | None]
    pixels: int
    rmse: dict[str, float]
    weights: dict[str, float]
    fallback: bool


class GainReport(TypedDict):
    """The headline: PSNR over linear interpolation, dB, as a range that would have held on runs with known truth.

    low_db, high_db: None where the hidden pixels lie on too few dates. measured_db: on the hidden pixels, weighted as
    the filled ones lie. dates, pixels: of the hidden pixels, on dates that had been clear. The rule:
    `seq2seq/validation/gain.py`.
    """

    low_db: float | None
    high_db: float | None
    measured_db: float
    dates: int
    pixels: int


class DateReport(TypedDict):
    """Hidden pixels of one date, by kind of date and gap as in `GapReport`. rmse: of result and linear, reflectance."""

    date: str
    dates: str
    gap_days: tuple[float, float | None]
    pixels: int
    rmse: dict[str, float]


class HoldoutReport(TypedDict):
    """Scores on pixels that were hidden from the fit. Methods: result, then any of network, prior, linear, nearest.

    gain: None where nothing could be hidden.
    """

    pixels: int
    explanation: str
    gain: GainReport | None
    methods: dict[str, Scores]
    by_band: dict[str, dict[str, BandScores]]
    by_gap: list[GapReport]
    by_date: list[DateReport]
    coverage_90: float


class CurvePoint(TypedDict):
    """The fit at one step. seconds: since it began. holdout_psnr: dB, None where it was not measured."""

    step: int
    loss: float
    holdout_psnr: float | None
    seconds: float


class TrainingReport(TypedDict):
    """How the fit went. curve: of the first tile where there are several."""

    steps: int
    tiles: int
    curve: list[CurvePoint]


class PixelReport(TypedDict):
    """One pixel on all dates, unitless. share: of the scene, pixels most like this one. sigma: one standard deviation.

    observation: None where the date did not show the pixel.
    """

    row: int
    column: int
    share: float
    values: list[float]
    sigma: list[float]
    observation: list[float | None]
    linear: list[float]


class SeriesReport(TypedDict):
    """An index of a few typical pixels over time, made of `bands`. days: from the first date to each."""

    index: str
    bands: list[str]
    days: list[int]
    pixels: list[PixelReport]


class Resources(TypedDict):
    """seconds: wall-clock time by phase, in order. peak_memory_gb: resident memory at its highest."""

    seconds: dict[str, float]
    peak_memory_gb: float


class PerceptualReport(TypedDict):
    """Whether the perceptual loss was asked for, used, and if not, why."""

    requested: str
    used: bool
    reason: str


class Report(TypedDict):
    """All there is to say about one run. created: ISO time, UTC. software: versions by name."""

    version: str
    created: str
    method: str
    seed: int
    device: str
    config: dict[str, Any]
    software: dict[str, str]
    input: InputReport
    holdout: HoldoutReport
    training: TrainingReport
    series: SeriesReport | None
    resources: Resources
    perceptual: PerceptualReport
