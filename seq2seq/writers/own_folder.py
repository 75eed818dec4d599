"""The folder of tables that a command writes: looked at before anything is computed."""

import os
from collections.abc import Collection
from pathlib import Path

from seq2seq.errors import OutputError


def check_own_folder(out: Path, ours: Collection[str], writer: str) -> None:
    """Raises `OutputError` unless `out` can be written and is new, empty, or holds names of `ours` alone.

    writer: what has written them, in a word: benchmark.
    """
    out = Path(os.path.abspath(out))
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OutputError(f"{out}: is not a folder; give the name of a folder that does not exist yet")
    parent = next(folder for folder in (out, *out.parents) if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{out}: no permission to write in {parent}")
    foreign = sorted({entry.name for entry in out.iterdir()} - set(ours)) if out.exists() else []
    if foreign:
        raise OutputError(f"{out}: holds {foreign[0]}, which no {writer} has written; give another folder")
