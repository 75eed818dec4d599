"""The styles of a bundle: how stored values of a window become pictures of each date, in scales fixed for all dates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq.products.styles import DOUBT
from seq2seq.report.quicklook import Stretch, UInt8
from seq2seq.sequence import Float32
from seq2seq.viewing.blocks import DB_NO_DATA, DB_STEP, HIDDEN, NO_DATA, SIGMA_NO_DATA, SIGMA_STEP, Block

# Of a 16-bit value there are so many: a table of what each becomes is faster than computing it.
_VALUES = 1 << 16
# Steps of a scale of colours.
_STEPS = 1024
MASK_COLOUR = "#e6007e"
DIVERGING = ("#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b")
Paint = Callable[[Block], UInt8]


@dataclass(frozen=True)
class Style:
    """A way to paint a block. paint: -> (T, h, w, 4), transparent where there is nothing to show.

    flat: of few colours, which are to stay as they are. about: bands, stretch and legend as scene.json has them.
    """

    name: str
    title: str
    of: Literal["input", "result"]
    paint: Paint
    flat: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Its entry in scene.json."""
        return {
            "name": self.name,
            "title": self.title,
            "of": self.of,
            "bands": None,
            "stretch": None,
            "legend": None,
        } | {**self.about}


@dataclass(frozen=True, eq=False)
class Scale:
    """Stored values of reflectance. nodata: of the dtype."""

    dtype: str
    scale: float
    offset: float
    nodata: float

    def physical(self, stored: Float32) -> Float32:
        """The same without a look at no data."""
        return stored * np.float32(self.scale) + np.float32(self.offset)

    def reflectance(self, stored: NDArray[Any]) -> Float32:
        """Any shape, float32; NaN where there is no data."""
        values = self.physical(stored.astype(np.float32))
        return values if np.isnan(self.nodata) else np.where(stored == self.nodata, np.float32(np.nan), values)


def composite(channels: list[int], stretch: Stretch, scale: Scale, which: Literal["before", "after"]) -> Paint:
    """Red, green and blue of the bands at `channels`."""
    singles = [Stretch(stretch.low[k : k + 1], stretch.high[k : k + 1]) for k in range(len(channels))]

    def shown(k: int, values: Float32) -> UInt8:
        painted: UInt8 = singles[k].apply(values.reshape(1, 1, -1))[..., 0].reshape(values.shape)
        return painted

    tables = None
    if np.dtype(scale.dtype).itemsize == 2 and np.issubdtype(np.dtype(scale.dtype), np.integer):
        every = np.arange(_VALUES, dtype=np.uint16).view(scale.dtype)
        tables = [shown(k, scale.reflectance(every)) for k in range(len(channels))]

    def paint(block: Block) -> UInt8:
        stored: NDArray[Any] = getattr(block, which)[:, channels]
        picture = np.empty((len(stored), *stored.shape[2:], 4), dtype=np.uint8)
        for k in range(len(channels)):
            values = np.ascontiguousarray(stored[:, k])
            picture[..., k] = (
                tables[k][values.view(np.uint16)] if tables is not None else shown(k, scale.reflectance(values))
            )
        picture[..., 3] = _alpha((block.mask[:, 0] != NO_DATA) if which == "before" else None, picture)
        return picture

    return paint


def _alpha(has_data: NDArray[np.bool_] | None, picture: UInt8) -> Any:
    return 255 if has_data is None else np.where(has_data, np.uint8(255), np.uint8(0))


def ramp(values: Callable[[Block], Float32], colours: tuple[str, ...], low: float, high: float) -> Paint:
    """Colours for values from `low` to `high`; NaN is transparent."""
    table = _colour_table(colours)

    def paint(block: Block) -> UInt8:
        found = values(block)
        with np.errstate(invalid="ignore"):
            place = np.clip((found - np.float32(low)) * np.float32((_STEPS - 1) / (high - low)), 0, _STEPS - 1)
        there = np.isfinite(found)
        picture = table[np.where(there, place, 0).astype(np.int16)]
        picture[~there] = 0
        return picture

    return paint


def _colour_table(colours: tuple[str, ...]) -> UInt8:
    """(_STEPS, 4), opaque."""
    ends = np.array([[int(text[k : k + 2], 16) for k in (1, 3, 5)] for text in colours], dtype=np.float64)
    places = np.linspace(0, len(ends) - 1, _STEPS)
    channels = [np.interp(places, np.arange(len(ends)), ends[:, k]) for k in range(3)]
    return np.stack([*channels, np.full(_STEPS, 255.0)], axis=-1).round().astype(np.uint8)


def mask_paint(block: Block) -> UInt8:
    """One strong colour where a date was hidden, transparent elsewhere."""
    colour = np.array([*bytes.fromhex(MASK_COLOUR[1:]), 255], dtype=np.uint8)
    return np.where((block.mask[:, 0] == HIDDEN)[..., None], colour, np.zeros(4, dtype=np.uint8))


def radar_paint(stretch: Stretch) -> Paint:
    """VV, VH and VV - VH as red, green and blue; one alone as grey."""

    def paint(block: Block) -> UInt8:
        assert block.s1 is not None
        db = radar_channels(np.where(block.s1 == DB_NO_DATA, np.float32(np.nan), block.s1 * np.float32(DB_STEP)))
        picture = np.zeros((len(db), *db.shape[2:], 4), dtype=np.uint8)
        for t, channels in enumerate(db):
            picture[t, ..., :3] = stretch.apply(channels)
        picture[..., 3] = np.where(np.isfinite(db).all(axis=1), 255, 0)
        picture[picture[..., 3] == 0] = 0
        return picture

    return paint


def radar_channels(db: Float32) -> Float32:
    """(..., K, h, w) dB -> (..., 3, h, w) VV, VH and their difference; of a single one just that."""
    if db.shape[-3] < 2:
        return db[..., :1, :, :]
    return np.concatenate([db[..., :2, :, :], db[..., :1, :, :] - db[..., 1:2, :, :]], axis=-3)


def uncertainty_of(channels: list[int]) -> Callable[[Block], Float32]:
    """The mean sigma of the bands at `channels`, (T, h, w) reflectance."""

    def values(block: Block) -> Float32:
        stored = block.sigma[:, channels]
        mean = stored.mean(axis=1, dtype=np.float32) * np.float32(SIGMA_STEP)
        return np.where((stored == SIGMA_NO_DATA).any(axis=1), np.float32(np.nan), mean)

    return values


def uncertainty(channels: list[int], high: float) -> Style:
    """From none, dark, to `high`, light."""
    legend = {"unit": "reflectance", "low": 0.0, "high": high, "colours": list(DOUBT)}
    paint = ramp(uncertainty_of(channels), DOUBT, 0.0, high)
    return Style("uncertainty", "Uncertainty (one standard deviation)", "result", paint, about={"legend": legend})
