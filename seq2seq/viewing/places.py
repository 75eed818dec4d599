"""Where the files of a bundle are put: a folder, or one ZIP file that a service stores and reads pieces of."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq.errors import OutputError
from seq2seq.writers.failures import one_line_errors
from seq2seq.writers.output import temporary_beside

# The first that a ZIP can state: the same files give the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


# Takes the file at a path, relative to the bundle and with `/`; each path once. Raises `OutputError`.
Put = Callable[[str, bytes], None]


@contextmanager
def in_folder(folder: Path) -> Iterator[Put]:
    """Puts files in a folder beside `folder`, which takes its place at the end; an earlier one is replaced.

    Whatever is raised meanwhile leaves nothing behind.
    """
    with one_line_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:

        def put(path: str, content: bytes) -> None:
            with one_line_errors(folder / path):
                place = new / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)

        yield put
        with one_line_errors(folder):
            new.chmod(0o755)
            if folder.is_symlink() or folder.is_file():
                raise OutputError(f"{folder}: is in the way and no folder of pictures; please move it")
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def in_pack(path: Path) -> Iterator[Put]:
    """Puts files in the ZIP `path`, stored as they are, so that each is a range of its bytes; it appears at the end.

    Of the same files it has the same bytes. zarr opens the cube in it as it is.
    """
    with temporary_beside(path, ".zip") as new:
        archive = zipfile.ZipFile(new, "w", zipfile.ZIP_STORED)
        try:

            def put(name: str, content: bytes) -> None:
                about = zipfile.ZipInfo(name, _NO_TIME)
                about.external_attr = 0o644 << 16
                with one_line_errors(path):
                    archive.writestr(about, content)

            yield put
        finally:
            with one_line_errors(path):
                archive.close()
        with one_line_errors(path):
            os.replace(new, path)
