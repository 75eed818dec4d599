"""Pictures of a sequence: thumbnails for the report and one preview, all dates in one fixed stretch.

Scenes arrive window by window and are kept as small area means only, so a picture of a large scene costs little memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.bands import FALSE_COLOURS, NATURAL_COLOUR
from seq2seq.sequence import Bool, Dates, Float32

if TYPE_CHECKING:
    from PIL.Image import Image

UInt8 = NDArray[np.uint8]

# Percentiles of the observed pixels that become black and white. Wider ones let single bright roofs dim the fields.
_PERCENTILES = (1.0, 99.0)
# Lifts the middle: reflectance of land is skewed towards dark.
_GAMMA = 1.25
# Fewer clear cells than this say too little about a scene's brightness.
_MIN_CLEAR_CELLS = 64
# From none to the most doubt: five steps of a scale that grows in lightness, so that all eyes can read it.
_DOUBT = np.array([(0, 34, 78), (66, 78, 107), (124, 123, 120), (186, 174, 108), (255, 234, 70)], dtype=np.float32)
# Of the cells with doubt, the share that the scale spans: a few cells on one date may not dim all others.
_DOUBT_PERCENTILE = 98.0
# The grey of cells without data, and the colour of clouds in mask pictures.
_NO_DATA = (58, 64, 70)
_CLOUD = (128, 142, 160)


def display_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """The bands to show as red, green, blue: natural colour, else a false colour, else the first band alone as grey."""
    for triple in (NATURAL_COLOUR, *FALSE_COLOURS):
        if set(triple) <= set(bands):
            return triple
    return (bands[0],)


@dataclass(frozen=True, eq=False)
class Stretch:
    """What becomes black (`low`) and white (`high`), reflectance, one value for each displayed band: (C,) each."""

    low: Float32
    high: Float32

    @classmethod
    def of(cls, values: Float32) -> "Stretch":
        """Fits the percentiles of `values` (C, N); a constant band gets a range of 0.01 reflectance."""
        low, high = np.percentile(values, _PERCENTILES, axis=1).astype(np.float32)
        return cls(low, np.maximum(high, low + np.float32(0.01)))

    def apply(self, pixels: Float32) -> UInt8:
        """(C, h, w) reflectance -> (h, w, 3) for the screen. NaN becomes the grey of no data."""
        span = (self.high - self.low)[:, None, None]
        shown = np.clip((pixels - self.low[:, None, None]) / span, 0, 1) ** (1 / _GAMMA)
        image = np.moveaxis(np.broadcast_to(shown, (3, *shown.shape[1:])), 0, -1)
        empty = np.isnan(image).any(-1, keepdims=True)
        return np.where(empty, np.array(_NO_DATA), np.nan_to_num(image) * 255 + 0.5).astype(np.uint8)


class AreaMean:
    """The mean over square cells of an image (C, H, W) that arrives in windows, each pixel once.

    A cell is the smallest whole number of pixels that brings the longer side to `max_px` or less. Pixels that are not
    `counted` are left out.
    """

    def __init__(self, channels: int, shape: tuple[int, int], max_px: int) -> None:
        self.cell_px = -(-max(shape) // max_px)
        cells = tuple(-(-length // self.cell_px) for length in shape)
        self._sum = np.zeros((channels, *cells))
        self._count = np.zeros(cells)

    def add(self, rows: slice, columns: slice, pixels: NDArray[Any], counted: Bool | None = None) -> None:
        """Adds a window: pixels (C, h, w), counted (h, w)."""
        counted = np.ones(pixels.shape[1:], dtype=bool) if counted is None else counted
        cells = (
            slice(rows.start // self.cell_px, (rows.stop - 1) // self.cell_px + 1),
            slice(columns.start // self.cell_px, (columns.stop - 1) // self.cell_px + 1),
        )
        self._sum[:, *cells] += self._add_up(np.where(counted, pixels, 0), rows, columns)
        self._count[cells] += self._add_up(counted.astype(np.float64), rows, columns)

    def mean(self) -> Float32:
        """(C, h, w) means so far, NaN where nothing was counted."""
        with np.errstate(invalid="ignore"):
            return (self._sum / np.where(self._count > 0, self._count, np.nan)).astype(np.float32)

    def _add_up(self, pixels: NDArray[Any], rows: slice, columns: slice) -> NDArray[np.float64]:
        """(..., h, w) -> (..., cells, cells): sums of the pixels in each cell that the window touches."""
        by_rows = np.add.reduceat(pixels, self._starts(rows), axis=-2, dtype=np.float64)
        return np.add.reduceat(by_rows, self._starts(columns), axis=-1)

    def _starts(self, span: slice) -> NDArray[np.intp]:
        """Offsets inside the window at which a cell begins."""
        first = -(-(span.start + 1) // self.cell_px) * self.cell_px
        return np.concatenate([[0], np.arange(first, span.stop, self.cell_px) - span.start]).astype(np.intp)


@dataclass(frozen=True, eq=False)
class Pictures:
    """A sequence at a glance, on every date.

    before, after: (T, C, h, w) reflectance of the displayed `bands`, NaN where there is no data. cloud: (T, h, w), the
    share of each cell that is cloud, shadow or no data. sigma: (T, h, w) reflectance, mean over all bands.
    """

    dates: tuple[str, ...]
    bands: tuple[str, ...]
    before: Float32
    after: Float32
    cloud: Float32
    sigma: Float32

    @property
    def most_doubt(self) -> float:
        """Where the scale of the uncertainty pictures ends, reflectance: nearly all cells with doubt lie below."""
        doubted = self.sigma[self.sigma > 0]
        return float(np.percentile(doubted, _DOUBT_PERCENTILE)) if doubted.size else 0.0

    @property
    def stretch(self) -> Stretch:
        """One for all dates and for before and after, from the clear cells; from the result where too few are clear."""
        clear = (self.cloud == 0) & np.isfinite(self.before).all(1)
        values = np.moveaxis(self.before, 1, 0)[:, clear]
        if values.shape[1] < _MIN_CLEAR_CELLS:
            values = np.moveaxis(self.after, 1, 0).reshape(len(self.bands), -1)
            values = values[:, np.isfinite(values).all(0)]
        return Stretch.of(values if values.size else np.array([[0.0, 0.3]] * len(self.bands), dtype=np.float32))


class Miniatures:
    """Collects `Pictures` from windows of a sequence of any size."""

    def __init__(self, dates: Dates, bands: Sequence[str], shape: tuple[int, int], *, max_px: int = 256) -> None:
        self.dates = tuple(str(date) for date in dates)
        self.bands = display_bands(bands)
        self._shown = [list(bands).index(band) for band in self.bands]
        channels = len(self.bands)
        self._before = [AreaMean(channels, shape, max_px) for _ in self.dates]
        self._after = [AreaMean(channels, shape, max_px) for _ in self.dates]
        self._cloud = [AreaMean(1, shape, max_px) for _ in self.dates]
        self._sigma = [AreaMean(1, shape, max_px) for _ in self.dates]

    def add(
        self,
        date: int,
        rows: slice,
        columns: slice,
        *,
        before: Float32,
        after: Float32,
        sigma: Float32,
        cloud_mask: Bool,
    ) -> None:
        """Adds one window of one date, once: before and after (C, h, w) with all of `bands`, cloud_mask (h, w), sigma
        of any bands (B, h, w), of which the mean is kept.

        Pixels of `before` that are 0 or not finite in all bands have no data.
        """
        has_data = (np.nan_to_num(before) != 0).any(0)
        self._before[date].add(rows, columns, np.nan_to_num(before[self._shown]), has_data)
        self._after[date].add(rows, columns, after[self._shown])
        self._cloud[date].add(rows, columns, cloud_mask[None])
        self._sigma[date].add(rows, columns, sigma.mean(axis=0, keepdims=True))

    def pictures(self) -> Pictures:
        """What has been collected."""
        return Pictures(
            dates=self.dates,
            bands=self.bands,
            before=np.stack([date.mean() for date in self._before]),
            after=np.stack([date.mean() for date in self._after]),
            cloud=np.nan_to_num(np.stack([date.mean()[0] for date in self._cloud]), nan=1.0),
            sigma=np.nan_to_num(np.stack([date.mean()[0] for date in self._sigma])),
        )


@dataclass(frozen=True)
class Thumbnail:
    """One date: JPEG of the input, PNG of its cloud mask (cloud opaque, clear transparent), JPEG of the result, and PNG
    of its uncertainty (transparent where observed), whose scale runs to `most_doubt`, reflectance, on every date."""

    date: str
    before: bytes
    cloud_mask: bytes
    after: bytes
    sigma: bytes
    most_doubt: float


def thumbnails(pictures: Pictures) -> list[Thumbnail]:
    """One for each date, in one stretch and one scale of uncertainty."""
    stretch = pictures.stretch
    return [
        Thumbnail(
            date=date,
            before=picture_jpeg(stretch.apply(pictures.before[t])),
            cloud_mask=_mask_png(pictures.cloud[t]),
            after=picture_jpeg(stretch.apply(pictures.after[t])),
            sigma=_doubt_png(pictures.sigma[t], pictures.most_doubt),
            most_doubt=pictures.most_doubt,
        )
        for t, date in enumerate(pictures.dates)
    ]


def preview_png(pictures: Pictures, *, columns: int = 6, cell_px: int = 224, note: str | None = None) -> bytes:
    """PNG: a choice of dates, the input above, the result below, each named. `note`: a line below the picture."""
    chosen = choose_dates(pictures.cloud.mean((1, 2)), columns)
    stretch = pictures.stretch
    rows = [
        ("cloudy", [stretch.apply(pictures.before[t]) for t in chosen]),
        ("cloud-free", [stretch.apply(pictures.after[t]) for t in chosen]),
    ]
    return _draw_grid(rows, [pictures.dates[t] for t in chosen], cell_px=cell_px, note=note)


def choose_dates(cloud_fraction: NDArray[np.floating], count: int) -> list[int]:
    """Indices of up to `count` dates spread over the sequence; of each stretch of time the one nearest to half cloudy.

    Half cloudy dates show best what was restored and what it has to agree with.
    """
    parts = np.array_split(np.arange(len(cloud_fraction)), min(count, len(cloud_fraction)))
    return [int(part[np.argmin(np.abs(cloud_fraction[part] - 0.5))]) for part in parts]


def _draw_grid(rows: list[tuple[str, list[UInt8]]], dates: list[str], *, cell_px: int, note: str | None) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    height, width = rows[0][1][0].shape[:2]
    scale = cell_px / max(height, width)
    cell_width, cell_height = max(1, round(width * scale)), max(1, round(height * scale))
    gap, left, top, bottom = 6, 40, 40, 34 if note else 14
    size = (left + len(dates) * (cell_width + gap) + 14 - gap, top + len(rows) * (cell_height + gap) - gap + bottom)
    canvas = Image.new("RGB", size, (17, 22, 26))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for column, date in enumerate(dates):
        middle = left + column * (cell_width + gap) + cell_width / 2
        draw.text((middle, top - 11), date, font=font, fill=(226, 232, 230), anchor="ms")
    for row, (name, images) in enumerate(rows):
        y = top + row * (cell_height + gap)
        _draw_upright(canvas, name, (left / 2, y + cell_height / 2), font)
        for column, image in enumerate(images):
            picture = Image.fromarray(image).resize((cell_width, cell_height), Image.Resampling.BICUBIC)
            canvas.paste(picture, (left + column * (cell_width + gap), y))
    if note:
        draw.text((left, size[1] - 12), note, font=ImageFont.load_default(14), fill=(150, 162, 160), anchor="ls")
    return _encoded(canvas, "PNG")  # the smallest there is would be 1 to 4 % smaller and take up to seven times as long


def _draw_upright(canvas: "Image", text: str, centre: tuple[float, float], font: Any) -> None:
    """Text that reads from bottom to top."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(text)
    label = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(label).text((2 - left, 2 - top), text, font=font, fill=255)
    label = label.rotate(90, expand=True)
    corner = (round(centre[0] - label.width / 2), round(centre[1] - label.height / 2))
    canvas.paste((226, 232, 230), (*corner, corner[0] + label.width, corner[1] + label.height), label)


