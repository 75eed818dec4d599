"""How fast the viewer is in a real browser: first picture, interactive, date change, chart after a click.

PYTHONPATH=. python benchmarks/page_speed.py [OUT] [--browser /usr/bin/chromium] [--rounds 5] [--results DIR]

OUT: a finished result; without it, a simulated one of 30 dates x 13 bands x 512 x 512 px. JSON on stdout.

What `decloud view` serves, in headless Chromium on loopback with an empty cache. Times are the page's own
(`performance`), from navigation or from the input event to the end of the frame that shows it; each visit opens the
page, goes through 60 dates and clicks four pixels on which the mouse has rested for 0.3 s. The first visit is not
counted.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import CommandFailedError, circumstances
from parts import NotMeasured
from playwright.sync_api import sync_playwright

from seq2seq.bands import L1C
from seq2seq.config import ReconstructionConfig
from seq2seq.looking.result import open_result
from seq2seq.page import STATIC, Page
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.viewing.bundle import SCENE, write_bundle
from seq2seq.viewing.kept import Bundle, bundle_of
from seq2seq.viewing.places import in_pack
from seq2seq.viewing.server import Viewed, serving

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What is measured: in words, its limit, the unit.
LIMITS: dict[str, tuple[str, float, str]] = {
    "code": ("code, gzip", 120, "kB"),
    "first_picture": ("first picture after navigation", 300, "ms"),
    "interactive": ("interactive after navigation", 1000, "ms"),
    "date_change": ("date change, prefetched (p95)", 32, "ms"),
    "chart": ("chart after a click", 50, "ms"),
    "movie": ("before and after, all dates", 3, "MB"),
}

# The first frame in which both panes hold a picture, and when the page answers to input.
FIRST = """new MutationObserver((_, self) => {
    const panes = [...document.querySelectorAll("canvas.pane")];
    if (panes.length === 2 && panes.every((each) => each.dataset.shown?.includes("/"))) {
      self.disconnect();
      performance.mark("first-picture");
    }
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["data-shown"]});"""
MARKS = "Object.fromEntries(performance.getEntriesByType('mark').map(({name, startTime}) => [name, startTime]))"
# From the input event to after the frame that shows the date: a message is handled once the frame is drawn.
DATES = """async (count) => {
    const slider = document.querySelector(".dates-slider"), last = Number(slider.max), times = [];
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = resolve;
        channel.port2.postMessage(0); }));
    for (let i = 0; i < count; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        slider.value = (Number(slider.value) + 1) % (last + 1);
        const start = performance.now();
        slider.dispatchEvent(new Event("input", {bubbles: true}));
        await drawn();
        times.push(performance.now() - start);
        const now = document.querySelector("canvas.right").dataset.shown;
        if (!now.includes("/")) throw new Error("a date was not drawn in its frame");
    }
    return times;
}"""
# From the click to the chart of that pixel in the document, laid out. The mouse has come to rest there before, as a
# hand's does.
CLICK = """async ([x, y]) => {
    const stage = document.querySelector(".stage"), {left, top} = stage.getBoundingClientRect();
    const at = {clientX: left + x, clientY: top + y, pointerId: 1, bubbles: true, pointerType: "mouse", button: 0};
    stage.setPointerCapture = () => {};
    stage.dispatchEvent(new PointerEvent("pointermove", at));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = document.querySelector(".place .u-wrap");
    const charted = new Promise((resolve) => new MutationObserver((_, self) => {
        const now = document.querySelector(".place .u-wrap");
        if (now && now !== before) { self.disconnect(); resolve(); }
    }).observe(document.querySelector(".place"), {childList: true, subtree: true}));
    const start = performance.now();
    stage.dispatchEvent(new PointerEvent("pointerdown", at));
    stage.dispatchEvent(new PointerEvent("pointerup", at));
    await charted;
    document.querySelector(".place .u-wrap").getBoundingClientRect();
    return performance.now() - start;
}"""


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def _until(page: Any, script: str, seconds: float = 60) -> None:
    """Playwright's own waiting evaluates texts in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(script):
        if time.monotonic() > end:
            raise CommandFailedError(f"never true in the page: {script}")
        page.wait_for_timeout(20)


