"""Where attempts work: WORK/JOB/ATTEMPT. A new attempt begins with hard links to what the one before it has left.

So an old attempt that was frozen and thaws disturbs nobody: of what is linked the engine replaces every file by rename
(`seq2seq.workspace.finished_files`).
"""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from seq2seq.workspace import finished_files
from worker.errors import InvalidSettings
from worker.jobs import Job
from worker.running.job_folder import FETCHED, INPUT, OUT, UNFINISHED, workspace_of

_TRIES = 3
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})


class AttemptFolders:
    """Manages the folders below `root`, which all supervisors of a machine share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make(self) -> None:
        """Makes the folder `root` where it is missing. Raises `InvalidSettings` where no job could work there.

        This once: a folder that vanishes later may be a disk that is not mounted, and is waited for.
        """
        probe = self._root / f".probe-{uuid.uuid4()}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # that passes
                raise InvalidSettings(self._refused(error)) from error

    def _refused(self, error: OSError) -> str:
        reason = error.strerror or str(error)
        with suppress(OSError):
            owner = self._root.stat().st_uid
            if owner != os.geteuid():
                reason += f"; it belongs to user {owner}, this is user {os.geteuid()}"
        return f"{self._root}: cannot be the work folder ({reason}); choose another with DECLOUD_WORK_DIR"

    def prepare(self, job: Job) -> Path:
        """Makes the attempt's own folder, with what the newest earlier attempt on this machine has left."""
        home = self._root / job.id
        folder, fresh = home / str(job.attempt), home / f".{job.attempt}.new"
        for stale in (fresh, folder):  # of a supervisor that died right here
            shutil.rmtree(stale, ignore_errors=True)
        home.mkdir(exist_ok=True)
        fresh.mkdir()
        for number in sorted(_numbers(home), reverse=True):
            if number < job.attempt and continue_from(home / str(number), fresh):
                break
        os.replace(fresh, folder)
        return folder

    def latest(self, job: Job) -> int:
        """Returns the newest earlier attempt that left something on this machine, 0 where there is none."""
        return max((n for n in _numbers(self._root / job.id) if n < job.attempt), default=0)

    def remove(self, job_id: str) -> None:
        """Removes all attempts of a job that has ended, for others at one moment; what cannot go now is swept later."""
        removed = self._root / f".removed-{job_id}-{uuid.uuid4()}"
        with suppress(OSError):
            os.replace(self._root / job_id, removed)
        shutil.rmtree(removed, ignore_errors=True)

    def sweep(self, has_ended: Callable[[str], bool]) -> list[str]:
        """Removes the folders of jobs that have ended elsewhere or are gone; only what we have made is touched."""
        swept = [home.name for home in self._homes() if has_ended(home.name)]
        for job_id in swept:
            self.remove(job_id)
        for left_over in self._root.glob(".removed-*"):  # of a supervisor that died at it
            shutil.rmtree(left_over, ignore_errors=True)
        return swept

    def _homes(self) -> Iterator[Path]:
        for entry in self._root.iterdir() if self._root.is_dir() else ():
            with suppress(ValueError):
                uuid.UUID(entry.name)
                yield entry


def continue_from(earlier: Path, folder: Path) -> bool:
    """Links what the attempt `earlier` has fetched, imported and done into `folder`; False where there is none of it.

    `earlier` may still be at work, or being removed: then it is tried again.
    """
    for _ in range(_TRIES):
        try:
            linked = [link_tree(*pair) for pair in zip(_continued(earlier), _continued(folder), strict=True)]
            linked.append(copy_fetched(earlier / FETCHED, folder / FETCHED))
            earlier.stat()  # removing begins with a rename: what is still there was whole
            return any(linked)
        except FileNotFoundError:
            for part in (*_continued(folder), folder / FETCHED):
                shutil.rmtree(part, ignore_errors=True)
    return False


def _continued(folder: Path) -> tuple[Path, ...]:
    """Input, result and unfinished result of an attempt."""
    return folder / INPUT, folder / OUT, workspace_of(folder).partial


def link_tree(source: Path, target: Path) -> int:
    """Makes hard links of the finished files below `source`; returns their number.

    Raises FileNotFoundError if one vanished.
    """
    files = finished_files(source)
    for file in files:
        beside = target / file.relative_to(source)
        beside.parent.mkdir(parents=True, exist_ok=True)
        _link(file, beside)
    return len(files)


def copy_fetched(source: Path, target: Path) -> int:
    """Links what was fetched, and copies files that are still being written; returns their number.

    Left out are files that begin with a dot, or lie in such a folder. Raises FileNotFoundError if one vanished.
    """
    files = [path for path in source.rglob("*") if path.is_file() and not path.is_symlink()]
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(source).parts)]
    for file in files:
        beside = target / file.relative_to(source)
        beside.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == UNFINISHED:
            shutil.copy2(file, beside)
        else:
            _link(file, beside)
    return len(files)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target)


def _numbers(home: Path) -> list[int]:
    return [int(entry.name) for entry in home.iterdir() if entry.name.isdigit()] if home.is_dir() else []
