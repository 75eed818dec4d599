"""The plan of a fetch: which days, of which scenes, onto which grid, and how much that is; nothing is transferred."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from odc.geo.geobox import GeoBox

from seq2seq.bands import BAND_SETS, L2A, L2A_10, S1_BANDS, S2_BANDS
from seq2seq.errors import ConfigError
from seq2seq.fetching import catalogs
from seq2seq.fetching.addresses import AddressRules
from seq2seq.fetching.area import Box, Period, box_around, footprint_of, grid_of
from seq2seq.fetching.catalogs import SCL, Catalog
from seq2seq.fetching.failures import FetchError, RefusedAddressError
from seq2seq.fetching.offsets import Offset, Setting, offset_of
from seq2seq.fetching.passes import Day, Sensor, covered, days_of, overpasses, touches
from seq2seq.fetching.scenes import Scene
from seq2seq.fetching.search import search
from seq2seq.fetching.stopping import stop_check
from seq2seq.fetching.transport import Retry, Transport
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop

MAX_DATES = 1000  # of one sensor: what a sequence may have
# As they are stored, after compression: what COGs and JPEG 2000 of these catalogues take for a pixel, roughly.
_BYTES_PER_PX = {"S2": 1.4, "S1": 3.2, SCL: 0.1}
_TILE_PX, _SCENE_M = 512, 109_800


@dataclass(frozen=True)
class Source:
    """What one sensor's images come from. bands: as they are written; assets: what is asked for, SCL among them."""

    sensor: Sensor
    catalog: Catalog
    bands: tuple[str, ...]
    assets: tuple[str, ...]

    @property
    def collection(self) -> catalogs.Collection:
        """The collection of its catalogue."""
        found = self.catalog.s2 if self.sensor == "S2" else self.catalog.s1
        assert found is not None
        return found


@dataclass(frozen=True)
class Request:
    """What is asked for. max_cloud: percent of an overpass. skip: names of items that are left out."""

    area: Box
    period: Period
    catalog: Catalog = catalogs.PLANETARY_COMPUTER
    s1_catalog: Catalog | None = catalogs.PLANETARY_COMPUTER
    bands: tuple[str, ...] = L2A_10
    gsd_m: float = 10.0
    max_cloud: float = 100.0
    s2_offset: Setting = "auto"
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.s1_catalog is not None and self.s1_catalog.s1 is None:
            raise ConfigError(
                f"{self.s1_catalog.name} has no Sentinel-1 that can be used: {self.s1_catalog.why_no_s1}; give "
                "--s1-catalog planetary-computer, or --no-s1"
            )


@dataclass(frozen=True)
class Estimate:
    """pixels: of one date. bytes: to be transferred, approximately. stored_bytes: of the result, at most about."""

    pixels: int
    bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class Plan:
    """Everything that a transfer needs. offsets: by item of S2. notes: what was left out, and why."""

    request: Request
    grid: GeoBox
    sources: tuple[Source, ...]
    days: tuple[Day, ...]
    offsets: dict[str, Offset]
    notes: tuple[str, ...]

    def source(self, sensor: Sensor) -> Source:
        """What that sensor's images come from."""
        return next(source for source in self.sources if source.sensor == sensor)

    def days_of(self, sensor: Sensor) -> tuple[Day, ...]:
        """That sensor's days."""
        return tuple(day for day in self.days if day.sensor == sensor)

    def estimate(self) -> Estimate:
        """What the transfer takes, from footprints as they are stated."""
        height, width = self.grid.shape
        pixels, footprint = int(height * width), footprint_of(self.grid)
        wanted, stored = 0.0, 0.0
        for day in self.days:
            source = self.source(day.sensor)
            stored += pixels * len(source.bands) * _BYTES_PER_PX[day.sensor]
            if source.catalog.jpeg2000:
                wanted += len(day.scenes) * _whole_bytes(source.assets)
                continue
            sides = height * self.request.gsd_m, width * self.request.gsd_m
            shares = sum(covered(one, footprint) for one in day.passes)
            wanted += shares * sum(_bytes_of(band, day.sensor, sides) for band in source.assets)
        return Estimate(pixels, int(wanted), int(stored))


def parse_bands(text: str) -> tuple[str, ...]:
    """Bands of Level-2A: a set by its name, or names with commas. Raises `ConfigError`."""
    if text in BAND_SETS and text != "L1C":
        return BAND_SETS[text]
    bands = tuple(part.strip().upper() for part in text.split(","))
    unknown = [band for band in bands if band not in L2A]
    if unknown or len(set(bands)) != len(bands):
        what = f"{unknown[0]} is no band of Level-2A" if unknown else "a band is named twice"
        raise ConfigError(f"--bands {text}: {what}; it has {', '.join(L2A)}, and sets are L2A, L2A_10 and 10m")
    return bands


