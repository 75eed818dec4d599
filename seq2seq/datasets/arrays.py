"""Arrays and names of files as strangers wrote them: inside their folder, of a bounded size, and never pickles."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import InputError, InvalidPixelsError, MissingDataError, UnreadableFileError
from seq2seq.wording import one_line

# PASTIS-R's longest series has 61 x 10 x 128 x 128 values of 2 bytes, a cube of EarthNet2021 30 x 7 x 128 x 128 of 4.
MAX_BYTES = 2**28
MAX_JSON_BYTES = 2**28
_MAX_HEADER = 10_000
_CONVERSION = "python -c \"import numpy as n; n.save('{name}', n.load('{name}', allow_pickle=True).astype('float32'))\""


def inside(root: Path, relative: str | Path) -> Path:
    """The file `relative` to `root`. Raises `InputError` where it, or a link on its way, leaves `root`."""
    path = root / relative
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{relative}: leaves {root}; only files inside that folder are read", file=str(relative))
    return path


def found(path: Path, remedy: str) -> Path:
    """The same path. Raises `MissingDataError` where there is no such file."""
    if not path.is_file():
        raise MissingDataError(f"{path}: is missing; {remedy}", file=str(path))
    return path


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises `UnreadableFileError` where it is none, or is too large."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise UnreadableFileError(f"{path}: is larger than {MAX_JSON_BYTES:,} bytes", file=str(path))
    with _reading(path):
        return json.loads(path.read_text(encoding="utf-8"))


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file. Raises `UnreadableFileError` for a pickle, or more than is read at once."""
    with _reading(path), path.open("rb") as file:
        return _read_array(file, path, path.stat().st_size)


def read_npz(path: Path, name: str) -> NDArray[Any]:
    """One array of an .npz file. Raises `UnreadableFileError` where it is not there, a pickle, or too large."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        if f"{name}.npy" not in archive.namelist():
            raise UnreadableFileError(f"{path}: has no array `{name}`", file=str(path))
        with archive.open(f"{name}.npy") as file:
            return _read_array(file, path, archive.getinfo(f"{name}.npy").file_size)


def check_shape(path: Path, shape: tuple[int, ...], expected: str, *, axes: int, channels: tuple[int, ...]) -> None:
    """Raises `InvalidPixelsError` for other axes, or a number of channels, by axis 1, that is none of `channels`."""
    if len(shape) != axes or 0 in shape or shape[1] not in channels:
        raise InvalidPixelsError(f"{path}: is {shape}, must be {expected}", file=str(path))


def check_bytes(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises `UnreadableFileError` for more than `MAX_BYTES`."""
    size = prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise UnreadableFileError(
            f"{path}: says that it holds {shape} {dtype}, {size:,} bytes; no file of this data set has more than "
            f"{MAX_BYTES:,}",
            file=str(path),
        )


def _read_array(file: IO[bytes], path: Path, stored: int) -> NDArray[Any]:
    """An array whose header has been believed only as far as there are bytes."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # of records with long names, or a header of gigabytes
        raise UnreadableFileError(f"{path}: is of .npy version {version}, plain arrays are of (1, 0)", file=str(path))
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_MAX_HEADER)
    if dtype.hasobject:
        raise UnreadableFileError(
            f"{path}: is a pickle, which can run any code and is never loaded; where you trust it, convert it: "
            f"{_CONVERSION.format(name=path.name)}",
            file=str(path),
        )
    if dtype.kind not in "iufb":
        raise UnreadableFileError(f"{path}: holds {dtype}, must be numbers", file=str(path))
    check_bytes(path, shape, dtype)
    size = prod(shape) * dtype.itemsize
    if size > stored:
        raise UnreadableFileError(f"{path}: is truncated, {stored:,} of {size:,} bytes", file=str(path))
    content = file.read(size)
    if len(content) != size:
        raise UnreadableFileError(f"{path}: is truncated, {len(content):,} of {size:,} bytes", file=str(path))
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Names the file in whatever goes wrong with its bytes."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # foreign bytes: whatever is wrong is the file's fault
        raise UnreadableFileError(f"{path}: cannot be read ({one_line(error, 100)})", file=str(path)) from error
