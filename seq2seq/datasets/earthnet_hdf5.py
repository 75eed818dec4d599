"""Cubes in U-TILISE's HDF5 files: groups by tile and cube, read one array at a time, and no link out of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.datasets.arrays import check_bytes
from seq2seq.errors import InputError, UnreadableFileError
from seq2seq.extras import naming_extra
from seq2seq.wording import one_line

# Between the group of a split and the tiles, in some files.
_SAMPLES = "samples"


def list_cubes(path: Path, split: str) -> list[str]:
    """Lists `/split/tile/cube` of the cubes of a split, by name. Raises `UnreadableFileError` without the split."""
    with _opened(path) as file:
        top = _child(file, split, path)
        if _SAMPLES in top:
            top = _child(top, _SAMPLES, path)
        return [f"{top.name}/{tile}/{cube}" for tile in sorted(top) for cube in sorted(_child(top, tile, path))]


def read_cube(path: Path, address: str, array: str) -> NDArray[Any]:
    """One array of a cube. Raises `UnreadableFileError` for what is elsewhere, too large, or no numbers."""
    with _opened(path) as file:
        group = file
        for part in address.strip("/").split("/"):
            group = _child(group, part, path)
        data = _child(group, array, path)
        if getattr(data, "dtype", None) is None or data.dtype.kind not in "iufb":
            raise UnreadableFileError(f"{path}: {address}/{array} is no array of numbers", file=str(path))
        if data.is_virtual or data.external:
            raise UnreadableFileError(
                f"{path}: {address}/{array} lies in other files, which are not read", file=str(path)
            )
        check_bytes(path, data.shape, data.dtype)
        return np.asarray(data[...])


def _child(group: Any, name: str, path: Path) -> Any:
    """What lies below a group itself, not where a link points to."""
    with naming_extra():
        import h5py
    link = group.get(name, getlink=True)
    if link is None:
        raise UnreadableFileError(f"{path}: has no {group.name.rstrip('/')}/{name}", file=str(path))
    if not isinstance(link, h5py.HardLink):
        raise UnreadableFileError(f"{path}: {name} is a link to elsewhere, which is not followed", file=str(path))
    return group[name]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, read only; whatever is wrong with it is named."""
    with naming_extra():
        import h5py
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # foreign bytes: whatever is wrong is the file's fault
        raise UnreadableFileError(
            f"{path}: is no HDF5 that can be read ({one_line(error, 100)})", file=str(path)
        ) from error
