"""Which styles a result has, each with one scale for all dates: robust percentiles of the clear pixels."""

from typing import Literal

import numpy as np

from seq2seq.bands import FALSE_COLOURS, NATURAL_COLOUR, S2_BANDS
from seq2seq.interpolation import linear_interpolation, mean_spectrum
from seq2seq.looking.paint import INDEX_COLOURS, index_limits, sigma_ramp
from seq2seq.report.quicklook import Stretch, display_bands
from seq2seq.report.series import ndvi, ndvi_bands
from seq2seq.sequence import Bool, Float32, days_since_first
from seq2seq.viewing import styles
from seq2seq.viewing.blocks import OBSERVED, Block, BlockReader
from seq2seq.viewing.styles import Scale, Style

# Pixels along the longer side of what the scales are fitted to.
_GLANCE_PX = 128
# Fewer clear pixels than this say too little; then the whole result counts.
_MIN_CLEAR = 64
_RADAR_PX = 64
# Of the pixels that were filled, the share that the scale of differences spans.
_DIFFERENCE_PERCENTILE = 98.0
_LEAST_SPAN = 0.01
_TITLES = {"rgb": "Natural colour", "false": "False colour", "ndvi": "Vegetation index (NDVI)"}


def choose_styles(reader: BlockReader) -> tuple[Style, ...]:
    """All styles that the bands of the result, and its S1, allow."""
    fitting = _Fitting(reader)
    found = [*fitting.colours(), *fitting.index()]
    if reader.s1_bands:
        found.append(fitting.radar())
    found += [
        fitting.uncertainty(),
        Style(
            "mask",
            "Clouds and shadows",
            "input",
            styles.mask_paint,
            flat=True,
            about={"legend": {"labels": ["cloud, shadow"], "colours": [styles.MASK_COLOUR]}},
        ),
    ]
    return (*found, fitting.difference())


