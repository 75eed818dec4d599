"""HDF5 files that are open, and the guard around every call of the library."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2seq.errors import UnreadableFileError

# Files that are open at the same time: a folder may hold one for each date.
_OPEN = 16


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Around calls of HDF5: one at a time, without plug-ins, and with its errors in our words."""
    import h5py
    from h5py._hl.base import phil

    with phil:
        paths = [h5py.h5pl.get(index) for index in range(h5py.h5pl.size())]
        for _ in paths:
            h5py.h5pl.remove(0)
        try:
            yield
        except UnreadableFileError:
            raise
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, UnicodeError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno:
                raise UnreadableFileError(f"{name}: cannot be read ({os.strerror(error.errno)})", file=name) from error
            reason = " ".join(str(error).split()).rsplit("/", 1)[-1][:160]
            raise UnreadableFileError(f"{name}: the file is corrupt or truncated ({reason})", file=name) from error
        finally:
            for known in paths:
                h5py.h5pl.append(known)


@dataclass(eq=False)
class OpenFiles:
    """Handles of files, opened when they are read, at most `_OPEN` of them at a time."""

    _handles: "OrderedDict[Path, Any]" = field(default_factory=OrderedDict)

    def get(self, path: Path) -> Any:
        """The file's identifier in h5py."""
        import h5py

        if path in self._handles:
            self._handles.move_to_end(path)
            return self._handles[path].id
        while len(self._handles) >= _OPEN:
            self._handles.popitem(last=False)[1].close()
        # as h5py opens files: HDF5 refuses one that the same process has open in another way
        self._handles[path] = h5py.File(path, "r")
        return self._handles[path].id

    def close(self) -> None:
        """Of all files."""
        with guarded("files"):
            while self._handles:
                self._handles.popitem()[1].close()
