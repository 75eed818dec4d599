"""A Sentinel-1/Sentinel-2 sequence with known truth, for the demo, tests and size benchmarks.

Numbers from it are simulated and must be labelled so: they show that a method works and what it costs, not how good it
is on real land. The landscape is in `land` and `covers`, the sensors in `sensors`, the
clouds in `clouds`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.bands import L1C, S1_BANDS, S2_BANDS
from seq2seq.errors import ConfigError, OutputError, UnknownBandsError
from seq2seq.sequence import Bool, Dates, Float32, ImageSequence
from seq2seq.simulation.clouds import draw_clouds, draw_cover, paint, with_errors
from seq2seq.simulation.land import Event, Landscape, events_between, make_landscape, state_on
from seq2seq.simulation.sensors import backscatter, draw_air, reflectance, s2_noise, speckled_db, through_air

# Sentinel-1 passes every 6 days with two satellites and every 12 with one.
S1_INTERVALS_DAYS = (6, 12)
_UPPER_LEFT = (600_000.0, 5_620_000.0)  # farmland in Belgium, UTM zone 31 N
_ONE_DAY = np.timedelta64(1, "D")
# In every file: readers pass it on, so that reports and pictures state it.
TAGS = {"SIMULATED": "YES"}


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated sequence. All members share one grid; truth, s2 and the masks share their dates.

    truth: cloud-free reflectance without noise, observed everywhere. s2: the satellite's product: noise, clouds,
    thin cloud and shadow painted in; `s2.observed` = not in `user_mask`, what a method may use. s1: backscatter in dB
    on its own dates, or None. cloud_mask: (T, H, W), True = cloud or shadow. user_mask: the same with errors where
    asked for, else equal. events: on the ground, by date.
    """

    truth: ImageSequence
    s2: ImageSequence
    s1: ImageSequence | None
    cloud_mask: Bool
    user_mask: Bool
    events: tuple[Event, ...]


def simulate(
    *,
    dates: int = 30,
    size: int | tuple[int, int] = 256,
    bands: tuple[str, ...] = L1C,
    cloud: float = 0.6,
    seed: int = 0,
    s1: bool = True,
    mask_errors: float = 0.0,
    interval_days: tuple[int, int] = (5, 15),
    first_date: str = "2021-02-03",
) -> Simulation:
    """Simulates one sequence; the same arguments give the same sequence.

    dates: at least 1. size: height and width, px of 10 m. bands: any of Sentinel-2's, in the order wanted; land and
    clouds do not depend on them. cloud: share of all pixels under cloud or shadow, [0, 1]. mask_errors: share of the
    masked pixels that `user_mask` misses, [0, 0.5]; half as many clear ones are masked. interval_days: shortest and
    longest time between two S2 dates, drawn for each. Raises ConfigError, UnknownBandsError.
    """
    height, width = (size, size) if isinstance(size, int) else size
    _check(dates, (height, width), bands, cloud, mask_errors, interval_days)
    # one stream per part: what one part draws changes no other
    streams = iter(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8))
    days = _s2_dates(next(streams), dates, interval_days, first_date)
    land = make_landscape(next(streams), (height, width), days[0], days[-1])
    geobox = GeoBox((height, width), Affine(10, 0, _UPPER_LEFT[0], 0, -10, _UPPER_LEFT[1]), "EPSG:32631")
    truth = _truth(next(streams), land, days, bands)
    measured, cloud_mask, user_mask = _cloudy(next(streams), next(streams), truth, days, bands, cloud, mask_errors)
    everywhere = np.ones_like(cloud_mask)
    radar = _s1_sequence(next(streams), land, days, geobox) if s1 else None
    return Simulation(
        truth=ImageSequence(truth, days, bands, geobox, everywhere),
        s2=ImageSequence(measured, days, bands, geobox, ~user_mask),
        s1=radar,
        cloud_mask=cloud_mask,
        user_mask=user_mask,
        events=events_between(land, days[0], days[-1]),
    )


def write_simulation(simulation: Simulation, folder: Path) -> None:
    """Writes `folder/input`, ready for upload (`write_input`), and the truth beside it.

    truth/DATE.tif: as S2, without clouds and noise. truth.npz: `s2` (T, C, H, W) uint16, `evaluate` and `observed`
    (T, H, W), `dates`, `bands`. Raises OutputError where the folder is not empty or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: is not an empty folder; give one that does not exist yet")
    write_input(simulation, folder / "input")
    _write_sequence(folder / "truth", simulation.truth, to_dn(simulation.truth.pixels), nodata=0)
    _write_truth(folder / "truth.npz", simulation)


def write_input(simulation: Simulation, folder: Path) -> None:
    """Writes what a run gets: S2/DATE.tif, uint16, reflectance x 10000, nodata 0; S1/DATE.tif, float32 dB;
    MASK/DATE.tif, uint8, 1 = cloud or shadow by `user_mask`. Raises OutputError where that cannot be written."""
    s2, s1 = simulation.s2, simulation.s1
    _write_sequence(folder / "S2", s2, to_dn(s2.pixels), nodata=0)
    masks = simulation.user_mask[:, None].astype(np.uint8)
    _write_sequence(folder / "MASK", s2, masks, bands=("cloud_or_shadow",))
    if s1 is not None:
        _write_sequence(folder / "S1", s1, s1.pixels)


def to_dn(reflectance: Float32) -> NDArray[np.uint16]:
    """Converts reflectance to a product's integers, x 10000; 0 means no data, so that the darkest value is 1."""
    return np.clip(np.rint(reflectance * 10_000), 1, 65_535).astype(np.uint16)


