"""What is looked at: a sequence, or a finished result with the sequence that it came from, read window by window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.errors import ConfigError
from seq2seq.looking.views import View
from seq2seq.readers import SequenceSource
from seq2seq.readers.contents import Window
from seq2seq.readers.pairing import describe_pixel
from seq2seq.report.inspection import sequence_name
from seq2seq.sequence import Bool, Float32, crs_name

# Of a window that is read: float32 as read and in copies.
_COPIES = 3
_SMALLEST_SIDE = 64


def split_window(window: Window, bytes_per_pixel: int, budget_bytes: int) -> Iterator[Window]:
    """Parts that take at most the budget: whole rows where enough of them fit, squares otherwise."""
    height, width = window.shape
    rows = budget_bytes // (bytes_per_pixel * width)
    columns = width
    if rows < min(height, _SMALLEST_SIDE):
        rows = columns = max(_SMALLEST_SIDE, isqrt(budget_bytes // bytes_per_pixel))
    for row in range(window.row, window.row_end, rows):
        for column in range(window.column, window.column_end, columns):
            yield Window(row, min(row + rows, window.row_end), column, min(column + columns, window.column_end))


@dataclass(frozen=True, eq=False)
class SceneInfo:
    """What a picture says of its scene.

    cloud: (T,) share of the scene that is cloud, shadow or no data. s1_dates: the acquisition paired to each date.
    mask_source, simulated: None where nobody knows, as of arrays in memory. notes: what the user should know, a line
    each. made: of a result, of what and how; method, created: the same by itself, with the time in ISO. is_result: it
    has an after and an uncertainty beside what was before. requested: dates that were asked for and never acquired.
    """

    name: str
    dates: tuple[str, ...]
    bands: tuple[str, ...]
    s1_bands: tuple[str, ...]
    s1_dates: tuple[str | None, ...]
    geobox: GeoBox
    cloud: tuple[float, ...]
    mask_source: str | None
    simulated: bool | None
    notes: tuple[str, ...] = ()
    made: str = ""
    is_result: bool = False
    method: str = ""
    created: str = ""
    requested: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name, what it was made of, and that it is simulated where it is."""
        made = f", {self.made}" if self.made else ""
        return f"{self.name}{made}{' (simulated data)' if self.simulated else ''}"

    @property
    def in_memory(self) -> bool:
        """True for what a program holds, which no command and no file names."""
        return self.mask_source is None

    @property
    def images(self) -> int:
        """How many pictures show a date."""
        return 3 if self.is_result else 1

    @property
    def whole(self) -> Window:
        """All of it."""
        height, width = self.geobox.shape
        return Window(0, height, 0, width)

    def position(self, date: str) -> int:
        """Where a date stands. Raises `ConfigError` naming those that there are."""
        if date not in self.dates:
            raise ConfigError(
                f"--date {date}: {self.name} has {len(self.dates)} dates, {self.dates[0]} to {self.dates[-1]}, and not "
                f"this one; {nearest_day(date, self.dates)}"
            )
        return self.dates.index(date)

    def facts(self) -> str:
        """One line: dates and grid."""
        height, width = self.geobox.shape
        return (
            f"{len(self.dates)} dates, {self.dates[0]} to {self.dates[-1]}  ·  {height} x {width} px  ·  "
            f"{describe_pixel(self.geobox)}, {crs_name(self.geobox)}"
        )

    def credit(self) -> str:
        """Whose data it is: never without its label where it is simulated; nothing where nobody knows."""
        if self.simulated is None:
            return ""
        if self.simulated:
            return "Simulated data."
        years = sorted({date[:4] for date in self.dates})
        return f"Contains modified Copernicus Sentinel data {'-'.join(dict.fromkeys((years[0], years[-1])))}."


@dataclass(frozen=True, eq=False)
class Part:
    """A window of all dates, in the B bands of a view.

    before: (T, B, h, w), NaN without data. cloud_mask: (T, h, w). after, sigma: (T, B, h, w) reflectance, of a result.
    """

    before: Float32
    cloud_mask: Bool
    after: Float32 | None = None
    sigma: Float32 | None = None


class Scene(Protocol):
    """A sequence or a result."""

    @property
    def info(self) -> SceneInfo:
        """Known before anything is read."""

    @property
    def bytes_per_pixel(self) -> int:
        """What reading takes for each pixel of a window."""

    def read(self, area: Window, view: View) -> Part:
        """A window of all dates."""


class SequenceScene:
    """An open sequence as a scene."""

    def __init__(self, source: SequenceSource) -> None:
        self.source, found = source, source.info
        self.info = SceneInfo(
            name=sequence_name(found.path),
            dates=tuple(map(str, found.dates)),
            bands=found.bands,
            s1_bands=found.s1_bands,
            s1_dates=tuple(None if np.isnat(date) else str(date) for date in found.s1_dates),
            geobox=found.geobox,
            cloud=tuple(map(float, source.cloud_fractions)),
            mask_source=found.mask_source,
            simulated=found.simulated,
        )

    @property
    def bytes_per_pixel(self) -> int:
        """Of all bands of all dates, which are read together."""
        channels = len(self.info.bands) + len(self.info.s1_bands)
        return 4 * _COPIES * channels * len(self.info.dates)

    def read(self, area: Window, view: View) -> Part:
        """A window of all dates. Raises `UnreadableFileError`."""
        found = self.source.read(*area.slices)
        images = found.s1 if view.radar else found.s2
        assert images is not None, "the view was chosen among bands that are there"
        has_data = images.observed if view.radar else (images.pixels != 0).any(axis=1)
        pixels = images.pixels[:, [images.bands.index(band) for band in view.bands]]
        return Part(np.where(has_data[:, None], pixels, np.float32(np.nan)), found.cloud_mask)


def nearest_day(date: str, dates: Sequence[str]) -> str:
    """The date nearest in time, or how a date is written."""
    try:
        wanted = np.datetime64(date, "D")
    except ValueError:
        return f"a date is written as {dates[0]}"
    days = np.abs((np.array(dates, dtype="datetime64[D]") - wanted).astype(np.int64))
    return f"nearest is {dates[int(days.argmin())]}"
