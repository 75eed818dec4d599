"""Measures quality, speed and memory of `decloud`; writes results.json, RESULTS.md and curve.svg beside this file.
The service's figures go to service.json and SERVICE.md.

make bench                                            everything (hours: three cases x three seeds, large scenes)
make bench ARGS="--only quality --seeds 0"            a part; other figures in results.json stay
make bench ARGS="--only quality --reuse DIR"          score finished runs, DIR/CASE-SEED, in place of running
make bench ARGS="--only beside --other DIR"           this code and that of another checkout, run in turn
make bench ARGS="--only whole-tile"                   a tile of 10980 x 10980 pixels by `linear`
make bench ARGS="--only service"                      the service beside nginx and pygeoapi (needs wrk and nginx)
make bench ARGS="--only page"                         the page in a browser: page.json, PAGE.md (needs chromium)
make bench ARGS=--quick                               does the benchmark itself work? Writes to --work only
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from beside import beside
from busy import busy
from curve import draw
from measuring import SERVICE_PACKAGES, CommandFailedError, circumstances
from others import others
from page import render
from parts import CASES, Bench, NotMeasured, Row
from parts import PARTS as MOST_PARTS
from scale_workers import workers
from tiled import tiled
from whole_tile import whole_tile

HERE = Path(__file__).resolve().parent
SERVICE, PAGE = "service", "page"
PARTS = MOST_PARTS | {
    "beside": beside,
    "others": others,
    "busy": busy,
    "tiled": tiled,
    "workers": workers,
    "whole-tile": whole_tile,
}
MEASURES = ("upload", "status", "first-step", "listing", "claiming", "download")
QUICK_OPTIONS = ("--max-minutes", "0.1", "--perceptual", "off")


def main() -> int:
    """Exit code 1 where a measured command failed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="decloud-bench-") as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        bench = _bench(options, work)
        book = Book(options.results or (work if options.quick else HERE), quick=options.quick)
        names = [name for name in options.only if name not in (SERVICE, PAGE)]
        failures = [failure for name in names for failure in measure_part(name, partial(PARTS[name], bench), book)]
        books = [book] if names else []
        if SERVICE in options.only:
            books.append(_service_book(options, book.folder))
            failures += _measure_service(options, work, books[-1])
        if PAGE in options.only:
            books.append(_page_book(options, book.folder))
            failures += _measure_page(options, work, books[-1])
        for written in books:
            print(f"Results  {written.page}")
            if options.quick:
                print(written.page.read_text(encoding="utf-8"))
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


class Book:
    """results.json and what is rendered from it: written after every row, so that a break loses none."""

    def __init__(
        self,
        folder: Path,
        *,
        quick: bool,
        names: tuple[str, str] = ("results.json", "RESULTS.md"),
        rendered: Callable[..., str] = render,
        on: Callable[[], dict[str, Any]] = circumstances,
    ) -> None:
        self.folder, self.quick, self._rendered, self._on = folder, quick, rendered, on
        self.file, self.page = (folder / name for name in names)
        folder.mkdir(parents=True, exist_ok=True)
        self.results: dict[str, Any] = json.loads(self.file.read_text()) if self.file.is_file() else {}

    def enter(self, name: str, row: Row) -> None:
        """A row of part `name`; replaces the one with its key."""
        rows = {old["key"]: old for old in self._part(name)["rows"]} | {row["key"]: row}
        self._put(name, [rows[key] for key in sorted(rows)] if name == "quality" else list(rows.values()), None)

    def skip(self, name: str, why: str) -> None:
        """Part `name` was not (wholly) measured; rows of earlier stay."""
        self._put(name, self._part(name)["rows"], why)

    def _part(self, name: str) -> dict[str, Any]:
        part: dict[str, Any] = self.results.get(name, {"rows": []})
        return part

    def _put(self, name: str, rows: list[Row], note: str | None) -> None:
        # Figures keep the circumstances they were measured in: a part that was only skipped today is not of today.
        earlier = self._part(name).get("on")
        on = earlier if note and rows and earlier else self._on()
        self.results[name] = {"on": on, "note": note, "rows": rows}
        self.file.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        self.page.write_text(self._rendered(self.results, quick=self.quick), encoding="utf-8")
        if name == "paper" and rows:
            (self.folder / "curve.svg").write_text(draw(rows[0]), encoding="utf-8")