def _busy_ms(clock: Any) -> float:
    """Processor time of the page's main thread so far, which other programs on the machine do not lengthen."""
    metrics = {each["name"]: each["value"] for each in clock.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"]) * 1000


def _one_visit(browser: Any, address: str) -> dict[str, list[float]]:
    """A visit with an empty cache: opens, plays through the dates, clicks pixels of different chunks."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(FIRST)
    page.goto(address)
    _until(page, f"{MARKS}['first-picture'] && {MARKS}.interactive")
    marks = page.evaluate(MARKS)
    _until(page, "[...document.querySelectorAll('.thumb canvas')].length > 1")
    page.wait_for_timeout(4000)  # prefetched
    clock = context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _busy_ms(clock)
    dates = page.evaluate(DATES, 60)
    processor = (_busy_ms(clock) - before) / len(dates)
    size = page.locator(".stage").evaluate("stage => [stage.clientWidth, stage.clientHeight]")
    places = [(size[0] * 0.5 + dx, size[1] * 0.5 + dy) for dx, dy in ((60, -150), (-90, 60), (120, 90), (-120, -110))]
    clicks = []
    before = _busy_ms(clock)
    for place in places:
        clicks.append(page.evaluate(CLICK, place))
        page.wait_for_timeout(300)
    drawing = (_busy_ms(clock) - before) / len(clicks)
    context.close()
    return {
        "first_picture": [marks["first-picture"]], "interactive": [marks["interactive"]],
        "date_change": dates, "chart": clicks,
        "date_change_main_thread": [processor], "chart_main_thread": [drawing],
    }  # fmt: skip


def visits(address: str, executable: str, rounds: int) -> dict[str, list[float]]:
    """Visits the page several times, the first not counted: {what: ms of each}."""
    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        _one_visit(browser, address)
        for _ in range(rounds):
            for name, values in _one_visit(browser, address).items():
                found.setdefault(name, []).extend(values)
        browser.close()
    return found


def code_bytes(page: Page) -> int:
    """What the page's own code and styles take on their way, gzip."""
    paths = (
        path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html")
    )
    files = [page.find(path) for path in paths]
    return sum(len(file.gzipped or file.content) for file in files if file is not None)


def movie_bytes(bundle: Bundle) -> int:
    """All dates before and after, in natural colour."""
    dates = [each["date"] for each in json.loads(bundle.read(SCENE) or b"")["dates"]]
    return sum(len(bundle.read(f"{style}/{date}.webp") or b"") for style in ("rgb-before", "rgb") for date in dates)


def example(folder: Path, *, dates: int, size_px: int) -> Path:
    """A finished result of interpolation on a simulated sequence of 13 bands."""
    from seq2seq.run import pipeline

    write_simulation(simulate(dates=dates, size=size_px, bands=L1C, cloud=0.6, seed=0), folder / "sequence")
    config = ReconstructionConfig(method="linear", device="cpu")
    return pipeline.run(folder / "sequence" / "input", folder / "cloud-free", config)


def measured(result: Path, executable: str, rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each limit: {key, limit, unit, median, p95, least, most, count}, of what `decloud view` serves."""
    page = Page()

    def build(path: Path) -> None:
        with open_result(result, source=None, max_memory_gb=4) as scene, in_pack(path) as put:
            write_bundle(scene, put)

    with bundle_of(result, build, lambda line: None) as bundle, serving(Viewed(page, bundle, result)) as address:
        times = visits(address, executable, rounds)
        sizes = {"code": code_bytes(page) / 1e3, "movie": movie_bytes(bundle) / 1e6}
        scene = json.loads(bundle.read(SCENE) or b"")
    about = {
        "dates": len(scene["dates"]),
        "bands": len(scene["bands"]),
        "height": scene["height"],
        "width": scene["width"],
    }
    for key, (_, limit, unit) in LIMITS.items():
        values = times.get(key) or [sizes[key]]
        found = {"median": statistics.median(values), "p95": _p95(values), "least": min(values), "most": max(values)}
        row = {name: round(value, 2) for name, value in found.items()}
        yield {"key": key, "limit": limit, "unit": unit, **row, "count": len(values), "scene": about}


def page_rows(work: Path, *, quick: bool) -> Iterator[dict[str, Any]]:
    """The part of `make bench`. Raises `NotMeasured` where no browser is installed."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise NotMeasured("not measured: no chromium is installed")
    folder = Path(tempfile.mkdtemp(prefix="page-", dir=work))
    yield from measured(
        example(folder, dates=4 if quick else 30, size_px=64 if quick else 512), executable, 1 if quick else 5
    )


def render(results: dict[str, Any], *, quick: bool) -> str:
    """PAGE.md of page.json."""
    part = results.get("page", {"rows": []})
    lines = ["# The page, in a real browser", "", __doc__.split("\n\n")[-1].strip(), ""]
    if part.get("note"):
        lines += [str(part["note"]), ""]
    for row in part["rows"][:1]:
        scene, on = row["scene"], part["on"]
        versions = ", ".join(f"{name} {got}" for name, got in on["versions"].items())
        lines += [
            f"A result of {scene['dates']} dates x {scene['bands']} bands x {scene['height']} x {scene['width']} px."
            f"{' A quick check, not a measurement.' if quick else ''}",
            f"Measured {on['date']} on {on['cpu']}, {on['cores']} cores, {on['ram_gb']} GiB; {versions}.",
            "",
            "| what | limit | median | p95 | least to most | measured | held |",
            "|---|--:|--:|--:|--:|--:|---|",
        ]
    for row in part["rows"]:
        title, limit, unit = LIMITS[row["key"]]
        figure = row["p95"] if row["key"] == "date_change" else row["median"]
        lines.append(
            f"| {title} | {limit:g} {unit} | {row['median']:g} | {row['p95']:g} | "
            f"{row['least']:g} to {row['most']:g} | {row['count']} | {'yes' if figure <= limit else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", help="a finished result")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--note", help="written above the table")
    parser.add_argument("--results", type=Path, metavar="DIR", help="page.json and PAGE.md are written there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.out or example(Path(made), dates=30, size_px=512)
        rows = list(measured(folder, given.browser, given.rounds))
    print(json.dumps(rows, indent=1))
    if given.results:
        results = {"page": {"on": circumstances(), "note": given.note, "rows": rows}}
        (given.results / "page.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (given.results / "PAGE.md").write_text(render(results, quick=False), encoding="utf-8")


if __name__ == "__main__":
    main()
