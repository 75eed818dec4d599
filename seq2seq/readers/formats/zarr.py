"""Cubes in Zarr: a store as a folder or packed, and folders of EOPF products."""

import re
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents

MARKERS = frozenset({".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json"})
# 0, 0.1.2, and the folders c/0/1/2
_CHUNK = re.compile(r"c|\d+(?:\.\d+)*|c(?:\.\d+)+")


class ZarrCubes:
    """Versions 2 and 3; read by `seq2seq.readers.cubes`. A ZIP of stores is read in place, never unpacked."""

    name = "a cube in Zarr, or with EOPF products"
    example = "cube.zarr/zarr.json"

    def wants(self, member: PurePosixPath) -> bool:
        """Metadata and chunks; a packed store by itself."""
        packed = len(member.parts) == 1 and member.name.lower().endswith(".zarr.zip")
        return packed or is_of_zarr(str(member))

    def recognises(self, root: Root) -> bool:
        """True where there are metadata of Zarr, or a packed store."""
        if root.container == "file":
            return is_packed_store(root.path)
        return any(PurePosixPath(member.name).name in MARKERS for member in root.members)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The rasters of all stores. Raises `InputError`s."""
        from seq2seq.readers.cubes.zarr import open_zarr

        return open_zarr(root)


def is_of_zarr(key: str) -> bool:
    """True for the name of a piece of a store: metadata, or a chunk in the folder of its array."""
    path = PurePosixPath(key)
    return path.name in MARKERS or (len(path.parts) > 1 and _CHUNK.fullmatch(path.name) is not None)


def is_store(folder: Path) -> bool:
    """True for a folder that has metadata of Zarr: it is listed to its last chunk."""
    return any((folder / marker).is_file() for marker in MARKERS)


def is_packed_store(path: Path) -> bool:
    """True for a ZIP with metadata of Zarr, at whatever depth."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).name in MARKERS for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False
