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
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.apart import check_apart
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import MissingDataError, OutputError
from seq2seq.nn.devices import choose_device, peak_memory_gb
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.notebook import choose_progress
from seq2seq.products import top_names
from seq2seq.progress import OnProgress, Progress, ShouldStop, never_stop
from seq2seq.readers import SequenceSource, open_sequence
from seq2seq.report.candidates import titles_with
from seq2seq.report.html_report import write_report
from seq2seq.report.run_report import TileFacts, compose_report
from seq2seq.report.thumbnails import thumbnails
from seq2seq.run.reconstruction import reconstruct
from seq2seq.run.tiles import TileStore
from seq2seq.run.writing import ResultWriter
from seq2seq.sequence import Float32, Observations
from seq2seq.tiling import Tile
from seq2seq.workspace import TileFolder, Workspace
from seq2seq.writers import check_output, check_room, publish, write_file
from seq2seq.writers.cubes import load_cubes
from seq2seq.writers.stac import write_stac

# Of a time budget, kept for writing: seconds for a start, and a share.
WRITING_S, WRITING_SHARE = 2.0, 0.08


@dataclass(frozen=True)
class Beside:
    """What a caller does beside a run.

    add: puts something of its own into the folder of the whole result, before anybody sees that; it is given the
    sequence, still open, and the folder. on_prediction: is shown what is predicted of a tile meanwhile, (T, C, h, w)
    reflectance, to be read at once and left as it is.
    """

    add: Callable[[SequenceSource, Path], None] | None = None
    on_prediction: Callable[[Tile, Observations, Float32], None] | None = None


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
    beside: Beside = _ALONE,
) -> Path:
    """Reconstructs the sequence at `input_path` (folder or ZIP) into the folder `output_path`, and returns that.

    progress: whether to show it without `on_progress`; by default in notebooks alone. collection_id: of the result's
    STAC Collection, by default the folder's name. beside: what the caller does meanwhile.

    Raises `InputError` before anything is written where the input cannot be used, `OutputError` where the result cannot
    be written, `Stopped` after a checkpoint where `should_stop` asked for it.
    """
    config, out, started = config or ReconstructionConfig(), Path(output_path), time.monotonic()
    on_progress = choose_progress(on_progress, progress)
    check_apart(input_path, out, Workspace.of(out).partial)
    check_output(out, overwrite)
    device = choose_device(config.device)
    config.info.load()  # what is needed and not installed is said before anything is read
    load_cubes(config.outputs.products)
    on_progress(Progress("reading"))
    with open_sequence(input_path, config) as source:
        config.outputs.check_bands(source.info.bands)
        perceptual = resolve_perceptual(config, source.info.bands, device)
        for message in (*source.info.warnings, *([perceptual.reason] if perceptual.dropped else [])):
            on_progress(Progress("reading", message=message))
        job = _Job(source, out, config, on_progress, should_stop, started, perceptual, beside)
        check_room(out, job.store.least_bytes)
        job.claim_partial()
        facts = [job.tile(tile) for tile in job.store.tiles]
        job.write(facts, collection_id or Path(os.path.abspath(out)).name)
    publish(job.workspace.partial, out, overwrite)
    return out


