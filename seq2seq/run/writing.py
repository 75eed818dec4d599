"""Images, pictures and the values of series of a run, from the arrays of its tiles into OUT.partial."""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import Stopped
from seq2seq.products import PREVIEW
from seq2seq.products.base import DateArrays
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.readers import SequenceSource
from seq2seq.report.preview import preview_png
from seq2seq.report.quicklook import Miniatures, Pictures, display_bands
from seq2seq.report.series import PixelSeries, SeriesLattice, ndvi_bands
from seq2seq.run.cubing import CubeBlocks
from seq2seq.run.tiles import TileStore
from seq2seq.sequence import days_since_first
from seq2seq.writers import write_file
from seq2seq.writers.cubes import CUBES
from seq2seq.writers.rasters import Provenance, write_rasters


class ResultWriter:
    """The writer of a run's dates, one by one, which collects on the way what pictures and series show."""

    def __init__(self, source: SequenceSource, store: TileStore, config: ReconstructionConfig, folder: Path) -> None:
        self._source, self._info, self._store, self._folder = source, source.info, store, folder
        self._outputs = config.outputs
        size = (store.height, store.width)
        self._miniatures = Miniatures(self._info.dates, display_bands(self._info.bands), size)
        self._lattice = SeriesLattice(days_since_first(self._info.dates), size)
        self._provenance = Provenance(
            version=version("decloud"),
            method=config.method,
            seed=config.seed,
            fingerprint=self._info.fingerprint,
            simulated=self._info.simulated,
            full_prediction=config.full_prediction,
        )

    def write_dates(self, on_progress: OnProgress, should_stop: ShouldStop) -> None:
        """Writes the images of all dates where they are wanted as files of their own, and looks at each.

        Raises `Stopped` between two of them, and `OutputError`.
        """
        dates = [str(date) for date in self._info.dates]
        for t, date in enumerate(dates):
            if should_stop():
                raise Stopped(f"before writing {date}")
            on_progress(Progress("writing", step=t, of=len(dates)))
            if self._info.dates[t] in self._info.written:
                write_rasters(
                    self._folder,
                    date,
                    partial(self._windows, t),
                    products=self._outputs.products,
                    info=self._info,
                    provenance=self._provenance,
                    hidden=float(self._source.cloud_fractions[t]),
                    acquired=bool(self._info.acquired[t]),
                )
            for rows in self._store.strips():
                self._look_at(t, rows)

    def write_cubes(self, on_progress: OnProgress, should_stop: ShouldStop) -> None:
        """Writes the cubes that are wanted. Raises `Stopped` between two blocks, and `OutputError`."""

        def check_stop() -> None:
            if should_stop():
                raise Stopped("before writing all of a cube")

        blocks = CubeBlocks(self._store, self._info, self._outputs.rasters)
        layout = blocks.layout(self._provenance)
        for cube in CUBES:
            if cube.product in self._outputs.products:
                on_progress(Progress("writing", message=f"{cube.product.title}: {cube.product.path}"))
                cube.write(self._folder / cube.product.path, layout, blocks.read, check_stop)

    def write_preview(self) -> Pictures:
        """Writes the picture of all dates, and returns those of each."""
        pictures = self._miniatures.pictures()
        note = "simulated data" if self._info.simulated else None
        write_file(self._folder / PREVIEW.path, preview_png(pictures, note=note))
        return pictures

    def series(self) -> list[PixelSeries]:
        """Returns the NDVI series of typical pixels, (B08 - B04) / (B08 + B04), where the bands have it."""
        return self._lattice.typical() if ndvi_bands(self._info.bands) else []

    def _windows(self, t: int) -> Iterator[tuple[Window, DateArrays]]:
        for rows in self._store.strips():
            window = Window(0, rows.start, self._store.width, rows.stop - rows.start)
            yield window, DateArrays(partial(self._store.blended, t=t, rows=rows))

    def _look_at(self, t: int, rows: slice) -> None:
        """A strip of one date, for the pictures and the series."""
        after, sigma, mask, before = (
            np.asarray(self._store.blended(name, t, rows), dtype=np.float32)
            for name in ("pixels", "sigma", "cloud_mask", "before")
        )
        cloud_mask = mask[0] > 0.5
        shown = display_bands(self._info.bands)
        self._miniatures.add(
            t,
            rows,
            slice(0, self._store.width),
            before=before[: len(shown)],
            after=self._store.picked(after, shown),
            sigma=sigma,
            cloud_mask=cloud_mask,
        )
        pair = ndvi_bands(self._info.bands)
        if pair:
            kept = self._store.kept_bands
            red_and_infrared = before[[kept.index(band) for band in pair]]
            self._lattice.add(
                t,
                rows,
                before=red_and_infrared,
                after=self._store.picked(after, pair),
                sigma=self._store.picked(sigma, pair),
                cloud_mask=cloud_mask,
            )
