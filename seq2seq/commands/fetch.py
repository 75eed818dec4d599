"""`decloud fetch`: the sequence of an area, from a catalogue of satellite images into a folder for `decloud run`."""

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from seq2seq.commands.stopping import stop_on_signals
from seq2seq.errors import Stopped
from seq2seq.extras import naming_extra
from seq2seq.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq.commands.console import Display
    from seq2seq.fetching.plan import Plan, Request

EXAMPLES = """
[bold]Examples[/]
  decloud fetch 4.60,50.60,4.63,50.62 2021-05-01/2021-10-31 fields --dry-run
  decloud fetch 4.60,50.60,4.63,50.62 2021-05-01/2021-10-31 fields
  decloud fetch farm.geojson 2022-03-01/2022-09-30 farm --catalog earth-search --max-cloud 80
  decloud run fields cloud-free

The same command goes on where an earlier one ended, and fetches nothing twice.
"""
_UNSET: dict[str, Any] = {"show_default": False}
_WESTERN = re.compile(r"-[\d.]+,.*")


class FetchCommand(TyperCommand):
    """The command, which takes a box in the west, such as -4.6,50.6,-4.5,50.7, for an area and not for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses with a blank before such a box: numbers may have one, options begin with their hyphen."""
        return super().parse_args(ctx, [f" {each}" if _WESTERN.fullmatch(each) else each for each in args])


def fetch(  # long: each option is a parameter
    area: Annotated[str, typer.Argument(metavar="AREA", help="W,S,E,N in degrees, or a GeoJSON file.")],
    dates: Annotated[str, typer.Argument(metavar="DATES", help="FIRST/LAST, as in 2021-05-01/2021-10-31.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the sequence; goes on with an earlier fetch.")],
    catalog: Annotated[
        str, typer.Option(metavar="NAME", help="planetary-computer, earth-search, cdse, or a STAC API's address.")
    ] = "planetary-computer",
    s2_collection: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another collection of that catalogue.", **_UNSET)
    ] = None,
    s1_catalog: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For Sentinel-1; by default the same, or planetary-computer where it has none.",
            **_UNSET,
        ),
    ] = None,
    no_s1: Annotated[bool, typer.Option("--no-s1", help="Sentinel-2 alone.")] = False,
    bands: Annotated[
        str, typer.Option(metavar="NAMES", help="L2A, L2A_10, 10m, or bands as in B02,B03,B04.")
    ] = "L2A_10",
    gsd: Annotated[float, typer.Option(metavar="M", help="Metres of a pixel.")] = 10.0,
    max_cloud: Annotated[
        float,
        typer.Option(metavar="PERCENT", help="Leave cloudier overpasses out (of their whole scenes).", min=0, max=100),
    ] = 100.0,
    s2_offset: Annotated[
        Literal["auto", "0", "-1000"], typer.Option(help="Offset of reflectance, DN; auto: as metadata state it.")
    ] = "auto",
    skip: Annotated[list[str] | None, typer.Option(metavar="ITEM", help="Leave an item out.", **_UNSET)] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host inside a private network that may be fetched from.", **_UNSET),
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", help="Dates at a time.", min=1, max=64)] = 8,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched, and how much.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Fetch Sentinel-2 and Sentinel-1 of an area as a sequence on one grid, ready for `decloud run`."""
    with naming_extra():
        from seq2seq.fetching.area import parse_area, parse_period
        from seq2seq.fetching.plan import Request, parse_bands
    chosen = _catalog(catalog, s2_collection, allow_host)
    request = Request(
        area=parse_area(area),
        period=parse_period(dates),
        catalog=chosen,
        s1_catalog=None if no_s1 else _s1_catalog(chosen, s1_catalog, allow_host),
        bands=parse_bands(bands),
        gsd_m=gsd,
        max_cloud=max_cloud,
        s2_offset=s2_offset,
        skip=tuple(skip or ()),
    )
    _fetch(request, out, jobs=jobs, dry_run=dry_run, quiet=quiet)


