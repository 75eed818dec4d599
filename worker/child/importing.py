"""The first part of every job: the user's upload becomes `input`, in a sandbox, while the engine is loaded."""

import contextlib
import importlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from worker.child.ending import BadInput, Report, ShouldStop
from worker.running.job_folder import FETCHED, INPUT, UPLOAD, Fetched, Request

if TYPE_CHECKING:
    from seq2seq.config import ReconstructionConfig
    from seq2seq.progress import Progress


def have_input(
    request: Request, config: "ReconstructionConfig", report: Report, should_stop: ShouldStop, *, engine: str
) -> None:
    """Imports the upload, or what was fetched, where no attempt has done so.

    engine: the module that works on it, loaded meanwhile.
    """
    if Path(INPUT).exists():
        report("progress", phase="loading")
        return
    with _loading(engine, report):
        _import(request, config, report, should_stop)


@contextlib.contextmanager
def _loading(engine: str, report: Report) -> Iterator[None]:
    """Torch takes seconds, in which the sandbox can import; at the end of `with` it is there.

    Nothing else is imported meanwhile but what is named here first: modules that need each other, such as rasterio's,
    cannot be imported by two threads at a time. What fails in the thread fails again where it is used.
    """
    import worker.imports.importer  # noqa: F401

    def load() -> None:
        with contextlib.suppress(Exception):
            importlib.import_module(engine)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    yield
    report("progress", phase="loading")
    thread.join()


def _import(request: Request, config: "ReconstructionConfig", report: Report, should_stop: ShouldStop) -> None:
    """Rewrites the user's files into `input`, in a sandbox; once, for every attempt on this machine."""
    from worker.imports.importer import ImportProblem, import_upload
    from worker.imports.limits import ImportLimits

    def on_progress(progress: "Progress") -> None:
        report("progress", **vars(progress))

    fetched = Fetched.read(Path())
    imported = import_upload(
        fetched.path if fetched else Path(UPLOAD),
        Path(INPUT),
        name=fetched.name if fetched else request.upload,
        config=config.to_dict(),
        limits=ImportLimits.from_dict(request.limits),
        on_progress=on_progress,
        should_stop=should_stop,
    )
    if isinstance(imported, ImportProblem):
        raise BadInput(imported.to_dict())
    Path(UPLOAD).unlink(missing_ok=True)
    shutil.rmtree(FETCHED, ignore_errors=True)
