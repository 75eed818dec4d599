"""report.json and report.html: what was done, how good it is, what was used and what was not.

The page is one file: styles, charts and pictures are inside, nothing is loaded from anywhere.
"""

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np

from seq2seq.progress import format_duration
from seq2seq.report.charts import bar, dumbbell, few_points, line_chart, scale_bar, series_chart, shares
from seq2seq.report.html import Child, Markup, element, join, table
from seq2seq.report.quicklook import Thumbnail, doubt_colours
from seq2seq.report.schema import GainReport, GapReport, HoldoutReport, PixelReport, Report, Scores
from seq2seq.writers.output import write_file

# The order in which methods are listed, and what they are called in prose.
METHODS = {
    "result": "This result",
    "network": "Network alone",
    "prior": "Prior alone",
    "linear": "Linear interpolation",
    "nearest": "Nearest clear date",
}
# The same in the heads of wide tables.
_SHORT = {"result": "Result", "network": "Network", "prior": "Prior", "linear": "Linear", "nearest": "Nearest"}
# What the prior is made of: no methods of their own, but parts of the blend.
_PARTS = ("perceptron", "trees")
# Fewer points than this are figures, no chart.
_FEW_POINTS = 6
NORMAL_90 = 1.6449  # half width of the normal distribution's 90 % interval, in sigma
# Metric, heading, decimals, whether more is better.
_METRICS: tuple[tuple[str, str, int, bool], ...] = (
    ("psnr", "PSNR, dB", 2, True),
    ("rmse", "RMSE", 4, False),
    ("mae", "MAE", 4, False),
    ("nrmse", "NRMSE", 3, False),
    ("sam", "SAM, °", 2, False),
    ("ssim", "SSIM", 3, True),
)
_LIMITS = (
    "What no sensor saw cannot be known: an event under cloud shows only if Sentinel-1 shows it. "
    "B01, B09 and B10 observe the atmosphere rather than the ground. Scores and uncertainty were measured on clear "
    "pixels of this very sequence that were hidden from the fit; they say nothing about other places."
)


def write_report(folder: Path, report: Report, *, thumbnails: Sequence[Thumbnail]) -> None:
    """Writes report.json and report.html into `folder`. Raises `OutputError`."""
    plain = cast(Report, to_plain(report))
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    write_file(folder / "report.json", (text + "\n").encode())
    write_file(folder / "report.html", render(plain, thumbnails).encode())