def plan(
    request: Request,
    *,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
    retry: Retry | None = None,
) -> Plan:
    """Asks the catalogues what there is. Raises `ConfigError` and `FetchError`; nothing is written."""
    grid = grid_of(request.area, request.gsd_m)
    sources = [Source("S2", request.catalog, request.bands, (*request.bands, SCL))]
    if request.s1_catalog is not None:
        sources.append(Source("S1", request.s1_catalog, S1_BANDS, S1_BANDS))
    days: list[Day] = []
    notes: list[str] = []
    for source in sources:

        def on_page(count: int, sensor: str = source.sensor) -> None:
            on_progress(Progress(f"searching {sensor}", count))

        try:
            found = _searched(request, grid, source, on_page, should_stop, retry)
        except FetchError as error:
            remedy = "; --s1-catalog planetary-computer, or --no-s1" if source.sensor == "S1" else ""
            raise type(error)(f"{error}{remedy}") from error
        mine, remarks = _days(request, grid, source, found)
        days += mine
        notes += remarks
    s2 = [scene for day in days if day.sensor == "S2" for scene in day.scenes]
    if all(SCL not in scene.assets for scene in s2):
        sources[0] = replace(sources[0], assets=request.bands)
        notes.append("S2: the catalogue has no scene classification; clouds will be detected")
    complete = Plan(request, grid, tuple(sources), tuple(days), {}, tuple(notes))
    _check_assets(complete)
    return replace(complete, offsets={scene.id: offset_of(scene, request.bands, request.s2_offset) for scene in s2})


def _searched(
    request: Request,
    grid: GeoBox,
    source: Source,
    on_page: Callable[[int], None],
    should_stop: ShouldStop,
    retry: Retry | None,
) -> list[Scene]:
    """The scenes that cover some of the grid."""
    rules = source.catalog.address_rules
    transport = Transport(rules, retry=retry, check_stop=stop_check(should_stop))
    try:
        found = search(
            source.catalog, source.collection, box_around(grid), request.period, transport=transport, on_page=on_page
        )
    finally:
        transport.close()
    footprint = footprint_of(grid)
    return [scene for scene in found if scene.id not in request.skip and touches(scene, footprint)]


def _days(request: Request, grid: GeoBox, source: Source, scenes: Sequence[Scene]) -> tuple[list[Day], list[str]]:
    """The days to fetch, and what was left out. Raises `FetchError` where no S2 is left."""
    sensor, footprint = source.sensor, footprint_of(grid)
    where = f"{source.catalog.name} has no {sensor} in {source.collection.name} over this area in {request.period}"
    if not scenes:
        if sensor == "S2":
            raise FetchError(f"{where}; try other dates, or another --catalog")
        return [], [f"{where}: the sequence is optical alone"]
    passes, notes = overpasses(scenes, int(grid.crs.epsg)), []
    if sensor == "S1":
        dual = [one for one in passes if all(set(S1_BANDS) <= set(scene.assets) for scene in one.scenes)]
        if len(dual) < len(passes):
            notes.append(f"S1: {len(passes) - len(dual)} of {len(passes)} overpasses lack VV or VH and are left out")
        passes = dual
    else:
        clear = [one for one in passes if one.cloud is None or one.cloud <= request.max_cloud]
        if not clear:
            least = min(one.cloud or 0.0 for one in passes)
            raise FetchError(f"no S2 with at most {request.max_cloud:g} % cloud, the clearest has {least:.0f} %")
        if len(clear) < len(passes):
            left_out = len(passes) - len(clear)
            notes.append(f"S2: {left_out} of {len(passes)} overpasses have more than {request.max_cloud:g} % cloud")
        passes = clear
    days = days_of(passes, sensor, footprint)
    if sensor == "S2" and len(days) == 1:
        notes.append("S2: one date alone; a run needs two or more")
    if len(days) > MAX_DATES:
        raise ConfigError(f"{len(days)} dates of {sensor}, a sequence has at most {MAX_DATES}; give a shorter period")
    if shared := [day.date for day in days if len(day.passes) > 1]:
        how = "clear pixels before cloudy ones" if sensor == "S2" else "the one that covers more before the other"
        notes.append(f"{sensor}: two overpasses share the image of {', '.join(shared[:4])}{_more(shared)}, {how}")
    return days, notes


def _check_assets(plan: Plan) -> None:
    """Raises `FetchError` naming item and asset for what is not there, or lies where nothing is fetched from."""
    for source in plan.sources:
        rules = source.catalog.address_rules
        for day in plan.days_of(source.sensor):
            for scene in day.scenes:
                for band in source.assets:
                    _check_asset(scene, band, source, rules)


def _check_asset(scene: Scene, band: str, source: Source, rules: AddressRules) -> None:
    asset = scene.assets.get(band)
    if asset is None:
        names = " or ".join(source.collection.assets[band])
        raise FetchError(f"{scene.id}: has no asset {names} for {band}; --skip {scene.id} leaves the item out")
    if source.catalog.signing == "s3" and asset.href.startswith("s3://"):
        return
    try:
        rules.check(asset.href)
    except RefusedAddressError as error:
        raise RefusedAddressError(f"{scene.id}, asset {asset.key}: {error}") from error


def _bytes_of(band: str, sensor: Sensor, sides_m: tuple[float, float]) -> float:
    """Of a window of such sides: tiles are fetched whole, and a window touches one more than it fills."""
    gsd_m = _native_gsd_m(band)
    height, width = (side / gsd_m + _TILE_PX for side in sides_m)
    return height * width * _BYTES_PER_PX.get(band, _BYTES_PER_PX[sensor])


def _whole_bytes(bands: Collection[str]) -> float:
    """Of the files of one scene."""
    return sum((_SCENE_M / _native_gsd_m(band)) ** 2 * _BYTES_PER_PX.get(band, 1.1) for band in bands)


def _native_gsd_m(band: str) -> int:
    return S2_BANDS[band].gsd_m if band in S2_BANDS else 20 if band == SCL else 10


def _more(names: Sequence[Any]) -> str:
    return f" and {len(names) - 4} more" if len(names) > 4 else ""