def measure_part(name: str, part: Callable[[], Iterator[Row]], book: Book) -> list[str]:
    """All of one part; returns what failed."""
    print(f"{name} ...", flush=True)
    try:
        for row in part():
            book.enter(name, row)
            print(f"  {row['key']}", flush=True)
    except NotMeasured as reason:
        book.skip(name, str(reason))
        print(f"  {reason}", flush=True)
    except CommandFailedError as error:
        book.skip(name, f"failed: {error}")
        return [f"{name}: {error}"]
    return []


def _page_book(options: argparse.Namespace, folder: Path) -> Book:
    from page_speed import render as rendered

    return Book(folder, quick=options.quick, names=("page.json", "PAGE.md"), rendered=rendered)


def _measure_page(options: argparse.Namespace, work: Path, book: Book) -> list[str]:
    from page_speed import page_rows

    return measure_part(PAGE, partial(page_rows, work, quick=options.quick), book)


def _service_book(options: argparse.Namespace, folder: Path) -> Book:
    from service.page import render as rendered
    from service.peers import nginx_version, pygeoapi_version

    def on() -> dict[str, Any]:
        found = circumstances((*SERVICE_PACKAGES, "torch"))
        peers = {"nginx": nginx_version(), "pygeoapi": pygeoapi_version(options.pygeoapi)}
        return found | {"versions": found["versions"] | {name: got for name, got in peers.items() if got}}

    return Book(folder, quick=options.quick, names=("service.json", "SERVICE.md"), rendered=rendered, on=on)


def _measure_service(options: argparse.Namespace, work: Path, book: Book) -> list[str]:
    from service.loads import ClientAbsentError
    from service.measures import MEASURES as GENERATORS
    from service.measures import Plan
    from service.peers import pygeoapi_environment

    options.pygeoapi = options.pygeoapi or pygeoapi_environment(work)
    plan = Plan(work, repeats=options.repeats, pygeoapi=options.pygeoapi)
    if options.quick:
        small = {"upload_bytes": 20_000_000, "download_bytes": 20_000_000, "seconds": 1.0, "jobs_claimed": 50}
        plan = replace(plan, repeats=1, **small)

    def measured(name: str) -> Iterator[Row]:
        try:
            yield from GENERATORS[name](plan)
        except ClientAbsentError as reason:
            raise NotMeasured(f"not measured: {reason}") from reason

    return [failure for name in options.measures for failure in measure_part(name, partial(measured, name), book)]


def _bench(options: argparse.Namespace, work: Path) -> Bench:
    common: dict[str, Any] = {"work": work, "seeds": tuple(options.seeds), "reuse": options.reuse}
    common["other"] = options.other
    if options.quick:
        return Bench(
            **common,
            cases=("quick",),
            sizes=(32, 48),
            scale_dates=8,  # fewer, and there is nothing to hold out
            run_options=QUICK_OPTIONS,
            paper_minutes=0.1,
            look_every_s=2.0,
            quick=True,
        )
    return Bench(**common, cases=tuple(options.cases), sizes=tuple(options.sizes), paper_minutes=options.paper_minutes)


def _options() -> argparse.Namespace:
    parts = [*PARTS, SERVICE, PAGE]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART", help=", ".join(parts))
    parser.add_argument("--cases", nargs="+", default=CASES, metavar="CASE", help="of ../shared/data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512], metavar="PX", help="simulated scenes")
    parser.add_argument("--paper-minutes", type=float, default=4.0, help="of steps, for each of its two schedules")
    parser.add_argument("--reuse", type=Path, metavar="DIR", help="quality: finished outputs DIR/CASE-SEED")
    parser.add_argument("--other", type=Path, metavar="DIR", help="beside: a checkout of the code to compare with")
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES, metavar="M", help="of the service")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of each measure of the service")
    parser.add_argument(
        "--pygeoapi",
        type=Path,
        metavar="PYTHON",
        help="of an environment that has it; else one is made in the work folder",
    )
    parser.add_argument("--work", type=Path, metavar="DIR", help="outputs go here and stay; default a temporary folder")
    parser.add_argument("--results", type=Path, metavar="DIR", help="default benchmarks/, with --quick the work folder")
    parser.add_argument("--quick", action="store_true", help="a tiny simulated case, to check this program")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