def picture_jpeg(image: UInt8) -> bytes:
    """(h, w, 3) as a JPEG of good quality."""
    from PIL import Image

    return _encoded(Image.fromarray(image), "JPEG", quality=88, subsampling=0)


def _mask_png(cloud: Float32) -> bytes:
    from PIL import Image

    colour = np.broadcast_to(np.array(_CLOUD, dtype=np.uint8), (*cloud.shape, 3))
    alpha = np.round(cloud * 255).astype(np.uint8)[..., None]
    return _encoded(Image.fromarray(np.concatenate([colour, alpha], -1), "RGBA"), "PNG", optimize=True)


def doubt_colours() -> list[str]:
    """The scale of the uncertainty pictures, from none to the most, for a legend: #rrggbb."""
    return ["#" + "".join(f"{int(value):02x}" for value in colour) for colour in _DOUBT]


def _doubt_png(sigma: Float32, most: float) -> bytes:
    """(h, w) reflectance; cells without any doubt are transparent."""
    from PIL import Image

    place = np.clip(sigma / most if most else sigma, 0, 1) * (len(_DOUBT) - 1)
    steps = np.arange(len(_DOUBT))
    channels = [np.interp(place, steps, _DOUBT[:, channel]) for channel in range(3)]
    alpha = np.where(sigma > 0, 255.0, 0.0)
    colour = np.stack([*channels, alpha], axis=-1).round().astype(np.uint8)
    return _encoded(Image.fromarray(colour, "RGBA"), "PNG", optimize=True)


def _encoded(image: "Image", kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
