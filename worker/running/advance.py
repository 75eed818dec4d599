"""Whether an attempt has stored more of the work than it began with. Time and retries are no measure of that."""

import hashlib
from contextlib import suppress
from pathlib import Path

from worker.running.job_folder import CHECKPOINT, INPUT, OUT

# Of the engine's checkpoint, see `seq2seq.run.checkpoint`: what is made once and kept, and the state of an optimiser,
# which is written over and over.
_MADE_ONCE = ("facts.json", ".npz")
_STATE = ".pt"

_Stamp = tuple[int, int]


class Advance:
    """What lies in the attempt's `folder` compared with what lay there when this was made.

    whole: the imported input and the finished result count as well; they reach no other machine.
    """

    def __init__(self, folder: Path, *, whole: bool) -> None:
        self._folder, self._whole = folder, whole
        self._made = self._made_now()
        self._states = {path: _digest(path) for path in self._files(_STATE)}
        self._stamps: dict[Path, _Stamp] = {path: _stamp(path) for path in self._states}

    def look(self) -> bool:
        """Whether something is there that was not. What vanishes meanwhile is looked for next time."""
        with suppress(FileNotFoundError):
            return bool(self._made_now() - self._made) or any(map(self._is_new, self._files(_STATE)))
        return False

    def _made_now(self) -> set[Path]:
        stages = (INPUT, OUT) if self._whole else ()
        done = {self._folder / name for name in stages if (self._folder / name).exists()}
        return done.union(*(self._files(ending) for ending in _MADE_ONCE))

    def _is_new(self, state: Path) -> bool:
        """A state that was written again may say the same: of an attempt that did not get a step further."""
        stamp = _stamp(state)
        if self._stamps.get(state) == stamp:
            return False
        self._stamps[state] = stamp
        return self._states.get(state) != _digest(state)

    def _files(self, ending: str) -> set[Path]:
        found = (self._folder / CHECKPOINT).rglob(f"*{ending}")
        return {path for path in found if not path.name.startswith(".")}


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
