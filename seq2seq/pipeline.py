"""Files to files: plan tiles, reconstruct each, blend, write, publish. Every stage leaves what the next start needs.

All intermediate files lie in OUT.partial/.checkpoint, one folder a tile; a run that was stopped or killed is continued
by the same call. Nothing appears under OUT before it is complete.
"""

import hashlib
import json
import math
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from seq2seq.apart import check_apart
from seq2seq.assessment import Assessment, GapAssessment, pool
from seq2seq.config import ReconstructionConfig
from seq2seq.devices import choose_device, peak_memory_gb
from seq2seq.errors import MissingDataError, OutputError, Stopped
from seq2seq.estimate import tile_size
from seq2seq.inspection import describe_input
from seq2seq.metrics import Scores
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore_progress, never_stop
from seq2seq.quicklook import Miniatures, display_bands, preview_png, thumbnails
from seq2seq.readers import SequenceSource, open_sequence
from seq2seq.reconstruction import reconstruct
from seq2seq.sequence import Float32, Observations
from seq2seq.tiling import Tile, blend_window, plan_tiles
from seq2seq.vgg import Perceptual, resolve_perceptual
from seq2seq.writers import check_output, check_room, partial_of, publish, write_file
from seq2seq.writers.cog import write_cog
from seq2seq.writers.report import write_report

CHECKPOINT = ".checkpoint"
STRIP_PX = 256  # rows blended and written at a time
# Of a time budget, kept for writing: seconds for a start, and a share.
WRITING_S, WRITING_SHARE = 2.0, 0.08
EXPLANATION = (
    "These clear pixels were hidden from the scored fit, as whole dates and in the shapes of this sequence's clouds. "
    "Blend weights and the uncertainty come from them as well; intervals are widened because these pixels lie on few "
    "dates, so they cover more than 90 % here. The delivered images come from the same method fitted again with these "
    "pixels included."
)
NO_HOLDOUT = "Too few clear pixels to hide any of them: nothing is proven, so the result is interpolation in time."
WORTH_SAYING = 0.0005  # share of suspected pixels below which nobody need be told
ARRAYS = ("pixels", "sigma", "cloud_mask", "before")


@dataclass(frozen=True)
class TileFacts:
    """What a finished tile tells the report; plain values, kept as JSON."""

    assessment: dict[str, Any] | None
    curve: list[dict[str, float | None]]
    device: str
    seconds: dict[str, float]
    suspected: float = 0.0  # share of the observed pixels, see `screening`


