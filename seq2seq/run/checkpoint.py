"""The files that a fit leaves as it goes, so that a run that was killed goes on with little to do again.

Two kinds: stages, which are made once and cached (a fitted regressor, a date's prediction), and the state of an
optimiser, which is written over and over. `seq2seq.workspace` names the files.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq.errors import OutputError
from seq2seq.methods.base import Arrays
from seq2seq.workspace import stage_file, state_file, unfinished
from seq2seq.writers.output import describe_failure


class Checkpoint:
    """The files of one fit in one folder; without a folder nothing is kept and nothing is found.

    Each is written beside and renamed, so that a kill leaves the last good one. Writing raises `OutputError`.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def cached(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """Returns the arrays of the stage `name`: those cached earlier, else what `make` returns, then cached."""
        if self._folder is None:
            return make()
        path = stage_file(self._folder, name)
        if not path.exists():
            made = make()
            _replace(path, lambda file: np.savez(file, **made))  # type: ignore[arg-type]
            return made
        with np.load(path) as saved:
            return {key: saved[key] for key in saved.files}

    def load_state(self, name: str, device: torch.device) -> dict[str, Any] | None:
        """Reads what `save_state` was given last under `name`."""
        path = None if self._folder is None else state_file(self._folder, name)
        if path is None or not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        return state

    def save_state(self, name: str, state: dict[str, Any]) -> None:
        """Saves plain values and tensors."""
        if self._folder is not None:
            _replace(state_file(self._folder, name), lambda file: torch.save(state, file))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        temporary.unlink(missing_ok=True)
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise OutputError(describe_failure(path, reason[:200])) from error
