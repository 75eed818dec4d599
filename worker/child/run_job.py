"""One attempt at one job, in a process of its own: `python -m worker.child.run_job FOLDER`.

FOLDER/request.json says what to do. Input is imported into FOLDER/input, the result appears as FOLDER/out with its
manifest. Paths in messages are relative to FOLDER: users see them. Progress goes as JSON lines into
the supervisor's pipe; what is wrong goes into FOLDER/error.json, and the exit code says what kind of end it was. This
process knows neither the database nor the storage.
"""

import contextlib
import errno
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from seq2seq.processes import BENCHMARK
from worker.child.compare import compare
from worker.child.importing import BadInput, Report, ShouldStop, have_input
from worker.child.pictures import adding_pictures, showing_predictions
from worker.errors import one_line
from worker.processes import memory
from worker.processes.parent_link import die_with_parent, message_pipe
from worker.running import shortages
from worker.running.job_folder import (
    BAD_INPUT,
    BUG,
    DONE,
    ERROR,
    INPUT,
    OUT,
    OUT_OF_MEMORY,
    SHORT,
    STOPPED,
    Request,
)

if TYPE_CHECKING:
    from seq2seq.config import ReconstructionConfig
    from seq2seq.progress import Progress

# The API answers while a job trains on every core.
_NICENESS = 10
# What torch says besides, in a plain RuntimeError.
_NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

# Makes the result in OUT of the current folder.
Produce = Callable[[Request, Report, ShouldStop], None]


def main(produce: Produce | None = None) -> int:
    """Works in the folder that the command line names; returns the exit code. produce: None: `produce_result`."""
    die_with_parent()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    memory.be_killed_first()
    os.chdir(sys.argv[1])
    return attempt(Request.read(Path()), _reporter(), stop.is_set, produce or produce_result)


def attempt(request: Request, report: Report, should_stop: ShouldStop, produce: Produce) -> int:
    """Works in the current folder and says how it ended; whatever is raised becomes an exit code and error.json."""
    from seq2seq.errors import DecloudError, OutputError, Stopped

    Path(ERROR).unlink(missing_ok=True)
    here = Path.cwd()  # it may be gone when it is asked for
    try:
        if not Path(OUT).exists():  # else an earlier attempt could not deliver it
            produce(request, report, should_stop)
        _describe(report)
    except Stopped:
        return STOPPED
    except BadInput as refused:
        return _end(BAD_INPUT, **refused.problem)
    except OutputError as error:
        return _cannot_write(error, here)
    except DecloudError as error:
        return _end(BAD_INPUT, code=error.code, detail=str(error))
    except Exception as error:
        if _is_out_of_memory(error):
            return _end(OUT_OF_MEMORY, code="out-of-memory", detail=one_line(error))
        return _short(error, shortages.of_error(error, here.parent.parent, is_lost=_is_lost(here)))
    return DONE


def produce_result(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """Does what the job's process is for."""
    (compare if request.process == BENCHMARK else reconstruct)(request, report, should_stop)


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
        beside=pipeline.Beside(adding_pictures(report, should_stop), showing_predictions(report)),
    )


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


def _reporter() -> Report:
    """Sends one JSON line into the supervisor's pipe; without a supervisor nothing is sent."""
    pipe = message_pipe()

    def report(kind: str, **values: Any) -> None:
        if pipe is not None:
            os.write(pipe, (json.dumps({"kind": kind, **values}) + "\n").encode())

    return report


def _is_out_of_memory(error: BaseException) -> bool:
    """Python's, numpy's, torch's on a GPU and torch's on the CPU, which is no type of its own."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or any(words in str(error) for words in _NO_MEMORY)


def _cannot_write(error: BaseException, here: Path) -> int:
    """Torch does not say why it could not write: then it was for want of space."""
    found = shortages.of_error(error, here.parent.parent, is_lost=_is_lost(here))
    if found is None and not isinstance(error.__cause__, PermissionError):
        found = shortages.of_number(errno.ENOSPC, free_bytes=shortages.free_bytes(here))
    return _short(error, found)


def _is_lost(here: Path) -> bool:
    """Whether another folder, or none, lies where this process began to work."""
    try:
        return not os.path.samefile(here, ".")
    except OSError:
        return True


def _short(error: BaseException, found: shortages.Shortage | None) -> int:
    """What the machine lacks passes, or the operator mends it; what else ended the job is a bug."""
    if found is None:
        return _bug()
    print(f"decloud: {one_line(error)}", file=sys.stderr)
    return _end(SHORT, **found.reason)


def _bug() -> int:
    """The trace is for the operator's log alone."""
    traceback.print_exc()
    return BUG


def _end(status: int, **problem: Any) -> int:
    try:
        Path(ERROR).write_text(json.dumps(problem))
    except OSError:  # a full disk cannot be reported in a file; the exit code reports it
        with contextlib.suppress(OSError):
            Path(ERROR).unlink()
    return status


def leave(status: int) -> NoReturn:
    """Ends at once: no thread is waited for, and no signal or library can change the status any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main())
