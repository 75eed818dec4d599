"""Files to files: plan tiles, reconstruct each, blend, write, publish. Every stage leaves what the next start needs.

All intermediate files lie in the run's workspace, a folder per tile (`seq2seq.workspace`); a run that was stopped or
killed is continued by the same call. Nothing appears under OUT before it is complete.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from seq2seq.apart import check_apart
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import OutputError
from seq2seq.nn.devices import choose_device, peak_memory_gb
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.notebook import choose_progress
from seq2seq.products import top_names
from seq2seq.progress import OnProgress, Progress, ShouldStop, never_stop
from seq2seq.readers import SequenceSource, open_sequence
from seq2seq.report.candidates import titles_with
from seq2seq.report.html_report import write_report
from seq2seq.report.masked import masked_pictures
from seq2seq.report.run_report import compose_report
from seq2seq.report.thumbnails import thumbnails
from seq2seq.run.tile_turns import Alone, OnPrediction, TileRun, TileTurns
from seq2seq.run.tile_work import TileWork
from seq2seq.run.tiles import TileStore
from seq2seq.run.tiles_at_once import TilesAtOnce, choose_processes
from seq2seq.run.writing import ResultWriter
from seq2seq.workspace import Workspace
from seq2seq.writers import check_output, check_room, publish, write_file
from seq2seq.writers.cubes import load_cubes
from seq2seq.writers.stac import write_stac

# Of a time budget, kept for writing: seconds for a start, and a share.
WRITING_S, WRITING_SHARE = 2.0, 0.08


@dataclass(frozen=True)
class Beside:
    """What a caller does beside a run.

    add: puts something of its own into the folder of the whole result, before anybody sees that; it is given the
    sequence, still open, and the folder. on_prediction: is shown what is predicted of a tile meanwhile, where that is
    done in this process. turns: who does the tiles, where there are several; None: as `processes` says.
    """

    add: Callable[[SequenceSource, Path], None] | None = None
    on_prediction: OnPrediction | None = None
    turns: TileTurns | None = None


_ALONE = Beside()


def run(
    input_path: Path | str,
    output_path: Path | str,
    config: ReconstructionConfig | None = None,
    *,
    on_progress: OnProgress | None = None,
    progress: bool | None = None,
    should_stop: ShouldStop = never_stop,
    overwrite: bool = False,
    collection_id: str | None = None,
    processes: int | None = 1,
    beside: Beside = _ALONE,
) -> Path:
    """Reconstructs the sequence at `input_path` (folder or ZIP) into the folder `output_path`, and returns that.

    progress: whether to show it without `on_progress`; by default in notebooks alone. collection_id: of the result's
    STAC Collection, by default the folder's name. processes: that do tiles, each with its share of cores, GPUs and
    memory; None: as many as there is room for. The result differs by it in the last digits, and where memory decides
    the size of tiles. beside: what the caller does meanwhile.

    Raises `InputError` before anything is written, `OutputError` where the result cannot be written, `Stopped` after a
    checkpoint where `should_stop` asked for it.
    """
    config, out, started = config or ReconstructionConfig(), Path(output_path), time.monotonic()
    on_progress = choose_progress(on_progress, progress)
    check_apart(input_path, out, Workspace.of(out).partial)
    check_output(out, overwrite)
    device = _loaded(config)
    on_progress(Progress("reading"))
    with open_sequence(input_path, config) as source:
        config.outputs.check_bands(source.info.bands)
        perceptual = _perceptual(source, config, device, on_progress)
        store, turns = _plan(source, config, out, processes)
        job = _Job(source, store, config, on_progress, should_stop, started, perceptual, beside)
        check_room(out, store.least_bytes)
        job.claim_partial()
        job.do_tiles(turns if beside.turns is None or len(store.tiles) == 1 else beside.turns)
        job.write(collection_id or Path(os.path.abspath(out)).name)
    publish(job.workspace.partial, out, overwrite)
    return out


def _loaded(config: ReconstructionConfig) -> torch.device:
    """The device; what is needed and not installed is said before anything is read."""
    device = choose_device(config.device)
    config.info.load()
    load_cubes(config.outputs.products)
    return device


def _perceptual(
    source: SequenceSource, config: ReconstructionConfig, device: torch.device, on_progress: OnProgress
) -> Perceptual:
    """The perceptual loss of the run, after all was said that is to be known of its input."""
    perceptual = resolve_perceptual(config, source.info.bands, device)
    for message in (*source.info.warnings, *([perceptual.reason] if perceptual.dropped else [])):
        on_progress(Progress("reading", message=message))
    return perceptual


def _plan(
    source: SequenceSource, config: ReconstructionConfig, out: Path, processes: int | None
) -> tuple[TileStore, TileTurns]:
    """The tiles of the run, and who does them."""
    processes = choose_processes(processes, source.info.shape, config)
    store = TileStore(source.info, config, Workspace.of(out), processes)
    return store, Alone() if processes == 1 or len(store.tiles) == 1 else TilesAtOnce(processes)


class _Job:
    """One run: what is kept of it, and what its tiles become."""

    def __init__(
        self,
        source: SequenceSource,
        store: TileStore,
        config: ReconstructionConfig,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        started: float,
        perceptual: Perceptual,
        beside: Beside,
    ) -> None:
        self.source, self.info, self.store, self.config = source, source.info, store, config
        self.on_progress, self.should_stop, self.started = on_progress, should_stop, started
        self.perceptual, self.beside = perceptual, beside
        self.workspace = store.workspace
        self.helpers_gb = 0.0
        self.seconds: dict[str, float] = {"reading": time.monotonic() - started}

    def claim_partial(self) -> None:
        """OUT.partial of the very same run is kept, that of another is cleared, anything else is left alone."""
        key_file, key = self.workspace.key, self._key()
        if self.workspace.is_foreign():
            raise OutputError(
                f"{self.workspace.partial}: is in the way and no run of decloud has made it; please move it"
            )
        if self.workspace.held():
            if key_file.exists() and key_file.read_text() == key:
                return
            shutil.rmtree(self.workspace.partial)
        write_file(key_file, key.encode())

    def do_tiles(self, turns: TileTurns) -> None:
        """Has all tiles done that no earlier start has done."""
        until = None
        if self.config.max_minutes is not None:
            until = self.started + 60 * self.config.max_minutes * (1 - WRITING_SHARE) - WRITING_S
        work, show = TileWork(self.store, self.config), self.beside.on_prediction
        self.helpers_gb = turns.do(
            TileRun(
                self.source,
                self.store,
                work,
                self._key(),
                self.perceptual,
                self.on_progress,
                self.should_stop,
                until=until,
                on_prediction=show,
            )
        )

    def write(self, collection_id: str) -> None:
        """Images, pictures, report and STAC into OUT.partial."""
        began, folder = time.monotonic(), self.workspace.partial
        writer = ResultWriter(self.source, self.store, self.config, folder)
        self._clear(folder)
        writer.write_dates(self.on_progress, self.should_stop)
        writer.write_cubes(self.on_progress, self.should_stop)
        pictures = writer.write_preview()
        self.seconds["writing"] = time.monotonic() - began
        report = compose_report(
            self.source,
            self.config,
            [self.store.facts(tile) for tile in self.store.tiles],
            writer.series(),
            perceptual=self.perceptual,
            seconds=self.seconds,
            peak_memory_gb=peak_memory_gb() + self.helpers_gb,
        )
        titles = titles_with({name: each.title for name, each in self.config.info.candidates.items()})
        masked = masked_pictures(self.source.masked_by)
        write_report(folder, report, thumbnails=thumbnails(pictures), titles=titles, masked=masked)
        write_stac(folder, self.info.geobox, collection_id)
        dates = len(self.info.dates)
        self.on_progress(Progress("writing", step=dates, of=dates))
        if self.beside.add is not None:
            self.beside.add(self.source, folder)

    def _clear(self, folder: Path) -> None:
        """What an earlier start has written, perhaps of other outputs, is made again or is not wanted any more."""
        for name in self.workspace.held() & top_names("run"):
            entry = folder / name
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _key(self) -> str:
        """Same key, same run: input, settings that a fit depends on, tiles, version."""
        left_out = {"max_minutes", *(each.name for each in SETTINGS if each.written)}
        settings = {name: value for name, value in self.config.to_dict().items() if name not in left_out}
        tiles = [len(self.store.tiles), *self.store.tiles[0].shape]
        text = json.dumps([self.info.fingerprint, settings, tiles, version("decloud")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
