"""The output folder: checked before anything is computed, filled beside its place, moved there in one rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq.errors import OutputError
from seq2seq.products import top_names
from seq2seq.workspace import partial_of


def check_output(out: Path, overwrite: bool) -> None:
    """Raises `OutputError` where a result could not be published at `out`. Leaves everything as it was.

    `overwrite` allows a folder that holds an earlier result, and only that: a folder with anything else in it is never
    removed.
    """
    out = Path(os.path.abspath(out))
    with _one_line_errors(out):
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise OutputError(f"{out}: is not a folder; give the name of a folder that does not exist yet")
        held = sorted(entry.name for entry in out.iterdir()) if out.exists() else []
    if held and not overwrite:
        raise OutputError(
            f"{out}: is not empty ({_some(held)}); give another folder, or --overwrite to replace a result"
        )
    foreign = sorted(set(held) - top_names("run", "job"))
    if foreign:
        raise OutputError(f"{out}: holds {_some(foreign)}, which no run has written; it will not be overwritten")
    _check_place(out)


def check_room(out: Path, needed: int) -> None:
    """Raises `OutputError` where the disk of `out` has less than `needed` bytes, counting what an earlier run left."""
    partial = partial_of(out)
    folder = next(folder for folder in partial.parents if folder.exists())
    with _one_line_errors(folder):
        earlier = sum(entry.stat().st_blocks * 512 for entry in partial.rglob("*") if entry.is_file())
        free = shutil.disk_usage(folder).free
    if free + earlier < needed:
        raise OutputError(
            f"{out}: takes at least {needed / 2**20:,.0f} MiB while it is made, and {folder} has "
            f"{free / 2**20:,.0f} MiB free; make room, or give a folder on another disk"
        )


def _check_place(out: Path) -> None:
    """Raises `OutputError` where no folder could be made or moved. Only a try shows it: permissions do not."""
    parent = next(folder for folder in out.parents if folder.exists())
    if not parent.is_dir():
        raise OutputError(f"{out}: {parent} is not a folder, so nothing can lie in it")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{out}: no permission to write in {parent}")
    if os.path.ismount(out):
        raise OutputError(f"{out}: is where a disk is mounted, and nothing can be moved there; give a folder inside it")
    partial = partial_of(out)
    with _one_line_errors(out):
        if partial.is_symlink() or (partial.exists() and not partial.is_dir()):
            raise OutputError(f"{partial}: is in the way and no run of decloud has made it; please move it")
        partial.exists()
        os.rmdir(tempfile.mkdtemp(prefix=f".{out.name[:100]}.", dir=partial if partial.exists() else parent))


def publish(partial: Path, out: Path, overwrite: bool) -> None:
    """Moves the complete folder `partial` to `out`, both on one file system.

    Names in it that begin with a dot (checkpoints, remains of killed writers) are removed first. Readers of `out` see
    the earlier result or the new one, never a mixture. Where `overwrite` replaces a result and the second of the two
    renames fails, the earlier result is put back. Raises `OutputError` as `check_output` does, ValueError where
    `partial` holds what is no product.
    """
    check_output(out, overwrite)
    out = Path(os.path.abspath(out))
    with _one_line_errors(out):
        _remove_hidden(partial)
        foreign = sorted({entry.name for entry in partial.iterdir()} - top_names("run", "job"))
        if foreign:
            raise ValueError(f"{partial} holds {_some(foreign)}, which is no product of a run")
        out.parent.mkdir(parents=True, exist_ok=True)
        if not out.exists() or not any(out.iterdir()):
            os.replace(partial, out)  # POSIX renames over an empty folder
            return
        replaced = Path(tempfile.mkdtemp(prefix=f".{out.name}.replaced-", dir=out.parent))
        os.replace(out, replaced)
        try:
            os.replace(partial, out)
        except OSError:
            os.replace(replaced, out)
            raise
        shutil.rmtree(replaced)


def write_file(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames: a crash leaves the earlier file or the new one. Raises `OutputError`."""
    with temporary_beside(path) as temporary, _one_line_errors(path):
        temporary.write_bytes(content)
        os.replace(temporary, path)


@contextmanager
def temporary_beside(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yields an unused name beside `path`, whose folder is made; what is left under it is removed at the end."""
    with _one_line_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=suffix or ".tmp", dir=path.parent)
        os.close(handle)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files that only the user can read
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def describe_failure(path: Path, reason: str) -> str:
    """Writes one line: what could not be written, why, and the space left where that may be the cause."""
    folder = next(folder for folder in (path, *path.parents) if os.path.exists(folder))  # a name may be too long
    free = shutil.disk_usage(folder).free
    return f"{path}: cannot be written ({reason}; {free / 2**20:,.0f} MiB free)"


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(describe_failure(path, error.strerror or str(error))) from error


def _remove_hidden(folder: Path) -> None:
    for entry in list(folder.rglob(".*")):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
