"""The unfinished files of a run, and those of them that another start, or another machine, goes on from.

    OUT.partial/            the result as it grows; its images and report are made again by each start
      .checkpoint/          what every start goes on from
        key                 which run it is: input, settings, version
        tile-N/             per tile:
          facts.json        the mark of a finished tile: from now on its arrays are whole
          NAME.npy          arrays, written in place
          fit/              while the tile is fitted:
            NAME.npz        a stage, made once and kept
            NAME.pt         the state of an optimiser, written over and over
            .new-NAME       being written

This module alone knows it. It names paths and answers questions; it writes nothing and loads nothing but Python's own
modules, so that whoever supervises a run can ask as well.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CHECKPOINT, _KEY, _FIT = ".checkpoint", "key", "fit"
_MARK = "facts.json"
_ARRAY, _STAGE, _STATE = ".npy", ".npz", ".pt"

_Stamp = tuple[int, int]


def partial_of(out: Path) -> Path:
    """Returns where the result of a run to `out` grows until it is complete: a sibling, so that one rename moves it."""
    out = Path(os.path.abspath(out))  # not resolve(): a link to another disk must not move the sibling there
    return out.with_name(out.name + ".partial")


@dataclass(frozen=True)
class Workspace:
    """The folder `partial` of one run."""

    partial: Path

    @classmethod
    def of(cls, out: Path) -> "Workspace":
        """Returns the workspace of a run to `out`."""
        return cls(partial_of(out))

    @property
    def checkpoint(self) -> Path:
        """The files that another start goes on from; they keep their names on another machine."""
        return self.partial / _CHECKPOINT

    @property
    def key(self) -> Path:
        """The file that identifies the run."""
        return self.checkpoint / _KEY

    def tile(self, index: int) -> "TileFolder":
        """Returns the folder of the tile with this index."""
        return TileFolder(self.checkpoint / f"tile-{index}")

    def held(self) -> set[str]:
        """Lists the names that lie directly in the folder."""
        return {entry.name for entry in self.partial.iterdir()} if self.partial.exists() else set()

    def is_foreign(self) -> bool:
        """Tells whether something lies here that no run has made."""
        held = self.held()
        # A checkpoint alone: cut off before the key was written.
        return bool(held) and not self.key.exists() and held != {_CHECKPOINT}


@dataclass(frozen=True)
class TileFolder:
    """The files of one tile."""

    path: Path

    @property
    def facts(self) -> Path:
        """The mark of a finished tile, written last."""
        return self.path / _MARK

    @property
    def fit(self) -> Path:
        """The folder that a fit goes on from; superfluous once the tile is finished."""
        return self.path / _FIT

    def array(self, name: str) -> Path:
        """Names the file of one array."""
        return self.path / f"{name}{_ARRAY}"


def stage_file(fit: Path, name: str) -> Path:
    """Names the file of a stage of the fit in folder `fit`: made once and kept."""
    return fit / f"{name}{_STAGE}"


def state_file(fit: Path, name: str) -> Path:
    """Names the file of an optimiser's state, written over and over."""
    return fit / f"{name}{_STATE}"


def unfinished(path: Path) -> Path:
    """Returns the name under which `path` is written before it is renamed."""
    return path.with_name(f".new-{path.name}")


def finished_files(folder: Path) -> list[Path]:
    """Lists the files below a workspace's folder, or any folder of a run, that another attempt may go on from.

    Linked or copied they stay as they are: the run replaces each by rename. Left out are files whose name begins with a
    dot, which are being written, and arrays of a tile without its mark, which are written in place. Marks are looked
    for first: a tile that is finished in between counts as unfinished. Raises FileNotFoundError if a file vanished.
    """
    before = _files(folder)
    marked = {file.parent for file in before if file.name == _MARK}
    now = _files(folder)
    if vanished := set(before) - set(now):
        raise FileNotFoundError(str(vanished.pop()))
    return [file for file in now if file.parent in marked or not (file.name == _MARK or file.suffix == _ARRAY)]


class Baseline:
    """The content of the checkpoint when this was made, to see later whether the run has got further."""

    def __init__(self, workspace: Workspace) -> None:
        self._checkpoint = workspace.checkpoint
        self._made = self._made_once()
        self._digests = {path: _digest(path) for path in self._states()}
        self._stamps: dict[Path, _Stamp] = {path: _stamp(path) for path in self._digests}

    def is_surpassed(self) -> bool:
        """Tells whether a stage, a finished tile or a state is new; what vanishes meanwhile counts next time.

        A state that was written again may hold the same: that of a run that did not get a step further.
        """
        with suppress(FileNotFoundError):
            return bool(self._made_once() - self._made) or any(map(self._is_new, self._states()))
        return False

    def _made_once(self) -> set[Path]:
        return {path for path in self._below() if path.name == _MARK or path.suffix == _STAGE}

    def _states(self) -> set[Path]:
        return {path for path in self._below() if path.suffix == _STATE}

    def _below(self) -> Iterator[Path]:
        return (path for path in self._checkpoint.rglob("*") if not path.name.startswith("."))

    def _is_new(self, state: Path) -> bool:
        stamp = _stamp(state)
        if self._stamps.get(state) == stamp:
            return False
        self._stamps[state] = stamp
        return self._digests.get(state) != _digest(state)


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if not file.name.startswith(".") and file.is_file()]


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
