"""A job's checkpoint in a storage that other machines reach too, so that any of them can go on.

Below checkpoints/JOB: index.json names the attempt and its files, which lie below checkpoints/JOB/ATTEMPT. A file that
was put once is put again only when it has changed.
"""

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

from worker import jobs
from worker.errors import NotFound, ServiceError
from worker.jobs import Job
from worker.running.advance import Advance
from worker.running.attempt_context import AttemptContext
from worker.running.attempt_folders import link_tree
from worker.running.heartbeat import Heartbeat
from worker.running.job_folder import STORED, workspace_of
from worker.storage import Storage

SAVE_EVERY_S = 30.0

_INDEX = "index.json"
_SNAPSHOT = ".snapshot"

_log = logging.getLogger(__name__)


class RemoteCheckpoint:
    """Stores the checkpoint of one attempt, whose folder is `folder`."""

    def __init__(self, storage: Storage, job: Job, folder: Path) -> None:
        self._storage, self._job, self._folder = storage, job, folder
        self._sent: dict[str, tuple[int, int]] = {}

    def save(self, still_ours: Callable[[], bool]) -> bool:
        """Puts what is new since the last call, then the index. False: nothing is new, or the job is no longer ours."""
        snapshot = self._folder / _SNAPSHOT
        shutil.rmtree(snapshot, ignore_errors=True)
        try:
            if not link_tree(workspace_of(self._folder).checkpoint, snapshot):
                return False
            return self._put(snapshot, still_ours)
        except FileNotFoundError:  # the engine tidied up meanwhile; the next call finds it quiet
            return False
        finally:
            shutil.rmtree(snapshot, ignore_errors=True)

    def _is_stored(self, path: str) -> bool:
        """Of a tile that another worker has done: whoever leads next fetches it as well."""
        return (workspace_of(self._folder).checkpoint / path).with_name(STORED).exists()

    def _put(self, snapshot: Path, still_ours: Callable[[], bool]) -> bool:
        files = {path: file for path, file in _files(snapshot).items() if not self._is_stored(path)}
        state = {path: (file.stat().st_mtime_ns, file.stat().st_size) for path, file in files.items()}
        if state == self._sent:
            return False
        for path, file in files.items():
            if self._sent.get(path) != state[path]:
                if not still_ours():
                    return False
                self._storage.put(f"{self._job.checkpoint_prefix}/{self._job.attempt}/{path}", file)
        index = {"attempt": self._job.attempt, "files": sorted(files)}
        if not still_ours():
            return False
        self._storage.put(f"{self._job.checkpoint_prefix}/{_INDEX}", json.dumps(index).encode())
        self._sent = state
        return True


def _files(folder: Path) -> dict[str, Path]:
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


def saver(context: AttemptContext, job: Job, folder: Path, heartbeat: Heartbeat) -> Callable[[], None]:
    """Returns how to store the checkpoint where others reach it, which is where it has to be to count.

    On one machine that is the folder itself, and there is nothing to do.
    """
    advance = Advance(folder, whole=not context.is_remote)
    if not context.is_remote:
        heartbeat.watch(advance.look)
        return lambda: None
    remote = RemoteCheckpoint(context.storage, job, folder)

    def save() -> None:
        is_newer = advance.look()  # first: what is saved has this much at least
        if remote.save(heartbeat.beat):
            jobs.save_checkpoint(context.database, job, job.checkpoint_prefix)
            if is_newer:
                heartbeat.watch(lambda: True)

    return save


@contextmanager
def saved_now_and_then(save: Callable[[], object]) -> Iterator[None]:
    """Calls `save` every half minute in a thread of its own; storage that fails is tried again next time."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(SAVE_EVERY_S):
            try:
                save()
            except ServiceError as error:
                _log.warning("checkpoint not stored: %s", error.detail)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="job-checkpoint", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def fetch_checkpoint(storage: Storage, job: Job, folder: Path, *, newer_than: int) -> bool:
    """Gets the job's checkpoint into the attempt's `folder`, if one of an attempt after `newer_than` is stored."""
    if job.checkpoint is None:
        return False
    try:
        index = json.loads(b"".join(storage.open_range(f"{job.checkpoint}/{_INDEX}", 0, None)))
        if index["attempt"] <= newer_than:
            return False
        fresh = folder / _SNAPSHOT
        for path in index["files"]:
            storage.get(f"{job.checkpoint}/{index['attempt']}/{path}", fresh / path)
    except NotFound:
        return False
    checkpoint = workspace_of(folder).checkpoint
    shutil.rmtree(checkpoint, ignore_errors=True)
    checkpoint.parent.mkdir(exist_ok=True)
    fresh.rename(checkpoint)
    return True