class _Job:
    """One run: what is kept of it, and what its tiles become."""

    def __init__(
        self,
        source: SequenceSource,
        out: Path,
        config: ReconstructionConfig,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        started: float,
        perceptual: Perceptual,
        beside: Beside,
    ) -> None:
        self.source, self.info, self.config = source, source.info, config
        self.on_progress, self.should_stop, self.started = on_progress, should_stop, started
        self.perceptual, self.beside = perceptual, beside
        self.workspace = Workspace.of(out)
        self.store = TileStore(self.info, config, self.workspace)
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

    def tile(self, tile: Tile) -> TileFacts:
        """The tile's facts; its arrays are on disk afterwards. Done before: only the facts are read."""
        folder = self.workspace.tile(tile.index)
        if not folder.facts.exists():
            observations = self.source.read(tile.rows, tile.columns)
            facts = self._reconstruct(tile, observations, folder)
            write_file(folder.facts, json.dumps(asdict(facts)).encode())
            shutil.rmtree(folder.fit, ignore_errors=True)
        return TileFacts(**json.loads(folder.facts.read_text()))

    def write(self, facts: list[TileFacts], collection_id: str) -> None:
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
            facts,
            writer.series(),
            perceptual=self.perceptual,
            seconds=self.seconds,
            peak_memory_gb=peak_memory_gb(),
        )
        titles = titles_with({name: each.title for name, each in self.config.info.candidates.items()})
        write_report(folder, report, thumbnails=thumbnails(pictures), titles=titles)
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

    def _reconstruct(self, tile: Tile, observations: Observations, folder: TileFolder) -> TileFacts:
        if not observations.s2.observed.any():
            return self._fill(tile, observations)
        result = reconstruct(
            observations,
            self.config,
            on_progress=self._reporting(tile),
            should_stop=self.should_stop,
            checkpoint=folder.fit,
            budget_s=self._budget_s(tile),
            perceptual=self.perceptual,
            **self._shown(tile, observations),
        )
        self.store.save(tile, observations, result.s2.pixels, result.sigma)
        return TileFacts(
            assessment=None if result.assessment is None else asdict(result.assessment),
            curve=[asdict(point) for point in result.curve],
            device=result.device,
            seconds=result.seconds,
            suspected=float(result.suspected.sum() / observations.s2.observed.sum()),
            notes=result.notes,
        )

    def _shown(self, tile: Tile, observations: Observations) -> dict[str, Any]:
        """What `reconstruct` shows predictions to, where somebody wants to see them."""
        show = self.beside.on_prediction
        return {} if show is None else {"on_prediction": lambda pixels: show(tile, observations, pixels)}

    def _fill(self, tile: Tile, observations: Observations) -> TileFacts:
        """A tile that no date shows gets the scene's mean spectrum, and its standard deviation as sigma."""
        shape = observations.s2.pixels.shape
        mean, std = (np.broadcast_to(v[:, None, None], shape) for v in self._scene_spectrum())
        self.store.save(tile, observations, mean, std)
        return TileFacts(None, [], self.config.device, {})

    def _scene_spectrum(self) -> tuple[Float32, Float32]:
        """(C,) mean and standard deviation of all observed pixels, tile by tile."""
        count, total, squares = 0, 0.0, 0.0
        for tile in self.store.tiles:
            s2 = self.source.read(tile.rows, tile.columns).s2
            values = np.moveaxis(s2.pixels, 1, -1)[s2.observed].astype(np.float64)
            count, total, squares = count + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
        if not count:
            raise MissingDataError(f"{self.info.path}: no pixel of {len(self.info.dates)} dates is observed")
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)

    def _key(self) -> str:
        """Same key, same run: input, settings that a fit depends on, version."""
        left_out = {"max_minutes", *(each.name for each in SETTINGS if each.written)}
        settings = {name: value for name, value in self.config.to_dict().items() if name not in left_out}
        text = json.dumps([self.info.fingerprint, settings, version("decloud")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _budget_s(self, tile: Tile) -> float | None:
        """An equal share of what remains for each tile still to do."""
        if self.config.max_minutes is None:
            return None
        total = 60 * self.config.max_minutes
        remaining = total * (1 - WRITING_SHARE) - WRITING_S - (time.monotonic() - self.started)
        return max(remaining, 0.0) / (len(self.store.tiles) - tile.index)

    def _reporting(self, tile: Tile) -> OnProgress:
        """Progress of a tile as progress of the run."""
        count = len(self.store.tiles)
        if count == 1:
            return self.on_progress
        began = time.monotonic()

        def report(progress: Progress) -> None:
            spent = time.monotonic() - began
            remaining_s = None
            if progress.eta_s is not None:
                remaining_s = progress.eta_s + (spent + progress.eta_s) * (count - tile.index - 1)
            phase = f"tile {tile.index + 1} of {count}: {progress.phase}"
            values = {**asdict(progress), "phase": phase, "eta_s": remaining_s}
            self.on_progress(Progress(**values))

        return report
