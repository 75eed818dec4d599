"""Input and output lie apart: nothing is read from where results are written, nor the other way round."""

import os
from pathlib import Path

from seq2seq.errors import OutputError


def check_apart(source: Path | str, out: Path | str, *growing: Path) -> None:
    """Raises `OutputError` where the input `source` and the folder `out` are one, or one lies in the other.

    A result inside the input would be read by the next run; an input inside the result would be replaced by it, and one
    inside `growing`, the folders beside `out` in which a result grows, would be cleared away.
    """
    real_source, real_out = _real(source), _real(out)
    if _same(real_source, real_out):
        raise OutputError(f"{out}: is the input; give another folder for the result, beside it")
    if _holds(real_source, real_out):
        raise OutputError(f"{out}: lies inside the input {source}; give a folder outside it")
    for folder in (real_out, *map(_real, growing)):
        if _holds(folder, real_source) or _same(folder, real_source):
            raise OutputError(f"{out}: the input {source} lies in {folder}, which a result replaces; move one of them")


def _real(path: Path | str) -> Path:
    return Path(os.path.realpath(path))


def _holds(folder: Path, path: Path) -> bool:
    return any(_same(folder, above) for above in path.parents)


def _same(one: Path, other: Path) -> bool:
    """Also by another spelling or mount of it."""
    if one == other:
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them does not exist, or may not be looked at
        return False