def _truth(generator: np.random.Generator, land: Landscape, days: Dates, bands: tuple[str, ...]) -> Float32:
    """(T, C, H, W) reflectance without clouds and noise."""
    pixels = np.empty((len(days), len(bands), *land.parcels.shape), dtype=np.float32)
    for t, day in enumerate(days):
        air = draw_air(generator, land.parcels.shape)
        pixels[t] = through_air(reflectance(land, state_on(land, day), bands), air, bands)
    return pixels


def _cloudy(
    sky: np.random.Generator,
    sensor: np.random.Generator,
    truth: Float32,
    days: Dates,
    bands: tuple[str, ...],
    cloud: float,
    mask_errors: float,
) -> tuple[Float32, Bool, Bool]:
    """The satellite's images (T, C, H, W), the true cloud mask and the user's (T, H, W)."""
    t, _, h, w = truth.shape
    measured = np.empty_like(truth)
    cloud_mask, user_mask = np.empty((2, t, h, w), dtype=bool)
    for i, cover in enumerate(draw_cover(sky, t, cloud)):
        clouds = draw_clouds(sky, (h, w), cover=float(cover), date=days[i])
        cloud_mask[i], user_mask[i] = clouds.cloud_mask, with_errors(sky, clouds, mask_errors)
        painted = paint(truth[i], clouds, bands)
        measured[i] = np.clip(painted + s2_noise(sensor, painted), 1e-4, 1.5)
    return measured, cloud_mask, user_mask


def _s1_sequence(generator: np.random.Generator, land: Landscape, s2_days: Dates, geobox: GeoBox) -> ImageSequence:
    days = _s1_dates(generator, s2_days)
    pixels = np.empty((len(days), len(S1_BANDS), *land.parcels.shape), dtype=np.float32)
    for t, day in enumerate(days):
        mean = backscatter(land, state_on(land, day), wind=float(generator.uniform()))
        pixels[t] = speckled_db(generator, mean)
    observed = np.ones((len(days), *land.parcels.shape), dtype=bool)
    return ImageSequence(pixels, days, S1_BANDS, geobox, observed)


def _s2_dates(generator: np.random.Generator, count: int, interval_days: tuple[int, int], first_date: str) -> Dates:
    steps = generator.integers(interval_days[0], interval_days[1], count - 1, endpoint=True)
    return np.datetime64(first_date, "D") + np.concatenate([[0], np.cumsum(steps)]).astype("timedelta64[D]")


def _s1_dates(generator: np.random.Generator, s2_days: Dates) -> Dates:
    """Overpasses from just before the first S2 date to just after the last, never on an S2 date."""
    days = [s2_days[0] - 2 * _ONE_DAY]
    while days[-1] <= s2_days[-1]:
        days.append(days[-1] + int(generator.choice(S1_INTERVALS_DAYS, p=(0.75, 0.25))) * _ONE_DAY)
    return np.array([_next_free(day, s2_days) for day in days], dtype="datetime64[D]")


def _next_free(day: np.datetime64, taken: Dates) -> np.datetime64:
    """`day`, or the first one after it that is not taken."""
    while day in taken:
        day = day + _ONE_DAY
    return day


def _write_sequence(
    folder: Path,
    sequence: ImageSequence,
    images: NDArray[np.generic],
    *,
    bands: tuple[str, ...] | None = None,
    nodata: float | None = None,
) -> None:
    """One GeoTIFF per date with `images` (T, C, H, W) on the sequence's grid."""
    from seq2seq.writers.plain_geotiff import write_geotiff

    for date, image in zip(sequence.dates, images, strict=True):
        path = folder / f"{date}.tif"
        write_geotiff(path, image, geobox=sequence.geobox, bands=bands or sequence.bands, nodata=nodata, tags=TAGS)


def _write_truth(path: Path, simulation: Simulation) -> None:
    """The file that the scorer reads: hidden pixels are scored, the others may be used."""
    from seq2seq.writers.output import describe_failure

    truth, observed = simulation.truth, simulation.s2.observed
    try:
        np.savez_compressed(
            path,
            s2=to_dn(truth.pixels),
            evaluate=~observed,
            observed=observed,
            dates=truth.dates.astype(str),
            bands=np.array(truth.bands),
        )
    except OSError as error:
        raise OutputError(describe_failure(path, error.strerror or str(error))) from error


def _check(
    dates: int,
    shape: tuple[int, int],
    bands: tuple[str, ...],
    cloud: float,
    mask_errors: float,
    interval_days: tuple[int, int],
) -> None:
    unknown = [band for band in bands if band not in S2_BANDS]
    if unknown or not bands or len(set(bands)) != len(bands):
        raise UnknownBandsError(f"bands are {', '.join(bands) or 'none'}; known are {', '.join(S2_BANDS)}, each once")
    if dates < 1 or min(shape) < 8:
        raise ConfigError(f"dates is {dates}, size {shape[0]} x {shape[1]} px; at least 1 date and 8 x 8 px are needed")
    if not 0 <= cloud <= 1 or not 0 <= mask_errors <= 0.5:
        raise ConfigError(f"cloud is {cloud}, must be from 0 to 1; mask_errors is {mask_errors}, must be from 0 to 0.5")
    if not 1 <= interval_days[0] <= interval_days[1]:
        raise ConfigError(f"interval_days is {interval_days}, must be shortest and longest, at least 1")
