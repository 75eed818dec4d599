"""One attempt at one job, in a process of its own: `python -m worker.child.run_job FOLDER`.

FOLDER/request.json says what to do. Input is imported into FOLDER/input, the result appears as FOLDER/out with its
manifest. Paths in messages are relative to FOLDER: users see them. Progress goes as JSON lines into
the supervisor's pipe; what is wrong goes into FOLDER/error.json, and the exit code says what kind of end it was. This
process knows neither the database nor the storage.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.processes import BENCHMARK, INSPECT
from worker.child.beginning import begin
from worker.child.compare import compare
from worker.child.ending import Report, ShouldStop, concluded, leave, reporter
from worker.child.importing import have_input
from worker.child.inspecting import inspect
from worker.child.pictures import adding_pictures, showing_predictions
from worker.child.shared_tiles import SharedTurns
from worker.lanes import is_light
from worker.processes import memory
from worker.running.job_folder import INPUT, OUT, Request

if TYPE_CHECKING:
    from seq2seq.config import ReconstructionConfig
    from seq2seq.progress import Progress

# Makes the result in OUT of the current folder.
Produce = Callable[[Request, Report, ShouldStop], None]
# Of processes other than `decloud`.
_OTHERS: dict[str, Produce] = {BENCHMARK: compare, INSPECT: inspect}


def main(produce: Produce | None = None) -> int:
    """Works in the folder that the command line names; returns the exit code. produce: None: `produce_result`."""
    folder = Path(sys.argv[1])
    request = Request.read(folder)
    should_stop = begin(folder, light=is_light(request.process))
    return attempt(request, reporter(), should_stop, produce or produce_result)


def attempt(request: Request, report: Report, should_stop: ShouldStop, produce: Produce) -> int:
    """Works in the current folder and says how it ended; whatever is raised becomes an exit code and error.json."""

    def work() -> None:
        if not Path(OUT).exists():  # else an earlier attempt could not deliver it
            produce(request, report, should_stop)
        _describe(report)

    return concluded(work)


def produce_result(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """Does what the job's process is for."""
    _OTHERS.get(request.process, reconstruct)(request, report, should_stop)


def reconstruct(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """Imports the upload where no attempt has done so, and has the engine work on the copy."""

    def on_progress(progress: "Progress") -> None:
        report("progress", **vars(progress))

    config = _config(request)
    have_input(request, config, report, should_stop, engine="seq2seq.run.pipeline")
    from seq2seq.run import pipeline

    config = _with_fitting_tiles(config, request, _shape(Path(INPUT)), report)
    pipeline.run(
        INPUT,
        OUT,
        config,
        on_progress=on_progress,
        should_stop=should_stop,
        collection_id=request.job_id,
        beside=pipeline.Beside(
            adding_pictures(report, should_stop), showing_predictions(report), _turns(request, report)
        ),
    )


def _turns(request: Request, report: Report) -> SharedTurns | None:
    """Who does the tiles: other workers as well, where the operator lets them and there is a supervisor."""
    return SharedTurns(report, request.share_tiles_from) if request.share_tiles_from else None


def _config(request: Request) -> "ReconstructionConfig":
    """The user's settings."""
    from seq2seq.config import ReconstructionConfig
    from seq2seq.errors import ConfigError
    from seq2seq.products.choosing import as_single_files

    config = ReconstructionConfig.from_dict(request.params)
    if config.vgg16_weights is not None:
        raise ConfigError("vgg16_weights names a file, which the service never reads; leave it out")
    return config.replace(format=as_single_files(config.format))


def _with_fitting_tiles(
    config: "ReconstructionConfig", request: Request, shape: tuple[int, int, int, int], report: Report
) -> "ReconstructionConfig":
    """Smaller tiles where this machine, or what happened before, asks for them; else the settings as they are."""
    from seq2seq.estimate import estimate, tile_size

    here = config.replace(max_memory_gb=min(config.max_memory_gb, memory.planned_gb()))
    asked_px, whole_px = config.tile_px or tile_size(shape, config), max(shape[2:])
    tile_px = min(asked_px, request.retry.get("tile_px", asked_px), tile_size(shape, here))
    if min(tile_px, whole_px) < min(asked_px, whole_px):
        config = config.replace(tile_px=tile_px, overlap_px=min(config.overlap_px, tile_px // 2))
    report("plan", tile_px=min(tile_px, whole_px), shape=shape, memory_gb=estimate(shape, config).memory_gb)
    return config


def _shape(folder: Path) -> tuple[int, int, int, int]:
    """(T, C, H, W) of the imported S2 files."""
    import rasterio

    files = sorted((folder / "S2").glob("*.tif"))
    with rasterio.open(files[0]) as first:
        return len(files), first.count, first.height, first.width


def _describe(report: Report) -> None:
    """The manifest, which is written last: what has one is complete."""
    from worker.results.manifest import write_manifest

    report("progress", phase="describing")
    write_manifest(Path(OUT))


if __name__ == "__main__":
    leave(main())
