"""An area from a catalogue: what `decloud fetch` does, within the operator's list and an input's limits."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seq2seq.fetching.catalogs import CATALOGS, CDSE, EARTH_SEARCH, PLANETARY_COMPUTER, Catalog, find_catalog
from seq2seq.fetching.extent import Box, parse_period
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Spent
from seq2seq.fetching.plan import Plan, Request, plan
from seq2seq.fetching.transfer import fetch
from seq2seq.fetching.transport import Retry
from seq2seq.progress import OnProgress, Progress, ShouldStop
from worker.allowed_inputs import AllowList
from worker.errors import ForbiddenInput
from worker.fetching.budget import Budget, InputTooLargeError
from worker.fetching.rules import AllowedRules

# Where the items of the catalogues lead that are known by name.
_KNOWN_HOSTS = {
    PLANETARY_COMPUTER.name: ("planetarycomputer.microsoft.com", "*.blob.core.windows.net"),
    EARTH_SEARCH.name: (
        "earth-search.aws.element84.com",
        "e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com",
        "sentinel-cogs.s3.us-west-2.amazonaws.com",
    ),
    CDSE.name: ("stac.dataspace.copernicus.eu", "eodata.dataspace.copernicus.eu"),
}
_DAYS_AT_ONCE = 4


@dataclass(frozen=True)
class AreaInput:
    """What was asked for. bounds: west, south, east, north. catalog: by name, or the address of a STAC API."""

    bounds: tuple[float, float, float, float]
    dates: str
    catalog: str

    @classmethod
    def of(cls, source: dict[str, Any]) -> "AreaInput":
        """Takes it from a job's source."""
        west, south, east, north = source["area"]
        return cls((west, south, east, north), source["dates"], source["catalog"])

    @property
    def name(self) -> str:
        """What users read in place of a file's name."""
        west, south, east, north = self.bounds
        return f"area {west:g},{south:g},{east:g},{north:g}"


def fetch_area(
    asked: AreaInput,
    out: Path,
    *,
    allowed: AllowList,
    budget: Budget,
    pixel_dates: int,
    on_progress: OnProgress,
    should_stop: ShouldStop,
    retry: Retry | None = None,
) -> None:
    """Fetches the sequence into `out`, or what it lacks of it.

    Raises `ConfigError`, `FetchError` naming item and asset, `InputTooLargeError`, `OutputError`, `Stopped`.
    """
    catalog = _allowed_catalog(asked.catalog, allowed)
    request = Request(
        area=Box(*asked.bounds),
        period=parse_period(asked.dates),
        catalog=catalog,
        s1_catalog=_s1_catalog(catalog, allowed, on_progress),
    )
    planned = plan(request, on_progress=on_progress, should_stop=should_stop, retry=retry)
    _check_size(planned, budget, pixel_dates)
    report = _Report(on_progress, catalog.name, planned.estimate().bytes, budget)
    transferring: Any = {"on_progress": report.progress, "on_spent": report.take, "should_stop": should_stop}
    try:
        fetch(planned, out, jobs=_DAYS_AT_ONCE, retry=retry, **transferring)
    except FetchError as error:
        text = str(error).replace(f" are in {out.absolute()}, the same command fetches the rest", " were fetched")
        raise type(error)(text) from error


@dataclass
class _Report:
    """Says what is fetched, with its bytes, whenever a day is finished."""

    on_progress: OnProgress
    catalog: str
    expected_bytes: int
    budget: Budget
    spent: Spent = field(default_factory=Spent)

    def take(self, spent: Spent) -> None:
        """Takes what all days so far took. Raises `InputTooLargeError`, and OSError where the disk is full."""
        self.spent = spent
        self.budget.arrived(spent.bytes)

    def progress(self, progress: Progress) -> None:
        """Hands progress on, with words where it has none."""
        if progress.message is None and progress.of:
            here, about = self.spent.bytes / 1e6, self.expected_bytes / 1e6
            text = f"Fetching from {self.catalog}: {progress.step} of {progress.of} dates, {here:,.1f} MB"
            progress = replace(progress, message=f"{text} of about {about:,.0f}.")
        self.on_progress(progress)


def _allowed_catalog(name: str, allowed: AllowList) -> Catalog:
    """The catalogue, which leads to nothing but what is allowed. Raises `FetchError`."""
    try:
        allowed.check_catalog(name)
    except ForbiddenInput as error:
        raise FetchError(error.detail) from None
    found = find_catalog(name)
    known = _KNOWN_HOSTS.get(found.name) or (_host_of(found.url),)
    return replace(found, rules=AllowedRules.by(allowed, known))


def _s1_catalog(s2: Catalog, allowed: AllowList, on_progress: OnProgress) -> Catalog | None:
    """The same where it has Sentinel-1 that can be used; else one that is allowed and has, or none."""
    if s2.s1 is not None:
        return s2
    other = next((name for name, known in CATALOGS.items() if known.s1 and name in allowed.catalogs), None)
    where = f"Sentinel-1 comes from {other}" if other else "the sequence is Sentinel-2 alone"
    on_progress(Progress("searching", message=f"{s2.name}: {s2.why_no_s1}; {where}."))
    return _allowed_catalog(other, allowed) if other else None


def _check_size(planned: Plan, budget: Budget, pixel_dates: int) -> None:
    """Raises `InputTooLargeError` before anything is transferred."""
    estimate = planned.estimate()
    for source in planned.sources:
        days = len(planned.days_of(source.sensor))
        if days * estimate.pixels > pixel_dates:
            raise InputTooLargeError(
                f"{source.sensor} of the area has {estimate.pixels:,} pixels on {days} dates, pixels times dates may "
                f"be {pixel_dates:,}; give a smaller area or a shorter period"
            )
    if estimate.bytes > budget.max_bytes:
        raise InputTooLargeError(
            f"the area takes about {estimate.bytes:,} bytes, an input may have {budget.max_bytes:,}; give a smaller "
            "area or a shorter period"
        )
    budget.check_room(estimate.stored_bytes // 4)


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
