"""Pixels over time: what was observed, what the mask hid, interpolation, and of a result what it made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.errors import ConfigError
from seq2seq.interpolation import linear_interpolation
from seq2seq.looking.compass import place_of
from seq2seq.looking.scene import Part, Scene, SceneInfo
from seq2seq.looking.views import View
from seq2seq.readers.contents import Window
from seq2seq.sequence import Bool, Float32, days_since_first


@dataclass(frozen=True)
class Pixel:
    """A pixel of the grid, from 0."""

    row: int
    column: int


@dataclass(frozen=True, eq=False)
class Curve:
    """One channel of one pixel, (T,) each: NaN on dates that have no such value.

    observed: clear dates. masked: what the input holds under the mask. linear: between clear dates; None where there is
    none. result, sigma: of a result, else None.
    """

    name: str
    observed: Float32
    masked: Float32
    linear: Float32 | None
    result: Float32 | None
    sigma: Float32 | None


def parse_pixel(text: str, info: SceneInfo) -> Pixel:
    """Reads "ROW,COL". Raises `ConfigError` for anything else, and outside the grid."""
    row, column = _pair("--pixel", text, "ROW,COL", whole=True)
    return _inside(f"--pixel {text}", int(row), int(column), info)


def parse_point(text: str, info: SceneInfo) -> Pixel:
    """Reads "LON,LAT" in degrees (WGS 84), and finds its pixel. Raises `ConfigError` likewise."""
    longitude, latitude = _pair("--point", text, "LON,LAT", whole=False)
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ConfigError(f"--point {text}: must be LON,LAT in degrees, longitude first")
    row, column = place_of(info.geobox, longitude, latitude)
    if not np.isfinite([row, column]).all():
        raise ConfigError(f"--point {text}: is nowhere on the grid of {info.name}")
    return _inside(f"--point {text}", int(np.floor(row)), int(np.floor(column)), info)


def read_curves(scene: Scene, pixel: Pixel, view: View) -> list[Curve]:
    """The channels of a pixel over all dates; of a colour each band by itself."""
    area = Window(pixel.row, pixel.row + 1, pixel.column, pixel.column + 1)
    part = scene.read(area, view)
    has_data = np.asarray(np.isfinite(part.before).all(axis=1))  # (T, 1, 1)
    observed = has_data if view.radar else has_data & ~part.cloud_mask
    before = _flat(view, part.before)  # (T, C)
    linear = _interpolated(part.before, observed, scene.info, view)
    after = None if part.after is None else _flat(view, part.after)
    sigma = _sigma(part, view)
    seen = observed[:, 0, 0]
    return [
        Curve(
            name=name,
            observed=np.where(seen, before[:, k], np.float32(np.nan)),
            masked=np.where(seen, np.float32(np.nan), before[:, k]),
            linear=None if linear is None else linear[:, k],
            result=None if after is None else after[:, k],
            sigma=None if sigma is None else sigma[:, k],
        )
        for k, name in enumerate(view.shown)
    ]


def _pair(option: str, text: str, form: str, *, whole: bool) -> tuple[float, float]:
    try:
        first, second = (int(each) if whole else float(each) for each in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} {text}: must be {form}, such as {'12,40' if whole else '3.02,50.81'}") from None
    return first, second


def _inside(given: str, row: int, column: int, info: SceneInfo) -> Pixel:
    height, width = info.geobox.shape
    if not (0 <= row < height and 0 <= column < width):
        raise ConfigError(
            f"{given}: is row {row}, column {column}, outside {info.name}, rows 0 to {height - 1}, columns 0 to "
            f"{width - 1}"
        )
    return Pixel(row, column)


def _flat(view: View, pixels: Float32) -> Float32:
    """(T, B, 1, 1) -> (T, C)."""
    return view.channels(view.additive(pixels))[:, :, 0, 0]


def _interpolated(before: Float32, observed: Bool, info: SceneInfo, view: View) -> Float32 | None:
    """(T, C), made of bands before an index is; None where no date is clear."""
    if not observed.any():
        return None
    days = days_since_first(np.array(info.dates, dtype="datetime64[D]"))
    return _flat(view, linear_interpolation(np.nan_to_num(before), observed, days))


def _sigma(part: Part, view: View) -> Float32 | None:
    """(T, C) of each channel."""
    if part.after is None or part.sigma is None:
        return None
    if view.kind == "index":
        return view.uncertainty(part.after, part.sigma)[:, None, 0, 0]
    return part.sigma[:, :, 0, 0]


def clearest(info: SceneInfo) -> int:
    """The position of the date with least cloud, for a map of the pixels."""
    return int(np.argmin(info.cloud))


def unique(pixels: Sequence[Pixel]) -> list[Pixel]:
    """Each pixel once, in the order given."""
    return list(dict.fromkeys(pixels))
