"""The pictures in the page of a comparison: one hidden date by all methods, its errors, a few pixels of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.report.candidates import LINEAR
from seq2seq.report.charts import WIDTH
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
    the charts. limit: reflectance, where the scale of errors ends.
    marks: of the pixels in a picture, percent from the left and from the top."""

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
    marks: list[tuple[float, float]]
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
        cut = {row["method"]: row["cut"] for row in values["rows"] if row["gap"] == gap}
        found.setdefault(gap, []).append(_section(name, gap, by_method, cut, colours, chosen[gap]))
    return found


def _section(
    name: str,
    gap: str,
    by_method: Mapping[str, MethodPicture],
    cut: Mapping[str, str],
    colours: Mapping[str, str],
    chosen: Sequence[str],
) -> Section:
    case = next(iter(by_method.values())).case
    limit = _limit(by_method)
    results = {method: each.result for method, each in by_method.items()}
    own = {method: each.alone for method, each in by_method.items() if each.alone is not None}
    shown = [method for method in chosen if method in by_method]

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
        marks=_marks(case),
        wall=_tiles(results, cut, colours, limit),
        own=_tiles(own, cut, colours, limit),
        limit=f"{limit:.2g}",
        key=[(method, colours[method]) for method in shown],
        pixels=[_pixel(case, k, results, colours, shown) for k in range(len(case.places))],
    )


def _tiles(
    predictions: Mapping[str, Predicted],
    cut: Mapping[str, str],
    colours: Mapping[str, str],
    limit: float,
) -> list[Tile]:
    """The best of the date first."""
    errors = {method: float(each.rmse) for method, each in predictions.items()}
    return [
        Tile(
            method,
            colours[method],
            f"{fixed(-20 * math.log10(max(errors[method], _EXACT)), 2)} dB",
            cut.get(method, ""),
            picture_jpeg(predictions[method].image),
            scale_png(predictions[method].error.astype(np.float32), limit),
        )
        for method in sorted(predictions, key=lambda each: errors[each])
    ]


def _limit(by_method: Mapping[str, MethodPicture]) -> float:
    """Where the scale of errors ends: one for all methods, from linear interpolation where it was finished."""
    first = by_method.get(LINEAR) or next(iter(by_method.values()))
    errors = first.result.error[np.isfinite(first.result.error)].astype(np.float64)
    return float(f"{max(np.percentile(errors, _ERROR_PERCENTILE), 1e-4):.2g}") if errors.size else 1e-4


def _marks(case: CasePicture) -> list[tuple[float, float]]:
    height, width = case.truth.shape[:2]
    cells = case.places // int(case.cell_px)
    return [(100 * (column + 0.5) / width, 100 * (row + 0.5) / height) for row, column in cells.tolist()]


def _pixel(
    case: CasePicture, k: int, results: Mapping[str, Predicted], colours: Mapping[str, str], shown: Sequence[str]
) -> Pixel:
    row, column = (int(place) for place in case.places[k])
    title = f"{k + 1}: row {row}, column {column}"
    series = {name: each.series[k] for name, each in results.items()}
    spectra = [(name, colours[name], _finite(values[int(case.t)])) for name, values in series.items()]
    indices = [(name, colours[name], _index(values, case)) for name, values in series.items()]
    return Pixel(
        title,
        _spectrum_chart(case, k, title, spectra, shown, WIDTH),
        _index_chart(case, k, title, indices, shown, WIDTH),
        [
            (
                name,
                _spectrum_chart(case, k, title, spectra, [name], SMALL_WIDTH),
                _index_chart(case, k, title, indices, [name], SMALL_WIDTH),
            )
            for name in results
        ],
    )


def _spectrum_chart(
    case: CasePicture, k: int, title: str, every: Sequence[Line], shown: Sequence[str], width: float
) -> LinesChart:
    """Of the methods `shown`, on the axis of all."""
    return spectrum_chart(
        [str(band) for band in case.bands],
        _finite(case.series[k, int(case.t)]),
        _of(every, shown),
        label=f"Spectrum on {case.date}, pixel {title}: {', '.join(shown)}",
        width=width,
        beside=every,
    )


def _index_chart(
    case: CasePicture, k: int, title: str, every: Sequence[Line], shown: Sequence[str], width: float
) -> LinesChart | None:
    """NDVI of the methods `shown`, on the axis of all; None where bands for it are missing."""
    if ndvi_bands([str(band) for band in case.bands]) is None:
        return None
    days = [float(day) for day in (case.dates.astype("datetime64[D]") - np.datetime64(case.dates[0])).astype(int)]
    return index_chart(
        days,
        _index(case.series[k], case),
        [bool(saw) for saw in case.shown[k]],
        _of(every, shown),
        ends=(str(case.dates[0]), str(case.dates[-1])),
        mark=days[int(case.t)],
        label=f"NDVI, pixel {title}: {', '.join(shown)}",
        width=width,
        beside=every,
    )


def _of(every: Sequence[Line], shown: Sequence[str]) -> list[Line]:
    return [line for name in shown for line in every if line[0] == name]


def _index(series: Float32, case: CasePicture) -> list[float | None]:
    """NDVI of (T, C); nothing where bands for it are missing."""
    bands = [str(band) for band in case.bands]
    wanted = ndvi_bands(bands)
    if wanted is None:
        return []
    red, infrared = (series[:, bands.index(band)] for band in wanted)
    return _finite(ndvi(red, infrared))


def _finite(values: Float32) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
