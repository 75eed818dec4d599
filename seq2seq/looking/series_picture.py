"""Charts of pixels over time as a picture, beside a map that shows where they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from seq2seq.looking.compass import degrees, lonlat, scale_of
from seq2seq.looking.glance import Glance
from seq2seq.looking.layout import INK, LINE, SOFT, Colour, Piece, blank, font, framed, image_of, text_width, wrapped
from seq2seq.looking.paint import Paint, enlarged
from seq2seq.looking.scene import SceneInfo
from seq2seq.looking.series import Curve, Pixel
from seq2seq.looking.sheet import zoom_for
from seq2seq.report.charts import Frame, Point, span_of
from seq2seq.sequence import Float32, days_since_first
from seq2seq.validation.calibration import NORMAL_90

MAP_PX = 220
_WIDTH, _HEIGHT, _HEAD, _NAME, _GAP = 900, 200, 24, 16, 16
# Drawn so many times as large, then reduced: lines have no steps.
_SHARP = 2
_RESULT: Colour = (47, 191, 146)
_BAND: Colour = (24, 72, 60)
_LINEAR: Colour = (154, 165, 173)
_MASKED: Colour = (255, 45, 150)
_MOST_TICKS = 9
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True)
class Mark:
    """An entry of the legend: how a kind of value is drawn."""

    text: str
    kind: str

    @property
    def width(self) -> int:
        """Of sign and text."""
        return 32 + text_width(self.text, 13)

    def draw(self, canvas: Image.Image, x: int, y: int) -> None:
        """Draws sign and text."""
        draw = ImageDraw.Draw(canvas)
        if self.kind == "result":
            draw.rectangle((x, y - 6, x + 24, y + 6), fill=_BAND)
            draw.line((x, y, x + 24, y), fill=_RESULT, width=2)
        elif self.kind == "linear":
            for left in (x, x + 9, x + 18):
                draw.line((left, y, left + 5, y), fill=_LINEAR, width=2)
        else:
            _dot(draw, (x + 12, y), 4, ring=self.kind == "masked")
        draw.text((x + 32, y), self.text, font=font(13), fill=SOFT, anchor="lm")


def series_picture(
    info: SceneInfo,
    pixels: Sequence[tuple[Pixel, Sequence[Curve]]],
    *,
    unit: str,
    chart: tuple[Glance, Paint],
    captions: Sequence[str] = (),
) -> Image.Image:
    """Charts for each pixel below one another, and a map. chart: one date of the scene, and how it is painted."""
    curves = [curve for _, each in pixels for curve in each]
    where, zoom = _map(info, *chart, [pixel for pixel, _ in pixels])
    rows = [_pixel_charts(info, pixel, each, number, unit) for number, (pixel, each) in enumerate(pixels, 1)]
    height = max(where.height, sum(row.height + _GAP for row in rows) - _GAP)
    body = blank(where.width + 24 + _WIDTH, height)
    body.paste(where, (0, 0))
    y = 0
    for row in rows:
        body.paste(row, (where.width + 24, y))
        y += row.height + _GAP
    legend: list[Piece] = [scale_of(info.geobox, cell_px=chart[0].cell_px, zoom=zoom, most_px=110), *_marks(curves)]
    texts = [*captions, info.credit()]
    return framed(body, title=f"{info.title}, pixels over time", facts=info.facts(), legend=legend, captions=texts)


def _marks(curves: Sequence[Curve]) -> list[Mark]:
    """What is drawn anywhere."""
    found = [Mark("observed", "observed")]
    if any(np.isfinite(curve.masked).any() for curve in curves):
        found.append(Mark("in the input, under the mask (triangle: beyond the axis)", "masked"))
    if any(curve.linear is not None for curve in curves):
        found.append(Mark("linear interpolation of clear dates", "linear"))
    if any(curve.result is not None for curve in curves):
        found.append(Mark("result, 90 % interval", "result"))
    return found


def _map(info: SceneInfo, glance: Glance, paint: Paint, pixels: Sequence[Pixel]) -> tuple[Image.Image, int]:
    """One date with the pixels numbered, and how many pixels of it a cell takes."""
    zoom = zoom_for(glance.shape, MAP_PX)
    image = image_of(enlarged(paint(glance.before[0]), zoom))
    lines = wrapped(f"{info.dates[glance.positions[0]]}, {paint.view.title}", 12, image.width)
    canvas = blank(image.width, image.height + 8 + 16 * len(lines))
    canvas.paste(image, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, pixel in enumerate(pixels, 1):
        x, y = ((place + 0.5) / glance.cell_px * zoom for place in (pixel.column, pixel.row))
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline=(0, 0, 0), width=3)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=(255, 255, 255), width=2)
        side = -1 if x > image.width - 24 else 1
        draw.text(
            (x + side * 9, y),
            str(number),
            font=font(14),
            fill=(255, 255, 255),
            anchor="lm" if side > 0 else "rm",
            stroke_width=2,
            stroke_fill=(0, 0, 0),
        )
    for k, line in enumerate(lines):
        draw.text((0, image.height + 6 + 16 * k), line, font=font(12), fill=SOFT, anchor="la")
    return canvas, zoom


def _pixel_charts(info: SceneInfo, pixel: Pixel, curves: Sequence[Curve], number: int, unit: str) -> Image.Image:
    """A heading, and a chart for each channel."""
    down = _NAME + _HEIGHT
    canvas = blank(_WIDTH, _HEAD + len(curves) * down)
    draw = ImageDraw.Draw(canvas)
    longitude, latitude = lonlat(info.geobox, pixel.row + 0.5, pixel.column + 0.5)
    heading = f"{number}   row {pixel.row}, column {pixel.column}   {degrees(latitude, longitude)}"
    draw.text((0, 0), heading, font=font(14), fill=INK, anchor="la")
    for k, curve in enumerate(curves):
        name = f"{curve.name}, {unit}" if curve.name != unit else unit
        draw.text((52, _HEAD + k * down), name, font=font(12), fill=SOFT, anchor="la")
        canvas.paste(_chart(info.dates, curve, bounded=unit == "NDVI"), (0, _HEAD + _NAME + k * down))
    return canvas


def _chart(dates: Sequence[str], curve: Curve, *, bounded: bool) -> Image.Image:
    """bounded: values lie in [-1, 1], and so does the interval."""
    days = days_since_first(np.array(dates, dtype="datetime64[D]")).astype(float).tolist()
    interval = _interval(curve, bounded=bounded)
    frame = Frame(float(_WIDTH), days[0], days[-1], *_range(curve, interval), height=float(_HEIGHT))
    canvas = blank(_WIDTH * _SHARP, _HEIGHT * _SHARP)
    draw = ImageDraw.Draw(canvas)
    _axes(draw, frame, dates)
    edges = [*_points(days, interval[1]), *_points(days, interval[0])[::-1]] if interval else []
    if len(edges) > 3:
        draw.polygon([_at(frame, *point) for point in edges], fill=_BAND)
    if curve.linear is not None:
        _dashed(draw, [_at(frame, *point) for point in _points(days, curve.linear)])
    if curve.result is not None:
        draw.line([_at(frame, *point) for point in _points(days, curve.result)], fill=_RESULT, width=2 * _SHARP)
    for day, value in _points(days, curve.masked):
        _masked(draw, frame, day, value)
    for day, value in _points(days, curve.observed):
        _dot(draw, _at(frame, day, value), 3.5 * _SHARP, ring=False)
    return canvas.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)


def _interval(curve: Curve, *, bounded: bool) -> tuple[Float32, Float32] | None:
    """(T,) lower and upper end, 90 %, of a result."""
    if curve.result is None or curve.sigma is None:
        return None
    half = NORMAL_90 * curve.sigma
    low, high = (-1, 1) if bounded else (-np.inf, np.inf)
    lower, upper = (np.clip(curve.result + side, low, high).astype(np.float32) for side in (-half, half))
    return lower, upper


def _range(curve: Curve, interval: tuple[Float32, Float32] | None) -> tuple[float, float]:
    """What the axis spans: all but what the mask hides, which may be as bright as a cloud; or that where it is all."""
    values = [each for each in (curve.observed, curve.linear, curve.result, *(interval or ())) if each is not None]
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    if not found.size:
        found = curve.masked[np.isfinite(curve.masked)]
    return span_of(found.astype(float).tolist() or [0.0, 1.0])


def _points(days: Sequence[float], values: Float32) -> list[Point]:
    """Days and values, of those that are finite."""
    return [(day, float(value)) for day, value in zip(days, values, strict=True) if np.isfinite(value)]


def _at(frame: Frame, day: float, value: float) -> Point:
    x, y = frame.place(day, value)
    return x * _SHARP, y * _SHARP


def _axes(draw: ImageDraw.ImageDraw, frame: Frame, dates: Sequence[str]) -> None:
    small = font(12 * _SHARP)
    for level in frame.levels():
        y = level.y * _SHARP
        draw.line((frame.left * _SHARP, y, frame.right * _SHARP, y), fill=LINE, width=_SHARP)
        draw.text(((frame.left - 8) * _SHARP, y), level.label, font=small, fill=SOFT, anchor="rm")
    bottom = frame.place(frame.first, frame.low)[1] * _SHARP
    for day, text in month_ticks(dates):
        x = frame.place(day, frame.low)[0] * _SHARP
        draw.line((x, bottom, x, bottom + 4 * _SHARP), fill=SOFT, width=_SHARP)
        draw.text((x, bottom + 7 * _SHARP), text, font=small, fill=SOFT, anchor="ma")


def month_ticks(dates: Sequence[str]) -> list[tuple[float, str]]:
    """Days from the first date to the first of months, few enough to be read; both ends where there are none."""
    first, last = (np.datetime64(date, "D") for date in (dates[0], dates[-1]))
    months = np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 1)
    inside = months[(months.astype("datetime64[D]") >= first)]
    for step in _MONTHS:
        chosen = inside[inside.astype(int) % step == 0]
        if len(chosen) <= _MOST_TICKS:
            break
    if len(chosen) < 2:
        ends = (first,) if first == last else (first, last)
        return [(float((end - first).astype(int)), str(end)) for end in ends]
    return [(float((month.astype("datetime64[D]") - first).astype(int)), str(month)) for month in chosen]


def _dot(draw: ImageDraw.ImageDraw, place: Point, radius: float, *, ring: bool) -> None:
    x, y = place
    box = (x - radius, y - radius, x + radius, y + radius)
    if ring:
        draw.ellipse(box, outline=_MASKED, width=max(1, round(radius / 3)))
    else:
        draw.ellipse(box, fill=INK)


def _masked(draw: ImageDraw.ImageDraw, frame: Frame, day: float, value: float) -> None:
    """A ring, or at the edge a triangle where the value lies beyond the axis."""
    if frame.low <= value <= frame.high:
        _dot(draw, _at(frame, day, value), 3.5 * _SHARP, ring=True)
        return
    up = value > frame.high
    x, y = _at(frame, day, frame.high if up else frame.low)
    size, turn = 4 * _SHARP, 1 if up else -1
    draw.polygon([(x, y), (x - size, y + turn * 1.6 * size), (x + size, y + turn * 1.6 * size)], fill=_MASKED)


def _dashed(draw: ImageDraw.ImageDraw, points: Sequence[Point]) -> None:
    """A line in dashes of one length, whatever the distance of its points."""
    dash, gap, done = 7.0 * _SHARP, 5.0 * _SHARP, 0.0
    for (x, y), (x_end, y_end) in pairwise(points):
        length, at = float(np.hypot(x_end - x, y_end - y)), 0.0
        while at < length:
            phase = (done + at) % (dash + gap)
            step = min(length - at, (dash if phase < dash else dash + gap) - phase + 1e-6)
            if phase < dash:
                a, b = at / length, (at + step) / length
                ends = (x + a * (x_end - x), y + a * (y_end - y), x + b * (x_end - x), y + b * (y_end - y))
                draw.line(ends, fill=_LINEAR, width=2 * _SHARP)
            at += step
        done += length
