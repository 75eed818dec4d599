"""A job's result into a folder: each file by ranges, checked against the manifest; the folder appears when complete."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import httpx

from api.client.calls import Calls, Patience, Trouble
from api.client.errors import CannotStore, DamagedTransfer, NotAServer, UnknownOutput
from api.client.packing import OnBytes
from seq2seq import products

MANIFEST = products.MANIFEST.path
# All that a result holds. `overwrite` removes nothing that holds anything else.
_TOP_NAMES = products.top_names("run", "comparison", "inspection", "job")
_PIECE = 1 << 20
# In a row: more of them is no accident of the line.
_DAMAGES = 3


@dataclass(frozen=True)
class RemoteFile:
    """One file of a result. path: relative, with `/`, and leading nowhere else."""

    path: str
    size: int
    sha256: str


def check_folder(out: Path, overwrite: bool) -> None:
    """Raises `CannotStore` where a result could not be put at `out`. Creates and changes nothing."""
    out = Path(os.path.abspath(out))
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise CannotStore(f"{out}: is not a folder; give the name of a folder that does not exist yet")
    with _one_line_errors(out):
        held = sorted(entry.name for entry in out.iterdir()) if out.exists() else []
    if held and not overwrite:
        raise CannotStore(f"{out}: is not empty ({_some(held)}); give another folder, or --overwrite to replace it")
    foreign = sorted(set(held) - _TOP_NAMES)
    if foreign:
        raise CannotStore(f"{out}: holds {_some(foreign)}, which is of no result; it will not be overwritten")
    parent = next(folder for folder in out.parents if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise CannotStore(f"{out}: no permission to write in {parent}")


def download(
    calls: Calls, job_id: str, out: Path, *, outputs: Collection[str], overwrite: bool, on_bytes: OnBytes
) -> Path:
    """The whole result at `out`, or those `outputs` of it. It grows in `out`.part, from where an earlier download of
    the same was interrupted.

    `overwrite` lets it replace another result. Where it is complete already, nothing is fetched. Raises `CannotStore`,
    `DamagedTransfer`, `UnknownOutput`, and what calls raise.
    """
    out = Path(os.path.abspath(out))
    manifest = _chosen(calls.call("GET", _address(job_id, MANIFEST)).content, outputs)
    files = read_manifest(manifest)
    with _one_line_errors(out):
        if _holds(out / MANIFEST, manifest) and all(_has(out / file.path, file) for file in files):
            return out
        check_folder(out, overwrite)
        growing = _begin(out, manifest)
        total, done = sum(file.size for file in files), 0
        for file in files:
            fetch = _Fetch(calls, _address(job_id, file.path), file, growing / file.path)
            fetch.run(lambda got, before=done: on_bytes(before + got, total))  # type: ignore[misc]
            done += file.size
        on_bytes(total, total)
        os.replace(growing / f"{MANIFEST}.part", growing / MANIFEST)
        _show(growing, out)
    return out


def read_manifest(content: bytes) -> list[RemoteFile]:
    """Its files. The server's word is not enough to write elsewhere: raises `NotAServer` for paths that lead there."""
    try:
        entries = json.loads(content)["files"]
        files = [RemoteFile(str(entry["path"]), int(entry["size"]), str(entry["sha256"])) for entry in entries]
    except (ValueError, TypeError, KeyError):
        raise NotAServer(f"the result has no readable {MANIFEST}; is it a decloud server?") from None
    for file in files:
        parts = PurePosixPath(file.path).parts
        plain = "/".join(parts) == file.path and file.path.isprintable() and not set('\\:"|?*<>') & set(file.path)
        if not plain or not parts or parts[0] not in _TOP_NAMES or any(part.startswith(".") for part in parts):
            raise NotAServer(f"the result lists {file.path!r}, which is no file of a result")
    return files