class _Fitting:
    """The scales of one result, fitted to a glance at all of it."""

    def __init__(self, reader: BlockReader) -> None:
        self._reader, storage = reader, reader.storage
        assert storage.nodata is not None
        self._scale = Scale(storage.dtype, storage.scale, storage.offset, storage.nodata)
        after, self._hidden, self._sigma = reader.glance(_GLANCE_PX)
        self._after = self._scale.reflectance(after)
        ground = [k for k, band in enumerate(reader.bands) if band not in S2_BANDS or not S2_BANDS[band].atmospheric]
        self._ground = ground or list(range(len(reader.bands)))

    def colours(self) -> list[Style]:
        """Natural colour, or what stands for it, and false colour, of input and result in one stretch."""
        bands = self._reader.bands
        found, first = [], display_bands(bands)
        choices: list[tuple[str, tuple[str, ...]]] = [("rgb", first)]
        choices += [("false", triple) for triple in FALSE_COLOURS if set(triple) <= set(bands) and triple != first][:1]
        for name, shown in choices:
            channels = [bands.index(band) for band in (shown if len(shown) == 3 else shown * 3)]
            stretch = Stretch.of(self._clear(self._after[:, channels]))
            title = f"False colour {' '.join(shown)}" if len(shown) == 3 else f"Band {shown[0]} as grey"
            about = {"bands": [bands[k] for k in channels], "stretch": _pairs(stretch)}
            for suffix, of, which in _BOTH:
                paint = styles.composite(channels, stretch, self._scale, which)
                found.append(
                    Style(name + suffix, "Natural colour" if shown == NATURAL_COLOUR else title, of, paint, about=about)
                )
        return found

    def index(self) -> list[Style]:
        """NDVI of input and result, where the bands have it."""
        pair = ndvi_bands(self._reader.bands)
        if pair is None:
            return []
        red, infrared = (self._reader.bands.index(band) for band in pair)
        values = ndvi(self._after[:, red], self._after[:, infrared])[:, None]
        low, high = index_limits(Stretch.of(self._clear(values)))
        legend = {"unit": "NDVI", "low": low, "high": high, "colours": list(INDEX_COLOURS)}
        found = []
        for suffix, of, which in _BOTH:

            def of_block(block: Block, which: str = which) -> Float32:
                stored = getattr(block, which)
                index = ndvi(self._scale.reflectance(stored[:, red]), self._scale.reflectance(stored[:, infrared]))
                return np.where(block.mask[:, 0] == 2, np.float32(np.nan), index) if which == "before" else index

            paint = styles.ramp(of_block, INDEX_COLOURS, low, high)
            about = {"bands": list(pair), "legend": legend}
            found.append(Style(f"ndvi{suffix}", _TITLES["ndvi"], of, paint, about=about))
        return found

    def radar(self) -> Style:
        """S1 as it was paired to each date."""
        sample = self._reader.radar_sample(_RADAR_PX)
        db = styles.radar_channels(sample[:, None, :])[:, 0]
        there = db[:, np.isfinite(db).all(axis=0)]
        stretch = Stretch.of(there if there.size else np.array([[-20.0, 0.0]] * len(db), dtype=np.float32))
        shown = [*self._reader.s1_bands[:2], *(["VV-VH"] if len(db) == 3 else [])]
        about = {"bands": shown, "stretch": _pairs(stretch), "unit": "dB"}
        return Style("s1", "Sentinel-1", "input", styles.radar_paint(stretch), about=about)

    def uncertainty(self) -> Style:
        """The mean over the bands that see the ground."""
        return styles.uncertainty(
            self._ground, round(sigma_ramp(self._sigma[:, self._ground].mean(axis=1)).high, 4) or 0.01
        )

    def difference(self) -> Style:
        """The result minus interpolation in time, the mean over the bands that see the ground."""
        days = days_since_first(np.array(self._reader.info.dates, "datetime64[D]"))
        ground, scale = self._ground, self._scale
        observed = ~self._hidden
        mean = self._after[:, ground].mean(axis=1, keepdims=True)
        fallback = mean_spectrum(mean, observed) if observed.any() else mean.mean(axis=(0, 2, 3))

        def difference(after: Float32, before: Float32, seen: Bool) -> Float32:
            return after[:, 0] - linear_interpolation(before, seen, days, fallback=fallback)[:, 0]

        def of_block(block: Block) -> Float32:
            seen = block.mask[:, 0] == OBSERVED
            # What is no data is not seen: it need not be told from values.
            both = (block.after, block.before)
            after, before = (each[:, ground].mean(axis=1, keepdims=True, dtype=np.float32) for each in both)
            return difference(scale.physical(after), scale.physical(before), seen)

        off = np.abs(difference(mean, mean, observed))[self._hidden]
        span = max(round(float(np.percentile(off, _DIFFERENCE_PERCENTILE)), 3) if off.size else 0.0, _LEAST_SPAN)
        legend = {"unit": "reflectance", "low": -span, "high": span, "colours": list(styles.DIVERGING)}
        paint = styles.ramp(of_block, styles.DIVERGING, -span, span)
        return Style("difference", "Result minus interpolation in time", "result", paint, about={"legend": legend})

    def _clear(self, channels: Float32) -> Float32:
        """(T, C, h, w) -> (C, N): values of clear pixels, of all where hardly any is clear."""
        there: Bool = np.asarray(np.isfinite(channels).all(axis=1))
        clear = ~self._hidden & there
        if int(clear.sum()) < min(_MIN_CLEAR, clear.size):
            clear = there
        values = np.moveaxis(channels, 1, 0)[:, clear]
        return values if values.size else np.array([[0.0, 0.3]] * channels.shape[1], dtype=np.float32)


_BOTH: tuple[tuple[str, Literal["input", "result"], Literal["before", "after"]], ...] = (
    ("-before", "input", "before"),
    ("", "result", "after"),
)


def _pairs(stretch: Stretch) -> list[list[float]]:
    return [[round(float(low), 4), round(float(high), 4)] for low, high in zip(stretch.low, stretch.high, strict=True)]