def to_plain(value: Any) -> Any:
    """The same as JSON values: numpy scalars and arrays become Python's, NaN and infinities None, paths text."""
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def render(report: Report, thumbnails: Sequence[Thumbnail]) -> str:
    """The whole page. `report` as `to_plain` leaves it."""
    title = f"{_name(report)}, cloud-free"
    style = files("seq2seq.report").joinpath("report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    body = element(
        "body",
        element(
            "main",
            _header(report),
            _headline(report),
            _warnings(report["input"]["warnings"]),
            _dates(report, thumbnails),
            _series(report),
            _scores(report["holdout"]),
            _by_band(report["holdout"]),
            _by_gap(report["holdout"]),
            _training(report),
            _used(report),
            _resources(report),
            _settings(report),
            _footer(report),
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(report: Report) -> Markup:
    source = report["input"]
    dates, grid = source["dates"], source["grid"]
    pixel = grid.get("pixel") or f"{grid['gsd_m']:g} m"
    facts = [
        f"{len(dates)} dates, {dates[0]} to {dates[-1]}",
        f"{len(source['bands'])} bands",
        f"{grid['width']} × {grid['height']} px at {pixel}",
        grid["crs"],
    ]
    badge = element("span", "Simulated data", class_="badge") if source["simulated"] else None
    return element(
        "header",
        element("p", "decloud", class_="brand"),
        element("h1", _name(report), badge),
        element("p", *(element("span", fact) for fact in facts), class_="facts"),
    )


def _headline(report: Report) -> Markup:
    """The five numbers that matter most."""
    holdout, methods = report["holdout"], report["holdout"]["methods"]
    # a sequence too poor to hide anything from has no scores
    psnr, rmse = (methods["result"]["psnr"], methods["result"]["rmse"]) if methods else (None, None)
    linear = methods.get("linear")
    cloud = report["input"]["cloud_fraction"]
    seconds = sum(report["resources"]["seconds"].values())
    against = f"{_fixed(psnr, 2)} dB PSNR, linear {_fixed(linear['psnr'], 2)} dB" if linear else ""
    return element(
        "section",
        _gain_figure(holdout["gain"]),
        _figure(_fixed(rmse, 4), "RMSE on hidden pixels", against),
        _figure(_percent(sum(cloud) / len(cloud)), "was cloud or no data", "all of it is filled"),
        _figure(_percent(holdout["coverage_90"]), "inside the 90 % interval", "calibrated uncertainty"),
        _figure(
            format_duration(seconds), "run time", f"{_fixed(report['resources']['peak_memory_gb'], 1)} GB at its peak"
        ),
        class_="figures",
        aria_label="Summary",
    )


def _gain_figure(gain: GainReport | None) -> Markup:
    """The claim, and what it rests on: hidden pixels are of dates that had been clear."""
    name = "over linear interpolation"
    if gain is None:
        return _figure("–", name, "no pixel could be hidden", class_="lead even")
    on = f"{gain['pixels']:,} pixels hidden on {gain['dates']} dates that had been clear"
    low, high = gain["low_db"], gain["high_db"]
    if low is None or high is None:
        return _figure("unknown", name, f"{on}: too few dates to tell", class_="lead even")
    claim = f"{_signed(low)} to {_signed(high)} dB"
    on = f"likely range; {_signed(gain['measured_db'])} dB measured on {on}"
    return _figure(claim, name, on, class_="lead" if low > 0 else "lead even")


def _figure(value: str, name: str, detail: str, class_: str = "") -> Markup:
    return element(
        "div", element("strong", value), element("span", name), element("small", detail), class_=f"figure {class_}"
    )


def _warnings(warnings: Sequence[str]) -> Markup | None:
    if not warnings:
        return None
    title = "One thing to know" if len(warnings) == 1 else f"{len(warnings)} things to know"
    return element("aside", element("h2", title), element("ul", *(element("li", line) for line in warnings)))


def _dates(report: Report, thumbnails: Sequence[Thumbnail]) -> Markup:
    source = report["input"]
    cards = [
        _date_card(thumbnail, cloud, radar)
        for thumbnail, cloud, radar in zip(thumbnails, source["cloud_fraction"], source["s1"]["dates"], strict=True)
    ]
    most = thumbnails[0].most_doubt if thumbnails else 0.0
    return _section(
        "Every date",
        "Input, cloud mask and result, all in one fixed stretch, and the result's uncertainty. The S1 date is the "
        "radar acquisition that guided it.",
        element(
            "p",
            "Uncertainty, one sigma, reflectance, mean of all bands:",
            scale_bar(doubt_colours(), "0", _fixed(most, 3)),
            element("span", "none where observed"),
            class_="key",
        ),
        element("div", *cards, class_="dates"),
        class_="wide",
    )


def _date_card(thumbnail: Thumbnail, cloud: float, radar: str | None) -> Markup:
    pictures = [
        _picture(thumbnail.before, "image/jpeg", f"{thumbnail.date} before", "before"),
        _picture(thumbnail.cloud_mask, "image/png", f"{thumbnail.date} cloud mask", "mask"),
        _picture(thumbnail.after, "image/jpeg", f"{thumbnail.date} after", "after"),
        _picture(thumbnail.sigma, "image/png", f"{thumbnail.date} uncertainty", "sigma"),
    ]
    return element(
        "article",
        element(
            "h3",
            element("time", thumbnail.date),
            element("span", f"S1 {radar}" if radar else "no S1", class_="radar"),
        ),
        element("div", *pictures, class_="views"),
        element("p", bar(cloud, class_="cloud"), element("span", f"{_percent(cloud)} cloud")),
    )


def _picture(content: bytes, kind: str, text: str, name: str) -> Markup:
    data = base64.b64encode(content).decode()
    image = element("img", src=f"data:{kind};base64,{data}", alt=text, loading="lazy")
    return element("figure", image, element("figcaption", name), class_=name)


def _scores(holdout: HoldoutReport) -> Markup:
    listed = _listed(holdout["methods"])
    best = {key: _best([holdout["methods"][m][key] for m in listed], more) for key, _, _, more in _METRICS}  # type: ignore[literal-required]
    rows = [
        [_method(method), *_score_cells(holdout["methods"][method], best), f"{holdout['methods'][method]['pixels']:,}"]
        for method in listed
    ]
    head: list[Child] = ["Method", *(title for _, title, _, _ in _METRICS), "pixels"]
    return _section("How good it is", holdout["explanation"], table(head, rows, class_="scores"))


def _score_cells(scores: Scores, best: dict[str, float | None]) -> list[Child]:
    cells: list[Child] = []
    for key, _, decimals, _ in _METRICS:
        value = scores[key]  # type: ignore[literal-required]
        text = _fixed(value, decimals)
        cells.append(element("b", text) if value is not None and value == best[key] else text)
    return cells


def _by_band(holdout: HoldoutReport) -> Markup | None:
    bands = holdout["by_band"]
    if not bands:
        return None
    errors = [scores[m]["rmse"] for scores in bands.values() for m in ("result", "linear") if m in scores]
    most = max((error for error in errors if error is not None), default=0.0)
    rows: list[list[Child]] = []
    for band, scores in bands.items():
        ours, theirs = (scores[m]["rmse"] if m in scores else None for m in ("result", "linear"))
        picture = dumbbell(ours, theirs, most=most) if ours is not None and theirs is not None else None
        change = _difference(scores["result"]["psnr"], scores["linear"]["psnr"]) if "linear" in scores else None
        mae = scores["result"]["mae"]
        rows.append([band, _fixed(ours, 4), _fixed(theirs, 4), picture, change or "–", _fixed(mae, 4)])
    head: list[Child] = ["Band", "RMSE", "linear", _legend(["result", "linear"]), "gain, dB", "MAE"]
    return _section("By band", "Error on the hidden pixels of each band, reflectance.", table(head, rows))


def _by_gap(holdout: HoldoutReport) -> Markup | None:
    gaps = holdout["by_gap"]
    if not gaps:
        return None
    methods = _listed({m for gap in gaps for m in gap["rmse"]})
    blended = _listed({m for gap in gaps for m, weight in gap["weights"].items() if weight})
    head: list[Child] = ["Date", "Gap", "pixels", *(_method(m, _SHORT) for m in methods), _legend(blended, _SHORT)]
    rows = [_gap_row(gap, methods) for gap in gaps]
    text = (
        "Error (RMSE) by what else the date shows (a lost date shows next to nothing) and by the days between the "
        "clear dates around a hidden pixel, and what the result is blended from. Shares are chosen on held-out pixels, "
        "so that the result is not worse than interpolation."
    )
    return _section("By kind of date and length of the gap", text, table(head, rows, class_="gaps"))


def _gap_row(gap: GapReport, methods: list[str]) -> list[Child]:
    low, high = gap["gap_days"]
    days = f"{low:g} to {high:g} days" if high is not None else f"{low:g} days or more"
    blend = shares(gap["weights"], classes={name: _class(name) for name in gap["weights"]})
    note = element("span", "interpolation only", class_="tag") if gap["fallback"] else None
    errors = [_fixed(gap["rmse"].get(method), 4) for method in methods]
    return [gap["dates"], days, f"{gap['pixels']:,}", *errors, join(blend, note)]


def _series(report: Report) -> Markup | None:
    """The index of a few typical pixels; nothing where a band is missing."""
    series = report["series"]
    if series is None:
        return None
    ends = report["input"]["dates"][0], report["input"]["dates"][-1]
    charts = [
        _chart(_pixel_name(pixel), _pixel_chart(pixel, series["days"], ends, series["index"]))
        for pixel in series["pixels"]
    ]
    made_of = f"{series['bands'][1]} and {series['bands'][0]}"
    legend = element(
        "p",
        element("span", element("i", class_="swatch result"), "result with its 90 % interval"),
        element("span", element("i", class_="swatch dashes"), "linear interpolation"),
        element("span", element("i", class_="swatch seen"), "observed"),
        class_="key",
    )
    return _section(
        f"{series['index']} of typical pixels",
        f"Vegetation index from {made_of} of the pixels nearest to the means of groups of like pixels. The interval "
        "takes the errors of the two bands as independent.",
        legend,
        element("div", *charts, class_="charts"),
    )


def _pixel_name(pixel: PixelReport) -> str:
    return f"Row {pixel['row']}, column {pixel['column']}: stands for {_percent(pixel['share'])} of the pixels"


def _pixel_chart(pixel: PixelReport, days: Sequence[float], ends: tuple[str, str], index: str) -> Markup:
    return series_chart(
        days,
        ends,
        values=pixel["values"],
        half_width=[NORMAL_90 * sigma for sigma in pixel["sigma"]],
        observed=pixel["observation"],
        linear=pixel["linear"],
        label=f"{index}, row {pixel['row']}, column {pixel['column']}",
    )


def _training(report: Report) -> Markup | None:
    training = report["training"]
    losses = [(point["step"], point["loss"]) for point in training["curve"] if point["loss"] is not None]
    scores = [(p["step"], p["holdout_psnr"]) for p in training["curve"] if p["holdout_psnr"] is not None]
    if not losses and not scores:
        return None
    linear = report["holdout"]["methods"].get("linear")
    level = ("linear", linear["psnr"]) if linear and linear["psnr"] is not None else None
    charts = [
        _curve("Network alone on hidden pixels, PSNR, dB", scores, class_="network", reference=level),
        _curve("Loss", losses, class_="network"),
    ]
    tiles = "one tile" if training["tiles"] == 1 else f"{training['tiles']} tiles, the first is shown"
    return _section("The fit", f"{training['steps']:,} steps, {tiles}.", element("div", *charts, class_="charts"))


def _curve(
    title: str, points: Sequence[tuple[float, float]], *, class_: str, reference: tuple[str, float] | None = None
) -> Markup | None:
    """A chart, or figures where there are few; None where there are none."""
    if not points:
        return None
    if len(points) >= _FEW_POINTS:
        return _chart(title, line_chart(points, label=title, class_=class_, reference=reference))
    beside = f"; {reference[0]} {reference[1]:.2f}" if reference else ""
    return element("figure", element("figcaption", f"{title}{beside}"), few_points(points), class_="short")


def _chart(title: str, chart: Markup) -> Markup:
    return element("figure", element("figcaption", title), chart)


def _used(report: Report) -> Markup:
    """What went into the result and what did not, each with its reason."""
    source, perceptual = report["input"], report["perceptual"]
    radar = source["s1"]
    paired = sum(date is not None for date in radar["dates"])
    return _section(
        "What was used",
        None,
        element(
            "ul",
            _item(
                paired > 0,
                "Sentinel-1",
                f"{paired} of {len(radar['dates'])} dates have an acquisition near enough, {radar['units']}"
                if radar["available"]
                else "the input has none; the result comes from the optical data alone",
            ),
            _item(True, "Cloud mask", _MASK_SOURCES.get(source["mask_source"], source["mask_source"])),
            _item(perceptual["used"], "Perceptual loss", perceptual["reason"] or f"as set: {perceptual['requested']}"),
            _item(
                not report["config"].get("full_prediction", False),
                "Observed pixels",
                "replaced by the network's, as set (full_prediction)"
                if report["config"].get("full_prediction")
                else "pass through unchanged",
            ),
            class_="used",
        ),
    )


_MASK_SOURCES = {
    "user": "yours, from the folder MASK",
    "scl": "yours, classes of SCL",
    "s2cloudless": "s2cloudless, from ten bands",
    "rules": "rules on brightness and colour",
}


def _item(used: bool, name: str, detail: str) -> Markup:
    sign = element("span", "✓" if used else "–", class_="yes" if used else "no", aria_label="yes" if used else "no")
    return element("li", sign, element("strong", name), element("span", detail))


def _resources(report: Report) -> Markup:
    seconds = report["resources"]["seconds"]
    classes = {name: f"phase-{index % 8}" for index, name in enumerate(seconds)}
    legend = [
        element("li", element("i", class_=classes[name]), name, element("b", format_duration(value)))
        for name, value in seconds.items()
    ]
    where = f"On {report['device']}, at most {_fixed(report['resources']['peak_memory_gb'], 2)} GB of memory."
    return _section("Time", where, shares(seconds, classes=classes), element("ul", *legend, class_="phases"))


def _settings(report: Report) -> Markup:
    config = [[name, _setting(value)] for name, value in report["config"].items()]
    versions = [[name, version] for name, version in report["software"].items()]
    return element(
        "details",
        element("summary", "Settings and software"),
        element(
            "div",
            table(["Setting", "value"], cast(list[list[Child]], config), class_="plain"),
            table(["Software", "version"], cast(list[list[Child]], versions), class_="plain"),
            class_="columns",
        ),
    )


def _footer(report: Report) -> Markup:
    years = sorted({date[:4] for date in report["input"]["dates"]})
    period = years[0] if len(years) == 1 else f"{years[0]}–{years[-1]}"
    origin = (
        "All data here are simulated."
        if report["input"]["simulated"]
        else f"Contains modified Copernicus Sentinel data {period}."
    )
    made = f"decloud {report['version']}, method {report['method']}, seed {report['seed']}, {report['created']}."
    return element("footer", element("p", _LIMITS), element("p", f"{origin} {made}"))


def _section(title: str, text: str | None, *content: Child, class_: str = "") -> Markup:
    lead = element("p", text, class_="explanation") if text else None
    return element("section", element("h2", title), lead, *content, class_=class_ or None)


def _legend(methods: Iterable[str], names: Mapping[str, str] = METHODS) -> Markup:
    entries = [element("span", element("i", class_=_class(m)), names.get(m, m)) for m in methods]
    return element("span", *entries, class_="legend")


def _method(method: str, names: Mapping[str, str] = METHODS) -> Markup:
    return element("span", element("i", class_=_class(method)), names.get(method, method), class_="method")


def _class(method: str) -> str:
    return f"swatch {method}" if method in METHODS or method in _PARTS else "swatch other"


def _listed(methods: Iterable[str]) -> list[str]:
    """Known methods in their order, then unknown ones by name."""
    known = list(METHODS)
    return sorted(methods, key=lambda m: (known.index(m) if m in known else len(known), m))


def _best(values: Iterable[float | None], more_is_better: bool) -> float | None:
    measured = [value for value in values if value is not None]
    return (max if more_is_better else min)(measured, default=None)


def _name(report: Report) -> str:
    return report["input"]["name"]


def _signed(decibels: float) -> str:
    """With its sign, one decimal: a range is no place for more."""
    return f"{decibels:+.1f}".replace("-", "−")


def _difference(ours: float | None, theirs: float | None) -> str | None:
    """With its sign, two decimals; None where either was not measured."""
    return None if ours is None or theirs is None else f"{ours - theirs:+.2f}".replace("-", "−")


def _fixed(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{fraction:.0%}".replace("%", " %")


def _setting(value: Any) -> str:
    return "–" if value is None else str(value)