def run(
    input_path: Path | str,
    output_path: Path | str,
    config: ReconstructionConfig | None = None,
    *,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
    overwrite: bool = False,
) -> Path:
    """Reconstructs the sequence at `input_path` (folder or ZIP) into the folder `output_path`, and returns that.

    Raises `InputError` before anything is written where the input cannot be used, `OutputError` where the result cannot
    be written, `Stopped` after a checkpoint where `should_stop` said so.
    """
    config, out = config or ReconstructionConfig(), Path(output_path)
    started = time.monotonic()
    check_apart(input_path, out, partial_of(out))
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
        self.partial = partial_of(out)
        self.height, self.width = self.info.shape[2:]
        tile_px = config.tile_px or tile_size(self.info.shape, config)
        self.overlap_px = min(config.overlap_px, tile_px // 2)
        self.tiles = plan_tiles(self.height, self.width, tile_px=tile_px, overlap_px=self.overlap_px)
        self.seconds: dict[str, float] = {"reading": time.monotonic() - started}

    @property
    def least_bytes(self) -> int:
        """What the arrays of all tiles take on the disk, in which images and checkpoints are not counted."""
        bands, shown = len(self.info.bands), len(display_bands(self.info.bands))
        pixels = len(self.info.dates) * sum(math.prod(tile.shape) for tile in self.tiles)
        return pixels * (4 * (2 * bands + shown) + 1)

    def claim_partial(self) -> None:
        """OUT.partial of the very same run is kept, that of another is cleared, anything else is left alone."""
        key_file = self.partial / CHECKPOINT / "key"
        key = self._key()
        held = {entry.name for entry in self.partial.iterdir()} if self.partial.exists() else set()
        if held and not key_file.exists() and held != {CHECKPOINT}:  # with it alone: cut off before the key was written
            raise OutputError(f"{self.partial}: is in the way and no run of decloud has made it; please move it")
        if held:
            if key_file.exists() and key_file.read_text() == key:
                return
            shutil.rmtree(self.partial)
        write_file(key_file, key.encode())

    def tile(self, tile: Tile) -> TileFacts:
        """The tile's facts; its arrays are on disk afterwards. Done before: only the facts are read."""
        folder = self._folder(tile)
        done = folder / "facts.json"
        if not done.exists():
            observations = self.source.read(tile.rows, tile.columns)
            facts = self._reconstruct(tile, observations, folder)
            write_file(done, json.dumps(asdict(facts)).encode())
            shutil.rmtree(folder / "fit", ignore_errors=True)
        return TileFacts(**json.loads(done.read_text()))

    def write(self, facts: list[TileFacts]) -> None:
        """Images, pictures and report into OUT.partial."""
        began = time.monotonic()
        dates = [str(date) for date in self.info.dates]
        miniatures = Miniatures(self.info.dates, display_bands(self.info.bands), (self.height, self.width))
        for t, date in enumerate(dates):
            if self.should_stop():
                raise Stopped(f"before writing {date}")
            self.on_progress(Progress("writing", step=t, of=len(dates)))
            self._write_date(t, date)
            for rows in self._strips():
                after, mask, before = (self._blended(name, t, rows) for name in ("pixels", "cloud_mask", "before"))
                miniatures.add(
                    t,
                    rows,
                    slice(0, self.width),
                    before=np.asarray(before, dtype=np.float32),
                    after=self._display(np.asarray(after, dtype=np.float32)),
                    cloud_mask=mask[0] > 0.5,
                )
        pictures = miniatures.pictures()
        note = "simulated data" if self.info.simulated else None
        write_file(self.partial / "preview.png", preview_png(pictures, note=note))
        self.seconds["writing"] = time.monotonic() - began
        write_report(self.partial, self._report(facts), thumbnails=thumbnails(pictures))  # type: ignore[arg-type]
        self.on_progress(Progress("writing", step=len(dates), of=len(dates)))

    def _reconstruct(self, tile: Tile, observations: Observations, folder: Path) -> TileFacts:
        if not observations.s2.observed.any():
            return self._fill(observations, folder)
        result = reconstruct(
            observations,
            self.config,
            on_progress=self._telling(tile),
            should_stop=self.should_stop,
            checkpoint=folder / "fit",
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

    def _fill(self, observations: Observations, folder: Path) -> TileFacts:
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

    def _save(self, folder: Path, observations: Observations, pixels: Float32, sigma: Float32) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        before = self._display(observations.s2.pixels)
        arrays = {"pixels": pixels, "sigma": sigma, "cloud_mask": observations.cloud_mask[:, None], "before": before}
        for name in ARRAYS:
            _save_array(folder / f"{name}.npy", np.ascontiguousarray(arrays[name]))

    def _display(self, pixels: Float32) -> Float32:
        """(..., shown bands, H, W)."""
        shown = [self.info.bands.index(band) for band in display_bands(self.info.bands)]
        return np.take(pixels, shown, axis=-3)

    def _write_date(self, t: int, date: str) -> None:
        radiometry, common = self.info.radiometry, {"geobox": self.info.geobox}
        tags = {"SIMULATED": "YES"} if self.info.simulated else None
        write_cog(
            self.partial / "declouded" / f"{date}.tif",
            ((window, radiometry.to_dn(values)) for window, values in self._windows("pixels", t)),
            dtype=radiometry.dtype,
            nodata=radiometry.nodata,
            bands=self.info.bands,
            scale=radiometry.tags[0],
            offset=radiometry.tags[1],
            tags=tags,
            **common,
        )
        write_cog(
            self.partial / "uncertainty" / f"{date}.tif",
            self._windows("sigma", t),
            dtype="float32",
            nodata=None,
            bands=self.info.bands,
            tags=tags,
            **common,
        )
        write_cog(
            self.partial / "cloud_mask" / f"{date}.tif",
            ((window, (values > 0.5).astype(np.uint8)) for window, values in self._windows("cloud_mask", t)),
            dtype="uint8",
            nodata=None,
            bands=("cloud_mask",),
            overviews="nearest",
            tags=tags,
            **common,
        )

    def _windows(self, name: str, t: int) -> Iterator[tuple[Window, NDArray[Any]]]:
        for rows in self._strips():
            yield Window(0, rows.start, self.width, rows.stop - rows.start), self._blended(name, t, rows)

    def _strips(self) -> Iterator[slice]:
        for top in range(0, self.height, STRIP_PX):
            yield slice(top, min(top + STRIP_PX, self.height))

    def _blended(self, name: str, t: int, rows: slice) -> NDArray[np.floating]:
        """(C, h, W) one date of one array of all tiles, blended."""

        def part(tile: Tile, tile_rows: slice, tile_columns: slice) -> NDArray[np.floating]:
            array = np.load(self._folder(tile) / f"{name}.npy", mmap_mode="r")
            return np.asarray(array[t, :, tile_rows, tile_columns], dtype=np.float32)

        return blend_window(self.tiles, rows, slice(0, self.width), part, overlap_px=self.overlap_px)

    def _folder(self, tile: Tile) -> Path:
        return self.partial / CHECKPOINT / f"tile-{tile.index}"

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

    def _report(self, facts: list[TileFacts]) -> dict[str, Any]:
        proofs = [_assessment(fact.assessment) for fact in facts if fact.assessment is not None]
        pooled = pool(proofs)
        first = next((fact for fact in facts if fact.curve), facts[0])
        phases = list(dict.fromkeys(phase for fact in facts for phase in fact.seconds))
        seconds = {phase: sum(fact.seconds.get(phase, 0.0) for fact in facts) for phase in phases}
        unproven = [] if len(proofs) == len(facts) else [NO_HOLDOUT]
        report_input = describe_input(self.source)
        doubts = _doubts(float(np.mean([fact.suspected for fact in facts])))
        report_input["warnings"] = [*report_input["warnings"], *doubts, *unproven]
        return {
            "version": version("decloud"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": self.config.recipe,
            "seed": self.config.seed,
            "device": first.device,
            "config": self.config.to_dict(),
            "software": _software(),
            "input": report_input,
            "holdout": _holdout(pooled),
            "training": {"steps": len(first.curve), "tiles": len(self.tiles), "curve": first.curve},
            "resources": {
                "seconds": {"reading": self.seconds["reading"], **seconds, "writing": self.seconds["writing"]},
                "peak_memory_gb": peak_memory_gb(),
            },
            "perceptual": {
                "requested": self.config.perceptual,
                "used": self.perceptual.used,
                "reason": self.perceptual.reason,
            },
        }


def _doubts(suspected: float) -> list[str]:
    if suspected < WORTH_SAYING:
        return []
    return [
        f"{suspected:.1%} of the clear pixels look like clouds or shadows that the masks missed. They are delivered as "
        "they are, but nothing was learnt from them."
    ]


def _holdout(pooled: Assessment | None) -> dict[str, Any]:
    if pooled is None:
        nothing: dict[str, Any] = {"methods": {}, "by_band": {}, "by_gap": [], "coverage_90": float("nan")}
        return {"pixels": 0, "explanation": NO_HOLDOUT, **nothing}
    return {"explanation": EXPLANATION, **asdict(pooled)}


def _assessment(values: dict[str, Any]) -> Assessment:
    """The inverse of `asdict` after a trip through JSON."""
    gaps = (GapAssessment(**{**gap, "gap_days": tuple(gap["gap_days"])}) for gap in values["by_gap"])
    methods = {name: Scores(**scores) for name, scores in values["methods"].items()}
    return Assessment(**{**values, "methods": methods, "by_gap": tuple(gaps)})


def _software() -> dict[str, str]:
    names = ("torch", "numpy", "rasterio", "lightgbm")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _save_array(path: Path, array: NDArray[Any]) -> None:
    """Numpy's own format, because windows of it can be mapped. A full disk is one line."""
    try:
        np.save(path, array)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
