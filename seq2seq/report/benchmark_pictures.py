"""The pictures in the page of a comparison: one hidden date by all methods, its errors, a few pixels of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.report.candidates import LINEAR
from seq2seq.report.figures import fixed, percent
from seq2seq.report.method_pictures import CasePicture, MethodPicture, Predicted
from seq2seq.report.named_lines import SMALL_WIDTH, Line, LinesChart, index_chart, spectrum_chart
from seq2seq.report.series import ndvi, ndvi_bands
from seq2seq.report.thumbnails import picture_jpeg, scale_png
from seq2seq.sequence import Float32

Values = Mapping[str, Any]
# By input and gap, then by method.
Pictures = dict[tuple[str, str], dict[str, MethodPicture]]
# The scale of errors ends where this share of linear interpolation's lie below.
_ERROR_PERCENTILE = 98.0
# Smaller pictures are enlarged pixel by pixel, so that nothing is drawn that is not there.
_FEW_PX = 128
# 20 log10(1 / RMSE) of an exact prediction has no end.
_EXACT = 1e-6


@dataclass(frozen=True)
class Tile:
    """A picture of the wall with its errors below. cut: what a reader has to know, empty where there is nothing."""

    name: str
    colour: str
    score: str
    cut: str
    image: bytes
    error: bytes


@dataclass(frozen=True)
class Pixel:
    """One chosen pixel: charts of the chosen methods; every: (name, spectrum, NDVI) of each method. index: None where
    bands for NDVI are missing."""

    title: str
    spectrum: LinesChart
    index: LinesChart | None
    every: list[tuple[str, LinesChart, LinesChart | None]]


@dataclass(frozen=True)
class Section:
    """All pictures of one input and one kind of gap. own: predictions that are not blended. key: names and colours of
    the charts. limit: reflectance, where the scale of errors ends."""

    input: str
    gap: str
    date: str
    hidden: str
    colours: str
    natural: bool
    cell_px: int
    few_px: bool
    truth: bytes
    visible: bytes
    wall: list[Tile]
    own: list[Tile]
    limit: str
    key: list[tuple[str, str]]
    pixels: list[Pixel]


def picture_sections(
    values: Values, pictures: Pictures, colours: Mapping[str, str], chosen: Mapping[str, Sequence[str]]
) -> dict[str, list[Section]]:
    """By kind of gap, one for each input. chosen: methods of the charts, by kind of gap."""
    found: dict[str, list[Section]] = {}
    for (name, gap), by_method in pictures.items():
        outcomes = {
            each["method"]: each
            for each in values["outcomes"]
            if (each["case"]["input"], each["case"]["gap"]) == (name, gap) and each["method"] in by_method
        }
        cut = {row["method"]: row["cut"] for row in values["rows"] if row["gap"] == gap}
        found.setdefault(gap, []).append(_section(name, gap, by_method, outcomes, cut, colours, chosen[gap]))
    return found


def _section(
    name: str,
    gap: str,
    by_method: Mapping[str, MethodPicture],
    outcomes: Mapping[str, Values],
    cut: Mapping[str, str],
    colours: Mapping[str, str],
    chosen: Sequence[str],
) -> Section:
    case = next(iter(by_method.values())).case
    limit = _limit(by_method)
    results = {method: each.result for method, each in by_method.items()}
    own = {method: each.alone for method, each in by_method.items() if each.alone is not None}
    shown = [method for method in chosen if method in by_method]

    def tiles(predictions: Mapping[str, Predicted], part: str) -> list[Tile]:
        errors = {method: outcomes[method][part]["by_date"][case.date]["rmse"] for method in predictions}
        return [
            Tile(
                method if part == "result" else f"{method} alone",
                colours[method],
                f"{fixed(-20 * math.log10(max(errors[method], _EXACT)), 2)} dB",
                cut.get(method, ""),
                picture_jpeg(predictions[method].image),
                scale_png(predictions[method].error.astype(np.float32), limit),
            )
            for method in sorted(predictions, key=lambda each: float(errors[each]))
        ]

    return Section(
        input=name,
        gap=gap,
        date=case.date,
        hidden=percent(float(case.hidden_share)),
        colours=", ".join(map(str, case.colours)),
        natural=tuple(case.colours) == ("B04", "B03", "B02"),
        cell_px=int(case.cell_px),
        few_px=max(case.truth.shape) <= _FEW_PX,
        truth=picture_jpeg(case.truth),
        visible=picture_jpeg(case.visible),
        wall=tiles(results, "result"),
        own=tiles(own, "alone"),
        limit=f"{limit:.2g}",
        key=[(method, colours[method]) for method in shown],
        pixels=[_pixel(case, k, results, colours, shown) for k in range(len(case.places))],
    )


def _limit(by_method: Mapping[str, MethodPicture]) -> float:
    """Where the scale of errors ends: one for all methods, from linear interpolation where it was finished."""
    first = by_method.get(LINEAR) or next(iter(by_method.values()))
    errors = first.result.error[np.isfinite(first.result.error)].astype(np.float64)
    return float(f"{max(np.percentile(errors, _ERROR_PERCENTILE), 1e-4):.1g}") if errors.size else 1e-4


def _pixel(
    case: CasePicture, k: int, results: Mapping[str, Predicted], colours: Mapping[str, str], shown: Sequence[str]
) -> Pixel:
    row, column = (int(place) for place in case.places[k])
    title = f"Row {row}, column {column}"

    def charts(methods: Sequence[str], width: float | None) -> tuple[LinesChart, LinesChart | None]:
        spectra: list[Line] = [
            (method, colours[method], _finite(results[method].series[k, int(case.t)])) for method in methods
        ]
        told = f"{title}, {', '.join(methods)}"
        sized = {} if width is None else {"width": width}
        bands = [str(band) for band in case.bands]
        spectrum = spectrum_chart(
            bands, _finite(case.series[k, int(case.t)]), spectra, label=f"Spectrum on {case.date}: {told}", **sized
        )
        return spectrum, _index_chart(case, k, [(m, colours[m], results[m].series[k]) for m in methods], told, sized)

    spectrum, index = charts(shown, None)
    return Pixel(title, spectrum, index, [(method, *charts([method], SMALL_WIDTH)) for method in results])


def _index_chart(
    case: CasePicture, k: int, series: Sequence[tuple[str, str, Float32]], told: str, sized: Mapping[str, float]
) -> LinesChart | None:
    bands = [str(band) for band in case.bands]
    wanted = ndvi_bands(bands)
    if wanted is None:
        return None
    red, infrared = (bands.index(band) for band in wanted)
    days = [float(day) for day in (case.dates.astype("datetime64[D]") - np.datetime64(case.dates[0])).astype(int)]
    return index_chart(
        days,
        _finite(ndvi(case.series[k, :, red], case.series[k, :, infrared])),
        [bool(saw) for saw in case.shown[k]],
        [(method, colour, _finite(ndvi(values[:, red], values[:, infrared]))) for method, colour, values in series],
        ends=(str(case.dates[0]), str(case.dates[-1])),
        mark=(days[int(case.t)], case.date),
        label=f"NDVI: {told}",
        **sized,
    )


def _finite(values: Float32) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