def _catalog(text: str, s2_collection: str | None, hosts: list[str] | None) -> Any:
    from dataclasses import replace

    from seq2seq.fetching.catalogs import find_catalog

    found = replace(find_catalog(text), hosts=tuple(hosts or ()))
    return replace(found, s2=replace(found.s2, name=s2_collection)) if s2_collection else found


def _s1_catalog(s2: Any, named: str | None, hosts: list[str] | None) -> Any:
    """The one that was named; else the same, or where that has none the first that has."""
    from seq2seq.fetching.catalogs import CATALOGS

    if named is not None:
        return _catalog(named, None, hosts)
    return s2 if s2.s1 is not None else next(known for known in CATALOGS.values() if known.s1 is not None)


def _fetch(request: "Request", out: Path, *, jobs: int, dry_run: bool, quiet: bool) -> None:
    """Plans and transfers; a signal stops it within a moment, and what is finished stays."""
    from rich.console import Console

    from seq2seq.commands.console import open_display
    from seq2seq.fetching.plan import plan
    from seq2seq.fetching.transfer import fetch as transfer

    console = Console()
    with (
        open_display(console, quiet=quiet) as display,
        stop_on_signals(display, "Stopping; what is finished stays. Once more to end at once.") as stop,
    ):
        _say_where_s1_is_from(request, display)
        planned = plan(request, on_progress=display, should_stop=stop.is_set)
        if dry_run:
            fetched = None
        else:
            try:
                command = shlex.join(["decloud", *sys.argv[1:]])
                fetched = transfer(
                    planned, out, on_progress=display, should_stop=stop.is_set, jobs=jobs, command=command
                )
            except Stopped as stopped:
                raise Stopped(f"stopped ({one_line(stopped)}); the same command goes on from there") from stopped
    if fetched is None:
        _print(console, described(planned))
    elif not quiet:
        counts = {sensor: len(planned.days_of(sensor)) for sensor in ("S2", "S1")}
        size = fetched.spent.bytes / 2**20
        _print(
            console,
            [
                f"Sequence {out}: {counts['S2']} dates of S2, {counts['S1']} of S1, {len(fetched.new)} of them new",
                f"Fetched  {size:,.1f} MiB in {fetched.spent.requests} requests",
                f"Record   {out / 'fetched.json'}",
                f"Next     decloud run {out} OUT",
            ],
        )


def _say_where_s1_is_from(request: "Request", display: "Display") -> None:
    if request.s1_catalog is not None and request.catalog.s1 is None:
        why = request.catalog.why_no_s1
        display.notify(f"{request.catalog.name}: {why}; Sentinel-1 comes from {request.s1_catalog.name}")


def described(planned: "Plan") -> list[str]:
    """Writes what a plan holds, for people: dates with their scenes, pixels, bytes."""
    from seq2seq.readers.pairing import describe_grid

    estimate = planned.estimate()
    lines = [f"grid     {describe_grid(planned.grid)}, {estimate.pixels:,} pixels"]
    for source in planned.sources:
        days = planned.days_of(source.sensor)
        scenes = sum(len(day.scenes) for day in days)
        name = f"{source.collection.name} of {source.catalog.name}"
        lines.append(f"{source.sensor:<8} {len(days)} dates, {scenes} scenes, {' '.join(source.assets)}, {name}")
    lines.append(
        f"fetch    about {estimate.bytes / 2**20:,.0f} MiB; OUT takes up to {estimate.stored_bytes / 2**20:,.0f} MiB"
    )
    for day in planned.days:
        cloud = " / ".join("" if one.cloud is None else f"{one.cloud:.0f} % cloud" for one in day.passes).strip()
        lines.append(
            f"{day.sensor} {day.date}  {' '.join(day.items)}{f'  {cloud}' if cloud and day.sensor == 'S2' else ''}"
        )
    return [*lines, *(f"note     {note}" for note in planned.notes)]


def _print(console: "Console", lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