def _chosen(manifest: bytes, outputs: Collection[str]) -> bytes:
    """The manifest of those outputs alone; as it is where none is named. Raises `UnknownOutput`."""
    if not outputs:
        return manifest
    named = {file.path: product.name for file in read_manifest(manifest) if (product := products.product_at(file.path))}
    there = {*named.values(), products.MANIFEST.name}
    missing = sorted(set(outputs) - there)
    if missing:
        raise UnknownOutput(f"the result has no {', '.join(missing)}; it has {', '.join(sorted(there))}")
    entries = [entry for entry in json.loads(manifest)["files"] if named.get(entry["path"]) in outputs]
    return json.dumps({"files": entries}, indent=1).encode()


class _Fetch:
    """One file, in as many tries as it takes; it grows in NAME.part."""

    def __init__(self, calls: Calls, address: str, file: RemoteFile, target: Path) -> None:
        self._calls, self._address, self._file, self._target = calls, address, file, target
        self._part = target.with_name(f"{target.name}.part")
        self._damages = 0

    def run(self, on_part: Callable[[int], None]) -> None:
        """Afterwards it is there, with the right checksum."""
        if _has(self._target, self._file):
            return
        self._target.parent.mkdir(parents=True, exist_ok=True)
        patience = Patience(self._calls)
        while not self._is_whole():
            had = _size(self._part)
            try:
                self._receive(had, on_part)
            except Trouble as trouble:
                if _size(self._part) > had:
                    patience.renew()
                patience.wait(trouble)
        os.replace(self._part, self._target)

    def _is_whole(self) -> bool:
        """Damaged bytes are thrown away once they are as many as they should be."""
        if not self._part.exists() or _size(self._part) < self._file.size:
            return False
        if _has(self._part, self._file):
            return True
        self._part.unlink()
        self._damages += 1
        if self._damages >= _DAMAGES:
            raise DamagedTransfer(f"{self._file.path}: arrived damaged {self._damages} times in a row")
        return False

    def _receive(self, had: int, on_part: Callable[[int], None]) -> None:
        """Appends what comes from byte `had` on, or begins anew where the server does not give ranges."""
        headers = {"Accept-Encoding": "identity"}
        if had:
            headers |= {"Range": f"bytes={had}-"}
        with self._calls.stream("GET", self._address, headers=headers) as answer:
            got = had if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0
            with self._part.open("ab" if got else "wb") as part:
                for piece in answer.iter_raw(_PIECE):
                    part.write(piece)
                    got += len(piece)
                    on_part(min(got, self._file.size))
                    if got > self._file.size:
                        return
        if got < self._file.size:
            raise Trouble(f"{self._file.path}: {got:,} of {self._file.size:,} bytes came")


def _begin(out: Path, manifest: bytes) -> Path:
    """The folder beside `out` in which it grows; what it holds of another result goes."""
    growing = out.with_name(f"{out.name}.part")
    marker = growing / f"{MANIFEST}.part"
    if growing.exists() and not _holds(marker, manifest):
        if not marker.is_file():
            raise CannotStore(f"{growing}: is in the way, and no download has made it; remove it")
        shutil.rmtree(growing)
    growing.mkdir(parents=True, exist_ok=True)
    marker.write_bytes(manifest)
    return growing


def _show(growing: Path, out: Path) -> None:
    """One rename; an earlier result goes after it."""
    if not out.exists() or not any(out.iterdir()):
        os.replace(growing, out)  # POSIX renames over an empty folder
        return
    replaced = Path(tempfile.mkdtemp(prefix=f".{out.name}.replaced-", dir=out.parent))
    os.replace(out, replaced)
    os.replace(growing, out)
    shutil.rmtree(replaced)


def _holds(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content


def _has(path: Path, file: RemoteFile) -> bool:
    """Whether `path` is the file, by length and checksum."""
    if not path.is_file() or _size(path) != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _address(job_id: str, path: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}/results/{quote(path)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        free = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            there = next(folder for folder in (path, *path.parents) if folder.exists())
            free = f"; {shutil.disk_usage(there).free / 2**20:,.0f} MiB free"
        raise CannotStore(f"{error.filename or path}: cannot be written ({error.strerror or error}{free})") from error
