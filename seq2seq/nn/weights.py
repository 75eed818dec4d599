"""Pretrained weights: their source, their place, and their download when somebody asks. No torch.

Nothing here is called by a run but `installed`: a run never reaches for the network. What was fetched is checked by its
whole SHA-256 before it is opened, and kept as plain arrays: no pickle lies in the folder.
"""

import fcntl
import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seq2seq.errors import WeightsUnavailableError
from seq2seq.progress import OnProgress, Progress, ShouldStop, never_stop

CHUNK_BYTES = 1 << 20
SILENCE_S = 30.0  # of a server, after which the transfer is given up; what has come is kept


@dataclass(frozen=True)
class Weights:
    """A published file. use: what it is for, one sentence. sha256: all 64 digits. kept: the name it is kept under."""

    name: str
    use: str
    url: str
    size_bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Its name at the source."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def kept(self) -> str:
        """Its name here, where only the arrays that are used are kept."""
        return f"{self.name}-{self.sha256[:8]}.npz"


VGG16 = Weights(
    name="vgg16",
    use="the perceptual loss: images are compared by what a network that knows photographs sees in them",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    size_bytes=553_433_881,
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
KNOWN = {weights.name: weights for weights in (VGG16,)}


def folder() -> Path:
    """Returns the folder of weights: `decloud/weights` in the user's cache, by XDG_CACHE_HOME."""
    return _cache() / "decloud" / "weights"


def torch_hub() -> Path:
    """Returns the folder of the files that torchvision has downloaded itself, by TORCH_HOME."""
    return Path(os.environ.get("TORCH_HOME") or _cache() / "torch") / "hub" / "checkpoints"


def installed(weights: Weights) -> Path | None:
    """Finds the file of `weights` if it is here: ours, else torchvision's own."""
    places = (folder() / weights.kept, torch_hub() / weights.file)
    return next((path for path in places if path.is_file()), None)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def fetch(
    weights: Weights,
    convert: Callable[[Path, Path], None],
    *,
    on_progress: OnProgress,
    should_stop: ShouldStop = never_stop,
) -> Path:
    """Downloads `weights` unless they are here; what an earlier call got of the file is not asked for again.

    convert: from the published file to the one that is kept. Raises WeightsUnavailableError, with the way on: what has
    come is kept where the connection broke, and thrown away where it is not what was published.
    """
    with _only_one(weights) as part:
        kept = installed(weights)
        if kept is not None:
            return kept
        if _size(part) < weights.size_bytes:
            _download(weights, part, on_progress, should_stop)
        return _install(weights, part, convert, source=weights.url, throw_away=True)


def install_file(weights: Weights, file: Path, convert: Callable[[Path, Path], None]) -> Path:
    """Installs a copy of the published file, which stays as it is; else as `fetch`. Raises WeightsUnavailableError."""
    if not file.is_file():
        raise WeightsUnavailableError(f"{file} is not a file")
    with _only_one(weights):
        return _install(weights, file, convert, source=str(file), throw_away=False)


def _install(
    weights: Weights, file: Path, convert: Callable[[Path, Path], None], *, source: str, throw_away: bool
) -> Path:
    """Checks `file`, keeps what is used of it, in one rename."""
    try:
        _check(weights, file, source)
        kept = folder() / weights.kept
        temporary = kept.with_name(f".new-{kept.name}")
        try:
            convert(file, temporary)
            temporary.replace(kept)
        except OSError as error:
            raise _cannot_keep(error) from error
        finally:
            temporary.unlink(missing_ok=True)
    except WeightsUnavailableError:
        if throw_away:
            file.unlink(missing_ok=True)
        raise
    if throw_away:
        file.unlink(missing_ok=True)
    return kept


def _check(weights: Weights, file: Path, source: str) -> None:
    """Size and SHA-256 are those of the published file, else WeightsUnavailableError."""
    size = _size(file)
    if size != weights.size_bytes:
        raise WeightsUnavailableError(f"{source}: has {size} bytes, {weights.file} has {weights.size_bytes}")
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise WeightsUnavailableError(f"{file}: cannot be read ({error.strerror or error})") from error
    if digest != weights.sha256:
        raise WeightsUnavailableError(
            f"{source}: is not {weights.file} (SHA-256 {digest[:16]}..., must be {weights.sha256[:16]}...)"
        )


def _download(weights: Weights, part: Path, on_progress: OnProgress, should_stop: ShouldStop) -> None:
    """Appends to `part` what is lacking of the published file."""
    try:
        with _answer(weights, _size(part)) as (response, start), part.open("r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            _copy(weights, response, file, start, on_progress, should_stop)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection open otherwise
        raise WeightsUnavailableError(
            f"{weights.url}: cannot be had ({_reason(error)}); {_size(part)} of {weights.size_bytes} bytes are here, "
            f"the same command goes on. Without network: decloud weights fetch {weights.name} --from FILE"
        ) from error
    except OSError as error:
        raise _cannot_keep(error) from error


@contextmanager
def _answer(weights: Weights, have: int) -> Iterator[tuple[http.client.HTTPResponse, int]]:
    """The server's answer and the byte that it begins with: `have`, or 0 where it knows no ranges."""
    request = urllib.request.Request(weights.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=SILENCE_S) as response:
        start, total = 0, response.length
        if response.status == http.client.PARTIAL_CONTENT:
            stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            start, total = (int(stated[1]), int(stated[2])) if stated else (-1, None)
        if start not in (0, have):
            raise http.client.HTTPException("it answered with another range than was asked for")
        if total is not None and total != weights.size_bytes:
            raise WeightsUnavailableError(
                f"{weights.url}: offers {total} bytes, {weights.file} has {weights.size_bytes}; nothing was fetched"
            )
        yield response, start


def _copy(
    weights: Weights,
    response: http.client.HTTPResponse,
    file: IO[bytes],
    start: int,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> None:
    done, phase = start, f"fetching {weights.file}"
    while chunk := response.read1(CHUNK_BYTES):
        file.write(chunk)
        done += len(chunk)
        if done > weights.size_bytes:
            raise http.client.HTTPException("it sent more than the file has")
        on_progress(Progress(phase, step=done // 1_000_000, of=-(-weights.size_bytes // 1_000_000)))
        if should_stop():
            raise http.client.HTTPException("stopped")
    if done < weights.size_bytes:
        raise http.client.HTTPException("the connection ended early")


@contextmanager
def _only_one(weights: Weights) -> Iterator[Path]:
    """The file that a download is collected in, while no other process writes to it."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / f".lock-{weights.name}").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WeightsUnavailableError(f"{weights.name} is being fetched by another process") from None
            yield folder() / f"{weights.file}.part"
    except OSError as error:
        raise _cannot_keep(error) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _cannot_keep(error: OSError) -> WeightsUnavailableError:
    free = shutil.disk_usage(folder()).free / 1e6 if folder().is_dir() else 0.0
    return WeightsUnavailableError(f"{folder()}: cannot be written ({error.strerror or error}; {free:.0f} MB are free)")


def _reason(error: Exception) -> str:
    """One line, at most 160 characters."""
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())[:160] or type(error).__name__
