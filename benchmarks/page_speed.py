"""How fast the viewer is in a real browser: first picture, interactive, date change, chart after a click.

PYTHONPATH=.:tests/helpers python benchmarks/page_speed.py [OUT] [--browser /usr/bin/chromium] [--rounds 5]

OUT: a finished result with pictures/ in it; without it, a simulated one of 30 dates x 13 bands x 512 x 512. JSON
on stdout, times in ms. Everything is measured by the page's own clock (`performance`), from navigation or
the input event to the end of the frame that shows it, on loopback with an empty cache.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bundle_example import ALL_BANDS, write_bundle
from page_server import page_server, until
from playwright.sync_api import sync_playwright

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
# From the click to the chart of that pixel in the document, laid out.
CLICK = """async ([x, y]) => {
    const stage = document.querySelector(".stage"), {left, top} = stage.getBoundingClientRect();
    const at = {clientX: left + x, clientY: top + y, pointerId: 1, bubbles: true, pointerType: "mouse", button: 0};
    stage.setPointerCapture = () => {};
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


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "least": round(min(values), 1),
        "median": round(statistics.median(values), 1),
        "p95": round(_p95(values), 1),
        "most": round(max(values), 1),
    }


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
    until(page, f"{MARKS}['first-picture'] && {MARKS}.interactive")
    marks = page.evaluate(MARKS)
    until(page, "[...document.querySelectorAll('.thumb canvas')].length > 1")
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


def measure(folder: Path, executable: str, rounds: int) -> dict[str, Any]:
    """Visits a result several times, the first not counted: {what: {median, p95, most}} in ms."""
    found: dict[str, list[float]] = {}
    with page_server(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        _one_visit(browser, address)
        for _ in range(rounds):
            for name, values in _one_visit(browser, address).items():
                found.setdefault(name, []).extend(values)
        browser.close()
    return {name: _summary(values) for name, values in found.items()}


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", help="a finished result with pictures/")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.out
        if folder is None:
            folder = write_bundle(Path(made) / "out", dates=30, size_px=512, bands=ALL_BANDS).folder
        print(json.dumps(measure(folder, given.browser, given.rounds), indent=2))


if __name__ == "__main__":
    main()
