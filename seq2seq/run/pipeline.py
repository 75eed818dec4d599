"""Files to files: plan tiles, reconstruct each, blend, write, publish. Every stage leaves what the next start needs.

All intermediate files lie in the run's workspace, a folder per tile (`seq2seq.workspace`); a run that was stopped or
killed is continued by the same call. Nothing appears under OUT before it is complete.
"""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from seq2seq.apart import check_apart
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, OutputError, Stopped
from seq2seq.estimate import tile_size
from seq2seq.nn.devices import choose_device, peak_memory_gb
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.notebook import choose_progress
from seq2seq.products import PREVIEW
from seq2seq.products.base import DateArrays
from seq2seq.progress import OnProgress, Progress, ShouldStop, never_stop
from seq2seq.readers import SequenceSource, open_sequence
from seq2seq.report.candidates import titles_with
from seq2seq.report.html_report import write_report
from seq2seq.report.preview import preview_png
from seq2seq.report.quicklook import Miniatures, display_bands
from seq2seq.report.run_report import TileFacts, compose_report
from seq2seq.report.schema import Report
from seq2seq.report.series import PixelSeries, SeriesLattice, ndvi_bands
from seq2seq.report.thumbnails import thumbnails
from seq2seq.run.reconstruction import reconstruct
from seq2seq.sequence import Float32, Observations, days_since_first
from seq2seq.tiling import Tile, blend_window, plan_tiles
from seq2seq.workspace import TileFolder, Workspace
from seq2seq.writers import check_output, check_room, publish, write_file
from seq2seq.writers.rasters import Provenance, write_rasters

STRIP_PX = 256  # rows blended and written at a time
# Of a time budget, kept for writing: seconds for a start, and a share.
WRITING_S, WRITING_SHARE = 2.0, 0.08
ARRAYS = ("pixels", "sigma", "cloud_mask", "before")


def run(
    input_path: Path | str,
    output_path: Path | str,
    config: ReconstructionConfig | None = None,
    *,
    on_progress: OnProgress | None = None,
    progress: bool | None = None,
    should_stop: ShouldStop = never_stop,
    overwrite: bool = False,
) -> Path:
    """Reconstructs the sequence at `input_path` (folder or ZIP) into the folder `output_path`, and returns that.

    progress: whether to show it where `on_progress` is not given; by default in notebooks alone.

    Raises `InputError` before anything is written where the input cannot be used, `OutputError` where the result cannot
    be written, `Stopped` after a checkpoint where `should_stop` said so.
    """
    config, out = config or ReconstructionConfig(), Path(output_path)
    on_progress = choose_progress(on_progress, progress)
    started = time.monotonic()
    check_apart(input_path, out, Workspace.of(out).partial)
    check_output(out, overwrite)
    device = choose_device(config.device)
    on_progress(Progress("reading"))
    with open_sequence(input_path, config) as source:
        for warning in source.info.warnings:
            on_progress(Progress("reading", message=warning))
        perceptual = resolve_perceptual(config, source.info.bands, device)
        if perceptual.dropped:
            on_progress(Progress("reading", message=perceptual.reason))
        job = _Job(source, out, config, on_progress, should_stop, started, perceptual)
        check_room(out, job.least_bytes)
        job.claim_partial()
        facts = [job.tile(tile) for tile in job.tiles]
        job.write(facts)
    publish(job.partial, out, overwrite)
    return out


class _Job:
    """One run: its tiles and where their files lie."""

    def __init__(
        self,
        source: SequenceSource,
        out: Path,
        config: ReconstructionConfig,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        started: float,
        perceptual: Perceptual,
    ) -> None:
        self.source, self.info, self.config = source, source.info, config
        self.on_progress, self.should_stop, self.started = on_progress, should_stop, started
        self.perceptual = perceptual
        self.workspace = Workspace.of(out)
        self.partial = self.workspace.partial
        self.height, self.width = self.info.shape[2:]
        tile_px = config.tile_px or tile_size(self.info.shape, config)
        self.overlap_px = min(config.overlap_px, tile_px // 2)
        self.tiles = plan_tiles(self.height, self.width, tile_px=tile_px, overlap_px=self.overlap_px)
        self.seconds: dict[str, float] = {"reading": time.monotonic() - started}
        self._provenance = Provenance(
            version=version("decloud"),
            method=config.method,
            seed=config.seed,
            fingerprint=self.info.fingerprint,
            simulated=self.info.simulated,
            full_prediction=config.full_prediction,
        )

    @property
    def least_bytes(self) -> int:
        """What the arrays of all tiles take on the disk, in which images and checkpoints are not counted."""
        bands, kept = len(self.info.bands), len(self._kept_bands())
        pixels = len(self.info.dates) * sum(math.prod(tile.shape) for tile in self.tiles)
        return pixels * (4 * (2 * bands + kept) + 1)

    def claim_partial(self) -> None:
        """OUT.partial of the very same run is kept, that of another is cleared, anything else is left alone."""
        key_file, key = self.workspace.key, self._key()
        if self.workspace.is_foreign():
            raise OutputError(f"{self.partial}: is in the way and no run of decloud has made it; please move it")
        if self.workspace.held():
            if key_file.exists() and key_file.read_text() == key:
                return
            shutil.rmtree(self.partial)
        write_file(key_file, key.encode())

    def tile(self, tile: Tile) -> TileFacts:
        """The tile's facts; its arrays are on disk afterwards. Done before: only the facts are read."""
        folder = self.workspace.tile(tile.index)
        if not folder.facts.exists():
            observations = self.source.read(tile.rows, tile.columns)
            facts = self._reconstruct(tile, observations, folder)
            write_file(folder.facts, json.dumps(asdict(facts)).encode())
            shutil.rmtree(folder.fit, ignore_errors=True)
        return TileFacts(**json.loads(folder.facts.read_text()))

    def write(self, facts: list[TileFacts]) -> None:
        """Images, pictures and report into OUT.partial."""
        began = time.monotonic()
        dates, size = [str(date) for date in self.info.dates], (self.height, self.width)
        miniatures = Miniatures(self.info.dates, display_bands(self.info.bands), size)
        lattice = SeriesLattice(days_since_first(self.info.dates), size)
        for t, date in enumerate(dates):
            if self.should_stop():
                raise Stopped(f"before writing {date}")
            self.on_progress(Progress("writing", step=t, of=len(dates)))
            self._write_date(t, date)
            for rows in self._strips():
                self._look_at(t, rows, miniatures, lattice)
        pictures = miniatures.pictures()
        note = "simulated data" if self.info.simulated else None
        write_file(self.partial / PREVIEW.path, preview_png(pictures, note=note))
        self.seconds["writing"] = time.monotonic() - began
        report = self._report(facts, lattice.typical() if ndvi_bands(self.info.bands) else [])
        titles = titles_with({name: each.title for name, each in self.config.info.candidates.items()})
        write_report(self.partial, report, thumbnails=thumbnails(pictures), titles=titles)
        self.on_progress(Progress("writing", step=len(dates), of=len(dates)))

    def _look_at(self, t: int, rows: slice, miniatures: Miniatures, lattice: SeriesLattice) -> None:
        """A strip of one date, for the pictures and the series."""
        after, sigma, mask, before = (
            np.asarray(self._blended(name, t, rows), dtype=np.float32)
            for name in ("pixels", "sigma", "cloud_mask", "before")
        )
        cloud_mask = mask[0] > 0.5
        shown = display_bands(self.info.bands)
        miniatures.add(
            t,
            rows,
            slice(0, self.width),
            before=before[: len(shown)],
            after=self._picked(after, shown),
            sigma=sigma,
            cloud_mask=cloud_mask,
        )
        pair = ndvi_bands(self.info.bands)
        if pair:
            kept = self._kept_bands()
            red_and_infrared = before[[kept.index(band) for band in pair]]
            lattice.add(
                t,
                rows,
                before=red_and_infrared,
                after=self._picked(after, pair),
                sigma=self._picked(sigma, pair),
                cloud_mask=cloud_mask,
            )

    def _reconstruct(self, tile: Tile, observations: Observations, folder: TileFolder) -> TileFacts:
        if not observations.s2.observed.any():
            return self._fill(observations, folder)
        result = reconstruct(
            observations,
            self.config,
            on_progress=self._telling(tile),
            should_stop=self.should_stop,
            checkpoint=folder.fit,
            budget_s=self._budget_s(tile),
            perceptual=self.perceptual,
        )
        self._save(folder, observations, result.s2.pixels, result.sigma)
        return TileFacts(
            assessment=None if result.assessment is None else asdict(result.assessment),
            curve=[asdict(point) for point in result.curve],
            device=result.device,
            seconds=result.seconds,
            suspected=float(result.suspected.sum() / observations.s2.observed.sum()),
        )

    def _fill(self, observations: Observations, folder: TileFolder) -> TileFacts:
        """A tile that no date shows gets the scene's mean spectrum, and as much doubt as there is spread."""
        shape = observations.s2.pixels.shape
        mean, spread = (np.broadcast_to(v[:, None, None], shape) for v in self._scene_spectrum())
        self._save(folder, observations, mean, spread)
        return TileFacts(None, [], self.config.device, {})

    def _scene_spectrum(self) -> tuple[Float32, Float32]:
        """(C,) mean and standard deviation of all observed pixels, tile by tile."""
        count, total, squares = 0, 0.0, 0.0
        for tile in self.tiles:
            s2 = self.source.read(tile.rows, tile.columns).s2
            values = np.moveaxis(s2.pixels, 1, -1)[s2.observed].astype(np.float64)
            count, total, squares = count + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
        if not count:
            raise MissingDataError(f"{self.info.path}: no pixel of {len(self.info.dates)} dates is observed")
        mean = total / count
        spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return np.asarray(mean, dtype=np.float32), np.asarray(spread, dtype=np.float32)

    def _save(self, folder: TileFolder, observations: Observations, pixels: Float32, sigma: Float32) -> None:
        folder.path.mkdir(parents=True, exist_ok=True)
        before = self._picked(observations.s2.pixels, self._kept_bands())
        arrays = {"pixels": pixels, "sigma": sigma, "cloud_mask": observations.cloud_mask[:, None], "before": before}
        for name in ARRAYS:
            _save_array(folder.array(name), np.ascontiguousarray(arrays[name]))

    def _kept_bands(self) -> tuple[str, ...]:
        """The bands of the input that pictures and series need: those shown first."""
        return tuple(dict.fromkeys((*display_bands(self.info.bands), *(ndvi_bands(self.info.bands) or ()))))

    def _picked(self, pixels: Float32, bands: Sequence[str]) -> Float32:
        """(..., those bands, H, W)."""
        return np.take(pixels, [self.info.bands.index(band) for band in bands], axis=-3)

    def _write_date(self, t: int, date: str) -> None:
        write_rasters(
            self.partial,
            date,
            lambda: self._windows(t),
            info=self.info,
            provenance=self._provenance,
            hidden=float(self.source.cloud_fractions[t]),
        )

    def _windows(self, t: int) -> Iterator[tuple[Window, DateArrays]]:
        for rows in self._strips():
            window = Window(0, rows.start, self.width, rows.stop - rows.start)
            yield window, DateArrays(partial(self._blended, t=t, rows=rows))

    def _strips(self) -> Iterator[slice]:
        for top in range(0, self.height, STRIP_PX):
            yield slice(top, min(top + STRIP_PX, self.height))

    def _blended(self, name: str, t: int, rows: slice) -> NDArray[np.floating]:
        """(C, h, W) one date of one array of all tiles, blended."""

        def part(tile: Tile, tile_rows: slice, tile_columns: slice) -> NDArray[np.floating]:
            array = np.load(self.workspace.tile(tile.index).array(name), mmap_mode="r")
            return np.asarray(array[t, :, tile_rows, tile_columns], dtype=np.float32)

        return blend_window(self.tiles, rows, slice(0, self.width), part, overlap_px=self.overlap_px)

    def _key(self) -> str:
        """Same key, same run: input, settings, version."""
        settings = {name: value for name, value in self.config.to_dict().items() if name != "max_minutes"}
        text = json.dumps([self.info.fingerprint, settings, version("decloud")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _budget_s(self, tile: Tile) -> float | None:
        """An equal share of what is left for each tile still to do."""
        if self.config.max_minutes is None:
            return None
        total = 60 * self.config.max_minutes
        left = total * (1 - WRITING_SHARE) - WRITING_S - (time.monotonic() - self.started)
        return max(left, 0.0) / (len(self.tiles) - tile.index)

    def _telling(self, tile: Tile) -> OnProgress:
        """Progress of a tile as progress of the run."""
        count = len(self.tiles)
        if count == 1:
            return self.on_progress
        began = time.monotonic()

        def tell(progress: Progress) -> None:
            spent = time.monotonic() - began
            rest = None
            if progress.eta_s is not None:
                rest = progress.eta_s + (spent + progress.eta_s) * (count - tile.index - 1)
            phase = f"tile {tile.index + 1} of {count}: {progress.phase}"
            values = {**asdict(progress), "phase": phase, "eta_s": rest}
            self.on_progress(Progress(**values))

        return tell

    def _report(self, facts: list[TileFacts], series: list[PixelSeries]) -> Report:
        return compose_report(
            self.source,
            self.config,
            facts,
            series,
            perceptual=self.perceptual,
            seconds=self.seconds,
            peak_memory_gb=peak_memory_gb(),
        )


def _save_array(path: Path, array: NDArray[Any]) -> None:
    """Numpy's own format, because windows of it can be mapped. A full disk is one line."""
    try:
        np.save(path, array)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
